"""Painted events tell a network that looks from one that repeats what it is told."""

from __future__ import annotations

import numpy as np

from glaciolake.models.data import Float32
from glaciolake.models.track.plan import TRACK_SPEC
from glaciolake.models.track.planted import KINDS, in_words, plant, shown
from glaciolake.models.track.record import CHANNELS, Record, channels_of
from tests.models.scenes import sample

DATE, OUTLINE = CHANNELS.index("date"), CHANNELS.index("outline")
LABELS = [sample(cycle=cycle) for cycle in range(1, 4)]


def looks(seen: Float32) -> Float32:
    """What is darker than halfway between the drawn lake and the drawn land."""
    low, high = TRACK_SPEC.clip_db
    return np.asarray(seen[DATE] < (-12.5 - low) / (high - low), np.float32)


def repeats(seen: Float32) -> Float32:
    return np.asarray(seen[OUTLINE], np.float32)


def test_a_network_that_looks_follows_every_event_and_one_that_repeats_follows_none() -> None:
    scenes = [sample(cycle=cycle) for cycle in range(5, 9)]
    for network, follows in ((looks, True), (repeats, False)):
        counts = []
        for number, one in enumerate(scenes):
            seen = channels_of(one, Record({}, labels=LABELS), TRACK_SPEC)
            counts.append(plant(one, seen, network, seed=number))
        found = shown(counts)
        assert list(found) == list(KINDS) and all(told.n == len(scenes) for told in found.values())
        for kind, told in found.items():
            assert abs(told.found - (told.true if follows else 1.0)) < 0.06, kind
        assert found["drained"].true == 0 and found["grown"].true > 1.05


def test_it_is_said_in_a_sentence_beside_the_constant() -> None:
    counts = [np.array([[100, 70, 75], [100, 40, 50], [100, 0, 10], [100, 100, 99]])]
    found = shown(counts)
    assert "grown" not in found, "what could not be painted is no event"
    said = in_words(found)
    assert "1 scenes" in said and "drained by 60 %, 0.50 are found where 0.40 are left" in said
    assert "A constant finds 1.00" in said
    assert shown([]) == {}
