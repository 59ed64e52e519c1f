"""Plan: which slices are wanted, which are stored, and what is left to do."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from affine import Affine
from odc.geo.geobox import GeoBox

from glaciolake.catalog.granule import Granule, track_name
from glaciolake.catalog.items import granule_of
from glaciolake.catalog.lake import Lake
from glaciolake.catalog.request import Found, Request, Source
from glaciolake.catalog.store import Store
from glaciolake.catalog.store_layout import SeriesHeader
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.pipeline.config import RunConfig, digest
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.grid import common_lattice, series_grid
from glaciolake.pipeline.passes import Pass, group_passes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """How the slices of a lake are made: settings, network, lake; the same for all its pieces."""

    config: RunConfig
    ref: ModelRef
    spec: ModelSpec
    lake: Lake


@dataclass(frozen=True)
class Piece:
    """One task: some passes of one lake and track. A piece done twice changes nothing.

    Attributes
    ----------
    header
        The series it belongs to.
    passes
        At most ``slices_per_piece`` of them, in time order.
    recipe
        How they are made.
    """

    header: SeriesHeader
    passes: tuple[Pass, ...]
    recipe: Recipe

    @property
    def grid(self) -> GeoBox:
        """Grid of the series."""
        return grid_of(self.header)


@dataclass(frozen=True)
class SeriesPlan:
    """What is to be done for one lake and track.

    Attributes
    ----------
    header
        The series.
    recipe
        How its slices are made.
    pending
        Passes that are not stored in this version, in time order.
    n_stored
        Wanted passes that are stored already.
    n_empty
        Wanted passes known to hold no data over the lake.
    """

    header: SeriesHeader
    recipe: Recipe
    pending: tuple[Pass, ...]
    n_stored: int
    n_empty: int


@dataclass(frozen=True)
class Plan:
    """What a run will do; nothing has been read but headers.

    Attributes
    ----------
    series
        One entry per lake and track, sorted.
    refused
        Files and granules that cannot be used, name -> reason.
    n_superseded
        Granules that a newer processing replaces.
    """

    series: tuple[SeriesPlan, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    n_superseded: int = 0

    @property
    def n_pending(self) -> int:
        """Slices left to do."""
        return sum(len(one.pending) for one in self.series)

    def pieces(self) -> Iterator[Piece]:
        """Cut the pending passes into tasks, series by series and in time order."""
        for one in self.series:
            size = one.recipe.config.slices_per_piece
            for start in range(0, len(one.pending), size):
                yield Piece(one.header, one.pending[start : start + size], one.recipe)


def grid_of(header: SeriesHeader) -> GeoBox:
    """Grid of a series as a GeoBox."""
    return GeoBox(header.shape, Affine(*header.transform), header.crs)


def slice_version(one: Pass, header: SeriesHeader) -> str:
    """Version of a slice: changes when a granule is added, removed or reprocessed, or the recipe changes."""
    return digest(one.version_digest, header.settings_digest)


def make_plan(
    config: RunConfig,
    lakes: Sequence[Lake],
    source: Source,
    store: Store,
    network: tuple[ModelRef, ModelSpec],
) -> Plan:
    """Search the source for every lake and leave out what the store holds.

    Parameters
    ----------
    config
        What is wanted.
    lakes
        Which lakes.
    source
        Where scenes come from.
    store
        Where results lie.
    network
        The network and its contract.

    Raises
    ------
    PipelineError
        No scene at all for any lake, or an AOI outside all of them.
    SearchFailed
        A search could not be finished; it is never read as "nothing found".
    """
    ref, spec = network
    if spec.normalisation == "zscore":
        raise PipelineError(
            f"model {spec.name} wants a temporal z-score, which needs a slice's whole past; "
            "a run works on pieces. Use a model with normalisation db or paper"
        )
    series: list[SeriesPlan] = []
    refused: dict[str, str] = {}
    n_superseded = n_items = 0
    for lake in lakes:
        found = source.find(_request(config, lake))
        n_items += len(found.items)
        n_superseded += len(found.superseded)
        refused |= {one.name: one.reason for one in found.refused}
        series += _series_of(found, Recipe(config, ref, spec, lake), store, refused)
    if not n_items:
        names = ", ".join(lake.id for lake in lakes)
        raise PipelineError(
            f"{config.source} has no usable scene over {names} from {config.start} to {config.last_day}"
            f"{_refused_note(refused)}; check source, lakes, tracks and dates"
        )
    return Plan(tuple(series), refused, n_superseded)


def _request(config: RunConfig, lake: Lake) -> Request:
    start = datetime.combine(config.start, time(), UTC)
    end = datetime.combine(config.last_day + timedelta(days=1), time(), UTC)
    return Request(lake.aoi, start, end, tracks=config.tracks or lake.seeing_tracks)


def _series_of(found: Found, recipe: Recipe, store: Store, refused: dict[str, str]) -> list[SeriesPlan]:
    by_track: dict[int, list[Granule]] = defaultdict(list)
    for item in found.items:
        granule = granule_of(item)
        by_track[granule.relative_orbit].append(granule)
    planned = []
    for orbit, granules in sorted(by_track.items()):
        stored = store.header(recipe.lake.id, track_name(orbit))
        kept, odd = common_lattice(granules, grid_of(stored) if stored else None)
        refused |= {one.name: one.reason for one in odd}
        if kept:
            header = _header(kept, recipe, stored)
            planned.append(_pending(header, recipe, group_passes(kept, recipe.lake.longitude_deg), store))
    return planned


def _header(granules: Sequence[Granule], recipe: Recipe, stored: SeriesHeader | None) -> SeriesHeader:
    lake, spec, first = recipe.lake, recipe.spec, granules[0]
    grid = grid_of(stored) if stored else series_grid(granules, lake.aoi)
    settings = recipe.config.processing
    return SeriesHeader(
        lake=lake.id,
        lake_name=lake.name,
        track=track_name(first.relative_orbit),
        orbit_state=first.orbit_state,
        crs=str(grid.crs),
        transform=(grid.affine.a, 0.0, grid.affine.c, 0.0, grid.affine.e, grid.affine.f),
        shape=(int(grid.shape[0]), int(grid.shape[1])),
        model_name=spec.name,
        model_sha256=recipe.ref.sha256,
        settings=settings,
        simulated=any(granule.simulated for granule in granules),
        settings_digest=digest(settings, spec.model_dump_json(), recipe.ref.sha256, lake.outline.wkt),
    )


def _pending(header: SeriesHeader, recipe: Recipe, passes: Sequence[Pass], store: Store) -> SeriesPlan:
    stored = store.versions(header.lake, header.track)
    failed = store.quarantine()
    pending, n_stored, n_empty = [], 0, 0
    for one in passes:
        version = slice_version(one, header)
        entry = failed.get(f"{header.lake}/{header.track}/{one.id}", {})
        if stored.get(one.id) == version:
            n_stored += 1
        elif entry.get("kind") == "empty" and entry.get("version") == version:
            n_empty += 1  # the same granules will be as empty as before
        else:
            pending.append(one)
    logger.info(
        "planned series=%s/%s pending=%d stored=%d", header.lake, header.track, len(pending), n_stored
    )
    return SeriesPlan(header, recipe, tuple(pending), n_stored, n_empty)


def _refused_note(refused: Mapping[str, str]) -> str:
    if not refused:
        return ""
    name, reason = next(iter(sorted(refused.items())))
    return f" ({len(refused)} file(s) refused, the first: {name}: {reason})"
