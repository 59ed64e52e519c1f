"""Track and flight direction, where a name does not say them.

All Sentinel-1 satellites fly one set of ground tracks: 175 orbits in exactly 12 days, then again. The
plane keeps its local solar time, so two satellites of the family are whole days apart, and after a whole
day a satellite is a multiple of a twelfth of an orbit (3300 km) away from where it was. Of the twelve
phases that a satellite can have, only one therefore lets it look at a given place at a given time: place
and time tell track and direction, and no table of satellites and manoeuvres is needed.

Evidence, all from public metadata of ASF:

* S1A: the constants below are fitted to sensing starts and outlines of 11,759 OPERA bursts, 2022 to
  2025, on three continents (residual 3.5 s along, 10 km across the track). The 299 HyP3 scenes of the
  Himalaya, 2015 to 2025, come out on the tracks that their day in the cycle tells.
* S1B flew 6 days from S1A (burst T072-152803-IW2 at 2021-11-08T15:04:33Z); S1C 6 days (T025-052202-IW3
  at 2025-07-11T09:59:22Z, T047-099147-IW1 at 2026-02-25T21:57:26Z), later 1 day (T078-166572-IW3 at
  2026-07-05T01:37:07Z); S1D 0 days (T069-147174-IW3 at 2026-05-04T10:45:21Z), later 7 days (track 19 at
  2026-08-24T00:18:43Z). They pass up to 80 s before S1A does.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.granule import OrbitState
from glaciolake.catalog.names import TRACKS, canonical_burst

CYCLE_DAYS = 12
ORBIT_S = CYCLE_DAYS * 86400 / TRACKS
"""Nodal period, seconds."""

BURST_S = 2.758273
"""Interval of two IW bursts, seconds; the burst number counts it from the cycle's first ascending node."""

_FIRST_NODE = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=583250)
"""Ascending node at which S1A began relative orbit 1 of a cycle."""

_FIRST_NODE_LONGITUDE_DEG = 0.17
_INCLINATION_DEG = 98.18
_EARTH_KM = 6371.0

_ACROSS_KM = (300.0, 690.0)
"""Ground distance right of the track: IW images 360 to 630 km, and in 80 s the Earth turns by 37 km."""

_ALONG_KM = (-700.0, 1300.0)
"""Distance ahead of the position at sensing start: a slice is at most 400 km long, 80 s are 540 km, and the
next phase is 3300 km away."""

_SWATH_KM = {"IW1": 405.0, "IW2": 495.0, "IW3": 581.0}
"""Ground distance right of the track of the centres of the three swaths, from the same fit."""

_BURST_AHEAD_KM = 27.0
"""Burst centres lie this far ahead of the position at their sensing start, from the same fit."""


class Orbit(NamedTuple):
    """Where in the cycle of ground tracks a satellite was.

    Attributes
    ----------
    relative_orbit
        1 to 175.
    orbit_state
        Flight direction.
    """

    relative_orbit: int
    orbit_state: OrbitState


def burst_orbit(burst: str) -> Orbit:
    """Track and direction of an OPERA burst, from its id alone: the number after the track counts time."""
    canonical = canonical_burst(burst)
    since_node_s = ((int(canonical[5:11]) - 1) * BURST_S) % ORBIT_S
    return Orbit(int(canonical[1:4]), _state(since_node_s))


def burst_place(burst: str) -> tuple[float, float]:
    """Return longitude and latitude, degrees, of a burst's centre, to some 30 km, from its number alone."""
    canonical = canonical_burst(burst)
    since_cycle_s = (int(canonical[5:11]) - 1) * BURST_S
    here, ahead, right = _frame(since_cycle_s)
    across = _SWATH_KM[canonical[-3:]] / _EARTH_KM
    centre = math.cos(across) * here + math.sin(across) * right + _BURST_AHEAD_KM / _EARTH_KM * ahead
    x, y, z = (float(part) for part in centre)
    return math.degrees(math.atan2(y, x)), math.degrees(math.atan2(z, math.hypot(x, y)))


def scene_orbit(sensing_start: datetime, longitude_deg: float, latitude_deg: float) -> Orbit:
    """Track and direction from which a place was imaged, by any Sentinel-1 in its operational orbit.

    Parameters
    ----------
    sensing_start
        First line of the slice, UTC, timezone-aware.
    longitude_deg, latitude_deg
        A place in the image, WGS 84.

    Raises
    ------
    CatalogError
        Where no phase of the cycle lets a satellite see the place at that time: the time or the place is
        wrong, or the satellite was on its way to another phase.
    """
    since_first_s = (sensing_start - _FIRST_NODE).total_seconds()
    for days in range(CYCLE_DAYS):
        since_cycle_s = (since_first_s - days * 86400) % (CYCLE_DAYS * 86400)
        across_km, along_km = _seen_from(since_cycle_s, longitude_deg, latitude_deg)
        if _ACROSS_KM[0] < across_km < _ACROSS_KM[1] and _ALONG_KM[0] < along_km < _ALONG_KM[1]:
            # When S1A would be abreast of the place: a scene may begin before the node that numbers it.
            place_s = (since_cycle_s + along_km / (2 * math.pi * _EARTH_KM) * ORBIT_S) % (CYCLE_DAYS * 86400)
            return Orbit(int(place_s // ORBIT_S) + 1, _state(place_s % ORBIT_S))
    raise CatalogError(
        f"no Sentinel-1 track shows {latitude_deg:.3f} N {longitude_deg:.3f} E at "
        f"{sensing_start:%Y-%m-%dT%H:%M:%SZ}; check the time in the name and the projection, "
        "or give relative orbit and direction"
    )


def _state(since_node_s: float) -> OrbitState:
    """Ascending in the first and last quarter after the ascending node."""
    return "ascending" if math.cos(2 * math.pi * since_node_s / ORBIT_S) > 0 else "descending"


def _seen_from(since_cycle_s: float, longitude_deg: float, latitude_deg: float) -> tuple[float, float]:
    """Ground distances (right of the track, ahead of the satellite) of a place, km."""
    here, ahead, right = _frame(since_cycle_s)
    place = _direction(math.radians(longitude_deg), math.radians(latitude_deg))
    height = float(place @ here)
    return (
        _EARTH_KM * math.atan2(float(place @ right), height),
        _EARTH_KM * math.atan2(float(place @ ahead), height),
    )


def _frame(since_cycle_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return unit vectors (3,), Earth-fixed: up, ahead and right at the point under the satellite."""
    here = _under_satellite(since_cycle_s)
    ahead = _under_satellite(since_cycle_s + 1) - here
    ahead /= np.linalg.norm(ahead)
    return here, ahead, np.cross(ahead, here)


def _under_satellite(since_cycle_s: float) -> NDArray[np.float64]:
    """Return the unit vector (3,), Earth-fixed, to the point under the satellite."""
    turned = 2 * math.pi * since_cycle_s / ORBIT_S
    inclination = math.radians(_INCLINATION_DEG)
    # The plane follows the Sun, so under it the Earth turns once in a solar day.
    longitude = (
        math.atan2(math.cos(inclination) * math.sin(turned), math.cos(turned))
        + math.radians(_FIRST_NODE_LONGITUDE_DEG)
        - 2 * math.pi * since_cycle_s / 86400
    )
    return _direction(longitude, math.asin(math.sin(inclination) * math.sin(turned)))


def _direction(longitude: float, latitude: float) -> NDArray[np.float64]:
    """Return the unit vector (3,) of a longitude and latitude in radians, on a sphere."""
    level = math.cos(latitude)
    return np.array([level * math.cos(longitude), level * math.sin(longitude), math.sin(latitude)])
