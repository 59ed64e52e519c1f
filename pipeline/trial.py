"""Trial: a lake of known size, drawn, read, filtered, mapped and measured; what `doctor --job` has done."""

from __future__ import annotations

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from glaciolake.models.spec import ModelSpec
from glaciolake.models.weights import DEFAULT_MODEL, read_spec, resolve
from glaciolake.pipeline.despeckle import lee
from glaciolake.pipeline.lakes import LakeRules, Target, measure
from glaciolake.pipeline.normalise import images_for
from glaciolake.pipeline.segment import segment

SIDE_PX, RADIUS_PX, SPACING_M = 96, 15, 30.0
LAND_POWER, WATER_POWER, LOOKS = 0.1, 0.005, 9.0
"""Linear power of land (-10 dB) and lake (-23 dB), and the equivalent number of looks of the speckle."""
TOLERANCE = 0.1
"""Share by which the measured area may be off: engines differ by one hundredth, a wrong network by all."""


def measured_area_m2(model: str = DEFAULT_MODEL) -> float:
    """Draw a lake and measure it as a run would, with GDAL, the filter, the network and the lakes step.

    Parameters
    ----------
    model
        A shipped network or the path of one.

    Returns
    -------
    float
        Area, m2; compare with `judge`.
    """
    ref = resolve(model)
    spec = read_spec(ref)
    water = segment(images_for(_drawn(spec), spec), ref)
    shadow = xr.zeros_like(water, dtype=bool)
    found = measure(water, shadow, Target(_lake(), SPACING_M, spec.threshold, LakeRules()))
    return float(found["area_m2"].item())


def judge(area_m2: float) -> str:
    """Say what is wrong with an area that `measured_area_m2` gave; empty where nothing is."""
    true_m2 = float(_lake().sum()) * SPACING_M**2
    if abs(area_m2 - true_m2) <= TOLERANCE * true_m2:
        return ""
    return f"the drawn lake of {true_m2 / 1e6:.3f} km2 was measured as {area_m2 / 1e6:.3f} km2"


def _lake() -> NDArray[np.bool_]:
    """Pixels of the lake, (y, x) bool."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] - SIDE_PX // 2
    return np.asarray(y**2 + x**2 <= RADIUS_PX**2)


def _drawn(spec: ModelSpec) -> xr.Dataset:
    """Power (time, y, x), float32, of each band the network wants, through a GeoTIFF, filtered."""
    random = np.random.default_rng(0)
    mean = np.where(_lake(), WATER_POWER, LAND_POWER)
    bands = {band: _through_gdal(mean * random.gamma(LOOKS, 1 / LOOKS, mean.shape)) for band in spec.bands}
    power = xr.Dataset({band: (("time", "y", "x"), values[np.newaxis]) for band, values in bands.items()})
    return power.map(lee, window_px=7, looks=LOOKS)


def _through_gdal(power: NDArray[np.float64]) -> NDArray[np.float32]:
    """Write one image (y, x) as a compressed GeoTIFF in memory, and read it."""
    place = {"crs": "EPSG:32645", "transform": rasterio.Affine(SPACING_M, 0, 4e5, 0, -SPACING_M, 3.1e6)}
    size = {"width": SIDE_PX, "height": SIDE_PX, "count": 1, "dtype": "float32"}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", compress="DEFLATE", **place, **size) as file:
            file.write(power.astype(np.float32), 1)
        with memory.open() as file:
            read: NDArray[np.float32] = file.read(1)
    return read
