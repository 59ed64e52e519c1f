"""Whether probabilities mean what they say: of pixels at 0.8, eight in ten should be lake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glaciolake.models.data import Bool, Float32, Sample
from glaciolake.models.skill.tested import Tested

N_BINS = 15
SHORE_PX = 5
"""How far from a labelled shore a pixel may lie to be near it; land further off is right without effort."""
ANYWHERE, NEAR_SHORE = "all pixels", f"within {SHORE_PX} px of a labelled shore"


class Bin(NamedTuple):
    """Pixels of a range of probabilities.

    Attributes
    ----------
    low, high
        Of the range, 0..1 (1); 1 is in the last.
    n
        Pixels.
    probability
        Mean, 0..1 (1); NaN where there is no pixel.
    water
        Share of them that is labelled lake, 0..1 (1); NaN where there is no pixel.
    """

    low: float
    high: float
    n: int
    probability: float
    water: float


class Calibration(NamedTuple):
    """How far probabilities are from shares, over some pixels.

    Attributes
    ----------
    pixels
        Which pixels, in words.
    n
        How many: those that count and have a probability.
    error
        Expected calibration error of the seeds' mean probability, 0..1 (1), see `expected_error`.
    seeds
        The same of each seed alone.
    constant
        The same of the best image-blind constant, taken as a probability of 0 or 1.
    bins
        Of the seeds' mean probability.
    """

    pixels: str
    n: int
    error: float
    seeds: tuple[float, ...]
    constant: float
    bins: tuple[Bin, ...]


def calibrations(
    tested: Tested, mean: Sequence[Float32], constant: Sequence[Bool], at: Sequence[int]
) -> list[Calibration]:
    """Compare probabilities with labels, over all pixels and over those near a shore.

    Parameters
    ----------
    tested
        Scenes and probabilities.
    mean
        (y, x) per scene, 0..1 (1): mean probability of the seeds; NaN where nothing was seen.
    constant
        (y, x) per scene, the best image-blind mask.
    at
        Which scenes.
    """
    counted = tested.counted
    everywhere = {i: counted[i] & np.isfinite(mean[i]) for i in at}
    shore = {i: everywhere[i] & near_shore(tested.samples[i]) for i in at}
    found = []
    for name, where in ((ANYWHERE, everywhere), (NEAR_SHORE, shore)):
        water = _pixels([one.water for one in tested.samples], where)

        def error(frames: Sequence[Float32], where: dict[int, Bool] = where, water: Float32 = water) -> float:
            return expected_error(reliability(_pixels(frames, where), water))

        bins = reliability(_pixels(mean, where), water)
        seeds = tuple(error(frames) for frames in tested.probabilities)
        blind = error([mask.astype(np.float32) for mask in constant])
        found.append(Calibration(name, len(water), expected_error(bins), seeds, blind, bins))
    return found


def near_shore(sample: Sample, reach_px: int = SHORE_PX) -> Bool:
    """(y, x), True where a pixel with data is at most `reach_px` from one that the label calls otherwise."""
    land = sample.valid & ~sample.water
    near = np.zeros(sample.water.shape, bool)
    if not sample.water.any() or not land.any():  # no shore, and the distance to nothing is undefined
        return near
    for own, other in ((sample.water, land), (land, sample.water)):
        near |= own & (ndimage.distance_transform_edt(~other) <= reach_px)
    return near


def reliability(probability: Float32, water: Float32) -> tuple[Bin, ...]:
    """Part pixels into `N_BINS` ranges of equal width.

    Parameters
    ----------
    probability
        (pixel), 0..1 (1); NaN is left out.
    water
        (pixel), 1 where the label says lake, else 0.
    """
    known = np.isfinite(probability)
    probability, water = probability[known], water[known]
    number = np.minimum((probability.astype(np.float64) * N_BINS).astype(int), N_BINS - 1)
    n = np.bincount(number, minlength=N_BINS)
    shares: list[NDArray[np.float64]] = []
    for values in (probability, water):
        total = np.bincount(number, weights=values.astype(np.float64), minlength=N_BINS)
        shares.append(np.where(n > 0, total / np.maximum(n, 1), np.nan))
    return tuple(
        Bin(k / N_BINS, (k + 1) / N_BINS, int(n[k]), float(shares[0][k]), float(shares[1][k]))
        for k in range(N_BINS)
    )


def expected_error(bins: Sequence[Bin]) -> float:
    """Mean over pixels of how far their range's mean probability is from its share of lake; NaN for none."""
    n = sum(one.n for one in bins)
    return sum(one.n * abs(one.probability - one.water) for one in bins if one.n) / n if n else float("nan")


def _pixels(frames: Sequence[Float32] | Sequence[Bool], where: dict[int, Bool]) -> Float32:
    parts = [frames[i][inside].astype(np.float32) for i, inside in where.items()]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)
