"""`glaciolake export`: says what it wrote, and in one line what was wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from tests.pipeline.drawn_store import fill_store, small_series
from tests.pipeline.test_cli import fails_with, invoke


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return fill_store(str(tmp_path_factory.mktemp("drawn") / "lakes"), [small_series("T121")]).url


def test_each_product_is_told_with_its_slices(store: str, tmp_path: Path) -> None:
    words = ("--lake", "tsho-rolpa", "--track", "t121", "--start", "2023-07-10", "--end", "2023-08-10")
    done = invoke("export", store, "--format", "csv, zarr", *words, "--out", f"{tmp_path}/")
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        f"{tmp_path}/tsho-rolpa_T121.zarr: 3 slices",
        f"{tmp_path}/tsho-rolpa_T121.csv: 3 slices",
    ]
    assert xr.open_zarr(tmp_path / "tsho-rolpa_T121.zarr").sizes["time"] == 3


def test_what_is_wrong_is_one_line(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str) -> str:
        line = fails_with(["export", *words, "-o", str(tmp_path)], monkeypatch, capsys)
        assert line.count("\n") == 1 and line.startswith("glaciolake: ")
        return line

    assert "no export format 'shp'" in said(store, "--format", "shp")
    assert "no series of lake 'como'" in said(store, "--lake", "como")
    assert "has no slice from 2030-01-01" in said(store, "--start", "2030-01-01")
    assert "no glaciolake store at" in said(str(tmp_path / "nothing"))
    invoke("export", store, "--format", "csv", "--out", str(tmp_path))
    assert "--overwrite" in said(store, "--format", "csv")
    assert list(tmp_path.iterdir()) == [tmp_path / "tsho-rolpa_T121.csv"]
