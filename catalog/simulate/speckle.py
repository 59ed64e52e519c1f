"""What instrument and processor make of a signal: noise taken off look by look, speckle, exact zeros."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from glaciolake.catalog.simulate.levels import LOOKS, SPECKLE_KERNEL

Floats = NDArray[np.float64]

SAMPLES = 16
"""Single looks behind a pixel: all of them must fall below the noise for an exact 0. Of VH over the ocean
1e-5 to 1.7e-4 of the pixels are 0, which asks for 12 to 16, most where calm water is darkest; of VV 0 to
1.6e-5; over land nothing but 3e-6 of VH in the darkest crop (OPERA track 137, 15 bursts, 31 dates:
``docs/measure_levels.py``)."""


def after_noise(signal: NDArray[np.floating[Any]], noise: float) -> tuple[Floats, Floats, Floats]:
    """Take noise off a signal look by look, cutting at 0, in the mean.

    OPERA's processor does so before it averages (opera-adt/RTC, ``apply_slc_corrections``). A single look of
    mean M, signal and noise N, leaves ``M exp(-N / M)`` and keeps ``1 / (2 exp(N / M) - 1)`` of its looks. So
    calm water never falls below a third of the noise.

    Parameters
    ----------
    signal
        Mean without noise, any shape, 0 and above (1, linear power).
    noise
        (1, linear power), above 0; see `levels.NOISE_DB`.

    Returns
    -------
    tuple of NDArray[np.float64]
        Mean (1, linear power), looks (1) and share of exact zeros, 0..1, each of the signal's shape.
    """
    total = np.asarray(signal, dtype=np.float64) + noise
    kept = np.exp(-noise / total)
    return total * kept, LOOKS * kept / (2 - kept), (1 - kept) ** SAMPLES


def measured(
    signal: NDArray[np.floating[Any]], noise: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw the image that the product holds of a signal.

    Parameters
    ----------
    signal
        (y, x), 0 and above (1, linear power); NaN is no data and stays.
    noise
        (1, linear power), above 0.
    rng
        Draws speckle and zeros.

    Returns
    -------
    NDArray[np.float32]
        (y, x), 0 and above (1, linear power).
    """
    mean, looks, zeros = after_noise(np.nan_to_num(signal), noise)
    down, across = (np.asarray(SPECKLE_KERNEL[axis]) for axis in ("y", "x"))
    # Smoothing by the kernels adds looks; as many are taken off beforehand.
    fine = looks * np.square(down).sum() * np.square(across).sum()
    grain = rng.standard_gamma(fine) / fine
    grain = correlate1d(correlate1d(grain, down, axis=0, mode="wrap"), across, axis=1, mode="wrap")
    image = np.where(rng.random(mean.shape) < zeros, 0.0, mean * grain)
    return np.where(np.isnan(signal), np.nan, image).astype(np.float32)
