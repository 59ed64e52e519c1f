"""Work that needs a GPU goes where one is: the one spot that says so.

Annotations around xarray steps are lost when the graph is optimised; what ``client.submit`` is given holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from distributed import Client, Future

from glaciolake.cluster.local import GPU

RETRIES = 2
"""A task that raises is tried three times; one whose worker is lost, as often as Dask's settings say."""
T = TypeVar("T")


def submit(client: Client, work: Callable[..., T], *given: Any) -> Future[T]:
    """Hand out one piece of work, to any worker."""
    return client.submit(work, *given, pure=False, retries=RETRIES)


def submit_on_gpu(client: Client, work: Callable[..., T], *given: Any) -> Future[T]:
    """Hand out one piece of work, to workers that offer a GPU and to no other.

    Dask waits for such a worker for ever: `need_workers` sees beforehand that there is one, `Crew` later.
    """
    return client.submit(work, *given, pure=False, retries=RETRIES, resources={GPU: 1})


def submit_off_gpu(client: Client, others: Sequence[str], work: Callable[..., T], *given: Any) -> Future[T]:
    """Hand out one piece of work, preferably to workers without a GPU, so that it does not keep one waiting.

    Parameters
    ----------
    client
        Dask client.
    others
        Addresses of the workers without; where all of them have left, any worker does it.
    work
        Called with what is given, on a worker.
    """
    if not others:
        return submit(client, work, *given)
    where: dict[str, Any] = {"workers": list(others), "allow_other_workers": True}
    return client.submit(work, *given, pure=False, retries=RETRIES, **where)


def address_of(client: Client) -> str:
    """Address of a client's scheduler, for messages."""
    return str(client.scheduler.address) if client.scheduler else "(closed)"


def how_to_start(address: str, *, gpu: bool = False) -> str:
    """Say how a scheduler gets a worker, for messages."""
    if address.startswith("gateway://"):
        return "have the gateway start some (cluster.gateway.n_workers, and what it allows you)"
    options = "--resources 'GPU=1' " if gpu else ""
    return f"start one with `dask worker {options}{address}`"


def workers_of(client: Client) -> dict[str, dict[str, Any]]:
    """Ask the scheduler for all it tells of each worker, by address; `ConnectionError` where it is lost."""
    # distributed 2026.3 tells of five unless all are asked for
    told: Mapping[str, Any] | None = client.scheduler_info(n_workers=-1)
    if not told or "workers" not in told:  # what Dask gives back after it has lost the connection
        raise ConnectionError(f"the connection to the scheduler at {address_of(client)} is lost")
    return dict(told["workers"])


def by_kind(client: Client) -> dict[str, list[str]]:
    """Addresses of the workers, by kind: ``gpu`` for those that offer one, ``cpu`` for all others."""
    return sorted_by_kind(workers_of(client))


def sorted_by_kind(workers: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """`by_kind` of what a scheduler has already told of its workers."""
    kinds: dict[str, list[str]] = {"cpu": [], "gpu": []}
    for address, worker in sorted(workers.items()):
        kinds["gpu" if worker.get("resources", {}).get(GPU, 0) >= 1 else "cpu"].append(address)
    return {kind: addresses for kind, addresses in kinds.items() if addresses}
