"""Write a small archive of OPERA RTC-S1 granules whose lakes are known exactly."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.granule import track_name
from glaciolake.catalog.simulate.backscatter import Ground, coverage, shore_m, weather_of
from glaciolake.catalog.simulate.calendar import acquisitions, created, season_of, sensing_start
from glaciolake.catalog.simulate.granules import (
    Lattice,
    Layer,
    granule_name,
    inside_footprint,
    lattice_of,
    tags_of,
    write_granule,
)
from glaciolake.catalog.simulate.radar import FILL, MARGIN_PX, VALID, view_scene
from glaciolake.catalog.simulate.sites import BURSTS, SITES, TRACKS, Burst, site
from glaciolake.catalog.simulate.terrain import SPACING_M, Scene, build_scene
from glaciolake.catalog.simulate.truth import Truth, write_truth

logger = logging.getLogger("glaciolake.catalog.simulate")

RECIPE = "archive.json"
"""Says what an archive was made of: seed, lakes, first day, day after the last."""
SIZE_PX = 256
"""Side of the square around each lake that holds data; the rest of a burst's raster is NaN."""
REPROCESSED_DAYS = 200
OLD_CALIBRATION_DB = 0.6
"""What a superseded granule is off by, so that taking the wrong one shows."""


@dataclass(frozen=True)
class Archive:
    """What was written.

    Attributes
    ----------
    folder
        Holds the GeoTIFFs.
    truth
        CSV table with a row per lake and pass, columns as `Truth` names them.
    granules
        Names, sorted; a superseded one is among them.
    superseded
        The one that a newer processing replaces.
    """

    folder: Path
    truth: Path
    granules: tuple[str, ...]
    superseded: tuple[str, ...]


def write_archive(
    out: Path,
    *,
    lakes: Sequence[str] = tuple(SITES),
    start: date = date(2022, 10, 1),
    end: date = date(2024, 10, 1),
    seed: int = 0,
) -> Archive:
    """Simulate every second pass of Sentinel-1A over a few lakes and write it as OPERA would.

    Parameters
    ----------
    out
        Folder; made if it is not there. Files of the same names are overwritten.
    lakes
        Any of ``tsho-rolpa``, ``chamlang`` and ``tilicho``, which lies on the seam of two bursts.
    start, end
        First day, and the day after the last, UTC.
    seed
        Same seed, same bytes.

    Raises
    ------
    CatalogError
        Where a lake or the dates make no archive, or nothing can be written in `out`.
    """
    if end <= start:
        raise CatalogError(f"end {end} is not after start {start}; swap them")
    wanted = [site(lake).id for lake in lakes]
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write_recipe(out / RECIPE, wanted, start, end, seed)
        return _write(out, wanted, start, end, seed)
    except OSError as error:
        raise CatalogError(
            f"cannot write the archive in {str(out)!r} ({error.strerror or error}); give a folder on a disk "
            "with room, where you may write"
        ) from error


def read_seed(folder: Path) -> int | None:
    """Tell with which seed the archive in a folder was made, or begun; None where that is not known.

    Raises
    ------
    CatalogError
        Where its ``archive.json`` cannot be read.
    """
    path = folder / RECIPE
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["seed"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CatalogError(
            f"{str(path)!r} cannot be read ({error}); delete the folder, it is written anew"
        ) from error


def _write_recipe(path: Path, lakes: Sequence[str], start: date, end: date, seed: int) -> None:
    """Record what an archive is made of, before its first granule, so that a broken one tells it as well."""
    recipe = {"seed": seed, "lakes": list(lakes), "start": start.isoformat(), "end": end.isoformat()}
    path.write_text(json.dumps(recipe) + "\n", encoding="utf-8")


def _write(out: Path, lakes: Sequence[str], start: date, end: date, seed: int) -> Archive:
    """Write granules and table into a folder that is there."""
    prepared = _prepare(lakes, seed)
    shots = _shots(prepared, start, end, seed)
    with ThreadPoolExecutor(max_workers=2) as pool:
        names = list(pool.map(lambda shot: shot.write(out), shots))
    logger.info("wrote granules=%d folder=%s", len(names), out)
    table = write_truth(out / "truth.csv", _truths(prepared, start, end))
    superseded = [name for name, shot in zip(names, shots, strict=True) if shot.is_old]
    return Archive(out, table, tuple(sorted(names)), tuple(superseded))


@dataclass(frozen=True)
class _Patch:
    """One lake in one burst, ready to be imaged; `inside` (y, x) bool is where the burst has data."""

    scene: Scene
    ground: Ground
    inside: NDArray[np.bool_]

    def seen(self) -> NDArray[np.bool_]:
        """Where the radar sees the ground and nothing else: (y, x) bool."""
        seen: NDArray[np.bool_] = self.inside & (self.ground.view.mask == VALID)
        return seen


@dataclass(frozen=True)
class _Prepared:
    """One burst, ready to be imaged on any day."""

    burst: Burst
    lattice: Lattice
    patches: tuple[_Patch, ...]


@dataclass(frozen=True)
class _Shot:
    """One granule to be written."""

    prepared: _Prepared
    day: date
    first_day: date
    seed: int
    is_old: bool = False
    delay_days: int = 0

    def write(self, folder: Path) -> str:
        """Simulate and write the granule; its name."""
        burst, lattice = self.prepared.burst, self.prepared.lattice
        rng = np.random.default_rng([self.seed, self.day.toordinal(), *burst.id.encode()])
        start = sensing_start(TRACKS[burst.relative_orbit], burst, self.day)
        made = created(start, rng) + timedelta(days=self.delay_days)
        name = granule_name(burst, start, made)
        write_granule(folder, name, lattice, self._layers(rng), tags_of(burst, start, made))
        return name

    def _layers(self, rng: np.random.Generator) -> dict[str, Layer]:
        """Layers on the burst's lattice: ``VV`` and ``VH`` (1, linear power), ``mask`` codes; (y, x)."""
        shape = (self.prepared.lattice.rows, self.prepared.lattice.columns)
        vv, vh = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
        mask = np.full(shape, FILL, np.uint8)
        calibration = np.float32(10 ** (OLD_CALIBRATION_DB / 10) if self.is_old else 1)
        for patch in self.prepared.patches:
            place = self.prepared.lattice.place(patch.scene)
            lake = patch.scene.site
            season = season_of(lake, self.day, self.first_day)
            image = patch.ground.look(season, weather_of(lake, self.day, self.seed), rng)
            vv[place] = np.where(patch.inside, image["vv"] * calibration, np.nan)
            vh[place] = np.where(patch.inside, image["vh"] * calibration, np.nan)
            mask[place] = np.where(patch.inside, patch.ground.view.mask, FILL)
        return {"VV": vv, "VH": vh, "mask": mask}


def _prepare(lakes: Sequence[str], seed: int) -> list[_Prepared]:
    """Build ground and views of all bursts that see any of the lakes."""
    prepared = []
    scenes: dict[tuple[str, int], Scene] = {}
    for burst in BURSTS:
        inside = [lake for lake in burst.sites if lake in lakes]
        for lake in inside:
            key = (lake, burst.epsg)
            scenes[key] = scenes.get(key) or build_scene(
                SITES[lake], burst.epsg, SIZE_PX + 2 * MARGIN_PX, seed
            )
        if inside:
            here = [scenes[lake, burst.epsg] for lake in inside]
            patches = tuple(_patch(scene, burst) for scene in here)
            prepared.append(_Prepared(burst, lattice_of(burst, here), patches))
    return prepared


def _patch(scene: Scene, burst: Burst) -> _Patch:
    """Look at one scene from one burst."""
    view = view_scene(scene, TRACKS[burst.relative_orbit].look_azimuth_deg, burst.incidence_deg)
    return _Patch(scene, Ground(scene, view), inside_footprint(burst, scene))


def _shots(prepared: Sequence[_Prepared], start: date, end: date, seed: int) -> list[_Shot]:
    """List all granules: every pass of every burst, and the first one once more as an older processing."""
    shots = [
        _Shot(burst, day, start, seed)
        for burst in prepared
        for day in acquisitions(TRACKS[burst.burst.relative_orbit], start, end)
    ]
    if shots:
        shots[:1] = [replace(shots[0], is_old=True), replace(shots[0], delay_days=REPROCESSED_DAYS)]
    return shots


def _truths(prepared: Sequence[_Prepared], start: date, end: date) -> list[Truth]:
    """One row per lake and pass."""
    by_pass: dict[tuple[str, int], list[_Prepared]] = {}
    for burst in prepared:
        for patch in burst.patches:
            by_pass.setdefault((patch.scene.site.id, burst.burst.relative_orbit), []).append(burst)
    rows = []
    for (lake, orbit), bursts in by_pass.items():
        patches = [patch for burst in bursts for patch in burst.patches if patch.scene.site.id == lake]
        seen = np.logical_or.reduce([patch.seen() for patch in patches])
        for day in acquisitions(TRACKS[orbit], start, end):
            first = min(sensing_start(TRACKS[orbit], burst.burst, day) for burst in bursts)
            rows.append(_truth(patches[0].scene, seen, track_name(orbit), first, start))
    return sorted(rows)


def _truth(scene: Scene, seen: NDArray[np.bool_], track: str, first: datetime, first_day: date) -> Truth:
    """Say what a pass that sees `seen` (y, x) could measure."""
    season = season_of(scene.site, first.date(), first_day)
    inner = (slice(MARGIN_PX, -MARGIN_PX), slice(MARGIN_PX, -MARGIN_PX))
    water = coverage(scene.offshore_m[inner], shore_m(scene.front[inner], season), SPACING_M)
    solar_day = (first + timedelta(hours=scene.site.longitude_deg / 15)).date()
    return Truth(
        scene.site.id,
        track,
        f"{track}_S1A_{solar_day:%Y%m%d}",
        first.isoformat(),
        season.state,
        round(season.ice, 3),
        round(float(water.sum()) * SPACING_M**2, 1),
        round(float(water[seen].sum()) * SPACING_M**2, 1),
    )
