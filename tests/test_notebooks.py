"""The notebooks run from top to bottom, offline, on a simulated archive, and say what the store says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from distributed import LocalCluster
from nbclient import NotebookClient

import glaciolake
from glaciolake.catalog.simulate.archive import write_archive
from glaciolake.catalog.simulate.order import make_order
from glaciolake.models.weights import DEFAULT_MODEL
from glaciolake.pipeline.config import load_config
from glaciolake.pipeline.run import run
from glaciolake.pipeline.trend import MIN_YEARS, Trend, trend

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
LAKE, TRACKS = "tsho-rolpa", ("T085", "T121")
SUMMERS = tuple((date(year, 7, 3), date(year, 8, 16)) for year in range(2019, 2024))
LAST = (date(2024, 5, 20), date(2024, 8, 26))
"""The last year begins in the frozen season, so that states show."""
PROBE = "import json\nfrom pathlib import Path\nPath('told.json').write_text(json.dumps({code}))"


TIMEOUT_S = 270
"""A cell's: before the suite gives a test up, and enough on a machine that does ten things at once."""


@dataclass(frozen=True)
class Desk:
    """Where notebooks are run.

    Attributes
    ----------
    folder
        Their working directory.
    scenes
        Folder of the simulated archives, one a summer.
    store
        What the chain has made of them.
    """

    folder: Path
    scenes: Path
    store: Path


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    place = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": ":0"}
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **place) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, scheduler: str) -> Desk:
    folder = tmp_path_factory.mktemp("notebooks")
    found = Desk(folder, folder / "scenes", folder / "lakes.icechunk")
    for span in (*SUMMERS, LAST):
        write_archive(found.scenes / str(span[0].year), make_order([LAKE], span))
    told = {"source": str(found.scenes), "store": str(found.store), "lakes": [LAKE], "engine": "onnxruntime"}
    assert run(load_config(None, {**told, "cluster.scheduler": scheduler})).complete
    return found


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    (folder / "notebooks").mkdir()
    return folder


@pytest.fixture(autouse=True)
def at_the_desk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kernel sees of the world: this store, these scenes, one core, no proxy that would let it out."""
    monkeypatch.setenv("GLACIOLAKE_STORE", str(desk.store))
    monkeypatch.setenv("GLACIOLAKE_SCENES", str(desk.scenes))
    monkeypatch.setenv("GLACIOLAKE_WORKERS", "1")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def executed(number: int, desk: Desk, code: str) -> tuple[Any, Any]:
    """Run a notebook, and then some code in it that gives a value; that value, and the notebook."""
    (path,) = (one for one in NOTEBOOKS if one.name.startswith(f"{number}_"))
    notebook: Any = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PROBE.format(code=code)))
    execute(notebook, desk.folder)
    return json.loads((desk.folder / "told.json").read_text()), notebook


def execute(notebook: Any, folder: Path) -> None:
    """Run all cells in a folder; none may fail or warn."""
    NotebookClient(notebook, timeout=TIMEOUT_S, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":
                said = [line for line in output["text"].splitlines() if " - distributed." not in line]
                assert not said, f"cell {cell['id']} warns: {said}"  # but for a busy machine's slow worker


def n_figures(notebook: Any) -> int:
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs_and_without_secrets_of_a_machine(path: Path) -> None:
    notebook: Any = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
    assert notebook.cells[0]["source"].startswith(f"# {path.name[0]} ")


def test_there_are_four_and_the_page_names_them() -> None:
    assert [path.name[0] for path in NOTEBOOKS] == ["1", "2", "3", "4"]
    page = (NOTEBOOKS[0].parent / "README.md").read_text()
    assert all(path.name in page for path in NOTEBOOKS)


# The third asks for the demo as the first does, and would find it made.
@pytest.mark.parametrize("path", [NOTEBOOKS[0], NOTEBOOKS[1], NOTEBOOKS[3]], ids=lambda path: path.stem)
def test_a_notebook_makes_what_it_lacks_and_runs_from_top_to_bottom(
    path: Path, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it lies in a clone, where the first that needs it makes the demo, of some weeks, or of one year."""
    for name in ("GLACIOLAKE_STORE", "GLACIOLAKE_SCENES"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("GLACIOLAKE_DEMO", f"--lakes {LAKE} --start 2024-07-03 --end 2024-08-16")
    monkeypatch.setenv("GLACIOLAKE_YEARS", "2024")
    notebook: Any = nbformat.read(path, as_version=4)
    execute(notebook, clone / "notebooks")
    made = {"2": "ten-years", "4": "lakes-with-dark-water-1"}.get(path.name[0], "lakes")
    store = glaciolake.open_store(str(clone / "demo" / f"{made}.icechunk"))
    assert store.lakes == {LAKE: list(TRACKS)}
    assert set(store.to_dataframe()["generations"]) == {2 if path.name[0] == "4" else 1}
    assert n_figures(notebook) >= 1


def test_1_opens_the_cube_and_shows_a_date_of_open_water(desk: Desk) -> None:
    code = "dict(crs=str(lake.rio.crs), n=lake.sizes['time'], shown=str(date.pass_id.item()), track=TRACK)"
    told, notebook = executed(1, desk, code)
    series = glaciolake.open_lake(str(desk.store), LAKE, told["track"])
    assert told["crs"] == "EPSG:32645" and told["n"] == series.sizes["time"]
    row = list(series["pass_id"].values).index(told["shown"])
    assert (int(series["flags"][row]) & 5) == 0 and np.isfinite(series["area_m2"][row])
    assert n_figures(notebook) == 2
    rendered = [output for cell in notebook.cells for output in cell.get("outputs", ()) if "data" in output]
    assert any("application/vnd.holoviews_exec.v0+json" in output["data"] for output in rendered)


def test_2_gives_the_trend_of_every_track_by_itself(desk: Desk) -> None:
    code = "{track: [one.slope_m2_per_year, one.p_value, len(one.years)] for track, one in trends.items()}"
    told, notebook = executed(2, desk, code)
    table = glaciolake.area_series(str(desk.store), LAKE)
    assert set(told) == set(TRACKS)
    for track, (slope, p_value, n_years) in told.items():
        found = trend(table[table["track"] == track])
        assert isinstance(found, Trend) and n_years == len(found.years) == MIN_YEARS
        assert (slope, p_value) == pytest.approx((found.slope_m2_per_year, found.p_value))
    said = "".join(
        o["text"] for c in notebook.cells for o in c.get("outputs", ()) if o.get("name") == "stdout"
    )
    assert all(f"{track}: " in said for track in TRACKS) and "6 summers" in said
    assert n_figures(notebook) == 3


def test_3_maps_its_own_step_over_the_archive_and_a_cluster_changes_nothing(desk: Desk) -> None:
    code = "{key[1]: [x if x == x else None for x in one.values.tolist()] for key, one in found.items()}"
    told, notebook = executed(3, desk, code)
    assert set(told) == set(TRACKS)
    for track in TRACKS:
        series = glaciolake.open_lake(str(desk.store), LAKE, track)
        values = np.array(told[track], dtype=float)
        assert len(values) == series.sizes["time"]
        assert (
            np.nanmedian(values[(series["flags"].values & 5) == 0]) > 4
        )  # water is darker than its shore, dB
    assert n_figures(notebook) == 1


def test_4_compares_two_networks_slice_by_slice_and_leaves_the_store_alone(desk: Desk) -> None:
    before = {path: path.stat().st_mtime_ns for path in desk.store.rglob("*") if path.is_file()}
    code = "dict(names=NAMES, slices=json.loads(slices.to_json(orient='records')))"
    told, notebook = executed(4, desk, code)
    assert {path: path.stat().st_mtime_ns for path in desk.store.rglob("*") if path.is_file()} == before
    assert told["names"] == [DEFAULT_MODEL, "dark-water-1"]
    for track in TRACKS:
        rows = [row for row in told["slices"] if row["track"] == track]
        series = glaciolake.open_lake(str(desk.store), LAKE, track)
        series = series.isel(time=series["time.year"] == LAST[0].year)
        assert len(rows) == series.sizes["time"] > 4
        for row, area_m2 in zip(rows, series["area_m2"].values, strict=True):
            if row["old_km2"] is None or row["new_km2"] is None:
                continue
            assert row["old_km2"] == pytest.approx(area_m2 / 1e6)
            assert row["difference_percent"] == pytest.approx(100 * (row["new_km2"] / row["old_km2"] - 1))
            assert 0 <= row["iou"] <= 1
        assert any(row["iou"] is not None and row["iou"] < 0.999 for row in rows)  # they do differ
    assert n_figures(notebook) == 2
