"""Passes: one overflight is one slice, whatever the clock in Greenwich says."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

from glaciolake.pipeline.passes import group_passes, solar_day
from tests.pipeline.scenes import ROLWALING_DEG, granule

MIDNIGHT = datetime(2024, 1, 4, 0, 0, 0, tzinfo=UTC)
BURSTS = [f"T048-10123{number}-IW2" for number in range(4)]


def test_a_pass_over_utc_midnight_is_one_pass() -> None:
    bursts = [
        granule(MIDNIGHT + timedelta(seconds=2.7 * number - 4), burst=burst, relative_orbit=48)
        for number, burst in enumerate(BURSTS)
    ]
    assert {one.sensing_start.date() for one in bursts} == {date(2024, 1, 3), date(2024, 1, 4)}
    passes = group_passes(bursts, ROLWALING_DEG)
    assert [one.id for one in passes] == ["T048_S1A_20240104"]
    assert passes[0].granules == tuple(bursts)
    assert passes[0].time == MIDNIGHT - timedelta(seconds=4)


def test_tracks_sensors_and_days_are_never_merged() -> None:
    starts = [MIDNIGHT, MIDNIGHT + timedelta(hours=12), MIDNIGHT + timedelta(days=6)]
    granules = [
        granule(start, sensor=sensor, relative_orbit=track)
        for start in starts
        for sensor in ("S1A", "S1C")
        for track in (48, 121)
    ]
    passes = group_passes(granules, ROLWALING_DEG)
    # Noon UTC is the evening of the same local day, so two of the three starts are one pass.
    assert len({one.id for one in passes}) == len(passes) == 8
    assert sorted(len(one.granules) for one in passes) == [1] * 4 + [2] * 4


def test_a_further_burst_changes_the_version_and_not_the_identity() -> None:
    first = granule(MIDNIGHT, burst=BURSTS[1])
    late = granule(MIDNIGHT - timedelta(seconds=2.7), burst=BURSTS[0])
    (before,) = group_passes([first], ROLWALING_DEG)
    (after,) = group_passes([first, late], ROLWALING_DEG)
    assert before.id == after.id
    assert before.version_digest != after.version_digest


def test_order_of_arrival_does_not_show() -> None:
    granules = [
        granule(MIDNIGHT + timedelta(days=12 * day, seconds=2.7 * number), burst=burst)
        for day in range(5)
        for number, burst in enumerate(BURSTS)
    ]
    expected = group_passes(granules, ROLWALING_DEG)
    shuffled = random.Random(1).sample(granules, len(granules))
    assert group_passes(shuffled, ROLWALING_DEG) == expected
    assert [one.time for one in expected] == sorted(one.time for one in expected)
    assert [one.burst for one in expected[0].granules] == BURSTS


def test_the_solar_day_follows_the_longitude() -> None:
    evening = datetime(2021, 11, 19, 1, 58, 54, tzinfo=UTC)  # a real pass over California, 18 h local time
    assert solar_day(evening, -120.0) == date(2021, 11, 18)
    assert solar_day(evening, 0.0) == date(2021, 11, 19)
    assert solar_day(datetime(2021, 11, 18, 23, 50, tzinfo=UTC), 87.0) == date(2021, 11, 19)
