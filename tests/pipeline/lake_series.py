"""Series as a store gives them, drawn by seeded functions: a round lake that breathes and freezes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS

from glaciolake.catalog.variables import Flag, Surface

SPACING_M = 30.0
WEST_M, NORTH_M = 448_000.0, 3_084_000.0
"""Corner of the grid in EPSG:32645, at Tsho Rolpa."""


def days_of(start: str, end: str, step_days: int = 12) -> pd.DatetimeIndex:
    """Overflights every `step_days` days, at the hour of a descending track."""
    return pd.date_range(f"{start}T00:11:33", end, freq=f"{step_days}D")


def lake_series(
    days: pd.DatetimeIndex,
    *,
    track: str = "T121",
    orbit_state: str = "descending",
    area_m2: float = 1_500_000.0,
    growth_m2_per_year: float = 0.0,
    scatter: float = 0.025,
    size_px: int = 96,
    seed: int = 0,
) -> xr.Dataset:
    """Series of one track: a disc of water, 8-looks speckle, winters flagged, every ninth slice incomplete.

    Returns
    -------
    xr.Dataset
        What `glaciolake.open_lake` returns: variables (time) and (time, y, x); ``surface`` is float with NaN
        for unknown, as xarray decodes it.
    """
    rng = np.random.default_rng(seed)
    years = (days - days[0]).days.to_numpy() / 365.25
    area = (area_m2 + growth_m2_per_year * years) * (1 + scatter * rng.standard_normal(len(days)))
    flags = np.where(days.month.isin([12, 1, 2, 3]), int(Flag.FROZEN_SEASON), 0).astype("uint8")
    flags[8::9] |= int(Flag.INCOMPLETE)
    frozen = (flags & int(Flag.FROZEN_SEASON)) > 0
    area[frozen] *= rng.uniform(0.55, 0.95, frozen.sum())
    upper = np.where((flags & int(Flag.INCOMPLETE)) > 0, area * 1.12, area)
    sigma = np.full(len(days), 0.6872 * SPACING_M * 2 * np.sqrt(np.pi * area_m2) / 2)
    surface = discs(np.sqrt(area / np.pi), size_px)
    looks = 8.0
    db = 10 * np.log10(
        np.where(surface == Surface.LAKE, 0.006, 0.12) * rng.gamma(looks, 1 / looks, surface.shape)
    )
    pixel, time = ("time", "y", "x"), ("time",)
    x = WEST_M + SPACING_M * (np.arange(size_px) + 0.5)
    y = NORTH_M - SPACING_M * (np.arange(size_px) + 0.5)
    return xr.Dataset(
        {
            "area_m2": (time, area),
            "area_lower_m2": (time, area),
            "area_upper_m2": (time, upper),
            "area_sigma_m2": (time, sigma),
            "valid_fraction": (time, (area / upper).astype("float32")),
            "shadow_fraction": (time, np.zeros(len(days), "float32")),
            "flags": (time, flags),
            "pass_id": (time, texts(f"{track}_S1A_{day:%Y%m%d}" for day in days)),
            "version": (time, texts(f"{number:012x}" for number in range(len(days)))),
            "granules": (
                time,
                texts(f"OPERA_L2_RTC-S1_{track}_{day:%Y%m%dT%H%M%SZ}" for day in days),
            ),
            "surface": (pixel, surface.astype("float32")),
            "gamma0_vv_db": (pixel, db.astype("float32")),
        },
        coords={
            "time": days.tz_localize(None),
            "y": y,
            "x": x,
            "spatial_ref": xr.DataArray(0, attrs=CRS.from_epsg(32645).to_cf()),
        },
        attrs={"lake": "tsho-rolpa", "lake_name": "Tsho Rolpa", "track": track, "orbit_state": orbit_state},
    )


def texts(values: Iterable[str]) -> np.ndarray[Any, Any]:
    """Texts of the type that Zarr's reader gives."""
    return np.array(list(values), dtype=np.dtypes.StringDType())


def discs(radius_m: NDArray[np.float64], size_px: int) -> NDArray[np.uint8]:
    """Classes (time, y, x) of discs of lake around the grid's centre."""
    rows, columns = np.mgrid[:size_px, :size_px]
    distance_m = SPACING_M * np.hypot(rows - size_px / 2 + 0.5, columns - size_px / 2 + 0.5)
    inside = distance_m[None] <= radius_m[:, None, None]
    return np.where(inside, int(Surface.LAKE), int(Surface.LAND)).astype("uint8")
