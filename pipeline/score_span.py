"""The days that store and truth share: beyond them nothing is missing, and nothing too much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from glaciolake.catalog.errors import UnknownName
from glaciolake.catalog.names import parse_name
from glaciolake.catalog.simulate.truth import Truth
from glaciolake.pipeline.errors import PipelineError

Known = Literal["stored", "failed"]


@dataclass(frozen=True, order=True)
class Span:
    """Days on which passes count.

    Attributes
    ----------
    first, last
        Both count, UTC.
    first_is, last_is
        What the store knows of a pass on that day; ``stored`` where it knows both.
    """

    first: date
    last: date
    first_is: Known
    last_is: Known


def naive(times: pd.Series[pd.Timestamp]) -> pd.Series[pd.Timestamp]:
    """Give times as they lie in the store: UTC, without saying so."""
    return pd.to_datetime(times, utc=True).dt.tz_localize(None)


def within(truth: Truth, series: xr.Dataset) -> xr.Dataset:
    """Keep the slices of the archive's own days: of others its truth says nothing."""
    days = naive(truth.daily["date"])
    times = series["time"].to_index()
    inside = (times >= days.min()) & (times < days.max() + pd.Timedelta(days=1))
    return series.isel(time=np.flatnonzero(inside))


def failures(truth: Truth, quarantine: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Find the passes of the truth that the store lists as failed.

    Parameters
    ----------
    truth
        Of the archive.
    quarantine
        Of the store. A folder's file that cannot be opened makes no pass: it is listed by its own name, and
        fails the passes whose granule it belongs to.

    Returns
    -------
    dict
        ``lake/track/pass id`` -> reason.
    """
    by_granule: dict[str, str] = {}
    for key, entry in quarantine.items():
        if entry["kind"] == "refused":
            by_granule.setdefault(_granule(key), f"{key}: {entry['reason']}")
    found: dict[str, str] = {}
    for row in truth.passes.itertuples():
        key = f"{row.lake}/{row.track}/{row.pass_id}"
        refused = [by_granule[name] for name in str(row.granules).split() if name in by_granule]
        if key in quarantine:
            found[key] = quarantine[key]["reason"]
        elif refused:
            found[key] = refused[0]
    return found


def _granule(key: str) -> str:
    """Granule that an entry of the quarantine is about; "" where its name tells none."""
    try:
        return parse_name(Path(key).name).granule
    except UnknownName:
        return ""


def span_of(truth: Truth, held: Sequence[xr.Dataset], failed: Mapping[str, str]) -> Span:
    """Tell from when to when passes count.

    A store does not record for which days a run was asked. What it knows of is what was tried: slices that
    are stored, of any series, and passes that failed. So passes count from the first to the last of these;
    what a run was asked for beyond, and never found or never came to, is nowhere.

    Parameters
    ----------
    truth
        Of the archive.
    held
        Stored series, `within` its days.
    failed
        Of `failures`.

    Raises
    ------
    PipelineError
        No slice is of a day of this archive.
    """
    times = [series["time"].to_index() for series in held]
    stored = [time.date() for some in times for time in (*some[:1], *some[-1:])]
    if not stored:
        raise PipelineError(
            "no slice of the store is of a day of this archive; give the archive that it was made from"
        )
    known: list[tuple[date, Known]] = [(day, "stored") for day in stored]
    known += [(day, "failed") for day in _days(truth, failed)]
    first, last = min(day for day, _ in known), max(day for day, _ in known)
    return Span(first, last, *("stored" if day in stored else "failed" for day in (first, last)))


def _days(truth: Truth, failed: Mapping[str, str]) -> Iterator[date]:
    for row in truth.passes.itertuples():
        if f"{row.lake}/{row.track}/{row.pass_id}" in failed:
            yield pd.Timestamp(str(row.sensing_start)).date()


def during(truth: Truth, span: Span) -> Truth:
    """Truth with the passes of a span alone."""
    days = naive(truth.passes["sensing_start"]).dt.date
    inside = (days >= span.first) & (days <= span.last)
    return replace(truth, passes=truth.passes[inside.to_numpy()])
