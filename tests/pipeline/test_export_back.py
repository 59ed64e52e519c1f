"""Out to plain Zarr and back again: the same store, to the last value and attribute."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.store import Store
from glaciolake.catalog.variables import BY_NAME
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.export.back import restore
from glaciolake.pipeline.export.choice import Choice
from glaciolake.pipeline.export.formats import export
from tests.pipeline.drawn_store import fill_store, small_series
from tests.pipeline.stores import differences
from tests.pipeline.test_cli import invoke


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    url = tmp_path_factory.mktemp("drawn") / "lakes.icechunk"
    return fill_store(str(url), [small_series("T121"), small_series("T085", n=3)])


@pytest.fixture(scope="module")
def out(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    list(export(store.url, str(folder), ["zarr"]))
    return folder


def test_export_and_restore_give_the_same_store(store: Store, out: Path, tmp_path: Path) -> None:
    again = str(tmp_path / "again.icechunk")
    told = list(restore([str(path) for path in sorted(out.glob("*.zarr"))], again))
    assert told == [("tsho-rolpa/T085", 3, True), ("tsho-rolpa/T121", 5, True)]
    assert differences(again, store.url) == []
    assert Store.open(again).digest() == store.digest()


def test_what_is_there_stays_and_what_is_missing_is_added(store: Store, out: Path, tmp_path: Path) -> None:
    partial, again = tmp_path / "partial", str(tmp_path / "again.icechunk")
    whole = store.read("tsho-rolpa", "T121")
    last = str(whole["time"].values[-1])[:10]
    list(export(store.url, str(partial), ["zarr"], Choice(track="T121", start=whole.time[-1].dt.date.item())))
    assert list(restore([str(partial / "tsho-rolpa_T121.zarr")], again)) == [("tsho-rolpa/T121", 1, True)]
    path = str(out / "tsho-rolpa_T121.zarr")
    assert invoke("restore", path, "--store", again).output == (
        "tsho-rolpa/T121: 5 slices, added what was missing\n"
    )
    assert invoke("restore", path, "--store", again).output == "tsho-rolpa/T121: 5 slices, nothing was new\n"
    found = Store.open(again).read("tsho-rolpa", "T121")
    xr.testing.assert_identical(found.load(), whole.load())
    assert str(found["time"].values[-1])[:10] == last


def test_what_is_no_export_is_refused_and_nothing_is_written(out: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zarr"
    xr.Dataset({"a": ("x", [1, 2])}).to_zarr(other, consolidated=False)
    good, again = str(out / "tsho-rolpa_T121.zarr"), tmp_path / "again"
    for bad in (str(other), str(tmp_path / "nowhere.zarr"), "gopher://host/a.zarr"):
        with pytest.raises(PipelineError, match=r"is no Zarr export of a series"):
            list(restore([good, bad], str(again)))
    assert not again.exists()


def test_an_export_that_was_written_anew_in_other_units_is_refused(out: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.zarr"
    shutil.copytree(out / "tsho-rolpa_T121.zarr", changed)
    time = json.loads((changed / "time" / "zarr.json").read_text())
    group = json.loads((changed / "zarr.json").read_text())
    for metadata in (time, group["consolidated_metadata"]["metadata"]["time"]):
        metadata["attributes"]["units"] = "days since 2000-01-01"
    (changed / "zarr.json").write_text(json.dumps(group))
    with pytest.raises(PipelineError, match=r"counts time in 'days since 2000-01-01'"):
        list(restore([str(changed)], str(tmp_path / "again")))


def test_a_cut_chunk_is_told_and_nothing_is_written(out: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.zarr"
    shutil.copytree(out / "tsho-rolpa_T121.zarr", cut)
    chunk = next(path for path in (cut / "surface" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:20])
    with pytest.raises(PipelineError, match=r"surface of .* cannot be read"):
        list(restore([str(cut)], str(tmp_path / "again")))
    assert Store.open(str(tmp_path / "again")).series() == {}


def test_derived_variables_come_back_as_they_went(tmp_path: Path) -> None:
    derived = [one for one in BY_NAME.values() if one.derived and one.dtype != "str"]
    if not derived:
        pytest.skip("the table of variables has no derived one")

    def derive(rows: xr.Dataset) -> dict[str, NDArray[Any]]:
        return {one.name: np.arange(rows.sizes["time"]).astype(one.dtype) for one in derived}

    one, two = (str(tmp_path / name) for name in ("one", "two"))
    stored = fill_store(one, [small_series("T121")], derive=derive)
    list(export(one, str(tmp_path), ["all"]))
    list(restore([str(tmp_path / "tsho-rolpa_T121.zarr")], two))
    assert Store.open(two).digest() == stored.digest()
    found = Store.open(two).read("tsho-rolpa", "T121")
    assert all(found[one.name].values.astype(float).tolist() == [0, 1, 2, 3, 4] for one in derived)


def test_two_generations_go_out_and_back_one_by_one(store: Store, out: Path, tmp_path: Path) -> None:
    both, path = str(tmp_path / "both"), str(out / "tsho-rolpa_T121.zarr")
    fill_store(both, [small_series("T121")], model="other-net")
    with pytest.raises(StoreError, match="made with model other-net"):
        list(restore([path], both))
    list(restore([path], both, new_generation=True))
    again = str(tmp_path / "again")
    for number, version in enumerate(("other-net", "lake-unet-b3-db-1")):
        list(export(both, str(tmp_path / version), ["zarr"], Choice(version=version)))
        exported = str(tmp_path / version / "tsho-rolpa_T121.zarr")
        list(restore([exported], again, new_generation=number > 0))
    assert Store.open(again).digest() == Store.open(both).digest()


def test_a_series_on_another_grid_is_not_mixed_in(out: Path, tmp_path: Path) -> None:
    again = str(tmp_path / "again")
    fill_store(again, [small_series("T121").isel(y=slice(5, None))])
    with pytest.raises(StoreError, match="lies on grid"):
        list(restore([str(out / "tsho-rolpa_T121.zarr")], again))
