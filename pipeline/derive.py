"""Derived variables of a series: what is told from all its slices together, made anew with every commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from glaciolake.catalog.lake import Lake
from glaciolake.pipeline.lakes import LakeRules
from glaciolake.pipeline.state import states_of
from glaciolake.pipeline.state_levels import LEVELS

SINCE = np.datetime64("1970-01-01T00:00:00", "s")


def derive(rows: xr.Dataset, lake: Lake, rules: LakeRules) -> Mapping[str, NDArray[Any]]:
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

    Returns
    -------
    dict
        Name -> (time,): ``state`` and ``ice_probability``. Empty for a series from before levels were stored.
    """
    if not set(LEVELS) <= set(rows.data_vars):
        return {}
    times = rows["time"].values
    if not np.issubdtype(times.dtype, np.datetime64):
        rows = rows.assign_coords(time=SINCE + times.astype("timedelta64[s]"))
    elevation_m = None if np.isnan(lake.elevation_m) else lake.elevation_m
    found = states_of(rows, elevation_m, rules)
    return {"state": found.state, "ice_probability": found.ice_probability}
