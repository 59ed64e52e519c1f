"""Write an archive of OPERA RTC-S1 granules whose lakes are known exactly."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.folder import FolderSource
from glaciolake.catalog.simulate.bursts import Burst
from glaciolake.catalog.simulate.calendar import passes_due, sensing_start
from glaciolake.catalog.simulate.granules import damage
from glaciolake.catalog.simulate.imaging import Task, sites_in, write_burst
from glaciolake.catalog.simulate.order import Order, read_recipe, write_recipe
from glaciolake.catalog.simulate.registry import write_registry
from glaciolake.catalog.simulate.truth import Made, Pass, write_outlines, write_table
from glaciolake.catalog.simulate.truth_rows import SiteTask, SiteTruth, truth_of_site
from glaciolake.catalog.static_catalog import build

logger = logging.getLogger("glaciolake.catalog.simulate")

PASSES_A_TASK = 20
"""Passes of one burst that one task writes: some seconds of work."""
REGISTRY = "lakes.geojson"
CATALOG = "catalog"

Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""Maps a function over tasks, in order: threads, or a Dask client's processes."""


@dataclass(frozen=True)
class Archive:
    """What was written.

    Attributes
    ----------
    folder
        Holds ``scenes``, ``static``, ``truth``, the catalogue and the registry.
    granules
        Names, sorted; superseded and damaged ones are among them.
    superseded
        Those that a newer processing replaces.
    damaged
        Name -> kind of damage.
    """

    folder: Path
    granules: tuple[str, ...]
    superseded: tuple[str, ...]
    damaged: Mapping[str, str]

    @property
    def catalog(self) -> Path:
        """The static STAC catalogue, which any source reads."""
        return self.folder / CATALOG / "catalog.json"

    @property
    def registry(self) -> Path:
        """Lakes of the archive as a registry, for ``--registry``."""
        return self.folder / REGISTRY


def on_threads(work: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
    """Map over tasks with two threads of this process."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(work, tasks))


def write_archive(out: Path, order: Order, mapper: Mapper = on_threads) -> Archive:
    """Simulate the passes of some years over some sites, and write them as OPERA would, with their truth.

    Parameters
    ----------
    out
        Folder; it must be empty, or not there.
    order
        What is wanted, see `glaciolake.catalog.simulate.order.make_order`.
    mapper
        Who works: `on_threads`, or a function that maps on a Dask client.

    Raises
    ------
    CatalogError
        Where `out` holds something, or nothing can be written there.
    """
    out = out.absolute()  # workers may have been started in another folder
    check_empty(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_recipe(out, order, complete=False)
        drawn = tasks_of(order, out)
        # In one go: no core waits for the last scene before the truth is begun.
        done = list(mapper(_work, [*drawn, *(SiteTask(order, site, str(out)) for site in order.sites)]))
        made = [one for some in done[: len(drawn)] for one in some]
        truths = done[len(drawn) :]
        _check_here(out, made)
        logger.info("wrote granules=%d folder=%s", len(made), out)
        _write_truth(out, made, truths)
        write_registry(out / REGISTRY, [lake for truth in truths for lake in truth.lakes])
        build(FolderSource(out / "scenes"), out / CATALOG)
        for one in made:
            # Last, so that the catalogue lists them all the same, as real ones do: reading finds them out.
            if one.damage:
                damage(out / "scenes" / one.burst, one.granule, one.damage)
        write_recipe(out, order, complete=True)
    except OSError as error:
        raise CatalogError(
            f"cannot write the archive in {str(out)!r} ({error.strerror or error}); give a folder on a disk "
            "with room, where you may write"
        ) from error
    return _archive(out, made)


def _work(task: Task | SiteTask) -> Any:
    """Draw some passes of a burst, or work out the truth of a site."""
    return truth_of_site(task) if isinstance(task, SiteTask) else write_burst(task)


def check_empty(out: Path) -> None:
    """Refuse a place that holds anything: nothing is overwritten."""
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        begun = read_recipe(out) if out.is_dir() else None
        what = "a file" if out.is_file() else "not empty"
        hint = "; an archive was begun there and not finished" if begun and not begun[1] else ""
        raise CatalogError(f"{str(out)!r} is {what}{hint}; give a folder that is empty or not there yet")


def _check_here(out: Path, made: Sequence[Made]) -> None:
    """Refuse to go on where workers wrote to a disk of their own."""
    away = next(
        (one for one in made if not (out / "scenes" / one.burst / f"{one.granule}_VV.tif").is_file()), None
    )
    if away is not None:
        raise CatalogError(
            f"{away.granule} was written, and is not in {str(out)!r}: the workers have another disk; give a "
            "folder that this machine and they share"
        )


def tasks_of(order: Order, out: Path) -> list[Task]:
    """List what is to be written: every acquired pass of every burst, some passes a task, longest first."""
    tasks = []
    sites = sites_in(order)
    for burst in sorted(sites, key=lambda one: -len(sites[one])):
        due = [one for one in passes_due(burst.track, order.start, order.end, order.seed) if one.acquired]
        starts = range(0, max(1, len(due)), PASSES_A_TASK)
        tasks += [
            Task(order, burst, tuple(due[first : first + PASSES_A_TASK]), str(out), first == 0)
            for first in starts
        ]
    return tasks


def _write_truth(out: Path, made: Sequence[Made], truths: Sequence[SiteTruth]) -> None:
    """Write the tables; each pass learns the granules that were made of it."""
    write_table(out, "daily", [row for truth in truths for row in truth.days])
    write_table(out, "events", [row for truth in truths for row in truth.events])
    write_table(out, "granules", made)
    write_outlines(out, [one for truth in truths for one in truth.outlines])
    names: dict[tuple[str, str, Any], list[str]] = {}
    for one in made:
        if not one.superseded:
            names.setdefault((one.burst, one.sensor, one.sensing_start), []).append(one.granule)
    rows = [_with_granules(row, bursts, names) for truth in truths for row, bursts in truth.passes]
    write_table(out, "passes", rows)


def _with_granules(
    row: Pass, bursts: Sequence[Burst], names: Mapping[tuple[str, str, Any], list[str]]
) -> Pass:
    if not row.acquired:
        return row
    day = row.sensing_start.date()
    found = [name for one in bursts for name in names.get((one.id, row.sensor, sensing_start(one, day)), [])]
    return replace(row, granules=" ".join(sorted(found)))


def _archive(out: Path, made: Sequence[Made]) -> Archive:
    return Archive(
        out,
        tuple(sorted(one.granule for one in made)),
        tuple(sorted(one.granule for one in made if one.superseded)),
        {one.granule: one.damage for one in made if one.damage},
    )
