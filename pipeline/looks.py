"""Estimate the equivalent number of looks from the scenes themselves.

In homogeneous areas the variance of multilooked power is mean**2 / looks. The squared coefficient of
variation of every window is binned on a logarithmic axis; homogeneous windows make a peak there, texture
and edges a tail above it, and the peak's place, not the mean, is taken.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from glaciolake.pipeline.despeckle import filter_slices
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.window import VARIATION, Method

BINS_PER_OCTAVE = 16
EDGES_LOG2 = np.arange(-14 * BINS_PER_OCTAVE, 4 * BINS_PER_OCTAVE + 1) / BINS_PER_OCTAVE
"""Squared coefficients of variation from 2**-14 to 2**4: 16,000 looks down to a sixteenth."""

MIN_WINDOWS = 200
"""Full windows below which a peak is chance."""


def estimate_looks(power: xr.DataArray, *, window_px: int = 7) -> xr.DataArray:
    """Estimate the equivalent number of looks of a stack of one product.

    Speckle that is correlated from pixel to pixel varies less inside a window than over the scene, so the
    looks come out too high, the more so the smaller the window: they then describe the window's own
    statistics, which is what `lee` compares with. Where there is no homogeneous area larger than a window
    (no open water, no even slope), texture counts as speckle and the looks come out too low. On seeded
    uncorrelated speckle of 2 to 60 looks the estimate holds to 5 %; at 1 look it is 6 % high.

    Parameters
    ----------
    power
        (time, y, x) or (y, x), 0 or more (1, linear power), float32; NaN is no data.
    window_px
        Side of the square window; odd. Only windows full of data and not all zero count.

    Returns
    -------
    xr.DataArray
        A number above 0 (1), float64, lazy where `power` is; NaN where fewer than `MIN_WINDOWS` count.

    Raises
    ------
    PipelineError
        The window is even, or there is no y or x.
    """
    if window_px % 2 == 0 or not 3 <= window_px <= 31:
        raise PipelineError(f"window_px is {window_px}; give an odd number from 3 to 31, 7 is usual")
    if not {"y", "x"} <= set(power.dims):
        raise PipelineError(f"looks are counted on y and x; dims are {power.dims}, name them (time, y, x)")
    if power.chunks is not None:
        power = power.chunk(y=-1, x=-1)
    counts = xr.apply_ufunc(
        partial(count_variations, window_px=window_px),
        power,
        input_core_dims=[["y", "x"]],
        output_core_dims=[["variation"]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"variation": EDGES_LOG2.size - 1}},
        output_dtypes=[np.int64],
    )
    pooled = counts.sum([dim for dim in counts.dims if dim != "variation"])
    looks = xr.apply_ufunc(
        partial(looks_at_peak, window_px=window_px),
        pooled,
        input_core_dims=[["variation"]],
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    return cast(xr.DataArray, looks.rename("looks").assign_attrs(units="1"))


def count_variations(power: NDArray[Any], *, window_px: int) -> NDArray[np.int64]:
    """Count windows by the squared coefficient of variation.

    Parameters
    ----------
    power
        (..., y, x), 0 or more (1, linear power), any real dtype; NaN is no data.
    window_px
        Side of the square window; odd.

    Returns
    -------
    NDArray[np.int64]
        (..., variation), full windows in each bin of `EDGES_LOG2`.
    """
    full = Method(VARIATION, window_px, min_valid=window_px**2)
    squared = filter_slices(power, full).reshape(math.prod(power.shape[:-2]), math.prod(power.shape[-2:]))
    counts = np.empty((squared.shape[0], EDGES_LOG2.size - 1), np.int64)
    for piece, values in enumerate(squared):
        counts[piece] = np.histogram(np.log2(values[values > 0]), EDGES_LOG2)[0]
    return counts.reshape(*power.shape[:-2], -1)


def looks_at_peak(counts: NDArray[np.int64], *, window_px: int) -> NDArray[np.float64]:
    """Turn the commonest variation into looks.

    A window's squared variation is nearly gamma distributed, and the logarithm of a gamma variable has its
    peak at the variable's mean. That mean is n / (n looks + 1) for the unbiased variance of n pixels, for
    mean and variance come from the same pixels; hence looks = 1 / peak - 1 / n.

    Parameters
    ----------
    counts
        (..., variation), windows in each bin of `EDGES_LOG2`.
    window_px
        Side of the square window.

    Returns
    -------
    NDArray[np.float64]
        (...), above 0 (1); NaN where fewer than `MIN_WINDOWS` were counted.
    """
    looks = np.full(counts.shape[:-1], np.nan)
    for where in np.ndindex(looks.shape):
        if counts[where].sum() >= MIN_WINDOWS:
            looks[where] = 1 / 2.0 ** _peak_log2(counts[where]) - 1 / window_px**2
    return looks


def _peak_log2(counts: NDArray[np.int64]) -> float:
    """Place of the peak: a parabola through the logarithms around it, each weighed by its count."""
    kernel = np.hanning(BINS_PER_OCTAVE // 2 + 3)
    top = int(np.argmax(np.convolve(counts, kernel, mode="same")))
    around = slice(max(top - BINS_PER_OCTAVE // 2, 0), top + BINS_PER_OCTAVE // 2 + 1)
    near = counts[around]
    centres = (EDGES_LOG2[:-1] + EDGES_LOG2[1:])[around] / 2
    held = near > 0
    if held.sum() < 3:
        return float(centres[np.argmax(near)])
    middle = centres[held].mean()
    bend, slope, _ = np.polyfit(centres[held] - middle, np.log(near[held]), 2, w=np.sqrt(near[held]))
    if bend >= 0:
        return float(np.average(centres, weights=near))
    return float(np.clip(middle - slope / (2 * bend), centres[0], centres[-1]))
