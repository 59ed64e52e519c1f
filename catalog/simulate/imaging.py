"""Granules of one burst: prepared once, imaged on many days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glaciolake.catalog.simulate.backscatter import Surface, from_db
from glaciolake.catalog.simulate.bursts import Burst, bursts_over
from glaciolake.catalog.simulate.calendar import (
    REPROCESSED_DAYS,
    REPROCESSED_SHARE,
    Due,
    created,
    sensing_start,
)
from glaciolake.catalog.simulate.climate import Weather, weather_on
from glaciolake.catalog.simulate.granules import (
    Lattice,
    Layer,
    granule_name,
    inside_footprint,
    lattice_of,
    rounded,
    static_name,
    write_layers,
)
from glaciolake.catalog.simulate.lake_days import lake_days, number_of
from glaciolake.catalog.simulate.levels import noise_db
from glaciolake.catalog.simulate.order import Order, find_site
from glaciolake.catalog.simulate.radar import FILL, VALID, Frame, View, frame_of, view_ground
from glaciolake.catalog.simulate.sites import Site
from glaciolake.catalog.simulate.speckle import measured
from glaciolake.catalog.simulate.static_layers import static_layers
from glaciolake.catalog.simulate.tags import tags_of
from glaciolake.catalog.simulate.terrain import Ground, build_ground
from glaciolake.catalog.simulate.territory import away_from_lakes_m, territories
from glaciolake.catalog.simulate.truth import Made

OLD_CALIBRATION_DB = 0.6
"""What a superseded granule is off by, so that taking the wrong one shows."""
METRES_A_DEGREE = 111_320.0


class Task(NamedTuple):
    """Passes of one burst, to be written by one worker.

    Attributes
    ----------
    order
        The archive.
    burst
        Which.
    dues
        Passes, acquired ones only.
    folder
        The archive's.
    first
        Whether the task also writes the burst's static layers, and makes its first granule twice.
    """

    order: Order
    burst: Burst
    dues: tuple[Due, ...]
    folder: str
    first: bool


@dataclass(frozen=True)
class Patch:
    """One site in one burst, ready to be imaged; `inside` (y, x) bool is where the burst shows the site."""

    site: Site
    frame: Frame
    view: View
    surface: Surface
    inside: NDArray[np.bool_]


@lru_cache(maxsize=12)
def ground_of(name: str, seed: int) -> Ground:
    """Ground of a site; kept, since several bursts look at it."""
    return build_ground(find_site(name), seed)


def square_deg(site: Site) -> tuple[float, float, float, float]:
    """West, south, east and north of what is imaged of a site, degrees, roughly."""
    half = site.size_px * 15.0 / METRES_A_DEGREE
    wide = half / np.cos(np.radians(site.latitude_deg))
    lon, lat = site.longitude_deg, site.latitude_deg
    return lon - wide, lat - half, lon + wide, lat + half


@lru_cache(maxsize=4)
def sites_in(order: Order) -> dict[Burst, list[str]]:
    """Bursts of an archive, sorted by id, and the sites that each of them holds."""
    held: dict[Burst, list[str]] = {}
    for name in order.sites:
        site = find_site(name)
        for burst in bursts_over(square_deg(site), site.tracks):
            if inside_footprint(burst, frame_of(site, burst.track.epsg)).any():
                held.setdefault(burst, []).append(name)
    return dict(sorted(held.items(), key=lambda one: one[0].id))


@lru_cache(maxsize=2)
def patches_of(burst: Burst, names: tuple[str, ...], seed: int) -> tuple[Patch, ...]:
    """Look at the sites of a burst, each on its own side; kept, since many tasks follow on one burst."""
    patches = [patch_of(burst, name, seed) for name in names]
    frames = [patch.frame for patch in patches]
    away_m = [away_from_lakes_m(patch.surface.ground, patch.frame) for patch in patches]
    own = territories(lattice_of(burst, frames), frames, away_m)
    return tuple(replace(patch, inside=patch.inside & mine) for patch, mine in zip(patches, own, strict=True))


def patch_of(burst: Burst, name: str, seed: int) -> Patch:
    """Look at one site from one burst, as if there were no other."""
    ground = ground_of(name, seed)
    frame, view = view_of(burst, name, seed)
    surface = Surface(ground, view, burst.track.look_azimuth_deg)
    return Patch(ground.site, frame, view, surface, inside_footprint(burst, frame))


def view_of(burst: Burst, name: str, seed: int) -> tuple[Frame, View]:
    """Square of a site on a burst's grid, and how it is seen there."""
    ground = ground_of(name, seed)
    site = ground.site
    frame = frame_of(site, burst.track.epsg)
    incidence_deg = burst.incidence_deg(site.longitude_deg, site.latitude_deg)
    return frame, view_ground(ground, frame, burst.track.look_azimuth_deg, incidence_deg)


def seen_by(burst: Burst, name: str, seed: int) -> NDArray[np.bool_]:
    """Where a burst sees the ground of a site and nothing else: (y, x) bool."""
    frame, view = view_of(burst, name, seed)
    seen: NDArray[np.bool_] = inside_footprint(burst, frame) & (view.mask == VALID)
    return seen


def weather_of(site: Site, burst: Burst, day: date, seed: int) -> Weather:
    """Weather over a site while a burst is taken."""
    return weather_on(day, burst.track.orbit_state == "ascending", (seed, number_of(site.id)))


def write_burst(task: Task) -> list[Made]:
    """Image and write the passes of a task; what lies in the archive now."""
    names = tuple(sites_in(task.order)[task.burst])
    patches = patches_of(task.burst, names, task.order.seed)
    lattice = lattice_of(task.burst, [patch.frame for patch in patches])
    if task.first:
        _write_static(task, lattice, patches)
    return [made for due in task.dues for made in _write_pass(task, due, lattice, patches)]


def _write_pass(task: Task, due: Due, lattice: Lattice, patches: tuple[Patch, ...]) -> Iterator[Made]:
    """Write the granule of one pass, and now and then an older processing of it."""
    fate = fate_of(task.order, task.burst, due)
    shot = _Shot(task, due.sensor, sensing_start(task.burst, due.day), lattice)
    layers = _layers(task, due, lattice, patches)
    made = fate.made
    if fate.is_reprocessed or (task.first and due == task.dues[0]):
        off = np.float32(10 ** (OLD_CALIBRATION_DB / 10))
        old = {name: values if name == "mask" else rounded(values * off) for name, values in layers.items()}
        yield shot.write(made, old, superseded=True)
        made += fate.later
    yield shot.write(made, layers, damaged=fate.damage)


class Fate(NamedTuple):
    """What becomes of an acquisition on the ground.

    Attributes
    ----------
    made
        When it is processed.
    is_reprocessed, later
        Whether it is processed once more, and how much later that would be.
    damage
        Kind of damage, mostly none.
    """

    made: datetime
    is_reprocessed: bool
    later: timedelta
    damage: str


def fate_of(order: Order, burst: Burst, due: Due) -> Fate:
    """Draw what becomes of one acquisition of a burst."""
    rng = _rng_of(order, burst, due)
    return Fate(
        created(sensing_start(burst, due.day), rng),
        bool(rng.random() < REPROCESSED_SHARE),
        timedelta(days=int(rng.integers(*REPROCESSED_DAYS))),
        _damage_of(order, float(rng.random())),
    )


def _rng_of(order: Order, burst: Burst, due: Due, what: str = "") -> np.random.Generator:
    """Random numbers of one acquisition, or of something in it."""
    return np.random.default_rng([order.seed, due.day.toordinal(), *f"{burst.id}{due.sensor}{what}".encode()])


class _Shot(NamedTuple):
    """One acquisition of a burst, which may be processed more than once."""

    task: Task
    sensor: str
    start: datetime
    lattice: Lattice

    def write(
        self, made: datetime, layers: dict[str, Layer], *, superseded: bool = False, damaged: str = ""
    ) -> Made:
        """Write one processing of it, whole; `damaged` says how it is to be broken later."""
        burst = self.task.burst
        name = granule_name(burst, self.sensor, self.start, made)
        folder = Path(self.task.folder, "scenes", burst.id)
        tags = tags_of(burst, self.lattice, self.sensor, self.start, made)
        write_layers(folder, name, self.lattice, layers, tags)
        latency_h = round((made - self.start).total_seconds() / 3600, 3)
        return Made(name, burst.id, self.sensor, self.start, made, latency_h, superseded, damaged)


def _damage_of(order: Order, drawn: float) -> str:
    """Kind of damage for a number drawn from 0..1; mostly none."""
    for kind, share in order.damage:
        if drawn < share:
            return kind
        drawn -= share
    return ""


def _layers(task: Task, due: Due, lattice: Lattice, patches: tuple[Patch, ...]) -> dict[str, Layer]:
    """Layers on the burst's lattice: ``VV`` and ``VH`` (1, linear power), ``mask`` codes; (y, x)."""
    shape = (lattice.rows, lattice.columns)
    bands = {"VV": np.full(shape, np.nan, np.float32), "VH": np.full(shape, np.nan, np.float32)}
    mask = np.full(shape, FILL, np.uint8)
    for patch in patches:
        place = lattice.place(patch.frame)
        lakes = [lake_days(basin, task.order.end, task.order.seed) for basin in patch.site.basins]
        weather = weather_of(patch.site, task.burst, due.day, task.order.seed)
        truth = patch.surface.look(due.day, lakes, weather)
        # A site's speckle is its own too: it does not depend on which other sites are ordered.
        rng = _rng_of(task.order, task.burst, due, patch.site.id)
        for band, power in truth.items():
            noise = float(from_db(noise_db(band.lower(), patch.view.incidence_deg)))
            bands[band][place][patch.inside] = rounded(measured(power, noise, rng))[patch.inside]
        mask[place][patch.inside] = patch.view.mask[patch.inside]
    return {**bands, "mask": mask}


def _write_static(task: Task, lattice: Lattice, patches: tuple[Patch, ...]) -> None:
    """Write the layers of a burst that do not change with time."""
    layers: dict[str, Layer] = {}
    for patch in patches:
        place = lattice.place(patch.frame)
        found = static_layers(ground_of(patch.site.id, task.order.seed), patch.frame, patch.view,
                              task.burst.track.look_azimuth_deg)  # fmt: skip
        for name, values in found.items():
            fill = FILL if values.dtype == np.uint8 else np.nan
            whole = layers.setdefault(name, np.full((lattice.rows, lattice.columns), fill, values.dtype))
            kept = values if values.dtype == np.uint8 else rounded(values)
            whole[place][patch.inside] = kept[patch.inside]
    start = datetime.fromisoformat("2014-04-03T00:00:00+00:00")
    tags = tags_of(task.burst, lattice, "S1A", start, start) | {"PRODUCT_TYPE": "RTC-S1-STATIC"}
    write_layers(Path(task.folder, "static", task.burst.id), static_name(task.burst), lattice, layers, tags)
