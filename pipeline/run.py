"""Run: hand the pending pieces to Dask, commit what comes back, and keep going when one breaks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from distributed import Client, as_completed

from glaciolake.catalog.credentials import find_credentials, login_of_this_process
from glaciolake.catalog.lake import Lake
from glaciolake.catalog.lakes import find_lakes, load_lakes
from glaciolake.catalog.sources import open_source
from glaciolake.catalog.store import Batch, Store
from glaciolake.cluster.connect import connect
from glaciolake.cluster.plugins import WorkerSetup
from glaciolake.models.weights import read_spec, resolve
from glaciolake.pipeline.config import RunConfig
from glaciolake.pipeline.piece import Outcome, failure, finish, prepare, process
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
            client.register_plugin(WorkerSetup(secrets=login_of_this_process))
            _work(client, plan, store, summary, progress)
    return summary


def work_off(client: Client, config: RunConfig, progress: Progress = lambda done, total: None) -> Summary:
    """Do what `run` does on a Dask client that is already there, such as a notebook's."""
    store, plan, summary = _begin(config)
    progress(0, plan.n_pending)
    _work(client, plan, store, summary, progress)
    return summary


def _begin(config: RunConfig) -> tuple[Store, Plan, Summary]:
    store = Store.create(config.store)
    plan = plan_run(config, store)
    store.note_refused(plan.refused)
    summary = Summary(
        [SeriesCount(one.header.lake, one.header.track, 0, one.n_stored, one.n_empty) for one in plan.series],
        refused=dict(plan.refused),
        n_superseded=plan.n_superseded,
    )
    return store, plan, summary


def plan_run(config: RunConfig, store: Store) -> Plan:
    """Plan a run: what the source has for the lakes asked for and the store has not."""
    source = open_source(config.source, credentials=find_credentials())
    ref = resolve(config.model, engine=config.engine)
    return make_plan(config, _lakes(config), source, store, (ref, read_spec(ref)))


def _lakes(config: RunConfig) -> list[Lake]:
    registry = load_lakes(config.registry)
    return find_lakes(",".join(config.lakes), registry) if config.lakes else list(registry.values())


def _work(client: Client, plan: Plan, store: Store, summary: Summary, progress: Progress) -> None:
    counts = {(one.lake, one.track): one for one in summary.counts}
    done = 0
    for piece, outcome in outcomes(client, plan):
        store.commit(Batch(outcome.header, outcome.slices, outcome.failed))
        count = counts[outcome.header.lake, outcome.header.track]
        for name, entry in outcome.failed.items():
            summary.failed[f"{count.lake}/{count.track}/{name}"] = entry["reason"]
        count.n_failed += len(outcome.failed)
        count.n_new += len(piece.passes) - len(outcome.failed)
        done += len(piece.passes)
        progress(done, plan.n_pending)


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
    reason = f"{type(error).__name__}: {error}"
    logger.error("failed series=%s/%s reason=%s", piece.header.lake, piece.header.track, reason)
    return Outcome(piece.header, None, {one.id: failure(piece, one, "error", reason) for one in piece.passes})
