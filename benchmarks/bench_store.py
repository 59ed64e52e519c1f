"""The store beside its peers: appends, their growth, files, an area series, a cube of masks, resuming.

Run from the repository root: ``python -m benchmarks.bench_store``; S1-GRiTS takes part where its unpacked
wheel is on PYTHONPATH. Peers are interleaved; medians are printed as Markdown, in milliseconds by the clock
and, in brackets, of processor time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from benchmarks.store_peers import (
    Grits,
    Ours,
    OwnCommitFile,
    Peer,
    PlainIcechunk,
    PlainZarr,
    grits_is_there,
    header,
    n_files,
    slices,
)
from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.store_compact import compact

TEN_YEARS = 640
"""Slices of a track of two satellites that pass every 12 days each, in ten and a half years."""
CUBE = 200
"""Masks read together."""


class Took(NamedTuple):
    """Seconds of a call: by the clock, and of processor time, which neighbours on the machine change less."""

    wall_s: float
    cpu_s: float

    def __truediv__(self, n: float) -> Took:
        return Took(self.wall_s / n, self.cpu_s / n)


def timed(step: Callable[[], object]) -> Took:
    """Time a call."""
    begun, used = time.perf_counter(), time.process_time()
    step()
    return Took(time.perf_counter() - begun, time.process_time() - used)


def shown(times: Sequence[Took]) -> str:
    """Give the medians as ``wall (processor)`` milliseconds."""
    wall, cpu = (1e3 * statistics.median(part) for part in zip(*times, strict=True))
    return f"{wall:.2f} ({cpu:.2f})"


def singles(first: int, n: int, side_px: int) -> list[xr.Dataset]:
    """Give `n` datasets of one slice each."""
    block = slices(first, n, side_px)
    return [block.isel(time=[at]) for at in range(n)]


def add_all(peer: Peer, block: list[xr.Dataset]) -> None:
    """Append slices one by one."""
    for one in block:
        peer.add(one)


def peers_in(folder: Path, side_px: int) -> list[Peer]:
    """Make all peers with an empty store each."""
    found: list[Peer] = [
        Ours(folder / "ours64", side_px, 64),
        Ours(folder / "ours16", side_px, 16),
        Ours(folder / "ours1", side_px, 1),
        OwnCommitFile(folder / "own64", side_px, 64),
        OwnCommitFile(folder / "own1", side_px, 1),
        PlainIcechunk(folder / "icechunk"),
        PlainZarr(folder / "plain"),
    ]
    return [*found, Grits(folder / "grits", side_px)] if grits_is_there() else found


def bench_appends(folder: Path, side_px: int, n: int) -> None:
    """Append `n` slices to every peer, 64 each in turn; then read them back."""
    peers = peers_in(folder, side_px)
    spent: dict[str, list[Took]] = defaultdict(list)
    for first in range(0, n, 64):
        block = singles(first, 64, side_px)
        for peer in peers:
            spent[peer.name].append(timed(partial(add_all, peer, block)) / 64)
    compact(Store.open(str(folder / "ours1")))
    reads: dict[str, dict[str, list[Took]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(5):
        for peer in peers:
            reads[peer.name]["areas"].append(timed(peer.areas))
            reads[peer.name]["masks"].append(timed(lambda peer=peer: peer.masks(CUBE)))
    print(f"\n## {n} slices of {side_px} x {side_px} pixels\n")
    print(
        "| store | append a slice | first 64 | last 64 | files a slice | area series | "
        f"{CUBE} masks |\n|---|---|---|---|---|---|---|"
    )
    for peer in peers:
        each, read = spent[peer.name], reads[peer.name]
        cells = (peer.name, shown(each), shown(each[:1]), shown(each[-1:]), f"{n_files(peer.path) / n:.2f}")
        print("| " + " | ".join((*cells, shown(read["areas"]), shown(read["masks"]))) + " |", flush=True)


def bench_growth(folder: Path, n: int, batch: int, side_px: int) -> None:
    """Append `n` slices to one series and compare the first thousand with the last."""
    store, spent = Store.create(str(folder / f"long{batch}")), []
    for first in range(0, n, batch):
        block = slices(first, batch, side_px)
        spent.append(timed(lambda block=block: store.commit(Batch(header(side_px), block))) / batch)
    k = 1000 // batch
    first, last = spent[1 : k + 1], spent[-k:]
    ratio = statistics.median(one.cpu_s for one in last) / statistics.median(one.cpu_s for one in first)
    print(
        f"| {n} | {batch} | {shown(first)} | {shown(last)} | {ratio:.2f} | "
        f"{n_files(folder / f'long{batch}') / n:.2f} |",
        flush=True,
    )


def bench_resume(folder: Path, n_series: int, per_series: int, side_px: int) -> None:
    """Open a large store, learn what every series holds, and commit the first new slice."""
    url = str(folder / "large")
    store = Store.create(url)
    heads = [
        header(side_px, f"lake-{number // 4:04d}", f"T{number % 4 + 1:03d}") for number in range(n_series)
    ]
    block = slices(0, per_series, side_px)
    for head in heads:
        store.commit(Batch(head, block))

    def resume() -> None:
        opened = Store.open(url)
        state = opened.snapshot()
        state.quarantine()
        missing = [head for head in heads if len(state.held(head)[0]) < 10**9]
        opened.commit(Batch(missing[0], slices(per_series + int(time.time()) % 10**6, 1, side_px)))

    took = [timed(resume) for _ in range(5)]
    print(
        f"\n{n_series} series of {per_series} slices, {n_series * per_series} in all: resumed to the first "
        f"new commit in {shown(took)} ms (median of five); "
        f"{n_files(folder / 'large') / (n_series * per_series):.3f} files a slice",
        flush=True,
    )


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side-px", type=int, default=128)
    parser.add_argument("--slices", type=int, default=TEN_YEARS)
    parser.add_argument("--long", type=int, default=20_000)
    parser.add_argument("--batches", default="64,16,1", help="slices a commit of the series that grows")
    parser.add_argument("--parts", default="appends,growth,resume")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "appends" in given.parts:
            bench_appends(folder, given.side_px, given.slices)
        if "growth" in given.parts:
            print(
                "\n## One series that grows, 32 x 32 pixels\n\n| slices | a commit | first 1,000, a slice "
                "| last 1,000 | ratio of processor time | files a slice |\n|---|---|---|---|---|---|"
            )
            for batch in map(int, given.batches.split(",")):
                bench_growth(folder, given.long if batch > 1 else given.long // 4, batch, 32)
        if "resume" in given.parts:
            bench_resume(folder, 200, 500, 16)


if __name__ == "__main__":
    main()
