"""How a series lies in its Zarr group: generations, the table of its slices, their pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, BloscShuffle, Crc32cCodec

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.store_header import SIMULATED_SOURCE as SIMULATED_SOURCE
from glaciolake.catalog.store_header import SOURCE as SOURCE
from glaciolake.catalog.store_header import SeriesHeader as SeriesHeader
from glaciolake.catalog.store_table import Rows, append_rows, array_of, lay_out_table, n_rows
from glaciolake.catalog.variables import BY_NAME, PIXEL, STORE_VERSION, Variable, attributes

TIME_CHUNK = 16
"""Slices a stored chunk: a date reads one chunk, ten years of one pixel some thirty."""


def group_of(root: zarr.Group, path: str) -> zarr.Group:
    """Group at a path below `root`; a KeyError where it is missing or an array."""
    found = root[path]
    if not isinstance(found, zarr.Group):
        raise KeyError(path)
    return found


def write_root(store: Any) -> bool:
    """Give a new store its root; False where another writer has done it."""
    root = zarr.open_group(store, mode="a")
    if "glaciolake_store_version" in root.attrs:
        return False
    root.attrs.update(
        {
            "glaciolake_store_version": STORE_VERSION,
            "title": "Glacial lakes on Sentinel-1, one group per lake and relative orbit",
            "reading": "rows lie in the order of their arrival, old versions among them; read the store with "
            "glaciolake.open_lake, or export it",
        }
    )
    return True


def read_headers(group: zarr.Group) -> list[SeriesHeader]:
    """Headers of a series' generations, oldest first."""
    stored: Any = group.attrs["generations"]
    return [SeriesHeader.of(one) for one in stored]


def lay_out(root: zarr.Group, header: SeriesHeader) -> zarr.Group:
    """Create the empty group of a series."""
    group = root.create_group(f"{header.lake}/{header.track}")
    group.attrs.update({"generations": [header.stored()], "layout": 0})
    lay_out_table(group)
    return group


def add_generation(group: zarr.Group, header: SeriesHeader) -> None:
    """Note a further generation of a series."""
    stored: Any = group.attrs["generations"]
    group.attrs["generations"] = [*stored, header.stored()]


def append_slices(group: zarr.Group, rows: Rows, pixels: xr.Dataset | None) -> None:
    """Append slices, or withdrawals, which have no pixels.

    Parameters
    ----------
    group
        The series, writable.
    rows
        Numbers and texts of the new rows.
    pixels
        Packed variables (time, y, x), a slice a row; None leaves them empty.
    """
    start, stop = n_rows(group), n_rows(group) + len(rows)
    packed = {} if pixels is None else {str(name): pixels[name].values for name in pixels.data_vars}
    shape = None if pixels is None else (pixels.sizes["y"], pixels.sizes["x"])
    for name in packed:
        if name not in group and shape is not None:
            create_pixels(group, BY_NAME[name], (start, *shape))
    names = [name for name in group.array_keys() if name in BY_NAME]
    append_rows(group, rows)

    def write(name: str) -> None:
        array = array_of(group, name)
        array.resize((stop, *array.shape[1:]))
        if name in packed:
            array[start:] = packed[name]

    with ThreadPoolExecutor(max(1, len(names))) as pool:  # each is a handful of waits for disk or network
        list(pool.map(write, names))


def create_pixels(
    group: zarr.Group, variable: Variable, shape: Sequence[int], rows_per_chunk: int = TIME_CHUNK
) -> zarr.Array[Any]:
    """Make the array of a pixel variable; its `shape` (row, y, x) is filled with "no data"."""
    return group.create_array(
        variable.name,
        shape=tuple(shape),
        chunks=(rows_per_chunk, *shape[1:]),
        dtype=variable.dtype,
        fill_value=variable.fill,
        compressors=(BloscCodec(cname="zstd", clevel=5, shuffle=BloscShuffle.bitshuffle), Crc32cCodec()),
        dimension_names=("row", "y", "x"),
        attributes=_plain(attributes(variable)),
    )


def _plain(attrs: Mapping[str, object]) -> dict[str, Any]:
    """Attributes as JSON takes them: NumPy's numbers as Python's."""
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in attrs.items()}


def rows_of(slices: xr.Dataset) -> Rows:
    """Numbers and texts of packed slices, (time) and (time, y, x), as rows."""
    numbers: dict[str, NDArray[np.float64]] = {"time": slices["time"].values.astype("float64")}
    texts: dict[str, NDArray[np.object_]] = {}
    for name in map(str, slices.data_vars):
        variable = BY_NAME.get(name)
        if variable is None:
            raise StoreError(f"{name!r} is no variable of the store; give it a row in catalog/variables.py")
        if variable.dims == PIXEL:
            continue
        values = slices[name].values
        if variable.dtype == "str":
            texts[name] = values.astype(object)
        else:
            numbers[name] = values.astype("float64")
    n = slices.sizes["time"]
    numbers.setdefault("granules_created", np.full(n, np.nan))
    return Rows(numbers, texts)
