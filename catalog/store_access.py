"""Where a store lies and how it is reached: addresses, one writer at a time on a disk, errors that help."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, TypeVar
from urllib.parse import urlparse

import icechunk

from glaciolake.catalog.errors import StoreError

T = TypeVar("T")


def local_path(url: str) -> Path | None:
    """Path of a local store; None for an object store."""
    parsed = urlparse(url)
    if parsed.scheme in ("", "file"):
        return Path(parsed.path if parsed.scheme else url)
    return None


def storage_of(url: str) -> icechunk.Storage:
    """Icechunk storage behind an address.

    Parameters
    ----------
    url
        A path, ``file://`` or ``s3://bucket/prefix`` (keys from the environment).

    Raises
    ------
    StoreError
        The scheme is another one.
    """
    icechunk.set_logs_filter("error")  # its warning on concurrent local commits is answered by single_writer
    path = local_path(url)
    if path is not None:
        return icechunk.local_filesystem_storage(str(path))
    parsed = urlparse(url)
    if parsed.scheme == "s3":
        return icechunk.s3_storage(bucket=parsed.netloc, prefix=parsed.path.strip("/"), from_env=True)
    raise StoreError(
        f"store {url!r} has scheme {parsed.scheme!r}; give a path, file:// or s3://bucket/prefix"
    )


@contextmanager
def single_writer(url: str) -> Iterator[None]:
    """Let one process commit at a time to a local store.

    On a local disk icechunk cannot tell two simultaneous commits apart; an object store can, so nothing is
    locked there.
    """
    path = local_path(url)
    if path is None:
        yield
        return
    lock = path.with_name(path.name + ".lock")
    handle = guarded(url, lambda: _open_lock(lock))
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _open_lock(lock: Path) -> TextIO:
    lock.parent.mkdir(parents=True, exist_ok=True)
    return lock.open("w")


def guarded(url: str, step: Callable[[], T]) -> T:
    """Run a step and turn the engine's and the disk's errors into a `StoreError` that says what to do."""
    try:
        return step()
    except icechunk.ConflictError:
        raise
    except (icechunk.IcechunkError, OSError) as error:
        text = str(error).strip()
        reason = text.splitlines()[0] if text else type(error).__name__
        raise StoreError(
            f"store {url!r} could not be read or written: {reason}{_free_space(url)}. Nothing stored was "
            "changed; free space or mend access, then run the same command again"
        ) from error


def _free_space(url: str) -> str:
    path = local_path(url)
    there = next((one for one in (path, *path.parents) if one.exists()), None) if path else None
    return f" ({shutil.disk_usage(there).free / 1e9:.1f} GB free there)" if there else ""
