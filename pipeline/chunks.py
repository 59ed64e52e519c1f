"""Chunks of lazy arrays."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import xarray as xr


def joined(array: xr.DataArray, dims: Iterable[Hashable]) -> xr.DataArray:
    """Put whatever is cut along some dimensions into one chunk.

    Only the data: `xarray.DataArray.chunk` makes the coordinates lazy as well, each in one chunk, and their
    chunks then contradict the data's.

    Parameters
    ----------
    array
        Any dims, dtype and NaN rule.
    dims
        Dimensions to join.

    Returns
    -------
    xr.DataArray
        The same values; the array itself where it is not lazy or nothing is cut.
    """
    cut = [dim for dim in dims if len(array.chunksizes.get(dim, ())) > 1]
    if not cut:
        return array
    return array.copy(data=array.data.rechunk({array.get_axis_num(dim): -1 for dim in cut}))
