"""Workers on this machine, with the settings that make them quick."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.resource_tracker import ensure_running
from typing import Any

import dask
from dask.system import CPU_COUNT
from distributed import Nanny, Scheduler, SpecCluster
from distributed.system import MEMORY_LIMIT

from glaciolake.cluster.config import WHOLE_MEMORY, ClusterConfig
from glaciolake.cluster.errors import ClusterError

logger = logging.getLogger(__name__)

PRE_SPAWN = "distributed.nanny.pre-spawn-environ"
ALLOCATOR = {
    # Dask's own default hands freed memory back at once; torch, which allocates and frees tens of megabytes
    # an image, then spends more time in page faults than in arithmetic: a factor of two to three.
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
    "MALLOC_MMAP_MAX_": "0",
}
THREAD_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
GPU = "GPU"
SOON = "100ms"
"""A cluster that may grow does so for work of this length: a run hands out a little at a time."""


@contextmanager
def local_cluster(config: ClusterConfig) -> Iterator[SpecCluster]:
    """Start workers on this machine; they end with the block.

    Scripts need the usual ``if __name__ == "__main__":`` around the call, since workers import the script.

    Parameters
    ----------
    config
        Its scheduler is not looked at.

    Yields
    ------
    distributed.SpecCluster
        Loopback only, no dashboard; the scheduler runs in this process.
    """
    environ = worker_environ(config, os.environ, dask.config.get(PRE_SPAWN))
    with _process_environ(environ):
        with dask.config.set({PRE_SPAWN: environ}):
            cluster = _start(config)
        with _quiet_farewell(), cluster:
            if config.max_workers is not None:
                cluster.adapt(minimum=n_cpu_workers(config), maximum=config.max_workers, target_duration=SOON)
            yield cluster


@contextmanager
def _quiet_farewell() -> Iterator[None]:
    """Keep a warning from the user that means nothing once all results are here.

    On a crowded machine a worker process takes longer to leave than the four seconds its nanny waits.
    """
    nanny = logging.getLogger("distributed.nanny")

    def matters(record: logging.LogRecord) -> bool:
        return "still alive after" not in str(record.msg)

    nanny.addFilter(matters)
    try:
        yield
    finally:
        nanny.removeFilter(matters)


def worker_environ(
    config: ClusterConfig, environ: Mapping[str, str], dask_default: Mapping[str, Any]
) -> dict[str, str]:
    """Decide what workers have in their environment before their first line of code runs.

    Parameters
    ----------
    config
        Sizes of the cluster.
    environ
        This process's environment: what a person has set there wins.
    dask_default
        Dask's ``distributed.nanny.pre-spawn-environ``. Starting any local Dask cluster leaves these in the
        environment, so a value equal to Dask's own is taken for a leftover and not for a wish.

    Returns
    -------
    dict[str, str]
        Variables and values, Dask's included.
    """
    n_threads = max(1, CPU_COUNT // (most_cpu_workers(config) * config.threads_per_worker))
    ours = {**ALLOCATOR, **dict.fromkeys(THREAD_COUNTS, str(n_threads))}
    leftovers = {name: str(value) for name, value in dask_default.items()}
    wished = {
        name: value
        for name, value in environ.items()
        if name in ours | leftovers and value != leftovers.get(name)
    }
    return leftovers | ours | wished


def n_cpu_workers(config: ClusterConfig) -> int:
    """Workers without a GPU that the configuration asks for on this machine."""
    return config.n_workers or max(1, CPU_COUNT // config.threads_per_worker)


def most_cpu_workers(config: ClusterConfig) -> int:
    """Workers without a GPU that there may be on this machine, to share cores and memory among."""
    return config.max_workers or n_cpu_workers(config)


def worker_specs(config: ClusterConfig) -> dict[str, dict[str, Any]]:
    """Describe the workers to `distributed.SpecCluster`: name to class and options."""
    n_cpu, n_gpu = n_cpu_workers(config), config.n_gpu_workers if config.gpu else 0
    share = MEMORY_LIMIT // (most_cpu_workers(config) + n_gpu)
    limit = share if config.memory_limit == WHOLE_MEMORY else config.memory_limit
    options: dict[str, Any] = {
        "nthreads": config.threads_per_worker,
        "memory_limit": limit,
        "local_directory": str(config.spill_folder) if config.spill_folder else None,
        "host": "127.0.0.1",
        "dashboard": False,
        "silence_logs": logging.WARNING,
    }
    specs = {f"cpu-{number}": {"cls": Nanny, "options": options} for number in range(n_cpu)}
    for number in range(n_gpu):
        own = {"resources": {GPU: 1}, "nthreads": 1, "env": {"CUDA_VISIBLE_DEVICES": str(number)}}
        specs[f"gpu-{number}"] = {"cls": Nanny, "options": options | own}
    return specs


def _start(config: ClusterConfig) -> SpecCluster:
    specs = worker_specs(config)
    scheduler = {
        "cls": Scheduler,
        "options": {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"},
    }
    logger.info("starting workers=%d", len(specs))
    try:
        with _interrupts_held():
            return SpecCluster(
                workers=specs, worker=specs["cpu-0"], scheduler=scheduler, silence_logs=logging.WARNING
            )
    except (OSError, RuntimeError) as error:
        raise ClusterError(
            f"cannot start {len(specs)} workers on this machine: {error}; ask for fewer (n_workers), and in "
            "a script put the call under `if __name__ == '__main__':`"
        ) from error


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back until workers have started, and keep it from them for good.

    A terminal sends it to all processes at once, and a worker that is just importing ends in a traceback.
    What is blocked here is inherited: by the thread that looks after the workers, and by each of them.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # Python starts this tracker before a first worker, and then unblocks the signal in that thread
    ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _process_environ(environ: Mapping[str, str]) -> Iterator[None]:
    """Let this process's environment be `environ` while workers may start, and what it was afterwards.

    Dask prefers it to its configuration, and writes the same variables into it without taking them out again.
    """
    before = {name: os.environ.get(name) for name in (*environ, "PYTHONHASHSEED")}
    os.environ.update(environ)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
