"""What was tested: scenes, and what networks and image-blind constants say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

import numpy as np

from glaciolake.models.data import Bool, Float32, Sample
from glaciolake.models.errors import ModelError
from glaciolake.models.folds import Fold, blocks
from glaciolake.models.skill.intervals import Intervals
from glaciolake.models.skill.scores import constants

PAIRS = "pairs"
"""Name of what is no split: a folder of pairs, scored by a finished model."""
Frame = TypeVar("Frame", Bool, Float32)


@dataclass(frozen=True, eq=False)
class Tested:
    """What one split, or one folder of pairs, gave.

    Attributes
    ----------
    split
        One of `folds.SPLITS`, or "pairs": a folder that a finished model scored.
    samples
        Test scenes of all folds, one fold after the other. In ``block`` a scene comes once a quarter.
    probabilities
        Per seed, (y, x) per scene, 0..1 (1), float32: probability of water; NaN where nothing was seen, which
        counts as land.
    constants
        Name of an image-blind mask (see `skill.constants`) to (y, x) per scene, each drawn from the training
        part of its fold.
    where
        (y, x) per scene, True where a pixel counts; None takes all that have data.
    folds
        Name of the fold of each scene.
    threshold
        Probability, 0..1 (1), from which a pixel is water.
    spacing_m
        Side of a pixel, metres; None where unknown, then areas are in pixels.
    intervals
        Of the area of each scene, by the first seed; None where none were calibrated.
    """

    split: str
    samples: list[Sample]
    probabilities: list[list[Float32]]
    constants: dict[str, list[Bool]]
    where: list[Bool] | None
    folds: list[str]
    threshold: float = 0.5
    spacing_m: float | None = None
    intervals: Intervals | None = None

    @property
    def counted(self) -> list[Bool]:
        """(y, x) per scene, True where a pixel counts."""
        if self.where is None:
            return [one.valid for one in self.samples]
        return [one.valid & where for one, where in zip(self.samples, self.where, strict=True)]

    def masks(self, probabilities: Sequence[Float32]) -> list[Bool]:
        """(y, x) per scene, True where a probability (y, x; NaN is land) reaches the threshold."""
        return [np.nan_to_num(one, nan=-1.0) >= self.threshold for one in probabilities]


def tested_folds(
    split: str,
    parts: Sequence[Fold],
    probabilities: Sequence[Sequence[Sequence[Float32]]],
    *,
    spacing_m: float | None = None,
) -> Tested:
    """Put together what networks said of the folds of a split, with the constants each fold allows.

    Parameters
    ----------
    split
        One of `folds.SPLITS`.
    parts
        Folds, the same for all seeds.
    probabilities
        Per seed, per fold, (y, x) per scene of its test, 0..1 (1), float32.
    spacing_m
        Side of a pixel, metres; None where unknown.

    Raises
    ------
    ModelError
        There is no fold, or a seed has more or fewer.
    """
    if not parts:
        raise ModelError(f"split {split!r} has no fold; give those of glaciolake.models.folds.folds")
    for seed, per_fold in enumerate(probabilities, 1):
        if len(per_fold) != len(parts):
            raise ModelError(
                f"split {split!r} has {len(parts)} folds, but seed {seed} gave {len(per_fold)}; predict each "
                "fold with each seed"
            )
    blind = [_constants(part) for part in parts]
    return Tested(
        split=split,
        samples=[one for part in parts for one in part.test],
        probabilities=[list(chain.from_iterable(per_fold)) for per_fold in probabilities],
        constants={name: [mask for found in blind for mask in found[name]] for name in blind[0]},
        where=_tested_pixels(parts),
        folds=[part.name for part in parts for _ in part.test],
        spacing_m=spacing_m,
    )


def together(tested: Tested) -> list[Float32]:
    """(y, x) per scene, 0..1 (1), float32: mean probability of the seeds that saw a pixel; NaN where none."""
    found = []
    for frames in zip(*tested.probabilities, strict=True):
        stack = np.stack(frames)
        seen = np.isfinite(stack)
        total = np.where(seen, stack, 0).sum(axis=0, dtype=np.float64)
        mean = np.where(seen.any(axis=0), total / np.maximum(seen.sum(axis=0), 1), np.nan)
        found.append(mean.astype(np.float32))
    return found


def joined(tested: Tested) -> Tested:
    """Make scenes whole that were tested in parts, so that each has one area and is counted once.

    Otherwise a quarter that holds much lake would pass for a date with much water.
    """
    at: dict[int, list[int]] = {}
    for i, one in enumerate(tested.samples):
        at.setdefault(id(one), []).append(i)
    if tested.where is None or len(at) == len(tested.samples):
        return tested
    where = tested.where

    def whole(frames: Sequence[Frame]) -> list[Frame]:
        found = []
        for parts in at.values():
            frame = frames[parts[0]].copy()
            for i in parts[1:]:
                frame[where[i]] = frames[i][where[i]]
            found.append(frame)
        return found

    return replace(
        tested,
        samples=[tested.samples[parts[0]] for parts in at.values()],
        probabilities=[whole(frames) for frames in tested.probabilities],
        constants={name: whole(masks) for name, masks in tested.constants.items()},
        where=[np.logical_or.reduce([where[i] for i in parts]) for parts in at.values()],
        folds=[", ".join(tested.folds[i] for i in parts) for parts in at.values()],
    )


def _constants(part: Fold) -> dict[str, list[Bool]]:
    """Constants of a fold, of the labels that its network may learn from."""
    if part.quarter is None:
        # Of all labels: without wrong ones the best constant is worse (IoU 0.927 instead of 0.932, forward).
        return constants(part.train, part.test)
    # Every scene is in training and test. Its label is known outside of the quarter alone, else the constant
    # would be the answer; within the quarter it is empty.
    learned = [
        replace(one, water=one.water & blocks(_shape(one), part.quarter, test=False)) for one in part.train
    ]
    return constants(learned, part.test)


def _tested_pixels(parts: Sequence[Fold]) -> list[Bool] | None:
    if all(part.quarter is None for part in parts):
        return None
    return [
        np.ones(_shape(one), bool) if part.quarter is None else blocks(_shape(one), part.quarter, test=True)
        for part in parts
        for one in part.test
    ]


def _shape(sample: Sample) -> tuple[int, int]:
    height, width = sample.water.shape
    return height, width
