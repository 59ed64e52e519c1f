"""What several modules of these tests stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from distributed import LocalCluster


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """One cluster for all tests of a module: starting one takes longer than most of them."""
    place = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": ":0"}
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, **place) as cluster:
        yield cluster.scheduler_address
