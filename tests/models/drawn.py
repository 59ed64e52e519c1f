"""Labelled scenes whose pixels can be counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np

from glaciolake.models.data import Bool, Float32, Sample

FIRST = datetime(2021, 1, 4, 0, 11, 30, tzinfo=UTC)
DIRECTION: dict[str, Literal["ascending", "descending"]] = {"T121": "descending", "T085": "ascending"}


def flags(*rows: str) -> Bool:
    """(y, x), True where a row has a #."""
    return np.array([[letter == "#" for letter in row] for row in rows])


def row_of(n: int, length: int = 20) -> Bool:
    """(1, x), the first n True."""
    mask: Bool = (np.arange(length) < n)[None]
    return mask


def scene(water: Bool, *, lake: str = "upper", track: str = "T121", days: int = 0) -> Sample:
    """A scene that has data everywhere; tracks pass half a day apart, over all lakes at the same second."""
    start = FIRST + timedelta(days=days, hours=12 * (track == "T085"))
    return Sample(lake, start, track, DIRECTION[track], np.full(water.shape, 0.1, np.float32), water)


def sure(mask: Bool, *, low: float = 0.1, high: float = 0.9) -> Float32:
    """(y, x), 0..1 (1): probability of a network that sees a mask."""
    return np.where(mask, high, low).astype(np.float32)


def archive(shape: tuple[int, int] = (64, 80)) -> list[Sample]:
    """Three lakes on two tracks from 2021 to 2023, all in each acquisition; a scene lacks data at its rim."""
    y, x = np.indices(shape)
    found = []
    for number, lake in enumerate(("first", "second", "third")):
        for track in DIRECTION:
            for repeat in range(6):
                radius = 18 + 2 * number + repeat % 3
                water = (y - shape[0] / 2) ** 2 + (x - shape[1] / 2) ** 2 < radius**2
                found.append(scene(water, lake=lake, track=track, days=180 * repeat))
    found[0].power[:, 0] = np.nan
    return found
