"""The levels make physical sense, and each says where it comes from."""

from __future__ import annotations

import re

import numpy as np
import pytest

from glaciolake.catalog.simulate import levels
from glaciolake.catalog.simulate.levels import BREAK_UP, FREEZE_UP, LEVELS, CoverClass
from glaciolake.catalog.simulate.speckle import after_noise

WINDS = np.linspace(0, 15, 61)
GROUND = (CoverClass.ROCK, CoverClass.DEBRIS, CoverClass.MORAINE)


def noise(subswath: str) -> float:
    return float(10 ** (levels.NOISE_DB[subswath] / 10))


def test_every_class_has_a_level_and_every_level_a_source_with_numbers() -> None:
    assert set(LEVELS) == set(CoverClass)
    for cover, level in LEVELS.items():
        assert re.search(r"VV: .*\d|Unverified: |\d+ m/s", level.source), cover


@pytest.mark.parametrize(
    ("dark", "bright"),
    [
        (CoverClass.CALM_WATER, CoverClass.ROUGH_WATER),
        (CoverClass.ROUGH_WATER, CoverClass.FRAZIL),
        (CoverClass.WET_SNOW, CoverClass.DRY_SNOW),
        (CoverClass.LAKE_ICE, CoverClass.FRAZIL),
        (CoverClass.LAKE_ICE, CoverClass.GLACIER_ICE),
        (CoverClass.GLACIER_ICE, CoverClass.DEBRIS),
        (CoverClass.DEBRIS, CoverClass.ROCK),
    ],
)
def test_one_class_is_darker_than_another(dark: CoverClass, bright: CoverClass) -> None:
    assert LEVELS[dark].vv_db < LEVELS[bright].vv_db
    assert LEVELS[dark].vh_db < LEVELS[bright].vh_db


@pytest.mark.parametrize("cover", CoverClass)
def test_vh_is_weaker_than_vv_and_land_depolarises_more_than_water(cover: CoverClass) -> None:
    ratio_db = LEVELS[cover].vv_db - LEVELS[cover].vh_db
    low, high = (11, 20) if cover in (CoverClass.CALM_WATER, CoverClass.ROUGH_WATER) else (6, 10)
    assert low <= ratio_db <= high


def test_wet_snow_loses_three_to_four_decibels() -> None:
    dry, wet = LEVELS[CoverClass.DRY_SNOW], LEVELS[CoverClass.WET_SNOW]
    assert 3 <= dry.vv_db - wet.vv_db <= 4 and 3 <= dry.vh_db - wet.vh_db <= 4


@pytest.mark.parametrize("band", ["vv", "vh"])
def test_ice_brightens_as_it_grows_old_and_lies_between_water_and_land(band: str) -> None:
    new_db, old_db = levels.NEW_ICE_DB[band], getattr(LEVELS[CoverClass.LAKE_ICE], f"{band}_db")
    calm = float(levels.water_db(band, 3.0, levels.REFERENCE_INCIDENCE_DEG))
    land = min(getattr(LEVELS[cover], f"{band}_db") for cover in GROUND)
    assert calm < new_db + levels.MELTING_DB + 5 and calm < new_db < old_db < land


@pytest.mark.parametrize("incidence_deg", [31.0, 36.0, 40.0, 45.9])
@pytest.mark.parametrize("band", ["vv", "vh"])
def test_water_brightens_with_the_wind_and_never_falls_below_calm(band: str, incidence_deg: float) -> None:
    water = levels.water_db(band, WINDS, incidence_deg)
    assert (np.diff(water) >= 0).all() and water[-1] > water[0] + 2
    assert water.min() > (-25.0 if band == "vv" else -38.0) - 1e-9
    assert water.max() < -6


def test_water_is_darker_at_far_range_and_across_the_wind() -> None:
    near, far = (float(levels.water_db("vv", 5.0, angle)) for angle in (32.0, 45.0))
    assert 3 < near - far < 0.4 * 13 + 1e-9
    along, across = (float(levels.water_db("vv", 5.0, 39.0, angle)) for angle in (0.0, 90.0))
    assert 2 < along - across < 3.7
    assert levels.water_db("vv", 5.0, 39.0, 180.0) == pytest.approx(along)


def test_water_keeps_the_shape_of_the_wind() -> None:
    assert levels.water_db("vv", np.full((2, 3), 4.0), 39.0).shape == (2, 3)


@pytest.mark.parametrize(("incidence_deg", "subswath"), [(33.0, "IW1"), (39.0, "IW2"), (44.0, "IW3")])
def test_noise_and_residual_are_those_of_the_subswath(incidence_deg: float, subswath: str) -> None:
    assert levels.subswath(incidence_deg) == subswath
    assert levels.noise_db("vh", incidence_deg) == levels.NOISE_DB[subswath]


def test_noise_raises_what_is_weak_costs_it_looks_and_leaves_zeros() -> None:
    signal = 10 ** (np.array([-60.0, -37.0, -30.0, -20.0, -8.0]) / 10)
    mean, looks, zeros = after_noise(signal, noise("IW2"))
    assert mean[0] == pytest.approx(noise("IW2") / np.e, rel=1e-3)
    assert mean[-1] == pytest.approx(signal[-1], rel=0.01)
    assert (np.diff(mean) > 0).all() and (np.diff(looks) > 0).all() and (np.diff(zeros) < 0).all()
    assert looks[-1] < levels.LOOKS and looks[-1] == pytest.approx(levels.LOOKS, rel=0.04)
    assert zeros[1] > 1e-4 and zeros[-1] < 1e-12


def test_noise_is_what_clipping_single_looks_gives() -> None:
    rng, signal, own = np.random.default_rng(0), 10**-3.0, noise("IW2")
    single = np.maximum(rng.exponential(signal + own, 1_000_000) - own, 0)
    mean, looks, _ = after_noise(np.array(signal), own)
    assert single.mean() == pytest.approx(float(mean), rel=0.01)
    assert single.mean() ** 2 / single.var() * levels.LOOKS == pytest.approx(float(looks), rel=0.02)


def test_lakes_freeze_around_new_year_and_open_in_spring_higher_ones_later() -> None:
    low, high = 4555.0, 5202.0
    assert 120 < FREEZE_UP.day_after_july(high) < FREEZE_UP.day_after_july(low) < 185
    assert 240 < BREAK_UP.day_after_july(low) < BREAK_UP.day_after_july(high) < 315
    assert FREEZE_UP.source and BREAK_UP.source
    assert min(FREEZE_UP.std_days, BREAK_UP.std_days) > 5


def test_the_kernels_keep_the_mean() -> None:
    assert all(sum(kernel) == pytest.approx(1.0) for kernel in levels.SPECKLE_KERNEL.values())
