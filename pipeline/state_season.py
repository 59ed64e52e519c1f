"""What the season alone says of ice: how likely a lake freezes or thaws from one pass to the next."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from glaciolake.pipeline.lakes import LakeRules

Float64 = NDArray[np.float64]

OPEN, FREEZING, FROZEN, THAWING = range(4)
"""What a lake's surface is, in the order in which it becomes so."""
DAYS = 366
EDGE_DAYS = 30.0
"""Freeze-up is likeliest this long after the frozen months begin, break-up this long before they end. With
December to May that is December 31st and May 1st, the middles by MODIS over five Himalayan lakes, 2001 to
2024, at 4765 m."""
FREEZE_SIGMA_DAYS, THAW_SIGMA_DAYS = 25.0, 22.0
"""Wider by half than those lakes differ from year to year (14 and 13 days): the season leans, and overrules
nothing that the radar shows."""
FREEZES, THAWS = 4.0, 8.0
"""Sums of the daily chances over a season: 2 % of lakes stay open all winter, none stays frozen."""
SELDOM = 0.05
"""Share of `FREEZES` for lakes below ``frozen_above_m``."""
ANY_DAY, SUMMER_THAW = 2e-4, 0.1
"""Daily chances of freezing or thawing against the season, and of thawing in the open months."""
LATER_DAYS_PER_100_M, REFERENCE_M, MOST_DAYS = 6.6, 4765.0, 15.0
"""How much later break-up is higher up, and at most: those five lakes lie between 4530 and 5010 m."""
FREEZING_DAYS, THAWING_DAYS = 14.0, 16.0
REOPENING_DAYS, REFREEZING_DAYS = 40.0, 80.0
"""Mean times until a freezing lake is frozen and a thawing one open, and until they turn back."""
LONGEST_GAP_DAYS = 800
"""Of a longer gap only the end counts: what was before it is forgotten, not the season it ends in."""


def open_months(rules: LakeRules) -> tuple[int, ...]:
    """Months that are not frozen and do not touch frozen ones: the lake is open then, as far as known."""
    frozen = set(rules.frozen_months)
    return tuple(
        month for month in range(1, 13) if frozen.isdisjoint({(month - 2) % 12 + 1, month, month % 12 + 1})
    )


def days_of_year(times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Days of the year (time,), January 1st is 0, of times (time,), UTC."""
    days = times.astype("datetime64[D]")
    return np.asarray((days - days.astype("datetime64[Y]")).astype(np.int64))


@lru_cache(maxsize=64)
def daily_steps(elevation_m: float | None, rules: LakeRules) -> Float64:
    """Chances that a lake passes from one state to another within a day.

    Parameters
    ----------
    elevation_m
        Of the water, metres above sea; None where it is not known.
    rules
        Frozen months, and the height below which lakes seldom freeze.

    Returns
    -------
    numpy.ndarray
        (day of the year, from, to), 0 to 1; rows sum to 1; states in the order open, freezing, frozen,
        thawing.
    """
    frozen = set(rules.frozen_months)
    firsts = [_first_day(month) for month in frozen if (month - 2) % 12 + 1 not in frozen]
    ends = [_first_day(month % 12 + 1) for month in frozen if month % 12 + 1 not in frozen]
    seldom = elevation_m is not None and elevation_m < rules.frozen_above_m
    above_m = 0.0 if elevation_m is None else elevation_m - REFERENCE_M
    later = float(np.clip(LATER_DAYS_PER_100_M * above_m / 100, -MOST_DAYS, MOST_DAYS))
    freeze, thaw = np.full(DAYS, ANY_DAY), np.full(DAYS, ANY_DAY)
    for day in firsts:
        freeze += FREEZES * (SELDOM if seldom else 1) * _around(day + EDGE_DAYS, FREEZE_SIGMA_DAYS)
    for day in ends:
        thaw += THAWS * _around(day - EDGE_DAYS + later, THAW_SIGMA_DAYS)
    for month in open_months(rules):
        thaw[_first_day(month) : _first_day(month) + 31] += SUMMER_THAW
    steps = np.zeros((DAYS, 4, 4))
    steps[:, OPEN, FREEZING] = freeze
    steps[:, FREEZING, OPEN], steps[:, FREEZING, FROZEN] = 1 / REOPENING_DAYS, 1 / FREEZING_DAYS
    steps[:, FROZEN, THAWING] = thaw
    steps[:, THAWING, OPEN], steps[:, THAWING, FROZEN] = 1 / THAWING_DAYS, 1 / REFREEZING_DAYS
    same = np.arange(4)
    steps[:, same, same] = 1 - steps.sum(axis=2)
    return steps


def _first_day(month: int) -> int:
    """Day of the year on which a month begins in a leap year, January 1st is 0."""
    return date(2024, month, 1).timetuple().tm_yday - 1


def _around(day: float, sigma_days: float) -> Float64:
    """Lay a normal density (day of the year,), which sums to 1, around a day."""
    away = np.abs(np.arange(DAYS) - day) % DAYS
    away = np.minimum(away, DAYS - away)
    return np.asarray(np.exp(-0.5 * (away / sigma_days) ** 2) / (sigma_days * np.sqrt(2 * np.pi)))


@lru_cache(maxsize=256)
def steps_over(gap_days: int, elevation_m: float | None, rules: LakeRules) -> Float64:
    """Chances that a lake passes from one state to another within some days.

    Parameters
    ----------
    gap_days
        0 or more; kept in memory, for passes come again after the same few gaps.
    elevation_m, rules
        As of `daily_steps`.

    Returns
    -------
    numpy.ndarray
        (first day of the year, from, to), as of `daily_steps`.
    """
    if gap_days > LONGEST_GAP_DAYS:
        before = gap_days - LONGEST_GAP_DAYS
        return steps_over(LONGEST_GAP_DAYS, elevation_m, rules)[(np.arange(DAYS) + before) % DAYS]
    if gap_days == 0:
        return np.broadcast_to(np.eye(4), (DAYS, 4, 4))
    if gap_days == 1:
        return daily_steps(elevation_m, rules)
    half = gap_days // 2
    first, second = (steps_over(part, elevation_m, rules) for part in (half, gap_days - half))
    return np.asarray(first @ second[(np.arange(DAYS) + half) % DAYS])
