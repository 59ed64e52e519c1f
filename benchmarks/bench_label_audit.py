"""How many planted label errors the audit finds, and how many sound labels it flags, on the published pairs.

Run ``python benchmarks/label_audit.py ../shared/data``: it takes labels that the audit finds fine, spoils one
of each lake and track at a time, audits all again and counts. The table is in docs/design/label-audit.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from glaciolake.models.audit.labels import Finding, audit
from glaciolake.models.audit.outlines import read_outlines
from glaciolake.models.data import Bool, Sample, cut_centre, put_centre, read_samples

Random = np.random.Generator
Spoil = Callable[[Sample, Sequence[Sample], Random], Bool]


def other_lake(sample: Sample, fine: Sequence[Sample], random: Random) -> Bool:
    """Mask of another lake, where the frames of the pairs put it."""
    others = [one for one in fine if one.lake != sample.lake]
    return _in_place(others[random.integers(len(others))], sample)


def other_track(sample: Sample, fine: Sequence[Sample], random: Random) -> Bool:
    """Mask of the opposite flight direction of the same lake; its own where there is none."""
    others = [one for one in fine if one.lake == sample.lake and one.direction != sample.direction]
    return _in_place(others[random.integers(len(others))], sample) if others else sample.water


def shifted(distance_px: int) -> Spoil:
    """Make a mask that is moved in any direction."""

    def spoil(sample: Sample, fine: Sequence[Sample], random: Random) -> Bool:
        angle = random.uniform(0, 2 * np.pi)
        step = (round(distance_px * np.sin(angle)), round(distance_px * np.cos(angle)))
        return cut_centre(np.roll(put_centre(sample.water), step, axis=(0, 1)), sample.water.shape)

    return spoil


def grown(by_px: int) -> Spoil:
    """Make a mask whose shore is moved out, or in where negative, by whole pixels."""

    def spoil(sample: Sample, fine: Sequence[Sample], random: Random) -> Bool:
        move = ndimage.binary_dilation if by_px > 0 else ndimage.binary_erosion
        return np.asarray(move(sample.water, iterations=abs(by_px)), bool)

    return spoil


def halved(sample: Sample, fine: Sequence[Sample], random: Random) -> Bool:
    """One side of the lake, by a straight cut through its middle."""
    y, x = np.nonzero(sample.water)
    angle = random.uniform(0, 2 * np.pi)
    rows, columns = np.indices(sample.water.shape)
    ahead = (rows - y.mean()) * np.sin(angle) + (columns - x.mean()) * np.cos(angle) > 0
    return np.asarray(sample.water & ahead, bool)


KINDS: dict[str, Spoil] = {
    "nothing": lambda sample, fine, random: sample.water,
    "another lake's mask": other_lake,
    "the other direction's mask": other_track,
    "shifted by 5 px": shifted(5),
    "shifted by 10 px": shifted(10),
    "shifted by 20 px": shifted(20),
    "shore 2 px out": grown(2),
    "shore 4 px out": grown(4),
    "shore 8 px out": grown(8),
    "shore 2 px in": grown(-2),
    "shore 4 px in": grown(-4),
    "shore 8 px in": grown(-8),
    "half of it": halved,
    "empty": lambda sample, fine, random: np.zeros_like(sample.water),
    "everything": lambda sample, fine, random: sample.valid,
}


def _in_place(other: Sample, sample: Sample) -> Bool:
    return cut_centre(put_centre(other.water), sample.water.shape) & sample.valid


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with himalaya_pairs, himalaya_hyp3_rtc20 and vectors")
    parser.add_argument(
        "--rounds", type=int, default=4, help="labels a lake and track that are spoilt, one a round"
    )
    parser.add_argument("--dates", type=int, default=0, help="keep only so many dates of every track; 0: all")
    parser.add_argument("--outlines", action="store_true", help="give the audit the ICIMOD outlines as well")
    given = parser.parse_args()
    samples = read_samples(given.data / "himalaya_pairs", given.data / "himalaya_hyp3_rtc20")
    shores = given.data / "vectors" / "named_lakes.geojson"
    outlines = read_outlines(shores, given.data / "himalaya_hyp3_rtc20", samples) if given.outlines else None
    first = audit(samples, outlines=outlines)
    fine = [one for one, said in zip(samples, first, strict=True) if said.verdict == "fine"]
    print("| planted | labels | wrong | wrong or doubtful | sound labels: wrong | doubtful |")
    print("|---|---|---|---|---|---|")
    for kind, spoil in KINDS.items():
        random = np.random.default_rng(0)
        hit: list[Finding] = []
        sound: list[Finding] = []
        for number in range(given.rounds):
            kept = _fewer(samples, given.dates, random)
            chosen = _one_a_track([one for one in fine if any(one is other for other in kept)], number)
            told = [replace(one, water=spoil(one, fine, random)) if one in chosen else one for one in kept]
            changed = [not np.array_equal(new.water, old.water) for new, old in zip(told, kept, strict=True)]
            for old, moved, said in zip(kept, changed, audit(told, outlines=outlines), strict=True):
                (hit if moved else sound if old in fine else []).append(said)
        found = [_share(hit, "wrong"), _share(hit, "wrong", "doubtful")]
        false = [_share(sound, "wrong", of=True), _share(sound, "doubtful", of=True)]
        print("|", " | ".join([kind, str(len(hit)), *found, *false]), "|", flush=True)


def _fewer(samples: Sequence[Sample], dates: int, random: Random) -> list[Sample]:
    if not dates:
        return list(samples)
    kept = []
    for key in sorted({one.key for one in samples}):
        mine = [one for one in samples if one.key == key]
        kept += [mine[i] for i in sorted(random.permutation(len(mine))[:dates])]
    return kept


def _one_a_track(fine: Sequence[Sample], number: int) -> list[Sample]:
    chosen = []
    for key in sorted({one.key for one in fine}):
        mine = [one for one in fine if one.key == key]
        chosen.append(mine[(number * 4 + number // 4) % len(mine)])
    return chosen


def _share(found: Sequence[Finding], *verdicts: str, of: bool = False) -> str:
    n = sum(one.verdict in verdicts for one in found)
    if not found:
        return "-"
    return f"{n} of {len(found)}" if of else f"{n / len(found):.0%}"


if __name__ == "__main__":
    main()
