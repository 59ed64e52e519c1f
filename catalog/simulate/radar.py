"""The side-looking radar: ground to slant range and back, with layover and shadow as they must be.

The ground is cut into facets along the look direction. Each facet sends its reflectivity, weighted by the
area it shows to the radar, into the range cell it lies in; terrain correction divides by the area and reads
the cell at each map pixel's own range. A lake under a wall that faces the radar so loses its far shore to the
wall's brightness, in that look direction and in no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_array

from glaciolake.catalog.simulate.shore import SPACING_M, Float
from glaciolake.catalog.simulate.sites import Site
from glaciolake.catalog.simulate.terrain import Ground, plane_of

FACET_M = 10.0
CELL_M = 14.0
"""Slant range of a cell; near the projection of a 30 m pixel, as the product's multilooking makes it."""

VALID, SHADOW, LAYOVER, BOTH, FILL = 0, 1, 2, 3, 255


@dataclass(frozen=True)
class Frame:
    """The square of a burst's grid that images a site.

    Attributes
    ----------
    left_m, top_m
        Outer edges of the upper left pixel, metres in the burst's CRS, multiples of the spacing.
    size_px
        Side.
    to_plane
        2 x 2, turns and scales metres from the square's middle to the ground's plane.
    offset_m
        Where the square's middle lies on that plane, metres east and north.
    """

    left_m: float
    top_m: float
    size_px: int
    to_plane: NDArray[np.float64]
    offset_m: NDArray[np.float64]

    def ground_index(
        self, ground: Ground, east_m: NDArray[np.float64], north_m: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Row and column on the ground's grid of points given in metres from the square's middle."""
        x_m = self.to_plane[0, 0] * east_m + self.to_plane[0, 1] * north_m + self.offset_m[0]
        y_m = self.to_plane[1, 0] * east_m + self.to_plane[1, 1] * north_m + self.offset_m[1]
        centre = (ground.height_m.shape[0] - 1) / 2
        return centre - y_m / SPACING_M, centre + x_m / SPACING_M

    def sample(self, ground: Ground, field: Float) -> Float:
        """Sample a field on the ground's grid (y, x) at the square's pixels: (y, x) float32."""
        at_m = (np.arange(self.size_px) - (self.size_px - 1) / 2) * SPACING_M
        index = self.ground_index(ground, *np.meshgrid(at_m, -at_m))
        sampled: Float = map_coordinates(field, index, order=1, mode="nearest")
        return sampled


@dataclass(frozen=True)
class View:
    """One site seen by one burst: what turns ground into an image.

    Attributes
    ----------
    mask
        (y, x) uint8: 0 valid, 1 shadow, 2 layover, 3 both.
    row, column
        (facet,) where facets lie on the ground's grid, pixels, float32.
    steepness_deg
        (facet,) slope along the look direction, degrees, float32: above 0 where the ground faces the radar.
    incidence_deg
        Between ray and vertical.
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
    incidence_deg: float
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


@lru_cache(maxsize=128)
def frame_of(site: Site, epsg: int) -> Frame:
    """Square of pixels around a site on the lattice that all grids of a UTM zone share."""
    to_grid = Transformer.from_crs(4326, epsg, always_xy=True)
    x0, y0 = to_grid.transform(site.longitude_deg, site.latitude_deg)
    left_m = _snapped(x0) - site.size_px // 2 * SPACING_M
    top_m = _snapped(y0) + site.size_px // 2 * SPACING_M
    half_m = site.size_px * SPACING_M / 2
    middle = np.array([left_m + half_m, top_m - half_m])
    to_plane = Transformer.from_crs(CRS.from_epsg(epsg), plane_of(site), always_xy=True)
    points = middle + np.array([[0, 0], [half_m, 0], [0, half_m]])
    at_m = np.column_stack(to_plane.transform(points[:, 0], points[:, 1]))
    return Frame(left_m, top_m, site.size_px, ((at_m[1:] - at_m[0]) / half_m).T, at_m[0])


def _snapped(coordinate_m: float) -> float:
    """Nearest multiple of the spacing, metres."""
    return round(coordinate_m / SPACING_M) * SPACING_M


def view_ground(ground: Ground, frame: Frame, look_azimuth_deg: float, incidence_deg: float) -> View:
    """Work out how a site is seen from one direction.

    Parameters
    ----------
    ground, frame
        The ground, and the square that is imaged; ground around it is seen but not imaged.
    look_azimuth_deg
        Direction in which the radar looks, clockwise from grid north.
    incidence_deg
        Angle between the ray and the vertical; rays are parallel over a few kilometres.
    """
    half_m = frame.size_px * SPACING_M / 2
    azimuth, theta = np.radians(look_azimuth_deg), np.radians(incidence_deg)
    reach_m = half_m * (abs(np.sin(azimuth)) + abs(np.cos(azimuth)))
    across_m = np.arange(-reach_m, reach_m + SPACING_M, SPACING_M)
    range_m = np.arange(-reach_m - 300.0, reach_m + 300.0, FACET_M)
    v_m, u_m = np.meshgrid(across_m, range_m, indexing="ij")
    east_m = u_m * np.sin(azimuth) + v_m * np.cos(azimuth)
    north_m = u_m * np.cos(azimuth) - v_m * np.sin(azimuth)
    row, column = frame.ground_index(ground, east_m, north_m)
    z_m = map_coordinates(ground.height_m, [row, column], order=1, mode="nearest")
    z_m -= ground.site.basins[0].level_m
    slant_m = u_m * np.sin(theta) - z_m * np.cos(theta)
    over_ray_m = u_m * np.cos(theta) + z_m * np.sin(theta)
    flags = flags_of(slant_m, over_ray_m)
    area_m = np.clip(np.gradient(over_ray_m, axis=1), 0, None) * ((flags & SHADOW) == 0)
    cells = (slant_m - slant_m.min()) / CELL_M + 1
    n_cells = int(cells.max()) + 3
    to_cells = _split(cells, area_m, n_cells)
    at_u, at_v = _pixels(frame, azimuth)
    at_u, at_v = (at_u - range_m[0]) / FACET_M, (at_v - across_m[0]) / SPACING_M
    at_cell = map_coordinates(cells, [at_v, at_u], order=1, mode="nearest")
    return View(
        flags[np.rint(at_v).astype(int), np.rint(at_u).astype(int)],
        row.ravel().astype(np.float32),
        column.ravel().astype(np.float32),
        np.degrees(np.arctan(np.gradient(z_m, FACET_M, axis=1))).ravel().astype(np.float32),
        incidence_deg,
        to_cells,
        _reader(at_cell, at_v, n_cells, to_cells),
        (frame.size_px, frame.size_px),
    )


def _pixels(frame: Frame, azimuth: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Metres along and right of the look direction of the centres of all pixels; (y, x) each."""
    at_m = (np.arange(frame.size_px) - (frame.size_px - 1) / 2) * SPACING_M
    east_m, north_m = np.meshgrid(at_m, -at_m)
    u_m = east_m * np.sin(azimuth) + north_m * np.cos(azimuth)
    v_m = east_m * np.cos(azimuth) - north_m * np.sin(azimuth)
    return u_m, v_m


def flags_of(slant_m: NDArray[np.float64], over_ray_m: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Mask code of each facet (line, facet): hidden behind nearer ground, or sharing its range with other.

    Parameters
    ----------
    slant_m
        Distance from the radar, metres, less that of the origin; near range first.
    over_ray_m
        Distance from the ray through the origin, metres; of two facets on one ray the nearer hides the other.
    """
    hidden = over_ray_m < np.maximum.accumulate(over_ray_m, axis=1)
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
