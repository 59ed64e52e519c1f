"""Whether a lake grows: one track, summers only, and only where there are years enough to say."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import theilslopes

from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.series import is_open_water

Values = NDArray[np.float64]

SUMMER_MONTHS = (7, 8, 9)
SUMMER_QUANTILE = 0.75
"""High enough to pass over dates with wind, low enough to leave the worst false water out."""
MIN_SLICES_PER_SUMMER = 3
"""A quantile of one or two slices lies lower than one of many: more passes would look like more lake."""
MIN_YEARS = 6


@dataclass(frozen=True)
class Trend:
    """Change of a lake's summer area on one track.

    Attributes
    ----------
    slope_m2_per_year
        Theil-Sen slope: median of the slopes between all pairs of summers.
    low_m2_per_year, high_m2_per_year
        Its 95 % interval.
    p_value
        Two-sided Mann-Kendall, exact also with ties, summers taken as independent. Hamed and Rao's correction
        is left out on purpose: with some ten yearly values it would rest on autocorrelations that are
        themselves uncertain by about +-0.3, and one value a year has no within-season correlation left.
    intercept_m2
        Area of the line at year 0, so that area = intercept + slope * year.
    years
        Summers that entered, (year,), ascending.
    areas_m2
        Their areas, (year,), m2, float64, no NaN.
    """

    slope_m2_per_year: float
    low_m2_per_year: float
    high_m2_per_year: float
    p_value: float
    intercept_m2: float
    years: tuple[int, ...]
    areas_m2: tuple[float, ...]

    def area_m2(self, year: float) -> float:
        """Area of the line at a year, m2."""
        return self.intercept_m2 + self.slope_m2_per_year * year


@dataclass(frozen=True)
class NoTrend:
    """No trend is given, and why."""

    reason: str


def summer_areas(table: pd.DataFrame) -> pd.DataFrame:
    """High summer area of every year that was seen often enough.

    Parameters
    ----------
    table
        Rows of one lake and track, as `glaciolake.pipeline.series.area_table` makes them.

    Returns
    -------
    pandas.DataFrame
        Columns ``year``, ``area_m2`` (75 % quantile of July to September, open water only, m2) and
        ``slices``, for years with at least three such slices; sorted by year.
    """
    times = pd.to_datetime(table["time"], utc=True)
    usable = times.dt.month.isin(SUMMER_MONTHS) & is_open_water(table)
    areas = table.loc[usable, "area_m2"].astype("float64").groupby(times[usable].dt.year)
    found = pd.DataFrame({"area_m2": areas.quantile(SUMMER_QUANTILE), "slices": areas.size()})
    return found[found["slices"] >= MIN_SLICES_PER_SUMMER].rename_axis("year").reset_index()


def trend(table: pd.DataFrame) -> Trend | NoTrend:
    """Fit the change of the summer area, where that is allowed.

    Parameters
    ----------
    table
        Rows of one lake and one track; areas of two tracks differ by geometry and are never fitted together.

    Returns
    -------
    Trend or NoTrend
        `NoTrend` says why: fewer than six summers with three slices of open water each.

    Raises
    ------
    PipelineError
        The table holds several lakes or tracks.
    """
    series = {(str(lake), str(track)) for lake, track in zip(table["lake"], table["track"], strict=True)}
    if len(series) > 1:
        names = ", ".join("/".join(pair) for pair in sorted(series))
        raise PipelineError(f"a trend is of one lake and track, the table holds {names}; fit each by itself")
    summers = summer_areas(table)
    if len(summers) < MIN_YEARS:
        return NoTrend(
            f"no trend: {MIN_YEARS} summers of {MIN_SLICES_PER_SUMMER} slices needed, {len(summers)} there"
        )
    years = summers["year"].to_numpy(dtype="float64")
    areas = summers["area_m2"].to_numpy(dtype="float64")
    slope, intercept, low, high = (float(part) for part in theilslopes(areas, years))
    return Trend(
        slope_m2_per_year=slope,
        low_m2_per_year=low,
        high_m2_per_year=high,
        p_value=mann_kendall_p(areas),
        intercept_m2=intercept,
        years=tuple(int(year) for year in years),
        areas_m2=tuple(float(area) for area in areas),
    )


def mann_kendall_p(values: Values) -> float:
    """Two-sided p of Mann and Kendall's test, exact, ties included.

    Parameters
    ----------
    values
        (time,), in order of time, any unit, float64, no NaN.

    Returns
    -------
    float
        Share of all orders of these values whose score is at least as far from 0; 1 for constant values.
    """
    first, second = np.triu_indices(len(values), k=1)
    score = int(np.sign(values[second] - values[first]).sum())
    ties = np.unique(values, return_counts=True)[1].tolist()
    # The score is pairs - 2 * inversions; Gauss's multinomial coefficient counts those of a multiset.
    counts = _multinomial(ties)
    pairs = len(counts) - 1
    extreme = sum(n for inversions, n in enumerate(counts) if abs(pairs - 2 * inversions) >= abs(score))
    return extreme / sum(counts)


def _multinomial(groups: list[int]) -> list[int]:
    """Coefficients of [n; groups] in q: orders of a multiset by their number of inversions."""
    counts = [1]
    for factor in range(2, sum(groups) + 1):
        counts = _times(counts, factor)
    for size in groups:
        for factor in range(2, size + 1):
            counts = _over(counts, factor)
    return counts


def _times(counts: list[int], factor: int) -> list[int]:
    """Product with 1 + q + ... + q^(factor-1)."""
    padded = [0, *np.cumsum(np.array(counts, dtype=object)).tolist()]
    size = len(counts)
    starts = [max(power - factor, 0) for power in range(1, size + factor)]
    return [padded[min(power, size)] - padded[start] for power, start in enumerate(starts, start=1)]


def _over(counts: list[int], factor: int) -> list[int]:
    """Exact quotient by 1 + q + ... + q^(factor-1): divide by 1 - q^factor, multiply by 1 - q."""
    differences = [counts[0], *(after - before for before, after in pairwise([*counts, 0]))]
    for power in range(factor, len(differences)):
        differences[power] += differences[power - factor]
    return differences[: len(counts) - factor + 1]
