"""Cubes of a series: plain Zarr v3 and NetCDF-4, both CF-1.11, packed as they are stored."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from glaciolake import __version__
from glaciolake.catalog.store_layout import TIME_CHUNK
from glaciolake.catalog.variables import BY_NAME, SLICE, TIME_UNITS, Variable, attributes
from glaciolake.pipeline.errors import PipelineError

AREAS = ("area_lower_m2", "area_upper_m2", "area_sigma_m2")
COMMENT = (
    "One lake on one relative orbit. Areas of different orbits are not comparable. Pixels that were not seen "
    "are unknown, neither land nor water. See the flags before you read an area as a change of the lake."
)
CALENDAR = "proleptic_gregorian"
PACKING = ("_FillValue", "scale_factor", "add_offset", "dtype")
"""Attributes that xarray wants as encoding."""


def write_zarr(series: xr.Dataset, path: Path) -> None:
    """Write a series as a Zarr v3 group with consolidated metadata.

    Parameters
    ----------
    series
        As of `glaciolake.open_lake`: dims (time, y, x), decoded, NaN for no data.
    path
        New folder.
    """
    cube = encoded(series)
    for name, array in cube.data_vars.items():
        if array.ndim == 3:  # texts and numbers are in memory, and stay one chunk
            cube[name] = array.variable.chunk({"time": TIME_CHUNK, "y": -1, "x": -1})
    with warnings.catch_warnings():
        # readers over a network want it; zarr-python warns that the specification of v3 has no word on it
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        cube.to_zarr(path, mode="w-", zarr_format=3, consolidated=True)


def write_netcdf(series: xr.Dataset, path: Path) -> None:
    """Write a series as one NetCDF-4 file, deflated.

    Parameters
    ----------
    series
        As of `glaciolake.open_lake`: dims (time, y, x), decoded, NaN for no data.
    path
        New file.

    Raises
    ------
    PipelineError
        h5netcdf is not installed.
    """
    try:
        import h5netcdf  # noqa: F401  # xarray's own message does not say which extra brings it
    except ImportError as error:
        raise PipelineError(f"NetCDF needs h5netcdf ({error}); pip install 'glaciolake[export]'") from error
    cube = encoded(series)
    for array in cube.data_vars.values():
        if array.ndim == 3:
            shape = (min(TIME_CHUNK, array.shape[0]), *array.shape[1:])
            array.encoding |= {"zlib": True, "complevel": 4, "shuffle": True, "chunksizes": shape}
    cube.to_netcdf(path, engine="h5netcdf", format="NETCDF4")


def encoded(series: xr.Dataset) -> xr.Dataset:
    """Give a series the attributes and encodings of CF: packed values, typed flags, time in seconds.

    Returns
    -------
    xr.Dataset
        The same values; every variable in the order of `glaciolake.catalog.variables`.
    """
    names = [name for name in BY_NAME if name in series]
    cube = series[names].copy()
    for name in names:
        _encode(cube[name], BY_NAME[name])
    known = [name for name in AREAS if name in cube]
    cube["area_m2"].attrs["ancillary_variables"] = " ".join([*known, "flags"])
    for axis in ("x", "y"):
        cube[axis].attrs["axis"] = axis.upper()
        cube[axis].encoding = {"_FillValue": None}  # CF: a coordinate has no missing values
    cube["time"].attrs = {"standard_name": "time", "long_name": "sensing start", "axis": "T"}
    cube["time"].encoding = {"units": TIME_UNITS, "calendar": CALENDAR, "dtype": "int64"}
    cube["spatial_ref"].encoding = {}
    done = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}: exported by glaciolake {__version__}"
    cube.attrs = dict(series.attrs) | {"comment": COMMENT, "history": done}
    return cube


def _encode(array: xr.DataArray, variable: Variable) -> None:
    told = attributes(variable)
    array.encoding = {key: told.pop(key) for key in PACKING if key in told}
    if variable.dtype == "str":
        array.values = array.values.astype(object)
    else:
        array.encoding["dtype"] = variable.dtype
    if np.issubdtype(array.dtype, np.datetime64):  # its unit is what xarray encodes it by
        array.encoding |= {"units": told.pop("units"), "calendar": CALENDAR}
    if variable.dims == SLICE:
        array.encoding["coordinates"] = None  # the grid is none of theirs
    array.attrs = {key: _typed(value, variable) for key, value in told.items()}


def _typed(value: Any, variable: Variable) -> Any:
    """Flag values and masks are of the type of their variable, says CF."""
    return np.array(value, dtype=variable.dtype) if isinstance(value, list) else value
