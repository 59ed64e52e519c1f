"""One small cluster for all tests of this folder: a worker, and a worker that offers a GPU."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from distributed import Client, SpecCluster

from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.local import local_cluster


@pytest.fixture(scope="session")
def small_cluster() -> Iterator[SpecCluster]:
    with local_cluster(ClusterConfig(n_workers=1, gpu=True, memory_limit="1GiB")) as cluster:
        yield cluster


@pytest.fixture
def client(small_cluster: SpecCluster) -> Iterator[Client]:
    with Client(small_cluster) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.fixture
def kill_a_worker(client: Client) -> Callable[[], None]:
    """Kill one worker process, as the system does when memory runs out, and wait for its successor."""

    def kill() -> None:
        before = client.run(os.getpid)
        os.kill(min(before.values()), signal.SIGKILL)
        deadline = time.monotonic() + 60
        while True:
            after = {pid for pid in client.run(os.getpid, on_error="ignore").values() if isinstance(pid, int)}
            if len(after) == 2 and after != set(before.values()):
                return
            assert time.monotonic() < deadline, "the worker did not come back"
            time.sleep(0.1)

    return kill


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collect the clients that a test left behind between tests, not while another client starts."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.collect()
