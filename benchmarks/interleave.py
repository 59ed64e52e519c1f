"""Time competitors in turns, so that what else the machine does falls on all of them."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Timing(NamedTuple):
    """Medians over the rounds, milliseconds."""

    wall_ms: float
    cpu_ms: float


def interleaved(jobs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Timing]:
    """Run every job once a round, after a round that counts for nothing; take wall and process CPU time."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for number in range(rounds + 1):
        for name, job in jobs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            job()
            if number:
                taken[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: Timing(*(1e3 * statistics.median(column) for column in zip(*times, strict=True)))
        for name, times in taken.items()
    }


def copy_ms(n_bytes: int, rounds: int = 15) -> float:
    """Median time, milliseconds, of copying so many bytes: the bound that memory sets."""
    source = np.ones(n_bytes, np.uint8)
    target = np.empty_like(source)
    return interleaved({"copy": lambda: np.copyto(target, source)}, rounds)["copy"].wall_ms


def machine() -> str:
    """Describe the processor, the cores and how busy they were."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = f"{line.split(':')[1].strip()} ({platform.machine()})"
            break
    load = os.getloadavg()[0]
    return (
        f"{model}, {os.cpu_count()} cores, load {load:.1f} at the start, Python {platform.python_version()}"
    )
