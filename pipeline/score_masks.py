"""True lakes on the pixels of a series, and the lake that is drawn without looking at an image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

Bool = NDArray[np.bool_]
Votes = NDArray[np.int32]

SUBPIXELS = 8
"""Samples along a pixel's side: the share of water is right within 1/64 or so."""
LAKE_FROM = 0.5
"""Share of water from which a pixel is lake."""

YEARS, HALF_YEARS, PASSES = "other calendar years", "other half-years", "other passes"
"""What the constant of a pass is drawn from: the first of these of which there are two."""


@dataclass
class Shores:
    """Masks of true outlines on one grid, each made once.

    Attributes
    ----------
    shores
        Outline id -> (multi)polygon, longitude/latitude, degrees WGS 84.
    crs
        Of the grid.
    grid
        From (column, row) of a pixel's corner to (x, y), metres.
    shape
        (rows, columns).
    """

    shores: Mapping[int, Any]
    crs: CRS
    grid: Affine
    shape: tuple[int, int]
    _masks: dict[int, Bool] = field(default_factory=dict)

    def mask(self, outline_id: int) -> Bool:
        """Pixels (y, x) of which at least half lies inside an outline."""
        if outline_id not in self._masks:
            self._masks[outline_id] = water_share(self.pixels(outline_id), self.shape) >= LAKE_FROM
        return self._masks[outline_id]

    def pixels(self, outline_id: int) -> BaseGeometry:
        """Outline in (column, row), a pixel's side being 1 and the grid's first corner (0, 0)."""
        return self.place(self.shores[outline_id])

    def place(self, shore: BaseGeometry) -> BaseGeometry:
        """Bring a geometry from longitude/latitude to (column, row)."""
        back = ~self.grid

        def place(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
            x_m, y_m = self._to_metres.transform(degrees[:, 0], degrees[:, 1])
            return np.column_stack(
                [back.a * x_m + back.b * y_m + back.c, back.d * x_m + back.e * y_m + back.f]
            )

        moved: BaseGeometry = shapely.transform(shore, place)
        return moved

    @cached_property
    def _to_metres(self) -> Transformer:
        return Transformer.from_crs("EPSG:4326", self.crs, always_xy=True)


def water_share(shore: BaseGeometry, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Share of every pixel (y, x) inside an outline, 0..1, by `SUBPIXELS` x `SUBPIXELS` samples.

    Parameters
    ----------
    shore
        (Multi)polygon in (column, row); what lies beyond the grid is cut.
    shape
        (rows, columns).
    """
    found = np.zeros(shape)
    if shore.is_empty:
        return found
    left, top, right, bottom = shore.bounds
    first = max(0, int(np.floor(top))), max(0, int(np.floor(left)))
    last = min(shape[0], int(np.ceil(bottom))), min(shape[1], int(np.ceil(right)))
    rows, columns = last[0] - first[0], last[1] - first[1]
    if rows <= 0 or columns <= 0:
        return found
    fine = rasterio.features.rasterize(
        [shore],
        out_shape=(rows * SUBPIXELS, columns * SUBPIXELS),
        transform=Affine(1 / SUBPIXELS, 0, first[1], 0, 1 / SUBPIXELS, first[0]),
        dtype="uint8",
    )
    shares = fine.reshape(rows, SUBPIXELS, columns, SUBPIXELS).mean(axis=(1, 3), dtype="float64")
    found[first[0] : last[0], first[1] : last[1]] = shares
    return found


@dataclass(frozen=True)
class OpenPass:
    """A pass over open water, which votes for the constants of other passes."""

    pass_id: str
    time: datetime
    outline_id: int


class Constant:
    """The image-blind constant of a lake and track: where at least half of other open-water passes have lake.

    It is drawn from true masks, so it knows the shore; what it cannot know is the state of the pass that it
    is compared on: that pass's calendar year is left out of it.

    Parameters
    ----------
    passes
        Passes over open water, acquired or stored, of this lake and track.
    shores
        Their masks.
    """

    def __init__(self, passes: Iterable[OpenPass], shores: Shores) -> None:
        voters = list(passes)
        self.basis = basis_of(voters)
        self._shape = shores.shape
        self._votes: defaultdict[Hashable, Votes] = defaultdict(lambda: np.zeros(self._shape, np.int32))
        self._counts: defaultdict[Hashable, int] = defaultdict(int)
        self._made: dict[Hashable, Bool | None] = {}
        for one in voters:
            key = self._key(one.pass_id, one.time)
            self._votes[key] += shores.mask(one.outline_id)
            self._counts[key] += 1

    def mask(self, pass_id: str, time: datetime) -> Bool | None:
        """Draw the lake (y, x) of a pass without its own year; None where no other open water is known."""
        key = self._key(pass_id, time)
        if key not in self._made:
            others = [one for one in self._counts if one != key]
            count = sum(self._counts[one] for one in others)
            votes = sum((self._votes[one] for one in others), np.zeros(self._shape, np.int32))
            self._made[key] = 2 * votes >= count if count else None
        return self._made[key]

    def _key(self, pass_id: str, time: datetime) -> Hashable:
        keys: dict[str, Hashable] = {YEARS: time.year, HALF_YEARS: half_year(time), PASSES: pass_id}
        return keys[self.basis]


def half_year(time: datetime) -> tuple[int, int]:
    """Year, and 0 for January to June or 1 for July to December."""
    return time.year, int(time.month > 6)


def basis_of(voters: Iterable[OpenPass]) -> str:
    """Say what a constant can be drawn from without the part that it is compared on."""
    times = [one.time for one in voters]
    if len({time.year for time in times}) > 1:
        return YEARS
    return HALF_YEARS if len({half_year(time) for time in times}) > 1 else PASSES
