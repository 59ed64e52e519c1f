"""Lakes: from the probability of water to the area of one lake, with what was not seen kept apart."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage

from glaciolake.catalog.variables import Flag, Surface
from glaciolake.models.pieces import EIGHT, connected_to

Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]

OUTLINE_SIGMA = 0.6872
"""Share of edge pixels that are misclassified within one sigma (Hanshaw and Bookhagen 2014)."""
STAIRCASE = math.pi / 4
"""A straight shore of random direction is 4/pi times longer along pixel edges than in nature."""
METRICS = (
    "area_m2",
    "area_lower_m2",
    "area_upper_m2",
    "area_sigma_m2",
    "valid_fraction",
    "shadow_fraction",
    "flags",
)


class LakeRules(BaseModel):
    """When a slice has an area, and which states are flagged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_valid_fraction: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of the reference outline that must be seen for an area; else none.",
    )
    flag_missing_fraction: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="A slice is flagged incomplete when more of the outline has no data.",
    )
    flag_shadow_fraction: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="A slice is flagged shadowed when more of the outline is hidden by terrain.",
    )
    frozen_months: tuple[int, ...] = Field(
        default=(12, 1, 2, 3, 4, 5),
        description="Months flagged as frozen season: a calendar, not an observation.",
    )
    frozen_above_m: float = Field(
        default=4000.0, description="Lakes below this elevation get no frozen-season flag."
    )


class Target(NamedTuple):
    """Which lake is measured, and how.

    Attributes
    ----------
    outline
        (y, x) bool, reference outline on the grid.
    spacing_m
        Pixel spacing, metres.
    threshold
        Probability from which a pixel is water.
    rules
        When an area is given and what is flagged.
    n_beyond_px
        Pixels of the outline that lie beyond the grid: never seen.
    """

    outline: Bool
    spacing_m: float
    threshold: float
    rules: LakeRules
    n_beyond_px: int = 0


class Slice(NamedTuple):
    """Lake pixels and numbers of one slice; see `measure_slice`."""

    surface: NDArray[np.uint8]
    area_m2: float
    area_lower_m2: float
    area_upper_m2: float
    area_sigma_m2: float
    valid_fraction: float
    shadow_fraction: float
    flags: int


def measure(probability: xr.DataArray, shadow: xr.DataArray, target: Target) -> xr.Dataset:
    """Area, bounds and flags of every slice.

    Parameters
    ----------
    probability
        (time, y, x), 0 to 1 (1), float32; NaN is unknown.
    shadow
        (time, y, x) bool, True where terrain hides the ground (shadow or layover).
    target
        The lake's reference outline on this grid, threshold and rules.

    Returns
    -------
    xr.Dataset
        ``surface`` (time, y, x) uint8 of `Surface` classes, and per time: areas in m2 (float64, NaN where too
        little was seen), ``valid_fraction``, ``shadow_fraction`` (1) and ``flags`` without the season's.
    """
    surface, numbers = xr.apply_ufunc(
        measure_block,
        probability,
        shadow,
        kwargs={"target": target},
        input_core_dims=[["y", "x"], ["y", "x"]],
        output_core_dims=[["y", "x"], ["metric"]],
        dask="parallelized",
        output_dtypes=[np.uint8, np.float64],
        dask_gufunc_kwargs={"output_sizes": {"metric": len(METRICS)}},
    )
    found = {name: numbers.isel(metric=index, drop=True) for index, name in enumerate(METRICS)}
    found["flags"] = found["flags"].astype(np.uint8)
    return xr.Dataset({"surface": surface, **found})


def measure_block(
    probability: Float32, shadow: Bool, *, target: Target
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """`measure_slice` over leading axes: (..., y, x) to surface (..., y, x) and numbers (..., metric)."""
    surface = np.empty(probability.shape, dtype=np.uint8)
    numbers = np.empty((*probability.shape[:-2], len(METRICS)))
    for index in np.ndindex(*probability.shape[:-2]):
        found = measure_slice(probability[index], shadow[index], target)
        surface[index] = found.surface
        numbers[index] = found[1:]
    return surface, numbers


def measure_slice(probability: Float32, shadow: Bool, target: Target) -> Slice:
    """Measure the lake in one slice.

    The lake is every connected piece of water (eight neighbours) that reaches the reference outline. Unknown
    pixels of the outline are counted dry in the lower bound and as water in the upper one.

    Parameters
    ----------
    probability
        (y, x), 0 to 1 (1), float32; NaN is unknown.
    shadow
        (y, x) bool, hidden by terrain.
    target
        The lake's reference outline on this grid, threshold and rules.

    Returns
    -------
    Slice
        Classes and numbers; the area is NaN where less than ``rules.min_valid_fraction`` of the outline was
        seen.
    """
    outline, spacing_m, threshold, rules, n_beyond = target
    known = ~np.isnan(probability)
    water = probability >= threshold  # NaN compares False: unknown is not water, and not land either
    lake = connected_to(water, outline)
    surface = np.where(water, np.uint8(Surface.OTHER_WATER), np.uint8(Surface.LAND))
    surface[lake] = Surface.LAKE
    surface[~known] = Surface.UNKNOWN

    n_outline = int(outline.sum()) + n_beyond
    unseen = outline & ~known
    valid_fraction = 1.0 - (unseen.sum() + n_beyond) / n_outline if n_outline else 0.0
    shadow_fraction = (unseen & shadow).sum() / n_outline if n_outline else 0.0
    flags = _flags(valid_fraction, shadow_fraction, rules)
    if touches_unseen(lake, known):
        flags |= Flag.TOUCHES_EDGE

    pixel_m2 = spacing_m**2
    lower = lake.sum() * pixel_m2
    upper = lower + ((unseen & ~lake).sum() + n_beyond) * pixel_m2
    seen = valid_fraction >= rules.min_valid_fraction
    area, sigma = (lower, outline_sigma_m2(lake, spacing_m)) if seen else (math.nan, math.nan)
    return Slice(surface, area, lower, upper, sigma, valid_fraction, shadow_fraction, int(flags))


def touches_unseen(lake: Bool, known: Bool) -> bool:
    """Whether the lake (y, x) reaches the grid's rim or a pixel that was not seen: it may go on beyond."""
    rim = np.ones_like(lake)
    rim[1:-1, 1:-1] = False
    return bool((lake & (rim | ndimage.binary_dilation(~known, structure=EIGHT))).any())


def perimeter_m(lake: Bool, spacing_m: float) -> float:
    """Length of the shore of a mask (y, x), metres: pixel edges, corrected for the staircase."""
    padded = np.pad(lake, 1)
    edges = (padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum()
    return float(edges) * spacing_m * STAIRCASE


def outline_sigma_m2(lake: Bool, spacing_m: float) -> float:
    """One sigma of the area from the pixel size: P/G * 0.6872 * G2/2 (Hanshaw and Bookhagen 2014), m2.

    Parameters
    ----------
    lake
        (y, x) bool.
    spacing_m
        Pixel spacing G, metres.
    """
    return perimeter_m(lake, spacing_m) / spacing_m * OUTLINE_SIGMA * spacing_m**2 / 2


def _flags(valid_fraction: float, shadow_fraction: float, rules: LakeRules) -> Flag:
    flags = Flag(0)
    if (
        1.0 - valid_fraction - shadow_fraction > rules.flag_missing_fraction
        or valid_fraction < rules.min_valid_fraction
    ):
        flags |= Flag.INCOMPLETE
    if shadow_fraction > rules.flag_shadow_fraction:
        flags |= Flag.SHADOWED
    return flags


def frozen_season(times: NDArray[np.datetime64], elevation_m: float, rules: LakeRules) -> Bool:
    """Whether a slice falls into the months in which a lake of this height is usually frozen.

    Parameters
    ----------
    times
        (time,) datetime64, UTC.
    elevation_m
        Water level, metres above sea; NaN where it is not known, and the calendar then decides alone.
    rules
        Months and elevation.

    Returns
    -------
    numpy.ndarray
        (time,) bool. A calendar, not an observation: it marks what must not be read as lake loss.
    """
    months = times.astype("datetime64[M]").astype(int) % 12 + 1
    low = elevation_m < rules.frozen_above_m  # of an unknown elevation, NaN, the calendar alone decides
    return np.isin(months, rules.frozen_months) & (not low)
