"""State of a lake's surface in every slice of a track, from backscatter, history and season.

A hidden Markov model over four states, solved exactly by the forward-backward algorithm (Rabiner 1989): the
season says how likely a lake freezes or thaws from pass to pass, `agreement` how well each slice fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from glaciolake.catalog.variables import LakeState
from glaciolake.pipeline.lakes import LakeRules
from glaciolake.pipeline.state_season import (
    DAYS,
    OPEN,
    days_of_year,
    open_months,
    steps_over,
)
from glaciolake.pipeline.state_signs import Agreement, agreement

Float64 = NDArray[np.float64]

ICE_STATES = (LakeState.FREEZING, LakeState.FROZEN, LakeState.THAWING)
"""In the order of `glaciolake.pipeline.state_season`."""
SURE = 0.65
"""Probability of ice, or of none, below which neither is said."""
ENDLESS_YEARS = 3
"""Years of season alone before the first slice: what was before is then forgotten."""


class Found(NamedTuple):
    """What is told of every slice of a series.

    Attributes
    ----------
    state
        (time,) uint8, `LakeState`.
    ice_probability
        (time,) float32, 0 to 1: that the lake is freezing, frozen or thawing, whatever the state says. NaN
        where the track does not see the lake.
    """

    state: NDArray[np.uint8]
    ice_probability: NDArray[np.float32]


def states_of(rows: xr.Dataset, elevation_m: float | None, rules: LakeRules) -> Found:
    """Tell the state of the lake in every slice of one series.

    Each slice is read with those before and after it. The newest has only a past; when later ones arrive it
    is told anew, and may change.

    Parameters
    ----------
    rows
        All slices of one lake and track, in order of time: ``time`` (datetime64, UTC), the numbers of
        `glaciolake.pipeline.state_levels.LEVELS`, ``valid_fraction`` and ``shadow_fraction`` (time).
    elevation_m
        Of the water, metres above sea; None where it is not known.
    rules
        Frozen months, and how much of a lake must be seen.
    """
    times = rows["time"].values
    fits = agreement(rows, np.isin(_months(times), open_months(rules)))
    of_year, gaps = days_of_year(times), np.diff(times.astype("datetime64[D]")).astype(np.int64)
    moves = [
        steps_over(int(gap), elevation_m, rules)[day] for day, gap in zip(of_year[:-1], gaps, strict=True)
    ]
    year = steps_over(DAYS, elevation_m, rules)[of_year[0]]
    chances = smoothed(fits.surface, moves, np.linalg.matrix_power(year, ENDLESS_YEARS)[OPEN])
    ice = 1 - chances[:, OPEN]
    kind_of_ice = np.array(ICE_STATES, np.uint8)[chances[:, 1:].argmax(axis=1)]
    state = np.where(ice > 0.5, kind_of_ice, _kind_of_water(fits))
    state[np.maximum(ice, 1 - ice) < SURE] = LakeState.UNKNOWN
    state[np.isnan(rows["lake_vv_db"].values)] = LakeState.UNKNOWN
    state[rows["valid_fraction"].values < rules.min_valid_fraction] = LakeState.INCOMPLETE
    terrain = rows["shadow_fraction"].values > 1 - rules.min_valid_fraction
    state[terrain | (not fits.sees_lake)] = LakeState.SHADOWED
    ice = ice if fits.sees_lake else np.full_like(ice, np.nan)
    return Found(state, ice.astype(np.float32))


def smoothed(fits: Float64, moves: Sequence[Float64], start: Float64) -> Float64:
    """Probabilities of the four states in every slice, given all slices.

    Parameters
    ----------
    fits
        (time, 4), above 0: likelihoods, up to a factor per slice.
    moves
        From each slice to the next, (from, to): chances; rows sum to 1.
    start
        (4,): probabilities before the first slice is looked at.

    Returns
    -------
    numpy.ndarray
        (time, 4) float64, rows sum to 1; of the last slice, those given the past.
    """
    n = len(fits)
    past, future = np.empty((n, 4)), np.ones((n, 4))
    for i in range(n):
        past[i] = _unit((past[i - 1] @ moves[i - 1] if i else start) * fits[i])
    for i in reversed(range(n - 1)):
        future[i] = _unit(moves[i] @ (fits[i + 1] * future[i + 1]))
    both = past * future
    return np.asarray(both / both.sum(axis=1, keepdims=True))


def _unit(weights: Float64) -> Float64:
    return np.asarray(weights / weights.sum())


def _kind_of_water(fits: Agreement) -> NDArray[np.uint8]:
    """Say of open water whether it is calm, windy, or no water as far as known; (time,)."""
    kinds = np.array([LakeState.OPEN, LakeState.WINDY, LakeState.UNKNOWN], np.uint8)
    return np.asarray(kinds[np.stack([fits.calm, fits.windy, fits.odd]).argmax(axis=0)])


def _months(times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return np.asarray(times.astype("datetime64[M]").astype(np.int64) % 12 + 1)
