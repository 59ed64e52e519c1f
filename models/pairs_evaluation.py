"""`glaciolake evaluate --pairs`: what finished networks, and recipes out of fold, score on labelled pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glaciolake.models.audit.labels import audit, wrong
from glaciolake.models.chips import read_chips
from glaciolake.models.data import PAIR_SIDE_PX, Bool, Float32, Sample, cut_centre, pair_names, read_pair
from glaciolake.models.errors import ModelError
from glaciolake.models.evaluate import images_of
from glaciolake.models.folds import Fold, Split
from glaciolake.models.pairs import others, read_pairs
from glaciolake.models.pieces import own_lake
from glaciolake.models.predict import water_probabilities
from glaciolake.models.season import SEASON_DAYS
from glaciolake.models.skill.intervals import Intervals, interval_folds
from glaciolake.models.skill.report import Tested, tested_folds
from glaciolake.models.skill.scores import constants, listed
from glaciolake.models.spec import ModelRef
from glaciolake.models.track.folds import Predicted, Trial, learnable, predict_folds, predict_inner
from glaciolake.models.track.model import learned_from, read_atlas, track_function, track_probability
from glaciolake.models.track.plan import TRACK_SPEC
from glaciolake.models.track.planted import in_words, plant, shown
from glaciolake.models.track.recipe import TrackRecipe
from glaciolake.models.track.record import CHANNELS, Images, Key, Page, Record, channels_of
from glaciolake.models.track.registry import registry_frames
from glaciolake.models.track.simulated import Simulated, SimulatedSource, read_simulated
from glaciolake.models.track.train import Say
from glaciolake.models.weights import card, read_spec, shipped

Suspected = Mapping[tuple[str, datetime], str]
SPACING_M = 20.0
"""Of the pairs' pixels, as published."""


@dataclass(frozen=True)
class Verdict:
    """What was tested, and what is to be told with it."""

    tested: Tested
    suspected: Suspected
    notes: list[str] = field(default_factory=list)


class Data(NamedTuple):
    """Labelled scenes, and what may be known beside them.

    Attributes
    ----------
    samples
        By lake and time.
    images
        All images by lake and track.
    registry
        Lake to the outline (256, 256) of a registry.
    simulated
        Scenes of simulated lakes that may be learned from.
    """

    samples: list[Sample]
    images: Images
    registry: Mapping[str, Bool]
    simulated: Simulated


def read_data(pairs: Path, chips: Path | None, simulated: SimulatedSource | None = None) -> Data:
    """Read what networks are trained and tested on; errors as of `read_pairs` and `read_simulated`.

    Parameters
    ----------
    pairs, chips
        Folders of labelled pairs and of the radar chips that they were made of, if at hand.
    simulated
        Archive and store to learn from beside them; None takes none.
    """
    samples, images = read_pairs(pairs, chips, {}, TRACK_SPEC.clip_db)
    if simulated is not None and chips is None:
        raise ModelError(
            f"without chips nothing tells which lakes of {simulated.archive} stand for labelled ones; "
            "give --raw"
        )
    places = {} if chips is None else {chip.lake: chip.place for chip in read_chips(chips).values()}
    beside = Simulated() if simulated is None else read_simulated(simulated, places)
    return Data(samples, images, {} if chips is None else registry_frames(chips), beside)


def judge_model(
    pairs: Path, ref: ModelRef, *, chips: Path | None = None, train: Path | None = None
) -> Verdict:
    """Score a finished network on a folder of labelled pairs.

    No label of the folder reaches the network. It is given the other images of each lake and track in
    `chips`, or in the folder itself, and what it remembers of lakes it knows.

    Parameters
    ----------
    pairs
        Folder with ``images`` and ``masks``.
    ref
        A network of single images or of records.
    chips
        Folder of the radar chips, see `pairs.read_pairs`; None reads power from the equalised pictures.
    train
        Folder of the labelled pairs that the constants are drawn from. None takes what the network remembers
        of its training labels; where that is nothing, the other dates of the folder itself.
    """
    spec, atlas = read_spec(ref), read_atlas(ref)
    samples, images = read_pairs(pairs, chips, atlas, spec.clip_db)
    registry = {} if chips is None else registry_frames(chips)
    record = Record(images if chips else others(images, atlas), atlas=atlas, registry=registry)
    found = track_probability(samples, record, ref) if spec.record else _of_images(pairs, samples, ref)
    blind, drawn_from = _constants(samples, train, atlas)
    blind |= listed(registry, samples)
    learned = _learned(samples, ref)
    notes = [f"The constants are drawn from {drawn_from}.", *_beyond(pairs, samples, found, spec.threshold)]
    if learned is None:
        notes.append(
            "The network does not say which scenes it learned from: some of these may be among them."
        )
    elif learned:
        notes.append(f"**The network learned from {learned} of these {len(samples)} scenes: no test of it.**")
    else:
        notes.append("The network has learned from none of these scenes.")
    rebuilt = sum(one.rebuilt for one in samples)
    if rebuilt:
        notes.append(
            f"The power of {rebuilt} of {len(samples)} scenes was rebuilt from the equalised picture: "
            + ("the folder of chips lacks theirs." if chips else "no folder of chips was given (--raw).")
        )
    if spec.record == CHANNELS:
        notes += _events(samples, record, ref)
    tested = Tested("pairs", samples, [found], blind, None, ["all"] * len(samples), spec.threshold, SPACING_M)
    return Verdict(tested, wrong(audit(samples)), notes)


def _beyond(pairs: Path, samples: Sequence[Sample], found: Sequence[Float32], threshold: float) -> list[str]:
    """Say how much labelled lake lies where there are no data, and the IoU that counts it as missed."""
    labelled = sum(int(read_pair(pairs, name)[1].sum()) for name in pair_names(pairs))
    both = either = 0
    for one, share in zip(samples, found, strict=True):
        lake = (np.nan_to_num(share, nan=-1.0) >= threshold) & one.valid
        both += int((lake & one.water).sum())
        either += int((lake | one.water).sum())
    beyond = labelled - sum(int(one.water.sum()) for one in samples)
    if not beyond:
        return []
    return [
        f"{beyond} of {labelled} labelled pixels lie where the images have no data, mostly in the padding, "
        f"and do not count; counted as missed, as over whole squares of {PAIR_SIDE_PX} px, the IoU is "
        f"{both / (either + beyond):.4f} instead of {both / max(1, either):.4f}."
    ]


def _of_images(pairs: Path, samples: Sequence[Sample], ref: ModelRef) -> list[Float32]:
    """Probability (y, x) of each scene by a network of single images.

    One that learned from equalised pictures gets the published ones, padding and all.
    """
    spec = read_spec(ref)
    if spec.normalisation != "paper":
        return water_probabilities([images_of(one, spec)[0] for one in samples], ref)
    names = sorted(pair_names(pairs).items(), key=lambda item: (item[1].lake, item[1].start))
    pictures = [read_pair(pairs, name)[0][None].astype(np.float32) / np.float32(255) for name, _ in names]
    found = water_probabilities(pictures, ref)
    return [cut_centre(one, sample.water.shape) for one, sample in zip(found, samples, strict=True)]


def judge_recipe(  # noqa: PLR0913  # on what, who, where it is kept and told, and how far
    data: Data,
    split: Split,
    recipes: Sequence[TrackRecipe],
    cache: Path,
    begin: Callable[[str], Say] = lambda name: lambda step, steps, loss: None,
    *,
    intervals: bool = False,
) -> Verdict:
    """Train with each recipe on the folds of a split, and score out of fold.

    Parameters
    ----------
    data
        Of `read_data`.
    split
        See `folds`.
    recipes
        As a rule one recipe with several seeds.
    cache
        Folder of finished folds.
    begin
        See `track.folds.predict_folds`.
    intervals
        Whether to train also what calibrates intervals of areas, with the first recipe.
    """
    samples, registry = data.samples, data.registry
    per_seed, suspected = [], wrong(audit(samples))
    for recipe in recipes:
        trial = Trial(data.images, recipe, TRACK_SPEC, cache, registry, data.simulated)
        per_seed.append(predict_folds(samples, split, trial, begin))
    parts = [one.fold for one in per_seed[0]]
    tested = tested_folds(split, parts, [[one.probabilities for one in found] for found in per_seed])
    if intervals:
        trial = Trial(data.images, recipes[0], TRACK_SPEC, cache, registry, data.simulated)
        inner = predict_inner(samples, split, trial, begin)
        wrong_ones = frozenset(id(one) for one in samples if (one.lake, one.start) in suspected)
        tested = replace(tested, intervals=_intervals(split, per_seed[0], inner, wrong_ones))
    tested = replace(tested, constants=tested.constants | listed(registry, tested.samples))
    events = shown([counts for found in per_seed for one in found for counts in one.planted])
    events = {
        kind: one._replace(n=one.n // len(per_seed)) for kind, one in events.items()
    }  # scenes, not looks
    notes = [f"**{split}**: {in_words(events)}"] if events else []
    return Verdict(tested, suspected, notes)


def _intervals(
    split: Split, outer: Sequence[Predicted], inner: Sequence[Predicted], wrong_ones: frozenset[int]
) -> Intervals | None:
    """Intervals of each tested scene; labels that a training part itself contradicts calibrate nothing."""
    if not inner:
        return None

    def doubt(fold: Fold) -> frozenset[int]:
        return frozenset(map(id, fold.train)) - frozenset(map(id, learnable(fold.train)))

    pairs = [[(one.fold, one.probabilities) for one in found] for found in (outer, inner)]
    return interval_folds(split, pairs[0], pairs[1], doubt, wrong_ones)


def _events(samples: Sequence[Sample], record: Record, ref: ModelRef) -> list[str]:
    """Say what a track network makes of events painted into the scenes."""
    spec, network = read_spec(ref), track_function(ref)
    counts = []
    for number, one in enumerate(samples):
        outline = record.outline_of(one)

        def predict(channels: Float32, outline: Bool = outline) -> Float32:
            return own_lake(network(channels), outline, spec.threshold)

        seen = channels_of(one, record, spec)
        counts.append(plant(one, seen, predict, seed=number, threshold=spec.threshold))
    return [in_words(events)] if (events := shown(counts)) else []


def _constants(
    samples: Sequence[Sample], train: Path | None, atlas: Mapping[Key, Page]
) -> tuple[dict[str, list[Bool]], str]:
    """Image-blind masks by name, and where they come from."""
    if train is not None:
        known, _ = read_pairs(train, None, atlas, TRACK_SPEC.clip_db)
        tested = {(one.lake, one.start) for one in samples}
        others = [one for one in known if (one.lake, one.start) not in tested]
        if not others:
            raise ModelError(
                f"{train} holds no scene but the tested ones; give the pairs that were learned from"
            )
        left_out = f", but for {len(known) - len(others)} that are tested" if len(others) < len(known) else ""
        return constants(others, samples), f"the labels in {train.name}{left_out}"
    drawn = {key: page for key, page in atlas.items() if (page.outline >= 0).all()}
    if drawn:
        return {
            "constant per lake and track": [_remembered(one, drawn, math.inf) for one in samples],
            "constant per lake, track and season": [_remembered(one, drawn, SEASON_DAYS) for one in samples],
        }, "the labels that the network learned from"
    found: dict[str, list[Bool]] = {}
    for one in samples:
        others = [other for other in samples if other is not one]
        for name, (mask,) in constants(others, [one]).items():
            found.setdefault(name, []).append(mask)
    return found, "the other dates of the tested folder: give --train for those of another"


def _learned(samples: Sequence[Sample], ref: ModelRef) -> int | None:
    """How many of the scenes a network learned from, by its file or its card; None where neither says."""
    if known := learned_from(ref):
        return sum((one.lake, one.start) in known for one in samples)
    name = Path(ref.path).stem
    if name in shipped() and (split := card(name).get("split")):
        days = set(split["train"]) | set(split["validation"])
        return sum(f"{one.start:%Y-%m-%d}" in days for one in samples)
    return None


def _remembered(sample: Sample, known: Mapping[Key, Page], days: float) -> Bool:
    """Majority label of a lake and track as the network remembers it; else of the lake's other tracks."""
    own = [page for key, page in known.items() if key == sample.key]
    own = own or [page for (lake, _), page in known.items() if lake == sample.lake]
    if not own:
        return np.zeros(sample.water.shape, bool)
    share = np.mean([page.outline_of(sample.start, days) for page in own], axis=0)
    mask: Bool = cut_centre(share, sample.water.shape) >= 0.5
    return mask
