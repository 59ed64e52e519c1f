"""The model, running: API server, controllers and node, until they are asked to end."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from tests.k8s.api import ApiServer
from tests.k8s.controllers import Controllers
from tests.k8s.node import Node
from tests.k8s.objects import Cluster
from tests.k8s.podman import Podman


async def serve(port: int, folder: Path, run: str, network: str, version: str) -> None:
    """Serve a cluster with the namespaces default and kube-system until SIGTERM."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    cluster = Cluster()
    for name in ("default", "kube-system"):
        await cluster.add("namespaces", {"metadata": {"name": name}, "status": {"phase": "Active"}})
    node = Node(cluster, Podman(run, network), folder)
    runner = await ApiServer(cluster, node.log, version).serve(port)
    works = [asyncio.create_task(one.run()) for one in (node, Controllers(cluster, node))]
    stop = asyncio.create_task(ended.wait())
    finished, _ = await asyncio.wait([stop, *works], return_when=asyncio.FIRST_COMPLETED)
    for one in works:
        one.cancel()
    await runner.cleanup()
    for done in finished - {stop}:
        done.result()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:6]))
