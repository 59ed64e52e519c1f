"""A scheduler and workers as processes of their own, as on a cluster, to kill them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from distributed import Client


class Processes:
    """What was started in a folder; all of it ends with the block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"

    def scheduler(self) -> subprocess.Popen[bytes]:
        """Start a scheduler, at the same address each time."""
        return self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port))

    def worker(self, *options: str, environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a worker of one thread."""
        place = ("--nthreads", "1", "--local-directory", str(self.folder))
        return self._start("worker", self.address, *place, *options, environ=environ)

    def wait_for(self, n_workers: int) -> None:
        with Client(self.address, timeout=60) as client:
            client.wait_for_workers(n_workers, timeout=60)

    def log(self, process: subprocess.Popen[bytes]) -> str:
        """What a process has said so far."""
        return (self.folder / f"{self.running.index(process)}.log").read_text()

    def _start(
        self, kind: str, *words: str, environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, "--no-dashboard"]
        with (self.folder / f"{len(self.running)}.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=os.environ | (environ or {}), stdout=log, stderr=log
            )
        self.running.append(process)
        return process


@contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    """Start nothing yet; end by force whatever was started."""
    folder.mkdir()
    started = Processes(folder)
    try:
        yield started
    finally:
        for process in reversed(started.running):
            process.terminate()  # a nanny takes its worker along
        deadline_s = time.monotonic() + 10
        for process in started.running:
            try:
                process.wait(timeout=max(0.1, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process as the system does when memory runs out, without a last word."""
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
