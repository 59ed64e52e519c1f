"""Tracks and bursts of Sentinel-1 over the central Himalaya: when it passes, where it looks, how steeply."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import shapely

from glaciolake.catalog.granule import OrbitState

BURSTS_FILE = Path(__file__).with_name("bursts.json")
"""Footprints (lon, lat, degrees WGS 84) as published; written by ``docs/write_bursts.py``."""
BURST_S = 2.758277
"""From one burst of a sub-swath to the next, seconds."""
SUBSWATH_S = 0.93
"""From a burst of one sub-swath to that of the next one on the same line, seconds, about a third of it."""
INCIDENCE_DEG = {"IW1": (30.86, 36.59), "IW2": (36.47, 41.85), "IW3": (41.75, 46.00)}
"""Near and far edge of the sub-swaths at the lowest orbit (Sentinel-1 User Handbook)."""


@dataclass(frozen=True)
class Track:
    """A relative orbit over the central Himalaya.

    Attributes
    ----------
    relative_orbit
        1 to 175.
    orbit_state
        Flight direction.
    look_azimuth_deg
        Where the radar looks, clockwise from grid north: right of the flight direction, read off the long
        edges of the burst footprints.
    phase_days
        Sentinel-1A passes on days whose distance from 2020-01-01 is this, modulo 12.
    utc
        Time of day at burst `first_burst`.
    first_burst
        Number of a burst of the track, from which the others' times follow.
    epsg
        Zone of the grids of its bursts: that of their frame, which need not be a lake's own.
    """

    relative_orbit: int
    orbit_state: OrbitState
    look_azimuth_deg: float
    phase_days: int
    utc: timedelta
    first_burst: int
    epsg: int


TRACKS = {
    track.relative_orbit: track
    for track in (
        Track(12, "ascending", 80.0, 7, timedelta(hours=12, minutes=13, seconds=58), 23789, 32645),
        Track(19, "descending", 280.0, 8, timedelta(minutes=19, seconds=20), 39568, 32645),
        Track(48, "descending", 280.0, 10, timedelta(minutes=2, seconds=40), 101863, 32645),
        Track(85, "ascending", 80.0, 0, timedelta(hours=12, minutes=22, seconds=26), 180586, 32645),
        Track(92, "descending", 280.0, 1, timedelta(minutes=27, seconds=40), 196366, 32644),
        Track(121, "descending", 280.0, 3, timedelta(minutes=11, seconds=31), 258662, 32645),
        Track(158, "ascending", 80.0, 5, timedelta(hours=12, minutes=30, seconds=30), 337390, 32644),
    )
}
"""Phases and minutes from 135 acquisition times of 2015 to 2025; track 48's phase is derived from the orbit.
The zones follow the rule of OPERA's burst database; tracks 19, 92 and 158 meet at the edge of two zones."""


@dataclass(frozen=True)
class Burst:
    """One burst: its grid is fixed, whichever the date.

    Attributes
    ----------
    id
        ``T121-258662-IW2``.
    corners_deg
        (longitude, latitude) of the footprint's corners, degrees WGS 84.
    """

    id: str
    corners_deg: tuple[tuple[float, float], ...]

    @property
    def track(self) -> Track:
        """The track, with whose number the id begins."""
        return TRACKS[int(self.id[1:4])]

    @property
    def subswath(self) -> str:
        """``IW1`` to ``IW3``."""
        return self.id[-3:]

    @property
    def delay_s(self) -> float:
        """Sensing start after the track's time of day, seconds; bursts further along the orbit are later."""
        return (int(self.id[5:11]) - self.track.first_burst) * BURST_S + SUBSWATH_S * (int(self.id[-1]) - 1)

    @cached_property
    def footprint(self) -> shapely.Polygon:
        """Outline, longitude/latitude, degrees WGS 84."""
        return shapely.Polygon(self.corners_deg)

    def incidence_deg(self, longitude_deg: float, latitude_deg: float) -> float:
        """Angle between ray and vertical at a place, degrees: from near to far edge of the sub-swath."""
        azimuth = np.radians(self.track.look_azimuth_deg)
        lon, lat = np.array([*self.corners_deg, (longitude_deg, latitude_deg)]).T
        along = lon * np.cos(np.radians(latitude_deg)) * np.sin(azimuth) + lat * np.cos(azimuth)
        near, far = INCIDENCE_DEG[self.subswath]
        share = np.clip((along[-1] - along[:-1].min()) / np.ptp(along[:-1]), 0, 1)
        return float(near + (far - near) * share)


@lru_cache(maxsize=1)
def bursts() -> tuple[Burst, ...]:
    """All bursts of the simulated tracks that touch a site, sorted by id."""
    listed = json.loads(BURSTS_FILE.read_text(encoding="utf-8"))
    return tuple(Burst(name, tuple(map(tuple, corners))) for name, corners in sorted(listed.items()))


def bursts_over(square_deg: tuple[float, float, float, float], tracks: tuple[int, ...]) -> tuple[Burst, ...]:
    """Bursts of some tracks that hold a part of a box (west, south, east, north, degrees), sorted by id."""
    box = shapely.box(*square_deg)
    return tuple(
        burst
        for burst in bursts()
        if burst.track.relative_orbit in tracks and burst.footprint.intersects(box)
    )
