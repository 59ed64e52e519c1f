"""Scores of lake masks against hand-drawn ones, never without what one gets without looking at the radar."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glaciolake.models.data import PAIR_SIDE_PX, Bool, Sample, cut_centre, majority
from glaciolake.models.season import SEASON_DAYS, of_pass, share_of

BATCH = 32
"""Scenes a batch in the paper's mean of batches."""
SEASONS = {12: "winter", 1: "winter", 2: "winter", 3: "spring", 4: "spring", 5: "spring",
           6: "monsoon", 7: "monsoon", 8: "monsoon", 9: "autumn", 10: "autumn", 11: "autumn"}  # fmt: skip


SEASONAL = "constant per lake, pass and season"
LISTED = "outline of the registry"


class Scores(NamedTuple):
    """What a set of masks is worth, over the pixels that count.

    Attributes
    ----------
    n
        Scenes.
    iou, precision, recall, f1
        Pooled over all pixels, 0..1.
    batch_iou
        Mean over batches of `BATCH` scenes, in the order given, of the pooled IoU: the paper's figure.
    area_bias_percent, area_error_percent
        Median over scenes of (area - labelled area) / labelled area, and of its absolute value, percent; NaN
        where no label holds water.
    anomaly_correlation
        Correlation (Pearson) of the areas' and the labels' departures from the mean of their lake and track,
        each in shares of it; NaN below three scenes or where one of them never departs.
    """

    n: int
    iou: float
    precision: float
    recall: float
    f1: float
    batch_iou: float
    area_bias_percent: float
    area_error_percent: float
    anomaly_correlation: float


def scores(samples: Sequence[Sample], masks: Sequence[Bool], where: Sequence[Bool] | None = None) -> Scores:
    """Score masks (y, x) against labels.

    Parameters
    ----------
    samples, masks
        Scenes and what was found in them, on the same pixels.
    where
        (y, x) per scene, True where a pixel counts; None takes all that have data.
    """
    counted = [one.valid if where is None else one.valid & where[i] for i, one in enumerate(samples)]
    counts = np.array([_count(*row) for row in zip(samples, masks, counted, strict=True)]).reshape(-1, 3)
    both, found, labelled = counts.sum(axis=0)
    batches = [counts[i : i + BATCH].sum(axis=0) for i in range(0, len(counts), BATCH)]
    wet = counts[counts[:, 2] > 0]
    error = 100 * (wet[:, 1] - wet[:, 2]) / wet[:, 2]
    return Scores(
        n=len(samples),
        iou=_share(both, found + labelled - both),
        precision=_share(both, found),
        recall=_share(both, labelled),
        f1=_share(2 * both, found + labelled),
        batch_iou=float(np.mean([_share(b, f + t - b) for b, f, t in batches])) if len(batches) else np.nan,
        area_bias_percent=float(np.median(error)) if len(error) else np.nan,
        area_error_percent=float(np.median(np.abs(error))) if len(error) else np.nan,
        anomaly_correlation=_anomaly_correlation(samples, counts),
    )


def skill(iou: float, constant_iou: float) -> float:
    """Share of a constant's error that looking at the radar removes: 1 all, 0 none, below 0 harm."""
    return 1 - (1 - iou) / (1 - constant_iou) if constant_iou < 1 else 0.0


def constants(train: Sequence[Sample], test: Sequence[Sample]) -> dict[str, list[Bool]]:
    """Masks that know lake, pass and day, and no image: majority labels, of the season, the nearest in time.

    Where the training part has no label of the lake, they are empty: nothing is known of it.

    Returns
    -------
    dict[str, list[Bool]]
        Name to a mask (y, x) per test scene.
    """
    return {
        "constant per lake": [_majority(train, one, lambda s: s.lake) for one in test],
        "constant per lake and pass": [
            _majority(train, one, lambda s: (s.lake, s.direction)) for one in test
        ],
        "nearest in time": [_nearest(train, one) for one in test],
        SEASONAL: [_seasonal(train, one) for one in test],
    }


def listed(registry: Mapping[str, Bool], test: Sequence[Sample]) -> dict[str, list[Bool]]:
    """Give the masks that know an inventory and neither label nor image; nothing where no lake is in it.

    Parameters
    ----------
    registry
        Lake to outline (256, 256), see `track.registry.registry_frames`.
    test
        Scenes; of a lake that is not in it the mask is empty.

    Returns
    -------
    dict[str, list[Bool]]
        `LISTED` to a mask (y, x) per test scene.
    """
    if not any(one.lake in registry for one in test):
        return {}
    nothing = np.zeros((PAIR_SIDE_PX, PAIR_SIDE_PX), bool)
    return {LISTED: [cut_centre(registry.get(one.lake, nothing), one.water.shape) for one in test]}


def groups(samples: Sequence[Sample]) -> dict[str, list[int]]:
    """Name of a group to its scenes: all, then lakes, then lakes and tracks, then seasons."""
    found: dict[str, list[int]] = {"all": list(range(len(samples)))}
    ways: tuple[Callable[[Sample], str], ...] = (
        lambda one: one.lake,
        lambda one: " ".join(one.key),
        lambda one: SEASONS[one.start.month],
    )
    for way in ways:
        for name in sorted({way(one) for one in samples}):
            found[name] = [i for i, one in enumerate(samples) if way(one) == name]
    return found


def _count(sample: Sample, mask: Bool, counted: Bool) -> tuple[int, int, int]:
    found, labelled = mask & counted, sample.water & counted
    return int((found & labelled).sum()), int(found.sum()), int(labelled.sum())


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 1.0


def _anomaly_correlation(samples: Sequence[Sample], counts: NDArray[np.int64]) -> float:
    departures = []
    for key in sorted({one.key for one in samples}):  # a sum depends on its order
        rows = counts[[one.key == key for one in samples]][:, 1:].astype(float)
        if len(rows) > 1 and rows.mean(axis=0).all():
            departures.append(rows / rows.mean(axis=0) - 1)
    both = np.concatenate(departures) if departures else np.empty((0, 2))
    if len(both) < 3 or not both.std(axis=0).all():
        return float("nan")
    return float(np.corrcoef(both.T)[0, 1])


def _majority(train: Sequence[Sample], sample: Sample, know: Callable[[Sample], Hashable]) -> Bool:
    alike = [one for one in train if know(one) == know(sample)]
    alike = alike or [one for one in train if one.lake == sample.lake]
    if not alike:
        return np.zeros(sample.water.shape, bool)
    return cut_centre(majority(alike), sample.water.shape)


def _seasonal(train: Sequence[Sample], sample: Sample) -> Bool:
    alike = of_pass(train, sample.lake, sample.direction)
    alike = alike or [one for one in train if one.lake == sample.lake]
    if not alike:
        return np.zeros(sample.water.shape, bool)
    share = share_of(alike, sample.track, sample.start, SEASON_DAYS)
    return cut_centre(share >= 0.5, sample.water.shape)


def _nearest(train: Sequence[Sample], sample: Sample) -> Bool:
    alike = [one for one in train if one.key == sample.key]
    alike = alike or [one for one in train if one.lake == sample.lake]
    if not alike:
        return np.zeros(sample.water.shape, bool)
    nearest = min(alike, key=lambda one: abs(one.start - sample.start))
    return cut_centre(majority([nearest]), sample.water.shape)
