"""Find hand-drawn masks that are wrong, without a list of known bad ones.

Each label is compared with the other dates of its lake and track (`dates`). Where it departs from them
by more than they depart from each other, witnesses are heard on what is disputed (`witnesses`), and it
is looked up whose mask it is (`twins`). All comes from the samples given: a fold that audits its
training part learns nothing of its test part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from glaciolake.models.audit.case import Case, hear, independent_checks
from glaciolake.models.audit.dates import (
    Check,
    Track,
    date_checks,
    departure,
    of_all,
    usual,
)
from glaciolake.models.audit.twins import Outlined, Twin, twin
from glaciolake.models.audit.witnesses import (
    Witness,
)
from glaciolake.models.data import PAIR_SIDE_PX, Bool, Float32, Sample, put_centre
from glaciolake.models.errors import ModelError
from glaciolake.models.track.record import Key

Verdict = Literal["wrong", "doubtful", "fine"]

FAR = 2.0
"""Limits from which the other dates refute a label, unless another track or a network is beside it."""
ALMOST_ALL = 0.9
"""Share of the image from which a label holds almost everything."""


@dataclass(frozen=True)
class Finding:
    """What the audit says of one label.

    Attributes
    ----------
    lake, start, track
        Which label: folder name, acquisition start (UTC), relative orbit as ``T121``.
    verdict
        ``wrong`` is left out of training, ``doubtful`` is kept and told, ``fine`` is neither.
    reasons
        For people, the weightiest first; none where it is fine.
    values
        Name of a check to what was found, and the name with ``_limit`` to where it tells; shares of a witness
        (``image_share``, ...) are 0..1, of the disputed pixels.
    """

    lake: str
    start: datetime
    track: str
    verdict: Verdict
    reasons: tuple[str, ...]
    values: dict[str, float]


def audit(
    samples: Sequence[Sample],
    *,
    outlines: Mapping[Key, Bool] | None = None,
    probabilities: Mapping[str, Float32] | None = None,
    georeferences: Mapping[tuple[str, datetime], str] | None = None,
) -> list[Finding]:
    """Judge every label by the others, the images and what else is given.

    Parameters
    ----------
    samples
        Labelled scenes; those of a training part alone will do.
    outlines
        Lake and track to an independent outline in the frame (256, 256), see `outlines.read_outlines`.
    probabilities
        `probability_key` of a scene to the probability of water (y, x), 0..1 (1), of a network that has not
        learned from its label. Scenes may be missing.
    georeferences
        (lake, start) to what is wrong with the georeference of a mask, in words.

    Returns
    -------
    list[Finding]
        In the order of `samples`.

    Raises
    ------
    ModelError
        No samples, or sizes that differ within one.
    """
    _check_sizes(samples, probabilities or {})
    keys = sorted({one.key for one in samples})
    at = {key: [i for i, one in enumerate(samples) if one.key == key] for key in keys}
    tracks = {key: Track.of([samples[i] for i in at[key]]) for key in keys}
    found: dict[int, Finding] = {}
    departures = {key: [departure(track, i) for i in range(len(at[key]))] for key, track in tracks.items()}
    common = of_all([[one for one in rows if one] for rows in departures.values()])
    looks = {
        key: Outlined(track.majority, usual([one for one in departures[key] if one], common))
        for key, track in tracks.items()
    }
    for key, track in tracks.items():
        rows = departures[key]
        for i, number in enumerate(at[key]):
            case = Case(
                track=track,
                i=i,
                own=rows[i],
                usual=usual([one for j, one in enumerate(rows) if one and j != i], common),
                others=[tracks[other] for other in keys if other[0] == key[0] and other != key],
                outline=(outlines or {}).get(key),
                model=_lake_of((probabilities or {}).get(probability_key(samples[number]))),
            )
            fault = (georeferences or {}).get((samples[number].lake, samples[number].start))
            found[number] = _judge(case, looks, fault)
    return [found[i] for i in range(len(samples))]


def wrong(findings: Sequence[Finding]) -> dict[tuple[str, datetime], str]:
    """(lake, start) of every wrong label to the reasons, in one sentence."""
    return {(one.lake, one.start): "; ".join(one.reasons) for one in findings if one.verdict == "wrong"}


def probability_key(sample: Sample) -> str:
    """Name of a scene in a file of probabilities."""
    return f"{sample.lake}_{sample.start:%Y%m%dT%H%M%S}"


def _check_sizes(samples: Sequence[Sample], probabilities: Mapping[str, Float32]) -> None:
    if not samples:
        raise ModelError("no labels to audit; give at least one pair")
    for one in samples:
        name, shape = probability_key(one), one.power.shape
        if one.water.shape != shape:
            raise ModelError(
                f"{name}: mask of {one.water.shape} px and image of {shape} px; they must be equal"
            )
        if max(shape) > PAIR_SIDE_PX:
            raise ModelError(
                f"{name}: {shape} px are more than the {PAIR_SIDE_PX} px of a pair; cut the chip"
            )
        if name in probabilities and probabilities[name].shape != shape:
            raise ModelError(
                f"{name}: probabilities of {probabilities[name].shape} px and image of {shape} px; they must "
                "be equal"
            )


def _lake_of(probability: Float32 | None) -> Bool | None:
    return None if probability is None else put_centre(np.asarray(probability) >= 0.5)


def _judge(case: Case, looks: Mapping[Key, Outlined], georeference: str | None) -> Finding:
    held = float(case.label.sum() / max(case.track.valid[case.i].sum(), 1))
    own = date_checks(case.own, case.usual, case.sample.track) if case.own else []
    own_told = sorted((one for one in own if one.excess > 1), key=lambda one: -one.excess)
    free = independent_checks(case)
    free_told = [one for one in free if one.excess > 1]
    heard = hear(case) if case.own else []
    asked = own_told or free_told or case.own is None
    like = twin(case.track, case.i, case.own, looks) if asked and case.label.any() else None
    verdict = _verdict(case, own_told, free_told, heard)
    reasons = [_twin_words(like, case.sample)] if like else []
    if like and (own_told or free_told):
        verdict = "wrong"
    if held == 0 or held >= ALMOST_ALL:
        verdict, reasons = "wrong", ["empty" if held == 0 else f"holds {held:.0%} of the image"]
    if georeference is not None:
        verdict = "wrong" if own_told else "doubtful" if verdict == "fine" else verdict
        reasons.append(georeference)
    if held and verdict != "fine":
        reasons += [one.words for one in (*own_told, *free_told)] + _heard_words(heard)
    values = {"held_share": held, "held_share_limit": ALMOST_ALL} | _values(own + free, heard)
    if like:
        values |= {"twin_px": like.apart_px, "twin_px_limit": like.limit_px}
    sample = case.sample
    return Finding(sample.lake, sample.start, sample.track, verdict, tuple(reasons), values)


def _verdict(case: Case, own: list[Check], free: list[Check], heard: list[Witness]) -> Verdict:
    """Weigh what tells against a label.

    Far from the other dates, it is wrong unless something beside the image supports it, or the image does and
    nobody contradicts. Just beyond the limit it is wrong if the image and another witness contradict. Where
    there are next to no other dates, two independent things must tell.
    """
    against = {one.name for one in heard if one.against} | {one.name.partition("_")[0] for one in free}
    beside = {one.name for one in heard if one.beside}
    accused = own[0].excess if own else 0.0
    if case.few:
        n_told = len(free) + (1 if own and against and not beside else 0)
        return "wrong" if n_told > 1 else "doubtful" if own or free else "fine"
    supported = bool(beside - {"image"}) and "image" not in against
    if accused > FAR and not supported and (against or not beside):
        return "wrong"
    if accused > 1 and "image" in against and len(against) > 1:
        return "wrong"
    return "doubtful" if own or free else "fine"


def _twin_words(like: Twin, sample: Sample) -> str:
    lake, track = like.key
    whose = f"{lake} {track}" if lake != sample.lake else f"{track}, another track of the lake"
    return f"looks like the mask of {whose}"


def _heard_words(heard: Sequence[Witness]) -> list[str]:
    names = {
        "image": "the image",
        "tracks": "other tracks about that time",
        "outline": "the independent outline",
        "model": "a network that has not seen it",
    }
    said = [f"{names[one.name]} with {one.share:.0%}" for one in heard]
    return [f"where they differ, it agrees with {', '.join(said)} of the pixels"] if said else []


def _values(checks: Sequence[Check], heard: Sequence[Witness]) -> dict[str, float]:
    values: dict[str, float] = {}
    for one in checks:
        values |= {one.name: one.value, f"{one.name}_limit": one.limit}
    return values | {f"{one.name}_share": one.share for one in heard}
