"""How far two masks of one frame are apart: in pixels along the shore, since hands err there, not in area."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from glaciolake.models.data import Bool

REACH_PX = 24
"""Shifts up to this are looked for in each direction; 480 m at 20 m."""


class Shift(NamedTuple):
    """Whole pixels by which a mask is moved from another, and how far apart they are once that is undone.

    Attributes
    ----------
    down_px, right_px
        Towards larger rows and columns.
    left_px
        Mean distance of the shores that is left, px.
    """

    down_px: int
    right_px: int
    left_px: float

    @property
    def length_px(self) -> float:
        """Length of the shift, px."""
        return math.hypot(self.down_px, self.right_px)


def shore_px(mask: Bool) -> int:
    """Pixels of a mask that touch its outside."""
    return int(mask.sum() - ndimage.binary_erosion(mask).sum())


def apart_px(mask: Bool, other: Bool) -> float:
    """Mean distance between the shores of two masks (y, x), px: what they do not share, by `other`'s shore.

    A hand that draws one pixel too wide all around is 1 apart from the truth, whatever the lake's size;
    intersection over union would be 0.6 for a pond and 0.97 for a large lake.
    """
    return float((mask ^ other).sum() / max(shore_px(other), 1))


def overlap_iou(mask: Bool, other: Bool) -> float:
    """Intersection over union, 0..1; 1 where both are empty."""
    union = int((mask | other).sum())
    return float((mask & other).sum() / union) if union else 1.0


def spectrum(mask: Bool) -> NDArray[np.complex64]:
    """Fourier transform of a mask (y, x), for `overlaps`."""
    return np.asarray(fft.rfft2(mask.astype(np.float32)), np.complex64)


def overlaps(
    mine: NDArray[np.complex64], other: NDArray[np.complex64], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Pixels shared by a mask and another that is moved; at [dy, dx], negative ones from the end."""
    found: NDArray[np.float32] = np.round(fft.irfft2(mine * np.conj(other), shape))
    return found


def best_shift(mask: Bool, other: Bool, reach_px: int = REACH_PX) -> Shift:
    """Move `other` so that it covers `mask` best; of equally good moves the shortest."""
    rows, columns = _box(mask | other, reach_px + 1)
    mine, its = mask[rows, columns], other[rows, columns]
    shape = (mine.shape[0] + reach_px, mine.shape[1] + reach_px)
    padded = [np.zeros(shape, bool) for _ in range(2)]
    for frame, one in zip(padded, (mine, its), strict=True):
        frame[: one.shape[0], : one.shape[1]] = one
    shared = overlaps(spectrum(padded[0]), spectrum(padded[1]), shape)
    steps = np.arange(-reach_px, reach_px + 1)
    near = shared[np.ix_(steps % shape[0], steps % shape[1])]
    length = np.hypot(*np.meshgrid(steps, steps, indexing="ij"))
    at = np.unravel_index(np.argmax(near - length / 1e3), near.shape)
    both = float(near[at])
    left = (mask.sum() + other.sum() - 2 * both) / max(shore_px(other), 1)
    return Shift(int(steps[at[0]]), int(steps[at[1]]), float(left))


def _box(mask: Bool, margin_px: int) -> tuple[slice, slice]:
    """Rows and columns that hold a mask, with a margin as far as the frame goes; all where it is empty."""
    if not mask.any():
        return slice(None), slice(None)
    found = []
    for axis, side in enumerate(mask.shape):
        where = np.flatnonzero(mask.any(axis=1 - axis))
        found.append(slice(max(0, int(where[0]) - margin_px), min(side, int(where[-1]) + margin_px + 1)))
    return found[0], found[1]
