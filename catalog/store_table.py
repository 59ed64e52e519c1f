"""Table: the numbers and texts of a series' slices, a row a version, in the order of their arrival.

Rows are never rewritten by later slices. A version is a row; a withdrawal is a row too, and so the history of
a pass is what the table holds of it. Which rows are current follows from their content: readers and writers
choose alike, whoever wrote first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec

from glaciolake.catalog.variables import SLICE, VARIABLES

ROWS_PER_CHUNK = 512
"""Rows a stored chunk: ten years of a track are one or two objects, and an append rewrites one."""
NUMBERS_PER_CHUNK, TEXTS_PER_CHUNK = 64, 16
"""Columns a stored chunk; more columns than these start another one."""
OWN_NUMBERS = ("time", "arrival", "committed", "status")
OWN_TEXTS = ("recipe", "parent", "reason")


class Status(IntEnum):
    """What a row says of its pass."""

    MEASURED = 0
    WITHDRAWN = 1
    DAMAGED = 2
    """Its stored pixels are lost; the next run makes the slice again."""


@dataclass(frozen=True)
class Rows:
    """Rows of a series' table, in order of arrival unless said otherwise.

    Attributes
    ----------
    numbers
        Column -> (row,) float64, NaN where nothing is known. Beside variables: ``time`` (sensing start) and
        ``committed`` (both seconds since 1970 UTC), ``arrival`` (0, 1, ...), ``status`` (`Status`).
    texts
        Column -> (row,) object array of str. Beside variables: ``recipe`` (generation), ``parent`` (snapshot
        before the commit), ``reason`` (of a withdrawal).
    """

    numbers: Mapping[str, NDArray[np.float64]]
    texts: Mapping[str, NDArray[np.object_]]

    def __len__(self) -> int:
        return len(self.numbers["time"])

    def take(self, index: NDArray[Any]) -> Rows:
        """Give rows `index`, integers or bool, in that order."""
        return Rows(
            {name: values[index] for name, values in self.numbers.items()},
            {name: values[index] for name, values in self.texts.items()},
        )


def lay_out_table(group: zarr.Group) -> None:
    """Make an empty table in the group of a new series."""
    columns = [one for one in VARIABLES if one.dims == SLICE]
    numbers = [*OWN_NUMBERS, *(one.name for one in columns if one.dtype != "str")]
    texts = [*OWN_TEXTS, *(one.name for one in columns if one.dtype == "str")]
    group.create_array(
        "numbers",
        shape=(0, len(numbers)),
        chunks=(ROWS_PER_CHUNK, NUMBERS_PER_CHUNK),
        dtype="float64",
        fill_value=np.nan,
        compressors=(ZstdCodec(level=3), Crc32cCodec()),
        dimension_names=("row", "number"),
        attributes={"columns": numbers},
    )
    group.create_array(
        "texts",
        shape=(0, len(texts)),
        chunks=(ROWS_PER_CHUNK, TEXTS_PER_CHUNK),
        dtype=str,
        fill_value="",
        compressors=(ZstdCodec(level=3), Crc32cCodec()),
        dimension_names=("row", "text"),
        attributes={"columns": texts},
    )


def array_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Array of a group; a KeyError where it is missing or a group."""
    found = group[name]
    if not isinstance(found, zarr.Array):
        raise KeyError(name)
    return found


def columns_of(array: zarr.Array[Any]) -> list[str]:
    """Names of the columns of ``numbers`` or ``texts``."""
    names: Any = array.attrs["columns"]
    return [str(name) for name in names]


def n_rows(group: zarr.Group) -> int:
    """Rows that a series holds, of all versions."""
    return int(array_of(group, "numbers").shape[0])


def read_rows(group: zarr.Group, start: int = 0) -> Rows:
    """Read the rows of a series from row `start` on."""
    numbers, texts = array_of(group, "numbers"), array_of(group, "texts")
    found, words = np.asarray(numbers[start:]), np.asarray(texts[start:]).astype(object)
    return Rows(
        {name: np.ascontiguousarray(found[:, i]) for i, name in enumerate(columns_of(numbers))},
        {name: words[:, i] for i, name in enumerate(columns_of(texts))},
    )


def read_texts(group: zarr.Group, names: Sequence[str], start: int = 0) -> dict[str, list[str]]:
    """Read some text columns from row `start` on."""
    array = array_of(group, "texts")
    columns, words = columns_of(array), np.asarray(array[start:])
    return {name: [str(text) for text in words[:, columns.index(name)]] for name in names}


def append_rows(group: zarr.Group, rows: Rows) -> None:
    """Append rows; a column that the table does not have yet is added, empty for those before."""
    for name, columns, empty in (("numbers", rows.numbers, np.nan), ("texts", rows.texts, "")):
        array = array_of(group, name)
        known = ensure_columns(array, list(columns))
        n = int(array.shape[0])
        block = np.full((len(rows), len(known)), empty, dtype="float64" if name == "numbers" else object)
        for column, values in columns.items():
            block[:, known.index(column)] = values
        array.resize((n + len(rows), len(known)))
        array[n:] = block


def ensure_columns(array: zarr.Array[Any], names: Sequence[str]) -> list[str]:
    """Add the columns that are missing and give all of them, in order."""
    known = columns_of(array)
    fresh = [name for name in names if name not in known]
    if fresh:
        known += fresh
        array.resize((int(array.shape[0]), len(known)))
        array.attrs["columns"] = known
    return known


def set_columns(group: zarr.Group, name: str, values: Mapping[str, NDArray[Any]]) -> bool:
    """Give columns of ``numbers`` or ``texts`` new values, (row,); False where they have them already."""
    array = array_of(group, name)
    known = ensure_columns(array, list(values))
    old = np.asarray(array[:])
    new = old.copy()
    for column, content in values.items():
        new[:, known.index(column)] = content
    same = (old == new) | ((old != old) & (new != new))  # NaN differs from itself
    changed = np.flatnonzero(~np.asarray(same, bool).all(axis=1))
    if not changed.size:
        return False
    first, last = (int(row) // ROWS_PER_CHUNK for row in (changed[0], changed[-1]))
    part = slice(first * ROWS_PER_CHUNK, (last + 1) * ROWS_PER_CHUNK)
    array[part] = new[part]
    return True


def newest(rows: Rows, recipe: str) -> NDArray[np.intp]:
    """Find the newest row of every pass of a generation, withdrawn and damaged ones included.

    Newest is the version whose latest granule was processed last; of equals that with more granules; then
    that which came later. So a version that arrives late, from a source that lags behind, replaces nothing.

    Parameters
    ----------
    rows
        Of one series.
    recipe
        Generation.

    Returns
    -------
    numpy.ndarray
        Positions in `rows`, sorted by (sensing start, pass id).
    """
    own: NDArray[np.intp] = np.flatnonzero(rows.texts["recipe"] == recipe)
    if not own.size:
        return own
    passes = rows.texts["pass_id"][own].astype(str)
    created = np.nan_to_num(rows.numbers["granules_created"][own], nan=-np.inf)
    n_granules = np.array([text.count(" ") for text in rows.texts["granules"][own]])
    order = np.lexsort((rows.numbers["arrival"][own], n_granules, created, passes))
    last = np.append(passes[order][1:] != passes[order][:-1], True)
    found = own[order[last]]
    by_time: NDArray[np.intp] = found[np.lexsort((passes[order[last]], rows.numbers["time"][found]))]
    return by_time


def current(rows: Rows, recipe: str) -> NDArray[np.intp]:
    """Find the rows that readers see of a generation: the newest of every pass that still stands.

    Parameters and positions are those of `newest`.
    """
    found = newest(rows, recipe)
    shown: NDArray[np.intp] = found[rows.numbers["status"][found] == Status.MEASURED]
    return shown


def standing(rows: Rows, recipes: Sequence[str]) -> str:
    """Choose the generation that readers see: the newest that is complete.

    A later generation takes over when it holds every pass that the one before it shows, or has withdrawn it.

    Parameters
    ----------
    rows
        Of one series.
    recipes
        Its generations, oldest first.
    """
    chosen = recipes[0]
    for later in recipes[1:]:
        shown = set(rows.texts["pass_id"][current(rows, chosen)])
        there = newest(rows, later)
        there = there[rows.numbers["status"][there] != Status.DAMAGED]
        if shown <= set(rows.texts["pass_id"][there]):
            chosen = later
    return chosen
