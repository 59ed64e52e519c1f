"""The store: one Zarr v3 group per lake and track in an icechunk repository.

A commit is a transaction: a slice is visible whole (pixels, areas, flags, provenance) or not at all, a
killed writer leaves the last commit untouched, and a repeated one changes nothing. Slices lie in time order
on disk, so that a plain ``xarray.open_zarr`` reads a sorted series; a late slice moves those after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import icechunk
import numpy as np
import xarray as xr
import zarr

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.store_access import guarded, local_path, single_writer, storage_of
from glaciolake.catalog.store_layout import SeriesHeader, append_sorted, group_of, lay_out, read_header, texts
from glaciolake.catalog.variables import BY_NAME, SLICE, STORE_VERSION

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
        storage = storage_of(url)
        if not icechunk.Repository.exists(storage):
            raise StoreError(
                f"no glaciolake store at {url!r}; check the address or make one with 'glaciolake run'"
            )
        store = cls(url, guarded(url, lambda: icechunk.Repository.open(storage)))
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
        storage = storage_of(url)
        if icechunk.Repository.exists(storage):
            return cls.open(url)
        path = local_path(url)
        if path is not None and path.exists() and any(path.iterdir() if path.is_dir() else [path]):
            raise StoreError(
                f"{url!r} holds something that is not a glaciolake store; give an empty or new folder"
            )
        store = cls(url, guarded(url, lambda: icechunk.Repository.create(storage)))
        store._change("new store", _write_root)
        return store

    def _check_version(self) -> None:
        found = self._root().attrs.get("glaciolake_store_version")
        if found != STORE_VERSION:
            raise StoreError(
                f"store {self.url!r} has version {found!r}, this glaciolake reads version {STORE_VERSION}; "
                "open it with the release that wrote it, or run into a new store"
            )

    def _root(self) -> zarr.Group:
        return zarr.open_group(self._repository.readonly_session(MAIN).store, mode="r")

    def series(self) -> dict[str, list[str]]:
        """Lakes and their tracks: ``{"tsho-rolpa": ["T012", "T121"]}``, sorted."""
        root = self._root()
        return {lake: sorted(group.group_keys()) for lake, group in sorted(root.groups())}

    def header(self, lake: str, track: str) -> SeriesHeader | None:
        """Grid, model and settings of a series; None where it does not exist yet."""
        root = self._root()
        return read_header(group_of(root, f"{lake}/{track}")) if f"{lake}/{track}" in root else None

    def versions(self, lake: str, track: str) -> dict[str, str]:
        """Pass id -> version digest of every stored slice; empty where the series does not exist."""
        root = self._root()
        if f"{lake}/{track}" not in root:
            return {}
        group = group_of(root, f"{lake}/{track}")
        return dict(zip(texts(group, "pass_id"), texts(group, "version"), strict=True))

    def quarantine(self) -> dict[str, dict[str, str]]:
        """Read what could not be used: key -> {kind, reason, version}."""
        return dict(_quarantine_of(self._root()))

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
            The lake or the track is not in the store.
        """
        known = self.series()
        if track not in known.get(lake, []):
            there = (
                "; ".join(f"{name}: {', '.join(tracks)}" for name, tracks in known.items()) or "nothing yet"
            )
            raise StoreError(f"store {self.url!r} has no series {lake}/{track}; it holds {there}")
        session = self._repository.readonly_session(MAIN)
        opened: xr.Dataset = xr.open_zarr(session.store, group=f"{lake}/{track}", consolidated=False)
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

    def note_refused(self, refused: Mapping[str, str]) -> str | None:
        """Record the files that a source had to refuse, name -> reason, in place of those recorded before."""
        return self._change("refused", lambda store: _write_refused(store, refused))

    def _change(self, message: str, change: Callable[[Any], bool]) -> str | None:
        with single_writer(self.url):
            for _ in range(ATTEMPTS):
                try:
                    return guarded(self.url, lambda: self._transaction(message, change))
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


def _write_root(store: Any) -> bool:
    root = zarr.create_group(
        store, attributes={"glaciolake_store_version": STORE_VERSION, "Conventions": "CF-1.11"}
    )
    root.attrs["title"] = "Glacial lakes on Sentinel-1, one group per lake and relative orbit"
    return True


def _quarantine_of(root: zarr.Group) -> dict[str, dict[str, str]]:
    return dict(json.loads(str(root.attrs.get("quarantine", "{}"))))


def _write_quarantine(root: zarr.Group, entries: Mapping[str, Mapping[str, str]]) -> bool:
    text = json.dumps({key: dict(entries[key]) for key in sorted(entries)}, sort_keys=True)
    if text == root.attrs.get("quarantine", "{}"):
        return False
    root.attrs["quarantine"] = text
    return True


def _write_refused(store: Any, refused: Mapping[str, str]) -> bool:
    root = zarr.open_group(store, mode="r+")
    kept = {key: entry for key, entry in _quarantine_of(root).items() if entry["kind"] != "refused"}
    new = {name: {"kind": "refused", "reason": reason} for name, reason in refused.items()}
    return _write_quarantine(root, kept | new)


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
    entries = {key: entry for key, entry in _quarantine_of(root).items() if key not in done}
    entries |= {f"{path}/{key}": dict(entry) for key, entry in batch.failed.items()}
    return _write_quarantine(root, entries) or changed
