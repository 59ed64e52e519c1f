"""The pixel grid of a raster, as a value."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pyproj import Transformer
from shapely.affinity import translate
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from glaciolake.catalog.errors import CatalogError

_RING_STEPS = 4


@dataclass(frozen=True, order=True)
class Lattice:
    """The pixel grid of a raster.

    Attributes
    ----------
    crs
        ``EPSG:32645``.
    transform
        Affine coefficients (a, b, c, d, e, f), metres: x = a col + b row + c, y = d col + e row + f.
    shape
        (rows, columns), pixels.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]
    shape: tuple[int, int]

    @property
    def bounds_m(self) -> tuple[float, float, float, float]:
        """Outer edges (left, bottom, right, top) in metres of the projected system."""
        ring = self._ring(1)
        return (*map(float, ring.min(axis=0)), *map(float, ring.max(axis=0)))  # type: ignore[return-value]

    @property
    def digest(self) -> str:
        """Eight hex digits that tell two lattices apart."""
        return hashlib.sha256(
            repr((self.crs, [*map(float, self.transform)], [*self.shape])).encode()
        ).hexdigest()[:8]

    def footprint(self) -> BaseGeometry:
        """Outline in longitude and latitude, degrees; in two parts where it crosses the antimeridian."""
        ring = self._ring(_RING_STEPS)
        longitude_deg, latitude_deg = _to_degrees(self.crs).transform(ring[:, 0], ring[:, 1])
        if not (np.isfinite(longitude_deg).all() and np.isfinite(latitude_deg).all()):
            raise CatalogError(f"its corners {self.bounds_m} lie outside {self.crs}; fetch the original file")
        if longitude_deg.max() - longitude_deg.min() <= 180:
            return Polygon(np.column_stack([longitude_deg, latitude_deg]).round(7))
        whole = Polygon(np.column_stack([longitude_deg % 360, latitude_deg]).round(7))
        east, west = box(0, -90, 180, 90), box(180, -90, 360, 90)
        return unary_union([whole & east, translate(whole & west, xoff=-360)])

    def _ring(self, steps: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Return the closed outline (4 steps + 1, 2), metres, anticlockwise as GeoJSON wants it."""
        rows, columns = self.shape
        share = np.arange(steps) / steps
        column = np.concatenate([share, np.ones(steps), 1 - share, np.zeros(steps), [0]]) * columns
        row = np.concatenate([np.zeros(steps), share, np.ones(steps), 1 - share, [0]]) * rows
        a, b, c, d, e, f = self.transform
        return np.column_stack([a * column + b * row + c, d * column + e * row + f])[::-1]


@lru_cache(maxsize=128)
def _to_degrees(crs: str) -> Transformer:
    """Return the projection's inverse; making one costs more than reading a header. Threads may share it."""
    return Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
