"""Tables that readers get: areas of a lake, history of a pass; and what a time means."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.store_snapshot import Choice, Snapshot
from glaciolake.catalog.store_table import Status, newest
from glaciolake.catalog.variables import BY_NAME, VARIABLES, Flag

AsOf = str | date | datetime | np.datetime64 | pd.Timestamp
"""A time, UTC, or the id of a snapshot."""

AREA_COLUMNS = (
    "lake",
    "track",
    "orbit_state",
    "time",
    "area_m2",
    "area_lower_m2",
    "area_upper_m2",
    "area_sigma_m2",
    "valid_fraction",
    "shadow_fraction",
    "pc_wet",
    "area_wet_m2",
    "pc_dry",
    "pc_invalid",
    "flags",
    "pass_id",
    "version",
    "granules",
)
"""Columns of `area_series` that are always there; derived variables follow them."""
SNAPSHOT_ID = 20
"""Characters of a snapshot's id."""


def area_table(state: Snapshot, choice: Choice) -> pd.DataFrame:
    """Give the areas of chosen slices; see `glaciolake.catalog.readers.area_series`."""
    rows, header = choice.rows.take(choice.index), choice.header
    numbers, texts = rows.numbers, rows.texts
    empty = np.full(len(rows), np.nan)
    wet, seen = numbers.get("wet_fraction", empty), numbers["valid_fraction"]
    words = {code: _flag_words(int(code)) for code in np.unique(numbers["flags"])}
    content: dict[str, object] = {
        "lake": header.lake,
        "track": header.track,
        "orbit_state": header.orbit_state,
        "time": utc_of(numbers["time"]),
        "pc_wet": 100 * wet,
        "pc_dry": 100 * (seen - wet),
        "pc_invalid": 100 * (1 - seen),
        "flags": [words[code] for code in numbers["flags"]],
    }
    for name in AREA_COLUMNS:
        if name not in content:
            content[name] = texts[name] if BY_NAME[name].dtype == "str" else numbers.get(name, empty)
    derived = [one for one in VARIABLES if one.derived]
    stored = [one for one in derived if one.name in numbers or one.name in texts]
    decoded = state.numbers(choice) if stored else {}
    more = {one.name: np.asarray(decoded[one.name]) for one in stored}
    return pd.DataFrame({name: content[name] for name in AREA_COLUMNS} | more)


def _flag_words(flags: int) -> str:
    return " ".join(str(flag.name).lower() for flag in Flag if flag & flags)


def utc_of(seconds: NDArray[np.float64]) -> pd.DatetimeIndex:
    """Give seconds since 1970 UTC as moments; NaN is NaT."""
    return pd.to_datetime(seconds, unit="s", utc=True)


def history_of(state: Snapshot, lake: str, track: str, pass_id: str | None = None) -> pd.DataFrame:
    """Give every version that a series holds; see `StoreReader.history`."""
    _, rows, headers = state.require(lake, track)
    words = {Status.MEASURED: "superseded", Status.WITHDRAWN: "withdrawn", Status.DAMAGED: "damaged"}
    status = np.array([words[Status(int(code))] for code in rows.numbers["status"]], dtype=object)
    for header in headers:
        shown = newest(rows, header.recipe)
        status[shown[rows.numbers["status"][shown] == Status.MEASURED]] = "current"
    table = pd.DataFrame(
        {
            "pass_id": rows.texts["pass_id"],
            "time": utc_of(rows.numbers["time"]),
            "committed": utc_of(rows.numbers["committed"]),
            "generation": rows.texts["recipe"],
            "version": rows.texts["version"],
            "granules_created": utc_of(rows.numbers["granules_created"]),
            "status": status,
            "reason": rows.texts["reason"],
            "granules": rows.texts["granules"],
        }
    )
    table = table.iloc[np.argsort(rows.numbers["arrival"], kind="stable")].reset_index(drop=True)
    if pass_id is None:
        return table
    found = table[table["pass_id"] == pass_id].reset_index(drop=True)
    if found.empty:
        some = ", ".join(map(str, table["pass_id"].head(3)))
        raise StoreError(
            f"{lake}/{track} in store {state.url!r} never held pass {pass_id!r}; its passes are called {some}"
        )
    return found


def moment_of(as_of: AsOf) -> pd.Timestamp | None:
    """Time that was meant, UTC; None for the id of a snapshot. A day alone means its end."""
    if isinstance(as_of, str) and len(as_of) == SNAPSHOT_ID and as_of.isalnum() and as_of.isupper():
        return None
    try:
        moment = pd.Timestamp(as_of)
    except ValueError as error:
        raise StoreError(
            f"as_of {as_of!r} is neither a time, such as 2025-03-01T12:00, nor the id of a snapshot"
        ) from error
    moment = moment.tz_localize(UTC) if moment.tzinfo is None else moment.tz_convert(UTC)
    day_alone = len(as_of) <= 10 if isinstance(as_of, str) else type(as_of) is date
    return moment + timedelta(days=1) - timedelta(microseconds=1) if day_alone else moment
