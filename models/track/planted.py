"""Events painted into scenes that a network has not learned from: whether it looks at the radar at all.

A network that only repeats the outline it is told scores as well on labels of lakes that hardly change as one
that looks, and is blind to what the product is for: trained without painted events, one found 0.97 of a lake
that was gone. So every test scene is changed as `change` does it, once for each kind, and predicted again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glaciolake.models.data import Bool, Float32, Sample
from glaciolake.models.track.change import Kind, change
from glaciolake.models.track.record import CHANNELS

KINDS: dict[str, tuple[Kind, float | None]] = {
    "drained by 30 %": ("drain", 0.3),
    "drained by 60 %": ("drain", 0.6),
    "drained": ("drain", 1.0),
    "grown": ("grow", None),
}
Counts = NDArray[np.int64]


class Shown(NamedTuple):
    """What a network makes of one kind of event: medians over the scenes where something was painted.

    Attributes
    ----------
    n
        Scenes.
    true, found
        Area after the event, and what the network finds of it, as shares of the label's area (1).
    """

    n: int
    true: float
    found: float


def plant(
    sample: Sample, seen: Float32, predict: Callable[[Float32], Float32], *, seed: int, threshold: float = 0.5
) -> Counts:
    """Change one scene in every way, and predict it.

    Parameters
    ----------
    sample
        The scene.
    seen
        (channel, y, x), what the network sees of it.
    predict
        From channels to the probability of water (y, x), 0..1 (1).
    seed
        Decides where it is painted.
    threshold
        Probability from which a pixel is lake.

    Returns
    -------
    Counts
        (kind, 3), int64: pixels labelled, left after the event, and found; a kind that could not be painted
        is left as it is, so that the first two are equal.
    """
    rows = [CHANNELS.index("date"), CHANNELS.index("near")]
    lake = sample.water & sample.valid
    found = []
    for number, (kind, share) in enumerate(KINDS.values()):
        painted = seen.copy()
        random = np.random.default_rng((seed, number))
        painted[rows], left = change(seen[rows], lake, sample.valid, random, kind=kind, share=share)
        mask: Bool = (predict(painted) >= threshold) & sample.valid
        found.append([int(lake.sum()), int((left & sample.valid).sum()), int(mask.sum())])
    return np.array(found, np.int64)


def shown(counts: Sequence[Counts]) -> dict[str, Shown]:
    """Sum up `plant` over scenes, by kind; kinds that were painted nowhere are left out."""
    all_of = np.stack(counts) if len(counts) else np.zeros((0, len(KINDS), 3), np.int64)
    found = {}
    for number, kind in enumerate(KINDS):
        old, true, seen = all_of[:, number].T.astype(float)
        painted = old != true
        if painted.any():
            old, true, seen = old[painted], true[painted], seen[painted]
            found[kind] = Shown(len(old), float(np.median(true / old)), float(np.median(seen / old)))
    return found


def in_words(found: dict[str, Shown]) -> str:
    """One sentence a reader can check."""
    told = [f"{kind}, {one.found:.2f} are found where {one.true:.2f} are left" for kind, one in found.items()]
    n = max((one.n for one in found.values()), default=0)
    return (
        f"Painted events, {n} scenes, areas as shares of the label's (medians): {'; '.join(told)}. A "
        "constant finds 1.00 of each. They are painted as in training, with pieces of the same image: real "
        "events are harder."
    )
