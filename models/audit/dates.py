"""What the other dates of a lake and track say about one label of it.

Geometry stays from pass to pass and water moves slowly, so labels of a track agree to a fraction of a pixel
along the shore. How far is usual is taken from the track itself, with median and median absolute deviation,
which a few wrong labels do not move; a track of few dates borrows from all others and gets wider limits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from glaciolake.models.audit.masks import Shift, apart_px, best_shift, overlap_iou, shore_px
from glaciolake.models.audit.usual import (
    FALSE_ALARM,
    LEAST_SIGMA_LN_AREA,
    LEAST_SIGMA_PX,
    LEAST_SIGMA_SHIFT_PX,
    MIN_DATES_OF_BOUNDS,
    PUBLISHED,
    Spread,
    Usual,
    spread,
)
from glaciolake.models.data import PAIR_SIDE_PX, Bool, Sample, put_centre
from glaciolake.models.season import season_distance_days

SPACING_M = 20.0
"""Side of a pixel of the chips, m."""
NEAREST = 3
"""Dates that vote on what the lake is like at a time or in a season: two of three outvote a wrong one."""


class Check(NamedTuple):
    """One piece of evidence.

    Attributes
    ----------
    name
        Of the evidence; with the unit.
    value, limit
        What was found, and from where it tells.
    excess
        How many limits away it is from what is usual; above 1 it tells.
    words
        What it tells, for people.
    """

    name: str
    value: float
    limit: float
    excess: float
    words: str


@dataclass(frozen=True, eq=False)
class Track:
    """Labels of one lake and track in their common frame.

    Attributes
    ----------
    samples
        In the order given.
    water, valid
        (date, 256, 256), True where the label says lake, and where there are data.
    """

    samples: tuple[Sample, ...]
    water: Bool
    valid: Bool

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Track:
        """Put labels into their frame."""
        frames = np.stack([put_centre(one.water & one.valid, PAIR_SIDE_PX) for one in samples])
        return cls(tuple(samples), frames, np.stack([put_centre(one.valid, PAIR_SIDE_PX) for one in samples]))

    @cached_property
    def majority(self) -> Bool:
        """(256, 256), True where at least half of the labels that hold anything are lake."""
        held = self.water[self.water.any(axis=(1, 2))]
        return half(held) if len(held) else np.zeros(self.water.shape[1:], bool)


@dataclass(frozen=True, eq=False)
class Departure:
    """How a label departs from the other dates.

    Attributes
    ----------
    nearest
        (256, 256), that of the other dates' outlines (of all, of the nearest in time, of the nearest in
        season) which it is least apart from.
    apart_px, log_area, shift, iou
        From `nearest`: distance of the shores, ln of the area's ratio, shift, intersection over union.
    beyond_px, short_px
        Lake where hardly any date has it, and none where nearly all have it, both by the length of the shore;
        0 where there are too few dates to tell.
    area_px, usual_px
        Area, and the median one of the other dates.
    n
        Other dates.
    """

    nearest: Bool
    apart_px: float
    log_area: float
    shift: Shift
    iou: float
    beyond_px: float
    short_px: float
    area_px: int
    usual_px: float
    n: int


def half(frames: Bool) -> Bool:
    """(y, x), True where at least half of (date, y, x) are True."""
    found: Bool = frames.mean(axis=0) >= 0.5
    return found


def departure(track: Track, i: int) -> Departure | None:
    """Compare label `i` of a track with the others; None where it or all others hold nothing."""
    others = [j for j in range(len(track.samples)) if j != i and track.water[j].any()]
    label, valid = track.water[i], track.valid[i]
    frames = [frame & valid for frame in _outlines(track, i, others)]
    frames = [frame for frame in frames if frame.any()]
    if not label.any() or not frames:
        return None
    nearest = min(frames, key=lambda frame: apart_px(label, frame))
    beyond, short = _bounds(track.water[others], np.stack(frames), label, valid)
    return Departure(
        nearest=nearest,
        apart_px=apart_px(label, nearest),
        log_area=min((math.log(label.sum() / frame.sum()) for frame in frames), key=abs),
        shift=best_shift(label, nearest),
        iou=overlap_iou(label, nearest),
        beyond_px=beyond / shore_px(nearest),
        short_px=short / shore_px(nearest),
        area_px=int(label.sum()),
        usual_px=float(np.median(track.water[others].sum(axis=(1, 2)))),
        n=len(others),
    )


def _outlines(track: Track, i: int, others: list[int]) -> list[Bool]:
    """Outlines by all other dates, by the nearest in time, before and after, and by the nearest in season.

    A lake that grows for years agrees with its neighbours in time, one that has just drained with those
    after, and one that is about to with those before; one that rises every summer with those in season.
    """
    start = track.samples[i].start
    in_time = sorted(others, key=lambda j: abs(track.samples[j].start - start))
    before = [j for j in in_time if track.samples[j].start < start][:NEAREST]
    after = [j for j in in_time if track.samples[j].start > start][:NEAREST]
    in_season = sorted(others, key=lambda j: season_distance_days(track.samples[j].start, start))[:NEAREST]
    # One or two dates may be the wrong ones.
    told = [others, in_time[:NEAREST], in_season, *(some for some in (before, after) if len(some) == NEAREST)]
    return [half(track.water[chosen]) for chosen in told if chosen]


def _bounds(others: Bool, outlines: Bool, label: Bool, valid: Bool) -> tuple[int, int]:
    """Pixels of a label where next to no date has lake, and missing where nearly all have it.

    One date in ten may be wrong itself, but two that agree are believed; of what is always lake a quarter
    of the dates may lack some, as ice does. What neighbours in time or season agree on counts as well: a lake
    that drained stays so. One pixel of the hand's own error is forgiven.
    """
    n = len(others)
    if n < MIN_DATES_OF_BOUNDS:
        return 0, 0
    votes = others.sum(axis=0)
    ever = ndimage.binary_dilation((votes >= max(2, 0.1 * n)) | outlines.any(axis=0))
    always = ndimage.binary_erosion((votes >= 0.75 * n) & outlines.all(axis=0))
    return int((label & ~ever).sum()), int((always & valid & ~label).sum())


def usual(departures: Sequence[Departure], borrowed: Usual) -> Usual:
    """How labels of a track depart from its other dates.

    Parameters
    ----------
    departures
        Of the dates to know it from.
    borrowed
        Of all tracks, see `of_all`.
    """
    return Usual(
        spread([one.apart_px for one in departures], borrowed.apart_px, LEAST_SIGMA_PX),
        spread([one.log_area for one in departures], borrowed.log_area, LEAST_SIGMA_LN_AREA),
        spread([one.shift.length_px for one in departures], borrowed.shift_px, LEAST_SIGMA_SHIFT_PX),
        len(departures),
    )


def of_all(tracks: Sequence[Sequence[Departure]]) -> Usual:
    """Take what is usual in the middle one of the tracks with dates enough; else in the published pairs."""
    known = [usual(one, PUBLISHED) for one in tracks if len(one) >= MIN_DATES_OF_BOUNDS]
    if not known:
        return PUBLISHED
    middle: NDArray[np.float64] = np.median([one[:3] for one in known], axis=0)
    apart_px, log_area, shift_px = (Spread(*map(float, row)) for row in middle)
    return Usual(apart_px, log_area, shift_px, n=0)


def date_checks(one: Departure, common: Usual, track: str) -> list[Check]:
    """Evidence from the other dates of the track, all of it, whether it tells or not."""
    sigmas = common.limit_sigmas
    typical_px = common.apart_px.centre
    dates = f"{one.n} other date{'s' if one.n > 1 else ''} of {track}"
    area = f"{km2(one.area_px)} beside {km2(one.usual_px)} on {dates}"
    area_limit = sigmas * common.log_area.sigma
    bounds_px = typical_px * sigmas / _MANY_DATES
    found = [
        Check(
            "area_ln_ratio",
            one.log_area,
            area_limit,
            abs(one.log_area - common.log_area.centre) / area_limit,
            area,
        ),
        Check(
            "apart_px",
            one.apart_px,
            common.apart_limit_px,
            (one.apart_px - typical_px) / (common.apart_limit_px - typical_px),
            f"its shore is {one.apart_px:.1f} px off that of the {dates}; they differ by {typical_px:.1f} px",
        ),
        Check(
            "beyond_px",
            one.beyond_px,
            bounds_px,
            one.beyond_px / bounds_px,
            f"holds land that the {dates} never show as lake ({one.beyond_px:.1f} px along its shore)",
        ),
        Check(
            "short_px",
            one.short_px,
            bounds_px,
            one.short_px / bounds_px,
            f"lacks lake that the {dates} always have ({one.short_px:.1f} px along its shore)",
        ),
        _shift_check(one, common, dates),
    ]
    return found


_MANY_DATES = float(special.stdtrit(30, 1 - FALSE_ALARM))


def _shift_check(one: Departure, common: Usual, dates: str) -> Check:
    shift = one.shift
    limit = common.shift_px.centre + common.limit_sigmas * common.shift_px.sigma
    # A part of a lake fits in many places: a shift tells only where undoing it mends most of the difference.
    mends = shift.left_px <= one.apart_px / 2
    ways = [
        f"{abs(px)} px {towards[px > 0]}"
        for px, towards in ((shift.down_px, ("up", "down")), (shift.right_px, ("left", "right")))
        if px
    ]
    words = f"shifted {' and '.join(ways) or 'by nothing'} from the {dates}"
    return Check("shift_px", shift.length_px, limit, shift.length_px / limit if mends else 0.0, words)


def km2(area_px: float) -> str:
    """Area in words."""
    return f"{area_px * SPACING_M**2 / 1e6:.2f} km2"
