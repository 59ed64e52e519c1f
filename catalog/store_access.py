"""How a store is reached: its repository opened or made, and errors that help."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import icechunk
import zarr.errors

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.store_address import local_path, storage_of

T = TypeVar("T")

HALF_MADE = ("snapshots/1CECHNKREP0F1RSTCMT0", "refs/branch.main/ref.json#")
"""The engine's empty first snapshot, always of this name, and a reference that was being written."""
CONFLICTS = (icechunk.ConflictError, icechunk.RebaseFailedError)
"""Another writer was faster."""
CHECKSUM = "computed checksum do not match"
"""What Zarr's checksum codec says of a damaged chunk."""
CLOCK_SLACK_S = 60.0
"""Clocks of a cluster's machines differ; one that stands so far behind the last commit is wrong."""
CHUNKS_PER_MANIFEST = 64
"""Chunks along a series that one manifest lists; a commit rewrites the last manifest of an array."""


@dataclass(frozen=True)
class Place:
    """Where something lies: address of the store, ``lake/track`` in it, and the snapshot."""

    url: str
    path: str
    snapshot: str


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
    every: Any = {icechunk.ManifestSplitDimCondition.Axis(0): CHUNKS_PER_MANIFEST}
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
    except (*CONFLICTS, StoreError):
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
    except (*CONFLICTS, StoreError):
        raise
    except (icechunk.IcechunkError, zarr.errors.BaseZarrError, OSError) as error:
        raise _store_error(url, error, writing=writing) from error
    except BaseException as error:
        if isinstance(error, ValueError) and CHECKSUM in str(error):
            raise StoreError(
                f"store {url!r}: a stored chunk is damaged ({error}), and nothing was written. 'glaciolake "
                f"store repair {url}' marks its slices as lost, and the run that made them makes them again"
            ) from error
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
            f"({one_line(error)}). 'glaciolake store repair {place.url}' marks them as lost, and the run "
            "that made them then makes them again"
        ) from error


def clock_s(url: str, last_s: float) -> float:
    """Time of this machine, seconds since 1970 UTC, after a look at whether it can be true.

    Parameters
    ----------
    url
        Address of the store, for the message.
    last_s
        When the store was last committed to.

    Raises
    ------
    StoreError
        The clock stands before that.
    """
    now_s = time.time()
    if now_s < last_s - CLOCK_SLACK_S:
        raise StoreError(
            f"store {url!r}: this machine's clock stands {last_s - now_s:.0f} s before the last commit; "
            "nothing was written. Set the clock, then run the same command again"
        )
    return now_s


def _store_error(url: str, error: BaseException, *, writing: bool) -> StoreError:
    if writing:
        return StoreError(
            f"store {url!r} could not be written: {one_line(error)}{_free_space(url)}. Nothing stored was "
            "changed; free space, mend access or give another address, then run the same command again"
        )
    return StoreError(
        f"store {url!r} could not be read: {one_line(error)}. Check the address, the connection and who may "
        "read it; where files of the store are gone or damaged, bring them back from a copy"
    )


def one_line(error: BaseException) -> str:
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
