"""Layers of a burst that do not change with time: angles, mask, looks and factors of terrain correction."""

from __future__ import annotations

import numpy as np

from glaciolake.catalog.simulate.elevation import heights_on
from glaciolake.catalog.simulate.granules import Layer
from glaciolake.catalog.simulate.radar import CELL_M, Frame, View
from glaciolake.catalog.simulate.shore import SPACING_M, Float
from glaciolake.catalog.simulate.terrain import Ground

SLANT_SPACING_M = 2.33
AZIMUTH_SPACING_M = 13.9
"""Spacing of the single-look image that the product is made of."""
LEAST_COSINE = 0.01


def static_layers(ground: Ground, frame: Frame, view: View, look_azimuth_deg: float) -> dict[str, Layer]:
    """Work out the static layers of one site in one burst.

    Parameters
    ----------
    ground, frame, view
        The site, the square that is imaged, and how it is seen.
    look_azimuth_deg
        Direction in which the radar looks, clockwise from grid north.

    Returns
    -------
    dict[str, Layer]
        Layer name -> (y, x): ``incidence_angle`` and ``local_incidence_angle`` (degrees), ``number_of_looks``
        (1), ``rtc_anf_gamma0_to_beta0`` and ``rtc_anf_gamma0_to_sigma0`` (1), float32, no NaN; ``mask``
        uint8.
    """
    local_deg, towards = _local_incidence(ground, frame, look_azimuth_deg, view.incidence_deg)
    theta = np.radians(view.incidence_deg)
    # slant range that a pixel's ground covers: its slope towards the radar shortens it
    slant_m = SPACING_M * np.abs(np.sin(theta) - towards * np.cos(theta))
    return {
        "incidence_angle": np.full(view.shape, view.incidence_deg, np.float32),
        "local_incidence_angle": local_deg,
        "mask": view.mask,
        "number_of_looks": np.asarray(
            np.maximum(slant_m / SLANT_SPACING_M, 1) * SPACING_M / AZIMUTH_SPACING_M, np.float32
        ),
        "rtc_anf_gamma0_to_beta0": _area_shown(view),
        "rtc_anf_gamma0_to_sigma0": np.maximum(np.cos(np.radians(local_deg)), LEAST_COSINE).astype(
            np.float32
        ),
    }


def _area_shown(view: View) -> Float:
    """Area that the ground shows in each pixel's range cell, over the cell's own; a cotangent where flat."""
    per_cell = np.asarray(view.to_cells.sum(axis=1), np.float64).ravel() / CELL_M
    read = view.to_map.copy()
    read.data = np.ones_like(read.data)
    counts = np.asarray(read.sum(axis=1)).ravel()
    shown: Float = ((read @ per_cell) / np.maximum(counts, 1)).reshape(view.shape).astype(np.float32)
    return shown


def _local_incidence(
    ground: Ground, frame: Frame, look_azimuth_deg: float, incidence_deg: float
) -> tuple[Float, Float]:
    """Angle between ray and ground's normal, degrees, and the ground's rise along the look direction (1)."""
    down, east = np.gradient(heights_on(ground, frame), SPACING_M)
    azimuth, theta = np.radians(look_azimuth_deg), np.radians(incidence_deg)
    rise = east * np.sin(azimuth) - down * np.cos(azimuth)
    cosine = (np.cos(theta) + rise * np.sin(theta)) / np.sqrt(1 + down**2 + east**2)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1))).astype(np.float32), rise.astype(np.float32)
