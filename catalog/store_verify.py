"""Verify: read everything that is stored, name the slices that are damaged, and mark them as lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr

from glaciolake.catalog.store import Store
from glaciolake.catalog.store_access import one_line
from glaciolake.catalog.store_events import append_events
from glaciolake.catalog.store_layout import group_of, read_headers
from glaciolake.catalog.store_merge import Moment
from glaciolake.catalog.store_snapshot import Snapshot
from glaciolake.catalog.store_table import ROWS_PER_CHUNK, Status, array_of, columns_of, newest, read_rows
from glaciolake.catalog.variables import BY_NAME

TABLE = ("numbers", "texts")


@dataclass(frozen=True)
class Damage:
    """A stored chunk that cannot be read.

    Attributes
    ----------
    lake, track
        The series.
    array
        Name of the variable; ``numbers`` or ``texts`` where the table of the slices itself is hit.
    rows
        First and last row of the chunk, the last exclusive.
    passes
        Pass ids of the slices in it; none where the table is hit, which knows their names.
    reason
        What the engine or the checksum says.
    """

    lake: str
    track: str
    array: str
    rows: tuple[int, int]
    passes: tuple[str, ...]
    reason: str


def verify(store: Store) -> list[Damage]:
    """Read every stored chunk of every series and list what is damaged; empty: all is well.

    Parameters
    ----------
    store
        An open store.

    Raises
    ------
    StoreError
        The store as a whole cannot be read.
    """
    snapshot = store.snapshot()
    return [
        damage
        for lake, tracks in snapshot.series().items()
        for track in tracks
        for damage in _of_series(snapshot, lake, track)
    ]


def _of_series(snapshot: Snapshot, lake: str, track: str) -> Iterator[Damage]:
    group = group_of(snapshot.root, f"{lake}/{track}")
    table = [one for name in TABLE for one in _of_array(group, name, lake, track, ())]
    yield from table
    passes = () if table else tuple(map(str, read_rows(group).texts["pass_id"]))
    for name in sorted(group.array_keys()):
        if name in BY_NAME:
            yield from _of_array(group, name, lake, track, passes)


def _of_array(
    group: zarr.Group, name: str, lake: str, track: str, passes: tuple[str, ...]
) -> Iterator[Damage]:
    array = array_of(group, name)
    step = int(array.chunks[0])
    for start in range(0, int(array.shape[0]), step):
        stop = min(start + step, int(array.shape[0]))
        try:
            array[start:stop]
        except Exception as error:  # whatever codecs and engine raise, this chunk is lost
            hit = tuple(dict.fromkeys(one for one in passes[start:stop] if one))
            yield Damage(lake, track, name, (start, stop), hit, one_line(error))


def repair(store: Store) -> list[Damage]:
    """Mark the slices of damaged chunks as lost, so that the run that made them makes them again.

    Readers no longer see them until then; everything else stays. Where the table itself is hit, its rows are
    lost with the names of their passes: the next run finds those passes missing.

    Parameters
    ----------
    store
        An open store.

    Returns
    -------
    list of Damage
        What was marked.
    """
    found = verify(store)
    for path in sorted({f"{one.lake}/{one.track}" for one in found}):
        mine = [one for one in found if f"{one.lake}/{one.track}" == path]
        store.change(f"repair {path}", lambda session, moment: _mark(session, path, mine, moment))  # noqa: B023
    return found


def _mark(store: Any, path: str, damages: list[Damage], moment: Moment) -> bool:
    group = group_of(zarr.open_group(store, mode="r+"), path)
    lost = {one.rows for one in damages if one.array in TABLE}
    for start, stop in sorted(lost):
        _empty_table(group, start, stop)
    for one in damages:
        if one.array not in TABLE:
            _empty(array_of(group, one.array), *one.rows)
    rows = read_rows(group)
    gone = np.zeros(len(rows), bool)
    for one in damages:
        gone[slice(*one.rows)] |= one.array not in TABLE
    shown = np.concatenate([newest(rows, header.recipe) for header in read_headers(group)])
    hit = shown[gone[shown] & (rows.numbers["status"][shown] == Status.MEASURED)]
    reasons = dict.fromkeys(map(str, rows.texts["pass_id"][hit]), "stored pixels were damaged")
    if hit.size:
        append_events(group, rows.take(hit), Status.DAMAGED, reasons, moment)
    return True


def _empty(array: zarr.Array[Any], start: int, stop: int) -> None:
    """Put "no data" in place of whole chunks; nothing is read."""
    shape = (stop - start, *array.shape[1:])
    array[start:stop] = np.full(shape, array.fill_value, dtype=array.dtype)


def _empty_table(group: zarr.Group, start: int, stop: int) -> None:
    """Begin rows anew, of no pass; both halves of the table, for one without the other says nothing."""
    numbers, texts = (array_of(group, name) for name in TABLE)
    assert start % ROWS_PER_CHUNK == 0
    block = np.full((stop - start, int(numbers.shape[1])), np.nan)
    columns = columns_of(numbers)
    block[:, columns.index("arrival")] = np.arange(start, stop)
    block[:, columns.index("status")] = Status.DAMAGED
    block[:, columns.index("committed")] = 0.0
    block[:, columns.index("time")] = 0.0
    numbers[start:stop] = block
    texts[start:stop] = np.full((stop - start, int(texts.shape[1])), "", dtype=object)
    layout: Any = group.attrs["layout"]
    group.attrs["layout"] = int(layout) + 1
