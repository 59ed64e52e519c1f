"""How long an archive takes to simulate, how large it is, how much memory its workers hold.

python -m benchmarks.bench_simulate [--lakes 2 --years 2023-2024] ...

Runs ``glaciolake simulate`` as people do and watches the process and its children. There is no peer to
compare with: nobody else draws such archives. The bound beside it is the time that the same bytes take to be
compressed and written by GDAL alone, on as many processes, which no simulator can beat.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import psutil
import rasterio

CORES = len(os.sched_getaffinity(0))


class Watch(threading.Thread):
    """Peak of the proportional set sizes of a process and its children, bytes."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak_bytes, self.going = pid, 0, True

    def run(self) -> None:
        """Look twice a second."""
        while self.going:
            try:
                parent = psutil.Process(self.pid)
                family = [parent, *parent.children(recursive=True)]
                self.peak_bytes = max(self.peak_bytes, sum(one.memory_full_info().pss for one in family))
            except psutil.Error:
                pass
            time.sleep(0.5)


def rewrite(path: str) -> int:
    """Read one granule layer and write it again as it is; its bytes."""
    with rasterio.open(path) as file:
        values, profile, tags = file.read(1), file.profile, file.tags()
    for key in ("blockxsize", "blockysize", "tiled", "interleave", "predictor"):
        profile.pop(key, None)
    predictor = "STANDARD" if values.dtype == "uint8" else "FLOATING_POINT"
    made = {"driver": "COG", "predictor": predictor, "level": 3, "overviews": "NONE", "sparse_ok": True}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "a.tif"
        with rasterio.open(out, "w", **(profile | made)) as file:
            file.write(values, 1)
            file.update_tags(**tags)
        return out.stat().st_size


def bound_s(archive: Path, n_sample: int) -> float:
    """Seconds that GDAL alone needs for all files of an archive, from a sample of them."""
    files = sorted(str(path) for path in (archive / "scenes").rglob("*.tif"))
    sample = files[:: max(1, len(files) // n_sample)]
    with ProcessPoolExecutor(CORES, mp_context=get_context("spawn")) as pool:
        list(pool.map(rewrite, sample[:2]))
        begun = time.perf_counter()
        list(pool.map(rewrite, sample, chunksize=8))
        return (time.perf_counter() - begun) * len(files) / len(sample)


def main() -> None:
    """Simulate, and print one line of a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lakes", default="tsho-rolpa,chamlang")
    parser.add_argument("--years", default="2023-2024")
    parser.add_argument("--keep", type=Path, help="folder to leave the archive in")
    asked = parser.parse_args()
    out = asked.keep or Path(tempfile.mkdtemp()) / "archive"
    begun = time.perf_counter()
    command = [sys.executable, "-m", "glaciolake.pipeline", "simulate", str(out)]
    process = subprocess.Popen([*command, "--lakes", asked.lakes, "--years", asked.years])
    watch = Watch(process.pid)
    watch.start()
    code = process.wait()
    wall_s = time.perf_counter() - begun
    watch.going = False
    if code:
        sys.exit(code)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    n_granules = sum(1 for _ in (out / "scenes").rglob("*_VV.tif"))
    print("| lakes | years | granules | MB | wall s | bound s | peak MB | cores |")
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {asked.lakes} | {asked.years} | {n_granules} | {size / 1e6:.0f} | {wall_s:.1f} "
        f"| {bound_s(out, 400):.1f} | {watch.peak_bytes / 1e6:.0f} | {CORES} |"
    )
    if not asked.keep:
        shutil.rmtree(out.parent)


if __name__ == "__main__":
    main()
