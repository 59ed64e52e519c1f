"""Lakes and valleys of the simulated archive: real places, our own ground.

Position, elevation and area are those of the registry's sources; the shores, walls and depths are as few
numbers as make the radar geometry come out like the real one. What happens to a lake is its scenario.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

EPOCH = date(2016, 1, 1)
"""Lakes have their `Basin.area_m2` on this day; the archive of real scenes begins in April of that year."""


@dataclass(frozen=True)
class Event:
    """Something that moves a lake's level.

    Attributes
    ----------
    kind
        ``partial_drainage``, ``full_drainage``, ``slow_leak``, ``refilling``, ``lowering`` or
        ``landslide_dam``.
    first_day, days
        Last day on the old level, and how many days later the new one is reached.
    to_m
        New level against the mean one, metres; it holds until the next event.
    note
        What happens, in words.
    """

    kind: str
    first_day: date
    days: int
    to_m: float
    note: str = ""


@dataclass(frozen=True)
class Wall:
    """A steep side of a valley: its direction from the lake, its slope, its height above the water."""

    azimuth_deg: float
    slope_deg: float
    height_m: float


@dataclass(frozen=True)
class Basin:
    """One lake's basin.

    Attributes
    ----------
    id
        The registry's id of the lake.
    area_m2, length_m, width_m
        Area at the mean level on `EPOCH`, and the axes of the outline before they are scaled to that area.
    axis_deg
        Direction of the long axis towards the glacier, clockwise from north.
    level_m
        Mean water level above sea.
    depth_m, bank
        The bed falls as ``depth * (1 - exp(-bank * d / depth))`` at distance d from the shore; `bank` is the
        slope (1) at the water's edge.
    growth_m_per_year
        Yearly retreat of the calving front, along the axis.
    seasonal_m
        Half of the level's range from March to August.
    east_m, north_m
        Centre, from the site's centre.
    events
        What happens, in order of time.
    registered
        False for water that no registry lists: the pool behind a landslide.
    """

    id: str
    area_m2: float
    length_m: float
    width_m: float
    axis_deg: float
    level_m: float
    depth_m: float = 90.0
    bank: float = 0.5
    growth_m_per_year: float = 0.0
    seasonal_m: float = 1.2
    east_m: float = 0.0
    north_m: float = 0.0
    events: tuple[Event, ...] = ()
    registered: bool = True


@dataclass(frozen=True)
class Site:
    """A square of ground with one lake or more.

    Attributes
    ----------
    id
        That of its first lake.
    name
        For people.
    longitude_deg, latitude_deg
        Centre, WGS 84.
    size_px
        Side of the square that is imaged, pixels of 30 m.
    tracks
        Relative orbits that image it.
    basins
        Lakes; the first is the site's own.
    walls
        Steep sides.
    on_glacier
        Whether the lakes lie on ice: ponds among debris, without moraine and dam.
    """

    id: str
    name: str
    longitude_deg: float
    latitude_deg: float
    size_px: int
    tracks: tuple[int, ...]
    basins: tuple[Basin, ...]
    walls: tuple[Wall, ...]
    on_glacier: bool = False


_LOWERED = Event("lowering", date(2016, 10, 1), 60, -3.4, "the outlet is cut 3.4 m deeper, on purpose")
_LEAK = (
    Event("slow_leak", date(2021, 6, 1), 480, -9.0, "water seeps through the dam for sixteen months"),
    Event("refilling", date(2023, 6, 1), 90, 0.0, "meltwater fills the lake again in one summer"),
)
_LHONAK = (
    Event("partial_drainage", date(2023, 10, 3), 1, -20.0, "the dam breaks after a slide into the lake"),
)
_UPPER = (Event("partial_drainage", date(2024, 8, 16), 1, -4.0, "rock falls into the upper lake"),)
_LOWER = (
    Event("full_drainage", date(2024, 8, 16), 1, -14.0, "the upper lake's wave breaks the lower one's dam"),
)
_PUREPU = (
    Event("partial_drainage", date(2023, 7, 12), 3, -4.5, "a tunnel in the ice opens"),
    Event("refilling", date(2025, 4, 20), 76, 0.5, "meltwater fills the pond in eleven weeks"),
    Event("partial_drainage", date(2025, 7, 7), 1, -5.0, "the pond breaks out through the ice"),
)
_POND = tuple(
    event
    for year in (2018, 2020, 2022, 2024)
    for event in (
        Event("full_drainage", date(year, 9, 20), 4, -7.5, "the pond drains through the ice"),
        Event("refilling", date(year + 1, 5, 10), 60, 0.0, "meltwater fills it again"),
    )
)
_SLIDE = (
    Event(
        "landslide_dam",
        date(2021, 6, 18),
        12,
        0.0,
        "a landslide dams the river below the lake, which is no lake",
    ),
    Event("landslide_dam", date(2021, 8, 2), 1, -40.0, "the river cuts through the landslide"),
)
_POOL = Basin("thulagi-landslide-pool", 1.1e5, 620, 230, 20, 4033, 30, 0.3, east_m=-1500, north_m=900,
              events=(Event("landslide_dam", EPOCH, 1, -40.0), *_SLIDE), registered=False)  # fmt: skip

SITES = {
    site.id: site
    for site in (
        Site("tsho-rolpa", "Tsho Rolpa", 86.4766, 27.8610, 192, (85, 121),
             (Basin("tsho-rolpa", 1.54e6, 3200, 560, 132, 4555, 130, growth_m_per_year=14),),
             (Wall(50, 60, 520),)),
        Site("chamlang", "Chamlang (South)", 86.9586, 27.7550, 160, (12, 121),
             (Basin("chamlang", 0.86e6, 1750, 620, 78, 4936, 85, growth_m_per_year=6),),
             (Wall(80, 58, 640),)),
        Site("tilicho", "Tilicho", 83.8528, 28.6917, 232, (19, 92, 158),
             (Basin("tilicho", 3.38e6, 4000, 1100, 158, 4910, 85),), (Wall(65, 50, 460),)),
        Site("gokyo", "Gokyo (Dudh Pokhari)", 86.6902, 27.9512, 144, (12, 85, 121),
             (Basin("gokyo", 0.44e6, 900, 640, 350, 4728, 40, 0.3),), (Wall(265, 33, 450),)),
        Site("south-lhonak", "South Lhonak", 88.1926, 27.9121, 176, (12, 48),
             (Basin("south-lhonak", 1.42e6, 2400, 720, 265, 5228, 120, growth_m_per_year=45,
                    events=_LHONAK),),
             (Wall(10, 48, 480),)),
        Site("thame", "Thame", 86.5774, 27.8229, 152, (12, 85, 121),
             (Basin("thame", 0.044e6, 270, 210, 315, 4718, 15, 0.4, events=_LOWER),
              Basin("thame-upper", 0.11e6, 480, 300, 315, 4890, 22, 0.4, east_m=-1220, north_m=1090,
                    events=_UPPER)),
             (Wall(50, 45, 75),)),
        Site("purepu", "Purepu", 85.6482, 28.3993, 144, (19, 85, 121),
             (Basin("purepu", 0.60e6, 960, 800, 40, 5160, 9, 0.06, seasonal_m=0.6, events=_PUREPU),),
             (Wall(120, 38, 350),), on_glacier=True),
        Site("imja", "Imja Tsho", 86.9251, 27.8985, 184, (12, 121),
             (Basin("imja", 1.28e6, 2300, 600, 92, 5002, 110, growth_m_per_year=12, events=(_LOWERED,)),),
             (Wall(0, 40, 350),)),
        Site("lumding", "Lumding", 86.6124, 27.7791, 184, (12, 85, 121),
             (Basin("lumding", 1.22e6, 2400, 580, 95, 4829, 80, events=_LEAK),), (Wall(70, 46, 420),)),
        Site("thulagi", "Thulagi", 84.4855, 28.4885, 176, (19, 85, 158),
             (Basin("thulagi", 0.93e6, 2200, 440, 120, 4033, 75), _POOL), (Wall(70, 46, 420),)),
        Site("ngozumpa-pond", "Pond at Ngozumpa Glacier", 86.7467, 27.9332, 128, (12, 121),
             (Basin("ngozumpa-pond", 0.076e6, 390, 260, 20, 4954, 8, 0.2, seasonal_m=0.4, events=_POND),),
             (Wall(270, 30, 120),), on_glacier=True),
        Site("lower-barun", "Lower Barun", 87.0920, 27.7980, 200, (12, 121),
             (Basin("lower-barun", 1.65e6, 2500, 820, 60, 4530, 190, growth_m_per_year=32),),
             (Wall(105, 50, 430),)),
        Site("hongu-1", "Hongu 1", 86.9286, 27.8503, 144, (12, 121),
             (Basin("hongu-1", 0.45e6, 860, 700, 15, 5394, 45, 0.35),), (Wall(20, 40, 400),)),
        Site("hongu-2", "Hongu 2", 86.9577, 27.7834, 168, (12, 121),
             (Basin("hongu-2", 0.87e6, 1300, 850, 45, 5197, 60),), (Wall(75, 52, 430),)),
    )
}  # fmt: skip
"""In the order in which an archive of N sites takes them: what must be watched for comes early."""
