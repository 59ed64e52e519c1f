"""The store: one Zarr v3 group per lake and track in an icechunk repository.

A commit is a transaction: a slice is visible whole (pixels, areas, flags, provenance) or not at all, a
killed writer leaves the last commit untouched, and a repeated one changes nothing. Slices lie in time order
on disk, so that a plain ``xarray.open_zarr`` reads a sorted series; a late slice moves those after it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import icechunk
import numpy as np
import xarray as xr
import zarr
import zarr.errors

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.store_access import find_repository, guarded, make_repository, single_writer
from glaciolake.catalog.store_layout import (
    SeriesHeader,
    append_sorted,
    by_pass,
    group_of,
    last_time,
    lay_out,
    read_header,
    write_root,
)
from glaciolake.catalog.store_quarantine import read_quarantine, with_refused, write_quarantine
from glaciolake.catalog.variables import BY_NAME, SLICE, STORE_VERSION

T = TypeVar("T")

MAIN = "main"
ATTEMPTS = 8
"""Another writer may commit first; the merge is then done again on its result."""


@dataclass(frozen=True)
class Batch:
    """What one transaction writes.

    Attributes
    ----------
    header
        Which series, on which grid, made with which settings.
    slices
        Variables of `glaciolake.catalog.variables` as they lie on disk (packed), dims (time, y, x) and
        (time); None where the batch only reports failures.
    failed
        Pass id -> reason, for passes that could not be read; they stay pending.
    """

    header: SeriesHeader
    slices: xr.Dataset | None
    failed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Store:
    """A store of lake series at a local path, ``file://`` or ``s3://`` address.

    Use `Store.open` or `Store.create`; the constructor is theirs.
    """

    def __init__(self, url: str, repository: icechunk.Repository) -> None:
        self.url = url
        self._repository = repository

    @classmethod
    def open(cls, url: str) -> Store:
        """Open an existing store.

        Raises
        ------
        StoreError
            Nothing lies there, it is not a store, or its version is another.
        """
        repository = find_repository(url)
        if repository is None:
            raise StoreError(
                f"no glaciolake store at {url!r}; check the address or make one with 'glaciolake run'"
            )
        store = cls(url, repository)
        store._check_version()
        return store

    @classmethod
    def create(cls, url: str) -> Store:
        """Open the store at `url`, or lay out an empty one.

        Raises
        ------
        StoreError
            Something else lies there, or it cannot be written.
        """
        with single_writer(url):  # look, create and fill are one step to other writers
            store = cls(url, find_repository(url) or make_repository(url))
            if guarded(url, store._is_blank):  # new, or its maker was killed before the root was written
                store._attempt("new store", write_root)
            store._check_version()
        return store

    def _is_blank(self) -> bool:
        """Whether nothing has been stored, not even a version; an error where that cannot be read."""
        try:
            root = self._open_root()
        except zarr.errors.GroupNotFoundError:
            # also what a lost snapshot looks like; only the history tells the two apart
            return len(guarded(self.url, lambda: list(self._repository.ancestry(branch=MAIN)))) == 1
        return "glaciolake_store_version" not in root.attrs and not list(root.members())

    def _check_version(self) -> None:
        found = guarded(self.url, lambda: self._root().attrs.get("glaciolake_store_version"))
        if found != STORE_VERSION:
            raise StoreError(
                f"store {self.url!r} has version {found!r}, this glaciolake reads version {STORE_VERSION}; "
                "open it with the release that wrote it, or run into a new store"
            )

    def _open_root(self) -> zarr.Group:
        return zarr.open_group(self._repository.readonly_session(MAIN).store, mode="r")

    def _root(self) -> zarr.Group:
        try:
            return self._open_root()
        except zarr.errors.GroupNotFoundError:
            if self._is_blank():
                raise StoreError(
                    f"store {self.url!r} was left half made; 'glaciolake run' on it completes it"
                ) from None
            raise

    def _read(self, path: str, take: Callable[[zarr.Group], T], missing: T) -> T:
        """Take something of a series; `missing` where the series does not exist."""

        def step() -> T:
            root = self._root()
            return take(group_of(root, path)) if path in root else missing

        return guarded(self.url, step)

    def series(self) -> dict[str, list[str]]:
        """Lakes and their tracks: ``{"tsho-rolpa": ["T012", "T121"]}``, sorted."""
        return guarded(
            self.url,
            lambda: {lake: sorted(group.group_keys()) for lake, group in sorted(self._root().groups())},
        )

    def header(self, lake: str, track: str) -> SeriesHeader | None:
        """Grid, model and settings of a series; None where it does not exist yet."""
        return self._read(f"{lake}/{track}", read_header, None)

    def versions(self, lake: str, track: str) -> dict[str, str]:
        """Pass id -> version digest of every stored slice; empty where the series does not exist."""
        return self._read(f"{lake}/{track}", lambda group: by_pass(group, "version"), {})

    def granules(self, lake: str, track: str) -> dict[str, str]:
        """Pass id -> granules that every stored slice was made of; empty where the series does not exist."""
        return self._read(f"{lake}/{track}", lambda group: by_pass(group, "granules"), {})

    def last_time(self, lake: str, track: str) -> int | None:
        """Sensing start of the latest stored slice, seconds since 1970 UTC; None where there is none."""
        return self._read(f"{lake}/{track}", last_time, None)

    def quarantine(self) -> dict[str, dict[str, str]]:
        """Read what could not be used: key -> {kind, reason, and source where it is a refused file}."""
        return guarded(self.url, lambda: read_quarantine(self._root()))

    def read(self, lake: str, track: str) -> xr.Dataset:
        """Open a series, decoded: pixels lazily, the numbers of the slices at once.

        Returns
        -------
        xr.Dataset
            dims (time, y, x), time sorted, UTC; variables as in `glaciolake.catalog.variables`, NaN for no
            data.

        Raises
        ------
        StoreError
            The lake or the track is not in the store, or the store is damaged.
        """
        known = self.series()
        if track not in known.get(lake, []):
            there = (
                "; ".join(f"{name}: {', '.join(tracks)}" for name, tracks in known.items()) or "nothing yet"
            )
            raise StoreError(f"store {self.url!r} has no series {lake}/{track}; it holds {there}")
        return guarded(self.url, lambda: self._decoded(f"{lake}/{track}"))

    def _decoded(self, path: str) -> xr.Dataset:
        session = self._repository.readonly_session(MAIN)
        opened: xr.Dataset = xr.open_zarr(session.store, group=path, consolidated=False)
        rows = {name: opened[name].load() for name in opened.data_vars if opened[name].dims == SLICE}
        words = [name for name in rows if BY_NAME[str(name)].dtype == "str"]
        # pandas, plots and comparisons want NumPy's plain strings, not Zarr's variable-length ones
        rows |= {name: rows[name].astype(object).astype(str) for name in words}
        packed = [name for name in opened.data_vars if BY_NAME[str(name)].scale is not None]
        return opened.assign(rows | {name: opened[name].astype(np.float32) for name in packed})

    def commit(self, batch: Batch) -> str | None:
        """Write a batch in one transaction.

        Returns
        -------
        str or None
            Snapshot id; None where the store already holds all of it, and nothing was written.

        Raises
        ------
        StoreError
            The series has another grid, model or settings, or the store cannot be written; it is unchanged
            then.
        """
        label = f"{batch.header.lake}/{batch.header.track}"
        return self._change(label, lambda store: _merge(store, batch, self.url))

    def note_refused(
        self, refused: Mapping[str, str], *, source: str = "", used: Collection[str] = ()
    ) -> str | None:
        """Record the files that a source had to refuse; what other sources and runs recorded stays.

        Parameters
        ----------
        refused
            Name of the file -> reason.
        source
            Address that the files came from.
        used
            Granules of this run that could be used: earlier refusals of theirs are settled.

        Returns
        -------
        str or None
            Snapshot id; None where nothing changes.
        """

        def change(store: Any) -> bool:
            root = zarr.open_group(store, mode="r+")
            return write_quarantine(root, with_refused(read_quarantine(root), refused, source, used))

        return self._change("refused", change)

    def _change(self, message: str, change: Callable[[Any], bool]) -> str | None:
        with single_writer(self.url):
            return self._attempt(message, change)

    def _attempt(self, message: str, change: Callable[[Any], bool]) -> str | None:
        """Commit under a lock that is already held: taking it twice in one process would wait for ever."""
        for _ in range(ATTEMPTS):
            try:
                return guarded(self.url, lambda: self._transaction(message, change), writing=True)
            except icechunk.ConflictError:
                continue
        raise StoreError(f"store {self.url!r}: another writer was faster {ATTEMPTS} times; run again")

    def _transaction(self, message: str, change: Callable[[Any], bool]) -> str | None:
        session = self._repository.writable_session(MAIN)
        return str(session.commit(message)) if change(session.store) else None


def open_lake(url: str, lake: str, track: str) -> xr.Dataset:
    """Open the series of one lake and track: lazy, decoded, sorted by time.

    Parameters
    ----------
    url
        Address of the store.
    lake, track
        ``tsho-rolpa``, ``T121``.
    """
    return Store.open(url).read(lake, track)


def _merge(store: Any, batch: Batch, url: str) -> bool:
    root = zarr.open_group(store, mode="r+")
    header, changed = batch.header, False
    path = f"{header.lake}/{header.track}"
    done: list[str] = []
    if batch.slices is not None:
        done = [f"{path}/{text}" for text in batch.slices["pass_id"].values]
        if path in root:
            group = group_of(root, path)
            header.check_same(read_header(group), url)
            changed = append_sorted(group, batch.slices)
        else:
            lay_out(store, header, batch.slices)
            changed = True
    entries = {key: entry for key, entry in read_quarantine(root).items() if key not in done}
    entries |= {f"{path}/{key}": dict(entry) for key, entry in batch.failed.items()}
    return write_quarantine(root, entries) or changed
