"""Whose ground an archive shows where the squares of two sites overlap: that of the nearer lake.

The valleys of two sites are made apart, so their ground does not fit together. The seam runs halfway between
the two shores, as far from both lakes as can be; on its own side each site looks as if the other were not
there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glaciolake.catalog.simulate.granules import Lattice
from glaciolake.catalog.simulate.radar import Frame
from glaciolake.catalog.simulate.shore import Float
from glaciolake.catalog.simulate.terrain import Ground


def away_from_lakes_m(ground: Ground, frame: Frame) -> Float:
    """Distance of a square's pixels from its site's nearest mean shore: (y, x), metres, below 0 inside."""
    away_m: Float = np.minimum.reduce([frame.sample(ground, shore.offshore_m) for shore in ground.shores])
    return away_m


def territories(
    lattice: Lattice, frames: Sequence[Frame], away_m: Sequence[Float]
) -> list[NDArray[np.bool_]]:
    """Share the pixels of a burst out among its sites.

    Parameters
    ----------
    lattice
        The burst's grid.
    frames
        Square of each site.
    away_m
        One a site, (y, x) on its square: see `away_from_lakes_m`.

    Returns
    -------
    list of NDArray[np.bool_]
        One a site, (y, x) on its square: whether no other site's lake is nearer.
    """
    nearest_m = np.full((lattice.rows, lattice.columns), np.inf, np.float32)
    places = [lattice.place(frame) for frame in frames]
    for place, own_m in zip(places, away_m, strict=True):
        nearest_m[place] = np.minimum(nearest_m[place], own_m)
    return [own_m <= nearest_m[place] for place, own_m in zip(places, away_m, strict=True)]
