"""Speckle filters on linear power: Lee, Enhanced Lee, and the mean ratio over time of Quegan and Yu.

What is no data (NaN or infinite) takes part in no window and stays NaN; windows are cut at the image's
edges. A pixel with a value keeps one, however few neighbours it has: the shore under a moraine wall lies
beside radar shadow, and a filter that blanks it blanks the lake's outline. Who wants only well supported
pixels gives `min_valid_share`.

The results do not depend on chunks or threads, bit for bit. They agree with float64 arithmetic to 1e-6
(Enhanced Lee: 1e-5) for power between 1e-17 and 1e17; exact zeros are values like others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any, cast

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from glaciolake.pipeline.chunks import joined
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.window import ENHANCED_LEE, LEE, MEAN, Method

Float32 = NDArray[np.float32]

LARGEST_WINDOW_PX = 255

LOOKS = 5.0
"""`estimate_looks` finds 4.9 to 5.7 in OPERA RTC-S1's VV over open sea (VH, near the noise: 2.4 to 3.2)."""


def lee(
    power: xr.DataArray, *, window_px: int = 7, looks: float = LOOKS, min_valid_share: float = 0.0
) -> xr.DataArray:
    """Filter speckle by the local linear minimum mean square error (Lee 1980).

    Parameters
    ----------
    power
        (..., y, x), 0 or more (1, linear power), float32; NaN is no data.
    window_px
        Side of the square window; odd.
    looks
        Equivalent number of looks of the product, as `estimate_looks` gives it.
    min_valid_share
        Share of a full window, 0 to 1, that must hold data for its centre to keep a value.

    Returns
    -------
    xr.DataArray
        As `power`, lazy where it is; NaN where `power` has no data and, by default, nowhere else.

    Raises
    ------
    PipelineError
        The window is even or too large, the looks are not positive, or there is no y or x.
    """
    return _filtered(power, _method(LEE, window_px, looks, min_valid_share=min_valid_share))


def enhanced_lee(
    power: xr.DataArray,
    *,
    window_px: int = 7,
    looks: float = LOOKS,
    damping: float = 1.0,
    min_valid_share: float = 0.0,
) -> xr.DataArray:
    """Filter speckle by Enhanced Lee (Lopes 1990): average what is even, keep what is a point.

    Parameters
    ----------
    power
        (..., y, x), 0 or more (1, linear power), float32; NaN is no data.
    window_px
        Side of the square window; odd.
    looks
        Equivalent number of looks of the product.
    damping
        How quickly weight moves from the mean to the pixel as the window becomes less even; 0 or more.
    min_valid_share
        As for `lee`.

    Returns
    -------
    xr.DataArray
        As `power`, lazy where it is; NaN where `power` has no data and, by default, nowhere else.

    Raises
    ------
    PipelineError
        As `lee`; or the damping is negative.
    """
    if not 0 <= damping < math.inf:
        raise PipelineError(f"damping is {damping}; give 0 or more, 1 is usual")
    method = _method(ENHANCED_LEE, window_px, looks, min_valid_share=min_valid_share)
    return _filtered(power, method._replace(damping=float(damping)))


def multitemporal(power: xr.DataArray, *, window_px: int = 7, causal: bool = False) -> xr.DataArray:
    """Filter speckle by the mean of each date's ratio to its own neighbourhood (Quegan and Yu 2001).

    Each date's local mean is multiplied by the mean, over the dates, of pixel over local mean. Detail that
    lasts is kept at full resolution, and what changed stays in its date's local mean.

    Parameters
    ----------
    power
        (time, y, x) of one track and one polarisation, in order of time, 0 or more (1, linear power),
        float32; NaN is no data.
    window_px
        Side of the square window of the local mean; odd.
    causal
        Take only dates up to the one that is filtered, so that a new scene changes no past result.

    Returns
    -------
    xr.DataArray
        As `power`, with all its dates in one chunk where it is lazy; NaN where `power` has no data and
        nowhere else.

    Raises
    ------
    PipelineError
        The window is even or too large, or time, y or x is missing.
    """
    method = _method(MEAN, window_px, looks=1.0)
    if "time" not in power.dims:
        raise PipelineError(f"multitemporal needs dates; dims are {power.dims}, give (time, y, x)")
    stack = power.transpose("time", ...)
    stack = joined(stack, ["time"])
    return over_windows(stack, partial(mean_ratio, method=method, causal=causal), window_px)


def over_windows(power: xr.DataArray, core: Callable[[Any], Any], window_px: int) -> xr.DataArray:
    """Apply a window's function to (..., y, x), whole slices or with a halo where slices are cut.

    Parameters
    ----------
    power
        (..., y, x), any value, any real dtype; NaN is no data.
    core
        Takes and gives a float32 array of that shape; sees `window_px` // 2 pixels around a pixel.
    window_px
        Side of the window; odd.

    Returns
    -------
    xr.DataArray
        Float32 with `power`'s name, coordinates and attributes.

    Raises
    ------
    PipelineError
        There is no y or x.
    """
    if not {"y", "x"} <= set(power.dims):
        raise PipelineError(f"a speckle filter needs y and x; dims are {power.dims}, name them (time, y, x)")
    power = power.transpose(..., "y", "x")
    # an image smaller than the window has no room for a halo
    power = joined(power, [dim for dim in ("y", "x") if power.sizes[dim] < window_px])
    if power.chunks is None or max(len(power.chunksizes[dim]) for dim in ("y", "x")) == 1:
        return cast(
            xr.DataArray,
            xr.apply_ufunc(core, power, dask="parallelized", output_dtypes=[np.float32], keep_attrs=True),
        )
    cut = {power.dims.index(dim) for dim in ("y", "x") if len(power.chunksizes[dim]) > 1}
    halo = {axis: window_px // 2 if axis in cut else 0 for axis in range(power.ndim)}
    data = da.map_overlap(
        core,
        power.data,
        depth=halo,
        boundary="none",
        dtype=np.float32,
        meta=np.empty((0,) * power.ndim, np.float32),
    )
    return power.copy(data=data)


def filter_slices(power: NDArray[Any], method: Method, threads: int = 1) -> Float32:
    """Filter bare slices.

    Parameters
    ----------
    power
        (..., y, x), 0 or more (1, linear power), any real dtype; NaN or infinite is no data.
    method
        What to do.
    threads
        Threads to use; a Dask worker has its own and wants 1.

    Returns
    -------
    Float32
        As `power`, float32; NaN where it has no data.
    """
    # The compiler takes half a second to import; only a process that filters pays for it.
    from glaciolake.pipeline.despeckle_kernels import filter_rows

    stack = np.ascontiguousarray(power, dtype=np.float32)
    stack = stack.reshape(math.prod(power.shape[:-2]), *power.shape[-2:])
    out = np.empty(stack.shape, np.float32)
    n_rows = stack.shape[0] * stack.shape[1]
    if threads == 1 or n_rows < threads:
        filter_rows(stack, out, (0, n_rows), method)
        return out.reshape(power.shape)
    edges = [n_rows * part // threads for part in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(filter_rows, stack, out, rows, method) for rows in pairwise(edges)]:
            done.result()
    return out.reshape(power.shape)


def mean_ratio(power: NDArray[Any], method: Method, *, causal: bool) -> Float32:
    """Filter a bare stack by the mean ratio over its dates.

    Parameters
    ----------
    power
        (time, ..., y, x), 0 or more (1, linear power), any real dtype; NaN or infinite is no data.
    method
        Window of the local mean.
    causal
        Take only dates up to the one that is filtered.

    Returns
    -------
    Float32
        As `power`, float32; NaN where it has no data.
    """
    local = filter_slices(power, method)
    total = np.zeros(power.shape[1:])
    dates = np.zeros(power.shape[1:], np.int32)
    for date, mean in enumerate(local):
        _add_ratio(power[date], mean, total, dates)
        if causal:
            mean *= total / np.maximum(dates, 1)
    if not causal:
        local *= (total / np.maximum(dates, 1)).astype(np.float32)
    return local


def _add_ratio(power: NDArray[Any], mean: Float32, total: NDArray[Any], dates: NDArray[Any]) -> None:
    """Add one date's ratio; where all is zero, pixel and neighbourhood agree and the ratio is 1."""
    known = ~np.isnan(mean)
    ratio = np.ones(mean.shape)
    np.divide(power, mean, out=ratio, where=known & (mean > 0))
    np.add(total, ratio, out=total, where=known)
    dates += known


def _filtered(power: xr.DataArray, method: Method) -> xr.DataArray:
    return over_windows(power, partial(filter_slices, method=method), method.window_px)


def _method(kind: int, window_px: int, looks: float, *, min_valid_share: float = 0.0) -> Method:
    """Check what a caller gives."""
    if window_px % 2 == 0 or not 3 <= window_px <= LARGEST_WINDOW_PX:
        raise PipelineError(
            f"window_px is {window_px}; give an odd number from 3 to {LARGEST_WINDOW_PX}, 7 is usual"
        )
    if not 0 < looks < math.inf:
        raise PipelineError(f"looks is {looks}; give a positive number, or take that of estimate_looks")
    if not 0 <= min_valid_share <= 1:
        raise PipelineError(f"min_valid_share is {min_valid_share}; give a share from 0 to 1")
    min_valid = max(1, math.ceil(min_valid_share * window_px**2))
    return Method(kind, int(window_px), float(looks), 1.0, min_valid)
