"""Track and flight direction, where a name does not say them.

Sentinel-1 repeats its ground track after 175 orbits in exactly 12 days, so the time since an ascending node
gives the orbit's number in the cycle and how far round the satellite is.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.granule import OrbitState
from glaciolake.catalog.names import TRACKS, RtcName, canonical_burst

ORBIT_S = 12 * 86400 / TRACKS
"""Nodal period, seconds."""

BURST_S = 2.758273
"""Interval of two IW bursts, seconds; the burst number counts it from the cycle's first ascending node."""


class Orbit(NamedTuple):
    """Where in its cycle a satellite was.

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


def _state(since_node_s: float) -> OrbitState:
    """Ascending in the first and last quarter after the ascending node."""
    return "ascending" if math.cos(2 * math.pi * since_node_s / ORBIT_S) > 0 else "descending"


def orbit_of(name: RtcName) -> Orbit:
    """Track and direction of a granule: from its burst id, or for HyP3 from sensor and sensing start."""
    if name.burst is not None:
        return burst_orbit(name.burst)
    return time_orbit(name.sensor, name.sensing_start)


def time_orbit(sensor: str, sensing_start: datetime) -> Orbit:
    """Track and direction at a time."""
    if sensor not in _FIRST_NODE:
        raise CatalogError(
            f"track of {sensor} at {sensing_start} is not known; give relative orbit and direction"
        )
    since_cycle_s = (sensing_start - _FIRST_NODE[sensor]).total_seconds() % (TRACKS * ORBIT_S)
    return Orbit(int(since_cycle_s // ORBIT_S) + 1, _state(since_cycle_s % ORBIT_S))


_FIRST_NODE = {"S1A": datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=583251)}
