"""Passes: what one satellite saw of a lake on one overflight."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from glaciolake.catalog.granule import Granule, OrbitState, track_name


@dataclass(frozen=True)
class Pass:
    """All granules of one (relative orbit, sensor, local solar day): one slice of the cube.

    Attributes
    ----------
    relative_orbit
        1 to 175.
    orbit_state
        Flight direction.
    sensor
        ``S1A`` to ``S1D``.
    day
        Local mean solar day at the lake's longitude. Never the UTC day: descending passes over Nepal fall at
        midnight UTC, where the bursts of one pass can lie on two UTC days.
    time
        Earliest sensing start of the granules, UTC, timezone-aware.
    granules
        Sorted by (burst, name); where they overlap, the first with a valid pixel wins.
    """

    relative_orbit: int
    orbit_state: OrbitState
    sensor: str
    day: date
    time: datetime
    granules: tuple[Granule, ...]

    @property
    def id(self) -> str:
        """``T121_S1A_20240916``: the identity of the slice; a further burst does not change it."""
        return f"{track_name(self.relative_orbit)}_{self.sensor}_{self.day:%Y%m%d}"

    @property
    def version_digest(self) -> str:
        """Twelve hex digits that change when a granule is added, removed or processed again."""
        text = "|".join(granule.version_digest for granule in self.granules)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def solar_day(time: datetime, longitude_deg: float) -> date:
    """Local mean solar day of a UTC time: the sun moves 15 degrees an hour.

    Parameters
    ----------
    time
        UTC, timezone-aware.
    longitude_deg
        -180 to 180, east positive.

    Returns
    -------
    date
        Day on a sundial's clock at that longitude.
    """
    return (time + timedelta(hours=longitude_deg / 15)).date()


def _precedence(granule: Granule) -> tuple[str, float, str]:
    """Order of mosaicking: by burst, and of one burst the newest processing first."""
    made = granule.created.timestamp() if granule.created else 0.0
    return granule.burst or "", -made, granule.name


def group_passes(granules: Sequence[Granule], longitude_deg: float) -> list[Pass]:
    """Gather granules into passes, by relative orbit, sensor and local solar day.

    Parameters
    ----------
    granules
        In any order, of any tracks; processed once each (the catalogue resolves duplicates).
    longitude_deg
        The lake's longitude. One lake, one longitude: a granule's own would make a pass's day depend on
        which bursts arrived.

    Returns
    -------
    list of Pass
        Sorted by (time, id); the same granules in another order give the same list.
    """
    members: defaultdict[tuple[int, str, date], list[Granule]] = defaultdict(list)
    for granule in granules:
        day = solar_day(granule.sensing_start, longitude_deg)
        members[granule.relative_orbit, granule.sensor, day].append(granule)
    passes = [
        Pass(
            relative_orbit=relative_orbit,
            orbit_state=group[0].orbit_state,
            sensor=sensor,
            day=day,
            time=min(granule.sensing_start for granule in group),
            granules=tuple(sorted(group, key=_precedence)),
        )
        for (relative_orbit, sensor, day), group in members.items()
    ]
    return sorted(passes, key=lambda one: (one.time, one.id))
