"""The grid: the granules' own lattice, cut to the AOI, and nothing but whole pixels."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geom import box
from shapely.geometry import Polygon

from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.grid import common_lattice, native_grid, on_lattice, position_px, series_grid
from tests.pipeline.scenes import CRS, ORIGIN_M, granule

START = datetime(2024, 1, 4, tzinfo=UTC)
HYP3_ORIGIN_M = (447023.37910129636, 3083214.0273821335)  # the crop of Tsho Rolpa, as it came


def aoi(left: float, bottom: float, right: float, top: float, crs: str = CRS) -> Polygon:
    """Lon/lat polygon around a box in metres."""
    return Polygon(box(left, bottom, right, top, crs).to_crs("EPSG:4326").exterior.coords)


def inside_m(margin_m: float) -> Polygon:
    """AOI well inside the burst at the origin."""
    x, y = ORIGIN_M
    return aoi(x + margin_m, y - 6000 + margin_m, x + 9000 - margin_m, y - margin_m)


def test_the_grid_lies_on_the_lattice_and_covers_the_aoi_by_less_than_two_pixels() -> None:
    x, y = ORIGIN_M
    grid = native_grid([granule(START)], aoi(x + 1005, y - 4000, x + 7000, y - 1000))
    assert (grid.affine.c - x) % 30 == 0
    assert (y - grid.affine.f) % 30 == 0
    bounds = grid.boundingbox
    assert x + 945 <= bounds.left <= x + 1005
    assert x + 7000 <= bounds.right <= x + 7060
    assert y - 4060 <= bounds.bottom <= y - 4000
    assert y - 1000 <= bounds.top <= y - 940


def test_an_aoi_larger_than_a_crop_gives_the_crop_bit_for_bit() -> None:
    x, y = HYP3_ORIGIN_M
    crop = granule(START, transform=Affine(20, 0, x, 0, -20, y), shape=(135, 144))
    grid = native_grid([crop], aoi(x - 3000, y - 9000, x + 9000, y + 3000))
    assert grid.shape == (135, 144)
    assert tuple(grid.affine)[:6] == crop.transform


def test_more_dates_of_the_same_burst_never_change_the_grid() -> None:
    granules = [granule(START + timedelta(days=12 * number)) for number in range(20)]
    grids = {native_grid(granules[:number], inside_m(200.0)) for number in (1, 2, 10, 20)}
    assert len(grids) == 1
    shuffled = random.Random(2).sample(granules, len(granules))
    assert native_grid(shuffled, inside_m(200.0)) in grids


def test_the_grid_spans_bursts_and_ignores_those_that_miss_the_aoi() -> None:
    x, y = ORIGIN_M
    south = granule(START, burst="T121-258663-IW2", transform=Affine(30, 0, x + 300, 0, -30, y - 4500))
    far = granule(START, burst="T121-258670-IW2", transform=Affine(30, 0, x, 0, -30, y - 60_000))
    wanted = aoi(x + 600, y - 9000, x + 6000, y - 1000)
    both = native_grid([granule(START), south, far], wanted)
    assert both.boundingbox.bottom < y - 6000
    assert both == native_grid([granule(START), south], wanted)


def test_an_aoi_outside_says_where_both_are() -> None:
    x, y = ORIGIN_M
    with pytest.raises(PipelineError, match=r"AOI \[4[0-9 ]+\] lies outside the 1 footprint\(s\) \[460020 "):
        native_grid([granule(START)], aoi(x - 9000, y - 9000, x - 6000, y - 7000))


def test_no_granules_is_an_error() -> None:
    with pytest.raises(PipelineError, match="no granules"):
        native_grid([], inside_m(0.0))


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"crs": "EPSG:32644"}, "EPSG:32644"),
        ({"transform": Affine(30, 0, ORIGIN_M[0] + 0.1, 0, -30, ORIGIN_M[1])}, "phase 0.100"),
        ({"transform": Affine(20, 0, ORIGIN_M[0], 0, -20, ORIGIN_M[1])}, "20 x 20 m"),
        ({"transform": Affine(30, 1, ORIGIN_M[0], 1, -30, ORIGIN_M[1])}, "rotated"),
        ({"transform": Affine(30, 0, ORIGIN_M[0], 0, 30, ORIGIN_M[1])}, "30 x -30 m"),
    ],
)
def test_a_granule_of_another_lattice_is_refused_by_name_and_the_rest_is_kept(
    odd: dict[str, object], said: str
) -> None:
    good = [granule(START + timedelta(days=12 * number)) for number in range(3)]
    bad = granule(START - timedelta(days=12), **odd)  # type: ignore[arg-type]
    kept, refused = common_lattice([bad, *good])
    assert kept == good
    assert [one.name for one in refused] == [bad.name]
    assert said in refused[0].reason
    with pytest.raises(PipelineError, match=bad.name):
        native_grid([bad, *good], inside_m(0.0))


def test_of_two_equally_common_lattices_the_earlier_wins_in_any_order() -> None:
    early, late = granule(START), granule(START + timedelta(days=12), crs="EPSG:32644")
    assert common_lattice([early, late])[0] == common_lattice([late, early])[0] == [early]


def test_the_grid_of_a_store_decides_against_the_majority() -> None:
    old = granule(START)
    grid = native_grid([old], inside_m(200.0))
    newer = [granule(START + timedelta(days=12 * number), crs="EPSG:32644") for number in (1, 2, 3)]
    kept, refused = common_lattice([old, *newer], grid)
    assert kept == [old]
    assert len(refused) == 3
    assert "EPSG:32645" in refused[0].reason


@settings(max_examples=50, deadline=None)
@given(rows=st.integers(-300, 300), cols=st.integers(-300, 300), noise_m=st.floats(-0.019, 0.019))
def test_positions_are_whole_pixels_whatever_the_float_noise(rows: int, cols: int, noise_m: float) -> None:
    x, y = HYP3_ORIGIN_M
    here = granule(START, transform=Affine(20, 0, x, 0, -20, y), shape=(135, 144))
    grid = native_grid([here], aoi(x - 100, y - 3000, x + 3000, y + 100))
    moved = Affine(20, 0, x + 20 * cols + noise_m, 0, -20, y - 20 * rows)
    there = granule(START, transform=moved, shape=(50, 60))
    assert on_lattice(there, grid)
    assert position_px(there, grid) == (rows, cols)


def test_a_granule_off_the_lattice_has_no_position() -> None:
    grid = native_grid([granule(START)], inside_m(200.0))
    off = granule(START, transform=Affine(30, 0, ORIGIN_M[0] + 15, 0, -30, ORIGIN_M[1]))
    with pytest.raises(PipelineError, match=off.name):
        position_px(off, grid)


def test_real_crops_keep_their_fractional_origin(shared_data: Path) -> None:
    folder = shared_data / "himalaya_hyp3_rtc20"
    for file in ("tshoRolpa", "chamlangTsho", "gokyoTsho", "imjaTsho"):
        with rasterio.open(next((folder / file).glob("*.tif"))) as crop:
            transform, shape = crop.transform, crop.shape
        here = granule(START, transform=transform, shape=shape)
        x, y = transform.c, transform.f
        grid = native_grid([here], aoi(x - 500, y - 9000, x + 9000, y + 500))
        assert tuple(grid.affine)[:6] == tuple(transform)[:6]


def test_the_grid_of_a_series_of_bursts_does_not_depend_on_which_came_first() -> None:
    x, y = ORIGIN_M
    wanted = aoi(x + 1000, y - 9000, x + 3000, y - 1000)
    first, neighbour = granule(START), granule(START, transform=Affine(30, 0, x, 0, -30, y - 5400))
    grids = {series_grid(found, wanted) for found in ([first], [neighbour], [first, neighbour])}
    assert len(grids) == 1
    assert grids.pop().shape[0] >= 8000 / 30


def test_the_grid_of_a_cropped_scene_ends_with_the_crop() -> None:
    x, y = ORIGIN_M
    crop = granule(START, burst=None)
    everywhere = aoi(x - 3000, y - 9000, x + 12000, y + 3000)
    assert series_grid([crop], everywhere) == native_grid([crop], everywhere)
