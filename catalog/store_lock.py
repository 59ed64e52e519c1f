"""One writer at a time on a disk, where the engine cannot tell two simultaneous commits apart."""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.store_access import guarded
from glaciolake.catalog.store_address import local_path

PATIENCE_S = 300.0
"""Another writer may be at work, or commit first on an object store; it is tried again for so long."""
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.002, 0.05


@contextmanager
def single_writer(url: str) -> Iterator[None]:
    """Let one process commit at a time to a local store; on an object store nothing is locked.

    The lock is the system's: it goes with the process that holds it, however that ends.

    Raises
    ------
    StoreError
        The folder cannot be written, or another process has held the lock for `PATIENCE_S`.
    """
    path = local_path(url)
    if path is None:
        yield
        return
    path = path.resolve()
    handle = guarded(url, lambda: _open_lock(path), writing=True)
    with handle:
        _wait_for(handle, url)
        yield


def _wait_for(handle: TextIO, url: str) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until_s:
                raise StoreError(
                    f"store {url!r}: another process has been writing for {PATIENCE_S:.0f} s and holds "
                    f"{handle.name}; nothing was changed. End that process if it hangs, then run again"
                ) from None
            time.sleep(random.uniform(SHORTEST_WAIT_S, LONGEST_WAIT_S))


def _open_lock(path: Path) -> TextIO:
    """Open the lock beside a store, after a look at whether the store can be made there at all."""
    nearest = next(one for one in (path, *path.parents) if one.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(f"{nearest} is a file; give a path in a folder")
    if not path.name or not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(f"nothing can be written in {nearest}")
    lock = path.with_name(path.name + ".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    return lock.open("w")
