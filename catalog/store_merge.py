"""Merge: what one transaction changes in a series. All of it follows from the content of what is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.store_header import SeriesHeader, check_allowed
from glaciolake.catalog.store_layout import (
    add_generation,
    append_slices,
    group_of,
    lay_out,
    read_headers,
    rows_of,
)
from glaciolake.catalog.store_quarantine import read_quarantine, write_quarantine
from glaciolake.catalog.store_series import slices_of
from glaciolake.catalog.store_table import (
    Rows,
    Status,
    current,
    n_rows,
    read_rows,
    set_columns,
)
from glaciolake.catalog.variables import BY_NAME, PIXEL

Derive = Callable[[xr.Dataset], Mapping[str, NDArray[Any]]]
"""Current slices of a generation (1-D variables, sorted by time, none of them derived) -> derived variables
of `glaciolake.catalog.variables`, a value a slice. A pure function: called inside the transaction, and again
where another writer was faster."""


@dataclass(frozen=True)
class Batch:
    """What one transaction writes.

    Attributes
    ----------
    header
        Which series, on which grid, made with which settings.
    slices
        Variables of `glaciolake.catalog.variables` as they lie on disk (packed), dims (time, y, x) and
        (time); None where the batch only reports failures.
    failed
        Pass id -> reason, for passes that could not be read; they stay pending.
    derive
        Makes the derived variables of all current slices, stored in the same transaction; None makes none.
    new_generation
        Whether a series made with another network or other settings may get a generation beside it.
    """

    header: SeriesHeader
    slices: xr.Dataset | None
    failed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    derive: Derive | None = None
    new_generation: bool = False


class Known:
    """Versions that a series holds, remembered between the transactions of a writer.

    Rows are only ever appended, so a later look reads the new ones alone.
    """

    def __init__(self) -> None:
        self._layout: object = None
        self._n = 0
        self._last: tuple[str, ...] = ()
        self._whole: dict[tuple[str, ...], bool] = {}
        self.newest_s = -np.inf
        """When the latest row was committed, seconds since 1970 UTC."""

    def update(self, group: zarr.Group) -> None:
        """Read what has been appended since the last look."""
        fresh = group.attrs["layout"] != self._layout or n_rows(group) < self._n
        rows = read_rows(group, 0 if fresh else max(0, self._n - 1))
        if not fresh and self._n and _keys(rows)[0] != self._last:  # somebody has turned the branch back
            fresh, rows = True, read_rows(group)
        if fresh:
            self._whole, self.newest_s = {}, -np.inf
        keys = _keys(rows)
        whole = (rows.numbers["status"] != Status.DAMAGED).tolist()
        for at in np.argsort(rows.numbers["arrival"], kind="stable").tolist():
            self._whole[keys[at]] = whole[at]
        if keys:
            self._last = keys[-1]
            self.newest_s = max(self.newest_s, float(rows.numbers["committed"].max()))
        self._layout, self._n = group.attrs["layout"], n_rows(group)

    def holds(self, recipe: str, pass_id: str, version: str) -> bool:
        """Whether a version of a pass is stored; one whose pixels were lost is not."""
        return self._whole.get((recipe, pass_id, version), False)


def _keys(rows: Rows) -> list[tuple[str, ...]]:
    return list(zip(*(rows.texts[name] for name in ("recipe", "pass_id", "version")), strict=True))


@dataclass(frozen=True)
class Moment:
    """When and on top of what a transaction is made.

    Attributes
    ----------
    parent
        Snapshot that it starts from.
    now_s
        Seconds since 1970 UTC.
    """

    parent: str
    now_s: float


def merge(store: Any, batch: Batch, moment: Moment, known: Known, url: str) -> bool:
    """Bring a batch into a writable session; False where nothing had to be written."""
    root = zarr.open_group(store, mode="r+")
    header = batch.header
    path = f"{header.lake}/{header.track}"
    group = group_of(root, path) if path in root else None
    changed = False
    stored = read_headers(group) if group is not None else []
    begins = check_allowed(header, stored, url, new_generation=batch.new_generation)
    if group is not None and begins and batch.slices is not None:
        add_generation(group, header)
    done: list[str] = []
    if batch.slices is not None:
        done = [f"{path}/{text}" for text in batch.slices["pass_id"].values]
        if group is None:
            group = lay_out(root, header)
        changed = _append(group, batch, moment, known)
    if group is not None and batch.derive is not None:
        changed = write_derived(group, header, batch.derive) or changed
    entries = {key: entry for key, entry in read_quarantine(root).items() if key not in done}
    entries |= {f"{path}/{key}": dict(entry) for key, entry in batch.failed.items()}
    return write_quarantine(root, entries) or changed


def _append(group: zarr.Group, batch: Batch, moment: Moment, known: Known) -> bool:
    """Append the versions that the series does not hold; a pass that comes twice in a batch counts once."""
    known.update(group)
    slices, recipe = batch.slices, batch.header.recipe
    assert slices is not None
    ids, versions = (slices[name].values.astype(str).tolist() for name in ("pass_id", "version"))
    fresh: dict[tuple[str, str], int] = {}
    for at, key in enumerate(zip(ids, versions, strict=True)):
        if not known.holds(recipe, *key):
            fresh.setdefault(key, at)
    if not fresh:
        return False
    slices = slices.isel(time=list(fresh.values()))
    rows = stamped(rows_of(slices), group, recipe, moment, known)
    append_slices(group, rows, slices[[name for name in slices if BY_NAME[str(name)].dims == PIXEL]])
    return True


def stamped(rows: Rows, group: zarr.Group, recipe: str, moment: Moment, known: Known) -> Rows:
    """Give rows what the store itself knows of them: generation, place in the order, time of commit."""
    n, start = len(rows), n_rows(group)
    numbers = {
        "status": np.zeros(n),
        "arrival": start + np.arange(n, dtype="float64"),
        "committed": np.full(n, max(moment.now_s, known.newest_s)),
    }
    texts = {"recipe": recipe, "parent": moment.parent, "reason": ""}
    return Rows(
        numbers | dict(rows.numbers),
        {name: np.full(n, text, dtype=object) for name, text in texts.items()} | dict(rows.texts),
    )


def write_derived(group: zarr.Group, header: SeriesHeader, derive: Derive) -> bool:
    """Make the derived variables of all current slices of a generation; False where none changes.

    Raises
    ------
    StoreError
        A name is no derived variable, or there is not one value a slice.
    """
    rows = read_rows(group)
    index = current(rows, header.recipe)
    if not index.size:
        return False
    found = derive(slices_of(rows.take(index), header, derived=False))
    columns: dict[str, dict[str, NDArray[Any]]] = {"numbers": {}, "texts": {}}
    for name, values in found.items():
        variable = BY_NAME.get(name)
        if variable is None or not variable.derived or np.shape(values) != index.shape:
            raise StoreError(
                f"derived {name!r} has shape {np.shape(values)}; give variables marked as derived in "
                f"catalog/variables.py, each of shape {index.shape}"
            )
        kind = "texts" if variable.dtype == "str" else "numbers"
        stored: Any = rows.texts if variable.dtype == "str" else rows.numbers
        empty: Any = "" if variable.dtype == "str" else np.nan
        whole = np.array(stored.get(name, np.full(len(rows), empty)), dtype=object if empty == "" else float)
        whole[index] = values
        columns[kind][name] = whole
    return any([set_columns(group, kind, content) for kind, content in columns.items() if content])
