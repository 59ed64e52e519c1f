"""Slices whose every value follows from their day and version: what the tests of the store write."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from glaciolake.catalog.store import Batch
from glaciolake.catalog.store_header import SeriesHeader
from glaciolake.catalog.variables import PIXEL, VARIABLES

ROWS, COLUMNS = 5, 7
HEADER = SeriesHeader(
    lake="tsho-rolpa",
    lake_name="Tsho Rolpa",
    track="T121",
    orbit_state="descending",
    crs="EPSG:32645",
    transform=(30.0, 0.0, 447000.0, 0.0, -30.0, 3083220.0),
    shape=(ROWS, COLUMNS),
    model_name="tiny",
    model_sha256="ab" * 32,
    settings='{"window_px": 7}',
    settings_digest="s1",
)


def slices(days: Sequence[int], *, version: str = "v1") -> xr.Dataset:
    """Packed slices whose every value follows from day and version; v2 is made of newer granules than v1."""
    n, seed = len(days), sum(map(ord, version))
    found = xr.Dataset(coords={"time": ("time", np.array(days, "int64") * 86400)})
    for variable in VARIABLES:
        if variable.dtype == "str":
            if variable.derived:
                continue
            text = {"pass_id": "T121_S1A_{:05d}", "version": version + "-{}", "granules": "G{}"}[
                variable.name
            ]
            found[variable.name] = ("time", np.array([text.format(day) for day in days], dtype=object))
            continue
        if variable.name == "granules_created":
            made = np.array(days, "float64") * 86400 + int(version.lstrip("v")) * 1e7
            found[variable.name] = ("time", made)
            continue
        if variable.derived:
            continue
        shape = (n, ROWS, COLUMNS) if variable.dims == PIXEL else (n,)
        base = (np.array(days) * 3 + seed) % 100
        values = np.broadcast_to(base.reshape(n, *[1] * (len(shape) - 1)), shape)
        found[variable.name] = (variable.dims, values.astype(variable.dtype))
    return found


def batch(days: Sequence[int], *, version: str = "v1") -> Batch:
    return Batch(HEADER, slices(days, version=version))
