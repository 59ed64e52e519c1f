"""Derived variables of a series: what is told from all its slices together, made anew with every commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from glaciolake.catalog.lake import Lake
from glaciolake.catalog.variables import LakeState
from glaciolake.pipeline.comparable import NEEDED, comparable
from glaciolake.pipeline.lakes import LakeRules
from glaciolake.pipeline.state import states_of
from glaciolake.pipeline.state_levels import LEVELS

SINCE = np.datetime64("1970-01-01T00:00:00", "s")


def derive(
    rows: xr.Dataset, lake: Lake, rules: LakeRules, factor: float = np.nan
) -> Mapping[str, NDArray[Any]]:
    """Derive variables from the current slices of one lake and track; a pure function of them.

    Parameters
    ----------
    rows
        The one-dimensional variables of all slices, in order of time; ``time`` as datetime64 or as seconds
        since 1970, UTC.
    lake
        Registry entry.
    rules
        Of the run.
    factor
        Of the network's area intervals, see `glaciolake.pipeline.comparable.comparable`.

    Returns
    -------
    dict
        Name -> (time,): ``state`` and ``ice_probability``, and those of
        `glaciolake.pipeline.comparable.COMPARABLE`; without those that a series from before their
        measurements were stored cannot have.
    """
    times = rows["time"].values
    if not np.issubdtype(times.dtype, np.datetime64):
        rows = rows.assign_coords(time=SINCE + times.astype("timedelta64[s]"))
    held, found, open_water = set(rows.data_vars), dict[str, NDArray[Any]](), None
    if set(LEVELS) <= held:
        elevation_m = None if np.isnan(lake.elevation_m) else lake.elevation_m
        states = states_of(rows, elevation_m, rules)
        found = {"state": states.state, "ice_probability": states.ice_probability}
        open_water = states.state == int(LakeState.OPEN)
    if set(NEEDED) <= held:
        found |= comparable(rows, factor, open_water=open_water)
    return found
