"""One label and all that is known beside it: evidence that needs no date of its track, and the witnesses."""

from __future__ import annotations

import math
from dataclasses import dataclass

from glaciolake.models.audit.dates import Check, Departure, Track
from glaciolake.models.audit.masks import overlap_iou
from glaciolake.models.audit.usual import Usual
from glaciolake.models.audit.witnesses import (
    Witness,
    contrast_db,
    decibels,
    image_share,
    share_beside,
    tracks_share,
)
from glaciolake.models.data import Bool, Sample

FEW_DATES = 3
"""Other dates below which these alone prove nothing: they may be the wrong ones."""
LEAST_IOU = 1 / 3
"""With other tracks, outline or network. Layover changes areas by 20 to 30 %, which leaves 0.5 and more."""
LEAST_DARKER_DB = 1.0
"""Water reflects away from the radar; a label no darker than its ring by this is not water in the image."""


@dataclass(frozen=True, eq=False)
class Case:
    """One label with all that is known of it."""

    track: Track
    i: int
    own: Departure | None
    usual: Usual
    others: list[Track]
    outline: Bool | None
    model: Bool | None

    @property
    def sample(self) -> Sample:
        """The labelled scene."""
        return self.track.samples[self.i]

    @property
    def label(self) -> Bool:
        """Its label in the frame (256, 256)."""
        label: Bool = self.track.water[self.i]
        return label

    @property
    def few(self) -> bool:
        """Whether the other dates of the track are too few to prove anything."""
        return self.own is None or self.own.n < FEW_DATES


def hear(case: Case) -> list[Witness]:
    """Ask all witnesses on what label and other dates dispute.

    An outline of another year and another sensor cannot support a label against its own track: it shows
    what layover hides from this one.
    """
    own = case.own
    assert own is not None
    valid = case.track.valid[case.i]
    said = {
        "image": image_share(decibels(case.sample), case.label, own.nearest),
        "tracks": tracks_share(case.track, case.others, case.i, own.nearest),
        "outline": _share(case, own, case.outline, valid),
        "model": _share(case, own, case.model, valid),
    }
    found = [Witness(name, share) for name, share in said.items() if share is not None]
    return [one for one in found if one.name != "outline" or not one.beside]


def _share(case: Case, own: Departure, says: Bool | None, known: Bool) -> float | None:
    return None if says is None else share_beside(case.label, own.nearest, says, known)


def independent_checks(case: Case) -> list[Check]:
    """Evidence that needs no other date of the track."""
    if not case.label.any():
        return []
    found = []
    references = {
        "tracks": ("the other tracks of the lake", _tracks_outline(case)),
        "outline": ("the independent outline", case.outline),
        "model": ("what a network finds that has not seen it", case.model),
    }
    for name, (words, reference) in references.items():
        if reference is not None and (seen := reference & case.track.valid[case.i]).any():
            found.append(_overlap_check(f"{name}_iou", case.label, seen, words))
    db = decibels(case.sample)
    darker = -contrast_db(db, case.label)
    usually = -contrast_db(db, case.own.nearest) if case.own else math.nan
    if math.isfinite(darker):
        # Wind and thaw brighten the whole lake: then the other dates' outline is no darker either.
        told = darker < LEAST_DARKER_DB and not usually < LEAST_DARKER_DB
        words = f"its inside is {darker:.1f} dB darker than its surroundings"
        if math.isfinite(usually):
            words += f", that of the other dates {usually:.1f} dB"
        found.append(Check("darker_db", darker, LEAST_DARKER_DB, 2.0 if told else 0.0, words))
    return found


def _tracks_outline(case: Case) -> Bool | None:
    """Majority of the other tracks that is nearest in size; layover and another grid may move it."""
    frames = [frame for one in case.others if (frame := one.majority).any()]
    if not frames:
        return None
    area = case.label.sum()
    return min(frames, key=lambda frame: abs(math.log(frame.sum() / area)))


def _overlap_check(name: str, label: Bool, reference: Bool, words: str) -> Check:
    iou = overlap_iou(label, reference)
    return Check(name, iou, LEAST_IOU, LEAST_IOU / max(iou, 0.01), f"shares {iou:.0%} with {words}")
