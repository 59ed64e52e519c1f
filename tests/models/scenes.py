"""Drawn scenes with a known lake, and the files of a labelled data set made of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from glaciolake.catalog.granule import OrbitState
from glaciolake.models.data import Bool, Float32, Sample, put_centre
from glaciolake.models.spec import ModelSpec

SHAPE = (40, 52)
PASSES: dict[str, tuple[datetime, OrbitState]] = {
    "T121": (datetime(2020, 1, 4, 0, 11, 30, tzinfo=UTC), "descending"),
    "T085": (datetime(2020, 1, 13, 12, 22, tzinfo=UTC), "ascending"),
}


def ellipse(shape: tuple[int, int] = SHAPE, *, right_px: int = 0) -> Bool:
    """(y, x), True inside an ellipse that may be moved to the right."""
    y, x = np.indices(shape)
    inside: Bool = ((y - shape[0] / 2) / 10) ** 2 + ((x - right_px - shape[1] / 2) / 12) ** 2 < 1
    return inside


def scene(water: Bool, *, seed: int = 0) -> Float32:
    """Power (y, x): lake at -18 dB, land at -7 dB, 20 looks; the first column has no data."""
    speckle = np.random.default_rng(seed).gamma(20, 1 / 20, water.shape)
    power = (10 ** (np.where(water, -18.0, -7.0) / 10) * speckle).astype(np.float32)
    power[:, 0] = np.nan
    return power


def sample(*, lake: str = "upper", track: str = "T121", cycle: int = 0, right_px: int = 0) -> Sample:
    """One labelled scene, `cycle` repeats of 12 days after the first."""
    first, direction = PASSES[track]
    water = ellipse(right_px=right_px)
    start = first + timedelta(days=12 * cycle)
    return Sample(lake, start, track, direction, scene(water, seed=cycle), water)


def write_data_set(folder: Path, samples: list[Sample], *, lost_chips: int = 0) -> tuple[Path, Path]:
    """Write pairs and chips as they are published; the last `lost_chips` have no chip."""
    pairs, chips = folder / "pairs", folder / "chips"
    for name in ("images", "masks"):
        (pairs / name).mkdir(parents=True)
    for i, one in enumerate(samples):
        stamp, identity = one.start.strftime("%Y%m%dT%H%M%S"), f"{i:04X}"
        name = f"{one.lake}_{stamp}_{identity}.tif"
        power = np.nan_to_num(one.power, nan=0.0)
        frame = np.zeros((256, 256), np.uint8)
        top, left = ((256 - length) // 2 for length in power.shape)
        frame[top : top + power.shape[0], left : left + power.shape[1]] = equalise(power)
        write(pairs / "images" / name, frame)
        write(pairs / "masks" / name, put_centre(one.water).astype(np.uint8))
        chip = chips / one.lake / f"S1A_IW_{stamp}_SVP_RTC20_G_gpufed_{identity}_VV.tif"
        chip.parent.mkdir(parents=True, exist_ok=True)
        if i < len(samples) - lost_chips:
            write(chip, power)
    return pairs, chips


def equalise(power: Float32) -> NDArray[np.uint8]:
    """Grey levels 1..255 by rank, 0 where there is no power: monotone, as the published pictures are."""
    rank = np.zeros(power.shape)
    valid = power > 0
    rank[valid] = np.argsort(np.argsort(power[valid])) / valid.sum()
    grey: NDArray[np.uint8] = np.where(valid, 1 + 254 * rank, 0).astype(np.uint8)
    return grey


def write(path: Path, band: NDArray[np.uint8] | Float32) -> None:
    """One-band GeoTIFF in UTM 45 N, 20 m."""
    settings = {"driver": "GTiff", "height": band.shape[0], "width": band.shape[1], "count": 1}
    transform = rasterio.Affine(20, 0, 470000, 0, -20, 3090000)
    with rasterio.open(
        path, "w", **settings, dtype=band.dtype, crs="EPSG:32645", transform=transform
    ) as file:
        file.write(band, 1)


SPEC = ModelSpec(name="tried")
