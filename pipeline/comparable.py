"""Areas that two tracks of a lake share: what a pass cannot see is learned from masks, or from its record.

A track finds the share of the reference outline that terrain leaves it. Where slices come with a mask of
layover and shadow, that says how much was hidden; where they do not, the record of the track itself says it:
what it usually finds of the outline in open water, against what a track finds that sees all of it. Nothing of
another track is looked at, and of its own record only what is older; later slices have a say only in
whether an older one was of open water. Figures: docs/design/areas.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from glaciolake.catalog.variables import Flag

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

CORRECTED = ("area_corrected_m2", "area_lower_90_m2", "area_upper_90_m2")
COMPARABLE = ("visible_fraction", *CORRECTED)
NEEDED = ("area_m2", "valid_fraction", "wet_fraction", "flags", "area_unsure_m2", "terrain_mask")
LEAST_DATES = 3
"""Open-water slices before a date, from which its track's record is believed."""
WHOLE = 0.96
"""Share of the outline's seen part that a track finds which sees all of it: median of the simulated lakes."""
WHOLE_ERROR = 0.03
"""Nine in ten of them lie so near to it: the outline's own error and the network's at the shore."""
LEAST_FOUND = 2 / 3
"""With masks: a track that usually finds less of what it does see does not measure the lake."""
LEAST_VISIBLE = 0.5
"""Without: what is not found is held for hidden, but not more than what is found."""
NOT_OPEN = Flag.INCOMPLETE | Flag.SHADOWED | Flag.FROZEN_SEASON


class Usual(NamedTuple):
    """What the slices before each one say of its track; NaN where they are too few.

    Attributes
    ----------
    found
        (time,), median share of the seen part of the outline that is lake, 0..1 (1).
    area_m2
        (time,), median area.
    """

    found: Float64
    area_m2: Float64


def comparable(
    rows: xr.Dataset, factor: float = np.nan, *, open_water: Bool | None = None
) -> dict[str, NDArray[Any]]:
    """Correct the areas of one lake and track for what it does not see, and give 90 % intervals.

    The corrected area takes the hidden part to change as the seen one does. The interval holds also that it
    stays as it usually is, and the error of what was seen.

    Parameters
    ----------
    rows
        All slices of a series in order of time, the variables of `NEEDED` (time).
    factor
        What an area's unsure part is multiplied with for nine in ten, from the network's card
        (`area_interval`); NaN where it has none, and so are the bounds then.
    open_water
        (time,), slices that make the record; None takes those with an area that are neither incomplete,
        shadowed nor of the frozen season. Others have a corrected area too, and make no record.

    Returns
    -------
    dict
        Name of `COMPARABLE` -> (time,): ``visible_fraction`` (1) float32, areas in m2 float64. NaN where no
        area was measured, where the record is too short, or where the track does not find the lake.
    """
    area = rows["area_m2"].values.astype(np.float64)
    seen = rows["valid_fraction"].values.astype(np.float64)
    masked = rows["terrain_mask"].values == 1
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(seen > 0, rows["wet_fraction"].values / seen, np.nan)
    if open_water is None:
        open_water = (rows["flags"].values & np.uint8(NOT_OPEN)) == 0
    usual = usual_before(found, area, open_water & np.isfinite(area) & np.isfinite(found))
    measured = usual.found >= np.where(masked, LEAST_FOUND, LEAST_VISIBLE)  # False where nothing is known yet
    visible = np.where(masked, seen, seen * np.minimum(1.0, usual.found / WHOLE))
    visible = np.where(measured & (visible > 0), visible, np.nan)
    corrected = area / visible
    unsure = rows["area_unsure_m2"].values.astype(np.float64)
    lower, upper = _bounds(area, visible, usual.area_m2, factor * unsure)
    learned = np.where(masked | (visible >= seen), 0.0, WHOLE_ERROR * corrected)
    return {
        "visible_fraction": visible.astype(np.float32),
        "area_corrected_m2": corrected,
        "area_lower_90_m2": np.maximum(lower - learned, 0.0),
        "area_upper_90_m2": upper + learned,
    }


def _bounds(area: Float64, visible: Float64, usual: Float64, seen_error: Float64) -> tuple[Float64, Float64]:
    """Both ways the hidden part may have gone, and the error of the seen one; (time,) m2 each.

    It changed as the seen part did, or it stayed as it is by the usual area.
    """
    hidden = 1 / visible - 1
    moved, stayed = area + hidden * area, area + hidden * usual
    error = seen_error / visible
    return np.minimum(moved, stayed) - error, np.maximum(moved, stayed) + error


def usual_before(found: Float64, area_m2: Float64, record: Bool) -> Usual:
    """Medians over the slices of the record that are older than each slice.

    Parameters
    ----------
    found, area_m2
        (time,), in order of time.
    record
        (time,), slices that count; their values are finite.
    """
    usual = np.full((2, len(found)), np.nan)
    for i in range(len(found)):
        older = np.flatnonzero(record[:i])
        if len(older) >= LEAST_DATES:
            usual[0, i] = np.median(found[older])
            usual[1, i] = np.median(area_m2[older])
    return Usual(usual[0], usual[1])
