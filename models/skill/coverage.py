"""Whether intervals of areas hold what they promise, and how wide they are, beside image-blind ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glaciolake.models.data import Sample
from glaciolake.models.skill.intervals import LEVEL, Interval
from glaciolake.models.skill.scores import groups
from glaciolake.models.skill.tested import Tested

Float64 = NDArray[np.float64]


class Held(NamedTuple):
    """How good intervals are over some scenes.

    Attributes
    ----------
    coverage
        Share of scenes, 0..1, whose labelled area lies in the interval.
    width_percent
        Median width, percent of the labelled area; infinite where the level needs more scenes than there are.
    score_percent
        Mean interval score (Gneiting and Raftery 2007, doi 10.1198/016214506000001437), percent of the
        labelled area: width, and 2 / (1 - level) times what is missed. Lower is better.
    """

    coverage: float
    width_percent: float
    score_percent: float


class Coverage(NamedTuple):
    """Intervals of a group of scenes that hold labelled lake.

    Attributes
    ----------
    way, scenes
        ``all``, ``lake``, ``lake and track``, or ``year``: in ``forward`` each by what is older.
    labels
        Which labels count, in words.
    n, calibrated_on
        Scenes, and the fewest that calibrated one of them.
    own, blind
        Of the network, and of the constant per lake, pass and season; the same rule made both.
    """

    way: str
    scenes: str
    labels: str
    n: int
    calibrated_on: int
    own: Held
    blind: Held


def coverages(
    tested: Tested, suspected: Mapping[tuple[str, datetime], str], labels: tuple[str, str]
) -> list[Coverage]:
    """Score the intervals of a split, over all labels and without the suspected ones.

    Parameters
    ----------
    tested
        What a split gave; nothing comes of it where it has no intervals.
    suspected
        (lake, start) of labels that are held for wrong.
    labels
        Names of both ways to count.
    """
    if tested.intervals is None:
        return []
    found = []
    for way, name, every in _groups(tested.samples):
        wet = [i for i in every if _labelled(tested.samples[i])]
        clean = [i for i in wet if (tested.samples[i].lake, tested.samples[i].start) not in suspected]
        found += [
            _coverage(tested, tested.intervals.each, at, (way, name, words))
            for words, at in zip(labels, (wet, clean), strict=True)
            if at
        ]
    return found + _years(tested, suspected, labels)


def _years(
    tested: Tested, suspected: Mapping[tuple[str, datetime], str], labels: tuple[str, str]
) -> list[Coverage]:
    """Rows of the tested year, of those before it, and of all together; empty where there is but one."""
    assert tested.intervals is not None
    rows = tested.intervals.earlier
    if not rows:
        return []
    rows = [*rows, *zip(tested.samples, tested.intervals.each, strict=True)]
    every = replace(
        tested,
        samples=[sample for sample, _ in rows],
        intervals=tested.intervals._replace(each=[one for _, one in rows]),
    )
    each = [one for _, one in rows]
    years = [sample.start.year for sample in every.samples]
    groups_ = [(str(year), [year]) for year in sorted(set(years))]
    groups_.append((f"{min(years)} to {max(years)}", sorted(set(years))))
    found = []
    for name, chosen in groups_:
        wet = [i for i, one in enumerate(every.samples) if years[i] in chosen and _labelled(one)]
        clean = [i for i in wet if (every.samples[i].lake, every.samples[i].start) not in suspected]
        found += [
            _coverage(every, each, at, ("year", name, words))
            for words, at in zip(labels, (wet, clean), strict=True)
            if at
        ]
    return found


def _groups(samples: Sequence[Sample]) -> Iterator[tuple[str, str, list[int]]]:
    lakes, tracks = {one.lake for one in samples}, {" ".join(one.key) for one in samples}
    for name, at in groups(samples).items():
        way = "all" if name == "all" else "lake" if name in lakes else "lake and track"
        if name == "all" or name in lakes | tracks:
            yield way, name, at


def _coverage(
    tested: Tested, intervals: Sequence[Interval], at: Sequence[int], words: tuple[str, str, str]
) -> Coverage:
    labelled = np.array([_labelled(tested.samples[i]) for i in at])
    rows = [intervals[i] for i in at]
    own = held(labelled, ((one.low, one.high) for one in rows))
    blind = held(labelled, ((one.blind_low, one.blind_high) for one in rows))
    return Coverage(*words, len(at), min(one.n for one in rows), own, blind)


def held(labelled: Float64, intervals: Iterable[tuple[float, float]], level: float = LEVEL) -> Held:
    """Score intervals against labelled areas (scene,), above 0, of the same unit."""
    low, high = np.array(list(intervals), np.float64).T
    inside = (low <= labelled) & (labelled <= high)
    missed = np.maximum(low - labelled, 0) + np.maximum(labelled - high, 0)
    width = np.where(np.isinf(high), math.inf, high - low)
    score = (width + 2 / (1 - level) * missed) / labelled
    return Held(float(inside.mean()), 100 * float(np.median(width / labelled)), 100 * float(score.mean()))


def _labelled(sample: Sample) -> int:
    return int((sample.water & sample.valid).sum())
