"""Pairs as the paper's network sees them: equalised pictures, parted by file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from glaciolake.models.data import pair_names, read_pair
from glaciolake.models.errors import ModelError
from glaciolake.models.paper.augment import Picture
from glaciolake.models.paper.recipe import PaperPlan


@dataclass(frozen=True)
class Parts:
    """What a run learns from, and what chooses its epoch.

    Attributes
    ----------
    train, validation
        Pictures.
    seen
        (lake, start) of both: no test may hold them.
    digest
        Of all pictures and labels, so that a stopped run is not gone on with on others.
    """

    train: list[Picture]
    validation: list[Picture]
    seen: list[tuple[str, datetime]]
    digest: str


def read_parts(plan: PaperPlan) -> Parts:
    """Read the pairs of a run and part them.

    Without a folder for validation the parts are drawn by file, as in the paper: the same scene may show
    lakes of both, so the validation score flatters. No test is made of it.

    Raises
    ------
    ModelError
        Too few pairs, or files that are none.
    """
    pairs = _read(plan.pairs)
    if plan.validation is not None:
        train, validation = pairs, _read(plan.validation)
    else:
        names = sorted(pairs)
        n_validation = max(1, round(plan.recipe.validation_share * len(names)))
        if n_validation >= len(names):
            raise ModelError(
                f"{plan.pairs} holds {len(names)} pair(s): none would be left to learn from; add pairs"
            )
        order = np.random.default_rng(plan.recipe.seed).permutation(len(names))
        drawn = {names[number] for number in order[:n_validation]}
        train = {name: one for name, one in pairs.items() if name not in drawn}
        validation = {name: one for name, one in pairs.items() if name in drawn}
    return Parts(
        [one for one, _ in train.values()],
        [one for one, _ in validation.values()],
        sorted(where for _, where in (*train.values(), *validation.values())),
        _digest(train, validation),
    )


def _read(folder: Path) -> dict[str, tuple[Picture, tuple[str, datetime]]]:
    """Picture, lake and start of every pair, by name."""
    found = {}
    for name, of_pair in pair_names(folder).items():
        grey, water = read_pair(folder, name)
        found[name] = Picture(grey, water.astype(np.uint8)), (of_pair.lake, of_pair.start)
    return found


def _digest(*parts: Mapping[str, tuple[Picture, object]]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)} ".encode())
        for name, (picture, _) in part.items():
            digest.update(name.encode() + picture.grey.tobytes() + picture.water.tobytes())
    return digest.hexdigest()[:16]
