"""Whose mask a label is, where it is not its own lake's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from glaciolake.models.audit.dates import Departure, Track
from glaciolake.models.audit.masks import apart_px, best_shift
from glaciolake.models.audit.usual import Usual
from glaciolake.models.data import Bool
from glaciolake.models.track.record import Key


class Twin(NamedTuple):
    """A mask that a label looks like.

    Attributes
    ----------
    key
        Lake and track whose mask it is.
    apart_px
        Distance of the shores, px.
    limit_px
        Up to here it would pass as a label of that lake and track.
    """

    key: Key
    apart_px: float
    limit_px: float


class Outlined(NamedTuple):
    """What a lake and track usually look like.

    Attributes
    ----------
    majority
        (256, 256), True where at least half of its labels are lake.
    usual
        How its labels differ from each other.
    """

    majority: Bool
    usual: Usual


def twin(track: Track, i: int, own: Departure | None, outlines: Mapping[Key, Outlined]) -> Twin | None:
    """Find the other mask that a label would pass for, and passes for better than for its own.

    A mask of another lake is looked for where the frames put it, cut off where the image ends, and moved as
    a whole; one of another track of the same lake only in its place, since there the shape is the same.

    Parameters
    ----------
    track, i
        The label.
    own
        How it departs from the other dates of its track, if there are any.
    outlines
        Of every lake and track.
    """
    sample, label, valid = track.samples[i], track.water[i], track.valid[i]
    found = []
    for key, other in outlines.items():
        if key == sample.key or not other.majority.any():
            continue
        seen = other.majority & valid
        distance = apart_px(label, seen) if seen.any() else float("inf")
        if key[0] != sample.lake:
            distance = min(distance, best_shift(label, other.majority).left_px)
        found.append(Twin(key, distance, other.usual.apart_limit_px))
    best = min(found, key=lambda one: one.apart_px, default=None)
    if best is None or best.apart_px > best.limit_px:
        return None
    return best if own is None or best.apart_px < own.apart_px else None
