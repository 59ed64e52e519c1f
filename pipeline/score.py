"""The arithmetic of scores: areas against true areas, pixels against true pixels, falls that are none."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

FALL = 0.1
"""Share of its own running median by which an area must be lower to count as fallen."""
FALL_SIGMAS = 2.0
"""And by how many sigma of the outline: what is less is noise of the pixel size."""
MEDIAN_OF = 9
"""Earlier areas in a running median, at most."""
FEWEST = 3
"""And at least: two areas do not say which of them is the odd one."""


class AreaErrors(NamedTuple):
    """How far areas are from true ones.

    Attributes
    ----------
    n
        Areas compared.
    bias_percent, rmse_percent, median_abs_percent
        Mean, root mean square and median of the size of (area - true) / true, each slice counting once,
        over slices where a percentage says something; NaN where there is none.
    bias_m2, rmse_m2, median_abs_m2
        The same of area - true, m2, over all.
    """

    n: int
    bias_percent: float
    rmse_percent: float
    median_abs_percent: float
    bias_m2: float
    rmse_m2: float
    median_abs_m2: float


def area_errors(area_m2: Float64, true_m2: Float64, in_percent: Bool) -> AreaErrors:
    """Compare areas with true ones.

    Parameters
    ----------
    area_m2, true_m2
        (slice,), m2; a slice where either is NaN is left out.
    in_percent
        (slice,), whether the slice counts in the percentages: of a lake that is gone they say nothing.
    """
    both = np.isfinite(area_m2) & np.isfinite(true_m2)
    error_m2 = (area_m2 - true_m2)[both]
    told = both & in_percent & (true_m2 > 0)
    percent = 100 * (area_m2 - true_m2)[told] / true_m2[told]
    return AreaErrors(len(error_m2), *_spread(percent), *_spread(error_m2))


def _spread(errors: Float64) -> tuple[float, float, float]:
    """Mean, root mean square, median size; NaN without any."""
    if not errors.size:
        return math.nan, math.nan, math.nan
    return float(errors.mean()), float(np.sqrt(np.mean(errors**2))), float(np.median(np.abs(errors)))


class Pixels(NamedTuple):
    """Pixels of lake, counted over any number of slices.

    Attributes
    ----------
    both
        Called lake, and lake.
    missed
        Lake, and called something else.
    false
        Called lake, and not lake.
    """

    both: int
    missed: int
    false: int

    @property
    def true(self) -> int:
        """Pixels of the true lake."""
        return self.both + self.missed

    @property
    def iou(self) -> float:
        """Intersection over union, 0..1; NaN where there is no lake in either."""
        return _ratio(self.both, self.both + self.missed + self.false)

    @property
    def missed_share(self) -> float:
        """Missed water as a share of the true lake, 0..1."""
        return _ratio(self.missed, self.true)

    @property
    def false_share(self) -> float:
        """False water as a share of the true lake, 0 or more."""
        return _ratio(self.false, self.true)

    @property
    def precision(self) -> float:
        """Share of what is called lake that is lake, 0..1."""
        return _ratio(self.both, self.both + self.false)

    @property
    def recall(self) -> float:
        """Share of the lake that is called lake, 0..1."""
        return _ratio(self.both, self.true)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def count_pixels(lake: Bool, truth: Bool, known: Bool) -> Pixels:
    """Count the pixels of one slice; what was not seen is neither right nor wrong.

    Parameters
    ----------
    lake, truth, known
        (y, x): called lake, truly lake, seen at all.
    """
    lake, truth = lake & known, truth & known
    both = int((lake & truth).sum())
    return Pixels(both, int(truth.sum()) - both, int(lake.sum()) - both)


def skill(score: float, blind: float) -> float:
    """Share of the blind constant's error that looking at the radar removes: 0 is none, below 0 is harm.

    Parameters
    ----------
    score, blind
        Of the same pixels, 1 being perfect, such as intersections over unions.

    Returns
    -------
    float
        At most 1; NaN where the constant is perfect, or either is NaN.
    """
    return 1 - (1 - score) / (1 - blind) if blind < 1 else math.nan


def share(which: Bool) -> float:
    """Share of True, 0..1; NaN of nothing."""
    return float(which.mean()) if which.size else math.nan


class Falls(NamedTuple):
    """Which areas of a series lie below what the same series showed before.

    Attributes
    ----------
    judged
        (slice,) bool: usable, with at least `FEWEST` usable areas before it.
    fell
        (slice,) bool: judged and more than `FALL` and `FALL_SIGMAS` sigma below their median.
    median_m2
        (slice,) median of up to `MEDIAN_OF` usable areas before it, m2; NaN where not judged.
    """

    judged: Bool
    fell: Bool
    median_m2: Float64


def running_falls(area_m2: Float64, sigma_m2: Float64, usable: Bool) -> Falls:
    """Compare every area with the running median of those before it, as somebody who watches would.

    Parameters
    ----------
    area_m2, sigma_m2
        (slice,), in order of time, m2; what is not usable may be NaN.
    usable
        (slice,) bool: has an area and is not flagged as a state.
    """
    median = np.full(len(area_m2), np.nan)
    at = np.flatnonzero(usable)
    for place, index in enumerate(at.tolist()):
        before = area_m2[at[max(0, place - MEDIAN_OF) : place]]
        if len(before) >= FEWEST:
            median[index] = np.median(before)
    judged = np.isfinite(median)
    drop = np.where(judged, median - area_m2, 0.0)
    fell = judged & (drop > FALL * np.where(judged, median, 0.0)) & (drop > FALL_SIGMAS * sigma_m2)
    return Falls(judged, fell, median)
