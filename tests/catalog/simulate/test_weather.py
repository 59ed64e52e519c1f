"""Weather and what it does: wind and storms, snow lines, a winter's false start, a level that remembers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from glaciolake.catalog.simulate import levels
from glaciolake.catalog.simulate.archive import Archive
from glaciolake.catalog.simulate.backscatter import from_db
from glaciolake.catalog.simulate.bursts import Burst
from glaciolake.catalog.simulate.climate import (
    LOCAL,
    REGIONAL,
    REOPENED_SHARE,
    STORM,
    STORM_SHARE,
    Weather,
    ice_on,
    weather_on,
)
from glaciolake.catalog.simulate.hydrology import WEATHER_DAYS, WEATHER_M, levels_of
from glaciolake.catalog.simulate.imaging import patches_of, sites_in, weather_of
from glaciolake.catalog.simulate.order import make_order
from glaciolake.catalog.simulate.sites import EPOCH, Basin
from glaciolake.catalog.simulate.speckle import after_noise
from glaciolake.catalog.simulate.territory import away_from_lakes_m
from tests.catalog.simulate.conftest import LAKES, SUMMER
from tests.catalog.simulate.drawing import read_square

DAYS = [EPOCH + timedelta(days=number) for number in range(6000)]
GALE = 1.6
"""Of the mean wind: with a Weibull shape of 7 one pass in 10 million has as much without a storm."""


def passes(site: int, *, is_evening: bool = False) -> list[Weather]:
    return [weather_on(day, is_evening, (0, site)) for day in DAYS]


def winds(found: list[Weather]) -> NDArray[np.float64]:
    return np.array([one.wind_m_per_s for one in found])


@pytest.mark.parametrize(("is_evening", "half_day"), [(False, "morning"), (True, "evening")])
def test_winds_have_their_mean_and_storms_their_share_and_strength(is_evening: bool, half_day: str) -> None:
    wind, mean = winds(passes(1, is_evening=is_evening)), levels.LAKE_WIND_M_PER_S[half_day][0]
    stormy = wind > GALE * mean
    # a storm that starts from under GALE / STORM of the mean, one in 15, is not told from a fresh day
    expected = STORM_SHARE * (1 - 0.065)
    sigma = np.sqrt(expected / wind.size)
    assert stormy.mean() == pytest.approx(expected, abs=4 * sigma)
    assert np.median(wind[stormy]) / np.median(wind[~stormy]) == pytest.approx(STORM, rel=0.08)
    # the wind of a pass has a spread of 17 %, so that the mean of 5760 is sure to 0.2 %
    assert wind[~stormy].mean() == pytest.approx(mean, rel=0.01)


def test_storms_and_snow_are_the_region_s_and_the_wind_between_storms_is_a_valley_s_own() -> None:
    here, there = passes(1), passes(2)
    windy = [winds(found) > GALE * levels.LAKE_WIND_M_PER_S["morning"][0] for found in (here, there)]
    # of 240 storms, those that are told from fresh days at one site are mostly told at the other
    assert (windy[0] & windy[1]).sum() > 0.8 * windy[0].sum() > 100
    calm = ~(windy[0] | windy[1])
    assert abs(np.corrcoef(winds(here)[calm], winds(there)[calm])[0, 1]) < 4 / np.sqrt(calm.sum())
    apart_m = np.array([a.snow_line_m - b.snow_line_m for a, b in zip(here, there, strict=True)])
    # the spread of 6000 differences is sure to 1 %
    assert apart_m.std() == pytest.approx(350 * LOCAL * np.sqrt(2), rel=0.05) == pytest.approx(150, rel=0.1)
    assert 0.99 < REGIONAL**2 + LOCAL**2 < 1.01
    wet_here, wet_there = ([one.moisture_db for one in found] for found in (here, there))
    assert np.corrcoef(wet_here, wet_there)[0, 1] == pytest.approx(REGIONAL**2, abs=0.02)


def middles(archive: Archive, lake: str) -> Iterator[tuple[Weather, float, float]]:
    """Weather of each granule of a lake; VV of the lake's middle, dB, as drawn and as the wind has it."""
    order = make_order(LAKES, SUMMER)
    for burst, names in sites_in(order).items():
        for patch in (one for one in patches_of(burst, tuple(names), 0) if one.site.id == lake):
            away_m = away_from_lakes_m(patch.surface.ground, patch.frame)
            # 210 m from the shore, for what is laid over brightens the cells beside it
            middle = (away_m < -210) & patch.inside & (patch.view.mask == 0)
            for path in (archive.folder / "scenes" / burst.id).glob("*_VV.tif"):
                name = path.name.removesuffix("_VV.tif")
                if name not in archive.superseded:
                    day = date.fromisoformat(name.split("_")[4][:8])
                    weather = weather_of(patch.site, burst, day, 0)
                    drawn = float(read_square(path, patch.frame)[middle].mean())
                    yield weather, 10 * np.log10(drawn), stated_db(burst, patch.view.incidence_deg, weather)


def stated_db(burst: Burst, incidence_deg: float, weather: Weather) -> float:
    """VV of open water after noise, dB."""
    upwind_deg = burst.track.look_azimuth_deg - weather.wind_to_deg
    water = from_db(levels.water_db("vv", weather.wind_m_per_s, incidence_deg, upwind_deg))
    mean, _, _ = after_noise(water, float(from_db(levels.noise_db("vv", incidence_deg))))
    return float(10 * np.log10(mean))


def test_the_lake_in_a_granule_is_as_bright_as_that_pass_s_wind_makes_it(summer: Archive) -> None:
    """Of 1900 pixels with 8.5 looks the mean is sure to 0.03 dB; gusts that happen to be strong there, and
    their spread, add 0.2 to 0.6 dB."""
    found = list(middles(summer, "tilicho"))
    assert len(found) > 10
    for weather, drawn, stated in found:
        assert drawn == pytest.approx(stated, abs=0.8), weather
    found.sort(key=lambda one: one[0].wind_m_per_s)
    assert found[-1][1] > found[0][1] + 2


def test_some_freeze_ups_open_again_for_some_days() -> None:
    """A storm comes to half of the winters; to a quarter of these while there is hardly any ice yet."""
    days = [date(2020, 11, 10) + timedelta(days=number) for number in range(0, 110, 2)]
    lost = []
    for winter in range(300):
        ice = np.array([ice_on(day, 4765.0, (winter, 1)).fraction for day in days])
        lost.append(float((np.maximum.accumulate(ice) - ice).max()))
        assert ice[-1] > 0.9  # and all of them freeze over in the end
    seen = float(np.mean(np.array(lost) > 0.1))
    # 0.37 in 2000 winters; of 300 the share is sure to 0.028
    assert seen == pytest.approx(0.74 * REOPENED_SHARE, abs=4 * 0.028)
    assert max(lost) > 0.4


def test_the_level_s_weather_is_forgotten_in_the_days_that_are_stated() -> None:
    still = Basin("still", 1e6, 1500, 800, 0, 5000, seasonal_m=0.0)
    level_m = levels_of(still, date(2400, 1, 1), 3).level_m[365:]
    memories = level_m.size / (2 * WEATHER_DAYS)  # independent stretches: 3500
    assert memories > 3000
    assert level_m.std() == pytest.approx(WEATHER_M, rel=4 / np.sqrt(2 * memories))
    for lag, expected in ((5, np.exp(-5 / WEATHER_DAYS)), (20, np.exp(-1)), (100, np.exp(-5))):
        kept = np.corrcoef(level_m[lag:], level_m[:-lag])[0, 1]
        assert kept == pytest.approx(expected, abs=4 / np.sqrt(memories)), lag
