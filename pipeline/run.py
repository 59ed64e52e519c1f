"""Run: hand the pending pieces to Dask, commit what comes back, and keep going when one breaks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import NamedTuple

from distributed import Client, Future

from glaciolake.catalog.addresses import without_secrets
from glaciolake.catalog.credentials import check_unexpired, find_credentials, login_of_this_process
from glaciolake.catalog.lake import Lake
from glaciolake.catalog.lakes import find_lakes, load_lakes
from glaciolake.catalog.request import Source
from glaciolake.catalog.sources import open_source
from glaciolake.catalog.store import Batch, Store
from glaciolake.cluster.connect import connect
from glaciolake.cluster.crew import Crew
from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.flow import flow
from glaciolake.cluster.place import submit, submit_off_gpu, submit_on_gpu
from glaciolake.cluster.plugins import WorkerSetup
from glaciolake.models.engines import choose
from glaciolake.models.errors import ModelError
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.models.weights import read_spec, resolve
from glaciolake.pipeline.commit import SeriesWriter
from glaciolake.pipeline.config import RunConfig
from glaciolake.pipeline.errors import LoginRefused, PipelineError
from glaciolake.pipeline.piece import Outcome, failed_pass, finish, prepare, process
from glaciolake.pipeline.plan import Piece, Plan, SeriesPlan, make_plan
from glaciolake.pipeline.record import settle_records, unsettled
from glaciolake.pipeline.refusals import Refusals
from glaciolake.pipeline.shards import shard_of

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with (slices done, slices to do)."""


@dataclass
class SeriesCount:
    """What a run did for one lake and track: slices counted by what became of them."""

    lake: str
    track: str
    n_new: int = 0
    n_kept: int = 0
    n_empty: int = 0
    n_failed: int = 0


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes
    ----------
    counts
        One entry per lake and track, in the order of the plan.
    failed
        ``lake/track/pass`` -> reason, for slices that stay pending.
    refused
        File or granule -> reason, for what the source could not offer.
    n_superseded
        Granules that a newer processing replaces.
    """

    counts: list[SeriesCount]
    failed: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    n_superseded: int = 0

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for could be used."""
        return not (self.failed or self.refused)


def run(config: RunConfig, progress: Progress = lambda done, total: None) -> Summary:
    """Bring a store up to date with a source: plan, work, commit.

    Parameters
    ----------
    config
        What, where from, where to.
    progress
        Told the slices done and to do.

    Returns
    -------
    Summary
        Counts per lake and track, and everything that could not be used, with reasons.

    Raises
    ------
    CatalogError, PipelineError, ModelError, ClusterError
        What stops a run as a whole: a failed search, an unwritable store, no worker, a lost scheduler. What
        is committed stays, and the same call goes on from there. A single broken file or lost worker never
        stops it; it is in the summary, and the next run tries again.
    """
    store, plan, summary = _begin(config)
    progress(0, plan.n_pending)
    if plan.n_pending:
        if any(one.needs_login for one in plan.series):
            check_unexpired(find_credentials())
        with connect(config.cluster) as client:
            remote = any(one.is_remote for one in plan.series)
            client.register_plugin(WorkerSetup(secrets=login_of_this_process if remote else None))
            _work(client, plan, store, summary, progress)
    return summary


def work_off(client: Client, config: RunConfig, progress: Progress = lambda done, total: None) -> Summary:
    """Do what `run` does on a Dask client that is already there, such as a notebook's."""
    store, plan, summary = _begin(config)
    progress(0, plan.n_pending)
    _work(client, plan, store, summary, progress)
    return summary


def _begin(config: RunConfig) -> tuple[Store, Plan, Summary]:
    work = _settled(config)
    store = Store.create(config.store)
    plan = make_plan(config, work.lakes, work.source, store, (work.ref, work.spec))
    store.note_refused(plan.refused, source=without_secrets(config.source), used=plan.used)
    summary = Summary([], dict(plan.unseen), dict(plan.refused), len(plan.superseded))
    for one in plan.series:
        header = one.header
        summary.counts.append(
            SeriesCount(header.lake, header.track, n_kept=one.n_stored, n_failed=len(one.withheld))
        )
        for name, entry in one.withheld.items():
            summary.failed[f"{header.lake}/{header.track}/{name}"] = entry["reason"]
        if not one.wants_record:
            _commit_withheld(store, one)
    return store, plan, summary


def _commit_withheld(store: Store, one: SeriesPlan) -> None:
    if one.withheld:
        new = one.recipe.config.new_generation
        store.commit(Batch(one.header, None, one.withheld, new_generation=new))


def _settle(client: Client, plan: Plan, store: Store, summary: Summary) -> Plan:
    """Draw the records that are wanted; series without one stay as they are, and are told as failed."""
    settled, reasons = settle_records(client, plan)
    summary.failed.update(unsettled(plan, reasons))
    for before, after, count in zip(plan.series, settled.series, summary.counts, strict=True):
        count.n_failed += len(before.pending) - len(after.pending)
        if before.wants_record and not after.wants_record:
            _commit_withheld(store, after)
    return settled


class _Work(NamedTuple):
    """What a run needs beside its store, found before one is made."""

    lakes: list[Lake]
    source: Source
    ref: ModelRef
    spec: ModelSpec


def plan_run(config: RunConfig, store: Store) -> Plan:
    """Plan a run: what the source has for the lakes asked for and the store has not."""
    work = _settled(config)
    return make_plan(config, work.lakes, work.source, store, (work.ref, work.spec))


def _settled(config: RunConfig) -> _Work:
    """Find lakes, source and network, or say what is wrong before anything is written."""
    registry = load_lakes(config.registry)
    lakes = find_lakes(",".join(config.lakes), registry) if config.lakes else list(registry.values())
    if config.shard is not None:
        lakes = shard_of(lakes, config.shard)
    ref = resolve(config.model, engine=config.engine)
    if config.cluster.is_local:  # a cluster's workers have packages of their own
        choose(config.engine)
        if config.backend != "native" and find_spec(config.backend.replace("odc", "odc.stac")) is None:
            raise PipelineError(f"backend {config.backend!r} is not installed; use backend native")
    return _Work(lakes, open_source(config.source), ref, read_spec(ref))


def _work(client: Client, plan: Plan, store: Store, summary: Summary, progress: Progress) -> None:
    total = plan.n_pending
    plan = _settle(client, plan, store, summary)
    series = {
        (one.header.lake, one.header.track): (one, count, SeriesWriter(store, one))
        for one, count in zip(plan.series, summary.counts, strict=True)
    }
    done, refusals = total - plan.n_pending, Refusals()
    try:
        for piece, outcome in outcomes(client, plan):
            one, count, writer = series[outcome.header.lake, outcome.header.track]
            writer.add(outcome)
            _count(one, count, summary, outcome)
            refusals.note(outcome)
            count.n_new += len(piece.passes) - len(outcome.failed)
            done += len(piece.passes)
            progress(done, total)
    except (ClusterError, LoginRefused):
        for _, _, writer in series.values():
            writer.flush()  # what has come back is not done again
        raise
    for _, _, writer in series.values():
        writer.flush()


def _count(one: SeriesPlan, count: SeriesCount, summary: Summary, outcome: Outcome) -> None:
    """Count the passes of a piece that could not be used."""
    for name, entry in outcome.failed.items():
        if entry["kind"] == "empty" and name in one.known_empty:
            count.n_empty += 1
            continue
        count.n_failed += 1
        summary.failed[f"{count.lake}/{count.track}/{name}"] = entry["reason"]


def outcomes(client: Client, plan: Plan) -> Iterator[tuple[Piece, Outcome]]:
    """Work through a plan's pieces, as they finish.

    Only a few pieces per worker are in flight, so that neither the scheduler nor this process grows with the
    length of the plan.

    Parameters
    ----------
    client
        Dask client with at least one worker.
    plan
        What is to be done.

    Yields
    ------
    tuple of Piece and Outcome
        A piece whose worker was lost, or that raised, comes with a failure for each of its passes.

    Raises
    ------
    ClusterError
        The scheduler is lost, or no worker is left that could do the work.
    """
    first = next(iter(plan.series), None)
    if first is None:
        return
    place = first.recipe.config.cluster
    crew = Crew(client, place)
    for piece, value, error in flow(crew, plan.pieces(), _hand_out):
        yield piece, value if error is None else _failed(piece, error)


def _hand_out(crew: Crew, piece: Piece) -> Future[Outcome]:
    if not piece.recipe.config.cluster.gpu:
        return submit(crew.client, process, piece)
    prepared = submit_off_gpu(crew.client, crew.kinds.get("cpu", ()), prepare, piece)
    return submit_on_gpu(crew.client, finish, piece, prepared)


def _failed(piece: Piece, error: BaseException) -> Outcome:
    """Make a failure of each pass of a piece that raised, or whose workers were lost again and again."""
    if isinstance(error, ModelError):  # no fault of a scene: every other piece would fail alike
        raise error
    reason = f"{type(error).__name__}: {error}"
    logger.error("failed series=%s/%s reason=%s", piece.header.lake, piece.header.track, reason)
    return Outcome(
        piece.header, None, {one.id: failed_pass(piece, one, "error", reason) for one in piece.passes}
    )
