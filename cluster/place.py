"""Work that needs a GPU goes where one is: the one spot that says so.

Annotations around xarray steps are lost when the graph is optimised; what ``client.submit`` is given holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from distributed import Client, Future

from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.local import GPU

LOOK_AGAIN_S = 0.5
RETRIES = 2
"""A task that raises is tried three times; one whose worker is lost, as often as Dask's settings say."""
T = TypeVar("T")


def submit(client: Client, work: Callable[..., T], *given: Any) -> Future[T]:
    """Hand out one piece of work, to any worker."""
    return client.submit(work, *given, pure=False, retries=RETRIES)


def submit_on_gpu(client: Client, work: Callable[..., T], *given: Any) -> Future[T]:
    """Hand out one piece of work, to workers that offer a GPU and to no other.

    Dask waits for such a worker for ever: `need_gpu` sees beforehand that there is one, `Crew` afterwards.
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
