"""What is stated of speckle, levels and times is what the archive holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from glaciolake.catalog.simulate import levels
from glaciolake.catalog.simulate.archive import Archive
from glaciolake.catalog.simulate.backscatter import from_db, texture_factor
from glaciolake.catalog.simulate.bursts import TRACKS, bursts
from glaciolake.catalog.simulate.calendar import (
    REPROCESSED_DAYS,
    REPROCESSED_SHARE,
    SENSORS,
    Due,
    Sensor,
    created,
    passes_due,
)
from glaciolake.catalog.simulate.climate import Ice, Weather
from glaciolake.catalog.simulate.imaging import fate_of
from glaciolake.catalog.simulate.levels import CoverClass
from glaciolake.catalog.simulate.order import make_order
from glaciolake.catalog.simulate.speckle import after_noise, measured
from glaciolake.catalog.simulate.terrain import Ground
from glaciolake.catalog.simulate.truth import read_truth
from tests.catalog.simulate.drawing import CALM_DAY, decibels, draw, plain

Grounds = Callable[[str], Ground]


def test_speckle_has_the_looks_and_the_mean_that_are_stated_in_the_files_themselves(ground: Grounds) -> None:
    rng = np.random.default_rng(1)
    flat = plain(ground("thame"), CoverClass.ROCK)
    truth = draw(flat, CALM_DAY)["VV"]
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


def test_wind_brightens_the_lake_and_frazil_makes_it_look_like_land(ground: Grounds) -> None:
    lake = ground("tilicho")
    middle = lake.site.size_px // 2
    inside = (slice(middle - 20, middle + 21), slice(middle - 10, middle + 11))

    def vv_db(ice: Ice, wind: float) -> float:
        weather = Weather(wind, 45.0, 9000.0, -9000.0, 0.0)
        return decibels(draw(lake, weather, ice)["VV"][inside])

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
    later = [one for one in due if one.day >= date(2020, 6, 1)]
    assert passes_due(TRACKS[121], date(2020, 6, 1), date(2026, 1, 1), 0) == later


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda sensor: sensor.name)
def test_each_satellite_misses_the_share_of_its_passes_that_is_stated(sensor: Sensor) -> None:
    every = [
        due.acquired
        for track in TRACKS.values()
        for seed in range(4)
        for due in passes_due(track, date(2016, 1, 1), date(2030, 1, 1), seed)
        if due.sensor == sensor.name
    ]
    assert len(every) > 3000
    sigma = np.sqrt(sensor.missed_share * (1 - sensor.missed_share) / len(every))  # 0.3 to 0.7 %
    assert 1 - np.mean(every) == pytest.approx(sensor.missed_share, abs=4 * sigma)


def test_some_granules_are_processed_twice_and_some_are_damaged_as_asked_for() -> None:
    order = make_order(1, (date(2016, 1, 1), date(2026, 1, 1)), damage={"nan": 0.2})
    days = [date(2016, 1, 1) + timedelta(days=number) for number in range(3600)]
    fates = [fate_of(order, burst, Due(day, "S1A", True)) for burst in list(bursts())[:3] for day in days]
    for share, found in (
        (REPROCESSED_SHARE, [fate.is_reprocessed for fate in fates]),
        (0.2, [fate.damage == "nan" for fate in fates]),
    ):
        sigma = np.sqrt(share * (1 - share) / len(fates))  # of 10,800: 0.1 and 0.4 %
        assert np.mean(found) == pytest.approx(share, abs=4 * sigma)
    later = [fate.later.days for fate in fates]
    assert (min(later), max(later)) == (REPROCESSED_DAYS[0], REPROCESSED_DAYS[1] - 1)


def test_products_appear_as_late_as_real_ones_do() -> None:
    start, rng = datetime(2024, 1, 1, tzinfo=UTC), np.random.default_rng(7)
    hours = [(created(start, rng) - start).total_seconds() / 3600 for _ in range(4000)]
    quick, median, slow = np.percentile(hours, [10, 50, 90])
    assert (2.5 < quick < 4.5, 8.5 < median < 11.5, 54 < slow < 175) == (True, True, True), (
        quick,
        median,
        slow,
    )
