"""The arithmetic of the speckle filters: window sums without subtraction, then one formula a pixel.

A window's sum is built by doubling: sums of 1, 2, 4, ... neighbours, of which the window takes one each
(7 = 1 + 2 + 4), first along x, then along y. Running sums would be no cheaper and would lose the water
beside a bright target, because what was added is subtracted again. The order of the additions depends on
a pixel's own window only, so tiles, threads and chunks cannot change a bit of the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, float64, int64, types
from numpy.typing import NDArray

from glaciolake.pipeline.compiled import Kernel, jittable
from glaciolake.pipeline.window import ENHANCED_LEE, LEE, MEAN, Method

TILE_PX = 1024
"""Columns worked on at once: the sums of a 7 x 7 window then take 400 kB, less than a second-level cache."""

STRIDE_PX = 64
"""Lines are padded to this, so that the vector loops have no remainder."""

F32 = np.float32
LOG2_E = F32(1.4426950408889634)
LN_2 = F32(0.6931471805599453)
# Half an octave each side of 0, 2**-f to 4e-9: Taylor's coefficients of exp.
C2, C3, C4, C5, C6, C7 = (F32(1.0 / n) for n in (2, 6, 24, 120, 720, 5040))
INFINITY = F32(np.inf)
ONE, ZERO, NAN = F32(1), F32(0), F32(np.nan)
TINY = F32(1e-30)
FARTHEST = F32(87)  # exp(-87) is the last normal float32


@jittable
def _add(a: Any, b: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = a[i] + b[i]


@jittable
def _add_three(a: Any, b: Any, c: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = a[i] + b[i] + c[i]


@jittable
def _read_row(row: Any, first: int, value: Any, square: Any, valid: Any) -> None:
    """Copy a row from column `first` on, 0 where it has no data or lies outside the image."""
    low = max(0, -first)
    high = min(value.size, row.size - first)
    for i in range(low):
        value[i] = 0
        valid[i] = 0
    for i in range(high, value.size):
        value[i] = 0
        valid[i] = 0
    source = row[first + low : first + high]
    values = value[low:high]
    valids = valid[low:high]
    for i in range(source.size):
        values[i] = source[i] if abs(source[i]) < INFINITY else ZERO
    for i in range(source.size):
        valids[i] = 1 if abs(source[i]) < INFINITY else 0
    for i in range(value.size):
        square[i] = value[i] * value[i]


@jittable
def _sum_along_x(levels: Any, parts: Any, out: Any) -> None:
    """Sum windows of the line levels[0]; levels[k] is left with the sums of 2**k neighbours."""
    n = levels.shape[1] - (1 << (levels.shape[0] - 1))
    for level in range(1, levels.shape[0]):
        step = 1 << (level - 1)
        _add(levels[level - 1, :n], levels[level - 1, step : step + n], levels[level, :n])
    n = out.size
    second = levels[parts[1, 0], parts[1, 1] : parts[1, 1] + n]
    if parts.shape[0] == 2:
        _add(levels[0, :n], second, out)
        return
    third = levels[parts[2, 0], parts[2, 1] : parts[2, 1] + n]
    _add_three(levels[0, :n], second, third, out)
    for part in range(3, parts.shape[0]):
        _add(out, levels[parts[part, 0], parts[part, 1] : parts[part, 1] + n], out)


@jittable
def _push_row(ring: Any, row: int) -> None:
    """Bring the sums of 2, 4, ... rows up to date after line `row` came into ring[0]."""
    n_rows = ring.shape[1]
    for level in range(1, ring.shape[0]):
        first = row - (1 << level) + 1
        if first < 0:
            return
        middle = (first + (1 << (level - 1))) % n_rows
        _add(ring[level - 1, first % n_rows], ring[level - 1, middle], ring[level, first % n_rows])


@jittable
def _sum_along_y(ring: Any, parts: Any, first: int, out: Any) -> None:
    """Sum the window whose first line is `first`."""
    n_rows = ring.shape[1]
    second = ring[parts[1, 0], (first + parts[1, 1]) % n_rows]
    if parts.shape[0] == 2:
        _add(ring[0, first % n_rows], second, out)
        return
    third = ring[parts[2, 0], (first + parts[2, 1]) % n_rows]
    _add_three(ring[0, first % n_rows], second, third, out)
    for part in range(3, parts.shape[0]):
        _add(out, ring[parts[part, 0], (first + parts[part, 1]) % n_rows], out)


@jittable
def _moments(sums: Any, squares: Any, n_valid: Any, total: Any, spread: Any) -> None:
    """Write the sum, and n**2 times the population variance, rounded once each."""
    for i in range(total.size):
        spread[i] = n_valid[i] * squares[i] - sums[i] * sums[i]
        total[i] = sums[i]


@jittable
def _mean_row(centre: Any, total: Any, n_valid: Any, out: Any) -> None:
    for i in range(out.size):
        mean = total[i] / F32(n_valid[i])
        out[i] = mean if abs(centre[i]) < INFINITY else NAN


@jittable
def _variation_row(centre: Any, moments: Any, n_valid: Any, out: Any) -> None:
    total, spread = moments
    for i in range(out.size):
        n = F32(n_valid[i])
        ratio = spread[i] * n / ((n - ONE) * total[i] * total[i])
        out[i] = ratio if abs(centre[i]) < INFINITY else NAN


@jittable
def _lee_row(centre: Any, moments: Any, n_valid: Any, noise: Any, out: Any) -> None:
    """MMSE estimate, written as a sum of positive terms; `noise` is the squared variation of speckle.

    With q = min(1, noise mean**2 / variance) the textbook's mean + b (centre - mean) is
    (centre (1 - q) + mean (noise + q)) / (1 + noise).
    """
    total, spread = moments
    share = ONE / (ONE + noise)
    for i in range(out.size):
        q = noise * total[i] * total[i] / spread[i]
        q = q if (spread[i] > ZERO) and (q < ONE) else ONE
        mean = total[i] / F32(n_valid[i])
        estimate = (centre[i] * (ONE - q) + mean * (noise + q)) * share
        out[i] = estimate if abs(centre[i]) < INFINITY else NAN


@jittable
def _exponents_row(moments: Any, noise: Any, damping: Any, octaves: Any, rest: Any) -> None:
    """Split exp(-K (Ci - Cu) / (Cmax - Ci)) into a power of two (as float32 bits) and 2**-rest."""
    total, spread = moments
    lowest = np.sqrt(noise)
    highest = np.sqrt(ONE + F32(2) * noise)
    for i in range(total.size):
        variation = np.sqrt(spread[i] if spread[i] > ZERO else ZERO) / total[i]
        gap = highest - variation
        fall = damping * (variation - lowest) / (gap if gap > TINY else TINY)
        fall = fall if fall > ZERO else ZERO  # also where 0 / 0 says nothing varies
        scaled = (fall if fall < FARTHEST else FARTHEST) * LOG2_E
        whole = np.int32(scaled + F32(0.5))
        rest[i] = scaled - F32(whole)
        octaves[i] = (np.int32(127) - whole) << np.int32(23) if not gap <= ZERO else np.int32(0)


@jittable
def _enhanced_row(centre: Any, total: Any, n_valid: Any, weights: Any, out: Any) -> None:
    octave, rest = weights
    for i in range(out.size):
        e = -rest[i] * LN_2
        series = ONE + e * (ONE + e * (C2 + e * (C3 + e * (C4 + e * (C5 + e * (C6 + e * C7))))))
        weight = octave[i] * series
        mean = total[i] / F32(n_valid[i])
        estimate = mean * weight + centre[i] * (ONE - weight)
        out[i] = estimate if abs(centre[i]) < INFINITY else NAN


@jittable
def _blank_row(n_valid: Any, min_valid: int, out: Any) -> None:
    for i in range(out.size):
        if n_valid[i] < min_valid:
            out[i] = NAN


@jittable
def _finish_row(centre: Any, moments: Any, n_valid: Any, method: Any, out: Any) -> None:
    """Turn a line of window sums into a line of the result."""
    noise = F32(1.0 / method.looks)
    if method.kind == MEAN:
        _mean_row(centre, moments[0], n_valid, out)
    elif method.kind == LEE:
        _lee_row(centre, moments, n_valid, noise, out)
    elif method.kind == ENHANCED_LEE:
        octaves = np.empty(moments[0].size, np.int32)
        rest = np.empty(moments[0].size, np.float32)
        _exponents_row(moments, noise, F32(method.damping), octaves, rest)
        _enhanced_row(centre, moments[0], n_valid, (octaves.view(np.float32), rest), out)
    else:
        _variation_row(centre, moments, n_valid, out)
    if method.min_valid > 1:
        _blank_row(n_valid, method.min_valid, out)


@jittable
def _parts(window_px: int) -> NDArray[np.int64]:
    """(part, 2): the level of each sum of 2**level neighbours that the window takes, and where it starts."""
    out = np.empty((16, 2), np.int64)
    n_parts = 0
    offset = 0
    level = 0
    while (1 << level) <= window_px:
        if window_px & (1 << level):
            out[n_parts, 0] = level
            out[n_parts, 1] = offset
            n_parts += 1
            offset += 1 << level
        level += 1
    return out[:n_parts]


@jittable
def _padded(width: int) -> int:
    """Next multiple of `STRIDE_PX`."""
    return -(-width // STRIDE_PX) * STRIDE_PX


@jittable
def _filter_tile(image: Any, out: Any, rows: Any, columns: Any, method: Any) -> None:
    """Filter out[rows, columns] of one slice."""
    reach = method.window_px // 2
    parts = _parts(method.window_px)
    n_levels = parts[-1, 0] + 1
    width = _padded(columns[1] - columns[0])
    half = _padded(width + 2 * reach)  # values, then their squares: one line, half the calls
    slack = 1 << (n_levels - 1)
    line = np.zeros((n_levels, 2 * half + slack))
    line_valid = np.zeros((n_levels, half + slack), np.uint16)
    ring = np.zeros((n_levels, method.window_px, half + width))
    ring_valid = np.zeros((n_levels, method.window_px, width), np.uint16)
    sums = np.empty(half + width)
    n_valid = np.empty(width, np.uint16)
    moments = np.empty(width, np.float32), np.empty(width, np.float32)
    for row in range(rows[1] - rows[0] + 2 * reach):
        y = rows[0] - reach + row
        if 0 <= y < image.shape[0]:
            _read_row(
                image[y], columns[0] - reach, line[0, :half], line[0, half : 2 * half], line_valid[0, :half]
            )
        else:
            line[0] = 0
            line_valid[0] = 0
        slot = row % method.window_px
        _sum_along_x(line, parts, ring[0, slot])
        _push_row(ring, row)
        _sum_along_x(line_valid, parts, ring_valid[0, slot])
        _push_row(ring_valid, row)
        if row < 2 * reach:
            continue
        _sum_along_y(ring, parts, row - 2 * reach, sums)
        _sum_along_y(ring_valid, parts, row - 2 * reach, n_valid)
        _moments(sums[:width], sums[half:], n_valid, moments[0], moments[1])
        done = y - reach
        centre = image[done, columns[0] : columns[1]]
        _finish_row(centre, moments, n_valid, method, out[done, columns[0] : columns[1]])


def _filter_rows(power: Any, out: Any, rows: Any, method: Any) -> None:
    """Filter rows[0] to rows[1] of all slices' rows laid end to end."""
    height, width = power.shape[1:]
    for piece in range(power.shape[0]):
        first = max(rows[0] - piece * height, 0)
        last = min(rows[1] - piece * height, height)
        if first >= last:
            continue
        for left in range(0, width, TILE_PX):
            _filter_tile(power[piece], out[piece], (first, last), (left, min(left + TILE_PX, width)), method)


def _signature() -> Any:
    """Read-only slices in (a scheduler hands them so), slices out, rows, method."""
    numba_types: Any = types
    return numba_types.void(
        numba_types.Array(float32, 3, "C", readonly=True),
        numba_types.Array(float32, 3, "C"),
        numba_types.UniTuple(int64, 2),
        numba_types.NamedTuple([int64, int64, float64, float64, int64], Method),
    )


filter_rows = Kernel(_filter_rows, _signature(), fastmath={"contract"})
