"""Plan: which slices are wanted, which are stored, and what is left to do."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta

from odc.geo.geobox import GeoBox

from glaciolake.catalog.addresses import without_secrets
from glaciolake.catalog.credentials import is_earthdata
from glaciolake.catalog.granule import Granule, track_name
from glaciolake.catalog.items import granule_of
from glaciolake.catalog.lake import Lake
from glaciolake.catalog.request import Found, Request, Source
from glaciolake.catalog.store import Store
from glaciolake.catalog.store_header import SeriesHeader, check_allowed
from glaciolake.catalog.store_snapshot import Snapshot
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.pipeline.config import RunConfig
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.grid import common_lattice
from glaciolake.pipeline.passes import Pass, group_passes
from glaciolake.pipeline.pending import Failure, broken_passes, held_of, sort_passes
from glaciolake.pipeline.recipe import Recipe, grid_of, header_of, with_record

logger = logging.getLogger(__name__)


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
    number
        Place among the series' pieces, from 0; commits keep to it.
    """

    header: SeriesHeader
    passes: tuple[Pass, ...]
    recipe: Recipe
    number: int = 0

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
    withheld
        Pass id -> kind and reason, for passes that the source does not offer whole.
    known_empty
        Pending passes that held no data over the lake the last time.
    """

    header: SeriesHeader
    recipe: Recipe
    pending: tuple[Pass, ...]
    n_stored: int
    withheld: dict[str, Failure] = field(default_factory=dict)
    known_empty: frozenset[str] = frozenset()

    @property
    def wants_record(self) -> bool:
        """Whether its network wants a record that is still to be drawn: no such slice is stored yet."""
        return bool(self.recipe.spec.record) and not self.header.record

    def with_record(self, record: str) -> SeriesPlan:
        """Settle the record that its slices are made beside."""
        return replace(self, header=with_record(self.header, record))

    @property
    def is_remote(self) -> bool:
        """Whether any scene is to be fetched over the network."""
        return any("://" in href and not href.startswith("file:") for href in self._hrefs())

    @property
    def needs_login(self) -> bool:
        """Whether any scene is fetched from the archive, which asks who reads."""
        return any(map(is_earthdata, self._hrefs()))

    def _hrefs(self) -> Iterator[str]:
        return (href for one in self.pending for granule in one.granules for _, href in granule.hrefs)


@dataclass
class Plan:
    """What a run will do; nothing has been read but headers.

    Attributes
    ----------
    series
        One entry per lake and track, sorted.
    refused
        Files and granules that cannot be used, name -> reason.
    unseen
        Lake id -> reason, for lakes without any scene.
    used
        Names of the granules that can be used.
    superseded
        Names of the granules that a newer processing replaces.
    """

    series: list[SeriesPlan] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    unseen: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    superseded: set[str] = field(default_factory=set)

    @property
    def n_pending(self) -> int:
        """Slices left to do."""
        return sum(len(one.pending) for one in self.series)

    def pieces(self) -> Iterator[Piece]:
        """Cut the pending passes into tasks, series by series and in time order."""
        for one in self.series:
            size = one.recipe.config.slices_per_piece
            for number, start in enumerate(range(0, len(one.pending), size)):
                yield Piece(one.header, one.pending[start : start + size], one.recipe, number)


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
        No scene at all for any lake, unless gaps are quiet, or an AOI outside all of them.
    SearchFailed
        A search could not be finished; it is never read as "nothing found".
    StoreError
        A series is stored that was made in another way.
    """
    ref, spec = network
    if spec.normalisation == "zscore":
        raise PipelineError(
            f"model {spec.name} wants a temporal z-score, which needs a slice's whole past; "
            "a run works on pieces. Use a model with normalisation db or paper"
        )
    plan, state = Plan(), store.snapshot()
    for lake in lakes:
        series = _series_of(plan, source, Recipe(config, ref, spec, lake), state)
        plan.series += series
        if not series and config.quiet_gaps:
            logger.info("no scene lake=%s from=%s to=%s", lake.id, config.start, config.last_day)
        elif not series:
            plan.unseen[lake.id] = (
                f"{without_secrets(config.source)} has no usable scene over {lake.id} "
                f"from {config.start} to {config.last_day}{_tracks_note(config, lake)}; "
                "check source, area, tracks and dates"
            )
    if not plan.series and (plan.refused or not config.quiet_gaps):
        raise PipelineError(" | ".join(plan.unseen.values()) + _refused_note(plan.refused))
    return plan


def _series_of(plan: Plan, source: Source, recipe: Recipe, state: Snapshot) -> list[SeriesPlan]:
    request = _request(recipe)
    if request is None:
        return []
    found = source.find(request)
    plan.refused |= {one.name: one.reason for one in found.refused}
    plan.superseded |= {item.id for item in found.superseded}
    by_track: dict[int, list[Granule]] = defaultdict(list)
    for item in found.items:
        granule = granule_of(item)
        plan.used.add(granule.name)
        by_track[granule.relative_orbit].append(granule)
    planned = []
    for _, granules in sorted(by_track.items()):
        one = _plan_track(plan, granules, recipe, state, found)
        if one is not None:
            planned.append(one)
    return planned


def _request(recipe: Recipe) -> Request | None:
    """Ask a day more on either side: the bursts of one pass can lie on two UTC days."""
    config, lake = recipe.config, recipe.lake
    tracks = config.tracks or lake.seeing_tracks
    if lake.tracks and not tracks:
        return None
    start = datetime.combine(config.start - timedelta(days=1), time(), UTC)
    end = datetime.combine(config.last_day + timedelta(days=2), time(), UTC)
    return Request(lake.aoi, start, end, tracks=tracks)


def _plan_track(
    plan: Plan, granules: Sequence[Granule], recipe: Recipe, state: Snapshot, found: Found
) -> SeriesPlan | None:
    config, lake = recipe.config, recipe.lake
    track = track_name(granules[0].relative_orbit)
    headers = state.headers(lake.id, track)
    stored = headers[-1] if headers else None
    kept, odd = common_lattice(granules, grid_of(stored) if stored else None)
    plan.refused |= {one.name: one.reason for one in odd}
    passes = [
        one for one in group_passes(kept, lake.longitude_deg) if config.start <= one.day <= config.last_day
    ]
    if not passes:
        return None
    header = header_of(kept, recipe, headers)
    check_allowed(header, headers, state.url, new_generation=config.new_generation)
    bursts = {granule.burst for granule in kept if granule.burst} | set(lake.bursts)
    broken = broken_passes((*found.refused, *odd), passes, bursts, lake.longitude_deg)
    done = sort_passes(passes, header, held_of(state, header), broken)
    logger.info("planned series=%s/%s pending=%d stored=%d", lake.id, track, len(done.pending), done.stored)
    return SeriesPlan(
        header, recipe, tuple(done.pending), done.stored, done.withheld, frozenset(done.known_empty)
    )


def _tracks_note(config: RunConfig, lake: Lake) -> str:
    if config.tracks:
        return f" on tracks {', '.join(map(track_name, config.tracks))}"
    hidden = ", ".join(map(track_name, lake.hidden_tracks))
    return f" (terrain hides it from {hidden}, which was not asked for)" if hidden else ""


def _refused_note(refused: dict[str, str]) -> str:
    if not refused:
        return ""
    name, reason = next(iter(sorted(refused.items())))
    return f" ({len(refused)} file(s) refused, the first: {name}: {reason})"
