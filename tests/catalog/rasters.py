"""Small RTC files with real names, in the places where those names belong."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import rasterio

BURST = "T121-258662-IW2"
"""A burst over Tsho Rolpa."""
OPERA = f"OPERA_L2_RTC-S1_{BURST}_20240916T001153Z_20240916T121530Z_S1A_30_v1.0"
OPERA_AGAIN = f"OPERA_L2_RTC-S1_{BURST}_20240916T001153Z_20250301T000000Z_S1A_30_v1.0"
OPERA_LATER = f"OPERA_L2_RTC-S1_{BURST}_20240928T001153Z_20240928T121530Z_S1A_30_v1.0"
OPERA_ASCENDING = "OPERA_L2_RTC-S1_T012-023790-IW1_20240920T121405Z_20240920T201530Z_S1A_30_v1.0"
HYP3 = "S1A_IW_20150721T121336_SVP_RTC20_G_gpufed_F168"
WEST_M, NORTH_M = 448_020.0, 3_083_010.0
"""Upper left corner of a crop at Tsho Rolpa, EPSG:32645, metres."""


def write_rtc(
    path: Path,
    *,
    spacing_m: float = 30.0,
    west_m: float = WEST_M,
    crs: str | None = "EPSG:32645",
    dtype: str = "float32",
    shape: tuple[int, int] = (40, 50),
    tags: dict[str, str] | None = None,
) -> Path:
    """Write one band of speckle-like values; each name has values of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # a damaged one would be opened before it is overwritten
    values = np.random.default_rng(zlib.crc32(path.name.encode())).gamma(4.4, 0.02, shape)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=shape[0],
        width=shape[1],
        count=1,
        dtype=dtype,
        crs=crs,
        transform=rasterio.Affine(spacing_m, 0.0, west_m, 0.0, -spacing_m, NORTH_M),
        nodata=255 if dtype == "uint8" else None,
    ) as file:
        if tags:
            file.update_tags(**tags)
        file.write(values.astype(dtype)[np.newaxis])
    return path


def write_opera(folder: Path, granule: str = OPERA, *, west_m: float = WEST_M) -> list[Path]:
    """Write VV, VH and mask of one granule."""
    layers = {"VV": "float32", "VH": "float32", "mask": "uint8"}
    return [
        write_rtc(folder / f"{granule}_{layer}.tif", dtype=dtype, west_m=west_m)
        for layer, dtype in layers.items()
    ]


def write_hyp3(folder: Path, scene: str = HYP3, *, processed: str = "2025:09:29 06:09:05") -> Path:
    """Write the VV file of a HyP3 scene."""
    return write_rtc(folder / f"{scene}_VV.tif", spacing_m=20.0, tags={"TIFFTAG_DATETIME": processed})
