"""When Sentinel-1A passes, and what season the lake is in then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

import numpy as np

from glaciolake.catalog.simulate.sites import Burst, Site, Track

REPEAT_DAYS = 12
EPOCH = date(2020, 1, 1)
LATENCY_S = (9 * 3600, 14 * 3600)
"""From acquisition to product: the bulk of what was recorded."""

State = Literal["open", "mixed", "frozen"]


def acquisitions(track: Track, start: date, end: date) -> list[date]:
    """Days (UTC) of a track's passes from `start` to before `end`: the same ones whatever `start` is."""
    every = track.every_cycles
    first = EPOCH + timedelta(days=track.phase_days)
    cycle = -((first - start).days // REPEAT_DAYS)
    cycle += -cycle % every
    days = []
    while (day := first + timedelta(days=cycle * REPEAT_DAYS)) < end:
        days.append(day)
        cycle += every
    return days


def sensing_start(track: Track, burst: Burst, day: date) -> datetime:
    """First line's time: the track's time of day, a few seconds early or late from cycle to cycle."""
    drift_s = 4.0 * np.sin(day.toordinal() / 57.0) + burst.delay_s
    return datetime.combine(day, time(), UTC) + track.utc + timedelta(seconds=round(drift_s))


def created(start: datetime, rng: np.random.Generator) -> datetime:
    """Draw the processing time of a product sensed at `start`."""
    return start + timedelta(seconds=int(rng.integers(*LATENCY_S)))


@dataclass(frozen=True)
class Season:
    """What the calendar does to a lake.

    Attributes
    ----------
    ice
        Share of the lake under ice, 0..1.
    ice_age
        0 when the ice forms, 1 when it breaks up: it grows, cracks and gathers snow.
    shore_m
        How far the water stands beyond its mean shore, metres on the map.
    front_m
        Retreat of the calving front since the archive's first day, metres.
    wet_snow
        0..1: how much of the ground's snow is melting, which swallows the signal.
    """

    ice: float
    ice_age: float
    shore_m: float
    front_m: float
    wet_snow: float

    @property
    def state(self) -> State:
        """``open`` below 10 % ice, ``frozen`` above 90 %."""
        return "open" if self.ice < 0.1 else "frozen" if self.ice > 0.9 else "mixed"


def season_of(site: Site, day: date, first_day: date) -> Season:
    """Season of a lake on a day: the same for every track that passes.

    Freeze-up in the second half of December and break-up in April are what the labelled scenes of Tsho Rolpa
    and Chamlang show; a higher lake freezes earlier and thaws later by two days a hundred metres.
    """
    height_days = 2 * (site.level_m - 4700) / 100
    since_october = (day - date(day.year - (day.month < 10), 10, 1)).days
    freeze, thaw = 78 - height_days, 196 + height_days
    ice = float(np.clip((since_october - freeze) / 14, 0, 1) * np.clip((thaw - since_october) / 14, 0, 1))
    year = 2 * np.pi * (day.timetuple().tm_yday - 230) / 365.25
    return Season(
        ice=ice,
        ice_age=float(np.clip((since_october - freeze) / (thaw - 20 - freeze), 0, 1)),
        shore_m=3.0 * float(np.cos(year)),
        front_m=site.growth_m_per_year * (day - first_day).days / 365.25,
        wet_snow=float(np.clip(np.cos(year) + 0.2, 0, 1)),
    )
