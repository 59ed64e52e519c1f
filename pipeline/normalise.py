"""From linear power to what a network sees.

Four ways: decibels, decibels clipped to 0..1, the paper's histogram equalisation of a slice, and the
deviation from a pixel's own past. The equalisation takes its range from the slice's extremes, so it hides
absolute backscatter and changes when the lake, the season or the outline changes: it is here to reproduce
the paper. The others do not depend on a pixel's surroundings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from glaciolake.models.spec import ModelSpec
from glaciolake.pipeline.chunks import joined
from glaciolake.pipeline.errors import PipelineError

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

FLOOR_DB = -50.0
"""Far below the radar's noise: an exact zero, which OPERA's products may hold, becomes this."""

MIN_HISTORY = 6
"""Past dates from which a standard deviation is worth dividing by: its own error is then about 30 %."""

MIN_DEVIATION_DB = 0.1
"""A steadier past is taken to vary by this, so that a pixel that never changed gives no infinity."""


def to_db(power: xr.DataArray) -> xr.DataArray:
    """Express power in decibels.

    Parameters
    ----------
    power
        Any dims, 0 or more (1, linear power), float32; NaN is no data.

    Returns
    -------
    xr.DataArray
        As `power`, `FLOOR_DB` or more (dB), float32; NaN stays NaN, nothing else becomes NaN.
    """
    return _each(power, decibels).assign_attrs(units="dB")


def scale(gamma0_db: xr.DataArray, clip_db: tuple[float, float]) -> xr.DataArray:
    """Map a range of decibels to 0..1 and clip.

    Parameters
    ----------
    gamma0_db
        Any dims, any value (dB), float32; NaN is no data.
    clip_db
        Decibels that become 0 and 1.

    Returns
    -------
    xr.DataArray
        As `gamma0_db`, 0 to 1 (1), float32; NaN stays NaN.

    Raises
    ------
    PipelineError
        The range is empty.
    """
    low_db, high_db = _checked(clip_db)
    share = ((gamma0_db - low_db) * (1.0 / (high_db - low_db))).clip(0.0, 1.0, keep_attrs=True)
    return share.astype(np.float32).assign_attrs(units="1")


def equalise(power: xr.DataArray) -> xr.DataArray:
    """Equalise the histogram of each slice as the paper's authors do (256 bins of linear power).

    The darkest pixel with data becomes 0 like a pixel without: keep the NaN of `power` to tell them apart.
    A slice whose values are all equal becomes 255, one without data 0.

    Parameters
    ----------
    power
        (..., y, x), any value (1, linear power), float32; NaN or infinite is no data, 0 is a value. Slices
        that are cut along y or x are joined, lazily, for their histogram is one.

    Returns
    -------
    xr.DataArray
        As `power`, 0 to 255 (1), uint8; 0 where there is no data.

    Raises
    ------
    PipelineError
        There is no y or x.
    """
    whole = _whole_slices(power)
    return _each(whole, equalise_slices, np.uint8)


def zscore(power: xr.DataArray, *, min_history: int = MIN_HISTORY) -> xr.DataArray:
    """Express each pixel as its deviation from its own past on this track, in standard deviations.

    Parameters
    ----------
    power
        (time, y, x) of one track and one polarisation, in order of time, 0 or more (1, linear power),
        float32; NaN is no data. All dates are joined into one chunk, lazily.
    min_history
        Earlier dates with data that a pixel needs; 2 or more.

    Returns
    -------
    xr.DataArray
        As `power`, any value (1, standard deviations of the earlier decibels), float32; NaN where `power`
        is, and until a pixel has its history. Later dates change no earlier value.

    Raises
    ------
    PipelineError
        There is no time, or the history asked for is too short for a standard deviation.
    """
    if "time" not in power.dims:
        raise PipelineError(f"zscore needs dates; dims are {power.dims}, give (time, y, x)")
    if min_history < 2:
        raise PipelineError(f"min_history is {min_history}; a standard deviation needs 2 dates or more")
    stack = power.transpose("time", ...)
    stack = joined(stack, ["time"])
    return _each(stack, partial(deviations, min_history=min_history)).assign_attrs(units="1")


def images_for(power: xr.Dataset, spec: ModelSpec) -> xr.DataArray:
    """Make the images that a network wants.

    Parameters
    ----------
    power
        Bands (time, y, x), 0 or more (1, linear power), float32; NaN is no data.
    spec
        The network's bands, in order, and its normalisation.

    Returns
    -------
    xr.DataArray
        (time, channel, y, x), 0 to 1 (1) or, for zscore, standard deviations, float32, whole slices in a
        chunk; NaN where a band has no data, or too short a past.

    Raises
    ------
    PipelineError
        A band is missing.
    """
    missing = [band for band in spec.bands if band not in power]
    if missing:
        raise PipelineError(
            f"the network {spec.name!r} needs {list(spec.bands)} and the cube has {sorted(map(str, power))};"
            f" load {missing} as well, or take a network without"
        )
    bands = [_whole_slices(power[band]) for band in spec.bands]
    if spec.normalisation == "zscore" and bands[0].chunks is not None:
        bands = [joined(band, ["time"]) for band in bands]
    images = xr.apply_ufunc(
        partial(stack_images, one=_normalisation(spec)),
        *bands,
        input_core_dims=[["y", "x"]] * len(bands),
        output_core_dims=[["channel", "y", "x"]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"channel": len(bands)}},
        output_dtypes=[np.float32],
    )
    return cast(xr.DataArray, images.assign_coords(channel=list(spec.bands)).rename("images"))


def decibels(power: NDArray[Any]) -> Float32:
    """Ten times the logarithm, at least `FLOOR_DB`; any shape, NaN stays NaN."""
    floor = np.float32(10 ** (FLOOR_DB / 10))
    gamma0_db: Float32 = np.log10(np.maximum(power, floor, dtype=np.float32), dtype=np.float32)
    gamma0_db *= np.float32(10)
    return gamma0_db


def equalise_slices(power: NDArray[Any]) -> UInt8:
    """Equalise bare slices.

    Parameters
    ----------
    power
        (..., y, x), any value (1, linear power), any real dtype; NaN or infinite is no data.

    Returns
    -------
    UInt8
        As `power`, 0 to 255 (1); 0 where there is no data.
    """
    # The compiler takes half a second to import; only a process that equalises pays for it.
    from glaciolake.pipeline import normalise_kernels as kernels

    stack = np.ascontiguousarray(power, dtype=np.float32)
    stack = stack.reshape(math.prod(power.shape[:-2]), *power.shape[-2:])
    out = np.empty(stack.shape, np.uint8)
    kernels.equalise_slices(stack, stack.view(np.int32), out)
    return out.reshape(power.shape)


def deviations(power: NDArray[Any], *, min_history: int) -> Float32:
    """Do `zscore` on bare power (time, ...), 0 or more (1), any real dtype; NaN is no data."""
    gamma0_db = decibels(power)
    out = np.full(gamma0_db.shape, np.nan, np.float32)
    dates = np.zeros(gamma0_db.shape[1:], np.int32)
    mean = np.zeros(gamma0_db.shape[1:])
    squares = np.zeros(gamma0_db.shape[1:])
    for now_db, deviation in zip(gamma0_db, out, strict=True):
        known = ~np.isnan(now_db)
        deep = known & (dates >= min_history)
        spread_db = np.sqrt(squares[deep] / (dates[deep] - 1))
        deviation[deep] = (now_db[deep] - mean[deep]) / np.maximum(spread_db, MIN_DEVIATION_DB)
        dates += known
        step = np.where(known, now_db - mean, 0.0)  # Welford: no cancellation in long series
        mean += step / np.maximum(dates, 1)
        squares += np.where(known, step * (now_db - mean), 0.0)
    return out


def stack_images(*bands: NDArray[Any], one: Callable[[NDArray[Any]], Float32]) -> Float32:
    """Normalise bands (..., y, x) one by one into (..., channel, y, x)."""
    first = bands[0]
    out = np.empty((*first.shape[:-2], len(bands), *first.shape[-2:]), np.float32)
    for channel, band in enumerate(bands):
        out[..., channel, :, :] = one(band)
    return out


def grey_share(power: NDArray[Any]) -> Float32:
    """Equalised grey level (..., y, x) over 255; NaN where `power` is not finite."""
    out = equalise_slices(power) * np.float32(1 / 255)
    out[~np.isfinite(power)] = np.nan
    return out


def decibel_share(power: NDArray[Any], *, clip_db: tuple[float, float]) -> Float32:
    """Decibels from clip_db mapped to 0..1 and clipped; any shape, NaN stays NaN."""
    low_db, high_db = clip_db
    share = decibels(power)
    share -= np.float32(low_db)
    share *= np.float32(1.0 / (high_db - low_db))
    return np.clip(share, 0, 1, out=share)


def _normalisation(spec: ModelSpec) -> Callable[[NDArray[Any]], Float32]:
    if spec.normalisation == "paper":
        return grey_share
    if spec.normalisation == "zscore":
        return partial(deviations, min_history=MIN_HISTORY)
    return partial(decibel_share, clip_db=_checked(spec.clip_db))


def _checked(clip_db: tuple[float, float]) -> tuple[float, float]:
    low_db, high_db = clip_db
    if not low_db < high_db:
        raise PipelineError(f"clip_db is {low_db}..{high_db}; give the lower bound first, such as -30..5")
    return low_db, high_db


def _each(
    power: xr.DataArray, core: Callable[[Any], Any], dtype: type[np.generic] = np.float32
) -> xr.DataArray:
    """Apply a function of blocks that keeps the shape."""
    return cast(
        xr.DataArray,
        xr.apply_ufunc(core, power, dask="parallelized", output_dtypes=[dtype], keep_attrs=True),
    )


def _whole_slices(power: xr.DataArray) -> xr.DataArray:
    """Put y and x last and join what was cut along them."""
    if not {"y", "x"} <= set(power.dims):
        raise PipelineError(f"an image needs y and x; dims are {power.dims}, name them (time, y, x)")
    power = power.transpose(..., "y", "x")
    return joined(power, ("y", "x"))
