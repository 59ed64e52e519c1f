"""From files to a store: complete, repeatable, and unmoved by what is broken."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr

from glaciolake.catalog.errors import CatalogError, StoreError
from glaciolake.catalog.folder import FolderSource
from glaciolake.catalog.static_catalog import build
from glaciolake.catalog.store import Store
from glaciolake.catalog.variables import VARIABLES
from glaciolake.models import predict
from glaciolake.pipeline.config import RunConfig, load_config
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.run import Summary, run
from tests.pipeline.chain import (
    FIRST,
    lake_power,
    settings,
    true_area_m2,
    write_dates,
    write_network,
)
from tests.pipeline.scenes import write_granule

TRACK = "T121"
LAKE = "test-tsho"


@pytest.fixture
def config(tmp_path: Path, scheduler: str) -> RunConfig:
    return settings(tmp_path, write_network(tmp_path / "dark.onnx"), scheduler)


def archive(config: RunConfig) -> Path:
    return Path(config.source)


def stored(config: RunConfig) -> xr.Dataset:
    return Store.open(config.store).read(LAKE, TRACK).load()


def snapshot(config: RunConfig) -> set[tuple[str, int]]:
    """Every file of the store with its time of change."""
    return {(str(path), path.stat().st_mtime_ns) for path in Path(config.store).rglob("*") if path.is_file()}


def test_the_area_of_every_pass_is_the_lakes_true_area(config: RunConfig) -> None:
    write_dates(archive(config), 7)
    summary = run(config)
    assert summary.complete and summary.counts[0].n_new == 7
    series = stored(config)
    truth = [true_area_m2(index) for index in range(7)]
    # the filter blurs the shore: within one pixel of it, at 0.02 of the area
    np.testing.assert_allclose(series.area_m2.values, truth, rtol=0.02)
    assert (series.valid_fraction == 1).all()
    assert (series.flags == 0).sum() > 0
    assert series.gamma0_vv_db.median() == pytest.approx(-10, abs=0.3)
    assert "OPERA_L2_RTC-S1_T121-258662-IW2_20210703" in str(series.granules.values[0])


def test_a_repeated_run_writes_nothing(config: RunConfig) -> None:
    write_dates(archive(config), 4)
    run(config)
    before = snapshot(config)
    summary = run(config)
    assert (summary.counts[0].n_new, summary.counts[0].n_kept) == (0, 4)
    assert snapshot(config) == before


def test_late_slices_join_in_time_order_and_give_the_store_of_one_run(
    config: RunConfig, tmp_path: Path
) -> None:
    granules = write_dates(archive(config), 7)
    aside = tmp_path / "late"
    aside.mkdir()
    late = [Path(granule.href("vv") or "") for granule in (granules[1], granules[4])]
    for path in late:
        shutil.move(path, aside / path.name)
    run(config)
    for path in late:
        shutil.move(aside / path.name, path)
    assert run(config).counts[0].n_new == 2
    once = config.model_copy(update={"store": str(tmp_path / "once.icechunk")})
    run(once)
    xr.testing.assert_identical(stored(config), stored(once))


def test_a_reprocessed_granule_replaces_its_slice_and_no_other(config: RunConfig) -> None:
    write_dates(archive(config), 3)
    run(config)
    before = stored(config)
    old = next(archive(config).glob("*_20210715T*_VV.tif"))
    renamed = old.name.replace("20210715T120000Z", "20210901T120000Z")
    write_granule(
        archive(config), FIRST.replace(day=15), {"vv": lake_power(99, 10.0)}
    )  # other values, same name
    old.rename(archive(config) / renamed)
    shutil.copy(archive(config) / renamed, old)
    summary = run(config)
    assert (summary.counts[0].n_new, summary.n_superseded) == (1, 1)
    after = stored(config)
    assert renamed.removesuffix("_VV.tif") in str(after.granules.values[1])
    assert after.area_m2[1] < 0.6 * before.area_m2[1]
    derived = [one.name for one in VARIABLES if one.derived]  # told from all slices, so they may follow
    after, before = (one.drop_vars(derived, errors="ignore").isel(time=[0, 2]) for one in (after, before))
    xr.testing.assert_identical(after, before)


def test_the_network_is_opened_once_a_process_however_many_pieces_and_threads(config: RunConfig) -> None:
    write_dates(archive(config), 8)
    before = predict._load_once.cache_info()  # the workers are threads of this process
    run(config.model_copy(update={"slices_per_piece": 1}))
    after = predict._load_once.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 7)


BROKEN = ["missing", "truncated", "empty", "html", "all NaN", "all zero", "wrong CRS"]


def break_file(path: Path, how: str) -> None:
    pixels = lake_power(0)
    if how == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "html":
        path.write_text("<html><title>Earthdata Login</title></html>")
    elif how in ("all NaN", "all zero"):
        write_granule(path.parent, FIRST, {"vv": pixels * (np.nan if how == "all NaN" else 0)})
    elif how == "wrong CRS":
        write_granule(path.parent, FIRST, {"vv": pixels}, crs="EPSG:32644")


@pytest.mark.parametrize("backend", ["odc", "stackstac"])
def test_other_readers_lose_only_the_broken_pass_as_well(
    config: RunConfig, backend: str, tmp_path: Path
) -> None:
    granules = write_dates(archive(config), 4)
    build(FolderSource(archive(config)), tmp_path / "catalogue")
    break_file(Path(granules[1].href("vv") or ""), "truncated")
    source = str(tmp_path / "catalogue" / "catalog.json")
    summary = run(config.model_copy(update={"source": source, "backend": backend}))
    assert list(summary.failed) == [f"{LAKE}/{TRACK}/T121_S1A_20210715"]
    assert stored(config).sizes["time"] == 3


@pytest.mark.parametrize("how", BROKEN[1:])
def test_a_broken_file_is_reported_and_the_rest_goes_on(config: RunConfig, how: str) -> None:
    granules = write_dates(archive(config), 5)
    path = Path(granules[0].href("vv") or "")
    break_file(path, how)
    summary = run(config)
    assert not summary.complete
    problems = summary.failed | summary.refused
    assert any(granules[0].name in name + reason for name, reason in problems.items()), problems
    series = stored(config)
    assert series.sizes["time"] == 4
    assert not np.isnan(series.area_m2).any()
    write_granule(path.parent, FIRST, {"vv": lake_power(0)})
    os.utime(path)
    if how in ("truncated", "empty", "html", "wrong CRS"):
        assert run(config).complete
        assert stored(config).sizes["time"] == 5
        assert Store.open(config.store).quarantine() == {}


def test_a_catalogue_entry_whose_file_is_gone_is_quarantined_with_its_name(
    config: RunConfig, tmp_path: Path
) -> None:
    granules = write_dates(archive(config), 4)
    build(FolderSource(archive(config)), tmp_path / "catalogue")
    Path(granules[2].href("vv") or "").unlink()
    summary = run(config.model_copy(update={"source": str(tmp_path / "catalogue" / "catalog.json")}))
    assert list(summary.failed) == [f"{LAKE}/{TRACK}/T121_S1A_20210727"]
    assert granules[2].name in next(iter(summary.failed.values()))
    quarantine = Store.open(config.store).quarantine()
    assert quarantine[f"{LAKE}/{TRACK}/T121_S1A_20210727"]["kind"] == "unreadable"
    assert stored(config).sizes["time"] == 3


def test_known_empty_passes_are_not_read_again_and_do_not_alarm_twice(config: RunConfig) -> None:
    write_dates(archive(config), 2)
    write_granule(archive(config), FIRST, {"vv": lake_power(0) * 0})
    assert not run(config).complete
    again = run(config)
    assert again.complete
    assert again.counts[0].n_empty == 1


def test_a_folder_without_scenes_is_an_error_that_says_what_was_expected(config: RunConfig) -> None:
    (archive(config) / "notes.tif").write_bytes(b"not a scene")
    with pytest.raises(CatalogError, match="files of other names; expected OPERA"):
        run(config)


def test_dates_without_scenes_are_an_error_not_an_empty_result(config: RunConfig) -> None:
    write_dates(archive(config), 2)
    years = config.model_copy(
        update={"start": FIRST.date().replace(year=2018), "end": FIRST.date().replace(year=2019)}
    )
    with pytest.raises(PipelineError, match="no usable scene over test-tsho from 2018"):
        run(years)


def test_other_settings_into_the_same_store_are_refused_before_any_work(config: RunConfig) -> None:
    write_dates(archive(config), 2)
    run(config)
    before = stored(config)
    other = load_config(None, {**config.model_dump(), "despeckle": {"method": "none"}})
    told: list[int] = []
    with pytest.raises(StoreError, match=r"was made with settings.*despeckle\.method"):
        run(other, lambda done, total: told.append(total))
    assert told == []
    xr.testing.assert_identical(stored(config), before)


def test_progress_counts_every_slice_once(config: RunConfig) -> None:
    write_dates(archive(config), 5)
    seen: list[tuple[int, int]] = []
    run(config, lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, 5) and seen[-1] == (5, 5)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize("commit", [1, 2, 100])
def test_batching_does_not_show(config: RunConfig, commit: int, tmp_path: Path) -> None:
    write_dates(archive(config), 5)
    run(config)
    sizes = {"slices_per_piece": 1, "slices_per_commit": commit}
    one = config.model_copy(update={**sizes, "store": str(tmp_path / "one")})
    run(one)
    xr.testing.assert_identical(stored(config), stored(one))


def test_filling_in_the_past_of_a_series_does_not_write_it_again_and_again(config: RunConfig) -> None:
    write_dates(archive(config), 40)
    one_by_one = {"slices_per_piece": 1, "slices_per_commit": 1}
    recent = config.model_copy(update={**one_by_one, "start": FIRST.date() + timedelta(days=12 * 20)})
    run(recent)
    size = sum(path.stat().st_size for path in Path(config.store).rglob("*"))
    run(config.model_copy(update=one_by_one))
    assert stored(config).sizes["time"] == 40
    assert sum(path.stat().st_size for path in Path(config.store).rglob("*")) < 4 * size


CODE = """
import sys
from pathlib import Path
from glaciolake.pipeline.config import load_config
from glaciolake.pipeline.run import run
if __name__ == "__main__":
    config = load_config(Path(sys.argv[1]), {})
    run(config, lambda done, total: print(done, flush=True))
"""


def test_a_killed_run_is_resumed_to_the_store_of_an_undisturbed_one(
    config: RunConfig, tmp_path: Path
) -> None:
    from glaciolake.pipeline.config import commented_yaml

    write_dates(archive(config), 12)
    settings = config.model_copy(update={"slices_per_piece": 1, "slices_per_commit": 1})
    (tmp_path / "run.yaml").write_text(commented_yaml(settings))
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(tmp_path / "run.yaml")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 4:
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    time.sleep(0.1)
    survived = stored(settings).sizes["time"]
    assert 1 <= survived < 12
    summary: Summary = run(settings)
    assert summary.counts[0].n_kept == survived and summary.counts[0].n_new == 12 - survived
    once = settings.model_copy(update={"store": str(tmp_path / "once")})
    run(once)
    xr.testing.assert_identical(stored(settings), stored(once))


def test_work_split_between_cpu_and_gpu_workers_gives_the_same_store(
    config: RunConfig, tmp_path: Path
) -> None:
    """The resource GPU decides where the network runs; here it is a label and the engine runs on the CPU."""
    write_dates(archive(config), 5)
    run(config)
    place = {"gpu": True, "n_workers": 1, "n_gpu_workers": 1}
    split = load_config(
        None, {**config.model_dump(), "cluster": place, "store": str(tmp_path / "split.icechunk")}
    )
    assert run(split).complete
    xr.testing.assert_identical(stored(config), stored(split))


def test_a_series_of_simulated_scenes_says_so_in_the_store(config: RunConfig) -> None:
    for granule in write_dates(archive(config), 2):
        with rasterio.open(granule.href("vv") or "", "r+") as file:
            file.update_tags(INSTITUTION="glaciolake (simulated)")
    run(config)
    assert stored(config).attrs["source"] == "simulated scenes, not the real lake"
