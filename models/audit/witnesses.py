"""Who sides with a label where it differs from the other dates: the image, other tracks, outlines, a network.

The other dates only say that a label is unlike them. Whether the lake or the hand has changed is asked of
what is independent of them, pixel by pixel of what is disputed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from glaciolake.models.audit.dates import NEAREST, Track, half
from glaciolake.models.data import PAIR_SIDE_PX, Bool, Float32, Sample, cut_centre

LEAST_DISPUTED_PX = 20
LEAST_SHARE = 0.25
"""Of the disputed pixels, that a witness must know of."""
LEAST_CONTRAST_DB = 1.5
"""Between lake and land around it, below which the image tells nothing: half of what open water has."""
AGAINST, BESIDE = 0.4, 0.6
"""Shares of the disputed pixels up to and from which a witness takes a side; between them it is silent."""
RING_PX = 6


class Witness(NamedTuple):
    """What one witness says.

    Attributes
    ----------
    name
        ``image``, ``tracks``, ``outline`` or ``model``.
    share
        Of the disputed pixels that it knows of, where it is as the label says, 0..1.
    """

    name: str
    share: float

    @property
    def against(self) -> bool:
        """Whether it contradicts the label."""
        return self.share <= AGAINST

    @property
    def beside(self) -> bool:
        """Whether it supports the label."""
        return self.share >= BESIDE


def decibels(sample: Sample) -> Float32:
    """(256, 256), backscatter (dB), float32; NaN where there are no data."""
    frame = np.full((PAIR_SIDE_PX, PAIR_SIDE_PX), np.nan, np.float32)
    cut_centre(frame, sample.power.shape)[...] = 10 * np.log10(sample.power)
    return frame


def share_beside(label: Bool, nearest: Bool, says: Bool, known: Bool) -> float | None:
    """Share of the disputed pixels where a witness sides with the label; None if it knows little of them."""
    disputed = label ^ nearest
    asked = disputed & known
    if asked.sum() < max(LEAST_DISPUTED_PX, LEAST_SHARE * disputed.sum()):
        return None
    return float((says == label)[asked].mean())


def image_share(db: Float32, label: Bool, nearest: Bool) -> float | None:
    """Ask the image whether disputed pixels are nearer to the water that both see, or to the land around.

    Parameters
    ----------
    db
        (y, x), backscatter (dB), float32; NaN is no data.
    label, nearest
        (y, x), True where the label, and where the other dates say lake.
    """
    both, either = label & nearest, label | nearest
    around = ndimage.binary_dilation(either, iterations=RING_PX) & ~either
    seen = np.isfinite(db)
    if min((both & seen).sum(), (around & seen).sum()) < LEAST_DISPUTED_PX:
        return None
    water, land = (float(np.median(db[where & seen])) for where in (both, around))
    if land - water < LEAST_CONTRAST_DB:
        return None
    return share_beside(label, nearest, db < (water + land) / 2, seen)


def tracks_share(track: Track, others: list[Track], i: int, nearest: Bool) -> float | None:
    """Ask the labels of other tracks, of the nearest dates, where geometry does not make them differ.

    Only tracks whose chips have the size of this one's count: others lie on another grid.
    """
    sample = track.samples[i]
    alike = [one for one in others if one.samples[0].power.shape == sample.power.shape]
    dated = [
        (abs(one.samples[j].start - sample.start), one.water[j], one.majority == track.majority)
        for one in alike
        for j in range(len(one.samples))
        if one.water[j].any()
    ]
    if not dated:
        return None
    chosen = sorted(dated, key=lambda row: row[0])[:NEAREST]
    same = np.logical_and.reduce([row[2] for row in chosen])
    says = half(np.stack([row[1] for row in chosen]))
    return share_beside(track.water[i], nearest, says, same & track.valid[i])


def contrast_db(db: Float32, label: Bool) -> float:
    """Median backscatter inside a label minus that of the ring around it, dB; NaN where one is empty."""
    around = ndimage.binary_dilation(label, iterations=RING_PX) & ~ndimage.binary_dilation(label)
    inside, outside = db[label & np.isfinite(db)], db[around & np.isfinite(db)]
    return float(np.median(inside) - np.median(outside)) if inside.size and outside.size else float("nan")
