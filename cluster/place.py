"""Work that needs a GPU goes where one is: the one spot that says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from distributed import Client, Future

from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.local import GPU


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


def need_gpu(client: Client) -> None:
    """Raise `ClusterError` unless a worker offers a GPU."""
    workers = client.scheduler_info()["workers"]
    if not any(worker.get("resources", {}).get(GPU, 0) >= 1 for worker in workers.values()):
        raise ClusterError(
            f"none of {len(workers)} workers at {address_of(client)} offers a GPU; start one with "
            f"`dask worker --resources 'GPU=1' {address_of(client)}`, or switch gpu off"
        )
