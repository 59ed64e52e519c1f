"""Compact and expire: a season's end. Slices in order of time, in few objects; old snapshots given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.store import Store
from glaciolake.catalog.store_access import guarded
from glaciolake.catalog.store_layout import TIME_CHUNK, create_pixels, group_of, read_headers
from glaciolake.catalog.store_lock import single_writer
from glaciolake.catalog.store_merge import Moment
from glaciolake.catalog.store_table import Rows, array_of, current, read_rows, standing
from glaciolake.catalog.variables import BY_NAME

MOST_ROWS = 1024
"""Slices a chunk: one of these is some hundred megabytes of pixels, all in memory when it is written."""
SHORTEST_KEPT = timedelta(hours=1)
"""Younger snapshots may be those of readers and writers at work."""


@dataclass(frozen=True)
class Expired:
    """What an expiry gave up.

    Attributes
    ----------
    snapshots
        Snapshots that can no longer be opened.
    files
        Objects deleted, those of killed writers among them.
    bytes
        Their size.
    """

    snapshots: int
    files: int
    bytes: int


def compact(store: Store, rows_per_chunk: int = TIME_CHUNK) -> dict[str, int]:
    """Bring every series into order of time, those slices first that readers see; none is given up.

    Parameters
    ----------
    store
        An open store; runs may go on meanwhile, and readers keep the state that they have opened.
    rows_per_chunk
        Slices a stored chunk of pixels, from then on. More make fewer objects and quicker reads of a place
        through many years; a date, and an append, then handle so much more.

    Returns
    -------
    dict
        ``lake/track`` -> slices and events laid out anew; series that lay so already are not in it.

    Raises
    ------
    StoreError
        `rows_per_chunk` is out of bounds, or the store cannot be written.
    """
    if not 1 <= rows_per_chunk <= MOST_ROWS:
        raise StoreError(f"{rows_per_chunk} slices a chunk; give 1 to {MOST_ROWS}")
    moved: dict[str, int] = {}
    for lake, tracks in store.series().items():
        for track in tracks:
            path = f"{lake}/{track}"

            def step(session: Any, moment: Moment, path: str = path) -> bool:
                group = group_of(zarr.open_group(session, mode="r+"), path)
                before = group_of(store.snapshot(moment.parent).root, path)
                moved[path] = _in_order(group, before, rows_per_chunk)
                return moved[path] > 0

            store.change(f"compact {path}", step)
    return {path: n for path, n in moved.items() if n}


def order_of(rows: Rows, recipes: Sequence[str]) -> NDArray[np.intp]:
    """Order in which rows are best read: what readers see by time, then the rest by generation and time."""
    if not len(rows):
        return np.arange(0)
    shown = current(rows, standing(rows, recipes))
    rest = np.setdiff1d(np.arange(len(rows)), shown)
    names = rows.texts["recipe"][rest].astype(str)
    by = np.lexsort((rows.numbers["arrival"][rest], rows.numbers["time"][rest], names))
    return np.concatenate([shown, rest[by]])


def _in_order(group: zarr.Group, before: zarr.Group, rows_per_chunk: int) -> int:
    """Write the rows of a series anew, in order and in such chunks; 0 where they lie so.

    Parameters
    ----------
    group
        The series, writable.
    before
        The same of the snapshot that the transaction starts from: rows are read from it.
    rows_per_chunk
        Rows a chunk of pixels.
    """
    rows = read_rows(before)
    order = order_of(rows, [one.recipe for one in read_headers(before)])
    pixels = [name for name in sorted(before.array_keys()) if name in BY_NAME]
    sorted_already = np.array_equal(order, np.arange(len(rows)))
    if sorted_already and all(array_of(before, name).chunks[0] == rows_per_chunk for name in pixels):
        return 0
    if not sorted_already:
        for name in ("numbers", "texts"):
            array_of(group, name)[:] = np.asarray(array_of(before, name)[:])[order]
    for name in pixels:
        _copy_pixels(group, array_of(before, name), order, rows_per_chunk)
    layout: Any = group.attrs["layout"]
    group.attrs["layout"] = int(layout) + 1
    return len(rows)


def _copy_pixels(
    group: zarr.Group, old: zarr.Array[Any], order: NDArray[np.intp], rows_per_chunk: int
) -> None:
    new = array_of(group, old.basename)
    if new.chunks[0] != rows_per_chunk:
        del group[old.basename]  # chunks are for life
        new = create_pixels(group, BY_NAME[old.basename], old.shape, rows_per_chunk)
    for start in range(0, len(order), rows_per_chunk):
        part = order[start : start + rows_per_chunk]
        new[start : start + len(part)] = old.get_orthogonal_selection((part, slice(None), slice(None)))


def expire(store: Store, keep: timedelta) -> Expired:
    """Give up snapshots older than `keep`, and delete what only they, or killed writers, hold.

    Every version of every slice stays, and so do history, ``version=`` and ``as_of=`` a time; what goes is
    opening the store by an older snapshot's id, and the derived variables of a time before.

    Raises
    ------
    StoreError
        `keep` is less than an hour: readers and writers may be at work on those.
    """
    if keep < SHORTEST_KEPT:
        raise StoreError(f"keep is {keep}; give an hour or more, for readers and writers may be at work")
    before = datetime.now(UTC) - keep

    def step() -> Expired:
        gone = store.repository.expire_snapshots(older_than=before)
        found = store.repository.garbage_collect(before)
        files = (
            found.chunks_deleted
            + found.manifests_deleted
            + found.snapshots_deleted
            + found.transaction_logs_deleted
            + found.attributes_deleted
        )
        return Expired(len(gone), files, found.bytes_deleted)

    with single_writer(store.url):
        return guarded(store.url, step, writing=True)
