"""Where the pixels of a chip lie, and outlines drawn into them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.features import rasterize
from rasterio.warp import transform_bounds, transform_geom
from shapely import box
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from glaciolake.models.data import Bool, put_centre
from glaciolake.models.errors import ModelError

LONGITUDE_LATITUDE = "EPSG:4326"


class Grid(NamedTuple):
    """Where the pixels of a chip lie.

    Attributes
    ----------
    crs
        Coordinate reference system, as rasterio has it; None where the file says nothing.
    transform
        Column and row to its x and y, m.
    shape
        Rows and columns.
    """

    crs: Any
    transform: Affine
    shape: tuple[int, int]


def grid_of(path: Path) -> Grid:
    """Read the grid of a raster file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(path) as file:
                return Grid(file.crs, file.transform, (file.height, file.width))
        except RasterioIOError as error:
            raise ModelError(f"cannot read {path}: {error}; every image needs its mask") from error


def drawn(polygons: Sequence[BaseGeometry], grid: Grid) -> list[Bool]:
    """Draw every polygon (longitude, latitude) that touches a grid, in the frame (256, 256) of its centre."""
    bounds = rasterio.transform.array_bounds(*grid.shape, grid.transform)
    extent = box(*transform_bounds(grid.crs, LONGITUDE_LATITUDE, *bounds))
    found = []
    for one in polygons:
        if one.intersects(extent):
            placed = transform_geom(LONGITUDE_LATITUDE, grid.crs, mapping(one))
            inside = rasterize([placed], grid.shape, transform=grid.transform, dtype=np.uint8) > 0
            if inside.any():
                found.append(put_centre(inside))
    return found
