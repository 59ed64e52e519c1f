"""Half a view never replaces a whole one, and a pass is a slice whatever the calendar says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from glaciolake.catalog.granule import Granule
from glaciolake.catalog.store import Store
from glaciolake.pipeline.config import RunConfig
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.run import run
from tests.pipeline.chain import FIRST, SHAPE, lake_power, true_area_m2, write_dates
from tests.pipeline.scenes import granule, write_granule
from tests.pipeline.test_run import LAKE, TRACK, archive, config, stored

__all__ = ["config"]  # a fixture

SPLIT = 70
NEIGHBOUR = "T121-258661-IW2"


def write_two_bursts(folder: Path, start: datetime = FIRST, later_s: float = 2.7) -> tuple[Granule, Granule]:
    """Write one pass as two bursts that meet in the middle of the lake."""
    pixels = lake_power(0)
    upper = write_granule(folder, start, {"vv": pixels[:SPLIT]}, burst=NEIGHBOUR)
    lower = write_granule(
        folder, start + timedelta(seconds=later_s), {"vv": pixels[SPLIT - 4 :]}, shift_px=(SPLIT - 4, 0)
    )
    return upper, lower


def path_of(one: Granule) -> Path:
    return Path(one.href("vv") or "")


def test_bursts_of_one_pass_make_one_whole_slice(config: RunConfig) -> None:
    write_two_bursts(archive(config))
    run(config)
    series = stored(config)
    assert series.sizes["time"] == 1
    assert float(series.area_m2[0]) == pytest.approx(true_area_m2(0), rel=0.03)


@pytest.mark.parametrize("how", ["truncated", "deleted"])
def test_a_burst_that_breaks_later_leaves_the_stored_slice_whole(config: RunConfig, how: str) -> None:
    write_dates(archive(config), 1, first=3)
    upper, _ = write_two_bursts(archive(config))
    run(config)
    before = stored(config)
    path = path_of(upper)
    path.unlink() if how == "deleted" else path.write_bytes(path.read_bytes()[:200])
    summary = run(config)
    assert not summary.complete
    assert any("T121_S1A_20210703" in name for name in summary.failed), summary.failed
    xr.testing.assert_identical(stored(config), before)


def test_a_pass_with_a_broken_burst_waits_instead_of_shrinking(config: RunConfig) -> None:
    write_dates(archive(config), 1, first=3)
    upper, _ = write_two_bursts(archive(config))
    write_two_bursts(
        archive(config), FIRST + timedelta(days=12)
    )  # both bursts are known to lie over the lake
    whole = path_of(upper).read_bytes()
    path_of(upper).write_bytes(whole[:200])
    assert not run(config).complete
    assert len(Store.open(config.store).versions(LAKE, TRACK)) == 2
    path_of(upper).write_bytes(whole)
    assert run(config).complete
    assert Store.open(config.store).quarantine() == {}
    assert (stored(config).valid_fraction == 1).all()


def test_a_start_between_the_bursts_of_a_pass_does_not_cut_it(config: RunConfig) -> None:
    night = datetime(2021, 7, 3, 23, 59, 58, tzinfo=UTC)
    write_two_bursts(archive(config), night, later_s=4)
    day = night.date() + timedelta(days=1)  # of the second burst by UTC, of both by the sun over Nepal
    run(config.model_copy(update={"start": day}))
    assert (stored(config).valid_fraction == 1).all()
    with pytest.raises(PipelineError, match="no usable scene"):
        run(config.model_copy(update={"end": night.date(), "start": night.date() - timedelta(days=9)}))


def test_an_older_processing_never_replaces_a_newer_one(config: RunConfig) -> None:
    (new,) = write_dates(archive(config), 1)
    run(config)
    before = stored(config)
    old = path_of(new).with_name(path_of(new).name.replace("T120000Z_S1A", "T090000Z_S1A"))
    write_granule(archive(config), FIRST, {"vv": lake_power(5, 9.0)})
    path_of(new).rename(old)
    summary = run(config)
    assert not summary.complete and "no longer offers" in next(iter(summary.failed.values()))
    xr.testing.assert_identical(stored(config), before)


def test_a_mask_that_arrives_later_makes_a_new_version(config: RunConfig) -> None:
    (one,) = write_dates(archive(config), 1)
    run(config)
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, :70] = 1  # shadow over half the lake
    write_granule(archive(config), FIRST, {"vv": lake_power(0), "mask": mask})
    assert run(config).counts[0].n_new == 1
    assert float(stored(config).valid_fraction[0]) < 0.6
    assert one.version_digest != replace(one, hrefs=(*one.hrefs, ("mask", "m.tif"))).version_digest


def test_data_that_was_empty_enters_once_it_is_there(config: RunConfig) -> None:
    write_dates(archive(config), 1, first=1)
    write_granule(archive(config), FIRST, {"vv": lake_power(0) * 0})
    assert not run(config).complete
    again = run(config)
    assert again.complete and again.counts[0].n_empty == 1
    write_granule(archive(config), FIRST, {"vv": lake_power(0)})
    assert run(config).counts[0].n_new == 1
    assert stored(config).sizes["time"] == 2


def test_a_lake_without_any_scene_is_named_and_the_others_go_on(config: RunConfig, tmp_path: Path) -> None:
    import json

    write_dates(archive(config), 2)
    path = tmp_path / "lakes.geojson"
    lakes = json.loads(path.read_text())
    far = json.loads(json.dumps(lakes["features"][0]))
    far["properties"] |= {"id": "far", "name": "Far"}
    far["geometry"]["coordinates"] = [[[x + 1.0, y] for x, y in far["geometry"]["coordinates"][0]]]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [*lakes["features"], far]}))
    summary = run(config.model_copy(update={"lakes": ("far", LAKE)}))
    assert not summary.complete
    assert "no usable scene over far" in summary.failed["far"]
    assert stored(config).sizes["time"] == 2


def test_a_granule_of_the_same_burst_made_later_comes_first() -> None:
    from glaciolake.pipeline.passes import group_passes

    old = granule(FIRST)
    new = replace(old, name=old.name + "x", created=FIRST + timedelta(days=90))
    (one,) = group_passes([old, new], 86.5)
    assert one.granules == (new, old)
