"""Intervals of an area that hold the labelled one nine times in ten: normalised split conformal prediction.

Score of a calibrating scene is how far labelled and found area are apart, in units of what the network itself
is unsure of, the sum of p(1 - p) over the pixels: a fuzzy shore earns a wide interval. The interval of a new
scene is its area plus and minus its own unsure area times the quantile of those scores that n scenes allow
(Papadopoulos et al. 2002; Lei et al. 2018, doi 10.1080/01621459.2017.1307116). No shape of the errors is
assumed, only that new scenes err like the calibrating ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glaciolake.models.data import Bool, Float32, Sample
from glaciolake.models.errors import ModelError
from glaciolake.models.folds import Fold, Split, calibrating, leaks
from glaciolake.models.skill.scores import SEASONAL, constants

LEVEL = 0.9
REACH_PX = 4
"""How far from a lake pixels count as its shore: half a window of the despeckling."""
Float64 = NDArray[np.float64]


class Interval(NamedTuple):
    """Areas of one scene, pixels.

    Attributes
    ----------
    low, high
        Of the network.
    blind_low, blind_high
        Of the constant per lake, pass and season, made by the same rule from the same scenes.
    n
        Scenes that calibrated both.
    rank, blind_rank
        Share of the calibrating scenes, 0..1, that err less than this one does by its label: the least
        level whose interval holds it, known only once the label is looked at.
    """

    low: float
    high: float
    blind_low: float
    blind_high: float
    n: int
    rank: float
    blind_rank: float


class Intervals(NamedTuple):
    """What `interval_folds` gives.

    Attributes
    ----------
    each
        A scene after the other, fold by fold.
    factor, n
        What the unsure area is multiplied with for a network that has learned from all labels, and the scenes
        that say so: every one that was tested out of fold, in ``forward`` those of the inner folds too.
    earlier
        In ``forward`` the scenes of the years before the test that have calibrating ones before them, each
        year by what is older; else empty.
    """

    each: list[Interval]
    factor: float
    n: int
    earlier: list[tuple[Sample, Interval]]


class Said(NamedTuple):
    """What is known of a scene's area before its label is looked at, pixels.

    Attributes
    ----------
    area, unsure
        Of the network: pixels from the threshold on, and the sum of p(1 - p).
    blind
        Area of the image-blind constant, which is also what it is unsure of: errors in shares of it.
    """

    area: float
    unsure: float
    blind: float


def conformal_quantile(scores: Sequence[float] | Float64, level: float = LEVEL) -> float:
    """Quantile of scores that a further one of the same kind does not exceed with probability `level`.

    Parameters
    ----------
    scores
        (n,), at least 0.
    level
        0..1.

    Returns
    -------
    float
        The ``ceil((n + 1) level)``-th smallest; infinite where n is too small for the level.
    """
    rank = math.ceil((len(scores) + 1) * level)
    return float(np.sort(np.asarray(scores, np.float64))[rank - 1]) if rank <= len(scores) else math.inf


def unsure_px(probability: Float32, lake: Bool) -> float:
    """Sum p(1 - p) over the pixels in and around a lake: how many a network has not decided on.

    Parameters
    ----------
    probability
        (y, x), 0..1 (1), float32; NaN counts nothing.
    lake
        (y, x) bool; pixels up to `REACH_PX` from it count, all where it is empty.

    Returns
    -------
    float
        Pixels.
    """
    near = ndimage.binary_dilation(lake, np.ones((3, 3), bool), iterations=REACH_PX) if lake.any() else ~lake
    known = probability[near].astype(np.float64)
    return float(np.nansum(known * (1 - known)))


def score_of(area: float, unsure: float, labelled: float) -> float:
    """How far a labelled area is off, in units of the unsure one; infinite where nothing was unsure."""
    apart = abs(labelled - area)
    return apart / unsure if unsure > 0 else (math.inf if apart else 0.0)


def bounds(area: float, unsure: float, factor: float) -> tuple[float, float]:
    """Interval of an area in the same unit: ``area -+ factor * unsure``, at least 0."""
    reach = factor * unsure if unsure > 0 else (math.inf if math.isinf(factor) else 0.0)
    return max(0.0, area - reach), area + reach


def said_of(
    train: Sequence[Sample], test: Sequence[Sample], probabilities: Sequence[Float32], threshold: float = 0.5
) -> list[Said]:
    """Collect areas of tested scenes, and of the constant drawn from their training part.

    Parameters
    ----------
    train, test
        Of a fold.
    probabilities
        (y, x) per tested scene, 0..1 (1); NaN where nothing was seen, which counts as land.
    threshold
        Probability from which a pixel is lake.
    """
    blind = constants(train, test)[SEASONAL]
    found = []
    for one, probability, mask in zip(test, probabilities, blind, strict=True):
        seen = np.where(one.valid, probability, np.float32(np.nan))
        lake = np.nan_to_num(seen, nan=-1.0) >= threshold
        found.append(Said(float(lake.sum()), unsure_px(seen, lake), float((mask & one.valid).sum())))
    return found


def interval_folds(
    split: Split,
    outer: Sequence[tuple[Fold, Sequence[Float32]]],
    inner: Sequence[tuple[Fold, Sequence[Float32]]],
    doubt: Callable[[Fold], frozenset[int]],
    wrong: frozenset[int] = frozenset(),
) -> Intervals | None:
    """Give each tested scene of a split its intervals, calibrated within the training part of its fold.

    Parameters
    ----------
    split
        Of all folds.
    outer
        Folds of the split with the probabilities (y, x) of their tests.
    inner
        The same of `folds.inner_folds`.
    doubt
        Gives ``id`` of the scenes of a fold's training part whose label contradicts the others there.
    wrong
        ``id`` of the scenes whose label contradicts all others; they say nothing of the factor for later use.

    Returns
    -------
    Intervals or None
        None where the split has no inner folds.

    Raises
    ------
    ModelError
        What calibrates knows of the test, see `folds.calibrating`.
    """
    if not inner:
        return None
    said_outer, said_inner = (
        [said_of(fold.train, fold.test, frames) for fold, frames in some] for some in (outer, inner)
    )
    found: list[Interval] = []
    for (part, _), tested in zip(outer, said_outer, strict=True):
        doubted = doubt(part)
        pool = [
            (said_inner[number][i], inner[number][0].test[i])
            for number, at in calibrating(part, [fold for fold, _ in inner], split)
            for i in at
            if id(inner[number][0].test[i]) not in doubted
        ]
        found += _given(list(zip(tested, part.test, strict=True)), pool)
    later = [*zip(outer, said_outer, strict=True)]
    later += zip(inner, said_inner, strict=True) if split == "forward" else ()
    known = [row for (fold, _), said in later for row in zip(said, fold.test, strict=True)]
    known = [(one, sample) for one, sample in known if id(sample) not in wrong]
    years = list(zip([fold for fold, _ in inner], said_inner, strict=True)) if split == "forward" else []
    earlier = _earlier(years, doubt)
    return Intervals(found, conformal_quantile(scores_of(known)[0]), len(known), earlier)


def _earlier(
    years: Sequence[tuple[Fold, list[Said]]], doubt: Callable[[Fold], frozenset[int]]
) -> list[tuple[Sample, Interval]]:
    """Each year but the first, calibrated on the years before it, whose networks are older still."""
    found: list[tuple[Sample, Interval]] = []
    for number, (fold, said) in enumerate(years[1:], 1):
        if known := leaks(fold, "forward"):
            raise ModelError(f"split 'forward', year {fold.name!r} leaks: {'; '.join(known[:3])}")
        doubted = doubt(fold)
        pool = [
            row for older, own in years[:number] for row in zip(own, older.test, strict=True)
            if id(row[1]) not in doubted
        ]  # fmt: skip
        found += zip(fold.test, _given(list(zip(said, fold.test, strict=True)), pool), strict=True)
    return found


def _given(tested: Sequence[tuple[Said, Sample]], pool: Sequence[tuple[Said, Sample]]) -> list[Interval]:
    """Intervals of tested scenes, calibrated on others."""
    own, blind = scores_of(pool)
    found = []
    for (one, _), rank, blind_rank in zip(tested, *_ranks(tested, own, blind), strict=True):
        low, high = bounds(one.area, one.unsure, conformal_quantile(own))
        blind_low, blind_high = bounds(one.blind, one.blind, conformal_quantile(blind))
        found.append(Interval(low, high, blind_low, blind_high, len(pool), rank, blind_rank))
    return found


def scores_of(scenes: Sequence[tuple[Said, Sample]]) -> tuple[Float64, Float64]:
    """(scene,) each: how far labelled areas are off those of network and constant, see `score_of`.

    Raises
    ------
    ModelError
        No scene to calibrate on.
    """
    if not scenes:
        raise ModelError(
            "no scene is left to calibrate intervals on; give more labels, or evaluate without intervals"
        )
    true = [_labelled(sample) for _, sample in scenes]
    own = [score_of(one.area, one.unsure, of) for (one, _), of in zip(scenes, true, strict=True)]
    # Of a lake without a known outline the constant is empty: it says nothing, so nothing can be held of it.
    blind = [score_of(one.blind, one.blind, of) for (one, _), of in zip(scenes, true, strict=True)]
    return np.array(own), np.array(blind)


def _ranks(
    tested: Sequence[tuple[Said, Sample]], own: Float64, blind: Float64
) -> tuple[list[float], list[float]]:
    """Of each tested scene the share of calibrating scores below its own, for both."""
    both = zip(scores_of(tested), (own, blind), strict=True)
    ranks = [(np.sort(known) < mine[:, None]).mean(axis=1).tolist() for mine, known in both]
    return ranks[0], ranks[1]


def _labelled(sample: Sample) -> float:
    mask: Bool = sample.water & sample.valid
    return float(mask.sum())
