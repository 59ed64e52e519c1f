"""The ground: lakes behind moraines in glaciated valleys, on a 30 m grid of the site's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from scipy.special import expit

from glaciolake.catalog.simulate.levels import CoverClass
from glaciolake.catalog.simulate.shore import SPACING_M, Float, Shore, Stand, distance_m
from glaciolake.catalog.simulate.sites import Basin, Site, Wall

Array = NDArray[np.floating[Any]]

MARGIN_PX = 64
"""Ground around what is imaged, so that walls outside fall into it and a rotated square fits."""
TURN_PX = 16
"""Further ground, since the grids of UTM zones are turned against the ground's by up to 3 degrees."""
YEARS = 12
"""How many years of a glacier's retreat the trough is long enough for."""
NO_GLACIER_M = -1e6
TEXTURE_WIDTH_PX = 0.8
"""Width of the texture's filter: half of its variance is left at 40 m, none at 100 m, as measured."""
ICE_CLIFF_M = 18.0
GLACIER_SLOPE = float(np.tan(np.radians(7)))
DAM_SLOPE = float(np.tan(np.radians(14)))


@dataclass(frozen=True)
class Ground:
    """The ground around a site's lakes, north up and east right, in metres on a plane that touches there.

    Attributes
    ----------
    site
        What it is made of.
    height_m
        (y, x), metres above sea, the lakes at their mean level, float32, no NaN.
    shores
        One a basin.
    covers
        Class of dry, snow-free ground -> share of each pixel, 0..1, (y, x) float32; they sum to 1.
    texture
        (y, x), unit normal, correlated over `levels.TEXTURE_M`: how the ground's reflectivity varies.
    gusts
        (y, x), unit normal, correlated over 300 m: how the wind varies over the water.
    """

    site: Site
    height_m: Float
    shores: tuple[Shore, ...]
    covers: Mapping[CoverClass, Float]
    texture: Float
    gusts: Float

    def in_degrees(self, at_px: shapely.Geometry) -> shapely.Geometry:
        """Geometry in columns and rows of this grid to longitude and latitude, degrees WGS 84."""
        centre = (self.height_m.shape[0] - 1) / 2
        to_degrees = Transformer.from_crs(plane_of(self.site), CRS.from_epsg(4326), always_xy=True)

        def placed(points: NDArray[np.float64]) -> NDArray[np.float64]:
            east_m = (points[:, 0] - centre) * SPACING_M
            north_m = (centre - points[:, 1]) * SPACING_M
            return np.column_stack(to_degrees.transform(east_m, north_m))

        return shapely.transform(at_px, placed)


def plane_of(site: Site) -> CRS:
    """Plane that touches the ellipsoid at a site's centre: distances are true to 1e-6 within its square."""
    return CRS.from_proj4(
        f"+proj=aeqd +lat_0={site.latitude_deg} +lon_0={site.longitude_deg} +datum=WGS84 +units=m"
    )


def build_ground(site: Site, seed: int) -> Ground:
    """Build the ground around a site's lakes: same seed, same ground; other sites draw other ground."""
    rng = np.random.default_rng([seed, *site.id.encode()])
    size_px = site.size_px + 2 * (MARGIN_PX + TURN_PX)
    at_m = (np.arange(size_px) - (size_px - 1) / 2) * SPACING_M
    east_m, north_m = np.meshgrid(at_m, -at_m)
    noise = _fractal((size_px, size_px), rng)
    shores = [_shore(basin, site.walls, (east_m, north_m), rng) for basin in site.basins]
    axis = site.basins[0].axis_deg
    height_m = _height(site, shores[0], noise)
    for shore in shores[1:]:
        height_m = _sunk(height_m, shore)
    return Ground(
        site,
        height_m,
        tuple(shores),
        _covers(site, height_m, _facing(distance_m(shores[0], Stand(0, 0)), axis), shores[0]),
        _blobs((size_px, size_px), (TEXTURE_WIDTH_PX,), rng),
        _blobs((size_px, size_px), (4.0,), rng),
    )


def _shore(
    basin: Basin, walls: Sequence[Wall], at_m: tuple[NDArray[np.float64], NDArray[np.float64]],
    rng: np.random.Generator,
) -> Shore:  # fmt: skip
    """One basin on the grid of points `at_m` (east, north), metres."""
    east_m, north_m = at_m[0] - basin.east_m, at_m[1] - basin.north_m
    outline, front_m = _outline(basin, rng)
    away_m = _away(outline, east_m, north_m)
    offshore_m = np.where(shapely.contains_xy(outline, east_m, north_m), -away_m, away_m).astype(np.float32)
    calving_m = np.full(offshore_m.shape, NO_GLACIER_M, np.float32)
    if basin.growth_m_per_year:
        axis = np.radians(basin.axis_deg)
        along_m = east_m * np.sin(axis) + north_m * np.cos(axis)
        # ice fronts are bowed; beyond the trough that means nothing
        across_m = np.clip(
            east_m * np.cos(axis) - north_m * np.sin(axis), -basin.width_m / 2, basin.width_m / 2
        )
        calving_m = (along_m - front_m + 0.15 * across_m**2 / basin.width_m).astype(np.float32)
    bank = np.full(offshore_m.shape, basin.bank, np.float32)
    for wall in walls:
        steep = _sector(_facing(offshore_m, wall.azimuth_deg), 0.55, 0.1)
        bank += steep * max(0.0, 0.6 * np.tan(np.radians(wall.slope_deg)) - basin.bank)
    closeness = offshore_m / max(1.0, -float(offshore_m.min()))
    order = _blobs(offshore_m.shape, (6.0,), rng) * 0.35 - closeness
    inside = offshore_m < 0
    rank = np.ones(offshore_m.shape, np.float32)
    # Not scipy's: its module of statistics takes every process most of a second to import.
    rank[inside] = pd.Series(order[inside]).rank() / max(1, int(inside.sum()))
    return Shore(basin, offshore_m, calving_m, bank.astype(np.float32), rank)


def _away(outline: shapely.Polygon, east_m: NDArray[np.float64], north_m: NDArray[np.float64]) -> Float:
    """Distance from a shore, metres, (y, x): to its nearest point of many, 2 m apart at most."""
    edge = shapely.get_coordinates(shapely.segmentize(outline.exterior, 2.0))
    away_m, _ = cKDTree(edge).query(np.column_stack([east_m.ravel(), north_m.ravel()]))
    return np.asarray(away_m, np.float32).reshape(east_m.shape)


def _outline(basin: Basin, rng: np.random.Generator) -> tuple[shapely.Polygon, float]:
    """Shore around (0, 0), metres east and north, as if there were no glacier; and where the front stands.

    What lies before the front has exactly the basin's area; the trough behind it is as long as the glacier
    goes back in `YEARS`.
    """
    angle = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    along, across = np.cos(angle), np.sin(angle)
    spare_m = basin.growth_m_per_year * YEARS * (1 if basin.growth_m_per_year else 0)
    length_m = basin.length_m + spare_m
    radius = (np.abs(along * 2 / length_m) ** 2.6 + np.abs(across * 2 / basin.width_m) ** 2.6) ** (-1 / 2.6)
    for order in range(2, 9):
        radius *= 1 + rng.normal(0, 0.09 / order) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    forward, aside = radius * along + spare_m / 2, radius * across
    front = basin.length_m / 2 * 0.97 if basin.growth_m_per_year else float(forward.max()) + 1
    shape = shapely.Polygon(np.column_stack([forward, aside]))
    before = shapely.intersection(shape, shapely.box(-1e5, -1e5, front, 1e5))
    grow = np.sqrt(basin.area_m2 / before.area)
    forward, aside = forward * grow, aside * grow
    axis = np.radians(basin.axis_deg)
    east, north = (
        forward * np.sin(axis) + aside * np.cos(axis),
        forward * np.cos(axis) - aside * np.sin(axis),
    )
    return shapely.Polygon(np.column_stack([east, north])), front * grow


def _height(site: Site, shore: Shore, noise: Float) -> Float:
    """Height above sea (y, x), metres: flat water, moraine, valley, dam, glacier and cliffs.

    The trough that the glacier will leave within `YEARS` is flat at the lake's level already, its tongue
    afloat: so new water lies where the radar's ground has water.
    """
    distance = shore.offshore_m
    out_m = np.maximum(distance, 0)
    axis = shore.basin.axis_deg
    if site.on_glacier:
        height_m = np.minimum(out_m * 0.35, 9) + np.maximum(out_m - 200, 0) * 0.06
        rough_m = noise * (5 + 0.02 * np.minimum(out_m, 900))
    else:
        height_m = np.minimum(out_m * 0.5, 35) + np.maximum(out_m - 150, 0) * 0.32
        dam_m = np.minimum(out_m * 0.4, 22) - np.maximum(out_m - 120, 0) * DAM_SLOPE
        ice_m = np.minimum(out_m * 0.8, ICE_CLIFF_M) + np.maximum(out_m - 30, 0) * GLACIER_SLOPE
        height_m = _blend(height_m, dam_m, _sector(_facing(distance, axis + 180), 0.8, 0.06))
        height_m = _blend(height_m, ice_m, _sector(_facing(distance, axis), 0.8, 0.06))
        rough_m = noise * (6 + 0.12 * np.minimum(out_m, 900))
    for wall in site.walls:
        wall_m = np.minimum(
            np.maximum(out_m - 20, 0) * np.tan(np.radians(wall.slope_deg)),
            wall.height_m + np.maximum(out_m - 300, 0) * 0.35,
        )
        height_m = _blend(height_m, wall_m, _sector(_facing(distance, wall.azimuth_deg), 0.55, 0.1))
    height_m = height_m + rough_m * np.minimum(out_m / 60, 1)
    # The dam falls below the lake beyond its crest; nearer to the water nothing lies lower than it does.
    height_m = np.where(out_m < 90, np.maximum(height_m, 0.02 * out_m), height_m)
    return np.where(distance <= 0, shore.basin.level_m, shore.basin.level_m + height_m).astype(np.float32)


def _sunk(height_m: Float, shore: Shore) -> Float:
    """Lay a further basin into the ground: flat water, banks, and the old ground again 300 m away."""
    out_m = np.maximum(shore.offshore_m, 0)
    own_m = shore.basin.level_m + np.minimum(out_m * shore.basin.bank, 20)
    return _blend(height_m, own_m, np.exp(-((out_m / 220) ** 2)).astype(np.float32))


def _covers(site: Site, height_m: Float, towards_glacier: Float, shore: Shore) -> dict[CoverClass, Float]:
    """Shares of the classes of dry ground, (y, x): steep is rock, the rim moraine, up the valley ice."""
    fall = np.hypot(*np.gradient(gaussian_filter(height_m, 1.0), SPACING_M))
    steep = expit((np.degrees(np.arctan(fall)) - 36) / 3)
    out_m = np.maximum(distance_m(shore, Stand(0, 0)), 0)
    if site.on_glacier:
        bare = 0.25 * expit((out_m - 600) / 150)
        shares = {CoverClass.ROCK: steep, CoverClass.GLACIER_ICE: (1 - steep) * bare}
        shares[CoverClass.DEBRIS] = (1 - steep) * (1 - bare)
    else:
        glacier = _sector(towards_glacier, 0.8, 0.06) * (1 - steep)
        clean = expit((out_m - 900) / 150)
        near = expit((320 - out_m) / 60) * (1 - glacier) * (1 - steep)
        shares = {CoverClass.ROCK: steep, CoverClass.GLACIER_ICE: glacier * clean, CoverClass.MORAINE: near}
        shares[CoverClass.DEBRIS] = 1 - sum(shares.values())
    return {cover: np.asarray(share, np.float32) for cover, share in shares.items()}


def _facing(distance: Float, azimuth_deg: float) -> Float:
    """Cosine between the way out of the lake and an azimuth, -1..1; (y, x)."""
    d_down, d_east = np.gradient(gaussian_filter(distance, 3.0))
    azimuth = np.radians(azimuth_deg)
    along = d_east * np.sin(azimuth) - d_down * np.cos(azimuth)
    return np.asarray(along / np.maximum(np.hypot(d_down, d_east), 1e-6), np.float32)


def _sector(facing: Float, from_cosine: float, softness: float) -> Float:
    """0..1: whether the way out of the lake leads into a sector, with soft edges."""
    return np.asarray(expit((facing - from_cosine) / softness), np.float32)


def _blend(below: Array, above: Array, share: Float) -> Float:
    return np.asarray(below + share * (above - below), np.float32)


def _fractal(shape: tuple[int, int], rng: np.random.Generator) -> Float:
    """Noise of mean 0 and standard deviation 1 whose amplitude falls with frequency as mountains' does."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) * np.maximum(frequency, 6 / shape[0]) ** -2.0
    noise = np.fft.irfft2(spectrum, s=shape)
    unit: Float = (noise / noise.std()).astype(np.float32)
    return unit


def _blobs(shape: tuple[int, ...], widths_px: Sequence[float], rng: np.random.Generator) -> Float:
    """Noise of mean 0 and standard deviation 1, the sum of equal parts of given widths, pixels."""
    parts = [gaussian_filter(rng.standard_normal(shape), width) for width in widths_px]
    whole = sum(part / part.std() for part in parts)
    unit: Float = (whole / np.std(whole)).astype(np.float32)
    return unit
