"""What 4, 500 and 30,000 lakes cost: points measured here, lines fitted to them, and their error.

    python -m benchmarks.bench_scale [--series 1 4 16 64] [--workers 1 2 4 8]

Processor time is taken beside wall time: it says the same on a busy machine. A line is fitted to all points;
its error is the largest share by which a point is missed by the line through the others.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from distributed import Client, Scheduler, SpecCluster, Worker

from benchmarks.interleave import machine
from benchmarks.plans import PASSES, made_up_plan
from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.store_header import SeriesHeader
from glaciolake.catalog.variables import PIXEL, VARIABLES
from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.crew import Crew
from glaciolake.cluster.flow import flow
from glaciolake.cluster.place import submit

SHAPE = (169, 175)
"""Tsho Rolpa and its surroundings at 30 m, rows and columns."""
PER_COMMIT, PER_PIECE = 64, 16
LAKES = (4, 500, 30_000)
ROUNDS = 5
TRACKS_PER_LAKE = 2.5
"""Mean over the registry of tracks that see a lake."""
SLICE_CPU_S = 0.0346
"""Processor time of a slice on a worker: 17.3 ms on two cores, RESULTS.md."""


class Line(NamedTuple):
    """y = at_zero + slope x, and the largest share by which it misses a point that it was not fitted to."""

    at_zero: float
    slope: float
    error: float


def fitted(points: Mapping[float, float]) -> Line:
    """Fit a line, and leave each point out in turn to see how well the others foretell it."""
    x, y = (np.array(list(values), float) for values in (points.keys(), points.values()))
    slope, at_zero = np.polyfit(x, y, 1)
    misses = []
    for left_out in range(len(x)):
        rest = np.arange(len(x)) != left_out
        line = np.polyfit(x[rest], y[rest], 1)
        misses.append(abs(np.polyval(line, x[left_out]) / y[left_out] - 1))
    return Line(float(at_zero), float(slope), float(max(misses)))


def commit_batch(lake: str, number: int) -> Batch:
    """Make one commit's worth of slices: noise, which packs worse than lakes do."""
    random = np.random.default_rng(number)
    days = np.arange(PER_COMMIT) + number * PER_COMMIT
    found = xr.Dataset(coords={"time": ("time", days.astype("int64") * 86400 * 6)})
    for one in VARIABLES:
        if one.derived:
            continue
        if one.dtype == "str":
            words = np.array([f"T121_S1A_{one.name}_{day:05d}" for day in days], dtype=object)
            found[one.name] = ("time", words)
            continue
        shape = (PER_COMMIT, *SHAPE) if one.dims == PIXEL else (PER_COMMIT,)
        found[one.name] = (one.dims, random.integers(0, 100, shape).astype(one.dtype))
    header = SeriesHeader(
        lake=lake,
        lake_name=lake,
        track="T121",
        orbit_state="descending",
        crs="EPSG:32645",
        transform=(30.0, 0.0, 447_000.0, 0.0, -30.0, 3_083_220.0),
        shape=SHAPE,
        model_name="made-up",
        model_sha256="ab" * 32,
        settings="{}",
        settings_digest="made-up",
    )
    return Batch(header, found)


def measure_commits(n_series: Sequence[int]) -> tuple[dict[float, float], dict[float, float]]:
    """Median seconds, wall and processor, of a commit to a store that holds so many series already."""
    wall: dict[float, float] = {}
    cpu: dict[float, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        store, held = Store.create(str(Path(folder) / "store")), 0
        seed = commit_batch("seed", 0)
        few = seed.slices.isel(time=slice(0, 1)) if seed.slices is not None else None
        for n in n_series:
            for number in range(held, n):  # series of one slice: what counts is how many there are
                store.commit(Batch(replace(seed.header, lake=f"lake-{number:05d}"), few))
            held = n
            times = []
            for number in range(1, ROUNDS + 1):
                batch = commit_batch(f"measured-{n}", number)
                begun, begun_cpu = time.perf_counter(), time.process_time()
                store.commit(batch)
                times.append((time.perf_counter() - begun, time.process_time() - begun_cpu))
            wall[n], cpu[n] = (statistics.median(column) for column in zip(*times, strict=True))
    return wall, cpu


def measure_snapshots(n_series: Sequence[int]) -> dict[float, float]:
    """Bytes of the snapshot that each commit writes, of a store of so many series: it lists all of them."""
    found: dict[float, float] = {}
    with tempfile.TemporaryDirectory() as text:
        folder, seed = Path(text) / "store", commit_batch("seed", 0)
        store = Store.create(str(folder))
        assert seed.slices is not None
        few, header = seed.slices.isel(time=slice(0, 1), y=slice(0, 4), x=slice(0, 4)), seed.header
        for number in range(max(n_series)):
            store.commit(Batch(replace(header, lake=f"lake-{number:05d}", shape=(4, 4)), few))
            if number + 1 in n_series:
                files = (path for path in (folder / "snapshots").rglob("*") if path.is_file())
                found[number + 1] = max(files, key=lambda path: path.stat().st_mtime_ns).stat().st_size
    return found


def measure_objects() -> tuple[float, float]:
    """Files and MiB that a commit writes, median; in a bucket each file is a request to put an object."""
    with tempfile.TemporaryDirectory() as text:
        folder, grown = Path(text) / "store", []
        store = Store.create(str(folder))
        store.commit(commit_batch("lake", 0))
        for number in range(1, ROUNDS + 1):
            before = {path for path in folder.rglob("*") if path.is_file()}
            store.commit(commit_batch("lake", number))
            new = [path for path in folder.rglob("*") if path.is_file() and path not in before]
            grown.append((len(new), sum(path.stat().st_size for path in new) / 2**20))
    files, mib = (statistics.median(column) for column in zip(*grown, strict=True))
    return files, mib


def measure_tasks(n_workers: Sequence[int], n_pieces: int = 400) -> dict[float, float]:
    """Processor milliseconds of client, scheduler and workers together for a piece that does nothing."""
    place = {"host": "127.0.0.1", "dashboard": False}
    scheduler = {"cls": Scheduler, "options": place | {"dashboard_address": "127.0.0.1:0"}}
    pieces = list(made_up_plan(PER_PIECE * n_pieces).pieces())
    found: dict[float, float] = {}
    for n in n_workers:
        workers = {k: {"cls": Worker, "options": place | {"nthreads": 1}} for k in range(n)}
        with SpecCluster(workers=workers, scheduler=scheduler) as cluster, Client(cluster) as client:
            crew = Crew(client, ClusterConfig())
            list(flow(crew, pieces[:20], lambda crew, piece: submit(crew.client, len, piece.passes)))
            begun = time.process_time()
            list(flow(crew, pieces, lambda crew, piece: submit(crew.client, len, piece.passes)))
            found[n] = 1e3 * (time.process_time() - begun) / len(pieces)
    return found


def table(heading: str, points: Mapping[float, float], line: Line) -> None:
    print(f"\n| {heading} | measured | line |\n|---|---|---|")
    for x, y in points.items():
        print(f"| {x:g} | {y:.4g} | {line.at_zero + line.slope * x:.4g} |")
    print(f"\nline: {line.at_zero:.4g} + {line.slope:.4g} x, error at most {line.error:.0%}")


def foretell(task: Line, commit: Line) -> None:
    """Print what the lines say of archives that cannot be tried here."""
    print("\n| lakes | series | slices | tasks | commits | scheduler, h | commits, h | work, core h |")
    print("|---|---|---|---|---|---|---|---|")
    for lakes in LAKES:
        series = int(lakes * TRACKS_PER_LAKE)
        slices = series * PASSES
        pieces, commits = slices / PER_PIECE, slices / PER_COMMIT
        # as the store fills: on average half of the series are there
        commit_s = commit.at_zero + commit.slope * series / 2
        hours = (pieces * task.at_zero / 3.6e6, commits * commit_s / 3600, slices * SLICE_CPU_S / 3600)
        numbers = " | ".join(f"{value:,.2f}" for value in hours)
        print(f"| {lakes:,} | {series:,} | {slices:,} | {pieces:,.0f} | {commits:,.0f} | {numbers} |")


def main() -> None:
    """Measure, fit and print Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    asked = parser.parse_args()
    print(machine())
    tasks = measure_tasks(asked.workers)
    task = fitted(tasks)
    table("workers; processor ms a piece that does nothing", tasks, task)
    wall, cpu = measure_commits(asked.series)
    commit = fitted(cpu)
    table("series in the store; processor s a commit of 64 slices", cpu, commit)
    table("series in the store; wall s a commit of 64 slices", wall, fitted(wall))
    snapshots = measure_snapshots(asked.series)
    table("series in the store; bytes of a snapshot, one a commit", snapshots, fitted(snapshots))
    foretell(task, commit)
    files, mib = measure_objects()
    size = f"{SHAPE[0]} x {SHAPE[1]}"
    print(f"\na commit of {PER_COMMIT} slices of {size} pixels of noise: {files:g} files, {mib:.1f} MiB")


if __name__ == "__main__":
    main()
