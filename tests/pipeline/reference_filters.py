"""Slow float64 forms of the filters, written from their formulae, one window at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Formula = Callable[[float, Float64], float]


def windows(power: Float64, window_px: int) -> Iterator[tuple[int, int, Float64]]:
    """Row, column and valid values of each valid pixel's window."""
    reach = window_px // 2
    for row, column in zip(*np.nonzero(np.isfinite(power)), strict=True):
        part = power[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
        yield row, column, part[np.isfinite(part)]


def filtered(power: NDArray[np.float32], window_px: int, formula: Formula) -> Float64:
    """Apply a formula of centre and valid values to every valid pixel of (y, x)."""
    exact = power.astype(np.float64)
    out = np.full(exact.shape, np.nan)
    for row, column, values in windows(exact, window_px):
        out[row, column] = formula(float(exact[row, column]), values)
    return out


def lee(looks: float) -> Formula:
    """Lee 1980, minimum mean square error."""

    def one(centre: float, values: Float64) -> float:
        mean, variance, noise = values.mean(), values.var(), 1 / looks
        if values.min() == values.max():
            return float(mean)
        gain = max(0.0, (variance - mean**2 * noise) / (1 + noise) / variance)
        return float(mean + gain * (centre - mean))

    return one


def enhanced_lee(looks: float, damping: float) -> Formula:
    """Lopes 1990."""

    def one(centre: float, values: Float64) -> float:
        mean = float(values.mean())
        if values.min() == values.max():
            return mean
        variation, low, high = float(values.std()) / mean, 1 / math.sqrt(looks), math.sqrt(1 + 2 / looks)
        if variation <= low:
            return mean
        if variation >= high:
            return centre
        weight = math.exp(-damping * (variation - low) / (high - variation))
        return mean * weight + centre * (1 - weight)

    return one


def mean(centre: float, values: Float64) -> float:
    """Local mean."""
    return float(values.mean())


def mean_ratio(stack: NDArray[np.float32], window_px: int, *, causal: bool) -> Float64:
    """Quegan and Yu 2001 on (time, y, x), pixel by pixel."""
    local = np.stack([filtered(one, window_px, mean) for one in stack])
    out = np.full(stack.shape, np.nan)
    for date, row, column in zip(*np.nonzero(np.isfinite(stack)), strict=True):
        until = date + 1 if causal else len(stack)
        pixel, around = stack[:until, row, column].astype(np.float64), local[:until, row, column]
        known = np.isfinite(pixel)
        ratios = [p / a if a > 0 else 1.0 for p, a in zip(pixel[known], around[known], strict=True)]
        out[date, row, column] = local[date, row, column] * sum(ratios) / len(ratios)
    return out
