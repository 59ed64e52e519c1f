"""The reference outline of a lake on the pixels of a series."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from rasterio.features import rasterize
from shapely import get_coordinates
from shapely.geometry import Polygon

Bool = NDArray[np.bool_]


def outline_mask(outline: Polygon, grid: GeoBox) -> Bool:
    """Pixels whose centre lies in the outline.

    Parameters
    ----------
    outline
        Lon/lat polygon, degrees WGS 84.
    grid
        Grid of the series.

    Returns
    -------
    numpy.ndarray
        (y, x) bool.
    """
    return _burned(_projected(outline, grid), grid)


def beyond_px(outline: Polygon, grid: GeoBox) -> int:
    """Count the pixels of an outline that lie beyond the grid, on the grid's own lattice.

    Parameters
    ----------
    outline
        Lon/lat polygon, degrees WGS 84.
    grid
        Grid of the series.
    """
    local = _projected(outline, grid)
    columns, rows = ~grid.affine @ get_coordinates(local.geom).T
    rim = max(0, *(math.ceil(over) for over in (-columns.min(), columns.max() - grid.shape[1])))
    rim = max(rim, *(math.ceil(over) for over in (-rows.min(), rows.max() - grid.shape[0])))
    return int(_burned(local, grid.pad(rim)).sum() - _burned(local, grid).sum()) if rim else 0


def _projected(outline: Polygon, grid: GeoBox) -> Geometry:
    return Geometry(outline, crs="EPSG:4326").to_crs(str(grid.crs), resolution=0.001)


def _burned(local: Geometry, grid: GeoBox) -> Bool:
    burned = rasterize([local.geom], out_shape=grid.shape, transform=grid.affine, dtype="uint8")
    return np.asarray(burned, dtype=bool)
