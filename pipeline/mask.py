"""What the radar could not see becomes unknown: shadow, layover, the product's border."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import is_dask_collection
from numpy.typing import NDArray

# Values of the mask layer of OPERA L2_RTC-S1.
SHADOW = 1
LAYOVER = 2
LAYOVER_AND_SHADOW = 3
FILL = 255

Power = NDArray[np.float32]
Where = NDArray[np.bool_]


def hide_invalid(cube: xr.Dataset, *, hide_layover: bool = True) -> xr.Dataset:
    """Blank what was not seen, and say where the terrain was the reason.

    Parameters
    ----------
    cube
        As of `open_cube`: powers (time, y, x), linear power (1), float32, NaN is no data; where it has one,
        ``mask`` (time, y, x), uint8, 255 is no data.
    hide_layover
        Layover keeps a value in the product, but of slopes folded onto each other, not of a lake.

    Returns
    -------
    xr.Dataset
        The powers, NaN where negative, infinite, in shadow, in layover if so wanted, or outside a mask that
        is complete (coordinate ``mask_complete``; without it every mask is); NaN and chunks stay.
        Instead of ``mask``, ``shadow`` (time, y, x), bool: hidden by terrain. Without a mask, none.
    """
    powers = [name for name in cube.data_vars if name != "mask"]
    if "mask" not in cube:
        return cube.assign({name: _chunkwise(only_power, cube[name]) for name in powers})
    mask = _known_mask(cube)
    hidden = {name: _chunkwise(blank, cube[name], mask, hide_layover=hide_layover) for name in powers}
    shadow = _chunkwise(shadowed, mask, hide_layover=hide_layover)
    meaning = "radar shadow or layover" if hide_layover else "radar shadow"
    shadow.attrs = {"long_name": meaning, "grid_mapping": "spatial_ref"}
    return cube.drop_vars("mask").assign(hidden).assign(shadow=shadow)


def _known_mask(cube: xr.Dataset) -> xr.DataArray:
    """Take fill for "not seen" where every granule of the pass brought a mask, else for "no mask"."""
    mask = cube["mask"]
    if "mask_complete" not in cube.coords or bool(cube["mask_complete"].all()):
        return mask
    return mask.where((mask != FILL) | cube["mask_complete"], np.uint8(0))


def _chunkwise(step: Callable[..., NDArray[Any]], *arrays: xr.DataArray, **options: bool) -> xr.DataArray:
    """Apply a bare function block by block, without the transposes that xarray's apply_ufunc would leave."""
    blocks = [array.data for array in arrays]
    if not any(is_dask_collection(block) for block in blocks):
        return arrays[0].copy(data=step(*blocks, **options))
    dtype = bool if step is shadowed else np.float32
    meta = np.empty((0,) * arrays[0].ndim, dtype)
    return arrays[0].copy(data=da.map_blocks(step, *blocks, dtype=dtype, meta=meta, **options))


def only_power(power: Power) -> Power:
    """Keep what a power can be.

    Parameters
    ----------
    power
        Any shape, linear power (1), float32, NaN is no data.

    Returns
    -------
    numpy.ndarray
        The same shape, 0 or above and finite, float32; NaN elsewhere.
    """
    return np.where((power >= 0) & (power < np.inf), power, np.float32(np.nan))


def blank(power: Power, mask: NDArray[np.uint8], *, hide_layover: bool) -> Power:
    """Keep what a power can be where the mask says that it was seen.

    Parameters
    ----------
    power
        Any shape, linear power (1), float32, NaN is no data.
    mask
        The same shape, 0 to 3, uint8, 255 is no data.
    hide_layover
        Whether layover alone hides.

    Returns
    -------
    numpy.ndarray
        The same shape, 0 or above and finite, float32; NaN elsewhere.
    """
    seen = ~shadowed(mask, hide_layover=hide_layover) & (mask != FILL)
    return np.where(seen & (power >= 0) & (power < np.inf), power, np.float32(np.nan))


def shadowed(mask: NDArray[np.uint8], *, hide_layover: bool) -> Where:
    """Find the pixels that terrain hides.

    Parameters
    ----------
    mask
        Any shape, 0 to 3, uint8, 255 is no data.
    hide_layover
        Whether layover alone hides.

    Returns
    -------
    numpy.ndarray
        The same shape, bool; false where there is no data.
    """
    table = np.zeros(256, bool)
    table[[SHADOW, LAYOVER_AND_SHADOW]] = True
    table[LAYOVER] = hide_layover
    return table[mask]
