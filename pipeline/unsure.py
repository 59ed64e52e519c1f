"""How much of an area a network is not sure of."""

from __future__ import annotations

import numpy as np
import xarray as xr

from glaciolake.catalog.variables import Surface
from glaciolake.models.skill.intervals import unsure_px
from glaciolake.pipeline.lakes import Target

UNSURE = ("area_unsure_m2",)
"""What `area_unsure` measures."""


def area_unsure(water: xr.DataArray, surface: xr.DataArray, target: Target) -> dict[str, xr.DataArray]:
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
    dict
        ``area_unsure_m2`` (time), m2, float64.
    """
    lake = (surface == int(Surface.LAKE)).values
    unsure = [unsure_px(one, of | target.outline) for one, of in zip(water.values, lake, strict=True)]
    found = xr.DataArray(np.array(unsure, np.float64) * target.spacing_m**2, dims="time")
    return {"area_unsure_m2": found}
