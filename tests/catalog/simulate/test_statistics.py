"""What is stated of speckle, levels and times is what the archive holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glaciolake.catalog.simulate import levels
from glaciolake.catalog.simulate.archive import Archive
from glaciolake.catalog.simulate.backscatter import Surface, from_db, texture_factor
from glaciolake.catalog.simulate.bursts import TRACKS
from glaciolake.catalog.simulate.calendar import SENSORS, created, passes_due
from glaciolake.catalog.simulate.climate import Ice, Weather
from glaciolake.catalog.simulate.levels import LEVELS, CoverClass
from glaciolake.catalog.simulate.radar import View, frame_of, view_ground
from glaciolake.catalog.simulate.shore import Stand
from glaciolake.catalog.simulate.speckle import after_noise, measured
from glaciolake.catalog.simulate.terrain import Ground
from glaciolake.catalog.simulate.truth import read_truth

Grounds = Callable[[str], Ground]
CALM_DAY = Weather(3.0, 45.0, 9000.0, -9000.0, 0.0)
SPRING = date(2023, 2, 14)
"""Opposite of summer: `levels.SUMMER_DB` does not enter."""


class Lake:
    """A lake whose level and ice are given."""

    def __init__(self, stand: Stand, ice: Ice) -> None:
        self._stand, self._ice = stand, ice

    def stand(self, day: date) -> Stand:
        return self._stand

    def ice(self, day: date) -> Ice:
        return self._ice


def decibels(power: NDArray[Any]) -> float:
    return float(10 * np.log10(np.mean(power, dtype=float)))


def plain(ground: Ground, cover: CoverClass) -> Ground:
    """A level plain of one class, without lakes."""
    level = np.full_like(ground.height_m, ground.site.basins[0].level_m)
    return Ground(ground.site, level, (), {cover: np.ones_like(level)}, ground.texture, ground.gusts)


def view_of(ground: Ground, incidence_deg: float = levels.REFERENCE_INCIDENCE_DEG) -> View:
    return view_ground(ground, frame_of(ground.site, 32645), 280.0, incidence_deg)


def test_speckle_has_the_looks_and_the_mean_that_are_stated_in_the_files_themselves(ground: Grounds) -> None:
    rng = np.random.default_rng(1)
    flat = plain(ground("thame"), CoverClass.ROCK)
    surface = Surface(flat, view_of(flat), 280.0)
    truth = surface.look(SPRING, [], CALM_DAY)["VV"]
    noise = float(from_db(levels.noise_db("vv", 39.0)))
    images = np.stack([measured(truth, noise, rng) for _ in range(40)]).astype(float)
    # looks pixel by pixel over repeated passes: the ground's own texture is then no speckle
    looks = images.mean(axis=0) ** 2 / images.var(axis=0, ddof=1)
    expected = np.asarray(after_noise(truth, noise)[1])
    assert np.median(1 / looks) == pytest.approx(np.median(1 / expected), rel=0.05)
    assert expected.mean() == pytest.approx(levels.LOOKS, rel=0.03)  # far above the noise
    assert images.mean() == pytest.approx(float(np.mean(truth)), rel=0.01)


def test_neighbours_share_speckle_as_stated() -> None:
    field = measured(np.full((700, 700), 1.0), 1e-4, np.random.default_rng(2)).astype(float)
    assert field.mean() == pytest.approx(1.0, abs=0.005)
    assert field.mean() ** 2 / field.var() == pytest.approx(levels.LOOKS, rel=0.05)
    down = np.corrcoef(field[1:].ravel(), field[:-1].ravel())[0, 1]
    across = np.corrcoef(field[:, 1:].ravel(), field[:, :-1].ravel())[0, 1]
    assert (down, across) == (pytest.approx(0.23, abs=0.02), pytest.approx(0.11, abs=0.02))


def test_zeros_are_exact_and_rare() -> None:
    rng = np.random.default_rng(3)
    calm = np.full((900, 900), 10**-3.7)
    noise = 10 ** (levels.NOISE_DB["IW2"] / 10)
    share = float((measured(calm, noise, rng) == 0).mean())
    assert share == pytest.approx(float(np.ravel(after_noise(calm, noise)[2])[0]), rel=0.15)
    assert 1e-5 < share < 5e-3
    assert (measured(np.full((900, 900), 0.2), noise, rng) > 0).all()


@pytest.mark.parametrize(
    "cover", [CoverClass.ROCK, CoverClass.DEBRIS, CoverClass.MORAINE, CoverClass.GLACIER_ICE]
)
def test_class_means_are_those_of_the_table(ground: Grounds, cover: CoverClass) -> None:
    flat = plain(ground("chamlang"), cover)
    image = Surface(flat, view_of(flat), 280.0).look(SPRING, [], CALM_DAY)
    rng = np.random.default_rng(4)
    for band, stated_db in (("VV", LEVELS[cover].vv_db), ("VH", LEVELS[cover].vh_db)):
        noise = float(from_db(levels.noise_db(band.lower(), 39.0)))
        assert decibels(image[band]) == pytest.approx(stated_db, abs=0.3)
        expected = decibels(after_noise(image[band], noise)[0])
        assert decibels(measured(image[band], noise, rng)) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(("melt_m", "cover"), [(-9000.0, CoverClass.DRY_SNOW), (9000.0, CoverClass.WET_SNOW)])
def test_snow_covers_everything_above_its_line_and_is_wet_below_the_melt_line(
    ground: Grounds, melt_m: float, cover: CoverClass
) -> None:
    flat = plain(ground("chamlang"), CoverClass.ROCK)
    image = Surface(flat, view_of(flat), 280.0).look(SPRING, [], Weather(3.0, 45.0, -9000.0, melt_m, 0.0))
    assert decibels(image["VV"]) == pytest.approx(LEVELS[cover].vv_db, abs=0.3)


ICY = [
    ("open", Ice(0.0, 0.0, False, 0.0), None),
    ("new ice", Ice(1.0, 0.0, False, 0.0), {band: levels.ICE[band][0] for band in ("vv", "vh")}),
    ("old ice", Ice(1.0, 1.0, False, 0.0), {band: levels.ICE[band][1] for band in ("vv", "vh")}),
]


@pytest.mark.parametrize(("name", "ice", "stated_db"), ICY)
def test_water_and_ice_have_the_levels_of_the_table(
    ground: Grounds, name: str, ice: Ice, stated_db: dict[str, float] | None
) -> None:
    lake = replace(ground("tilicho"), gusts=np.zeros_like(ground("tilicho").gusts))
    image = Surface(lake, view_of(lake), 280.0).look(SPRING, [Lake(Stand(0, 0), ice)], CALM_DAY)  # type: ignore[list-item]
    middle = lake.site.size_px // 2
    inside = (slice(middle - 12, middle + 13), slice(middle - 8, middle + 9))
    for band in ("vv", "vh"):
        expected = stated_db[band] if stated_db else float(levels.water_db(band, 3.0, 39.0, 280.0 - 45.0))
        found = decibels(image[band.upper()][inside])
        assert found == pytest.approx(expected, abs=0.3), name


def test_wind_brightens_the_lake_and_frazil_makes_it_look_like_land(ground: Grounds) -> None:
    lake = ground("tilicho")
    surface, middle = Surface(lake, view_of(lake), 280.0), lake.site.size_px // 2
    inside = (slice(middle - 20, middle + 21), slice(middle - 10, middle + 11))

    def vv_db(ice: Ice, wind: float) -> float:
        weather = Weather(wind, 45.0, 9000.0, -9000.0, 0.0)
        looked = surface.look(SPRING, [Lake(Stand(0, 0), ice)], weather)  # type: ignore[list-item]
        return decibels(looked["VV"][inside])

    calm, stormy = (vv_db(Ice(0, 0, False, 0), wind) for wind in (2.0, 12.0))
    assert stormy > calm + 6
    freezing = max(vv_db(Ice(share, 0, False, 0), 2.0) for share in (0.3, 0.5, 0.7))
    assert freezing > vv_db(Ice(1.0, 0, False, 0), 2.0) + 0.8  # brighter than the ice that it becomes


def test_texture_does_not_shift_the_mean() -> None:
    unit = np.random.default_rng(6).standard_normal(400_000).astype(np.float32)
    factor = texture_factor(unit, 2.5)
    assert factor.mean(dtype=float) == pytest.approx(1.0, abs=0.005)
    assert np.std(10 * np.log10(factor)) == pytest.approx(2.5, rel=0.01)


def test_passes_come_on_the_satellites_own_days(summer: Archive) -> None:
    rows = read_truth(summer.folder).granules
    days = (rows.sensing_start.dt.date - date(2020, 1, 1)).map(lambda span: span.days % 12)
    tracks = rows.burst.str[1:4].astype(int)
    assert set(tracks) == {12, 19, 85, 92, 121, 158}
    assert all(day == TRACKS[track].phase_days for day, track in zip(days, tracks, strict=True))


def test_phases_are_those_that_were_recorded(shared_data: Path) -> None:
    told = json.loads((shared_data / "reference" / "s1a_track_phases.json").read_text())["phase_days_utc"]
    for track in TRACKS.values():
        phase, clock = told[f"T{track.relative_orbit:03d}"]
        assert track.phase_days == phase
        hour, minute = (int(part) for part in clock[:5].split(":"))
        assert abs((track.utc - timedelta(hours=hour, minutes=minute)).total_seconds()) < 90


def test_satellites_come_and_go_and_some_passes_are_missed() -> None:
    due = passes_due(TRACKS[121], date(2016, 1, 1), date(2026, 1, 1), 0)
    assert {one.sensor for one in due} == {"S1A", "S1B", "S1C"}
    for sensor in SENSORS:
        days = [one.day for one in due if one.sensor == sensor.name]
        assert min(days) >= sensor.first and max(days) <= sensor.last
        assert {(day - date(2020, 1, 1)).days % 12 for day in days} == {(3 + sensor.offset_days) % 12}
    missed = [not one.acquired for one in due if one.sensor == "S1A"]
    assert 0 < np.mean(missed) < 0.06
    later = [one for one in due if one.day >= date(2020, 6, 1)]
    assert passes_due(TRACKS[121], date(2020, 6, 1), date(2026, 1, 1), 0) == later


def test_products_appear_as_late_as_real_ones_do() -> None:
    start, rng = datetime(2024, 1, 1, tzinfo=UTC), np.random.default_rng(7)
    hours = [(created(start, rng) - start).total_seconds() / 3600 for _ in range(4000)]
    quick, median, slow = np.percentile(hours, [10, 50, 90])
    assert (2.5 < quick < 4.5, 8.5 < median < 11.5, 54 < slow < 175) == (True, True, True), (
        quick,
        median,
        slow,
    )
