"""Peak memory of a run against the number of slices: ten times the slices, at most 1.1 times the memory.

    python -m benchmarks.bench_memory [--slices 96]

The memory is the sum of the proportional set sizes of coordinator and workers, sampled while they work; each
run has a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil

from benchmarks.archive import write_archive

CODE = """
import sys
from glaciolake.pipeline.config import load_config
from glaciolake.pipeline.run import run
if __name__ == "__main__":
    run(load_config(None, {"source": sys.argv[1], "store": sys.argv[2], "lakes": ["tsho-rolpa"]}))
"""


def peak_bytes(command: list[str]) -> int:
    """Largest sum of proportional set sizes of a command and its children, bytes."""
    process = psutil.Popen(command)
    found, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            total = 0
            for one in [process, *process.children(recursive=True)]:
                try:
                    total += one.memory_full_info().pss
                except psutil.Error:
                    continue
            found.append(total)

    thread = threading.Thread(target=watch)
    thread.start()
    status = process.wait()
    over.set()
    thread.join()
    if status:
        raise subprocess.CalledProcessError(status, command)
    return max(found)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--slices", type=int, default=96)
    asked = parser.parse_args()
    peaks = {}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        script = folder / "one_run.py"
        script.write_text(CODE)
        for n in (asked.slices, 10 * asked.slices):
            write_archive(folder / f"archive{n}", n)
            peaks[n] = peak_bytes(
                [sys.executable, str(script), str(folder / f"archive{n}"), str(folder / f"s{n}")]
            )
    base = peaks[asked.slices]
    print("| slices | peak, MiB | times the first |\n|---|---|---|")
    for n, peak in peaks.items():
        print(f"| {n} | {peak / 2**20:.0f} | {peak / base:.2f} |")


if __name__ == "__main__":
    main()
