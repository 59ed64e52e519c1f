"""Area is what was seen; unknown is neither water nor land."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from shapely.geometry import Point

from glaciolake.catalog.variables import Flag, Surface
from glaciolake.pipeline.lakes import (
    LakeRules,
    Target,
    frozen_season,
    measure,
    measure_slice,
    outline_sigma_m2,
    perimeter_m,
)
from glaciolake.pipeline.outline import beyond_px, outline_mask

SPACING_M = 30.0


def disc(radius_px: float, size: int = 60, at: tuple[float, float] = (30, 30)) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return np.asarray((rows - at[0]) ** 2 + (columns - at[1]) ** 2 <= radius_px**2)


def target(outline: np.ndarray, **rules: float) -> Target:
    return Target(outline, SPACING_M, 0.5, LakeRules(**rules))  # type: ignore[arg-type]


NO_SHADOW = np.zeros((60, 60), bool)


def probability(water: np.ndarray) -> np.ndarray:
    return np.where(water, 0.9, 0.1).astype(np.float32)


def test_a_fully_seen_lake_has_its_pixels_area_and_equal_bounds() -> None:
    lake = disc(10)
    found = measure_slice(probability(lake), NO_SHADOW, target(lake))
    assert found.area_m2 == lake.sum() * SPACING_M**2
    assert found.area_lower_m2 == found.area_upper_m2 == found.area_m2
    assert found.valid_fraction == 1
    assert found.flags == 0


def test_water_that_does_not_reach_the_outline_is_another_lake() -> None:
    lake, pond = disc(8), disc(3, at=(8, 8))
    found = measure_slice(probability(lake | pond), NO_SHADOW, target(lake))
    assert found.area_m2 == lake.sum() * SPACING_M**2
    assert (found.surface[pond] == Surface.OTHER_WATER).all()


def test_growth_beyond_the_reference_outline_counts() -> None:
    found = measure_slice(probability(disc(14)), NO_SHADOW, target(disc(10)))
    assert found.area_m2 == disc(14).sum() * SPACING_M**2


def test_a_lake_mostly_unseen_has_no_area_and_wide_bounds() -> None:
    lake = disc(10)
    seen = probability(lake)
    seen[:, 25:] = np.nan
    found = measure_slice(seen, NO_SHADOW, target(lake))
    assert np.isnan(found.area_m2) and np.isnan(found.area_sigma_m2)
    assert found.flags & Flag.INCOMPLETE
    assert found.area_lower_m2 == (lake[:, :25]).sum() * SPACING_M**2
    assert found.area_upper_m2 == lake.sum() * SPACING_M**2
    assert (found.surface[:, 25:] == Surface.UNKNOWN).all()


def test_a_lake_seen_dry_has_zero_area_not_nan() -> None:
    found = measure_slice(probability(np.zeros_like(NO_SHADOW)), NO_SHADOW, target(disc(10)))
    assert found.area_m2 == 0
    assert found.flags == 0


def test_terrain_shadow_is_told_from_missing_data() -> None:
    lake = disc(10)
    hidden = lake & (np.arange(60)[None, :] > 35)
    seen = probability(lake)
    seen[hidden] = np.nan
    shadowed = measure_slice(seen, hidden, target(lake))
    missing = measure_slice(seen, NO_SHADOW, target(lake))
    assert shadowed.flags & Flag.SHADOWED and not shadowed.flags & Flag.INCOMPLETE
    assert missing.flags & Flag.INCOMPLETE and not missing.flags & Flag.SHADOWED
    assert shadowed.area_m2 == missing.area_m2 == (lake & ~hidden).sum() * SPACING_M**2


def test_a_lake_cut_by_the_rim_is_flagged() -> None:
    lake = disc(10, at=(5, 30))
    assert measure_slice(probability(lake), NO_SHADOW, target(lake)).flags & Flag.TOUCHES_EDGE


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), hide=st.floats(0, 1))
def test_bounds_hold_whatever_is_hidden(seed: int, hide: float) -> None:
    rng = np.random.default_rng(seed)
    lake = disc(10)
    seen = probability(lake)
    seen[rng.random(seen.shape) < hide] = np.nan
    found = measure_slice(seen, NO_SHADOW, target(lake))
    true_m2 = lake.sum() * SPACING_M**2
    assert found.area_lower_m2 <= true_m2 <= found.area_upper_m2
    assert np.isnan(found.area_m2) == (found.valid_fraction < 0.5)


def test_the_shore_of_a_disc_is_its_circumference() -> None:
    assert perimeter_m(disc(25), SPACING_M) == pytest.approx(2 * np.pi * 25.5 * SPACING_M, rel=0.03)


def test_outline_sigma_of_tsho_rolpa_lies_in_the_published_range() -> None:
    """The paper's lakes have 3.6 to 7.0 % at 30 m; a disc is the most compact and lies below."""
    lake = disc(22.6)  # 1.44 km2
    share = outline_sigma_m2(lake, SPACING_M) / (lake.sum() * SPACING_M**2)
    assert 0.02 < share < 0.036


def test_the_frozen_season_is_a_calendar_of_high_lakes() -> None:
    times = np.array(["2020-01-15", "2020-05-31", "2020-06-01", "2020-12-01"], "datetime64[s]")
    assert frozen_season(times, 4580, LakeRules()).tolist() == [True, True, False, True]
    assert not frozen_season(times, 500, LakeRules()).any()


def test_the_step_stays_lazy_and_chunks_do_not_show() -> None:
    rng = np.random.default_rng(1)
    stack = rng.random((5, 60, 60), dtype=np.float32)
    stack[rng.random(stack.shape) < 0.1] = np.nan
    dims, outline = ("time", "y", "x"), disc(12)
    whole = measure(
        xr.DataArray(stack, dims=dims), xr.DataArray(np.zeros(stack.shape, bool), dims=dims), target(outline)
    )

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a step computed")

    with dask.config.set(scheduler=refuse):
        lazy = measure(
            xr.DataArray(stack, dims=dims).chunk(time=2),
            xr.DataArray(np.zeros(stack.shape, bool), dims=dims).chunk(time=2),
            target(outline),
        )
    xr.testing.assert_identical(whole, lazy.compute())


def test_the_outline_falls_on_the_pixels_of_the_grid() -> None:
    grid = GeoBox((100, 100), Affine(30, 0, 447000, 0, -30, 3084000), "EPSG:32645")
    centre = grid.extent.to_crs("EPSG:4326").geom.centroid
    mask = outline_mask(Point(centre.x, centre.y).buffer(0.005), grid)
    rows, columns = np.nonzero(mask)
    assert abs(rows.mean() - 49.5) < 1 and abs(columns.mean() - 49.5) < 1
    # a circle of 0.005 degrees at 27.87 N is 553 m by 492 m
    assert mask.sum() * 900 == pytest.approx(np.pi * 553 * 492, rel=0.03)


def test_what_lies_beyond_the_grid_was_not_seen() -> None:
    whole = GeoBox((100, 100), Affine(30, 0, 447000, 0, -30, 3084000), "EPSG:32645")
    centre = whole.extent.to_crs("EPSG:4326").geom.centroid
    outline = Point(centre.x, centre.y).buffer(0.005)
    half = whole[:, :50]
    assert beyond_px(outline, whole) == 0
    inside = outline_mask(outline, half)
    n_beyond = beyond_px(outline, half)
    assert n_beyond == outline_mask(outline, whole).sum() - inside.sum() > 400
    cut = Target(inside, SPACING_M, 0.5, LakeRules(), n_beyond)
    found = measure_slice(probability(inside), np.zeros(inside.shape, bool), cut)
    assert found.valid_fraction == pytest.approx(0.5, abs=0.05)
    assert found.flags & Flag.INCOMPLETE
    assert found.area_upper_m2 - found.area_lower_m2 == n_beyond * SPACING_M**2


def test_a_lake_of_unknown_height_is_flagged_by_the_calendar() -> None:
    times = np.array(["2020-01-15", "2020-07-15"], "datetime64[s]")
    assert frozen_season(times, np.nan, LakeRules()).tolist() == [True, False]
