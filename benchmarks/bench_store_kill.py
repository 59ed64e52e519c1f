"""The full storm: 200 kills over 8 writers, 4 readers, the same over peers, and on S3 with faults.

Run from the repository root: ``python -m benchmarks.bench_store_kill``. It takes many minutes, prints
Markdown, and ends with exit code 1 where our store lost, doubled or tore anything.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import xarray as xr

from benchmarks.s3_faults import as_environment, faulty_s3
from benchmarks.store_peers import as_cf
from glaciolake.catalog.store import Store
from tests.catalog.store_data import slices
from tests.catalog.store_kills import (
    Delivery,
    Seen,
    Storm,
    deliveries,
    forks,
    read_on,
    rows_of_all,
    serial_digest,
    write,
)

Writer = Callable[[str, Sequence[Delivery], int], None]


HEADINGS = ("store", "where", "kills", "writers that failed", "lost", "doubled", "torn")
HEADINGS += ("equals the serial run", "reads", "seconds")


@dataclass
class Found:
    """What a storm left behind.

    Attributes
    ----------
    lost, doubled, torn
        Slices: missing in their newest version; there more than once; with pixels, or numbers, of another.
    """

    lost: int = 0
    doubled: int = 0
    torn: int = 0
    unsorted: int = 0


def line(*cells: object) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def placed(environment: dict[str, str], step: Callable[..., None], *words: Any) -> None:
    """Run a step in an environment: processes are forked off a server that has another one."""
    os.environ.update(environment)
    step(*words)


def ours(url: str, work: Sequence[Delivery], storm: tuple[int, int, int, float], serial: str) -> bool:
    """Let the storm loose on our store, with readers beside it; True where all is well."""
    kills, n_writers, n_readers, pause_s = storm
    context = forks()
    Store.create(url)
    stop, answers = context.Event(), context.Queue()
    here = {key: value for key, value in os.environ.items() if key.startswith("AWS_")}
    reading, writing = partial(placed, here, read_on), partial(placed, here, write)
    readers = [context.Process(target=reading, args=(url, stop, answers, k)) for k in range(n_readers)]
    for reader in readers:
        reader.start()
    rage = Storm(writing, url, work, kills, pause_s)
    begun = time.monotonic()
    rage.rage(n_writers, limit_s=1800)
    storm_s = time.monotonic() - begun
    stop.set()
    seen: list[Seen] = [answers.get(timeout=300) for _ in readers]
    lost, doubled = rows_of_all(url, work)
    same = Store.open(url).digest() == serial
    errors = [error for one in seen for error in one.errors]
    reads = sum(one.reads for one in seen)
    line(
        "glaciolake",
        "S3" if url.startswith("s3") else "disk",
        rage.killed,
        rage.failed,
        lost,
        doubled,
        0 if same else "?",
        "yes" if same else "NO",
        f"{reads}, {len(errors)} errors",
        f"{storm_s:.0f}",
    )
    for error in errors[:3]:
        print(f"reader: {error}", file=sys.stderr)
    return same and not (lost or doubled or errors or rage.failed)


def append_some(
    open_it: Callable[[], Any], commit: Callable[[Any], None], work: Sequence[Delivery], seed: int
) -> None:
    """Append what is missing as people do with xarray: look which times are there, append, overwrite."""
    rng = np.random.default_rng(seed)
    for at in rng.permutation(len(work)):
        one = work[at]
        new = as_cf(slices([one.day], version=one.version))
        for _ in range(20):
            target = open_it()
            try:
                there = xr.open_zarr(target, group=one.lake, consolidated=False)
                times = there["time"].values.astype("datetime64[D]").astype(int)
                hit = np.flatnonzero(times == one.day)
                if not hit.size:
                    how: dict[str, Any] = {"append_dim": "time"}
                elif one.version > str(there["version"].values[hit[0]])[:2]:
                    how = {"region": {"time": slice(int(hit[0]), int(hit[0]) + 1)}}
                else:
                    break
            except (FileNotFoundError, KeyError, ValueError):
                how = {"mode": "w-"}
            try:
                new.to_zarr(target, group=one.lake, consolidated=False, zarr_format=3, **how)
                commit(target)
                break
            except Exception:  # somebody else was faster, or the store is broken: try again
                time.sleep(float(rng.uniform(0, 0.05)))


def plain_zarr(url: str, work: Sequence[Delivery], seed: int) -> None:
    """Write by xarray's append into a folder."""
    append_some(lambda: url, lambda target: None, work, seed)


def plain_icechunk(url: str, work: Sequence[Delivery], seed: int) -> None:
    """Write by xarray's append into icechunk, a commit a slice."""
    icechunk.set_logs_filter("off")
    repository = icechunk.Repository.open_or_create(icechunk.local_filesystem_storage(url))
    sessions: dict[int, Any] = {}

    def open_it() -> Any:
        session = repository.writable_session("main")
        sessions[0] = session
        return session.store

    append_some(open_it, lambda target: sessions[0].commit("one more"), work, seed)


def look(target: Any, work: Sequence[Delivery]) -> Found:
    """Compare what a peer holds with what was to be written."""
    found = Found()
    for lake in sorted({one.lake for one in work}):
        newest = {one.day: one.version for one in sorted(work) if one.lake == lake}
        try:
            held = xr.open_zarr(target, group=lake, consolidated=False).load()
        except Exception as error:  # a store that cannot be read holds nothing
            print(f"{lake}: {type(error).__name__}: {error}", file=sys.stderr)
            found.lost += len(newest)
            continue
        days = held["time"].values.astype("datetime64[D]").astype(int)
        found.doubled += len(days) - len(set(days))
        found.unsorted += int((np.diff(days) < 0).sum())
        for day, version in newest.items():
            rows = np.flatnonzero(days == day)
            want = slices([day], version=version)
            if not any(str(held["version"].values[row]) == want["version"].values[0] for row in rows):
                found.lost += 1
            elif not all(_whole(held.isel(time=row), want.isel(time=0)) for row in rows):
                found.torn += 1
    return found


def _whole(held: xr.Dataset, want: xr.Dataset) -> bool:
    return all(
        np.array_equal(np.asarray(held[name].values), np.asarray(want[name].values))
        for name in ("area_m2", "gamma0_vv_db", "water_probability", "pass_id")
    )


def peer(name: str, writer: Writer, path: Path, work: Sequence[Delivery], storm: tuple[int, float]) -> None:
    """Let the same storm loose on a peer."""
    rage = Storm(writer, str(path), work, *storm)
    begun = time.monotonic()
    rage.rage(8, limit_s=900)
    took_s = time.monotonic() - begun
    target: Any = str(path)
    if writer is plain_icechunk:
        repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(path)))
        target = repository.readonly_session("main").store
    found = look(target, work)
    state = "no" if found.lost or found.doubled or found.torn or found.unsorted else "yes"
    line(
        name,
        "disk",
        rage.killed,
        rage.failed,
        found.lost,
        found.doubled,
        found.torn,
        f"{state}; {found.unsorted} out of order",
        "-",
        f"{took_s:.0f}",
    )


def storm_on_disk(folder: Path, lakes: Sequence[str], given: argparse.Namespace) -> bool:
    """Storm over a store of ours on this disk; whether nothing was lost."""
    work = deliveries(lakes, given.days)
    serial = serial_digest(str(folder / "serial"), work)
    return ours(str(folder / "ours"), work, (given.kills, 8, 4, given.pause_s), serial)


def storm_on_s3(folder: Path, lakes: Sequence[str], given: argparse.Namespace) -> bool:
    """Do the same on a real S3 server whose answers fail, stall and break off."""
    work = deliveries(lakes, given.s3_days)
    serial = serial_digest(str(folder / "serial-s3"), work)
    (folder / "weed").mkdir()
    with faulty_s3(folder / "weed", 0.03) as (endpoint, sent):
        os.environ.update(as_environment(endpoint))
        good = ours("s3://lakes/storm", work, (given.s3_kills, 4, 2, given.pause_s), serial)
        print(f"\nfaults on S3, of {sum(sent.values())} requests: {dict(sent)}\n", flush=True)
    return good


def storm_over_peers(folder: Path, lakes: Sequence[str], given: argparse.Namespace) -> None:
    """Tell what the usual ways of appending lose."""
    work, kills = deliveries(lakes, given.peer_days), (given.kills // 4, given.pause_s)
    peer("plain Zarr, xarray append", plain_zarr, folder / "plain", work, kills)
    peer("icechunk, xarray append", plain_icechunk, folder / "icechunk", work, kills)


def main() -> None:
    """Run all storms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--days", type=int, default=250)
    parser.add_argument("--peer-days", type=int, default=40)
    parser.add_argument("--s3-days", type=int, default=40)
    parser.add_argument("--s3-kills", type=int, default=20)
    parser.add_argument("--pause-s", type=float, default=0.3, help="longest pause between two kills")
    parser.add_argument("--parts", default="ours,s3,peers")
    given = parser.parse_args()
    lakes, good = ["a", "b", "c", "d"], True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        line(*HEADINGS)
        line(*["---"] * len(HEADINGS))
        if "ours" in given.parts:
            good &= storm_on_disk(folder, lakes, given)
        if "s3" in given.parts:
            good &= storm_on_s3(folder, lakes[:2], given)
        if "peers" in given.parts:
            storm_over_peers(folder, lakes[:2], given)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
