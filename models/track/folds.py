"""Out-of-fold predictions of track networks, kept on disk so that a stopped evaluation goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from glaciolake.models.audit.labels import audit, probability_key, wrong
from glaciolake.models.data import Bool, Float32, Sample
from glaciolake.models.errors import ModelError
from glaciolake.models.folds import Fold, Split, folds, inner_folds, leaks
from glaciolake.models.pieces import own_lake
from glaciolake.models.spec import ModelSpec
from glaciolake.models.track.planted import Counts, plant
from glaciolake.models.track.recipe import TrackRecipe
from glaciolake.models.track.record import Images, Record, channels_of, forget_place, older_than, registered
from glaciolake.models.track.simulated import Simulated
from glaciolake.models.track.train import Say, as_function, predict_track, train_track

FORM = 8
"""Raised when the same recipe no longer makes the same network, so that older folds are not taken for it."""
QUARTERED = 1
"""The same for folds of ``block`` alone."""
INNER = "inner"
"""Begins the names of files of `predict_inner`."""


class Predicted(NamedTuple):
    """What the network of a fold makes of its test.

    Attributes
    ----------
    fold
        Who learned and who was tested.
    probabilities
        Probability of water (y, x) for each tested scene, 0..1 (1), float32.
    planted
        Of each, see `planted.plant`; empty in ``block``.
    """

    fold: Fold
    probabilities: list[Float32]
    planted: list[Counts]


@dataclass(frozen=True)
class Trial:
    """What is tried on the folds of a split.

    Attributes
    ----------
    images
        Every published chip by lake and track, see `record.read_images`.
    recipe
        How a network is trained.
    spec
        What it sees.
    cache
        Folder of finished folds; one that fits data, split and recipe is taken as it is.
    registry
        Outlines of lakes, see `registry.registry_frames`.
    simulated
        Scenes of simulated lakes that every fold may learn from; none stands for a labelled lake.
    """

    images: Images
    recipe: TrackRecipe
    spec: ModelSpec
    cache: Path
    registry: Mapping[str, Bool] = field(default_factory=dict)
    simulated: Simulated = field(default_factory=Simulated)


def predict_folds(
    samples: Sequence[Sample],
    split: Split,
    trial: Trial,
    begin: Callable[[str], Say] = lambda name: lambda step, steps, loss: None,
) -> list[Predicted]:
    """Train on each fold's training part and predict its test part.

    Labels that the audit of the training part alone holds for wrong are left out of training, but in
    ``block``, whose training part has the labels of the test in other pixels. In ``forward``
    only images older than a tested date are looked at beside it, and only images older than all tested dates
    in training. Folds do not depend on the recipe's seed.

    Parameters
    ----------
    samples
        Labelled scenes.
    split, trial
        What to part by, and what to try.
    begin
        Called with the name of a fold that is not on disk; answers what is told of each step.

    Returns
    -------
    list[Predicted]
        One a fold.

    Raises
    ------
    ModelError
        Where a training part knows of its test.
    """
    return _predicted(samples, folds(samples, split), split, trial, begin)


def predict_inner(
    samples: Sequence[Sample],
    split: Split,
    trial: Trial,
    begin: Callable[[str], Say] = lambda name: lambda step, steps, loss: None,
) -> list[Predicted]:
    """Do as `predict_folds` within the training parts, see `folds.inner_folds`; no events are painted."""
    inner = inner_folds(folds(samples, split), split)
    return _predicted(samples, inner, split, trial, begin, outer=False)


def _predicted(  # noqa: PLR0913  # what is tested, on what, by whom, and where it is told
    samples: Sequence[Sample],
    parts: Sequence[Fold],
    split: Split,
    trial: Trial,
    begin: Callable[[str], Say],
    *,
    outer: bool = True,
) -> list[Predicted]:
    trial.cache.mkdir(parents=True, exist_ok=True)
    found = []
    for fold in parts:
        if known := leaks(fold, split):
            raise ModelError(f"split {split!r}, fold {fold.name!r} leaks: {'; '.join(known[:3])}")
        name = f"{split}-{_digest(samples, fold, split, trial)}.npz"
        path = trial.cache / (name if outer else f"{INNER}-{name}")
        if not path.is_file():
            _store(path, _predict(fold, split, trial, begin(f"{split}, {fold.name}"), events=outer))
        found.append(_stored(path, fold))
    return found


def _stored(path: Path, fold: Fold) -> Predicted:
    try:
        with path.open("rb") as file, np.load(file) as stored:
            probabilities = [stored[str(i)].astype(np.float32) for i in range(len(fold.test))]
            return Predicted(fold, probabilities, list(stored["planted"]))
    except (OSError, ValueError, KeyError, BadZipFile, EOFError) as error:
        raise ModelError(f"{path} holds no finished fold ({error}); remove it, and run again") from error


def read_predictions(folder: Path) -> dict[str, Float32]:
    """Read out-of-fold predictions, as `predict_folds` keeps them, to ask the network about the labels.

    Each file ``<split>-<anything>.npz`` holds ``lake`` (n) and ``start`` (n), text, the latter as
    ``20210104T001130`` (UTC), and ``0`` to ``n-1``: the probability of water (y, x), 0..1 (1), of each scene,
    by a network that has not learned from its label. Where files of the split ``scene`` are there, only
    these are read; those of ``block`` never, since its networks have learned three quarters of each label,
    nor those that only calibrate (``inner-``). A scene in several files, as of several seeds, gets their
    mean.

    Parameters
    ----------
    folder
        With the files; ``<out>-folds`` of ``glaciolake evaluate --pairs ... --split scene --out <out>``.

    Returns
    -------
    dict[str, Float32]
        `probability_key` to probability (y, x), 0..1 (1), float32. A scene whose predictions differ in size
        is left out.

    Raises
    ------
    ModelError
        No such file, or one that does not hold what it should.
    """
    other = ("block-", f"{INNER}-")
    paths = [path for path in sorted(folder.glob("*.npz")) if not path.name.startswith(other)]
    paths = [path for path in paths if path.name.startswith("scene-")] or paths
    if not paths:
        raise ModelError(
            f"no out-of-fold predictions *.npz in {folder}; 'glaciolake evaluate --pairs ... --split scene "
            "--out NAME' keeps them in NAME-folds"
        )
    found: dict[str, list[Float32]] = {}
    for path in paths:
        for key, probability in _named(path):
            found.setdefault(key, []).append(probability)
    alike = {key: rows for key, rows in found.items() if len({one.shape for one in rows}) == 1}
    return {key: np.mean(rows, axis=0, dtype=np.float32) for key, rows in alike.items()}


def _named(path: Path) -> list[tuple[str, Float32]]:
    """`probability_key` and probability (y, x) of every scene in a file."""
    try:
        with np.load(path) as stored:
            names = zip(stored["lake"], stored["start"], strict=True)
            found = [(f"{lake}_{start}", stored[str(i)]) for i, (lake, start) in enumerate(names)]
    except (OSError, ValueError, KeyError, BadZipFile, EOFError) as error:
        raise ModelError(
            f"{path} holds no predictions with 'lake' and 'start' ({error}); earlier versions kept no names: "
            "remove it, and run 'glaciolake evaluate' again"
        ) from error
    for key, one in found:
        if one.ndim != 2 or one.dtype.kind != "f" or not ((one >= 0) & (one <= 1) | np.isnan(one)).all():
            raise ModelError(f"{path}: {key} is no probability (y, x) from 0 to 1; remove the file")
    return [(key, one.astype(np.float32)) for key, one in found]


def learnable(train: Sequence[Sample]) -> list[Sample]:
    """Leave out the labels that contradict the others of the same training part."""
    doubted = wrong(audit(train))
    return [one for one in train if (one.lake, one.start) not in doubted]


def _predict(fold: Fold, split: Split, trial: Trial, say: Say, *, events: bool = True) -> Predicted:
    # The audit looks at whole labels, in ``block`` those of the test too: there nothing is left out.
    kept = learnable(fold.train) if fold.quarter is None else list(fold.train)
    learned = Fold(fold.name, kept, fold.test, fold.quarter)
    causal = split == "forward"
    first = min(one.start for one in fold.test)
    # In ``forward`` training looks at all images older than the test, also at those after a date: held to
    # what is older than each date, early ones have no statistics to speak of (IoU 0.924 instead of 0.926).
    known = older_than(trial.images, first) if causal else trial.images
    taught = Record(known, labels=kept, registry=trial.registry)
    beside = trial.simulated.seen(trial.spec)
    network = as_function(train_track(learned, taught, trial.spec, trial.recipe, say, simulated=beside))
    record = Record(trial.images, labels=kept, registry=trial.registry, causal=causal)
    found = Predicted(fold, [], [])
    for number, one in enumerate(fold.test):
        seen = channels_of(one, record, trial.spec)
        if fold.quarter is not None:
            # Outlines of the tested quarter are labels of the test, and no label there was ever learned from:
            # told the place, networks have learned that this corner holds no lake (IoU 0.35).
            seen = forget_place(seen, registered(one, record))
        outline = record.outline_of(one)

        def predict(channels: Float32, outline: Bool = outline) -> Float32:
            return own_lake(predict_track([network], channels), outline)

        found.probabilities.append(predict(seen))
        if events and fold.quarter is None:  # a part of a lake tells nothing of what became of the lake
            found.planted.append(plant(one, seen, predict, seed=number))
    return found


def _store(path: Path, found: Predicted) -> None:
    """Keep the probabilities of scenes by number, and their names: `read_predictions` says how."""
    part = path.with_suffix(".part")
    names = [probability_key(one).rpartition("_") for one in found.fold.test]
    stored: dict[str, Any] = {str(i): one.astype(np.float16) for i, one in enumerate(found.probabilities)}
    stored |= {"planted": np.array(found.planted, np.int64)}
    stored |= {"lake": [lake for lake, _, _ in names], "start": [start for _, _, start in names]}
    with part.open("wb") as file:
        np.savez_compressed(file, **stored)
    part.replace(path)


def _digest(samples: Sequence[Sample], fold: Fold, split: Split, trial: Trial) -> str:
    """Name of a fold's predictions: what they depend on."""
    facts: list[Any] = [FORM, split, fold.name, trial.recipe.model_dump(), trial.spec.model_dump(mode="json")]
    if fold.quarter is not None:
        facts.append(QUARTERED)
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for one in samples:
        digest.update(f"{one.lake}{one.start}".encode() + one.water.tobytes() + one.power.tobytes())
    for key, rows in sorted(trial.images.items()):
        digest.update(f"{key}{[start for start, _ in rows]}".encode())
        digest.update(b"".join(power.tobytes() for _, power in rows))
    digest.update(trial.simulated.digest.encode())
    for lake, frame in sorted(trial.registry.items()):
        digest.update(lake.encode() + frame.tobytes())
    return digest.hexdigest()[:16]
