"""Weather and seasons: wind, snow, and when each lake freezes and opens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from scipy.special import gamma

from glaciolake.catalog.simulate.levels import (
    BREAK_UP,
    FREEZE_UP,
    ICE_SPREAD_DB,
    LAKE_WIND_M_PER_S,
)
from glaciolake.catalog.simulate.truth import State

FREEZING_DAYS = (8.0, 24.0)
THAWING_DAYS = (10.0, 28.0)
"""How long it takes from the first ice to the last water, and back; uniform, drawn each winter."""
REOPENED_SHARE = 0.5
"""In how many winters a storm opens a freezing lake again for some days."""
OPEN_BELOW, FROZEN_ABOVE = 0.1, 0.9
"""Shares of ice between which a lake freezes or thaws."""


STORM_SHARE, STORM = 0.04, 2.2
"""Share of passes in a storm, and how much stronger it blows; assumed."""
REGIONAL, LOCAL = 0.95, 0.31
"""Weights of the region and of the site in snow line, melt line and moisture: their squares sum to 1. In one
pass the snow lines of two sites then differ by 150 m (standard deviation); assumed."""


@dataclass(frozen=True)
class Ice:
    """Ice of one lake on one day.

    Attributes
    ----------
    fraction
        Share of the lake that is covered, 0..1.
    age
        0 when it forms, 1 when it breaks up: it grows, cracks and gathers snow.
    is_thawing
        Whether it is in its last weeks: wet on top, with leads.
    offset_db
        How much brighter this winter's ice is than ice of its age mostly is, dB.
    """

    fraction: float
    age: float
    is_thawing: bool
    offset_db: float

    def state(self) -> State:
        """State of a lake with that ice, drained ones left aside."""
        if self.fraction < OPEN_BELOW:
            return State.OPEN
        if self.fraction > FROZEN_ABOVE:
            return State.FROZEN
        return State.THAWING if self.is_thawing else State.FREEZING


@dataclass(frozen=True)
class Weather:
    """One pass over one site, the same for all bursts and lakes.

    Attributes
    ----------
    wind_m_per_s
        Mean wind 10 m above the water.
    wind_to_deg
        Where it blows, clockwise from north.
    snow_line_m
        Height above sea from which the ground is mostly under snow.
    melt_line_m
        Height above sea below which snow is wet.
    moisture_db
        What the wetness of soil and debris adds to dry ground, dB.
    """

    wind_m_per_s: float
    wind_to_deg: float
    snow_line_m: float
    melt_line_m: float
    moisture_db: float


def ice_on(day: date, elevation_m: float, key: tuple[int, ...]) -> Ice:
    """Ice of a lake on a day.

    Parameters
    ----------
    day
        UTC.
    elevation_m
        Of the lake.
    key
        Seed and lake as whole numbers: each winter of each lake has its own dates, which do not depend on the
        archive's first and last day.
    """
    winter = day.year if day.month >= 8 else day.year - 1
    shared, own = (np.random.default_rng([key[0], winter, 7]), np.random.default_rng([*key, winter]))
    # Winters are early or late for a whole region; each lake adds a little of its own.
    early, late = 0.8 * shared.standard_normal(2) + 0.6 * own.standard_normal(2)
    since = (day - date(winter, 8, 1)).days
    freeze = FREEZE_UP.day_after_july(elevation_m) + FREEZE_UP.std_days * early
    thaw = BREAK_UP.day_after_july(elevation_m) + BREAK_UP.std_days * late
    freezing, thawing = own.uniform(*FREEZING_DAYS), own.uniform(*THAWING_DAYS)
    formed = np.clip((since - freeze) / freezing + 0.5, 0, 1)
    left = np.clip((thaw - since) / thawing + 0.5, 0, 1)
    if own.random() < REOPENED_SHARE:
        formed *= 1 - 0.7 * np.exp(-(((since - freeze - own.uniform(-4, 10)) / 3) ** 2))
    age = float(np.clip((since - freeze) / max(1.0, thaw - freeze), 0, 1))
    offset_db = float(ICE_SPREAD_DB * own.standard_normal())
    return Ice(float(formed * left), age, bool(since > thaw - thawing), offset_db)


def weather_on(day: date, is_evening: bool, key: tuple[int, ...]) -> Weather:
    """Draw the weather of a pass: morning and evening of a day differ.

    Storms come over all sites at once, and snow, melt and moisture are mostly the region's. The wind between
    storms is each valley's own.

    Parameters
    ----------
    day
        UTC.
    is_evening
        Whether the satellite passes at 18 h local time, ascending, and not at 6 h.
    key
        Seed and site as whole numbers; the region goes by the seed alone.
    """
    rng = np.random.default_rng([*key, day.toordinal(), int(is_evening)])
    region = np.random.default_rng([key[0], day.toordinal(), int(is_evening)])
    doy = day.timetuple().tm_yday
    summer = np.cos(2 * np.pi * (doy - 205) / 365.25)  # 1 in late July, -1 in late January
    mean, shape = LAKE_WIND_M_PER_S["evening" if is_evening else "morning"]
    wind = float(mean / gamma(1 + 1 / shape) * rng.weibull(shape))
    if region.random() < STORM_SHARE:
        wind *= STORM
    snow, melt, moisture = REGIONAL * region.standard_normal(3) + LOCAL * rng.standard_normal(3)
    return Weather(
        wind,
        float(rng.uniform(0, 360)),
        float(5150 + 420 * summer + 350 * snow),
        float(4650 + 1250 * summer + (250 if is_evening else -100) + 200 * melt),
        float(0.4 * moisture),
    )


def days_between(start: date, end: date) -> list[date]:
    """Every day from `start` to before `end`."""
    return [start + timedelta(days=number) for number in range((end - start).days)]
