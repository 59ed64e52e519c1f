"""The cluster's own cost: tasks a slice, a plan of 100,000 slices, overhead, two workers against one.

    python -m benchmarks.bench_cluster [--rounds 3] [--slices 192] [--only tasks plan overhead workers]

Tasks are counted by the scheduler, in a real run. The plan is made of made-up granules, as complete as real
ones, by the planner itself; the client's memory is its own process's. The overhead is that of pieces that
sleep for 0.1 s a slice, so that nothing else is measured. Two workers against one do the real chain, one
thread each, in turn. Memory against the number of slices is `bench_memory`'s.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from distributed import Client, Future, Scheduler, SchedulerPlugin

from benchmarks.archive import write_archive
from benchmarks.interleave import machine
from benchmarks.plans import made_up_plan
from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.connect import connect
from glaciolake.cluster.crew import Crew
from glaciolake.cluster.flow import flow
from glaciolake.cluster.place import submit
from glaciolake.pipeline.config import RunConfig, load_config
from glaciolake.pipeline.plan import Piece
from glaciolake.pipeline.run import work_off

SLICE_S = 0.1
N_PLANNED = 100_000


class TaskCounter(SchedulerPlugin):  # type: ignore[misc]  # distributed has no types
    """Counts tasks that came to an end, by what they do."""

    name = "task-counter"

    def start(self, scheduler: Scheduler) -> None:
        """Begin at nothing; called by Dask."""
        self.done: Counter[str] = Counter()

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """Count a task that a worker has done; called by Dask."""
        if start == "processing" and finish == "memory":
            self.done[str(key).partition("-")[0]] += 1


def tasks_done(dask_scheduler: Scheduler) -> dict[str, int]:
    return dict(dask_scheduler.plugins[TaskCounter.name].done)


def settings(folder: Path, **cluster: Any) -> RunConfig:
    keys = {f"cluster.{name}": value for name, value in cluster.items()}
    place = {"source": str(folder / "archive"), "store": str(folder / "store"), "lakes": ["tsho-rolpa"]}
    return load_config(None, place | keys)


def count_tasks(folder: Path, n_slices: int) -> None:
    print("| cluster | slices | tasks, as the scheduler counts them | tasks a slice |\n|---|---|---|---|")
    for name, extra in {"CPU workers": {}, "CPU and GPU workers": {"gpu": True}}.items():
        config = settings(folder, n_workers=1, **extra)
        config = config.model_copy(update={"store": str(folder / f"tasks-{len(extra)}")})
        with connect(config.cluster) as client:
            client.register_plugin(TaskCounter())
            work_off(client, config)
            done = client.run_on_scheduler(tasks_done)
        told = ", ".join(f"{n} {kind}" for kind, n in sorted(done.items()))
        print(f"| {name} | {n_slices} | {told} | {sum(done.values()) / n_slices:.3f} |")


def look_at(crew: Crew, piece: Piece) -> Future[int]:
    """Hand a whole piece out to be pickled, sent and opened, and nothing to be done."""
    return submit(crew.client, n_passes, piece)


def n_passes(piece: Piece) -> int:
    return len(piece.passes)


def plan_and_hand_out(pipe: Any) -> None:
    """In a process of its own: plan, hand out the first pieces, then all of them; seconds and bytes."""
    process = psutil.Process()
    with Client(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as client:
        before = process.memory_info().rss
        begun = time.perf_counter()
        plan = made_up_plan(N_PLANNED)
        planned = time.perf_counter()
        crew, handed = Crew(client, ClusterConfig()), 0
        first_s = 0.0

        def pieces() -> Iterator[Piece]:
            nonlocal handed
            for piece in plan.pieces():
                handed += 1
                yield piece

        peak = process.memory_info().rss
        for number, _ in enumerate(flow(crew, pieces(), look_at)):
            if not number:
                first_s = time.perf_counter() - planned
            if number % 200 == 0:
                peak = max(peak, process.memory_info().rss)
        all_s = time.perf_counter() - planned
    pipe.send((plan.n_pending, handed, planned - begun, first_s, all_s, (peak - before) / 2**20))


def measure_plan() -> None:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    child = multiprocessing.get_context("spawn").Process(target=plan_and_hand_out, args=(theirs,))
    child.start()
    slices, pieces, plan_s, first_s, all_s, mib = ours.recv()
    child.join()
    print("| slices | pieces | planned, s | first back, s | all back, nothing to do, s | client grew, MiB |")
    print("|---|---|---|---|---|---|")
    print(f"| {slices} | {pieces} | {plan_s:.1f} | {first_s:.2f} | {all_s:.1f} | {mib:.0f} |")


def sleep_for(piece: range) -> int:
    time.sleep(SLICE_S * len(piece))
    return len(piece)


def hand_out(crew: Crew, piece: range) -> Future[int]:
    return submit(crew.client, sleep_for, piece)


def measure_overhead(rounds: int) -> None:
    print("| slices a piece | slices | wall, s | without overhead, s | overhead |\n|---|---|---|---|---|")
    with connect(ClusterConfig(n_workers=2)) as client:
        crew = Crew(client, ClusterConfig())
        list(flow(crew, [range(1)] * 4, hand_out))  # the first tasks connect
        taken: dict[int, list[float]] = {16: [], 1: []}
        for _ in range(rounds):
            for size, n_pieces in ((16, 12), (1, 160)):
                begun = time.perf_counter()
                list(flow(crew, [range(size)] * n_pieces, hand_out))
                taken[size].append(time.perf_counter() - begun)
    for size, n_pieces in ((16, 12), (1, 160)):
        ideal, wall = size * n_pieces * SLICE_S / 2, statistics.median(taken[size])
        print(f"| {size} | {size * n_pieces} | {wall:.2f} | {ideal:.2f} | {wall / ideal - 1:.1%} |")


def measure_workers(folder: Path, n_slices: int, rounds: int) -> None:
    """Time the chain on one worker and on two, both up and warm, in turn; only one works at a time."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    one, two = (settings(folder, n_workers=n, threads_per_worker=1) for n in (1, 2))
    with connect(one.cluster) as first, connect(two.cluster) as second:
        for number in range(rounds + 1):
            for n, client, config in ((1, first, one), (2, second, two)):
                store = str(folder / f"workers-{n}-{number}")
                begun = time.perf_counter()
                work_off(client, config.model_copy(update={"store": store}))
                if number:  # the first round opens networks and compiles
                    seconds[n].append(time.perf_counter() - begun)
    medians = {n: statistics.median(taken) for n, taken in seconds.items()}
    print("| workers of one thread | s | slices a second | times one |\n|---|---|---|---|")
    for n, taken in medians.items():
        print(f"| {n} | {taken:.2f} | {n_slices / taken:.1f} | {medians[1] / taken:.2f} |")
    ratios = sorted(a / b for a, b in zip(seconds[1], seconds[2], strict=True))
    print(f"ratio of the rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slices", type=int, default=192)
    parser.add_argument("--only", nargs="+", default=["tasks", "plan", "overhead", "workers"])
    asked = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        if {"tasks", "workers"} & set(asked.only):
            write_archive(folder / "archive", asked.slices)
        if "tasks" in asked.only:
            count_tasks(folder, asked.slices)
        if "plan" in asked.only:
            measure_plan()
        if "overhead" in asked.only:
            measure_overhead(asked.rounds)
        if "workers" in asked.only:
            measure_workers(folder, asked.slices, asked.rounds)


if __name__ == "__main__":
    main()
