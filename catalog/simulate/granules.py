"""One granule on disk: name, lattice, tags, three COGs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.transform import from_origin

from glaciolake.catalog.simulate.radar import FILL, MARGIN_PX
from glaciolake.catalog.simulate.sites import TRACKS, Burst
from glaciolake.catalog.simulate.terrain import SPACING_M, Float, Scene

Layer = NDArray[np.float32] | NDArray[np.uint8]

KEPT_BITS = 12
"""Bits of mantissa written, where real granules keep 23: steps of 0.001 dB, far below speckle."""


@dataclass(frozen=True)
class Lattice:
    """A burst's fixed grid: outer edges of the upper left pixel, metres, and pixels of 30 m."""

    left_m: float
    top_m: float
    rows: int
    columns: int
    epsg: int

    def place(self, scene: Scene) -> tuple[slice, slice]:
        """Rows and columns of a scene's imaged part."""
        size_px = scene.height_m.shape[0] - 2 * MARGIN_PX
        row = round((self.top_m - scene.top_m) / SPACING_M) + MARGIN_PX
        column = round((scene.left_m - self.left_m) / SPACING_M) + MARGIN_PX
        return slice(row, row + size_px), slice(column, column + size_px)


def lattice_of(burst: Burst, scenes: Sequence[Scene]) -> Lattice:
    """Smallest grid of a burst around what is simulated of its lakes; the same for every date."""
    margin_m = MARGIN_PX * SPACING_M
    side_m = scenes[0].height_m.shape[0] * SPACING_M - 2 * margin_m
    left_m = min(scene.left_m for scene in scenes) + margin_m
    top_m = max(scene.top_m for scene in scenes) - margin_m
    right_m = max(scene.left_m for scene in scenes) + margin_m + side_m
    bottom_m = min(scene.top_m for scene in scenes) - margin_m - side_m
    return Lattice(
        left_m,
        top_m,
        round((top_m - bottom_m) / SPACING_M),
        round((right_m - left_m) / SPACING_M),
        burst.epsg,
    )


def inside_footprint(burst: Burst, scene: Scene) -> NDArray[np.bool_]:
    """Where a burst has data on the imaged part of a scene: (y, x) bool."""
    size_px = scene.height_m.shape[0] - 2 * MARGIN_PX
    corners = np.array(burst.corners_deg)
    x, y = Transformer.from_crs(4326, burst.epsg, always_xy=True).transform(corners[:, 0], corners[:, 1])
    at_px = (np.arange(size_px) + MARGIN_PX + 0.5) * SPACING_M
    grid_x, grid_y = np.meshgrid(scene.left_m + at_px, scene.top_m - at_px)
    inside: NDArray[np.bool_] = shapely.contains_xy(shapely.Polygon(np.column_stack([x, y])), grid_x, grid_y)
    return inside


def granule_name(burst: Burst, start: datetime, made: datetime) -> str:
    """Name of an OPERA L2_RTC-S1 granule."""
    return f"OPERA_L2_RTC-S1_{burst.id}_{start:%Y%m%dT%H%M%SZ}_{made:%Y%m%dT%H%M%SZ}_S1A_30_v1.0"


def write_granule(
    folder: Path, name: str, lattice: Lattice, layers: dict[str, Layer], tags: dict[str, str]
) -> None:
    """Write a granule's layers as COGs.

    Parameters
    ----------
    folder
        Where to; files of the same names are replaced.
    name
        Granule name; a layer's file adds ``_VV.tif`` and so on.
    lattice
        The burst's grid.
    layers
        ``VV`` and ``VH``: (y, x) gamma nought, 0 and above (1, linear power), float32, NaN no data; ``mask``:
        (y, x) uint8, 255 no data.
    tags
        GeoTIFF tags, the same for each layer.
    """
    for layer, values in layers.items():
        whole_numbers = values.dtype == np.uint8
        profile: dict[str, Any] = {
            "driver": "COG",
            "dtype": values.dtype.name,
            "count": 1,
            "height": lattice.rows,
            "width": lattice.columns,
            "crs": f"EPSG:{lattice.epsg}",
            "transform": from_origin(lattice.left_m, lattice.top_m, SPACING_M, SPACING_M),
            "nodata": FILL if whole_numbers else np.nan,
            "compress": "DEFLATE",
            "predictor": "STANDARD" if whole_numbers else "FLOATING_POINT",
            "blocksize": 512,
            "overviews": "NONE",
            "sparse_ok": True,
        }
        with rasterio.open(folder / f"{name}_{layer}.tif", "w", **profile) as file:
            file.write(values if whole_numbers else _rounded(values), 1)
            file.set_band_description(1, "RTC-S1 mask" if whole_numbers else f"RTC-S1 {layer} Backscatter")
            file.update_tags(**tags)


def tags_of(burst: Burst, start: datetime, made: datetime) -> dict[str, str]:
    """Of the hundred or so tags that a real granule has, those that say what it is."""
    track = TRACKS[burst.relative_orbit]
    return {
        "ACQUISITION_MODE": "IW",
        "BURST_ID": burst.id.lower().replace("-", "_"),
        "INSTITUTION": "glaciolake (simulated)",
        "LOOK_DIRECTION": "right",
        "ORBIT_PASS_DIRECTION": track.orbit_state,
        "PLATFORM": "Sentinel-1A",
        "PROCESSING_DATETIME": f"{made:%Y-%m-%dT%H:%M:%S.%fZ}",
        "PROCESSING_INFORMATION_FILTERING_APPLIED": "False",
        "PROCESSING_INFORMATION_OUTPUT_BACKSCATTER_EXPRESSION_CONVENTION": "linear backscatter intensity",
        "PROCESSING_INFORMATION_OUTPUT_BACKSCATTER_NORMALIZATION_CONVENTION": "gamma0",
        "PRODUCT_TYPE": "RTC-S1",
        "PRODUCT_VERSION": "1.0",
        "SUB_SWATH_ID": burst.id[-3:],
        "TRACK_NUMBER": str(track.relative_orbit),
        "ZERO_DOPPLER_START_TIME": f"{start:%Y-%m-%dT%H:%M:%S.%fZ}",
    }


def _rounded(power: Layer) -> Float:
    """Round a float32 array to `KEPT_BITS` of mantissa; zeros and NaN stay."""
    step = np.uint32(1 << (23 - KEPT_BITS))
    bits = power.view(np.uint32)
    rounded = ((bits + step // 2) & ~np.uint32(step - 1)).view(np.float32)
    kept: Float = np.where(np.isnan(power), np.float32(np.nan), rounded)
    return kept
