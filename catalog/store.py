"""The store: series of lakes by track in an icechunk repository, Zarr v3.

A commit is a transaction: a slice is visible whole (pixels, areas, flags, provenance) or not at all, a
killed writer leaves the last commit untouched, and a repeated one changes nothing. Versions are rows that are
never rewritten; readers see those that are current, in order of time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import icechunk
import xarray as xr
import zarr
import zarr.errors

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.store_access import (
    CONFLICTS,
    clock_s,
    find_repository,
    guarded,
    make_repository,
)
from glaciolake.catalog.store_address import local_path
from glaciolake.catalog.store_digest import store_digest
from glaciolake.catalog.store_durable import MAIN, commit_durably
from glaciolake.catalog.store_events import withdraw_from
from glaciolake.catalog.store_header import SeriesHeader
from glaciolake.catalog.store_layout import write_root
from glaciolake.catalog.store_lock import PATIENCE_S, single_writer
from glaciolake.catalog.store_merge import Batch as Batch
from glaciolake.catalog.store_merge import Derive, Known, Moment, merge
from glaciolake.catalog.store_quarantine import read_quarantine, with_refused, write_quarantine
from glaciolake.catalog.store_snapshot import Snapshot
from glaciolake.catalog.variables import STORE_VERSION

LONGEST_WAIT_S = 2.0


class Store:
    """A store of lake series at a path or in a bucket; see `glaciolake.catalog.store_address`.

    Use `Store.open` or `Store.create`; the constructor is theirs.
    """

    def __init__(self, url: str, repository: icechunk.Repository) -> None:
        self.url = url
        self.repository = repository
        self._known: dict[str, Known] = {}

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
                store._attempt("new store", lambda new, moment: write_root(new))
            store._check_version()
        return store

    def _is_blank(self) -> bool:
        """Whether nothing has been stored, not even a version; an error where that cannot be read."""
        try:
            root = self._open_root()
        except zarr.errors.GroupNotFoundError:
            # also what a lost snapshot looks like; only the history tells the two apart
            return len(guarded(self.url, lambda: list(self.repository.ancestry(branch=MAIN)))) == 1
        return "glaciolake_store_version" not in root.attrs and not list(root.members())

    def _check_version(self) -> None:
        found = guarded(self.url, lambda: self._root().attrs.get("glaciolake_store_version"))
        if found != STORE_VERSION:
            raise StoreError(
                f"store {self.url!r} has version {found!r}, this glaciolake reads version {STORE_VERSION}; "
                "open it with the release that wrote it, or run into a new store"
            )

    def _open_root(self) -> zarr.Group:
        return zarr.open_group(self.repository.readonly_session(MAIN).store, mode="r")

    def _root(self) -> zarr.Group:
        try:
            return self._open_root()
        except zarr.errors.GroupNotFoundError:
            if self._is_blank():
                raise StoreError(
                    f"store {self.url!r} was left half made; 'glaciolake run' on it completes it"
                ) from None
            raise

    def snapshot(self, snapshot_id: str | None = None) -> Snapshot:
        """Open the newest committed state, or the one of an id; what others write later does not change it.

        Raises
        ------
        StoreError
            There is no such snapshot, or it has been expired.
        """
        if snapshot_id is None:
            return guarded(self.url, lambda: Snapshot(self.url, self.repository.readonly_session(MAIN)))
        try:
            return Snapshot(self.url, self.repository.readonly_session(snapshot_id=snapshot_id))
        except (icechunk.IcechunkError, ValueError) as error:
            raise StoreError(
                f"store {self.url!r} has no snapshot {snapshot_id!r}: it was never there, or is expired; "
                "'glaciolake store info' names the newest"
            ) from error

    def series(self) -> dict[str, list[str]]:
        """Lakes and their tracks: ``{"tsho-rolpa": ["T012", "T121"]}``, sorted."""
        return self.snapshot().series()

    def header(self, lake: str, track: str) -> SeriesHeader | None:
        """Grid, model and settings of a series' newest generation; None where it does not exist yet."""
        found = self.snapshot().table(lake, track)
        return found[2][-1] if found else None

    def versions(self, lake: str, track: str) -> dict[str, str]:
        """Pass id -> version digest of every slice that readers see; empty where there is no such series."""
        return self._texts(lake, track, "version")

    def granules(self, lake: str, track: str) -> dict[str, str]:
        """Pass id -> granules that every such slice was made of; empty where there is no such series."""
        return self._texts(lake, track, "granules")

    def _texts(self, lake: str, track: str, name: str) -> dict[str, str]:
        snapshot = self.snapshot()
        if snapshot.table(lake, track) is None:
            return {}
        rows = (choice := snapshot.choose(lake, track)).rows.take(choice.index)
        return dict(zip(map(str, rows.texts["pass_id"]), map(str, rows.texts[name]), strict=True))

    def quarantine(self) -> dict[str, dict[str, str]]:
        """Read what could not be used: key -> {kind, reason, and source where it is a refused file}."""
        return self.snapshot().quarantine()

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
        snapshot = self.snapshot()
        return snapshot.open(snapshot.choose(lake, track))

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
        known = self._known.setdefault(label, Known())
        return self.change(label, lambda store, moment: merge(store, batch, moment, known, self.url))

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

        def change(store: Any, moment: Moment) -> bool:
            root = zarr.open_group(store, mode="r+")
            return write_quarantine(root, with_refused(read_quarantine(root), refused, source, used))

        return self.change("refused", change)

    def withdraw(
        self, lake: str, track: str, reasons: Mapping[str, str], derive: Derive | None = None
    ) -> str | None:
        """Withdraw slices: readers no longer see them, their history stays.

        A withdrawn version never comes back by being written again; one of newer granules does.

        Parameters
        ----------
        lake, track
            The series.
        reasons
            Pass id -> why, such as ``granule withdrawn by the provider: wrong orbit``.
        derive
            As in `Batch`; needed where the series has derived variables.

        Returns
        -------
        str or None
            Snapshot id; None where none of them was to be seen.
        """
        self.snapshot().require(lake, track)
        path = f"{lake}/{track}"

        def step(store: Any, moment: Moment) -> bool:
            return withdraw_from(store, path, reasons, moment, derive)

        return self.change(f"withdraw {path}", step)

    def digest(self) -> str:
        """Digest of all that readers see; see `glaciolake.catalog.store_digest`."""
        return store_digest(self.snapshot())

    def change(self, message: str, change: Change) -> str | None:
        """Do something in a transaction of its own, again where another writer was faster.

        `message` is what the history says of it; `change` is called with a writable Zarr store and the
        moment, and gives False where nothing was changed: the snapshot's id is None then.
        """
        with single_writer(self.url):
            return self._attempt(message, change)

    def _attempt(self, message: str, change: Change) -> str | None:
        """Commit under a lock that is already held: taking it twice in one process would wait for ever."""
        until_s, longest_s = time.monotonic() + PATIENCE_S, 0.05
        while time.monotonic() < until_s:
            try:
                return guarded(self.url, lambda: self._transaction(message, change), writing=True)
            except CONFLICTS:
                time.sleep(random.uniform(0, longest_s))
                longest_s = min(2 * longest_s, LONGEST_WAIT_S)
        raise StoreError(
            f"store {self.url!r}: other writers were faster for {PATIENCE_S:.0f} s; nothing was changed. "
            "Run again, with fewer runs at a time or a larger slices_per_commit"
        )

    def _transaction(self, message: str, change: Change) -> str | None:
        session = self.repository.writable_session(MAIN)
        parent = str(session.snapshot_id)
        written_s = self.repository.lookup_snapshot(parent).written_at.timestamp()
        moment = Moment(parent, clock_s(self.url, written_s))
        if not change(session.store, moment):
            return None
        # Nothing is rebased: what was merged is true of this parent only. The next attempt looks anew, and so
        # a commit that was made though its answer was lost is not made twice.
        return commit_durably(self.repository, session, message, local_path(self.url))


Change = Callable[[Any, Moment], bool]
