"""Areas that tracks share: by hand, on drawn lakes whose hidden part is known, and causal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from glaciolake.catalog.variables import Flag
from glaciolake.models.skill.intervals import REACH_PX
from glaciolake.pipeline.comparable import COMPARABLE, LEAST_DATES, WHOLE, comparable, usual_before
from glaciolake.pipeline.lakes import LakeRules, Target
from glaciolake.pipeline.unsure import area_unsure

OUTLINE_M2 = 1e6


def series(
    lake_m2: Any, *, found: float, masked: bool, hidden: float = 0.0, noise: float = 0.0
) -> xr.Dataset:
    """Slices of a lake of which a track finds the same share on every date, and terrain hides some of it."""
    lake = np.asarray(lake_m2, np.float64)
    area = lake * found * (1 - hidden) * np.exp(np.random.default_rng(0).normal(0, noise, len(lake)))
    seen = np.full(len(lake), 1 - hidden if masked else 1.0)
    wet = np.minimum(area / OUTLINE_M2, seen)
    values = {
        "area_m2": area,
        "valid_fraction": seen,
        "wet_fraction": wet,
        "flags": np.zeros(len(lake), np.uint8),
        "area_unsure_m2": np.full(len(lake), 1e4),
        "terrain_mask": np.full(len(lake), masked, np.uint8),
    }
    return xr.Dataset({name: ("time", row) for name, row in values.items()})


STEADY = np.full(8, OUTLINE_M2)


def test_tracks_with_masks_share_an_area() -> None:
    whole, half = (comparable(series(STEADY, found=WHOLE, masked=True, hidden=part)) for part in (0, 0.4))
    assert half["visible_fraction"][-1] == pytest.approx(0.6)
    np.testing.assert_allclose(half["area_corrected_m2"][LEAST_DATES:], WHOLE * OUTLINE_M2, rtol=1e-6)
    np.testing.assert_allclose(half["area_corrected_m2"], whole["area_corrected_m2"], rtol=1e-6)


@pytest.mark.parametrize("hidden", [0.1, 0.22, 0.4])
def test_without_masks_the_record_says_what_is_hidden(hidden: float) -> None:
    blind = series(STEADY, found=WHOLE, masked=False, hidden=hidden)
    found = comparable(blind)
    np.testing.assert_allclose(found["visible_fraction"][LEAST_DATES:], 1 - hidden, rtol=1e-6)
    np.testing.assert_allclose(found["area_corrected_m2"][LEAST_DATES:], WHOLE * OUTLINE_M2, rtol=1e-6)
    assert np.isnan(found["area_corrected_m2"][:LEAST_DATES]).all()  # nothing says yet how much is hidden


def test_an_outline_that_is_a_little_off_is_not_taken_for_terrain() -> None:
    found = comparable(series(STEADY, found=0.97, masked=False))
    np.testing.assert_allclose(found["visible_fraction"][LEAST_DATES:], 1)


def test_a_drained_lake_is_not_corrected_away() -> None:
    lake = np.r_[STEADY, 0.3 * OUTLINE_M2, 0.0]
    for masked in (True, False):
        corrected = comparable(series(lake, found=WHOLE, masked=masked, hidden=0.3))["area_corrected_m2"]
        np.testing.assert_allclose(corrected[8:] / corrected[7], [0.3, 0.0], atol=1e-6)


def test_only_older_slices_count() -> None:
    lake = OUTLINE_M2 * np.linspace(0.9, 1, 10)
    whole, begun = (comparable(series(lake[:n], found=0.7, masked=False), 1.5) for n in (10, 6))
    for name in COMPARABLE:
        np.testing.assert_array_equal(whole[name][:6], begun[name])
    usual = usual_before(np.arange(5.0), 10 * np.arange(5.0), np.ones(5, bool))
    np.testing.assert_array_equal(usual.found, [np.nan, np.nan, np.nan, 1, 1.5])
    np.testing.assert_array_equal(usual.area_m2, [np.nan, np.nan, np.nan, 10, 15])


def test_ice_wind_and_gaps_make_no_record() -> None:
    rows = series(STEADY, found=WHOLE, masked=False, hidden=0.2)
    for i, flag in enumerate((Flag.FROZEN_SEASON, Flag.INCOMPLETE, Flag.SHADOWED)):
        rows["flags"][i] = flag
        rows["wet_fraction"][i] = 0.05
    found = comparable(rows)
    assert np.isnan(found["visible_fraction"][:6]).all() and found["visible_fraction"][6] == pytest.approx(
        0.8
    )
    windy = np.arange(8) > 3
    assert np.isfinite(comparable(rows, open_water=windy)["visible_fraction"]).sum() == 1


@pytest.mark.parametrize(("masked", "found", "given"), [
    (True, 0.6, False), (True, 0.7, True), (False, 0.6, True), (False, 0.45, False),
])  # fmt: skip
def test_a_track_that_does_not_find_the_lake_has_no_corrected_area(
    masked: bool, found: float, given: bool
) -> None:
    got = comparable(series(STEADY, found=found, masked=masked), 1.0)
    for name in COMPARABLE:
        assert np.isfinite(got[name][-1]) == given


def test_hidden_parts_widen_the_interval_and_do_not_move_the_area() -> None:
    lake = np.r_[STEADY, 0.8 * OUTLINE_M2]
    whole, half = (comparable(series(lake, found=WHOLE, masked=True, hidden=part), 1.5) for part in (0, 0.4))
    for one, scale in ((whole, 1), (half, 1 / 0.6)):
        reach = one["area_upper_90_m2"] - one["area_corrected_m2"]
        assert reach[7] == pytest.approx(1.5e4 * scale)  # a usual date: the error of what was seen
    low, high = half["area_lower_90_m2"][8], half["area_upper_90_m2"][8]
    assert low == pytest.approx(0.8 * WHOLE * OUTLINE_M2 - 2.5e4)  # the hidden part fell as the seen one did
    assert high == pytest.approx((0.8 * 0.6 + 0.4) * WHOLE * OUTLINE_M2 + 2.5e4)  # or it stayed
    assert whole["area_upper_90_m2"][8] == pytest.approx(0.8 * WHOLE * OUTLINE_M2 + 1.5e4)


def test_a_share_learned_from_the_record_costs_width() -> None:
    masked, blind = (
        comparable(series(STEADY, found=WHOLE, masked=one, hidden=0.3), 1.5) for one in (True, False)
    )
    assert blind["area_corrected_m2"][-1] == pytest.approx(masked["area_corrected_m2"][-1])
    wider = blind["area_upper_90_m2"][-1] - masked["area_upper_90_m2"][-1]
    assert wider == pytest.approx(0.03 * WHOLE * OUTLINE_M2)


def test_without_a_factor_there_are_no_bounds_and_no_area_gives_none() -> None:
    rows = series(STEADY, found=WHOLE, masked=True)
    found = comparable(rows)
    assert np.isnan(found["area_lower_90_m2"]).all() and np.isfinite(found["area_corrected_m2"][-1])
    rows["area_m2"][-1] = np.nan
    assert all(np.isnan(comparable(rows, 1.0)[name][-1]) for name in COMPARABLE[1:])
    empty = comparable(rows.isel(time=slice(0)))
    assert all(len(empty[name]) == 0 for name in COMPARABLE)


@pytest.mark.parametrize(("hidden", "held"), [(0, 0.90), (0.2, 0.96)])
def test_bounds_hold_areas_as_often_as_their_factor_says(hidden: float, held: float) -> None:
    """Of a hidden fifth errors up to 1.645 / 0.8 sigma are held: the usual hidden part is one of two ways."""
    truth = np.full(1500, OUTLINE_M2)
    rows = series(truth, found=WHOLE, masked=True, hidden=hidden, noise=0.05)
    rows["area_unsure_m2"][:] = 0.05 * WHOLE * (1 - hidden) * OUTLINE_M2
    found = comparable(rows, 1.645)
    inside = (found["area_lower_90_m2"] <= WHOLE * truth) & (WHOLE * truth <= found["area_upper_90_m2"])
    assert inside[LEAST_DATES:].mean() == pytest.approx(held, abs=0.012)


def test_the_unsure_area_is_counted_around_lake_and_outline() -> None:
    outline = np.zeros((30, 40), bool)
    outline[12:15, 12:15] = True
    surface = np.zeros((1, 30, 40), np.uint8)
    probability = np.zeros((1, 30, 40), np.float32)
    probability[0, 13, 14 + REACH_PX] = 0.5  # the last pixel in reach
    probability[0, 13, 15 + REACH_PX] = 0.5
    probability[0, 2, 2] = 0.5
    probability[0, 14, 14] = np.nan
    water, classes = (xr.DataArray(one, dims=("time", "y", "x")) for one in (probability, surface))
    target = Target(outline, 30.0, 0.5, LakeRules())
    assert area_unsure(water, classes, target)["area_unsure_m2"].values == pytest.approx([225])
    surface[0, 5, 5] = 2  # a lake there brings its own surroundings
    assert area_unsure(water, classes, target)["area_unsure_m2"].values == pytest.approx([450])
