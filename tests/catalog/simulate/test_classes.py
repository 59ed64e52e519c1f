"""Every class of the table is drawn, as bright, as inclined and as textured as the table says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from glaciolake.catalog.simulate import backscatter, levels
from glaciolake.catalog.simulate.backscatter import from_db
from glaciolake.catalog.simulate.climate import Ice, Weather
from glaciolake.catalog.simulate.levels import LEVELS, CoverClass
from glaciolake.catalog.simulate.shore import Float
from glaciolake.catalog.simulate.speckle import after_noise, measured
from glaciolake.catalog.simulate.terrain import Ground
from tests.catalog.simulate.drawing import CALM_DAY, LOOK_DEG, OPEN, decibels, draw, plain, sea

Grounds = Callable[[str], Ground]
Drawn = Callable[[CoverClass, float], dict[str, Float]]

NEVER_M, ALWAYS_M = 9000.0, -9000.0
"""Snow lines above and below everything."""
SNOW = {CoverClass.DRY_SNOW: ALWAYS_M, CoverClass.WET_SNOW: NEVER_M}
"""Class -> melt line."""
WIND_M_PER_S = {CoverClass.CALM_WATER: 0.0, CoverClass.ROUGH_WATER: levels.ROUGH_M_PER_S}
OLD, FIRST = Ice(1.0, 1.0, False, 0.0), Ice(1e-6, 0.0, False, 0.0)
ICE = {CoverClass.LAKE_ICE: OLD, CoverClass.FRAZIL: FIRST}
BARE = {CoverClass.ROCK, CoverClass.DEBRIS, CoverClass.MORAINE, CoverClass.GLACIER_ICE}


@pytest.fixture(autouse=True)
def slush_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frazil before the edge of the ice thins out on its way: here it does not, and the edge is sharp."""
    monkeypatch.setattr(backscatter, "SLUSH_REACH", 1e9)
    monkeypatch.setattr(backscatter, "ICE_EDGE", 1e-6)


@pytest.fixture(scope="module")
def drawn(ground: Grounds) -> Drawn:
    made: dict[tuple[CoverClass, float], dict[str, Float]] = {}

    def of(cover: CoverClass, incidence_deg: float) -> dict[str, Float]:
        if (cover, incidence_deg) not in made:
            # 600 gusts of 300 m lie in the larger square: the mean wind is then sure to 1 %, 0.1 dB
            place = ground("tilicho" if cover in WIND_M_PER_S else "gokyo")
            made[cover, incidence_deg] = scene(place, cover, incidence_deg)
        return made[cover, incidence_deg]

    return of


def scene(ground: Ground, cover: CoverClass, incidence_deg: float) -> dict[str, Float]:
    """Image of nothing but one class, without noise and speckle, (y, x)."""
    whole: dict[str, Float]
    if cover in BARE:
        whole = draw(plain(ground, cover), CALM_DAY, OPEN, incidence_deg)
    elif cover in SNOW:
        weather = Weather(3.0, 45.0, ALWAYS_M, SNOW[cover], 0.0)
        whole = draw(plain(ground, CoverClass.ROCK), weather, OPEN, incidence_deg)
    else:
        # Water is stated for a wind 45 degrees off the look direction; what floats on it hides the wind.
        weather = Weather(WIND_M_PER_S.get(cover, 3.0), LOOK_DEG - 45.0, NEVER_M, ALWAYS_M, 0.0)
        whole = draw(sea(ground), weather, ICE.get(cover, OPEN), incidence_deg)
    return {band: image[5:-5, 5:-5] for band, image in whole.items()}


@pytest.mark.parametrize("cover", CoverClass)
def test_a_class_is_as_bright_as_the_table_says(drawn: Drawn, cover: CoverClass) -> None:
    image = drawn(cover, levels.REFERENCE_INCIDENCE_DEG)
    rng = np.random.default_rng(4)
    for band, stated_db in (("VV", LEVELS[cover].vv_db), ("VH", LEVELS[cover].vh_db)):
        assert decibels(image[band]) == pytest.approx(stated_db, abs=0.3), band
        noise = float(from_db(levels.noise_db(band.lower(), 39.0)))
        expected = decibels(after_noise(image[band], noise)[0])
        assert decibels(measured(image[band], noise, rng)) == pytest.approx(expected, abs=0.1), band


@pytest.mark.parametrize("cover", CoverClass)
def test_a_class_changes_with_incidence_as_the_table_says(drawn: Drawn, cover: CoverClass) -> None:
    near, far = (drawn(cover, angle) for angle in (37.0, 41.0))  # both in IW2
    level = LEVELS[cover]
    for band, stated in (("VV", level.slope_db_per_deg_vv), ("VH", level.slope_db_per_deg_vh)):
        slope = (decibels(far[band]) - decibels(near[band])) / 4
        assert slope == pytest.approx(stated, abs=0.02), band


@pytest.mark.parametrize("cover", CoverClass)
def test_a_class_has_the_texture_of_the_table(drawn: Drawn, cover: CoverClass) -> None:
    image = drawn(cover, levels.REFERENCE_INCIDENCE_DEG)
    spread_db = float(np.std(10 * np.log10(image["VV"])))
    if cover in WIND_M_PER_S:  # gusts, not texture: none where there is no wind
        assert LEVELS[cover].texture_db == 0
        assert (spread_db > 1) == (cover == CoverClass.ROUGH_WATER)
    else:  # the radar's cells are wider than a pixel and smooth a tenth of it away
        assert spread_db == pytest.approx(0.9 * LEVELS[cover].texture_db, rel=0.05)


def test_gusts_vary_the_wind_by_the_share_that_is_stated(drawn: Drawn) -> None:
    image = drawn(CoverClass.ROUGH_WATER, levels.REFERENCE_INCIDENCE_DEG)
    wind = (10 * np.log10(image["VH"].astype(float)) + 38.0) / 0.67  # VH is linear in it
    # 600 gusts lie in the image: their spread is sure to 3 %, and 4 % of it are smoothed away
    assert wind.std() / wind.mean() == pytest.approx(levels.GUST_SHARE, rel=0.15)
    assert correlation(wind, 3) > 0.5 and abs(correlation(wind, 20)) < 0.2


def correlation(field: NDArray[np.float64], lag_px: int) -> float:
    return float(np.corrcoef(field[lag_px:].ravel(), field[:-lag_px].ravel())[0, 1])


@pytest.mark.parametrize("band", ["vv", "vh"])
def test_new_ice_and_melting_ice_have_their_own_levels(ground: Grounds, band: str) -> None:
    new, melting = (
        decibels(draw(sea(ground("gokyo")), CALM_DAY, ice)[band.upper()])
        for ice in (Ice(1.0, 0.0, False, 0.0), Ice(1.0, 1.0, True, 0.0))
    )
    old_db = LEVELS[CoverClass.LAKE_ICE].vv_db if band == "vv" else LEVELS[CoverClass.LAKE_ICE].vh_db
    assert new == pytest.approx(levels.NEW_ICE_DB[band], abs=0.3)
    assert melting == pytest.approx(old_db + levels.MELTING_DB, abs=0.3)


def test_ground_of_every_class_lies_around_some_lake(ground: Grounds) -> None:
    most: dict[CoverClass, float] = {}
    for name in ("tsho-rolpa", "purepu"):
        for cover, share in ground(name).covers.items():
            most[cover] = max(most.get(cover, 0.0), float(share.mean()))
    assert set(most) == BARE and min(most.values()) > 0.02, most
