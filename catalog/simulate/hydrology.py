"""How high a lake stands from day to day: season, weather, the glacier's retreat, and what happens to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from glaciolake.catalog.simulate.shore import Stand
from glaciolake.catalog.simulate.sites import EPOCH, Basin, Event

HIGHEST_DOY = 230
"""Day of the year on which meltwater stands highest: 18 August."""
RETREAT_DOY = 220
WEATHER_M = 0.12
WEATHER_DAYS = 20.0
"""Standard deviation and memory of the level's weather."""
STILL_SHARE = 0.5
"""A lake fallen by more than this share of its depth keeps a fifth of its seasons: too little is left."""
DRAINAGES = ("partial_drainage", "full_drainage", "slow_leak")
"""Kinds of events that are a lake's loss; `lowering` is one on purpose and counts as none."""


@dataclass(frozen=True)
class Levels:
    """Where one lake's water stands on every day from `sites.EPOCH` on.

    Attributes
    ----------
    level_m, front_m
        (day), see `Stand`, float64.
    """

    level_m: NDArray[np.float64]
    front_m: NDArray[np.float64]

    def on(self, day: date) -> Stand:
        """Stand of a day."""
        index = (day - EPOCH).days
        return Stand(float(self.level_m[index]), float(self.front_m[index]))


def levels_of(basin: Basin, last: date, seed: int) -> Levels:
    """Follow a lake from `sites.EPOCH` to a day; the beginning is the same whichever the last day."""
    n_days = (last - EPOCH).days + 1
    day = np.arange(n_days)
    doy = np.array([(EPOCH + timedelta(days=int(one))).timetuple().tm_yday for one in day])
    base_m = _base(basin, day)
    alive = np.where(base_m > -STILL_SHARE * basin.depth_m, 1.0, 0.2)
    season_m = basin.seasonal_m * np.cos(2 * np.pi * (doy - HIGHEST_DOY) / 365.25)
    level_m = base_m + alive * (
        season_m + _weather(n_days, np.random.default_rng([seed, *basin.id.encode()]))
    )
    yearly = day / 365.25 + 0.9 / (2 * np.pi) * np.sin(2 * np.pi * (doy - RETREAT_DOY) / 365.25)
    front_m = basin.growth_m_per_year * np.maximum.accumulate(np.maximum(yearly, 0))
    return Levels(np.maximum(level_m, -basin.depth_m), front_m)


def _base(basin: Basin, day: NDArray[np.int_]) -> NDArray[np.float64]:
    """Level by the events alone, metres; (day)."""
    knots, levels = [-1.0], [0.0]
    for event in basin.events:
        first = (event.first_day - EPOCH).days
        knots += [first, first + event.days]
        levels += [levels[-1], event.to_m]
    return np.interp(day, knots, levels)


def _weather(n_days: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Wander of the level, metres, that forgets itself in `WEATHER_DAYS`; (day)."""
    keep = np.exp(-1 / WEATHER_DAYS)
    steps = rng.normal(0, WEATHER_M * np.sqrt(1 - keep**2), n_days)
    level_m, found = 0.0, np.empty(n_days)
    for index, step in enumerate(steps):
        level_m = keep * level_m + step
        found[index] = level_m
    return found


@dataclass(frozen=True)
class Span:
    """An event from first to last day; the two halves of a landslide dam are one."""

    kind: str
    first_day: date
    last_day: date
    note: str


def spans_of(basin: Basin) -> Iterator[Span]:
    """Events of a basin as people name them; what was before `sites.EPOCH` is none."""
    told = [event for event in basin.events if event.first_day > EPOCH]
    for _, group in groupby(
        told, key=lambda event: event.kind if event.kind == "landslide_dam" else id(event)
    ):
        events: list[Event] = list(group)
        yield Span(events[0].kind, events[0].first_day, _end(events[-1]), events[0].note)


def _end(event: Event) -> date:
    return event.first_day + timedelta(days=event.days)
