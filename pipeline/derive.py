"""Derived variables of a series: what is told from all its slices together, made anew with every commit."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from glaciolake.catalog.variables import LakeState
from glaciolake.models.area_interval import interval_factor
from glaciolake.models.spec import ModelRef
from glaciolake.pipeline.comparable import NEEDED, comparable
from glaciolake.pipeline.lakes import LakeRules
from glaciolake.pipeline.state import states_of
from glaciolake.pipeline.state_levels import LEVELS

SINCE = np.datetime64("1970-01-01T00:00:00", "s")


def derive(
    rows: xr.Dataset, elevation_m: float, rules: LakeRules, factor: float = np.nan
) -> Mapping[str, NDArray[Any]]:
    """Derive variables from the current slices of one lake and track; a pure function of them.

    Parameters
    ----------
    rows
        The one-dimensional variables of all slices, in order of time; ``time`` as datetime64 or as seconds
        since 1970, UTC.
    elevation_m
        Of the water, metres above sea; NaN where it is not known.
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
        states = states_of(rows, None if np.isnan(elevation_m) else elevation_m, rules)
        found = {"state": states.state, "ice_probability": states.ice_probability}
        open_water = states.state == int(LakeState.OPEN)
    if set(NEEDED) <= held:
        found |= comparable(rows, factor, open_water=open_water)
    return found


def derive_as_made(rows: xr.Dataset) -> Mapping[str, NDArray[Any]]:
    """Derive variables anew with the settings that a series was made with, as its attributes say them.

    Parameters
    ----------
    rows
        As of `derive`, with the attributes of a stored series: ``settings``, ``model``, ``model_sha256``.

    Returns
    -------
    dict
        As of `derive`. Without area intervals for a network that is not shipped, until a run writes to the
        series: its card is not in the store.
    """
    settings = json.loads(rows.attrs["settings"])
    rules = LakeRules.model_validate(settings.get("rules", {}))
    network = ModelRef(str(rows.attrs["model"]), str(rows.attrs["model_sha256"]))
    return derive(rows, float(settings.get("elevation_m", math.nan)), rules, interval_factor(network))
