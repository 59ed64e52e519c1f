"""Refusal of what cannot be scored, in words that say what to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glaciolake.models.data import Bool, Float32, Sample
from glaciolake.models.errors import ModelError
from glaciolake.models.folds import SPLITS
from glaciolake.models.skill.tested import PAIRS, Tested


def check(tested: Sequence[Tested]) -> None:
    """Refuse what cannot be scored.

    Raises
    ------
    ModelError
        Nothing was tested, without a constant, under an unknown name or twice; numbers or shapes differ; a
        probability is none.
    """
    if not tested:
        raise ModelError("nothing was tested; give at least one split, or a folder of pairs")
    names = [one.split for one in tested]
    for one in tested:
        if one.split not in (*SPLITS, PAIRS):
            raise ModelError(f"unknown split {one.split!r}; take one of {', '.join((*SPLITS, PAIRS))}")
        if names.count(one.split) > 1:
            raise ModelError(f"split {one.split!r} is given {names.count(one.split)} times; join its folds")
        _check_contents(one)
        for who, frames in _frames(one).items():
            _check_frames(one, who, frames)
        for seed, probabilities in enumerate(one.probabilities, 1):
            _check_range(one, seed, probabilities)
        _check_once(one)


def _check_contents(one: Tested) -> None:
    if not one.samples:
        raise ModelError(f"split {one.split!r} tested no scene; give labelled scenes that have a prediction")
    if not one.probabilities:
        raise ModelError(
            f"split {one.split!r} has no prediction; give the probabilities of at least one seed"
        )
    if not one.constants:
        raise ModelError(
            f"split {one.split!r} has no image-blind constant, and no score is shown without one; make them "
            "with glaciolake.models.skill.scores.constants"
        )
    if not 0 < one.threshold < 1:
        raise ModelError(f"split {one.split!r} has threshold {one.threshold}; give one between 0 and 1")
    if one.spacing_m is not None and not one.spacing_m > 0:
        raise ModelError(f"split {one.split!r} has pixels of {one.spacing_m} m; give a side above 0 or None")
    if len(one.folds) != len(one.samples):
        raise ModelError(
            f"split {one.split!r} names the folds of {len(one.folds)} scenes, but tested {len(one.samples)}; "
            "name one a scene"
        )
    if one.intervals is not None and len(one.intervals.each) != len(one.samples):
        raise ModelError(
            f"split {one.split!r} has intervals of {len(one.intervals.each)} scenes, but tested "
            f"{len(one.samples)}; give one a scene, in the same order"
        )


def _frames(one: Tested) -> dict[str, Sequence[Bool] | Sequence[Float32]]:
    """Everything that must lie on the pixels of the scenes, by name."""
    found: dict[str, Sequence[Bool] | Sequence[Float32]] = {}
    found |= {f"seed {number}": frames for number, frames in enumerate(one.probabilities, 1)}
    found |= {repr(name): masks for name, masks in one.constants.items()}
    found["labels"] = [sample.water for sample in one.samples]
    return found if one.where is None else found | {"where": one.where}


def _check_frames(one: Tested, who: str, frames: Sequence[Bool] | Sequence[Float32]) -> None:
    if len(frames) != len(one.samples):
        raise ModelError(
            f"split {one.split!r}: {who} has {len(frames)} frames for {len(one.samples)} scenes; give one a "
            "scene, in the same order"
        )
    for sample, frame in zip(one.samples, frames, strict=True):
        if frame.shape != sample.power.shape:
            raise ModelError(
                f"split {one.split!r}: {who} has {frame.shape} pixels for {_name(sample)}, which has "
                f"{sample.power.shape}; cut or predict it on the pixels of the scene"
            )


def _check_range(one: Tested, seed: int, probabilities: Sequence[Float32]) -> None:
    for sample, frame in zip(one.samples, probabilities, strict=True):
        beyond = frame[(frame < 0) | (frame > 1)]
        if beyond.size:
            raise ModelError(
                f"split {one.split!r}: seed {seed} says {beyond[0]:g} at a pixel of {_name(sample)}; give "
                "probabilities from 0 to 1, NaN where nothing was seen"
            )


def _check_once(one: Tested) -> None:
    """Refuse a pixel that is tested twice: it would count twice."""
    tested: dict[int, Bool] = {}
    for sample, counted in zip(one.samples, one.counted, strict=True):
        earlier = tested.get(id(sample), np.zeros_like(counted))
        if (twice := int((earlier & counted).sum())) > 0:
            raise ModelError(
                f"split {one.split!r} tests {twice} pixels of {_name(sample)} twice; give each scene "
                "once, or parts of it that do not meet"
            )
        tested[id(sample)] = earlier | counted


def _name(sample: Sample) -> str:
    return f"{sample.lake} {sample.start:%Y-%m-%dT%H:%M:%S}"
