"""Work that needs a GPU goes where one is: the one spot that says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from distributed import Client, Future

from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.local import GPU

LOOK_AGAIN_S = 0.5


def map_on_gpu(client: Client, work: Callable[[Any], Any], pieces: Sequence[Any]) -> list[Future[Any]]:
    """Hand out work, one piece a task, to workers that offer a GPU and to no other.

    Annotations around xarray steps are lost when the graph is optimised; resources given to ``client.map``
    hold.

    Parameters
    ----------
    client
        Dask client.
    work
        Called with each piece, on a worker.
    pieces
        Small values: keys and references, not pixels.

    Returns
    -------
    list of distributed.Future
        One a piece, in their order; each is tried three times.

    Raises
    ------
    ClusterError
        No worker offers a GPU: Dask would wait for one for ever.
    """
    need_gpu(client)
    futures: list[Future[Any]] = client.map(work, pieces, resources={GPU: 1}, pure=False, retries=2)
    return futures


def address_of(client: Client) -> str:
    """Address of a client's scheduler, for messages."""
    return str(client.scheduler.address) if client.scheduler else "(closed)"


def by_kind(client: Client) -> dict[str, list[str]]:
    """Addresses of the workers, by kind: ``gpu`` for those that offer one, ``cpu`` for all others."""
    kinds: dict[str, list[str]] = {"cpu": [], "gpu": []}
    for address, worker in sorted(client.scheduler_info()["workers"].items()):
        kinds["gpu" if worker.get("resources", {}).get(GPU, 0) >= 1 else "cpu"].append(address)
    return {kind: addresses for kind, addresses in kinds.items() if addresses}


def need_gpu(client: Client, timeout_s: float = 0.0) -> None:
    """Wait for a worker that offers a GPU; raise `ClusterError` where none comes."""
    deadline_s = time.monotonic() + timeout_s
    while "gpu" not in (kinds := by_kind(client)):
        if time.monotonic() >= deadline_s:
            waited = f" after {timeout_s:g} s" if timeout_s else ""
            raise ClusterError(
                f"none of {sum(map(len, kinds.values()))} workers at {address_of(client)} offers a GPU"
                f"{waited}; start one with `dask worker --resources 'GPU=1' {address_of(client)}`, or switch "
                "gpu off"
            )
        time.sleep(LOOK_AGAIN_S)
