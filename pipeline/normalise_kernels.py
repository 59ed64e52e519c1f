"""The arithmetic of the paper's histogram equalisation, in three sweeps over a slice.

Bit for bit what `numpy.histogram` with 256 bins and `numpy.interp` on the left edges give: the same float32
edges, the same half-open bins, the same float64 interpolation without fused multiply-add.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int32, types, uint8

from glaciolake.pipeline.compiled import Kernel, jittable

N_BINS = 256
BLOCK_PX = 4096
"""Pixels binned before they are counted: their bin numbers stay in the first-level cache."""

LANES = 4
"""Histograms counted side by side: neighbours often share a bin, and one counter would wait for itself."""

NO_DATA = np.int32(N_BINS)
SIGN_OFF = np.int32(0x7FFFFFFF)
INFINITY_BITS = np.int32(0x7F800000)
LOWEST = np.int32(-0x7F800000)


@jittable
def _range_of(bits: Any) -> Any:
    """Smallest and largest finite value, as integers that sort as the floats do."""
    low = INFINITY_BITS
    high = LOWEST
    for i in range(bits.size):
        key = bits[i] ^ ((bits[i] >> np.int32(31)) & SIGN_OFF)
        finite = (bits[i] & SIGN_OFF) < INFINITY_BITS
        low = min(low, key if finite else INFINITY_BITS)
        high = max(high, key if finite else LOWEST)
    return low, high


@jittable
def _bins_of(values: Any, edges: Any, scale: Any, bins: Any) -> None:
    """Write each pixel's bin; the guess by division may miss by one, so the edges decide."""
    first = edges[0]
    last = np.int32(N_BINS - 1)
    for i in range(values.size):
        value = values[i]
        finite = abs(value) < np.float32(np.inf)
        guess = np.int32((value - first) * scale if finite else np.float32(0))
        guess = min(max(guess, np.int32(0)), last)
        lower = np.int32(1) if value < edges[guess] else np.int32(0)
        upper = np.int32(1) if (value >= edges[guess + 1]) and (guess < last) else np.int32(0)
        bins[i] = guess - lower + upper if finite else NO_DATA


@jittable
def _count(bins: Any, counts: Any) -> None:
    whole = bins.size // LANES * LANES
    for i in range(0, whole, LANES):
        counts[0, bins[i]] += 1
        counts[1, bins[i + 1]] += 1
        counts[2, bins[i + 2]] += 1
        counts[3, bins[i + 3]] += 1
    for i in range(whole, bins.size):
        counts[0, bins[i]] += 1


@jittable
def _edges_between(low: Any, high: Any, edges: Any) -> bool:
    """Write the edges as `numpy.linspace` does in float32; False where float32 has no 256 bins there."""
    step = (high - low) / np.float32(N_BINS)
    for i in range(N_BINS):
        edges[i] = np.float32(i) * step + low
    edges[N_BINS] = high
    rises = True
    for i in range(N_BINS):
        rises &= edges[i] < edges[i + 1]
    return rises


@jittable
def _levels_of(counts: Any, edges: Any, levels: Any, slopes: Any) -> None:
    """Write the grey level at each left edge and its rise to the next; beyond the last edge it stays 255."""
    n_below = counts[0, 0]
    n_all = counts[0, :N_BINS].sum()
    seen = 0
    for i in range(N_BINS):
        seen += counts[0, i]
        levels[i] = np.float64((seen - n_below) * 255) / np.float64(n_all - n_below)
    for i in range(N_BINS - 1):
        slopes[i] = (levels[i + 1] - levels[i]) / (np.float64(edges[i + 1]) - np.float64(edges[i]))
    slopes[N_BINS - 1] = 0.0


@jittable
def _histogram(values: Any, edges: Any, counts: Any, out: Any) -> None:
    """Count the bins, and leave each pixel's bin in `out` (any number where there is no data)."""
    scale = np.float32(N_BINS) / (edges[N_BINS] - edges[0])
    bins = np.empty(BLOCK_PX, np.int32)
    for first in range(0, values.size, BLOCK_PX):
        block = values[first : first + BLOCK_PX]
        _bins_of(block, edges, scale, bins[: block.size])
        _count(bins[: block.size], counts)
        kept = out[first : first + BLOCK_PX]
        for i in range(kept.size):
            kept[i] = bins[i]
    for lane in range(1, LANES):
        for i in range(N_BINS):
            counts[0, i] += counts[lane, i]


@jittable
def _shade(values: Any, edges: Any, tables: Any, out: Any) -> None:
    """Replace each pixel's bin in `out` by its grey level, cut to an integer; 0 where there is no data."""
    levels, slopes = tables
    for i in range(values.size):
        value = values[i]
        which = out[i]
        level = slopes[which] * (np.float64(value) - np.float64(edges[which])) + levels[which]
        out[i] = np.uint8(np.int32(level if abs(value) < np.float32(np.inf) else 0.0))


@jittable
def _flat(values: Any, out: Any) -> None:
    for i in range(values.size):
        out[i] = 255 if abs(values[i]) < np.float32(np.inf) else 0


def _equalise_slices(power: Any, bits: Any, out: Any) -> None:
    """Equalise each row of (slice, pixel)."""
    edges = np.empty(N_BINS + 1, np.float32)
    ends = np.empty(2, np.int32)
    levels = np.empty(N_BINS)
    slopes = np.empty(N_BINS)
    for piece in range(power.shape[0]):
        low, high = _range_of(bits[piece])
        ends[0] = low ^ ((low >> np.int32(31)) & SIGN_OFF)
        ends[1] = high ^ ((high >> np.int32(31)) & SIGN_OFF)
        limits = ends.view(np.float32)
        if not (low < high and _edges_between(limits[0], limits[1], edges)):
            _flat(power[piece], out[piece])
            continue
        counts = np.zeros((LANES, N_BINS + 1), np.int64)
        _histogram(power[piece], edges, counts, out[piece])
        _levels_of(counts, edges, levels, slopes)
        _shade(power[piece], edges, (levels, slopes), out[piece])


def _signature() -> Any:
    """Read-only power and its bits (slice, pixel), grey levels (slice, pixel)."""
    array: Any = types.Array
    return types.void(
        array(float32, 2, "C", readonly=True), array(int32, 2, "C", readonly=True), array(uint8, 2, "C")
    )


equalise_slices = Kernel(_equalise_slices, _signature())
