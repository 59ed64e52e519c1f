"""Scores of a network, always beside what one gets without looking at the radar."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np

from glaciolake.models.augment import scale_db
from glaciolake.models.data import Bool, Float32, Sample, cut_centre, majority
from glaciolake.models.predict import network_input, water_probability
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.models.weights import read_spec

THRESHOLDS = np.arange(0.1, 0.95, 0.05)

# What an image-blind constant may know of a scene: its lake; the flight direction too; the track too.
BLIND: dict[str, Callable[[Sample], Hashable]] = {
    "constant per lake": lambda sample: sample.lake,
    "constant per lake and direction": lambda sample: (sample.lake, sample.direction),
    "constant per lake and track": lambda sample: sample.key,
}


class Score(NamedTuple):
    """Pooled over the pixels that have data.

    Attributes
    ----------
    n
        Scenes.
    iou
        Intersection over union, 0..1.
    area_error_percent
        Median over scenes of |area - labelled area| / labelled area.
    """

    n: int
    iou: float
    area_error_percent: float


class Row(NamedTuple):
    """One line of a report: a network and the image-blind constants on the same scenes.

    Attributes
    ----------
    scenes
        Which scenes: ``all``, ``chips as published``, a lake, or a lake and track.
    network
        Score of the network.
    blind
        Name of a constant to its score.
    """

    scenes: str
    network: Score
    blind: dict[str, Score]

    @property
    def skill(self) -> float:
        """Share of the best constant's error that looking at the radar removes; 0 is none, below 0 harm."""
        best = max(score.iou for score in self.blind.values())
        return 1 - (1 - self.network.iou) / (1 - best) if best < 1 else 0.0


def evaluate(ref: ModelRef, train: Sequence[Sample], test: Sequence[Sample]) -> list[Row]:
    """Score the exported file on scenes it has not seen, beside constants made of the same training part.

    Parameters
    ----------
    ref
        The network, with the engine that shall run it.
    train
        Scenes whose majority labels are the constants.
    test
        Scenes to score.

    Returns
    -------
    list[Row]
        All scenes, those whose chips are published, then every lake, then every lake and track.
    """
    spec = read_spec(ref)
    found = [water_probability(images_of(sample, spec), ref)[0] >= spec.threshold for sample in test]
    masks = {"network": found} | {name: blind_masks(train, test, know) for name, know in BLIND.items()}
    groups = {"all": list(range(len(test)))}
    groups["chips as published"] = [i for i, sample in enumerate(test) if not sample.rebuilt]
    for name_of in (lambda sample: sample.lake, lambda sample: " ".join(sample.key)):
        for name in sorted({name_of(sample) for sample in test}):
            groups[name] = [i for i, sample in enumerate(test) if name_of(sample) == name]
    return [_row(name, [test[i] for i in at], {k: [m[i] for i in at] for k, m in masks.items()})
            for name, at in groups.items()]  # fmt: skip


def blind_masks(
    train: Sequence[Sample], test: Sequence[Sample], know: Callable[[Sample], Hashable]
) -> list[Bool]:
    """Majority label of the training scenes that share what is known of a test scene; else of its lake."""
    masks = []
    for sample in test:
        alike = [other for other in train if know(other) == know(sample)]
        alike = alike or [other for other in train if other.lake == sample.lake]
        frame = majority(alike) if alike else np.zeros((256, 256), bool)
        masks.append(cut_centre(frame, sample.water.shape))
    return masks


def images_of(sample: Sample, spec: ModelSpec) -> Float32:
    """(1, channel, y, x), 0..1 (1), float32; NaN where there are no data."""
    scaled = np.where(sample.valid, scale_db(sample.power, spec), np.float32(np.nan))
    return scaled[None, None].astype(np.float32)


def predict_samples(
    samples: Sequence[Sample], spec: ModelSpec, network: Callable[[Float32], Float32]
) -> list[Float32]:
    """Water probability (y, x) of every sample by a bare network: padded, validity appended, cropped."""
    found = []
    for sample in samples:
        height, width = sample.power.shape
        found.append(network(network_input(images_of(sample, spec), spec))[0, :height, :width])
    return found


def score(samples: Sequence[Sample], masks: Sequence[Bool]) -> Score:
    """Score lake masks (y, x) against labels."""
    both = union = 0
    errors = []
    for sample, mask in zip(samples, masks, strict=True):
        lake = mask & sample.valid
        both += int((lake & sample.water).sum())
        union += int((lake | sample.water).sum())
        errors.append(100 * abs(int(lake.sum()) - int(sample.water.sum())) / max(1, int(sample.water.sum())))
    return Score(len(samples), both / max(1, union), float(np.median(errors)))


def best_threshold(samples: Sequence[Sample], probabilities: Sequence[Float32]) -> tuple[float, float]:
    """Threshold with the highest pooled intersection over union, and that value."""
    ious = [score(samples, [p >= threshold for p in probabilities]).iou for threshold in THRESHOLDS]
    best = int(np.argmax(ious))
    return round(float(THRESHOLDS[best]), 2), ious[best]


def _row(name: str, samples: list[Sample], masks: dict[str, list[Bool]]) -> Row:
    scores = {who: score(samples, found) for who, found in masks.items()}
    network = scores.pop("network")
    return Row(name, network, scores)
