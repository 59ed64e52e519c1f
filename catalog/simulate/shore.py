"""Where the water stands: from level and calving front to coverage, area, volume and outline.

A basin is a signed distance from its mean shore and the slope of its banks; the bed follows from both in
closed form, so that area, volume and level belong together as they do in nature.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import contourpy
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from shapely.geometry.base import BaseGeometry

from glaciolake.catalog.simulate.sites import Basin

Float = NDArray[np.float32]

SPACING_M = 30.0
FINE = 3
"""Cells of truth a pixel of the ground, each way: 10 m."""
LOWEST = 0.9999
"""Share of the depth that a level can fall by; below it there is no bed."""


class Stand(NamedTuple):
    """How high the water stands and how far the glacier has gone back.

    Attributes
    ----------
    level_m
        Against the mean level.
    front_m
        Retreat of the calving front since `sites.EPOCH`.
    """

    level_m: float
    front_m: float


@dataclass(frozen=True)
class Shore:
    """One basin on the ground's grid.

    Attributes
    ----------
    basin
        Its numbers.
    offshore_m
        (y, x), metres from the shore at mean level, negative inside, float32; as if there were no glacier.
    calving_m
        (y, x), metres beyond the calving front of `sites.EPOCH`, float32; far below 0 where none calves.
    bank
        (y, x), slope (1) at the water's edge, float32.
    freeze_rank
        (y, x), 0 to 1, float32: where the lake freezes first and where last.
    """

    basin: Basin
    offshore_m: Float
    calving_m: Float
    bank: Float
    freeze_rank: Float


def distance_m(shore: Shore, stand: Stand) -> Float:
    """Signed distance from the water's edge, metres, negative on the water; shape of the shore's arrays."""
    bank_m = shore.offshore_m - beyond_m(shore.bank, shore.basin.depth_m, stand.level_m)
    away_m: Float = np.maximum(bank_m, shore.calving_m - np.float32(stand.front_m))
    return away_m


def beyond_m(bank: Float, depth_m: float, level_m: float) -> Float:
    """How far a level moves the edge outwards, metres, for banks of given slope (1), any shape."""
    if level_m >= 0:
        return (np.float32(level_m) / bank).astype(np.float32)
    fallen = min(-level_m / depth_m, LOWEST)
    return (np.float32(depth_m * np.log1p(-fallen)) / bank).astype(np.float32)


def bed_m(shore: Shore) -> Float:
    """Height of the bed and the banks against the mean level, metres; (y, x)."""
    out = shore.offshore_m * shore.bank
    depth = shore.basin.depth_m
    return np.where(out >= 0, out, -depth * -np.expm1(np.minimum(out, 0) / depth)).astype(np.float32)


def coverage(distance: Float, spacing_m: float) -> Float:
    """Share of each cell under water, 0..1: cells of `spacing_m` with a straight edge through them."""
    share: Float = np.clip(0.5 - distance / np.float32(spacing_m), 0, 1)
    return share


class FineShore:
    """A shore on cells of 10 m around its basin, for the numbers of the truth.

    Parameters
    ----------
    shore
        On the ground's grid of 30 m.
    reach_m
        How far beyond the mean shore the water may ever come.
    """

    def __init__(self, shore: Shore, reach_m: float = 150.0) -> None:
        rows, columns = np.nonzero(shore.offshore_m < reach_m)
        self._corner = (int(rows.min()), int(columns.min()))
        at = [
            np.arange(low, high, 1 / FINE) for low, high in
            ((rows.min(), rows.max()), (columns.min(), columns.max()))
        ]  # fmt: skip
        grid = np.meshgrid(*at, indexing="ij")
        fields = (shore.offshore_m, shore.calving_m, shore.bank, shore.freeze_rank)
        fine = [map_coordinates(field, grid, order=1, mode="nearest") for field in fields]
        self.shore = Shore(shore.basin, *fine)
        self._bed_m = bed_m(self.shore)
        self._measured = lru_cache(maxsize=4096)(self._measure)

    def measure(self, stand: Stand) -> tuple[float, float]:
        """Area (m2) and volume (m3) of the water, as counted on the grid."""
        return self._measured(round(stand.level_m, 2), round(stand.front_m))

    def _measure(self, level_m: float, front_m: float) -> tuple[float, float]:
        spacing_m = SPACING_M / FINE
        share = coverage(distance_m(self.shore, Stand(level_m, front_m)), spacing_m)
        deep_m = np.maximum(level_m - self._bed_m, 0)
        cell_m2 = spacing_m**2
        return float(share.sum(dtype=float)) * cell_m2, float((share * deep_m).sum(dtype=float)) * cell_m2

    def outline(self, stand: Stand) -> BaseGeometry:
        """Edge of the water: (Multi)Polygon in columns and rows of the ground's grid; empty where dry."""
        distance = distance_m(self.shore, stand)
        padded = np.pad(distance, 1, constant_values=float(np.abs(distance).max()) + 1)
        lines = contourpy.contour_generator(z=padded).lines(0.0)
        rings = [shapely.Polygon(np.asarray(line)) for line in lines if len(line) > 3]
        whole: BaseGeometry = shapely.Polygon()
        for ring in sorted(rings, key=lambda ring: -ring.area):  # an island lies in a larger ring
            whole = whole.symmetric_difference(ring.buffer(0))
        at_px = shapely.transform(whole, self._to_ground)
        return shapely.simplify(at_px, 1.5 / SPACING_M)

    def _to_ground(self, fine: NDArray[np.float64]) -> NDArray[np.float64]:
        """Columns and rows of the padded fine grid to those of the ground's grid."""
        at_px: NDArray[np.float64] = (fine - 1) / FINE + np.array([self._corner[1], self._corner[0]])
        return at_px
