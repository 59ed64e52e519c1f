"""How much of an area a network is not sure of."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import ndimage

from glaciolake.catalog.variables import Surface
from glaciolake.pipeline.lakes import EIGHT, Bool, Float32, Target

REACH_PX = 4
"""How far from lake and outline pixels count: half a window of the despeckling."""


def area_unsure(water: xr.DataArray, surface: xr.DataArray, target: Target) -> xr.DataArray:
    """Sum p(1 - p) over the pixels in and around the lake, in m2: the area that a network has not decided on.

    Parameters
    ----------
    water
        Probability (time, y, x), 0 to 1 (1), float32; NaN is unknown and counts nothing.
    surface
        (time, y, x) uint8, classes of `glaciolake.catalog.variables.Surface`.
    target
        Reference outline on this grid, whose surroundings count as well, and the spacing.

    Returns
    -------
    xr.DataArray
        (time,), m2, float64.
    """
    lake = (surface == int(Surface.LAKE)).values
    near = [_near(one | target.outline) for one in lake]
    unsure = [_unsure_px(one, where) for one, where in zip(water.values, near, strict=True)]
    return xr.DataArray(np.array(unsure, np.float64) * target.spacing_m**2, dims="time")


def _near(lake: Bool) -> Bool:
    return np.asarray(ndimage.binary_dilation(lake, EIGHT, iterations=REACH_PX), bool)


def _unsure_px(probability: Float32, where: Bool) -> float:
    known = probability[where].astype(np.float64)
    return float(np.nansum(known * (1 - known)))
