"""Who is tested on what: five ways to part labelled scenes, and the proof that no part has seen another.

* ``random``: by file, as Adhikari & Regmi 2025 (arXiv 2512.24117) did. The same scene shows several lakes, so
  scenes leak; it is kept to compare with them, and says so.
* ``scene``: by acquisition, so that no scene is on both sides.
* ``forward``: the last year is the test; all that is learned is older.
* ``lake``: one lake is left out at a time.
* ``block``: one quarter of every frame is left out at a time, with a strip between that nobody uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np

from glaciolake.models.data import PAIR_SIDE_PX, Bool, Sample, put_centre
from glaciolake.models.errors import ModelError

Split = Literal["random", "scene", "forward", "lake", "block"]
SPLITS: tuple[Split, ...] = get_args(Split)
N_FOLDS = 5
BUFFER_PX = 16
"""Half the width of the strip between blocks: 320 m at 20 m; a network that sees further is cut off there."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One part of a split.

    Attributes
    ----------
    name
        What is left out, for people.
    train, test
        Scenes. In the split by blocks both hold every scene, with other pixels: see `blocks`.
    quarter
        0 to 3, the quarter of each frame that is tested; None where whole scenes are parted.
    """

    name: str
    train: list[Sample]
    test: list[Sample]
    quarter: int | None = None


def folds(samples: Sequence[Sample], split: Split, *, seed: int = 0) -> list[Fold]:
    """Part labelled scenes.

    Parameters
    ----------
    samples
        Labelled scenes, at least two.
    split
        See the module.
    seed
        Of the random ones.

    Returns
    -------
    list[Fold]
        Each scene is in the test of exactly one fold (of four, by quarters, in ``block``), but for
        ``forward``, which has one fold.

    Raises
    ------
    ModelError
        Unknown split, or too few scenes, lakes or years to part.
    """
    makers: dict[str, Callable[[Sequence[Sample], int], list[Fold]]] = {
        "random": _random,
        "scene": _scene,
        "forward": _forward,
        "lake": _lake,
        "block": _block,
    }
    found = makers[check_split(split)](samples, seed)
    empty = [fold.name for fold in found if not fold.train or not fold.test]
    if empty or not found:
        raise ModelError(
            f"{len(samples)} labelled scenes of {len({one.lake for one in samples})} lakes cannot be parted "
            f"by {split!r}: nothing is left to learn from or to test; give more, or take another split"
        )
    return found


def inner_folds(parts: Sequence[Fold], split: Split) -> list[Fold]:
    """Part the training parts of a split once more, to calibrate on what no test scene had a hand in.

    In ``forward`` each year of the training part is tested once by what is older. Elsewhere every two folds
    are left out together, so that one network serves both: what it says of the one may calibrate the other.

    Parameters
    ----------
    parts, split
        Of `folds`.

    Returns
    -------
    list[Fold]
        None for ``block``: a quarter of a frame holds no lake's area. `calibrating` says what is whose.
    """
    if split == "block":
        return []
    if split == "forward":
        (part,) = parts
        years = sorted({one.start.year for one in part.train})
        return [_before(str(year), part.train, year) for year in years[1:]]
    found = []
    for one, other in combinations(parts, 2):
        tested = {*map(id, one.test), *map(id, other.test)}
        train = [sample for sample in one.train if id(sample) not in tested]
        if train:  # of two folds nothing is left to learn from
            found.append(Fold(f"{one.name} and {other.name}", train, [*one.test, *other.test]))
    return found


def calibrating(part: Fold, inner: Sequence[Fold], split: Split) -> list[tuple[int, list[int]]]:
    """Choose the inner folds, and of each the tested scenes, that may calibrate what is said of a test.

    Parameters
    ----------
    part
        Fold of `folds`.
    inner
        Of `inner_folds`.
    split
        Of both.

    Returns
    -------
    list[tuple[int, list[int]]]
        Number of an inner fold, and numbers of its tested scenes.

    Raises
    ------
    ModelError
        Where what calibrates, or what its network learned from, knows of the test; see `leaks`.
    """
    own, found = {*map(id, part.test)}, []
    for number, one in enumerate(inner):
        if split != "forward" and not own <= {*map(id, one.test)}:
            continue  # its network has learned from this test
        at = [i for i, sample in enumerate(one.test) if id(sample) not in own]
        stage = Fold(part.name, [*one.train, *(one.test[i] for i in at)], part.test)
        if known := [*leaks(one, split), *leaks(stage, split)]:
            raise ModelError(
                f"split {split!r}, what calibrates fold {part.name!r} leaks: {'; '.join(known[:3])}"
            )
        found.append((number, at))
    return found


def check_split(name: str) -> Split:
    """Split of a name."""
    for split in SPLITS:
        if name == split:
            return split
    raise ModelError(f"unknown split {name!r}; take one of {', '.join(SPLITS)}")


def leaks(fold: Fold, split: Split) -> list[str]:
    """Say what a fold's training part knows of its test part, in words; empty where nothing.

    What counts depends on the promise: the same file always; the same acquisition in ``scene`` and
    ``forward``; the same lake in ``lake``, where an acquisition may show others; a later day in ``forward``;
    the same pixel of a lake in ``block``, whichever the date.
    """
    if fold.quarter is not None:
        return _shared_pixels(fold, fold.quarter)
    found = [f"{one.lake} {one.start:%Y-%m-%dT%H:%M:%S} is on both sides" for one in _twice(fold)]
    if split in ("scene", "forward"):
        scenes = _scenes(fold.train) & _scenes(fold.test)
        found += [f"scene {track} {day} is on both sides" for track, day in sorted(scenes)]
    if split == "lake":
        lakes = {one.lake for one in fold.train} & {one.lake for one in fold.test}
        found += [f"lake {lake} is on both sides" for lake in sorted(lakes)]
    if split == "forward":
        first = min(one.start for one in fold.test)
        found += [f"{one.lake} {one.start:%Y-%m-%d} is no older" for one in fold.train if one.start >= first]
    return found


def blocks(shape: tuple[int, int], quarter: int, *, test: bool) -> Bool:
    """(y, x), True where a fold of ``block`` is tested, or where it may learn.

    The frame is cut crosswise through its middle; `BUFFER_PX` on both sides of the cuts belong to nobody.
    """
    y, x = np.indices(shape)
    middle_y, middle_x = shape[0] / 2, shape[1] / 2
    lower, right = divmod(quarter, 2)
    inside_y = y >= middle_y + BUFFER_PX if lower else y < middle_y - BUFFER_PX
    inside_x = x >= middle_x + BUFFER_PX if right else x < middle_x - BUFFER_PX
    if test:
        tested: Bool = inside_y & inside_x
        return tested
    outside_y = y < middle_y - BUFFER_PX if lower else y >= middle_y + BUFFER_PX
    outside_x = x < middle_x - BUFFER_PX if right else x >= middle_x + BUFFER_PX
    learned: Bool = outside_y | outside_x
    return learned


def _random(samples: Sequence[Sample], seed: int) -> list[Fold]:
    number = np.random.default_rng(seed).permutation(len(samples)) % N_FOLDS
    return [_at(f"{k + 1} of {N_FOLDS}", samples, number == k) for k in range(N_FOLDS)]


def _scene(samples: Sequence[Sample], seed: int) -> list[Fold]:
    scenes = sorted(_scenes(samples))
    number = dict(zip(scenes, np.random.default_rng(seed).permutation(len(scenes)) % N_FOLDS, strict=True))
    mine = np.array([number[_scene_of(one)] for one in samples])
    return [_at(f"{k + 1} of {N_FOLDS}", samples, mine == k) for k in range(N_FOLDS)]


def _forward(samples: Sequence[Sample], seed: int) -> list[Fold]:
    last = max(one.start.year for one in samples)
    return [_before(str(last), samples, last)]


def _before(name: str, samples: Sequence[Sample], year: int) -> Fold:
    """Test a year with what is older."""
    older = [one for one in samples if one.start.year < year]
    return Fold(name, older, [one for one in samples if one.start.year == year])


def _lake(samples: Sequence[Sample], seed: int) -> list[Fold]:
    lakes = sorted({one.lake for one in samples})
    return [_at(lake, samples, np.array([one.lake == lake for one in samples])) for lake in lakes]


def _block(samples: Sequence[Sample], seed: int) -> list[Fold]:
    corners = ("upper left", "upper right", "lower left", "lower right")
    return [Fold(name, list(samples), list(samples), k) for k, name in enumerate(corners)]


def _at(name: str, samples: Sequence[Sample], test: Bool) -> Fold:
    train = [one for one, out in zip(samples, test, strict=True) if not out]
    return Fold(name, train, [one for one, out in zip(samples, test, strict=True) if out])


def _scene_of(sample: Sample) -> tuple[str, str]:
    """Track and day: one satellite passes a place once a day on a track, whatever lakes it sees."""
    return sample.track, f"{sample.start:%Y-%m-%d}"


def _scenes(samples: Sequence[Sample]) -> set[tuple[str, str]]:
    return {_scene_of(one) for one in samples}


def _shared_pixels(fold: Fold, quarter: int) -> list[str]:
    """Pixels of a lake that are tested on a date and learned on any, in the frame that its dates share."""
    found = []
    for lake in sorted({one.lake for one in fold.test}):
        tested, learned = np.zeros((2, PAIR_SIDE_PX, PAIR_SIDE_PX), bool)
        for part, test, frame in ((fold.test, True, tested), (fold.train, False, learned)):
            for height, width in {(*one.water.shape,) for one in part if one.lake == lake}:
                frame |= put_centre(blocks((height, width), quarter, test=test))
        if (both := int((tested & learned).sum())) > 0:
            found.append(f"{both} pixels of {lake} are on both sides")
    return found


def _twice(fold: Fold) -> list[Sample]:
    known = {(one.lake, one.start) for one in fold.train}
    return [one for one in fold.test if (one.lake, one.start) in known]
