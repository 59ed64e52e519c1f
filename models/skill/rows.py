"""Scores of a split by group, over all labels and without suspected ones, each beside its constants."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from glaciolake.models.data import Bool, Float32, Sample
from glaciolake.models.skill.calibration import Calibration, calibrations
from glaciolake.models.skill.coverage import Coverage, coverages
from glaciolake.models.skill.scores import Scores, groups, scores, skill
from glaciolake.models.skill.tested import Tested, joined, together

ALL, CLEAN = "all labels", "without suspected labels"
WAYS = ("all", "lake", "lake and track", "season", "fold")
Suspected = Mapping[tuple[str, datetime], str]


@dataclass(frozen=True, eq=False)
class Row:
    """Scores of a group of scenes.

    Attributes
    ----------
    way, scenes
        What the group shares (one of `WAYS`), and its name.
    labels
        `ALL` or `CLEAN`.
    n_suspected
        Scenes of the group whose label is suspected, whether they are in or not.
    seeds
        Scores of each seed.
    ensemble
        Scores of the seeds' mean probability.
    constants
        Scores by name of image-blind constant.
    """

    way: str
    scenes: str
    labels: str
    n_suspected: int
    seeds: tuple[Scores, ...]
    ensemble: Scores
    constants: dict[str, Scores]

    @property
    def n(self) -> int:
        """Scenes that were scored."""
        return self.ensemble.n

    @property
    def scored(self) -> bool:
        """Whether there is labelled lake to find; else every score but the number of scenes is NaN."""
        return math.isfinite(self.ensemble.iou)

    @property
    def mean(self) -> Scores:
        """Mean over seeds."""
        return Scores(self.n, *(float(np.mean(values)) for values in list(zip(*self.seeds, strict=True))[1:]))

    @property
    def spread(self) -> tuple[Scores, Scores]:
        """Lowest and highest of the seeds, each score for itself."""
        each = list(zip(*self.seeds, strict=True))[1:]
        low, high = ([float(rim(values)) for values in each] for rim in (np.min, np.max))
        return Scores(self.n, *low), Scores(self.n, *high)

    @property
    def best(self) -> str:
        """Name of the constant with the highest pooled IoU; of equal ones the first."""
        return max(self.constants, key=lambda name: _or_least(self.constants[name].iou))

    @property
    def best_scores(self) -> Scores:
        """Scores of the best constant."""
        return self.constants[self.best]

    def skill_of(self, one: Scores) -> float:
        """Share of the best constant's error that is gone; NaN where nothing was scored."""
        return skill(one.iou, self.best_scores.iou) if self.scored else math.nan

    @property
    def skill(self) -> float:
        """Skill of a network, as the mean of the seeds."""
        return self.skill_of(self.mean)


@dataclass(frozen=True, eq=False)
class SceneRow:
    """One tested scene.

    Attributes
    ----------
    sample, fold
        Which, and the fold that tested it.
    iou, constant_iou
        Of the seeds' mean probability, and of the best constant of the split, 0..1 (1); NaN where no
        pixel that counts is labelled lake.
    found_px, labelled_px, constant_px
        Pixels of lake: found, by the label, by that constant.
    probability_px
        Sum of the mean probability, pixels.
    unseen_px
        Pixels that count and have no probability: taken for land.
    suspected
        Why the label is held for wrong; empty where it is not.
    """

    sample: Sample
    fold: str
    iou: float
    constant_iou: float
    found_px: int
    labelled_px: int
    constant_px: int
    probability_px: float
    unseen_px: int
    suspected: str


@dataclass(frozen=True, eq=False)
class Judged:
    """A split with everything that is said of it.

    Attributes
    ----------
    tested
        Scenes, each once.
    mean
        (y, x) per scene, 0..1 (1), float32: mean probability of the seeds; NaN where nothing was seen.
    rows
        A group after the other, in the order of `WAYS`; each over `ALL` labels, then `CLEAN`.
    calibrations
        By labels.
    scenes
        By lake, track and time; `order` says where each is in `tested`.
    order
        Index in `tested` of each of `scenes`.
    coverages
        Of intervals of areas, by group; empty where none were calibrated.
    """

    tested: Tested
    mean: list[Float32]
    rows: list[Row]
    calibrations: dict[str, list[Calibration]]
    scenes: list[SceneRow]
    order: list[int]
    coverages: list[Coverage]

    def row(self, labels: str = ALL) -> Row:
        """Row of all scenes."""
        return next(one for one in self.rows if one.way == "all" and one.labels == labels)

    def of(self, way: str, labels: str) -> list[Row]:
        """Rows of a kind of group."""
        return [one for one in self.rows if one.way == way and one.labels == labels]

    @property
    def masks(self) -> list[Bool]:
        """(y, x) per scene of `tested`, True where lake was found."""
        return self.tested.masks(self.mean)

    @property
    def constant(self) -> list[Bool]:
        """(y, x) per scene of `tested`: mask of the constant that is best over all of them."""
        return self.tested.constants[self.row().best]


def judge(tested: Tested, suspected: Suspected) -> Judged:
    """Score a split.

    Parameters
    ----------
    tested
        What it gave, as `check` lets it pass.
    suspected
        (lake, start) of labels that are held for wrong, with the reason.
    """
    once = joined(tested)
    mean = together(once)
    rows = [*_rows(once, mean, _groups(once), suspected)]
    rows += _rows(tested, together(tested), _folds(tested), suspected)
    constant = once.constants[rows[0].best]
    clean = [i for i, one in enumerate(once.samples) if (one.lake, one.start) not in suspected]
    every = range(len(once.samples))
    order = sorted(every, key=lambda i: (*once.samples[i].key, once.samples[i].start))
    found = [_scene(once, mean, constant, i, suspected) for i in order]
    both = {
        ALL: calibrations(once, mean, constant, every),
        CLEAN: calibrations(once, mean, constant, clean),
    }
    return Judged(once, mean, rows, both, found, order, coverages(tested, suspected, (ALL, CLEAN)))


Group = tuple[str, str, list[int]]


def _groups(tested: Tested) -> Iterator[Group]:
    lakes = {one.lake for one in tested.samples}
    tracks = {" ".join(one.key) for one in tested.samples}
    for name, at in groups(tested.samples).items():
        way = "all" if name == "all" else "lake" if name in lakes else "season"
        yield "lake and track" if name in tracks else way, name, at


def _folds(tested: Tested) -> Iterator[Group]:
    for name in dict.fromkeys(tested.folds):
        yield "fold", name, [i for i, fold in enumerate(tested.folds) if fold == name]


def _rows(
    tested: Tested, mean: Sequence[Float32], groups_: Iterator[Group], suspected: Suspected
) -> Iterator[Row]:
    doubted = {i for i, one in enumerate(tested.samples) if (one.lake, one.start) in suspected}
    masks = [tested.masks(frames) for frames in (mean, *tested.probabilities)]
    wet = [bool((one.water & where).any()) for one, where in zip(tested.samples, tested.counted, strict=True)]
    for way, name, every in groups_:
        clean = [i for i in every if i not in doubted]
        for labels, at in ((ALL, every), (CLEAN, clean)):
            score = _scores if any(wet[i] for i in at) else _no_scores
            ensemble, *seeds = (score(tested, found, at) for found in masks)
            blind = {who: score(tested, found, at) for who, found in tested.constants.items()}
            yield Row(way, name, labels, len(every) - len(clean), tuple(seeds), ensemble, blind)


def _scores(tested: Tested, masks: Sequence[Bool], at: Sequence[int]) -> Scores:
    where = None if tested.where is None else [tested.where[i] for i in at]
    return scores([tested.samples[i] for i in at], [masks[i] for i in at], where)


def _no_scores(tested: Tested, masks: Sequence[Bool], at: Sequence[int]) -> Scores:
    """Scores of scenes without labelled lake: an IoU would be 1 for empty masks, and 0 for a single pixel."""
    return Scores(len(at), *[math.nan] * (len(Scores._fields) - 1))


def _scene(
    tested: Tested, mean: Sequence[Float32], constant: Sequence[Bool], i: int, suspected: Suspected
) -> SceneRow:
    sample = tested.samples[i]
    counted = sample.valid if tested.where is None else sample.valid & tested.where[i]
    found, water, blind = tested.masks([mean[i]])[0] & counted, sample.water & counted, constant[i] & counted
    return SceneRow(
        sample=sample,
        fold=tested.folds[i],
        iou=_iou(found, water),
        constant_iou=_iou(blind, water),
        found_px=int(found.sum()),
        labelled_px=int(water.sum()),
        constant_px=int(blind.sum()),
        probability_px=float(np.nansum(mean[i], where=counted, dtype=np.float64)),
        unseen_px=int((counted & ~np.isfinite(mean[i])).sum()),
        suspected=suspected.get((sample.lake, sample.start), ""),
    )


def _iou(found: Bool, water: Bool) -> float:
    return int((found & water).sum()) / int((found | water).sum()) if water.any() else math.nan


def _or_least(value: float) -> float:
    return value if math.isfinite(value) else -math.inf
