"""Where a store lies and how it is reached: addresses, one writer at a time on a disk, errors that help."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO, TypeVar
from urllib.parse import unquote, urlparse

import icechunk
import zarr.errors

from glaciolake.catalog.errors import StoreError

T = TypeVar("T")

HALF_MADE = ("snapshots/1CECHNKREP0F1RSTCMT0", "refs/branch.main/ref.json#")
"""The engine's empty first snapshot, always of this name, and a reference that was being written."""
CHUNKS_PER_MANIFEST = 64
"""Chunks along a series that one manifest lists; a commit rewrites the last manifest of an array."""


def local_path(url: str) -> Path | None:
    """Path of a local store, ``~`` expanded and ``%20`` read; None for an object store.

    Raises
    ------
    StoreError
        A ``file://`` address names a host, or ``~`` a user who is not there.
    """
    parsed = urlparse(url)
    if parsed.scheme not in ("", "file"):
        return None
    if parsed.scheme and parsed.netloc not in ("", "localhost", "~"):
        raise StoreError(
            f"store {url!r}: after file:// an absolute path is needed, such as file:///data/lakes"
        )
    home = parsed.netloc if parsed.netloc == "~" else ""
    try:
        return Path(home + unquote(parsed.path) if parsed.scheme else url).expanduser()
    except RuntimeError as error:
        raise StoreError(f"store {url!r}: {error}; give the path in full") from error


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
    icechunk.set_logs_filter("off")  # what it logs arrives as a StoreError, or is answered by single_writer
    path = local_path(url)
    if path is not None:
        return icechunk.local_filesystem_storage(str(path))
    parsed = urlparse(url)
    if parsed.scheme == "s3":
        # A server of one's own has one name; only AWS has one for every bucket.
        own_server = bool(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"))
        place = {"bucket": parsed.netloc, "prefix": parsed.path.strip("/"), "force_path_style": own_server}
        return icechunk.s3_storage(from_env=True, **place)
    raise StoreError(
        f"store {url!r} has scheme {parsed.scheme!r}; give a path, file:// or s3://bucket/prefix"
    )


@dataclass(frozen=True)
class Place:
    """Where something lies: address of the store, ``lake/track`` in it, and the snapshot."""

    url: str
    path: str
    snapshot: str


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
    path = path.resolve()
    handle = guarded(url, lambda: _open_lock(path), writing=True)
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


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


def find_repository(url: str) -> icechunk.Repository | None:
    """Open the repository at an address; None where none lies there."""
    storage = storage_of(url)
    path = local_path(url)
    # the engine makes the folder it looks into, and panics where it cannot
    if path is not None and not guarded(url, path.is_dir):
        return None
    if not guarded(url, lambda: icechunk.Repository.exists(storage)):
        return None
    return guarded(url, lambda: icechunk.Repository.open(storage, config=engine_settings()))


def engine_settings() -> icechunk.RepositoryConfig:
    """Set the engine up: manifests in parts, so that a commit costs the same however long a series is."""
    every = {icechunk.ManifestSplitDimCondition.Axis(0): CHUNKS_PER_MANIFEST}
    config = icechunk.RepositoryConfig.default()
    config.manifest = icechunk.ManifestConfig(
        preload=icechunk.ManifestPreloadConfig(max_total_refs=0),
        splitting=icechunk.ManifestSplittingConfig.from_dict(
            {icechunk.ManifestSplitCondition.AnyArray(): every}
        ),
    )
    return config


def make_repository(url: str) -> icechunk.Repository:
    """Create the repository at an address, or open the one that another writer has just created there.

    Raises
    ------
    StoreError
        Something else lies there, or it cannot be written.
    """
    path = local_path(url)
    foreign = path is not None and guarded(url, lambda: not _clear_half_made(path), writing=True)
    if foreign:
        raise StoreError(
            f"{url!r} holds something that is not a glaciolake store; give an empty or new folder"
        )
    try:
        return guarded(
            url, lambda: icechunk.Repository.create(storage_of(url), config=engine_settings()), writing=True
        )
    except (icechunk.ConflictError, StoreError):
        others = find_repository(url)  # on an object store nothing is locked, and a race can be lost
        if others is None:
            raise
        return others


def _clear_half_made(path: Path) -> bool:
    """Remove what a creation leaves that is killed before its first reference; False for anything else."""
    if path.is_dir():
        found = list(islice(path.rglob("*"), 9))  # a half-made store is smaller than nine entries
        files = [one for one in found if not one.is_dir()]
        known = all(one.relative_to(path).as_posix().startswith(HALF_MADE) for one in files)
        if len(found) == 9 or not known:
            return False
        for one in files:
            one.unlink()
    return True


def guarded(url: str, step: Callable[[], T], *, writing: bool = False) -> T:
    """Run a step and turn the engine's and the disk's errors into a `StoreError` that says what to do.

    Parameters
    ----------
    url
        Address of the store, for the message.
    step
        What to run.
    writing
        Whether it writes: the cure is another one.
    """
    try:
        return step()
    except (icechunk.ConflictError, StoreError):
        raise
    except (icechunk.IcechunkError, zarr.errors.BaseZarrError, OSError) as error:
        raise _store_error(url, error, writing=writing) from error
    except BaseException as error:
        damaged = isinstance(error, KeyError | ValueError) and not writing
        # the engine's panic derives from BaseException alone, and its class cannot be imported
        if not damaged and type(error).__name__ != "PanicException":
            raise
        raise _store_error(url, error, writing=writing) from error


def named_damage(place: Place, step: Callable[[], T], damaged: Callable[[], list[str]]) -> T:
    """Run a step that reads pixels; where it fails, say which slices are damaged and how they are made anew.

    Parameters
    ----------
    place
        Where it reads.
    step
        What to run.
    damaged
        Names the slices that cannot be read; called on failure only.
    """
    try:
        return step()
    except (icechunk.IcechunkError, zarr.errors.BaseZarrError, OSError, ValueError, RuntimeError) as error:
        names = damaged()
        if not names:
            raise _store_error(place.url, error, writing=False) from error
        raise StoreError(
            f"{place.path} in store {place.url!r}: the stored pixels of {', '.join(names)} are damaged "
            f"({_reason(error)}). 'glaciolake store repair {place.url}' marks them as lost, and the run that "
            "made them then makes them again"
        ) from error


def _store_error(url: str, error: BaseException, *, writing: bool) -> StoreError:
    if writing:
        return StoreError(
            f"store {url!r} could not be written: {_reason(error)}{_free_space(url)}. Nothing stored was "
            "changed; free space, mend access or give another address, then run the same command again"
        )
    return StoreError(
        f"store {url!r} could not be read: {_reason(error)}. Check the address, the connection and who may "
        "read it; where files of the store are gone or damaged, bring them back from a copy"
    )


def _reason(error: BaseException) -> str:
    """Cause of an error in one line: what was tried, and what the engine met at the bottom of it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    panic = re.search(r'kind: \w+\("(.*?)"\)', lines[0])
    if panic:
        return panic[1]
    first = lines[0].removeprefix("x ")
    last = re.sub(r"^[|`]-> ", "", lines[-1])
    return first if last in first or last == lines[-1] else f"{first}: {last}"


def _free_space(url: str) -> str:
    path = local_path(url)
    try:
        there = next((one for one in (path, *path.parents) if one.exists()), None) if path else None
        return f" ({shutil.disk_usage(there).free / 1e9:.1f} GB free there)" if there else ""
    except OSError:  # a folder that may not be looked into; the error at hand says so
        return ""
