"""Archives of any length for benchmarks: a few scenes, linked under the names of many passes."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.shutil import copy as copy_raster

CRS = "EPSG:32645"
ORIGIN_M = (430_020.0, 3_102_000.0)
SHAPE = (1200, 1500)
"""Part of a burst that has OPERA's tiles (512 px) around Tsho Rolpa: 36 km by 45 km."""
FIRST = datetime(2016, 5, 3, 0, 11, 30, tzinfo=UTC)
BURST = "T121-258662-IW2"
N_SCENES = 4


def write_archive(folder: Path, n_passes: int, *, bands: tuple[str, ...] = ("VV",)) -> Path:
    """Write `n_passes` granules of one burst, 6 days apart; files are hard links to four distinct scenes.

    Parameters
    ----------
    folder
        New folder.
    n_passes
        Number of passes.
    bands
        Polarisations written.
    """
    folder.mkdir(parents=True)
    scenes = {(band, k): _scene(folder, band, k) for band in bands for k in range(N_SCENES)}
    for index in range(n_passes):
        start = FIRST + timedelta(days=6 * index)
        stem = f"OPERA_L2_RTC-S1_{BURST}_{start:%Y%m%dT%H%M%SZ}_{start:%Y%m%d}T093000Z_S1A_30_v1.0"
        for band in bands:
            os.link(scenes[band, index % N_SCENES], folder / f"{stem}_{band}.tif")
    for path in scenes.values():
        path.unlink()
    return folder


def _scene(folder: Path, band: str, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    relief = np.repeat(np.repeat(rng.gamma(4, 0.03, (SHAPE[0] // 20, SHAPE[1] // 20)), 20, 0), 20, 1)
    power = (relief * rng.gamma(9.0, 1 / 9.0, SHAPE)).astype(np.float32)
    power[480:530, 550:640] = 0.01 * rng.gamma(9.0, 1 / 9.0, (50, 90))  # a lake at -20 dB
    power[:, -40:] = np.nan
    transform = Affine(30, 0, ORIGIN_M[0], 0, -30, ORIGIN_M[1])
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": CRS, "nodata": float("nan")}
    plain, path = folder / f"plain_{band}_{seed}", folder / f"scene_{band}_{seed}"
    with rasterio.open(plain, "w", height=SHAPE[0], width=SHAPE[1], transform=transform, **profile) as file:
        file.write(power, 1)
    copy_raster(plain, path, driver="COG", blocksize=512, compress="DEFLATE", predictor="FLOATING_POINT")
    plain.unlink()
    return path
