"""Clusters of a dask-gateway: a real one on this machine, where its server is installed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from pydantic import ValidationError

from glaciolake.cluster.config import ClusterConfig, GatewayPlace
from glaciolake.cluster.connect import connect
from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.place import address_of

NEEDED = ("dask_gateway", "dask_gateway_server", "sqlalchemy")
MISSING = [name for name in NEEDED if find_spec(name) is None]
needs_server = pytest.mark.skipif(
    bool(MISSING), reason=f"pip install 'dask-gateway' 'dask-gateway-server[local]': no {', '.join(MISSING)}"
)
SETTINGS = """
c.DaskGateway.backend_class = "dask_gateway_server.backends.local.UnsafeLocalBackend"
c.DaskGateway.address = "127.0.0.1:{api}"
c.Proxy.address = "127.0.0.1:{front}"
c.UnsafeLocalBackend.clusters_directory = "{folder}"
c.ClusterConfig.scheduler_cmd = ["{python}", "-m", "dask", "scheduler"]
c.ClusterConfig.worker_cmd = ["{python}", "-m", "dask", "worker"]
c.DBBackendBase.cluster_start_timeout = 300
c.DBBackendBase.worker_start_timeout = 300
"""


def free_port() -> int:
    with socket.socket() as here:
        here.bind(("127.0.0.1", 0))
        return int(here.getsockname()[1])


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a gateway that starts clusters as processes on this machine."""
    folder, front = tmp_path_factory.mktemp("gateway"), free_port()
    settings = folder / "settings.py"
    places = {"api": free_port(), "front": front, "folder": folder / "clusters", "python": sys.executable}
    settings.write_text(SETTINGS.format(**places))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "dask_gateway_server", "-f", settings],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{front}"
    try:
        _wait_until_it_answers(address, folder / "log")
        yield address
    finally:
        server.terminate()
        server.wait(timeout=60)


def _wait_until_it_answers(address: str, log: Path) -> None:
    deadline_s = time.monotonic() + 120
    while True:
        try:
            urlopen(f"{address}/api/health", timeout=5).close()
        except (URLError, OSError):
            assert time.monotonic() < deadline_s, log.read_text()
            time.sleep(0.5)
        else:
            return


@needs_server
def test_a_cluster_is_started_for_a_run_may_be_used_by_another_and_ends_with_the_first(gateway: str) -> None:
    new = ClusterConfig(gateway=GatewayPlace(address=gateway, n_workers=1), workers_timeout_s=300)
    with connect(new) as first:
        name = address_of(first).rpartition("/")[2]
        named = ClusterConfig(gateway=GatewayPlace(address=gateway, name=name), workers_timeout_s=300)
        with connect(named) as second:
            assert second.submit(os.getpid).result(timeout=60) != os.getpid()
        assert first.submit(sum, [1, 2, 3]).result(timeout=60) == 6, "it was left as it is"
    with (
        pytest.raises(ClusterError, match=f"no cluster '{name}' from the gateway at {gateway}"),
        connect(named),
    ):
        pytest.fail("it has ended")


def test_a_gateway_that_is_not_there_is_told() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    told = rf"from the gateway at {address} \(.*check the address, your login"
    if "dask_gateway" in MISSING:
        told = r"pip install 'glaciolake\[gateway\]'"
    config = ClusterConfig(gateway=GatewayPlace(address=address))
    assert not config.is_local
    with pytest.raises(ClusterError, match=told), connect(config):
        pytest.fail("nobody is there")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"gateway": {"address": "gateway:8000"}}, "String should match pattern"),
        ({"gateway": {"address": "http://g"}, "scheduler": "tcp://b:1"}, r"give gateway \(http://g\), sched"),
        ({"gateway": {"address": "http://g"}, "kubernetes": {"release": "a"}}, "one of them"),
    ],
)
def test_a_place_is_one_place(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ClusterConfig(**given)
