"""Windows: an image too large for one go is seen in overlapping pieces whose answers fade into each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


class Window(NamedTuple):
    """Part of an image, pixels: rows ``top`` to ``bottom`` - 1, columns ``left`` to ``right`` - 1."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in (y, x)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def windows(height_px: int, width_px: int, *, size_px: int, overlap_px: int) -> list[Window]:
    """Cover an image with windows.

    Parameters
    ----------
    height_px, width_px
        Size of the image.
    size_px
        Largest side of a window; an image that is not larger is one window.
    overlap_px
        Least overlap of neighbours; less than `size_px`.

    Returns
    -------
    list of Window
        Row by row; the last of a row is pulled back to the rim.
    """
    return [
        Window(top, left, min(top + size_px, height_px), min(left + size_px, width_px))
        for top in _starts(height_px, size_px, overlap_px)
        for left in _starts(width_px, size_px, overlap_px)
    ]


def blend(patches: Iterable[tuple[Window, Float32]], shape: tuple[int, int]) -> Float32:
    """Lay answers over each other, each weighted less towards its rim.

    Parameters
    ----------
    patches
        Windows and their answers (y, x), any value (1), float32; NaN is no data.
    shape
        (y, x) of the image, pixels.

    Returns
    -------
    numpy.ndarray
        `shape`, float32, weighted mean; NaN where no window has an answer.
    """
    total, weights = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for window, answer in patches:
        weight = np.where(np.isnan(answer), np.float32(0), _fading(*answer.shape))
        total[window.slices] += weight * np.nan_to_num(answer)
        weights[window.slices] += weight
    with np.errstate(invalid="ignore"):
        return np.divide(total, weights, out=np.full(shape, np.nan, np.float32), where=weights > 0)


def _starts(length_px: int, size_px: int, overlap_px: int) -> list[int]:
    last = max(length_px - size_px, 0)
    return sorted({*range(0, last, size_px - overlap_px), last})


def _fading(height_px: int, width_px: int) -> Float32:
    """Weight (y, x): the distance to the nearest rim along each axis, multiplied; never zero."""
    rows, columns = (np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)) for n in (height_px, width_px))
    return np.multiply.outer(rows / height_px, columns / width_px).astype(np.float32)
