"""Snapshot: one committed state of a store. All that is read through it belongs together, whoever writes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import icechunk
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.store_access import Place, guarded
from glaciolake.catalog.store_header import SeriesHeader
from glaciolake.catalog.store_layout import group_of, read_headers
from glaciolake.catalog.store_quarantine import read_quarantine
from glaciolake.catalog.store_series import series_of, slices_of
from glaciolake.catalog.store_table import Rows, Status, current, newest, read_rows, standing
from glaciolake.catalog.variables import VARIABLES

TICK_S = 1e-3
"""Times are told to a millisecond; a commit belongs to the one that is told of it."""


@dataclass(frozen=True)
class Choice:
    """Rows of a series that somebody asked for.

    Attributes
    ----------
    group
        The series.
    rows
        Its table.
    index
        Rows chosen, in order of time.
    header
        Their generation.
    """

    group: zarr.Group
    rows: Rows
    index: NDArray[np.intp]
    header: SeriesHeader


class Snapshot:
    """One committed state of the store at `url`, read-only."""

    def __init__(self, url: str, session: icechunk.Session) -> None:
        self.url = url
        self.id = str(session.snapshot_id)
        self._session = session
        self._quarantine: dict[str, dict[str, str]] | None = None
        self._chosen: dict[str, tuple[zarr.Group, Rows, list[SeriesHeader]]] = {}

    @cached_property
    def root(self) -> zarr.Group:
        """Root group."""
        return zarr.open_group(self._session.store, mode="r")

    def series(self) -> dict[str, list[str]]:
        """Lakes and their tracks: ``{"tsho-rolpa": ["T012", "T121"]}``, sorted."""
        return guarded(
            self.url, lambda: {lake: sorted(group.group_keys()) for lake, group in sorted(self.root.groups())}
        )

    def quarantine(self) -> dict[str, dict[str, str]]:
        """Read what could not be used: key -> {kind, reason, and source where it is a refused file}."""
        if self._quarantine is None:
            self._quarantine = guarded(self.url, lambda: read_quarantine(self.root))
        return self._quarantine

    def table(self, lake: str, track: str) -> tuple[zarr.Group, Rows, list[SeriesHeader]] | None:
        """Group, table and generations of a series; None where it does not exist."""
        path = f"{lake}/{track}"

        def step() -> tuple[zarr.Group, Rows, list[SeriesHeader]] | None:
            try:
                group = group_of(self.root, path)
            except KeyError:
                return None
            return group, read_rows(group), read_headers(group)

        if path not in self._chosen:
            found = guarded(self.url, step)
            if found is None:
                return None
            self._chosen[path] = found
        return self._chosen[path]

    def headers(self, lake: str, track: str) -> list[SeriesHeader]:
        """Give the generations of a series, oldest first; none where it does not exist."""
        found = self.table(lake, track)
        return found[2] if found else []

    def held(self, header: SeriesHeader) -> tuple[dict[str, set[str]], dict[str, str]]:
        """Tell what is stored of a generation.

        Returns
        -------
        versions : dict
            Pass id -> digests of all its versions, superseded and withdrawn ones too; versions whose pixels
            were lost are not among them.
        granules : dict
            Pass id -> granules of its current version.
        """
        found = self.table(header.lake, header.track)
        if found is None:
            return {}, {}
        rows = found[1]
        versions: dict[str, set[str]] = {}
        own = np.flatnonzero(rows.texts["recipe"] == header.recipe)
        own = own[np.argsort(rows.numbers["arrival"][own], kind="stable")]
        lost = (rows.numbers["status"][own] == Status.DAMAGED).tolist()
        keys = (rows.texts[name][own].tolist() for name in ("pass_id", "version"))
        for one, version, is_lost in zip(*keys, lost, strict=True):
            of_pass = versions.setdefault(one, set())
            (of_pass.discard if is_lost else of_pass.add)(version)
        shown = current(rows, header.recipe)
        passes, granules = rows.texts["pass_id"][shown], rows.texts["granules"][shown]
        return versions, dict(zip(map(str, passes), map(str, granules), strict=True))

    def require(self, lake: str, track: str) -> tuple[zarr.Group, Rows, list[SeriesHeader]]:
        """Group, table and generations of a series; an error that names those there are."""
        found = self.table(lake, track)
        if found is None:
            held = self.series().items()
            there = "; ".join(f"{one}: {', '.join(tracks)}" for one, tracks in held)
            raise StoreError(
                f"store {self.url!r} has no series {lake}/{track}; it holds {there or 'nothing yet'}"
            )
        return found

    def choose(self, lake: str, track: str, version: str | None = None) -> Choice:
        """Choose the slices of a series that are current, of one generation.

        Parameters
        ----------
        lake, track
            ``tsho-rolpa``, ``T121``.
        version
            A generation: its name or the beginning of it, a network's name, or the beginning of its SHA-256.
            Or the version of a single slice, also one that is no longer current. None takes the newest
            generation that is complete.

        Raises
        ------
        StoreError
            There is no such series or version, or several fit; the message names them.
        """
        group, rows, headers = self.require(lake, track)
        by_recipe = {one.recipe: one for one in headers}
        if version is None:
            recipe = standing(rows, list(by_recipe))
            return Choice(group, rows, current(rows, recipe), by_recipe[recipe])
        fitting = [one for one in headers if _names(one, version)]
        if len(fitting) == 1:
            return Choice(group, rows, current(rows, fitting[0].recipe), fitting[0])
        one = np.flatnonzero((rows.texts["version"] == version) & (rows.numbers["status"] == Status.MEASURED))
        if not fitting and one.size:
            return Choice(group, rows, one[-1:], by_recipe[str(rows.texts["recipe"][one[-1]])])
        told = ", ".join(f"{header.recipe} (model {header.model_name})" for header in headers)
        raise StoreError(
            f"{lake}/{track} in store {self.url!r}: {'several generations fit' if fitting else 'no'} version "
            f"{version!r}; its generations are {told}; versions of single slices: 'glaciolake store history'"
        )

    def withdrawn(self, choice: Choice) -> dict[str, str]:
        """Pass id -> reason, of the passes withdrawn from the generation of `choice`."""
        rows = choice.rows
        found = newest(rows, choice.header.recipe)
        gone = found[rows.numbers["status"][found] == Status.WITHDRAWN]
        passes, reasons = rows.texts["pass_id"][gone], rows.texts["reason"][gone]
        return dict(zip(map(str, passes), map(str, reasons), strict=True))

    def open(self, choice: Choice) -> xr.Dataset:
        """Open chosen slices, decoded: the numbers at once, pixels lazily."""
        place = Place(self.url, f"{choice.header.lake}/{choice.header.track}", self.id)
        return guarded(
            self.url, lambda: series_of(choice.group, choice.header, choice.rows, choice.index, place)
        )

    def numbers(self, choice: Choice) -> xr.Dataset:
        """Give the numbers and texts of chosen slices, (time), without pixels."""
        return slices_of(choice.rows.take(choice.index), choice.header)

    def at(self, lake: str, track: str, until_s: float, repository: icechunk.Repository) -> Snapshot:
        """Find the state that a series had at a time.

        Every row remembers the snapshot before its commit: that of the first row committed later is the
        state wanted. Where it has been expired, the rows of that time are given without what was derived
        from them.

        Parameters
        ----------
        lake, track
            The series.
        until_s
            Seconds since 1970 UTC.
        repository
            Where snapshots are looked up.
        """
        group, rows, headers = self.require(lake, track)
        later = np.flatnonzero(rows.numbers["committed"] > until_s + TICK_S)
        if not later.size:
            return self
        if later.size == len(rows):
            raise StoreError(
                f"{lake}/{track} in store {self.url!r} held nothing at {_utc(until_s)}; its first slices "
                f"were committed at {_utc(float(rows.numbers['committed'].min()))}"
            )
        first = later[np.argmin(rows.numbers["arrival"][later])]
        parent = str(rows.texts["parent"][first])
        try:
            return Snapshot(self.url, repository.readonly_session(snapshot_id=parent))
        except icechunk.IcechunkError:
            seen = rows.numbers["committed"] <= until_s + TICK_S
            derived = {one.name for one in VARIABLES if one.derived}
            numbers = {name: values for name, values in rows.numbers.items() if name not in derived}
            texts = {name: values for name, values in rows.texts.items() if name not in derived}
            texts |= {name: np.where(seen, texts[name], "") for name in ("recipe", "version")}
            used = [one for one in headers if (texts["recipe"] == one.recipe).any()]
            found = Snapshot(self.url, self._session)
            found._chosen[f"{lake}/{track}"] = (group, Rows(numbers, texts), used)
            return found


def _names(header: SeriesHeader, version: str) -> bool:
    return version == header.model_name or (
        len(version) >= 4 and (header.recipe.startswith(version) or header.model_sha256.startswith(version))
    )


def _utc(seconds: float) -> str:
    return f"{np.datetime64(round(seconds), 's')}Z"
