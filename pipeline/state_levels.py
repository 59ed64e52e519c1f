"""How bright the open lake and the land around it are in a slice: what a state is told from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from glaciolake.catalog.granule import Band
from glaciolake.pipeline.packing import LOWEST_POWER

Bool = NDArray[np.bool_]
Float32 = NDArray[np.float32]

BANDS: tuple[Band, ...] = ("vv", "vh")
"""What tells ice from water; those that were not recorded are left out."""
LEVELS = ("lake_vv_db", "lake_vh_db", "lake_vv_spread_db", "lake_vh_spread_db", "land_vv_db")
SHORE_M = (60.0, 30.0, 0.0)
"""How far from the shore the lake's pixels lie: the first that leaves `FEWEST_PX`, else the last."""
LAND_M = (90.0, 400.0)
"""From where to where beyond the outline the land around lies."""
FEWEST_PX = 12
"""Median of fewer seen pixels say nothing: speckle of 5 looks moves it by over 0.7 dB."""
TENTHS_PER_SIGMA = 2.563
"""From the lowest to the highest tenth of a normal distribution."""


class Zones(NamedTuple):
    """Where lake and land are looked at; (y, x) bool."""

    lake: Bool
    land: Bool


def zones_of(outline: Bool, spacing_m: float) -> Zones:
    """Lay out where lake and land are looked at.

    Parameters
    ----------
    outline
        (y, x) bool, reference outline on the grid.
    spacing_m
        Pixel spacing, metres.

    Returns
    -------
    Zones
        Lake pixels away from the shore, which moves and is mixed with land, and a ring of land around.
    """
    inside_m = spacing_m * ndimage.distance_transform_edt(np.pad(outline, 1))[1:-1, 1:-1]
    beyond_m = spacing_m * ndimage.distance_transform_edt(~outline)
    lakes = [inside_m > shore_m for shore_m in SHORE_M]
    lake = next((one for one in lakes if one.sum() >= FEWEST_PX), lakes[-1])
    return Zones(lake, outline.any() & (beyond_m > LAND_M[0]) & (beyond_m <= LAND_M[1]))


def surface_levels(power: xr.Dataset, zones: Zones) -> xr.Dataset:
    """Measure how bright lake and land are in every slice.

    Parameters
    ----------
    power
        ``vv`` and, where it was recorded, ``vh`` (time, y, x), linear power gamma nought (1), float32, NaN
        where unknown or hidden by terrain; not despeckled, for a filter draws the shore into the lake.
    zones
        Where to look.

    Returns
    -------
    xr.Dataset
        `LEVELS` (time), dB, float32: medians of the lake in VV and VH and of the land in VV, and the spread
        of the lake's pixels, as a standard deviation. NaN where fewer than `FEWEST_PX` pixels were seen, or
        the band was not recorded.
    """
    found = {"land_vv_db": _quantile(_seen_db(power["vv"].values, zones.land), 0.5)}
    for band in BANDS:
        if band in power:
            lake_db = _seen_db(power[band].values, zones.lake)
        else:
            lake_db = [np.empty(0, np.float32)] * power.sizes["time"]
        low, middle, high = (_quantile(lake_db, share) for share in (0.1, 0.5, 0.9))
        found[f"lake_{band}_db"] = middle
        found[f"lake_{band}_spread_db"] = (high - low) / np.float32(TENTHS_PER_SIGMA)
    return xr.Dataset({name: ("time", found[name]) for name in LEVELS})


def _seen_db(power: Float32, where: Bool) -> list[Float32]:
    """Values of each slice (y, x) where they are known, dB; an exact zero has no logarithm."""
    zone = power[:, where]
    return [10 * np.log10(np.maximum(one[np.isfinite(one)], np.float32(LOWEST_POWER))) for one in zone]


def _quantile(slices: list[Float32], share: float) -> Float32:
    """Quantile of each slice, NaN of too few pixels."""
    return np.array(
        [np.quantile(one, share) if one.size >= FEWEST_PX else np.nan for one in slices], dtype=np.float32
    )
