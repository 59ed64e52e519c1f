"""The ground: a moraine-dammed lake in a steep valley, on a 30 m grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from glaciolake.catalog.simulate.sites import Site

SPACING_M = 30.0
INNER_MORAINE_M = 35.0
"""Height of the moraine's inner face above the water."""

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """The ground around one lake, on a grid that is larger than what will be written.

    Attributes
    ----------
    site
        The lake.
    left_m, top_m
        Outer edges of the upper left pixel, metres in the burst's CRS, multiples of the spacing.
    height_m
        (y, x), metres above sea, float32, no NaN.
    offshore_m
        (y, x), metres from the shore at mean level, negative on the water, float32, no NaN.
    front
        (y, x), share (0..1) of the glacier's retreat that moves the shore here, float32, no NaN.
    texture
        (y, x), reflectivity of the dry ground against its mean, dB, float32, no NaN.
    """

    site: Site
    left_m: float
    top_m: float
    height_m: Float
    offshore_m: Float
    front: Float
    texture: Float


def build_scene(site: Site, epsg: int, size_px: int, seed: int) -> Scene:
    """Build the ground around a lake.

    Parameters
    ----------
    site
        The lake.
    epsg
        UTM zone of the burst grid.
    size_px
        Side of the square, pixels of 30 m.
    seed
        Same seed, same ground; other lakes draw other ground.
    """
    rng = np.random.default_rng([seed, *site.id.encode()])
    x0, y0 = Transformer.from_crs(4326, epsg, always_xy=True).transform(site.longitude_deg, site.latitude_deg)
    left_m = snap(x0) - size_px // 2 * SPACING_M
    top_m = snap(y0) + size_px // 2 * SPACING_M
    x_m = left_m + SPACING_M * (np.arange(size_px) + 0.5) - x0
    y_m = top_m - SPACING_M * (np.arange(size_px) + 0.5) - y0
    east_m, north_m = np.meshgrid(x_m, y_m)
    offshore_m = _offshore(_outline(site, rng), east_m, north_m)
    axis = np.radians(site.axis_deg)
    along_m = east_m * np.sin(axis) + north_m * np.cos(axis)
    noise = _fractal((size_px, size_px), rng)
    return Scene(
        site,
        left_m,
        top_m,
        _height(site, offshore_m, noise),
        offshore_m,
        expit((along_m - 0.42 * site.length_m) / (0.03 * site.length_m)).astype(np.float32),
        _texture((size_px, size_px), rng),
    )


def snap(coordinate_m: float) -> float:
    """Nearest multiple of the spacing, metres: all grids of the product share one lattice."""
    return round(coordinate_m / SPACING_M) * SPACING_M


def _outline(site: Site, rng: np.random.Generator) -> shapely.Polygon:
    """Irregular closed shore around (0, 0), metres east and north, of exactly the site's area."""
    angle = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    along, across = np.cos(angle), np.sin(angle)
    radius = (np.abs(along * 2 / site.length_m) ** 2.6 + np.abs(across * 2 / site.width_m) ** 2.6) ** (
        -1 / 2.6
    )
    for order in range(2, 9):
        radius *= 1 + rng.normal(0, 0.09 / order) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    axis = np.radians(site.axis_deg)
    a, b = radius * along, radius * across
    east, north = a * np.sin(axis) + b * np.cos(axis), a * np.cos(axis) - b * np.sin(axis)
    grow = np.sqrt(site.area_m2 / shapely.Polygon(np.column_stack([east, north])).area)
    return shapely.Polygon(np.column_stack([east, north]) * grow)


def _offshore(outline: shapely.Polygon, east_m: NDArray[np.float64], north_m: NDArray[np.float64]) -> Float:
    """Signed distance from the shore, metres, negative inside; (y, x) float32."""
    points = shapely.points(east_m, north_m)
    distance_m = shapely.distance(points, outline.exterior)
    inside = shapely.contains_xy(outline, east_m, north_m)
    return np.where(inside, -distance_m, distance_m).astype(np.float32)


def _height(site: Site, offshore_m: Float, noise: Float) -> Float:
    """Height above sea (y, x), metres: flat water, moraine, valley floor and one cliff."""
    out_m = np.maximum(offshore_m, 0.0)
    d_north, d_east = np.gradient(gaussian_filter(offshore_m, 3.0))
    azimuth = np.radians(site.cliff_azimuth_deg)
    facing = (d_east * np.sin(azimuth) - d_north * np.cos(azimuth)) / np.maximum(
        np.hypot(d_north, d_east), 1e-6
    )
    cliff = expit((facing - 0.55) / 0.10)
    moraine_m = np.minimum(out_m * 0.5, INNER_MORAINE_M)
    valley_m = np.maximum(out_m - 150.0, 0.0) * 0.32
    wall_m = np.minimum(
        np.maximum(out_m - 20.0, 0.0) * np.tan(np.radians(site.cliff_deg)),
        site.cliff_height_m + np.maximum(out_m - 300.0, 0.0) * 0.35,
    )
    rough_m = noise * (6.0 + 0.12 * np.minimum(out_m, 900.0)) * np.minimum(out_m / 60.0, 1.0)
    height_m = site.level_m + moraine_m + valley_m * (1 - cliff) + wall_m * cliff + rough_m
    return np.where(offshore_m <= 0, site.level_m, np.maximum(height_m, site.level_m)).astype(np.float32)


def _fractal(shape: tuple[int, int], rng: np.random.Generator) -> Float:
    """Noise of mean 0 and standard deviation 1 whose amplitude falls with frequency as mountains' does."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) * np.maximum(frequency, 6 / shape[0]) ** -2.0
    noise = np.fft.irfft2(spectrum, s=shape)
    unit: Float = (noise / noise.std()).astype(np.float32)
    return unit


def _texture(shape: tuple[int, int], rng: np.random.Generator) -> Float:
    """Draw the reflectivity of ground against its mean, dB: blobs of about 100 m and patches."""
    fine = gaussian_filter(rng.standard_normal(shape), 1.2)
    broad = gaussian_filter(rng.standard_normal(shape), 7.0)
    texture: Float = (1.5 * fine / fine.std() + 1.6 * broad / broad.std()).astype(np.float32)
    return texture
