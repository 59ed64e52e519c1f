"""Run: hand the pending pieces to Dask, commit what comes back, and keep going when one breaks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, NamedTuple

from distributed import Client, as_completed

from glaciolake.catalog.addresses import without_secrets
from glaciolake.catalog.credentials import login_of_this_process
from glaciolake.catalog.lake import Lake
from glaciolake.catalog.lakes import find_lakes, load_lakes
from glaciolake.catalog.request import Source
from glaciolake.catalog.sources import open_source
from glaciolake.catalog.store import Batch, Store
from glaciolake.cluster.connect import connect
from glaciolake.cluster.plugins import WorkerSetup
from glaciolake.models.engines import choose
from glaciolake.models.errors import ModelError
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.models.weights import read_spec, resolve
from glaciolake.pipeline.commit import SeriesWriter
from glaciolake.pipeline.config import RunConfig
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.piece import Outcome, failed_pass, finish, prepare, process
from glaciolake.pipeline.plan import Piece, Plan, make_plan

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
        What stops a run as a whole: a failed search, an unwritable store, no worker. A single broken file or
        lost worker never does; it is in the summary, and the next run tries again.
    """
    store, plan, summary = _begin(config)
    progress(0, plan.n_pending)
    if plan.n_pending:
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
        if one.withheld:
            store.commit(Batch(header, None, one.withheld, new_generation=config.new_generation))
    return store, plan, summary


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
    ref = resolve(config.model, engine=config.engine)
    if config.cluster.scheduler is None:  # a cluster's workers have packages of their own
        choose(config.engine)
        if config.backend != "native" and find_spec(config.backend.replace("odc", "odc.stac")) is None:
            raise PipelineError(f"backend {config.backend!r} is not installed; use backend native")
    return _Work(lakes, open_source(config.source), ref, read_spec(ref))


def _work(client: Client, plan: Plan, store: Store, summary: Summary, progress: Progress) -> None:
    series = {
        (one.header.lake, one.header.track): (one, count, SeriesWriter(store, one))
        for one, count in zip(plan.series, summary.counts, strict=True)
    }
    done = 0
    for piece, outcome in outcomes(client, plan):
        one, count, writer = series[outcome.header.lake, outcome.header.track]
        writer.add(outcome)
        for name, entry in outcome.failed.items():
            if entry["kind"] == "empty" and name in one.known_empty:
                count.n_empty += 1
                continue
            count.n_failed += 1
            summary.failed[f"{count.lake}/{count.track}/{name}"] = entry["reason"]
        count.n_new += len(piece.passes) - len(outcome.failed)
        done += len(piece.passes)
        progress(done, plan.n_pending)
    for _, _, writer in series.values():
        writer.flush()


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
    """
    pieces = plan.pieces()
    threads = max(1, sum(client.nthreads().values()))
    waiting: dict[str, Piece] = {}
    queue = as_completed(loop=client.loop)
    for piece in _first(pieces, 2 * threads):
        _submit(client, queue, waiting, piece)
    for future in queue:
        piece = waiting.pop(str(future.key))
        outcome = _result(piece, future)
        future.release()
        for following in _first(pieces, 1):
            _submit(client, queue, waiting, following)
        yield piece, outcome


def _first(pieces: Iterator[Piece], n: int) -> Iterator[Piece]:
    for _ in range(n):
        piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def _submit(client: Client, queue: as_completed, waiting: dict[str, Piece], piece: Piece) -> None:
    if piece.recipe.config.cluster.gpu:
        prepared = client.submit(prepare, piece, pure=False, retries=2)
        future = client.submit(finish, piece, prepared, pure=False, retries=2, resources={"GPU": 1})
    else:
        future = client.submit(process, piece, pure=False, retries=2)
    waiting[str(future.key)] = piece
    queue.add(future)


def _result(piece: Piece, future: Any) -> Outcome:
    if future.status == "finished":
        outcome: Outcome = future.result()
        return outcome
    error = future.exception()
    if isinstance(error, ModelError):  # no fault of a scene: every other piece would fail alike
        raise error
    reason = f"{type(error).__name__}: {error}"
    logger.error("failed series=%s/%s reason=%s", piece.header.lake, piece.header.track, reason)
    return Outcome(
        piece.header, None, {one.id: failed_pass(piece, one, "error", reason) for one in piece.passes}
    )
