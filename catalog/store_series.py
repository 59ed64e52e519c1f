"""Series as readers see them: CF variables and coordinates out of the rows and pixels that are current."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dask.array
import numpy as np
import xarray as xr
import zarr
from dask.base import tokenize
from numpy.typing import NDArray

from glaciolake.catalog.store_access import Place, named_damage
from glaciolake.catalog.store_header import SeriesHeader
from glaciolake.catalog.store_layout import TIME_CHUNK
from glaciolake.catalog.store_table import Rows
from glaciolake.catalog.variables import PIXEL, SLICE, TIME_UNITS, VARIABLES, Variable, attributes

DECODED = ("_FillValue", "scale_factor")
"""Attributes of the packing: xarray keeps them in the encoding of what has been decoded."""


def slices_of(rows: Rows, header: SeriesHeader, *, derived: bool = True) -> xr.Dataset:
    """Numbers and texts of slices as CF variables (time), in the order of `rows`.

    Parameters
    ----------
    rows
        A row a slice.
    header
        Their generation.
    derived
        Whether derived variables are among them.
    """
    found = {}
    for variable in VARIABLES:
        if variable.dims != SLICE or (variable.derived and not derived):
            continue
        stored = rows.texts if variable.dtype == "str" else rows.numbers
        if variable.name in stored:
            found[variable.name] = _column(variable, stored[variable.name])
    time = _moments(rows.numbers["time"])
    meta = {"standard_name": "time", "long_name": "sensing start"}
    encoding = {"units": TIME_UNITS, "calendar": "proleptic_gregorian", "dtype": np.dtype("int64")}
    return xr.Dataset(
        found, {"time": xr.Variable("time", time, meta, encoding)}, attrs=header.attributes()
    ).assign_coords(spatial_ref=header.coordinates()["spatial_ref"])


def _column(variable: Variable, stored: NDArray[Any]) -> xr.Variable:
    attrs = {key: value for key, value in attributes(variable).items() if key not in DECODED}
    if variable.dtype == "str":
        # pandas, plots and comparisons want NumPy's plain strings, not Zarr's variable-length ones
        return xr.Variable("time", stored.astype(str), attrs)
    if variable.units == TIME_UNITS:
        encoding = {"units": attrs.pop("units"), "calendar": "proleptic_gregorian", "dtype": variable.dtype}
        return xr.Variable("time", _moments(stored), attrs, encoding)
    if np.dtype(variable.dtype).kind in "iu":
        stored = np.where(np.isnan(stored), 0 if variable.fill is None else variable.fill, stored)
    return xr.Variable("time", stored.astype(variable.dtype), attrs)


def _moments(seconds: NDArray[np.float64]) -> NDArray[np.datetime64]:
    """Seconds since 1970 UTC, NaN for unknown, as datetime64[ns], NaT for unknown."""
    known = np.isfinite(seconds)
    whole = np.where(known, seconds, 0.0)
    found = np.rint(whole * 1e3).astype("int64").astype("datetime64[ms]").astype("datetime64[ns]")
    found[~known] = np.datetime64("NaT")
    return found


@dataclass(frozen=True)
class StoredPixels:
    """Pixels (time, y, x) of chosen rows, decoded when they are read; damaged ones are named.

    Attributes
    ----------
    array
        Stored array (row, y, x) of one snapshot.
    variable
        Which variable it is.
    rows
        Row of every slice, (time,).
    names
        Pass ids, (time,).
    place
        Where they lie, for messages.
    """

    array: zarr.Array[Any]
    variable: Variable
    rows: NDArray[np.intp]
    names: NDArray[Any]
    place: Place

    @property
    def shape(self) -> tuple[int, int, int]:
        """Sizes of (time, y, x)."""
        return (len(self.rows), int(self.array.shape[1]), int(self.array.shape[2]))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the decoded values."""
        return np.dtype(self.variable.dtype if self.variable.fill is None else "float32")

    @property
    def ndim(self) -> int:
        """Three."""
        return 3

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read and decode the pixels at (time, y, x): numbers, slices, lists, each along its own axis."""
        key = key if isinstance(key, tuple) else (key,)
        key = (*key, *[slice(None)] * (3 - len(key)))
        at = [np.arange(n)[one] for n, one in zip(self.shape, key, strict=True)]
        shape = tuple(size for one in at for size in one.shape)  # an axis of one number is dropped
        times, y, x = map(np.atleast_1d, at)
        if 0 in shape:
            return np.empty(shape, self.dtype)
        stored = named_damage(
            self.place, lambda: self._stored(times, y, x), lambda: self._damaged(self.names[times])
        )
        return self._decoded(stored).reshape(shape)

    def _stored(self, times: NDArray[np.intp], y: NDArray[np.intp], x: NDArray[np.intp]) -> NDArray[Any]:
        """Read what is asked for, and of a window no more than its frame."""
        rows = self.rows[times]
        frame = (slice(int(y.min()), int(y.max()) + 1), slice(int(x.min()), int(x.max()) + 1))
        if np.array_equal(rows, np.arange(rows[0], rows[0] + rows.size)):
            found = np.asarray(self.array[(slice(int(rows[0]), int(rows[-1]) + 1), *frame)])
        else:
            found = np.asarray(self.array.get_orthogonal_selection((rows, *frame)))
        inside = (_steps(y - frame[0].start), _steps(x - frame[1].start))
        return np.asarray(found[:, inside[0]][:, :, inside[1]])

    def _decoded(self, stored: NDArray[Any]) -> NDArray[Any]:
        if self.variable.fill is None:
            return stored
        found = stored.astype("float32")
        if self.variable.scale is not None:
            found *= np.float32(self.variable.scale)
        found[stored == self.variable.fill] = np.nan
        return found

    def _damaged(self, names: NDArray[Any]) -> list[str]:
        """Names of the slices that cannot be read."""
        found = []
        for name, row in zip(self.names, self.rows, strict=True):
            if name in names:
                try:
                    self.array[int(row), :1, :1]
                except Exception:  # whatever the codecs and the engine raise: this slice is lost
                    found.append(str(name))
        return found


def _steps(index: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Whole range as a slice, which copies nothing."""
    return slice(None) if np.array_equal(index, np.arange(index.size)) else index


def pixels_of(
    group: zarr.Group, variable: Variable, rows: Rows, index: NDArray[np.intp], place: Place
) -> xr.Variable:
    """Give one pixel variable (time, y, x) of rows `index`, lazily, in chunks as they are stored."""
    array = group[variable.name]
    assert isinstance(array, zarr.Array)
    source = StoredPixels(array, variable, index, rows.texts["pass_id"][index].astype(str), place)
    attrs = attributes(variable)
    encoding = {key: attrs.pop(key) for key in DECODED if key in attrs} | {"dtype": np.dtype(variable.dtype)}
    n = max(int(array.chunks[0]), TIME_CHUNK)
    name = f"{variable.name}-{tokenize(place, index)}"
    # with fancy=False dask would not hand down what is asked for of a chunk, and whole chunks were decoded
    lazy = dask.array.from_array(source, chunks=(n, -1, -1), name=name, asarray=False)
    return xr.Variable(PIXEL, lazy, attrs, encoding)


def series_of(
    group: zarr.Group, header: SeriesHeader, rows: Rows, index: NDArray[np.intp], place: Place
) -> xr.Dataset:
    """Open chosen rows of a series: numbers at once, pixels lazily.

    Parameters
    ----------
    group
        The series, of one snapshot.
    header
        Generation that the rows belong to.
    rows
        Its whole table.
    index
        Rows to give, in order of time.
    place
        Where it lies.
    """
    found = slices_of(rows.take(index), header)
    pixels = {
        variable.name: pixels_of(group, variable, rows, index, place)
        for variable in VARIABLES
        if variable.dims == PIXEL and variable.name in group
    }
    return found.assign(pixels).assign_coords(header.coordinates())
