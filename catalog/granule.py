"""The value that travels: one raster footprint of one acquisition."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

OrbitState = Literal["ascending", "descending"]
Band = Literal["vv", "vh", "hh", "hv", "mask"]


@dataclass(frozen=True, order=True)
class Granule:
    """One OPERA burst or one HyP3 scene, as the tasks carry it: addresses and a lattice, never pixels.

    Attributes
    ----------
    sensing_start
        First line's time, UTC, timezone-aware.
    name
        Identifier of its STAC item, unique in a catalogue.
    sensor
        ``S1A`` to ``S1D``.
    relative_orbit
        1 to 175. A track is identity: values of two tracks are never mixed.
    orbit_state
        Flight direction.
    burst
        Canonical OPERA burst id ``T121-258662-IW2``; None for a HyP3 scene.
    created
        Processing time, UTC; None where the product does not say.
    version
        Product version, ``v1.0``, or the HyP3 flag group.
    filtered
        True where the producer has already filtered speckle.
    crs
        ``EPSG:32645``.
    transform
        Affine coefficients (a, b, c, d, e, f) in metres: x = a col + b row + c, y = d col + e row + f.
    shape
        (rows, columns), pixels.
    hrefs
        (band, address) pairs, sorted by band.
    simulated
        True where no satellite has seen it; stores and figures say so.
    """

    sensing_start: datetime
    name: str
    sensor: str
    relative_orbit: int
    orbit_state: OrbitState
    burst: str | None
    created: datetime | None
    version: str
    filtered: bool
    crs: str
    transform: tuple[float, float, float, float, float, float]
    shape: tuple[int, int]
    hrefs: tuple[tuple[Band, str], ...]
    simulated: bool = False

    @property
    def bands(self) -> tuple[Band, ...]:
        """Bands that have a file, sorted."""
        return tuple(band for band, _ in self.hrefs)

    def href(self, band: Band) -> str | None:
        """Address of a band's file; None where the granule has no such band."""
        return dict(self.hrefs).get(band)

    @property
    def spacing_m(self) -> float:
        """Pixel spacing, metres."""
        return abs(self.transform[0])

    @property
    def version_digest(self) -> str:
        """Twelve hex digits that change when what can be read of the product changes.

        That is its processing, the bands that have a file (a mask may arrive after the power) and the lattice
        (a crop may give way to the whole burst). Addresses stay out of it: the same granule read from another
        mirror is the same granule.
        """
        made = self.created.isoformat() if self.created else "-"
        lattice = (self.crs, *(f"{value:.3f}" for value in self.transform), *map(str, self.shape))
        text = "|".join((self.name, self.version, made, *self.bands, *lattice))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def track_name(relative_orbit: int) -> str:
    """Name of a relative orbit as OPERA writes it: 12 gives ``T012``."""
    return f"T{relative_orbit:03d}"
