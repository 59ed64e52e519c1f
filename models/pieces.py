"""Pieces of water, and which of them are the lake that is asked for."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from glaciolake.models.data import Bool, Float32

EIGHT = np.ones((3, 3), dtype=bool)


def connected_to(water: Bool, outline: Bool) -> Bool:
    """Pieces of water (y, x) that reach the outline (y, x); both bool, and so is the result."""
    labels, n_pieces = ndimage.label(water, structure=EIGHT)
    reaching = np.zeros(n_pieces + 1, dtype=bool)
    reaching[np.unique(labels[outline])] = True
    reaching[0] = False
    return np.asarray(reaching[labels], dtype=bool)


def own_lake(probability: Float32, outline: Bool, threshold: float = 0.5) -> Float32:
    """Take out water that is another lake's.

    Parameters
    ----------
    probability
        (y, x), 0..1 (1), float32; NaN is no data.
    outline
        (y, x), True where a registry has the lake; without any pixel nothing is taken out.
    threshold
        Probability from which a pixel is water.

    Returns
    -------
    Float32
        `probability`, 0 in pieces of water that do not reach the outline.
    """
    if not outline.any():
        return probability
    water = np.nan_to_num(probability, nan=-1.0) >= threshold
    return np.where(water & ~connected_to(water, outline), np.float32(0), probability)
