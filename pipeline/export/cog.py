"""Pictures of a series: a cloud-optimised GeoTIFF a slice and variable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import xarray as xr
from numpy.typing import NDArray

from glaciolake.catalog.variables import BY_NAME, PIXEL, Surface, Variable
from glaciolake.pipeline.series import (
    SLICES_AT_ONCE,
    TIME_FORMAT,
    crs_of,
    flag_words,
    pixel_transform,
)

BLOCK_PX = 128
"""Side of a tile; overviews are made down to one tile. A lake is some hundred pixels wide."""
COLOURS = {Surface.LAND: (224, 219, 208), Surface.OTHER_WATER: (147, 183, 214), Surface.LAKE: (24, 78, 140)}


def pixel_variables(series: xr.Dataset) -> list[Variable]:
    """Variables of a series that are pictures: dims (time, y, x)."""
    return [variable for variable in BY_NAME.values() if variable.dims == PIXEL and variable.name in series]


def cog_name(pass_id: str, variable: str) -> str:
    """Name of the file: ``T121_S1A_20240916_surface.tif``."""
    return f"{pass_id}_{variable}.tif"


def write_cogs(series: xr.Dataset, path: Path) -> None:
    """Write every slice of a series as pictures, in a new folder.

    Values are packed as they are stored, with scale and no-data value in the file; overviews repeat pixels
    (nearest neighbour), they average nothing.

    Parameters
    ----------
    series
        As of `glaciolake.open_lake`: dims (time, y, x), decoded, NaN for no data.
    path
        New folder; holds a file a slice and variable afterwards.
    """
    path.mkdir()
    for variable in pixel_variables(series):
        for number, values in enumerate(_planes(series[variable.name])):
            tags = _tags(series.isel(time=number), variable)
            name = cog_name(tags["PASS_ID"], variable.name)
            _write(path / name, _packed(values, variable), variable, _profile(series) | {"tags": tags})


def _planes(array: xr.DataArray) -> Iterator[NDArray[Any]]:
    """Slices (y, x) of a variable, one after the other."""
    for start in range(0, array.sizes["time"], SLICES_AT_ONCE):
        yield from array.isel(time=slice(start, start + SLICES_AT_ONCE)).values


def _packed(values: NDArray[Any], variable: Variable) -> NDArray[Any]:
    """Undo the decoding of xarray: floats with NaN become what is stored."""
    scaled = values if variable.scale is None else values / variable.scale
    if variable.fill is None or not np.issubdtype(values.dtype, np.floating):
        return scaled.astype(variable.dtype)
    return np.where(np.isnan(values), variable.fill, np.rint(scaled)).astype(variable.dtype)


def _profile(series: xr.Dataset) -> dict[str, Any]:
    return {
        "driver": "COG",
        "crs": crs_of(series).to_wkt(),
        "transform": pixel_transform(series),
        "blocksize": BLOCK_PX,
        "compress": "DEFLATE",
        "overview_resampling": "NEAREST",
    }


def _write(path: Path, packed: NDArray[Any], variable: Variable, told: dict[str, Any]) -> None:
    tags = told.pop("tags")
    rows, columns = packed.shape
    shape = {"height": rows, "width": columns, "count": 1, "dtype": variable.dtype, "nodata": variable.fill}
    with rasterio.open(path, "w", **told, **shape) as file:
        file.write(packed, 1)
        file.update_tags(**tags)
        file.set_band_description(1, variable.name)
        if variable.scale is not None:
            file.scales, file.offsets = (variable.scale,), (0.0,)
        if variable.units:
            file.units = (variable.units,)
        if variable.name == "surface":
            file.write_colormap(1, {int(one): (*rgb, 255) for one, rgb in COLOURS.items()})


def _tags(one: xr.Dataset, variable: Variable) -> dict[str, str]:
    """Tell what a file shows: which slice, made of what, in which unit."""
    time = pd.Timestamp(one["time"].values.item())
    words = {name: str(one[name].values) for name in ("pass_id", "version", "granules")}
    area = float(one["area_m2"])
    told = {
        "TIFFTAG_DATETIME": f"{time:%Y:%m:%d %H:%M:%S}",
        "SENSING_START": f"{time:{TIME_FORMAT}}",
        "LAKE": str(one.attrs["lake"]),
        "TRACK": str(one.attrs["track"]),
        "ORBIT_STATE": str(one.attrs["orbit_state"]),
        "VARIABLE": variable.name,
        "LONG_NAME": variable.meaning,
        "UNITS": variable.units or "class",
        "FLAGS": flag_words(int(one["flags"])),
        "SOURCE": str(one.attrs["source"]),
        "MODEL": f"{one.attrs['model']} sha256:{one.attrs['model_sha256']}",
        **{name.upper(): text for name, text in words.items()},
    }
    if np.isfinite(area):
        told["AREA_M2"] = f"{area:.1f}"
    if variable.name == "surface":
        told["CLASSES"] = " ".join(f"{int(one)}={one.name.lower()}" for one in Surface)
    return told
