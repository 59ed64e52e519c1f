"""How many slices a chunk of pixels should hold: reads, appends and files of compacted stores.

Run from the repository root: ``python -m benchmarks.bench_store_chunks``. Prints Markdown: milliseconds by
the clock and, in brackets, of processor time, medians over rounds in which the stores take turns.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench_store import CUBE, TEN_YEARS, Took, shown, timed
from benchmarks.store_peers import LAKE, header, n_files, slices
from glaciolake.catalog.readers import open_lake
from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.store_compact import compact

COLUMNS = ("a date", "a date of three variables", "a pixel, ten years", f"{CUBE} masks", "append one")


def reads(url: str, n: int, side_px: int) -> dict[str, Callable[[], object]]:
    """Give what is timed; every call opens the store anew."""
    middle = side_px // 2
    names = ["water_probability", "surface", "gamma0_vv_db"]
    return {
        "a date": lambda: open_lake(url, LAKE)["surface"][n // 2].values,
        "a date of three variables": lambda: open_lake(url, LAKE)[names].isel(time=n // 2).load(),
        "a pixel, ten years": lambda: open_lake(url, LAKE)["gamma0_vv_db"][:n, middle, middle].values,
        f"{CUBE} masks": lambda: open_lake(url, LAKE)["surface"][n - CUBE : n].values,
    }


def bench(folder: Path, side_px: int, n: int, chunks: list[int], rounds: int) -> None:
    """Fill a store for each size of chunks, compact it, and let them take turns."""
    urls, files = {rows: str(folder / f"{side_px}-{rows}") for rows in chunks}, {}
    for rows, url in urls.items():
        store = Store.create(url)
        for first in range(0, n, 64):
            store.commit(Batch(header(side_px), slices(first, min(64, n - first), side_px)))
        before = n_files(Path(url) / "chunks")
        compact(store, rows)
        files[rows] = n_files(Path(url) / "chunks") - (before if rows != 16 else 0)
    spent: dict[int, dict[str, list[Took]]] = {rows: defaultdict(list) for rows in chunks}
    for number in range(rounds):
        for rows, url in urls.items():
            for name, step in reads(url, n, side_px).items():
                spent[rows][name].append(timed(step))
            one, store = slices(n + number, 1, side_px), Store.open(url)
            append = timed(lambda store=store, one=one: store.commit(Batch(header(side_px), one)))
            spent[rows]["append one"].append(append)
    print(f"\n## {n} slices of {side_px} x {side_px} pixels, {rounds} rounds\n")
    print("| slices a chunk | " + " | ".join(COLUMNS) + " | chunk files |\n|" + "---|" * (len(COLUMNS) + 2))
    for rows in chunks:
        cells = [shown(spent[rows][name]) for name in COLUMNS]
        print(f"| {rows} | " + " | ".join(cells) + f" | {files[rows]} |", flush=True)


def main() -> None:
    """Run it for small and large lakes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides-px", default="128,384")
    parser.add_argument("--slices", type=int, default=TEN_YEARS)
    parser.add_argument("--chunks", default="16,32,64,128")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for side_px in map(int, given.sides_px.split(",")):
            chunks = [int(rows) for rows in given.chunks.split(",")]
            bench(Path(name), side_px, given.slices, chunks, given.rounds)


if __name__ == "__main__":
    main()
