"""The days that store and truth share: beyond them nothing is missing, and nothing too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from glaciolake.catalog.simulate.truth import Truth
from glaciolake.pipeline.errors import PipelineError


def naive(times: pd.Series[pd.Timestamp]) -> pd.Series[pd.Timestamp]:
    """Give times as they lie in the store: UTC, without saying so."""
    return pd.to_datetime(times, utc=True).dt.tz_localize(None)


def within(truth: Truth, series: xr.Dataset) -> xr.Dataset:
    """Keep the slices of the archive's own days: of others its truth says nothing."""
    days = naive(truth.daily["date"])
    times = series["time"].to_index()
    inside = (times >= days.min()) & (times < days.max() + pd.Timedelta(days=1))
    return series.isel(time=np.flatnonzero(inside))


def while_stored(truth: Truth, held: Sequence[xr.Dataset]) -> Truth:
    """Truth of the days from the store's first slice to its last, of any series: others were not run."""
    times = [time for series in held if series.sizes["time"] for time in series["time"].to_index()[[0, -1]]]
    if not times:
        raise PipelineError(
            "no slice of the store is of a day of this archive; give the archive that it was made from"
        )
    days = naive(truth.passes["sensing_start"]).dt.normalize()
    inside = days.between(min(times).normalize(), max(times).normalize())
    return replace(truth, passes=truth.passes[inside.to_numpy()])
