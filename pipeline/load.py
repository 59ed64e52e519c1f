"""The cube: passes of one lake and track as a lazy dataset on their native lattice."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, Literal

import dask.array as da
import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from glaciolake.catalog.granule import Band
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.load_native import read_native
from glaciolake.pipeline.passes import Pass

Backend = Literal["native", "odc", "stackstac"]
Reader = Callable[[Sequence[Pass], GeoBox, Band, int], da.Array]

MASK_ATTRS = {
    "long_name": "layover and shadow mask",
    "flag_values": [0, 1, 2, 3],
    "flag_meanings": "valid shadow layover layover_and_shadow",
}


def open_cube(
    passes: Sequence[Pass],
    grid: GeoBox,
    *,
    bands: Sequence[Band] = ("vv", "vh"),
    slices_per_chunk: int = 8,
    backend: Backend = "native",
) -> xr.Dataset:
    """Open the passes of one lake and track as a lazy cube; nothing is read before it is computed.

    Parameters
    ----------
    passes
        Of one track, in the order wanted along time; at least one.
    grid
        From `native_grid`; every granule lies on its lattice.
    bands
        Powers wanted; those that no granule has are left out. ``mask`` comes along where a granule has one.
    slices_per_chunk
        Whole slices a chunk: a step works on one chunk without asking its neighbours.
    backend
        Who reads. All give the same pixels; ``native`` also refuses files that contradict the catalogue.

    Returns
    -------
    xr.Dataset
        ``vv``, ``vh``, ... (time, y, x), linear power gamma nought (1), float32, NaN is no data, an exact
        zero is a measurement unless the file declares 0 as nodata. ``mask`` (time, y, x), uint8, 255 is no
        data. Coordinates along time: ``time`` (earliest sensing start, UTC), ``pass_id``, ``relative_orbit``,
        ``orbit_state``, ``sensor``, ``granules`` (names, separated by spaces) and ``mask_complete`` (every
        granule of the pass has a mask file).
    """
    if not passes:
        raise PipelineError("no passes to open; widen the dates or check the source")
    if slices_per_chunk < 1:
        raise PipelineError(f"slices_per_chunk is {slices_per_chunk}; give 1 or more")
    held = {band for one in passes for granule in one.granules for band in granule.bands}
    wanted = [band for band in dict.fromkeys((*bands, "mask")) if band in held]
    if not set(wanted) - {"mask"}:
        raise PipelineError(f"no granule has {list(bands)}; they have {sorted(held)}")
    read = _reader(backend)
    variables = {
        band: (("time", "y", "x"), read(passes, grid, band, slices_per_chunk), _attrs(band))
        for band in wanted
    }
    return xr.Dataset(variables, coords={**xr_coords(grid), **_pass_coords(passes)})


def empty_slices(cube: xr.Dataset) -> xr.DataArray:
    """Tell which slices hold nothing: no pixel of any power band is finite and above zero.

    Parameters
    ----------
    cube
        As of `open_cube`; power bands (time, y, x), linear power (1), float32, NaN is no data.

    Returns
    -------
    xr.DataArray
        (time), bool, lazy; true for a window of NaN or of zeros only.
    """
    powers = [cube[band] for band in cube.data_vars if cube[band].dtype.kind == "f"]
    seen = [((power > 0) & np.isfinite(power)).any(("y", "x")) for power in powers]
    return (~functools.reduce(operator.or_, seen)).rename("empty")


def _reader(backend: Backend) -> Reader:
    """Choose who reads; the others' libraries are imported only when asked for."""
    if backend == "native":
        return read_native
    if backend == "odc":
        from glaciolake.pipeline.load_odc import read_odc

        return read_odc
    if backend == "stackstac":
        from glaciolake.pipeline.load_stackstac import read_stackstac

        return read_stackstac
    raise PipelineError(f"unknown backend {backend!r}; give 'native', 'odc' or 'stackstac'")


def _attrs(band: Band) -> dict[str, Any]:
    """Attributes of a band; the grid mapping stands here because a writer's encoding would lose it."""
    if band == "mask":
        return {**MASK_ATTRS, "grid_mapping": "spatial_ref"}
    return {
        "long_name": f"gamma nought {band.upper()}, linear power",
        "units": "1",
        "grid_mapping": "spatial_ref",
    }


def _pass_coords(passes: Sequence[Pass]) -> dict[str, Any]:
    """Coordinates along time."""
    times = [np.datetime64(one.time.replace(tzinfo=None), "ns") for one in passes]
    return {
        "time": ("time", np.array(times), {"long_name": "earliest sensing start, UTC"}),
        "pass_id": ("time", [one.id for one in passes]),
        "relative_orbit": ("time", np.array([one.relative_orbit for one in passes], "int16")),
        "orbit_state": ("time", [one.orbit_state for one in passes]),
        "sensor": ("time", [one.sensor for one in passes]),
        "granules": ("time", [" ".join(granule.name for granule in one.granules) for one in passes]),
        "mask_complete": ("time", [all(granule.href("mask") for granule in one.granules) for one in passes]),
    }
