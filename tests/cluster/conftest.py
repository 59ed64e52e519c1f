"""One small cluster for all tests of this folder: a worker, and a worker that offers a GPU."""

from __future__ import annotations

from collections.abc import Iterator

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
