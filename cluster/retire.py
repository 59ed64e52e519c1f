"""Taking workers out of a cluster without losing what they are at."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from distributed import Client

from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.place import address_of, workers_of

LOOK_AGAIN_S = 0.5


def retire(client: Client, names: Sequence[str], *, timeout_s: float = 60.0) -> dict[str, str]:
    """Have workers finish the task that they are at, hand their results to others, and close.

    What waits behind that task goes to other workers. Nothing of it counts as a failure of a task.

    Parameters
    ----------
    client
        Dask client.
    names
        Names or addresses of workers.
    timeout_s
        How long a task may still run, seconds; one that takes longer is begun anew elsewhere.

    Returns
    -------
    dict
        Name -> ``done`` or ``cut short``.

    Raises
    ------
    ClusterError
        A worker is not there, or nobody is left to take what it holds.
    """
    known = workers_of(client)
    chosen = {
        address: str(about["name"])
        for address, about in known.items()
        if str(about["name"]) in names or address in names
    }
    missing = sorted(set(names) - set(chosen) - set(chosen.values()))
    if missing:
        raise ClusterError(
            f"no worker {', '.join(missing)} at {address_of(client)}; 'glaciolake cluster status' lists them"
        )
    # they take no further task from now on, and what they hold is copied
    _hand_over(client, chosen, close_workers=False, remove=False)
    busy = _wait_idle(client, chosen, timeout_s)
    _hand_over(client, chosen, close_workers=True, remove=True)
    return {name: "cut short" if address in busy else "done" for address, name in chosen.items()}


def _hand_over(client: Client, chosen: dict[str, str], **how: bool) -> None:
    gone = client.retire_workers(list(chosen), **how)
    kept = sorted(name for address, name in chosen.items() if address not in gone)
    if kept:
        raise ClusterError(
            f"worker {', '.join(kept)} holds results that no other worker at {address_of(client)} can take; "
            "leave one worker more, or wait until the run is over"
        )


def _wait_idle(client: Client, chosen: dict[str, str], timeout_s: float) -> set[str]:
    """Wait until none of the workers is at a task; those that still are when the time is over."""
    deadline_s = time.monotonic() + timeout_s
    begun_s = time.time()
    while True:
        time.sleep(LOOK_AGAIN_S)
        known = workers_of(client)
        there = {address: known[address] for address in chosen if address in known}
        busy = {address for address, about in there.items() if _is_busy(about, begun_s)}
        if not busy or time.monotonic() >= deadline_s:
            return busy


def _is_busy(about: dict[str, Any], since_s: float) -> bool:
    """Whether a worker is at a task, as it said itself after it was told to take no more."""
    said_s: float = about["last_seen"]
    return said_s < since_s or about["metrics"]["task_counts"].get("executing", 0) > 0
