"""A storm over a store: writers that are killed at any moment, slices in any order, twice, late, reprocessed.

Used by the quick test and by ``benchmarks/bench_store_kill.py``. Processes are forked off a server that has
imported everything, so that starting one again costs milliseconds.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from glaciolake.catalog.readers import StoreReader
from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.store_header import SeriesHeader
from tests.catalog.store_data import HEADER, slices

REPROCESSED = 0.25
"""Share of the slices that come in a second version."""
PASS = "T121_S1A_{:05d}"


@dataclass(frozen=True, order=True)
class Delivery:
    """One slice as a source offers it: which series, day and version."""

    lake: str
    day: int
    version: str

    @property
    def header(self) -> SeriesHeader:
        return replace(HEADER, lake=self.lake)

    @property
    def name(self) -> str:
        return PASS.format(self.day)


def deliveries(lakes: Sequence[str], n_days: int, seed: int = 0) -> list[Delivery]:
    """All slices of some lakes, a quarter of them in two versions."""
    rng = random.Random(seed)
    found = []
    for lake in lakes:
        for day in range(n_days):
            found.append(Delivery(lake, day, "v1"))
            if rng.random() < REPROCESSED:
                found.append(Delivery(lake, day, "v2"))
    return found


def serial_digest(url: str, work: Sequence[Delivery]) -> str:
    """Write all of it by one undisturbed writer in order, and give the digest."""
    store = Store.create(url)
    for lake in sorted({one.lake for one in work}):
        for version in ("v1", "v2"):
            mine = [one.day for one in sorted(work) if (one.lake, one.version) == (lake, version)]
            if mine:
                store.commit(Batch(replace(HEADER, lake=lake), slices(mine, version=version)))
    return store.digest()


def write(url: str, work: Sequence[Delivery], seed: int) -> None:
    """Bring what is missing into the store in a random order, as a run does after it was killed."""
    rng = random.Random(seed)
    store = Store.create(url)
    state = store.snapshot()
    held = {lake: state.held(replace(HEADER, lake=lake))[0] for lake in {one.lake for one in work}}
    todo = [one for one in work if f"{one.version}-{one.day}" not in held[one.lake].get(one.name, ())]
    rng.shuffle(todo)
    while todo:
        first = todo[-1]
        batch = [one for one in todo if (one.lake, one.version) == (first.lake, first.version)]
        batch = batch[-rng.randint(1, 4) :]
        content = Batch(first.header, slices([one.day for one in batch], version=first.version))
        store.commit(content)
        if rng.random() < 0.2:
            store.commit(content)  # delivered twice
        done = set(batch)
        todo = [one for one in todo if one not in done]


@dataclass
class Seen:
    """What a reader met."""

    reads: int = 0
    errors: list[str] = field(default_factory=list)


def read_on(url: str, stop: Any, answer: Any, seed: int) -> None:
    """Read again and again until told to stop: every state must be whole, and none older than that before."""
    rng, seen = random.Random(seed), Seen()
    before: dict[str, dict[str, str]] = {}
    reader = StoreReader(url)
    while not stop.is_set():
        try:
            reader.refresh()
            for lake in reader.lakes:
                before[lake] = check_state(reader, lake, before.get(lake, {}), pixels=rng.random() < 0.2)
                seen.reads += 1
        except Exception as error:  # all that a reader may meet is to be told
            seen.errors.append(f"{type(error).__name__}: {error}")
    answer.put(seen)


def check_state(reader: StoreReader, lake: str, before: dict[str, str], *, pixels: bool) -> dict[str, str]:
    """Check one state of a lake: whole, sorted, each pass once, nothing gone; give pass id -> version."""
    series = reader.open_lake(lake)
    days = series["time"].values.astype("datetime64[D]").astype(int)
    names, versions = (series[name].values.astype(str) for name in ("pass_id", "version"))
    assert (np.diff(days) > 0).all(), "out of order or doubled"
    assert list(names) == [PASS.format(day) for day in days], "names and times of different slices"
    seeds = np.array([sum(map(ord, version.split("-")[0])) for version in versions], int)
    expected = (days * 3 + seeds) % 100
    assert (series["area_m2"].values == expected).all(), "numbers of another slice"
    if pixels and len(days):
        at = slice(-16, None)
        stored = series["gamma0_vv_db"][at].values / 0.01
        assert np.allclose(stored, expected[at, None, None], atol=1e-3), "torn: pixels of another slice"
    found = dict(zip(names, versions, strict=True))
    assert before.keys() <= found.keys(), "a slice has gone"
    assert all(version <= found[name] for name, version in before.items()), "back to an older version"
    return found


@dataclass
class Storm:
    """Writers that are killed and started again until all work is done.

    Attributes
    ----------
    target
        What a writer does: called with url, work and a seed.
    url
        Store.
    work
        All slices; every writer is given all of them, so that everything is offered many times.
    kills
        Number of SIGKILLs.
    pause_s
        Longest pause between two of them.
    """

    target: Callable[[str, Sequence[Delivery], int], None]
    url: str
    work: Sequence[Delivery]
    kills: int
    pause_s: float = 0.3
    failed: int = 0
    killed: int = 0

    def rage(self, n_writers: int, seed: int = 0, limit_s: float = 600.0) -> None:
        """Kill, restart, and wait for the end; a writer that ends by itself with an error is counted."""
        rng, context = random.Random(seed), forks()
        until_s = time.monotonic() + limit_s
        writers = [self._start(context, rng) for _ in range(n_writers)]
        while self.killed < self.kills and time.monotonic() < until_s:
            time.sleep(rng.uniform(0, self.pause_s))
            at = rng.randrange(n_writers)
            if writers[at].is_alive():
                writers[at].kill()
                self.killed += 1
            writers[at].join()
            self._count(writers[at])
            writers[at] = self._start(context, rng)
        for writer in writers:
            writer.join(max(1.0, until_s - time.monotonic()))
            if writer.exitcode is None:
                writer.kill()
                writer.join()
                self.failed += 1
            self._count(writer)

    def _start(self, context: ForkServerContext, rng: random.Random) -> BaseProcess:
        process = context.Process(target=self.target, args=(self.url, self.work, rng.randrange(2**30)))
        process.start()
        return process

    def _count(self, writer: BaseProcess) -> None:
        self.failed += writer.exitcode not in (0, -9)


def forks() -> ForkServerContext:
    """Give the server of processes, with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.catalog.store_kills"])
    return context


def rows_of_all(url: str, work: Sequence[Delivery]) -> tuple[int, int]:
    """Count slices lost and rows doubled in our store."""
    reader, lost, doubled = StoreReader(url), 0, 0
    for lake in sorted({one.lake for one in work}):
        table = reader.history(lake, "T121")
        table = table[~table["status"].isin(["withdrawn", "damaged"])]
        keys = list(zip(table["pass_id"], table["version"], strict=True))
        doubled += len(keys) - len(set(keys))
        wanted = {(one.name, f"{one.version}-{one.day}") for one in work if one.lake == lake}
        lost += len(wanted - set(keys))
    return lost, doubled
