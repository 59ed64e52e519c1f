"""Rows of a report: the scores of some slices, each beside what is drawn without looking at an image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glaciolake.catalog.simulate.truth import State
from glaciolake.catalog.variables import Flag
from glaciolake.pipeline.score import AreaErrors, Pixels, area_errors, share, skill
from glaciolake.pipeline.score_truth import Matched

UNFLAGGED = "unflagged"
"""Slices that the store offers as measurements, whatever the lake's true state."""
ALL = "all"
SIGMAS = 2.0


@dataclass(frozen=True)
class Row:
    """Scores of some slices of a lake and track, or of several.

    Attributes
    ----------
    series
        ``tsho-rolpa/T121``, or ``all series``.
    slices
        Which: a true state (``open``, ``freezing``, ``frozen``, ``thawing``, ``drained``), `UNFLAGGED` or
        `ALL`.
    n_due, n_acquired, n_area, n_no_area, n_missing
        Passes due; acquired; stored with an area; stored without (too little seen: incomplete, not "no
        water"); acquired but not stored.
    visible, lake
        Stored area against the visible true area of the pass (what a perfect mask holds), and against the
        whole lake's.
    blind_visible, blind_lake
        The same of the image-blind constant: its area on the pixels that the slice knows, and its whole area.
    pixels, blind_pixels
        Pixels that the store knows, in slices with an area.
    within_bounds
        Share of slices, 0..1, whose whole true lake area lies between ``area_lower_m2`` and
        ``area_upper_m2``.
    within_sigma
        Share of slices, 0..1, whose area is within two ``area_sigma_m2`` of the visible true area.
    valid_fraction, visible_fraction
        Mean share of the lake that was seen, 0..1: as stored (of the reference outline), and as it is (of
        the true lake), over stored slices.
    valid_error
        Mean size of their difference.
    """

    series: str
    slices: str
    n_due: int
    n_acquired: int
    n_area: int
    n_no_area: int
    n_missing: int
    visible: AreaErrors
    lake: AreaErrors
    blind_visible: AreaErrors
    blind_lake: AreaErrors
    pixels: Pixels
    blind_pixels: Pixels
    within_bounds: float
    within_sigma: float
    valid_fraction: float
    visible_fraction: float
    valid_error: float

    @property
    def skill(self) -> float:
        """Share of the constant's pixel error that looking at the radar removes; below 0 is harm."""
        return skill(self.pixels.iou, self.blind_pixels.iou)

    @property
    def area_skill(self) -> float:
        """Share of the constant's RMSE (visible area, m2) that is removed; below 0 is harm."""
        blind_m2 = self.blind_visible.rmse_m2
        return 1 - self.visible.rmse_m2 / blind_m2 if blind_m2 else math.nan


def rows_of(matched: Matched) -> list[Row]:
    """Rows of one lake and track: its states in the order of `State`, unflagged slices, all."""
    return list(_rows(matched.name, matched.slices))


def pooled_rows(series: Sequence[Matched]) -> list[Row]:
    """Rows over all series; each slice counts once in percent, each pixel once in pixel scores."""
    return list(_rows("all series", pd.concat([one.slices for one in series], ignore_index=True)))


def _rows(name: str, slices: pd.DataFrame) -> Iterator[Row]:
    for state in State:
        if (slices["state"] == state).any():
            yield row_of(name, str(state), slices[slices["state"] == state])
    yield row_of(name, UNFLAGGED, slices[slices["usable"]])
    yield row_of(name, ALL, slices)


def row_of(series: str, which: str, slices: pd.DataFrame) -> Row:
    """Score some slices.

    Parameters
    ----------
    series, which
        Names for the row.
    slices
        Rows of `Matched.slices`.
    """
    stored = slices[slices["stored"]]
    scored = slices[slices["both"].notna()]
    visible, lake = scored["visible_area_m2"], scored["lake_area_m2"]
    inside = (scored["area_lower_m2"] <= lake) & (lake <= scored["area_upper_m2"])
    near = (scored["area_m2"] - visible).abs() <= SIGMAS * scored["area_sigma_m2"]
    seen, true_seen = stored["valid_fraction"], stored["visible_fraction"]
    return Row(
        series=series,
        slices=which,
        n_due=len(slices),
        n_acquired=int(slices["acquired"].sum()),
        n_area=int(stored["has_area"].sum()),
        n_no_area=int((~stored["has_area"]).sum()),
        n_missing=int((slices["acquired"] & ~slices["stored"]).sum()),
        visible=_errors(scored, "area_m2", "visible_area_m2"),
        lake=_errors(scored, "area_m2", "lake_area_m2"),
        blind_visible=_errors(scored, "blind_area_m2", "visible_area_m2"),
        blind_lake=_errors(scored, "blind_lake_m2", "lake_area_m2"),
        pixels=_pixels(scored, ""),
        blind_pixels=_pixels(scored, "blind_"),
        within_bounds=share(inside.to_numpy()),
        within_sigma=share(near.to_numpy()),
        valid_fraction=_mean(seen),
        visible_fraction=_mean(true_seen),
        valid_error=_mean((seen - true_seen).abs()),
    )


def _errors(slices: pd.DataFrame, area: str, truth: str) -> AreaErrors:
    given, true = (slices[name].to_numpy(dtype="float64") for name in (area, truth))
    return area_errors(given, true, ~slices["gone"].to_numpy(dtype=bool))


def _pixels(slices: pd.DataFrame, whose: str) -> Pixels:
    return Pixels(*(int(slices[f"{whose}{what}"].sum()) for what in ("both", "missed", "false")))


def _mean(values: pd.Series[float]) -> float:
    return float(np.nanmean(values)) if values.notna().any() else math.nan


@dataclass(frozen=True)
class FlagCounts:
    """Stored slices of one true state, by what the calendar says of them.

    Attributes
    ----------
    series, state
        Which slices.
    n, n_flagged
        Stored ones; of these flagged as frozen season.
    ratio_flagged, ratio_unflagged
        Median of stored over visible true area; NaN without any.
    """

    series: str
    state: str
    n: int
    n_flagged: int
    ratio_flagged: float
    ratio_unflagged: float


@dataclass(frozen=True)
class FlagScore:
    """How well the frozen-season flag tells that a lake is frozen.

    The flag comes from the calendar and the elevation: it is itself image-blind, and its own baseline.

    Attributes
    ----------
    states
        Counts by true state.
    precision
        Share of flagged slices that are truly frozen, 0..1; NaN without any.
    precision_ice
        Share of flagged slices that are frozen, freezing or thawing.
    recall
        Share of truly frozen slices that are flagged.
    """

    states: tuple[FlagCounts, ...]
    precision: float
    precision_ice: float
    recall: float


def flag_score(name: str, slices: pd.DataFrame) -> FlagScore:
    """Compare the frozen-season flag with the true state.

    Parameters
    ----------
    name
        Of the series.
    slices
        Rows of `Matched.slices`.
    """
    stored = slices[slices["stored"]]
    flagged = (stored["flags"] & int(Flag.FROZEN_SEASON)) != 0
    ratio = (stored["area_m2"] / stored["visible_area_m2"]).where(stored["visible_area_m2"] > 0)
    counts = []
    for state in State:
        here = stored["state"] == state
        if here.any():
            n = int(here.sum()), int((here & flagged).sum())
            medians = _median(ratio[here & flagged]), _median(ratio[here & ~flagged])
            counts.append(FlagCounts(name, str(state), *n, *medians))
    frozen = (stored["state"] == State.FROZEN).to_numpy()
    ice = stored["state"].isin([State.FROZEN, State.FREEZING, State.THAWING]).to_numpy()
    said = flagged.to_numpy()
    return FlagScore(tuple(counts), share(frozen[said]), share(ice[said]), share(said[frozen]))


def _median(values: pd.Series[float]) -> float:
    return float(values.median()) if values.notna().any() else math.nan
