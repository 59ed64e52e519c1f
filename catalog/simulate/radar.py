"""The side-looking radar: ground to slant range and back, with layover and shadow as they must be.

The ground is cut into facets along the look direction. Each facet sends its reflectivity, weighted by the
area it shows to the radar, into the range cell it lies in; terrain correction divides by the area and reads
the cell at each map pixel's own range. A lake under a wall that faces the radar so loses its far shore to the
wall's brightness, in that look direction and in no other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_array

from glaciolake.catalog.simulate.terrain import SPACING_M, Float, Scene

FACET_M = 10.0
CELL_M = 14.0
"""Slant range of a cell; near the projection of a 30 m pixel, as the product's multilooking makes it."""
MARGIN_PX = 64
"""Ground simulated around what is written, so that walls outside fall into it and a rotated square fits."""

VALID, SHADOW, LAYOVER, BOTH, FILL = 0, 1, 2, 3, 255


@dataclass(frozen=True)
class View:
    """One lake seen by one burst: what turns ground into an image.

    Attributes
    ----------
    mask
        (y, x) uint8: 0 valid, 1 shadow, 2 layover, 3 both.
    row, column
        (facet,) where facets lie in the scene's grid, pixels, float32.
    steepness_deg
        (facet,) incidence minus local incidence, degrees, float32: above 0 on slopes facing the radar.
    to_cells
        (cell, facet) area each facet shows in each range cell.
    to_map
        (pixel, cell) where each map pixel reads.
    shape
        (rows, columns) of the image.
    """

    mask: NDArray[np.uint8]
    row: Float
    column: Float
    steepness_deg: Float
    to_cells: csr_array
    to_map: csr_array
    shape: tuple[int, int]

    def at_facets(self, ground: Float) -> Float:
        """Sample a ground grid (y, x) at the facets: (facet,) float32."""
        sampled: Float = map_coordinates(ground, [self.row, self.column], order=1, mode="nearest")
        return sampled

    def image(self, facets: Float) -> Float:
        """Terrain-corrected image of facet values (facet,): (y, x) float32, NaN in shadow."""
        power = self.to_map @ (self.to_cells @ facets)
        return np.where((self.mask & SHADOW) > 0, np.nan, power.reshape(self.shape)).astype(np.float32)


def view_scene(scene: Scene, look_azimuth_deg: float, incidence_deg: float) -> View:
    """Work out how a scene is seen from one direction.

    Parameters
    ----------
    scene
        The ground; its outer `MARGIN_PX` pixels are seen but not imaged.
    look_azimuth_deg
        Direction in which the radar looks, clockwise from grid north.
    incidence_deg
        Angle between the ray and the vertical; rays are parallel over a few kilometres.
    """
    size_px = scene.height_m.shape[0] - 2 * MARGIN_PX
    half_m = size_px * SPACING_M / 2
    azimuth, theta = np.radians(look_azimuth_deg), np.radians(incidence_deg)
    reach_m = half_m * (abs(np.sin(azimuth)) + abs(np.cos(azimuth)))
    across_m = np.arange(-reach_m, reach_m + SPACING_M, SPACING_M)
    range_m = np.arange(-reach_m - 300.0, reach_m + 300.0, FACET_M)
    v_m, u_m = np.meshgrid(across_m, range_m, indexing="ij")
    row, column = _grid_index(scene, u_m, v_m, azimuth)
    z_m = map_coordinates(scene.height_m, [row, column], order=1, mode="nearest") - scene.site.level_m
    slant_m = u_m * np.sin(theta) - z_m * np.cos(theta)
    height_over_ray_m = u_m * np.cos(theta) + z_m * np.sin(theta)
    flags = _flags(slant_m, height_over_ray_m)
    area_m = np.clip(np.gradient(height_over_ray_m, axis=1), 0, None) * ((flags & SHADOW) == 0)
    first_m = slant_m.min() - CELL_M
    cells = (slant_m - first_m) / CELL_M
    n_cells = int(cells.max()) + 3
    to_cells = _split(cells, area_m, n_cells)
    rows, columns = np.mgrid[MARGIN_PX : MARGIN_PX + size_px, MARGIN_PX : MARGIN_PX + size_px]
    at_u, at_v = _ground_index(scene, rows, columns, azimuth)
    at_u, at_v = (at_u - range_m[0]) / FACET_M, (at_v - across_m[0]) / SPACING_M
    at_cell = map_coordinates(cells, [at_v, at_u], order=1, mode="nearest")
    return View(
        flags[np.rint(at_v).astype(int), np.rint(at_u).astype(int)],
        row.ravel().astype(np.float32),
        column.ravel().astype(np.float32),
        np.degrees(np.arctan(np.gradient(z_m, FACET_M, axis=1))).ravel().astype(np.float32),
        to_cells,
        _reader(at_cell, at_v, n_cells, to_cells),
        (size_px, size_px),
    )


def _grid_index(
    scene: Scene, u_m: NDArray[np.float64], v_m: NDArray[np.float64], azimuth: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixel position in the scene of points `u_m` along and `v_m` right of the look direction."""
    centre = (scene.height_m.shape[0] - 1) / 2
    east_m = u_m * np.sin(azimuth) + v_m * np.cos(azimuth)
    north_m = u_m * np.cos(azimuth) - v_m * np.sin(azimuth)
    return centre - north_m / SPACING_M, centre + east_m / SPACING_M


def _ground_index(
    scene: Scene, row: NDArray[np.int_], column: NDArray[np.int_], azimuth: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Undo `_grid_index`: metres along and right of the look direction."""
    centre = (scene.height_m.shape[0] - 1) / 2
    east_m, north_m = (column - centre) * SPACING_M, (centre - row) * SPACING_M
    u_m = east_m * np.sin(azimuth) + north_m * np.cos(azimuth)
    v_m = east_m * np.cos(azimuth) - north_m * np.sin(azimuth)
    return u_m, v_m


def _flags(slant_m: NDArray[np.float64], height_over_ray_m: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Mask code of each facet (line, facet): hidden behind nearer ground, or sharing its range with other."""
    hidden = height_over_ray_m < np.maximum.accumulate(height_over_ray_m, axis=1)
    before = slant_m < np.maximum.accumulate(slant_m, axis=1)
    after = slant_m > np.minimum.accumulate(slant_m[:, ::-1], axis=1)[:, ::-1]
    return (SHADOW * hidden + LAYOVER * (before | after)).astype(np.uint8)


def _split(cells: NDArray[np.float64], area_m: NDArray[np.float64], n_cells: int) -> csr_array:
    """Matrix (cell, facet) that shares each facet's area between the two cells beside its range."""
    lower = np.floor(cells).astype(np.int64)
    upper_share = cells - lower
    line = np.arange(cells.shape[0])[:, None] * n_cells
    facet = np.arange(cells.size)
    weight = np.concatenate([(area_m * (1 - upper_share)).ravel(), (area_m * upper_share).ravel()])
    cell = np.concatenate([(line + lower).ravel(), (line + lower + 1).ravel()])
    shape = (cells.shape[0] * n_cells, cells.size)
    return csr_array((weight.astype(np.float32), (cell, np.tile(facet, 2))), shape=shape)


def _reader(
    at_cell: NDArray[np.float64], at_line: NDArray[np.float64], n_cells: int, to_cells: csr_array
) -> csr_array:
    """Matrix (pixel, cell) that interpolates between cells and lines and divides by the area found there."""
    cell, line = np.floor(at_cell).astype(np.int64).ravel(), np.floor(at_line).astype(np.int64).ravel()
    cell_share, line_share = at_cell.ravel() - cell, at_line.ravel() - line
    pixel = np.arange(cell.size)
    area = to_cells.sum(axis=1)
    indices = np.concatenate([(line + dl) * n_cells + cell + dc for dl in (0, 1) for dc in (0, 1)])
    weights = np.concatenate(
        [np.abs(1 - dl - line_share) * np.abs(1 - dc - cell_share) for dl in (0, 1) for dc in (0, 1)]
    )
    found = np.bincount(np.tile(pixel, 4), weights=weights * area[indices], minlength=cell.size)
    weights = weights / np.maximum(np.tile(found, 4), 1e-6)
    return csr_array(
        (weights.astype(np.float32), (np.tile(pixel, 4), indices)), shape=(cell.size, to_cells.shape[0])
    )
