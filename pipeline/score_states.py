"""States that the store tells beside the true ones, and beside two calendars that look at no image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from glaciolake.catalog.simulate.truth import State
from glaciolake.catalog.variables import Flag, LakeState

Bool = NDArray[np.bool_]

WINDY_M_PER_S = 7.0
"""Open water in a wind from here on should be told as windy: simulated VV is then 4 dB over its median."""
ICE = (State.FREEZING, State.FROZEN, State.THAWING)
TOLD, CALENDAR, OTHER_YEARS = "told", "calendar", "other_years"
"""Columns: what the store tells; the frozen-season flag, a calendar; the commonest true state of the lake on
that day of other years. Words of `LakeState`, "" for none."""
SCORED = ("open", "windy", "freezing", "frozen", "thawing", "any ice")


@dataclass(frozen=True)
class Hits:
    """How often a state was told and true: counts of slices."""

    n_told: int
    n_both: int
    n_true: int

    @property
    def precision(self) -> float:
        """Share of told ones that are true, 0..1; NaN of none."""
        return self.n_both / self.n_told if self.n_told else math.nan

    @property
    def recall(self) -> float:
        """Share of true ones that are told, 0..1; NaN of none."""
        return self.n_both / self.n_true if self.n_true else math.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0..1; NaN where the state is neither told nor true."""
        both = self.n_told + self.n_true
        return 2 * self.n_both / both if both else math.nan


@dataclass(frozen=True)
class StateScore:
    """How well one state is told, by the store and by the two constants; `state` is one of `SCORED`."""

    state: str
    told: Hits
    calendar: Hits
    other_years: Hits


def with_states(slices: pd.DataFrame, series: xr.Dataset, days: pd.DataFrame) -> pd.DataFrame:
    """Add what the store and the calendars tell of every slice.

    Parameters
    ----------
    slices
        Rows of `glaciolake.pipeline.score_truth.Matched.slices`.
    series
        As `glaciolake.open_lake` gives it; without ``state`` the store tells none.
    days
        Truth of the lake's days: ``date``, ``state``.

    Returns
    -------
    pandas.DataFrame
        With the columns `TOLD`, `CALENDAR`, `OTHER_YEARS`; "" where a slice is not stored or nothing is told.
    """
    held = series["state"].values if "state" in series else np.full(series.sizes["time"], np.nan)
    names = {float(one): one.name.lower() for one in LakeState}
    words = np.array([names.get(float(value), "") for value in held] + [""], dtype=object)
    frozen = (slices["flags"] & int(Flag.FROZEN_SEASON)) != 0
    calendar = np.where(frozen, State.FROZEN.value, State.OPEN.value)
    stored = slices["stored"]
    return slices.assign(
        **{
            TOLD: words[slices["at"].to_numpy()],
            CALENDAR: np.where(stored, calendar, ""),
            OTHER_YEARS: np.where(stored, _of_other_years(slices["time"], days), ""),
        }
    )


def _of_other_years(times: pd.Series[Any], days: pd.DataFrame) -> list[str]:
    """Commonest true state (slice) on the same day of other calendar years; "" where there is no other."""
    by_day = days.assign(
        year=days["date"].dt.year, month_day=100 * days["date"].dt.month + days["date"].dt.day
    )
    table = by_day.pivot_table(index="month_day", columns="year", values="state", aggfunc="first")
    found = []
    for time in times:
        month_day = 100 * time.month + time.day
        if month_day not in table.index:
            found.append("")
            continue
        others = table.loc[month_day].drop(time.year, errors="ignore").dropna()
        found.append(str(others.mode().iloc[0]) if len(others) else "")
    return found


def state_scores(slices: pd.DataFrame) -> tuple[StateScore, ...]:
    """Score the states of some slices.

    Parameters
    ----------
    slices
        Of `with_states`; those that are not stored do not count.

    Returns
    -------
    tuple of StateScore
        One for each of `SCORED`; empty where the store tells no states at all.
    """
    stored = slices[slices["stored"]]
    if stored[TOLD].isin(("", LakeState.UNKNOWN.name.lower())).all():
        return ()
    return tuple(
        StateScore(state, *(_hits(stored, state, whose) for whose in (TOLD, CALENDAR, OTHER_YEARS)))
        for state in SCORED
    )


def _hits(stored: pd.DataFrame, state: str, whose: str) -> Hits:
    told, true = _said(stored[whose], state), _true(stored, state)
    return Hits(int(told.sum()), int((told & true).sum()), int(true.sum()))


def _said(words: pd.Series[Any], state: str) -> Bool:
    meant: Mapping[str, tuple[str, ...]] = {"open": ("open", "windy"), "any ice": tuple(map(str, ICE))}
    return words.isin(meant.get(state, (state,))).to_numpy()


def _true(stored: pd.DataFrame, state: str) -> Bool:
    if state == "windy":
        windy = (stored["state"] == State.OPEN) & (stored["wind_m_per_s"] >= WINDY_M_PER_S)
        return windy.to_numpy()
    return stored["state"].isin(tuple(map(str, ICE)) if state == "any ice" else (state,)).to_numpy()


def state_numbers(together: pd.DataFrame, each: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Scores for machines, a row a series and state; shares 0..1."""
    return [
        {"series": name, "state": one.state}
        | {
            f"{who}_{what}": getattr(getattr(one, who), what)
            for who in (TOLD, CALENDAR, OTHER_YEARS)
            for what in ("n_told", "n_both", "n_true", "precision", "recall", "f1")
        }
        for name, slices in {"all series": together, **each}.items()
        for one in state_scores(slices)
    ]
