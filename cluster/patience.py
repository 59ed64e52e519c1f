"""Patience: waiting for what may still come, and saying so long before it is given up."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Timer

from distributed import Client

from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.place import address_of, by_kind, how_to_start

logger = logging.getLogger(__name__)

SAY_AFTER_S = 30.0
"""Half a minute is nothing to a node that pulls an image, and all that a person waits without a word."""
LOOK_AGAIN_S = 0.2
WHERE_TO_LOOK = (
    "on Kubernetes `kubectl get pods -l app.kubernetes.io/part-of=glaciolake`, and `kubectl describe pod` of "
    "one that is not ready, say why (no node with room or with a GPU, an image that cannot be pulled)"
)


def need_workers(client: Client, timeout_s: float = 0.0, *, gpu: bool = False) -> None:
    """Wait until there is a worker of the kind that is needed.

    Parameters
    ----------
    client
        Dask client.
    timeout_s
        How long to wait, seconds; after `SAY_AFTER_S` it is logged what is missing.
    gpu
        Whether one must offer a GPU.

    Raises
    ------
    ClusterError
        None came, or the scheduler was lost.
    """
    begun_s, said = time.monotonic(), False
    while not has_needed(kinds := _kinds(client), gpu=gpu):
        waited_s = time.monotonic() - begun_s
        if waited_s >= timeout_s:
            raise _given_up(address_of(client), kinds, timeout_s)
        if waited_s >= SAY_AFTER_S and not said:
            said = True
            say_missing(address_of(client), kinds, waited_s, timeout_s)
        time.sleep(LOOK_AGAIN_S)


def _kinds(client: Client) -> dict[str, list[str]]:
    """`by_kind` of a scheduler that is there."""
    cause: OSError | None = None
    if client.status == "running":
        try:
            return by_kind(client)
        except OSError as error:
            cause = error
    raise ClusterError(
        f"the scheduler at {address_of(client)} was lost while workers were waited for; see that it runs, "
        "and run the same command again"
    ) from cause


def has_needed(kinds: Mapping[str, Sequence[str]], *, gpu: bool) -> bool:
    """Whether there is a worker, and one with a GPU where that is needed."""
    return "gpu" in kinds if gpu else bool(kinds)


def say_missing(address: str, kinds: Mapping[str, Sequence[str]], waited_s: float, timeout_s: float) -> None:
    """Log which kind of worker is missing, and where to look."""
    n = sum(map(len, kinds.values()))
    what = f"no worker with a GPU ({n} without)" if n else "no worker"
    logger.warning(
        "%s at %s after %.0f s; waiting up to %g s: %s; elsewhere see the log of `dask worker`",
        what,
        address,
        waited_s,
        timeout_s,
        WHERE_TO_LOOK,
    )


@contextmanager
def scheduler_awaited(address: str, timeout_s: float) -> Iterator[None]:
    """Log after `SAY_AFTER_S` that a scheduler does not answer, as long as the block has not ended."""
    text = (
        "no scheduler answers at %s after %g s; waiting up to %g s: %s; elsewhere see the log of "
        "`dask scheduler`"
    )
    timer = Timer(SAY_AFTER_S, logger.warning, (text, address, SAY_AFTER_S, timeout_s, WHERE_TO_LOOK))
    timer.daemon = True
    if timeout_s > SAY_AFTER_S:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _given_up(address: str, kinds: Mapping[str, Sequence[str]], timeout_s: float) -> ClusterError:
    if kinds:
        waited = f" after {timeout_s:g} s" if timeout_s else ""
        return ClusterError(
            f"none of {sum(map(len, kinds.values()))} workers at {address} offers a GPU{waited}; "
            f"{how_to_start(address, gpu=True)}, or switch gpu off"
        )
    return ClusterError(
        f"the scheduler at {address} has no worker after {timeout_s:g} s; {how_to_start(address)}, or raise "
        "workers_timeout_s if they are on their way"
    )
