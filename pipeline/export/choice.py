"""Which series of a store, and which of their slices, are exported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import xarray as xr

from glaciolake.catalog.reader_tables import AsOf
from glaciolake.catalog.readers import StoreReader
from glaciolake.pipeline.errors import PipelineError

ALL = "all"


@dataclass(frozen=True)
class Choice:
    """What is asked for.

    Attributes
    ----------
    lake
        Lake id, or ``all``.
    track
        ``T121``; None takes all tracks, each by itself.
    start, end
        First and last day of sensing, UTC, both included; None leaves that side open.
    version, as_of
        An earlier generation or state, see `glaciolake.open_lake`; None takes what is current.
    """

    lake: str = ALL
    track: str | None = None
    start: date | None = None
    end: date | None = None
    version: str | None = None
    as_of: AsOf | None = None

    def __post_init__(self) -> None:
        if self.start and self.end and self.end < self.start:
            raise PipelineError(f"end {self.end} is before start {self.start}; swap them")


def chosen(store: StoreReader, choice: Choice) -> list[xr.Dataset]:
    """Open the series that a choice names, cut to its days.

    Parameters
    ----------
    store
        The state that they are read from.
    choice
        What is asked for.

    Returns
    -------
    list of xr.Dataset
        As of `glaciolake.open_lake`, sorted by lake and track, one slice at least in each. Of ``all`` lakes
        those without the track or without a slice in these days are left out.

    Raises
    ------
    PipelineError
        The store has no such lake or track, or no slice in these days; says what there is.
    StoreError
        It has no such version or state.
    """
    named = _named(store, choice)
    found = [
        store.open_lake(lake, track, version=choice.version, as_of=choice.as_of) for lake, track in named
    ]
    cut = [_within(series, choice) for series in found]
    kept = [series for series in cut if series.sizes["time"]]
    if not kept:
        raise PipelineError(
            f"store {store.url!r} has no slice from {choice.start or 'its first'} to "
            f"{choice.end or 'its last'}; give other days: {'; '.join(_span(series) for series in found)}"
        )
    return kept


def _named(store: StoreReader, choice: Choice) -> list[tuple[str, str]]:
    """(lake, track) of the series that a choice names; one at least."""
    held = store.lakes
    lakes = list(held) if choice.lake == ALL else [choice.lake]
    wanted = choice.track.upper() if choice.track else None
    named = [
        (lake, track) for lake in lakes for track in held.get(lake, ()) if wanted is None or track == wanted
    ]
    if not named:
        there = "; ".join(f"{lake}: {', '.join(tracks)}" for lake, tracks in held.items()) or "nothing yet"
        asked = f"lake {choice.lake!r}" + (f" on track {wanted!r}" if wanted else "")
        raise PipelineError(f"store {store.url!r} has no series of {asked}; it holds {there}")
    return named


def _within(series: xr.Dataset, choice: Choice) -> xr.Dataset:
    time = series["time"].values
    inside = np.ones(time.shape, dtype=bool)
    if choice.start:
        inside &= time >= np.datetime64(choice.start)
    if choice.end:
        inside &= time < np.datetime64(choice.end) + np.timedelta64(1, "D")
    return series if inside.all() else series.isel(time=np.flatnonzero(inside))


def _span(series: xr.Dataset) -> str:
    name = f"{series.attrs['lake']}/{series.attrs['track']}"
    if not series.sizes["time"]:
        return f"{name} is empty"
    first, last = pd.to_datetime(series["time"].values[[0, -1]])
    return f"{name} has {first:%Y-%m-%d} to {last:%Y-%m-%d}"
