"""When the satellites pass, which passes they miss, and when the products appear."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from glaciolake.catalog.simulate.bursts import Burst, Track

REPEAT_DAYS = 12
PHASE_EPOCH = date(2020, 1, 1)
LATENCY_H = ((0.8, 7.5, 0.75), (0.2, 70.0, 1.2))
"""Share, median (hours) and log spread of prompt and of slow products: together a median of 9 to 11 hours, 3
for the quickest tenth and 54 to 175 for the slowest, as recorded of 2024 and 2025."""
LATENCY_MIN_H = 1.5
REPROCESSED_SHARE = 0.015
"""Of the granules, how many are made once more, with another calibration; assumed."""
REPROCESSED_DAYS = (30, 300)


@dataclass(frozen=True)
class Sensor:
    """One satellite.

    Attributes
    ----------
    name
        ``S1A``.
    first, last
        Days between which it acquires.
    offset_days
        After Sentinel-1A on the same track.
    missed_share
        Of its passes, how many are not acquired.
    """

    name: str
    first: date
    last: date
    offset_days: int
    missed_share: float


SENSORS = (
    Sensor("S1A", date(2014, 10, 3), date(2099, 12, 31), 0, 0.02),
    Sensor("S1B", date(2016, 9, 26), date(2021, 12, 22), 6, 0.4),
    Sensor("S1C", date(2025, 3, 26), date(2099, 12, 31), 6, 0.05),
)
"""First and last days as published. The six days between the satellites hold for 1A and 1B and are assumed
for 1C; the missed shares are assumed: what the plan of observations left out there was not at hand."""


@dataclass(frozen=True, order=True)
class Due:
    """One pass of a track that was due.

    Attributes
    ----------
    day
        UTC.
    sensor
        Which satellite.
    acquired
        False where it took no image.
    """

    day: date
    sensor: str
    acquired: bool


def passes_due(track: Track, start: date, end: date, seed: int) -> list[Due]:
    """List the passes of a track from `start` to before `end`, sorted: the same ones whatever `start` is."""
    due = []
    for sensor in SENSORS:
        first = PHASE_EPOCH + timedelta(days=track.phase_days + sensor.offset_days)
        day = first + timedelta(days=-((first - start).days // REPEAT_DAYS) * REPEAT_DAYS)
        while day < end:
            if sensor.first <= day <= sensor.last:
                rng = np.random.default_rng(
                    [seed, track.relative_orbit, day.toordinal(), *sensor.name.encode()]
                )
                due.append(Due(day, sensor.name, bool(rng.random() >= sensor.missed_share)))
            day += timedelta(days=REPEAT_DAYS)
    return sorted(due)


def sensing_start(burst: Burst, day: date) -> datetime:
    """First line's time: the track's time of day, a few seconds early or late from cycle to cycle."""
    drift_s = 4.0 * np.sin(day.toordinal() / 57.0) + burst.delay_s
    return datetime.combine(day, time(), UTC) + burst.track.utc + timedelta(seconds=round(drift_s))


def created(start: datetime, rng: np.random.Generator) -> datetime:
    """Draw the processing time of a product sensed at `start`: mostly half a day later, sometimes weeks."""
    shares = [share for share, _, _ in LATENCY_H]
    _, median_h, spread = LATENCY_H[int(rng.choice(len(shares), p=shares))]
    latency_h = max(LATENCY_MIN_H, float(median_h * np.exp(spread * rng.standard_normal())))
    return start + timedelta(seconds=round(latency_h * 3600))
