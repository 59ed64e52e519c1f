"""Where the simulated archive lies: real lakes, real bursts, real tracks; the outlines are our own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from glaciolake.catalog.errors import UnknownLake
from glaciolake.catalog.granule import OrbitState


@dataclass(frozen=True)
class Site:
    """A lake and its valley, as few numbers as make the radar geometry come out like the real one.

    Attributes
    ----------
    id
        The registry's id.
    longitude_deg, latitude_deg
        Centre of the lake, WGS 84.
    area_m2, length_m, width_m
        Area of the lake at its mean level at the start of the archive, and the axes of its outline before
        they are scaled to that area.
    axis_deg
        Direction of the long axis towards the glacier, clockwise from grid north.
    level_m
        Water level above sea.
    cliff_azimuth_deg, cliff_deg, cliff_height_m
        The steep side of the valley: its direction from the lake, its slope, its height above the water.
    growth_m_per_year
        Yearly retreat of the calving front, along the axis.
    """

    id: str
    longitude_deg: float
    latitude_deg: float
    area_m2: float
    length_m: float
    width_m: float
    axis_deg: float
    level_m: float
    cliff_azimuth_deg: float
    cliff_deg: float
    cliff_height_m: float
    growth_m_per_year: float


@dataclass(frozen=True)
class Track:
    """A relative orbit of Sentinel-1A over Nepal.

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
        The satellite passes on days whose distance from 2020-01-01 is this, modulo 12.
    utc
        Time of day of the first burst simulated here.
    every_cycles
        One pass in so many is written: the archive is to be small.
    """

    relative_orbit: int
    orbit_state: OrbitState
    look_azimuth_deg: float
    phase_days: int
    utc: timedelta
    every_cycles: int = 2


@dataclass(frozen=True)
class Burst:
    """One burst of a track: its grid is fixed, whichever the date.

    Attributes
    ----------
    id
        ``T121-258662-IW2``.
    incidence_deg
        Mean incidence of the sub-swath, from the vertical.
    delay_s
        Sensing start after that of the track's first burst.
    sites
        Ids of the lakes inside.
    corners_deg
        (longitude, latitude) of the footprint's four corners, degrees WGS 84.
    epsg
        Zone of the burst's grid, which is that of its frame and need not be the lake's.
    """

    id: str
    incidence_deg: float
    delay_s: float
    sites: tuple[str, ...]
    corners_deg: tuple[tuple[float, float], ...]
    epsg: int = 32645

    @property
    def relative_orbit(self) -> int:
        """Track number, which the burst's id begins with."""
        return int(self.id[1:4])


SITES = {
    site.id: site
    for site in (
        Site("tsho-rolpa", 86.4766, 27.8610, 1.54e6, 3200, 560, 132, 4555, 50, 60, 520, 14.0),
        Site("chamlang", 86.9586, 27.7550, 0.86e6, 1750, 620, 78, 4936, 80, 56, 560, 6.0),
        Site("tilicho", 83.8528, 28.6917, 3.38e6, 4000, 1100, 158, 4910, 240, 42, 500, 0.0),
    )
}

TRACKS = {
    track.relative_orbit: track
    for track in (
        Track(12, "ascending", 80.0, 7, timedelta(hours=12, minutes=13, seconds=58)),
        Track(19, "descending", 281.5, 8, timedelta(minutes=19, seconds=20), every_cycles=8),
        Track(85, "ascending", 80.0, 0, timedelta(hours=12, minutes=22, seconds=26)),
        Track(121, "descending", 280.5, 3, timedelta(minutes=11, seconds=31)),
    )
}

BURSTS = (
    Burst(
        "T012-023789-IW1", 34.0, 0.0, ("chamlang",),
        ((86.2343, 27.5655), (87.0967, 27.7064), (87.0537, 27.9101), (86.1916, 27.7603)),
    ),
    Burst(
        "T019-039568-IW3", 44.0, 0.0, ("tilicho",),
        ((84.3211, 28.8008), (83.5128, 28.9296), (83.4728, 28.7248), (84.2813, 28.6051)),
    ),
    Burst(
        "T019-039569-IW3", 44.0, 2.76, ("tilicho",),
        ((84.2873, 28.6346), (83.4803, 28.7635), (83.4403, 28.5588), (84.2475, 28.4389)),
    ),
    Burst(
        "T085-180586-IW3", 44.0, 0.0, ("tsho-rolpa",),
        ((85.9303, 27.6748), (86.7319, 27.7953), (86.6919, 28.0001), (85.8906, 27.8705)),
    ),
    Burst(
        "T121-258662-IW2", 39.0, 0.0, ("tsho-rolpa", "chamlang"),
        ((87.0883, 27.8178), (86.1831, 27.9687), (86.1441, 27.7762), (87.0495, 27.6336)),
    ),
)  # fmt: skip
"""Footprints and delays as in the published burst database; the lakes per burst follow from them."""


def site(lake: str) -> Site:
    """Look up a lake of the simulated archive, or say which there are."""
    if lake not in SITES:
        raise UnknownLake(f"the simulated archive has no lake {lake!r}; it has {', '.join(SITES)}")
    return SITES[lake]
