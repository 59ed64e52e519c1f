"""Durable commits on a disk: what a commit points to is on the medium before the commit is seen.

The engine writes files and leaves them in the system's cache. A machine that loses power could then be left
with a branch that points to files which are empty. So a local commit has two steps: write everything and push
it to the medium, then move the branch and push that. Whenever the power goes, the store is the old one or the
new one.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any

import icechunk

MAIN = "main"


def commit_durably(
    repository: icechunk.Repository, session: icechunk.Session, message: str, path: Path | None
) -> str:
    """Commit a session and give the id of its snapshot.

    Parameters
    ----------
    repository, session
        Of the engine; the session is writable and on the main branch.
    message
        What the history says.
    path
        Folder of a local store, of which the caller holds the lock; None for an object store, which is
        durable by itself and moves the branch on condition that nobody else has.
    """
    if path is None:
        return str(session.commit(message))
    parent = str(session.snapshot_id)
    snapshot = str(session.flush(message))
    sync_system(path)
    repository.reset_branch(MAIN, snapshot, from_snapshot_id=parent)
    branch = path / "refs" / f"branch.{MAIN}"
    for one in (branch / "ref.json", branch):
        if one.exists():
            _sync(one)
    return snapshot


def sync_system(path: Path) -> None:
    """Push to the medium what the file system of `path` holds in memory."""
    step = _syncfs()
    if step is None:
        os.sync()
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        if step(handle) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(handle)


@cache
def _syncfs() -> Any:
    """Linux's syncfs: one file system, where os.sync waits for all of them; None on other systems."""
    try:
        return ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        return None


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
