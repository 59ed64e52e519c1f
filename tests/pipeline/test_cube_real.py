"""The cube on real input, where it is present."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from shapely.geometry import Polygon

from glaciolake.catalog.folder import FolderSource
from glaciolake.catalog.granule import Granule
from glaciolake.catalog.items import granule_of
from glaciolake.catalog.request import Request
from glaciolake.pipeline.grid import common_lattice, native_grid
from glaciolake.pipeline.load import Backend, empty_slices, open_cube
from glaciolake.pipeline.mask import hide_invalid
from glaciolake.pipeline.passes import group_passes

CALIFORNIA = Polygon([(-125, 30), (-110, 30), (-110, 40), (-125, 40)])
HIMALAYA = Polygon([(80, 20), (95, 20), (95, 35), (80, 35)])
OCEAN = {"T137-292318-IW2", *(f"T137-{number}-IW1" for number in range(292318, 292325))}


def granules_of(folder: Path, year: int, months: int = 12) -> list[Granule]:
    """Granules of a folder, from January of a year."""
    start = datetime(year, 1, 1, tzinfo=UTC)
    end = datetime(year + 1, 1, 1, tzinfo=UTC) if months == 12 else datetime(year, 1 + months, 1, tzinfo=UTC)
    return [granule_of(item) for item in FolderSource(folder).find(Request(None, start, end)).items]


def median_db(power: xr.DataArray) -> float:
    """Median of the measured pixels, dB."""
    return float(10 * np.log10(power.where(power > 0).median()))


def test_ocean_is_dark_and_land_is_not(shared_data: Path) -> None:
    granules = granules_of(shared_data / "opera_rtc_t137", 2024, months=10)
    bursts = {granule.burst or "" for granule in granules}
    assert len(bursts) == 15
    vh_db = {}
    for burst in bursts:
        of_burst = [granule for granule in granules if granule.burst == burst]
        cube = open_cube(group_passes(of_burst, -119.0), native_grid(of_burst, CALIFORNIA))
        assert not empty_slices(cube).any()
        vh_db[burst] = median_db(hide_invalid(cube)["vh"].compute())
    assert max(vh_db[burst] for burst in OCEAN) < -26 < -25 < min(vh_db[burst] for burst in bursts - OCEAN)


def test_bursts_of_a_real_pass_lie_on_one_grid(shared_data: Path) -> None:
    granules = granules_of(shared_data / "opera_rtc_t137", 2021)
    passes = group_passes(granules, -119.0)
    assert {len(one.granules) for one in passes} == {15}
    grid = native_grid(granules, CALIFORNIA)
    assert tuple(grid.shape) == (4428, 3498)
    vv = open_cube(passes[:1], grid, bands=("vv",))["vv"]
    assert int(vv.notnull().sum()) == 15 * 100 * 100


@pytest.mark.parametrize("backend", ["odc", "stackstac"])
def test_the_readers_agree_on_real_crops(shared_data: Path, backend: Backend) -> None:
    granules = granules_of(shared_data / "himalaya_hyp3_rtc20" / "tshoRolpa", 2021)
    granules = [granule for granule in granules if granule.relative_orbit == 121]
    passes, grid = group_passes(granules, 86.5), native_grid(granules, HIMALAYA)
    assert tuple(grid.affine)[:6] == granules[0].transform
    ours, theirs = (open_cube(passes, grid, backend=one)["vv"].compute() for one in ("native", backend))
    assert 0.5 < float(ours.notnull().mean()) < 1
    np.testing.assert_array_equal(ours, theirs)


def test_tilicho_is_read_in_two_zones_one_a_track(shared_data: Path) -> None:
    granules = granules_of(shared_data / "himalaya_hyp3_rtc20" / "tilichoTsho", 2021)
    zones = {}
    for track in sorted({granule.relative_orbit for granule in granules}):
        of_track = [granule for granule in granules if granule.relative_orbit == track]
        kept, refused = common_lattice(of_track)
        assert not refused
        cube = open_cube(group_passes(kept, 83.85), native_grid(kept, HIMALAYA))
        assert not empty_slices(cube).any()
        zones[track] = int(cube["spatial_ref"])
    assert zones == {19: 32645, 92: 32644, 158: 32644}


def test_the_track_that_misses_chamlang_is_empty_in_every_slice(shared_data: Path) -> None:
    granules = granules_of(shared_data / "himalaya_hyp3_rtc20" / "chamlangTsho", 2021)
    empty = {}
    for track in (12, 85, 121):
        of_track = [granule for granule in granules if granule.relative_orbit == track]
        cube = open_cube(group_passes(of_track, 86.97), native_grid(of_track, HIMALAYA))
        empty[track] = set(empty_slices(cube).values.tolist())
    assert empty == {12: {False}, 85: {True}, 121: {False}}
