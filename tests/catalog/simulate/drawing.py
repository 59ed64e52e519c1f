"""Scenes with one thing in them, drawn by the archive's own code."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import from_bounds

from glaciolake.catalog.simulate import levels
from glaciolake.catalog.simulate.backscatter import Surface
from glaciolake.catalog.simulate.climate import Ice, Weather
from glaciolake.catalog.simulate.levels import CoverClass
from glaciolake.catalog.simulate.radar import Frame, View, frame_of, view_ground
from glaciolake.catalog.simulate.shore import SPACING_M, Float, Stand
from glaciolake.catalog.simulate.terrain import Ground

CALM_DAY = Weather(3.0, 45.0, 9000.0, -9000.0, 0.0)
SPRING = date(2023, 2, 14)
"""Opposite of summer: `levels.SUMMER_DB` does not enter."""
LOOK_DEG = 280.0
MEAN = Stand(0.0, 0.0)
OPEN = Ice(0.0, 0.0, False, 0.0)


class Lake:
    """A lake whose level and ice are given."""

    def __init__(self, ice: Ice = OPEN, stand: Stand = MEAN) -> None:
        self._stand, self._ice = stand, ice

    def stand(self, day: date) -> Stand:
        return self._stand

    def ice(self, day: date) -> Ice:
        return self._ice


def decibels(power: NDArray[Any]) -> float:
    """Mean of linear power, dB."""
    return float(10 * np.log10(np.mean(power, dtype=float)))


def view_of(ground: Ground, incidence_deg: float = levels.REFERENCE_INCIDENCE_DEG) -> View:
    return view_ground(ground, frame_of(ground.site, 32645), LOOK_DEG, incidence_deg)


def draw(
    ground: Ground, weather: Weather, ice: Ice = OPEN, incidence_deg: float = levels.REFERENCE_INCIDENCE_DEG
) -> dict[str, Float]:
    """Image of a spring day, all lakes at their mean level under the same ice: ``VV`` and ``VH``."""
    lakes: list[Any] = [Lake(ice)] * len(ground.shores)
    return Surface(ground, view_of(ground, incidence_deg), LOOK_DEG).look(SPRING, lakes, weather)


def plain(ground: Ground, cover: CoverClass) -> Ground:
    """A level plain of one class, without lakes."""
    level = np.full_like(ground.height_m, ground.site.basins[0].level_m)
    return replace(ground, height_m=level, shores=(), covers={cover: np.ones_like(level)})


def sea(ground: Ground) -> Ground:
    """Water as far as one sees: enough gusts and blobs of ice that their mean is sure to 0.1 dB."""
    flat = plain(ground, CoverClass.DEBRIS)
    shore = ground.shores[0]
    return replace(flat, shores=(replace(shore, offshore_m=np.full_like(shore.offshore_m, -3000.0)),))


def read_square(path: Path, frame: Frame) -> NDArray[Any]:
    """Read the square of a site from a file of the archive."""
    side_m = SPACING_M * frame.size_px
    edges = (frame.left_m, frame.top_m - side_m, frame.left_m + side_m, frame.top_m)
    with rasterio.open(path) as file:
        values: NDArray[Any] = file.read(1, window=from_bounds(*edges, file.transform))
    return values
