"""Lakes that drain or grow, made of scenes in which they did not.

No published label shows a lake that emptied, so a network that is told the usual outline learns to repeat it
and would miss the one event that it is for. Here a part of the lake is painted over with land of the same
image, or land with water of it, and the label follows; the record beside it stays as it was.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glaciolake.models.data import Bool, Float32

LEAST_LAKE_PX = 60
"""Below 0.024 km2 at 20 m there is nothing to take away."""
SHARE_FULL = 0.15
"""Of the drained lakes, those that are gone altogether."""
SHARE_GROWN = 0.35
"""Of the changed lakes."""
WIDEST_PX = 8.0
"""Of a growth, 160 m at 20 m."""
TRIES, ROUNDS, REACH_PX, RING_PX = 8, 6, 60, 40
SHORE_PX = 2
"""Labels and images differ by so much along a shore, so that it is painted too."""
Random = np.random.Generator
Kind = Literal["drain", "grow"]


def change(  # noqa: PLR0913  # what is changed, and how
    images: Float32,
    water: Bool,
    valid: Bool,
    random: Random,
    *,
    kind: Kind | None = None,
    share: float | None = None,
) -> tuple[Float32, Bool]:
    """Let a lake drain or grow on one date.

    Parameters
    ----------
    images
        (n, y, x), the date and whatever changed with it, any unit, float32.
    water
        (y, x), True where the label says lake.
    valid
        (y, x), True where there are data.
    random
        Decides what happens.
    kind
        What happens; None leaves it to chance.
    share
        Of the lake that drains, 0..1 (1); None leaves it to chance.

    Returns
    -------
    tuple[Float32, Bool]
        Images and lake as they would be; unchanged where the lake is too small.
    """
    if int(water.sum()) < LEAST_LAKE_PX:
        return images, water
    if kind is None:
        kind = "grow" if random.random() < SHARE_GROWN else "drain"
    if kind == "grow":
        new = _grown(water, random) & valid
        inside = ndimage.binary_erosion(water, iterations=SHORE_PX)
        source, moved = inside, new & ~inside
    else:
        new = _drained(water, random, share)
        near = ndimage.binary_dilation(water, iterations=SHORE_PX)
        source = valid & ~near & ndimage.binary_dilation(near, iterations=RING_PX)
        moved = valid & ~new & ndimage.binary_dilation(water & ~new, iterations=SHORE_PX)
    if not source.any() or not moved.any():
        return images, water
    return _paint(images, moved, source, random), new


def _slant(shape: tuple[int, int], random: Random) -> Float32:
    """(y, x), rises across the frame by its diagonal in some direction, px: events are one-sided."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.indices(shape)
    return np.asarray(np.cos(angle) * y + np.sin(angle) * x, np.float32)


def _drained(water: Bool, random: Random, share: float | None) -> Bool:
    """Leave the deepest part by distance from the shore, tilted to one side."""
    if share is None:
        share = 1.0 if random.random() < SHARE_FULL else random.uniform(0.1, 0.9)
    if share >= 1:
        return np.zeros_like(water)
    depth = ndimage.distance_transform_edt(water)
    rank = depth + random.uniform(0, 0.6) * _slant((water.shape[0], water.shape[1]), random)
    left: Bool = water & (rank > np.quantile(rank[water], share))
    return left


def _grown(water: Bool, random: Random) -> Bool:
    """Add what lies within some pixels of the lake, more on one side."""
    away = ndimage.distance_transform_edt(~water)
    slant = _slant((water.shape[0], water.shape[1]), random)
    spread = (slant - slant[water].mean()) / max(float(np.ptp(slant[water])), 1.0)
    width = random.uniform(1, WIDEST_PX) * np.clip(0.5 + spread, 0, 1)
    grown: Bool = water | (away <= width)
    return grown


def _paint(images: Float32, moved: Bool, source: Bool, random: Random) -> Float32:
    """Copy pieces of the source over what changed, with their texture; single pixels for the rest."""
    painted, at = images.copy(), np.argwhere(moved)
    for _ in range(ROUNDS):
        if not len(at):
            break
        offsets = random.integers(-REACH_PX, REACH_PX + 1, (TRIES, 2))
        fits = [_lands_on(source, at + offset) for offset in offsets]
        best = int(np.argmax([fit.sum() for fit in fits]))
        to = at[fits[best]]
        found = to + offsets[best]
        painted[:, to[:, 0], to[:, 1]] = images[:, found[:, 0], found[:, 1]]
        at = at[~fits[best]]
    pool = np.argwhere(source)
    found = pool[random.integers(len(pool), size=len(at))]
    painted[:, at[:, 0], at[:, 1]] = images[:, found[:, 0], found[:, 1]]
    return painted


def _lands_on(source: Bool, at: NDArray[np.int64]) -> Bool:
    """(n,), whether a pixel (n, 2) is in the frame and in the source."""
    fits: Bool = np.all((at >= 0) & (at < source.shape), axis=1)
    fits[fits] = source[tuple(at[fits].T)]
    return fits
