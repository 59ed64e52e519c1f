"""A tiny job on each kind of worker, whose result is known beforehand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from distributed import Client

from glaciolake.cluster.doctor import Check
from glaciolake.cluster.local import GPU
from glaciolake.cluster.place import address_of, by_kind

JOB_TIMEOUT_S = 180.0
"""A first job compiles kernels and opens the network; on a busy worker it waits for the task before it."""

SAME = "install there what is installed here, best from one image"


def try_workers(
    client: Client,
    work: Callable[[], Any],
    judge: Callable[[Any], str],
    *,
    timeout_s: float = JOB_TIMEOUT_S,
) -> list[Check]:
    """Have one worker of each kind do a job, and look at the result.

    Parameters
    ----------
    client
        Dask client.
    work
        The job, a function that workers can import.
    judge
        Says what is wrong with a result; empty where nothing is.
    timeout_s
        How long to wait for each result, seconds.

    Returns
    -------
    list of Check
        One a kind of worker, ``cpu`` and ``gpu``; a single failed one where there is no worker.
    """
    kinds = by_kind(client)
    if not kinds:
        return [Check("job", "fail", f"no worker at {address_of(client)}", "start one with `dask worker`")]
    handed = {}
    for kind, addresses in kinds.items():
        where: dict[str, Any] = {"resources": {GPU: 1}} if kind == "gpu" else {"workers": addresses}
        handed[kind] = client.submit(work, pure=False, priority=100, **where)
    begun_s = time.monotonic()
    checks = []
    for kind, future in handed.items():
        name, places = f"job on {kind} workers", f"{len(kinds[kind])} of this kind"
        try:
            wrong = judge(future.result(timeout=timeout_s))
            found = wrong or f"right, after {time.monotonic() - begun_s:.1f} s; {places}"
            checks.append(Check(name, "fail" if wrong else "ok", found, SAME))
        except TimeoutError:
            told = f"no result within {timeout_s:g} s; {places}"
            checks.append(Check(name, "fail", told, "see in their logs what they do"))
        except Exception as error:  # a job may raise anything, and all of it is a worker that does not work
            checks.append(Check(name, "fail", f"{type(error).__name__}: {error}", SAME))
    for future in handed.values():
        future.release()
    return checks
