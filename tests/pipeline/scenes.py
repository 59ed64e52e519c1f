"""Small scenes in OPERA's and HyP3's manner, drawn by seed and written as files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from glaciolake.catalog.granule import Band, Granule

CRS = "EPSG:32645"
ORIGIN_M = (460_020.0, 3_099_990.0)  # x, y of the upper left corner of burst 1, multiples of 30 m
SPACING_M = 30.0
ROLWALING_DEG = 86.5


def power(shape: tuple[int, int], seed: int, looks: float = 9.0) -> NDArray[np.float32]:
    """Speckle (y, x) around -10 dB, linear power (1), float32."""
    return np.random.default_rng(seed).gamma(looks, 0.1 / looks, shape).astype(np.float32)


def write_cog(
    path: Path,
    pixels: NDArray[Any],
    transform: Affine,
    *,
    crs: str | None = CRS,
    nodata: float | None = float("nan"),
    tile_px: int = 128,
) -> Path:
    """Write one band (y, x) as a tiled, deflated GeoTIFF with predictor, as OPERA's files are."""
    profile = {
        "driver": "GTiff",
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "count": 1,
        "dtype": pixels.dtype.name,
        "crs": crs,
        "transform": transform,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": tile_px,
        "blockysize": tile_px,
        "compress": "deflate",
        "predictor": 3 if pixels.dtype.kind == "f" else 2,
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels, 1)
    return path


def granule(
    start: datetime,
    *,
    burst: str | None = "T121-258662-IW2",
    sensor: str = "S1A",
    relative_orbit: int = 121,
    crs: str = CRS,
    transform: Affine | None = None,
    shape: tuple[int, int] = (200, 300),
    hrefs: dict[Band, str] | None = None,
) -> Granule:
    """Describe one granule as the catalogue would; no file is written."""
    lattice = transform or Affine(SPACING_M, 0, ORIGIN_M[0], 0, -SPACING_M, ORIGIN_M[1])
    return Granule(
        sensing_start=start,
        name=f"OPERA_L2_RTC-S1_{burst}_{start:%Y%m%dT%H%M%SZ}_{start:%Y%m%d}T120000Z_{sensor}_30_v1.0",
        sensor=sensor,
        relative_orbit=relative_orbit,
        orbit_state="descending",
        burst=burst,
        created=datetime(start.year, start.month, start.day, 12, tzinfo=UTC),
        version="v1.0",
        filtered=False,
        crs=crs,
        transform=(lattice.a, lattice.b, lattice.c, lattice.d, lattice.e, lattice.f),
        shape=shape,
        hrefs=tuple(sorted((hrefs or {"vv": "missing_VV.tif"}).items())),
    )


def write_granule(
    folder: Path,
    start: datetime,
    pixels: dict[Band, NDArray[Any]],
    *,
    shift_px: tuple[int, int] = (0, 0),
    nodata: float | None = float("nan"),
    origin_m: tuple[float, float] = ORIGIN_M,
    spacing_m: float = SPACING_M,
    tile_px: int = 128,
    **named: Any,
) -> Granule:
    """Write the bands of one granule, `shift_px` (rows, columns) from the origin, and describe it."""
    x_m, y_m = origin_m[0] + shift_px[1] * spacing_m, origin_m[1] - shift_px[0] * spacing_m
    transform = Affine(spacing_m, 0, x_m, 0, -spacing_m, y_m)
    bare = granule(start, transform=transform, shape=next(iter(pixels.values())).shape, **named)
    hrefs: dict[Band, str] = {}
    for band, values in pixels.items():
        fill = 255 if band == "mask" else nodata
        path = folder / f"{bare.name}_{band if band == 'mask' else band.upper()}.tif"
        hrefs[band] = str(write_cog(path, values, transform, nodata=fill, crs=bare.crs, tile_px=tile_px))
    return granule(start, transform=transform, shape=bare.shape, hrefs=hrefs, **named)
