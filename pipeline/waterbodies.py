"""Waterbodies: the lake within its reference outline, the measure of DEA Waterbodies."""

from __future__ import annotations

import xarray as xr

from glaciolake.catalog.variables import Surface
from glaciolake.pipeline.lakes import Target

WITHIN = ("wet_fraction", "area_wet_m2")
"""What `within_outline` measures."""


def within_outline(surface: xr.DataArray, target: Target) -> dict[str, xr.DataArray]:
    """Measure the lake within its reference outline, as DEA Waterbodies does.

    Parameters
    ----------
    surface
        (time, y, x) uint8, classes of `glaciolake.catalog.variables.Surface`.
    target
        The lake's reference outline on this grid.

    Returns
    -------
    dict
        ``wet_fraction`` (time), share of the outline (1) seen as lake, and ``area_wet_m2`` (time), m2.
    """
    n_outline = int(target.outline.sum()) + target.n_beyond_px
    wet_px = ((surface == int(Surface.LAKE)) & target.outline).sum(("y", "x"))
    return {"wet_fraction": wet_px / max(n_outline, 1), "area_wet_m2": wet_px * target.spacing_m**2}
