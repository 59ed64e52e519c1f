"""Readers: a store as people open it in a notebook. Lakes, tracks and spans; series lazily; areas at once."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.reader_tables import AsOf, area_table, history_of, moment_of
from glaciolake.catalog.store import Store
from glaciolake.catalog.store_snapshot import Snapshot


class StoreReader:
    """One committed state of a store, for reading; `refresh` moves on to the newest.

    Parameters
    ----------
    url
        A path or the address of a bucket's folder; see `glaciolake.catalog.store_address.storage_of`.

    Attributes
    ----------
    url
        Address of the store.
    """

    def __init__(self, url: str) -> None:
        self._store = Store.open(url)
        self.url = url
        self._now = self._store.snapshot()

    @property
    def snapshot(self) -> str:
        """Id of the state that is read; give it as ``as_of`` to come back to it."""
        return self._now.id

    def refresh(self) -> StoreReader:
        """Move on to the newest committed state; it is never older than the one before."""
        self._now = self._store.snapshot()
        return self

    @property
    def lakes(self) -> dict[str, list[str]]:
        """Lakes and their tracks, sorted."""
        return self._now.series()

    def to_dataframe(self) -> pd.DataFrame:
        """Sum up the series: a row a lake and track.

        Returns
        -------
        pandas.DataFrame
            Columns lake, track, orbit_state, slices, first, last (sensing start, UTC), generations, model.
        """
        rows = [self._summary(lake, track) for lake, tracks in self.lakes.items() for track in tracks]
        columns = ["lake", "track", "orbit_state", "slices", "first", "last", "generations", "model"]
        return pd.DataFrame(rows, columns=columns)

    def _summary(self, lake: str, track: str) -> tuple[object, ...]:
        _, _, headers = self._now.require(lake, track)
        choice = self._now.choose(lake, track)
        times = pd.to_datetime(choice.rows.numbers["time"][choice.index], unit="s", utc=True)
        span = (times[0], times[-1]) if len(times) else (pd.NaT, pd.NaT)
        header = choice.header
        return (lake, track, header.orbit_state, len(times), *span, len(headers), header.model_name)

    def __repr__(self) -> str:
        table = self.to_dataframe()
        n = f"{table['lake'].nunique()} lakes, {len(table)} tracks, {table['slices'].sum()} slices"
        head = f"<glaciolake store {self.url}: {n}, snapshot {self.snapshot}>"
        return f"{head}\n{_days(table).to_string(index=False)}" if len(table) else f"{head}\nnothing yet"

    def _repr_html_(self) -> str:
        head = f"<p><b>glaciolake store</b> {self.url}, snapshot {self.snapshot}</p>"
        return head + str(_days(self.to_dataframe()).to_html(index=False, border=0))

    def tracks_of(self, lake: str) -> list[str]:
        """Tracks of a lake.

        Raises
        ------
        StoreError
            The store has no such lake; the message names those it has.
        """
        lakes = self.lakes
        if lake not in lakes:
            raise StoreError(
                f"store {self.url!r} has no lake {lake!r}; it holds {', '.join(lakes) or 'nothing yet'}"
            )
        return lakes[lake]

    def only_track(self, lake: str, track: str | None) -> str:
        """Give the track asked for; where none was asked for, the only one that the lake has."""
        if track is not None:
            return track.upper()
        tracks = self.tracks_of(lake)
        if len(tracks) != 1:
            raise StoreError(
                f"{lake} has {len(tracks)} tracks in store {self.url!r}: {', '.join(tracks)}. Their areas "
                f"are not comparable, so give one, such as track={tracks[0]!r}, or use open_tracks"
            )
        return tracks[0]

    def open_lake(
        self,
        lake: str,
        track: str | None = None,
        *,
        variable: str | None = None,
        as_of: AsOf | None = None,
        version: str | None = None,
    ) -> xr.Dataset:
        """Open a series of this state; see `open_lake`."""
        name = self.only_track(lake, track)
        state = self._at(lake, name, as_of)
        series = state.open(state.choose(lake, name, version))
        return series if variable is None else _one_variable(series, variable)

    def open_tracks(
        self,
        lake: str,
        *,
        variable: str | None = None,
        as_of: AsOf | None = None,
        version: str | None = None,
    ) -> xr.DataTree:
        """Open all series of a lake; see `open_tracks`."""
        options = {"variable": variable, "version": version}
        found = {name: self.open_lake(lake, name, as_of=as_of, **options) for name in self.tracks_of(lake)}
        return xr.DataTree.from_dict(found, name=lake)

    def area_series(self, lake: str, track: str | None = None, *, as_of: AsOf | None = None) -> pd.DataFrame:
        """Give the areas of a lake of this state; see `area_series`."""
        tracks = self.tracks_of(lake) if track is None else [track.upper()]
        tables = []
        for name in tracks:
            state = self._at(lake, name, as_of)
            tables.append(area_table(state, state.choose(lake, name)))
        return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)

    def history(self, lake: str, track: str, pass_id: str | None = None) -> pd.DataFrame:
        """Give every version that was ever stored of a series, or of one pass.

        Returns
        -------
        pandas.DataFrame
            A row a version or event, in order of arrival: pass_id, time, committed (UTC), generation,
            version, granules_created, status (``current``, ``superseded``, ``withdrawn``,
            ``damaged``), reason, granules.
        """
        return history_of(self._now, lake, track.upper(), pass_id)

    def _at(self, lake: str, track: str, as_of: AsOf | None) -> Snapshot:
        if as_of is None:
            return self._now
        moment = moment_of(as_of)
        if moment is None:
            return self._store.snapshot(str(as_of))
        return self._now.at(lake, track, moment.timestamp(), self._store.repository)


def open_store(url: str) -> StoreReader:
    """Open a store for reading: it shows its lakes, tracks and spans.

    Raises
    ------
    StoreError
        Nothing lies there, it is no store of ours, or of another version.
    """
    return StoreReader(url)


def open_lake(  # noqa: PLR0913  # one argument a question that readers have, all but two by name
    url: str,
    lake: str,
    track: str | None = None,
    *,
    variable: str | None = None,
    as_of: AsOf | None = None,
    version: str | None = None,
) -> xr.Dataset:
    """Open the series of one lake and track: lazy, decoded, sorted by time.

    Parameters
    ----------
    url
        Address of the store.
    lake, track
        ``tsho-rolpa``, ``T121``. A lake of one track needs no track; of several one must be named, since
        tracks are never mixed.
    variable
        One variable, such as ``surface``; None opens all.
    as_of
        A time (UTC; a date alone means its end) or the id of a snapshot: the series as it was committed then.
    version
        A generation (its name, network's name or beginning of the network's SHA-256), or the version of a
        single slice, which need not be current. None takes the newest generation that is complete.

    Returns
    -------
    xr.Dataset
        dims (time, y, x), CF coordinates with ``spatial_ref``; variables as in
        `glaciolake.catalog.variables`, NaN for no data. Pixels are read when they are needed.

    Raises
    ------
    StoreError
        No store, lake, track, variable or version of this name; the message names those there are.
    """
    reader = StoreReader(url)
    return reader.open_lake(lake, track, variable=variable, as_of=as_of, version=version)


def open_tracks(
    url: str,
    lake: str,
    *,
    variable: str | None = None,
    as_of: AsOf | None = None,
    version: str | None = None,
) -> xr.DataTree:
    """Open all series of a lake: a node a track, since tracks are never mixed.

    Parameters are those of `open_lake`.
    """
    return StoreReader(url).open_tracks(lake, variable=variable, as_of=as_of, version=version)


def area_series(url: str, lake: str, track: str | None = None, *, as_of: AsOf | None = None) -> pd.DataFrame:
    """Give the areas of a lake as a tidy table, a row a slice; no pixel is read.

    Parameters
    ----------
    url
        Address of the store.
    lake, track
        ``tsho-rolpa``, ``T121``; None gives all tracks, one after another. Areas of different tracks are not
        comparable.
    as_of
        As in `open_lake`.

    Returns
    -------
    pandas.DataFrame
        Columns `glaciolake.catalog.reader_tables.AREA_COLUMNS` and the derived variables, sorted by
        (track, time). ``time`` is UTC; areas are m2, NaN where no area was measured; ``flags`` are words
        joined by a space. Columns of DEA Waterbodies: ``pc_wet``, ``pc_dry``, ``pc_invalid`` are percent of
        the reference outline and sum to 100, ``area_wet_m2`` is the wet area within it, while ``area_m2``
        follows the lake beyond it.

    Raises
    ------
    StoreError
        No store, lake or track of this name; the message names those there are.
    """
    return StoreReader(url).area_series(lake, track, as_of=as_of)


def within(series: xr.Dataset, start: AsOf, end: AsOf) -> xr.Dataset:
    """Cut a series to a window of time, both ends included; an empty window is an error.

    Raises
    ------
    StoreError
        No slice lies in the window; the message names the span that is stored.
    """
    cut = series.sel(time=slice(start, end))
    if not cut.sizes["time"]:
        times = series["time"].values
        span = f"from {str(times[0])[:16]} to {str(times[-1])[:16]}" if len(times) else "none at all"
        raise StoreError(
            f"{series.attrs['lake']}/{series.attrs['track']} has no slice from {start} to {end}; it holds "
            f"{len(times)} slices, {span} (UTC)"
        )
    return cut


def _days(table: pd.DataFrame) -> pd.DataFrame:
    """Show times as days, for people."""
    days = {
        name: [f"{time:%Y-%m-%d}" if time == time else "-" for time in table[name]]
        for name in ("first", "last")
    }
    return table.assign(**days)


def _one_variable(series: xr.Dataset, variable: str) -> xr.Dataset:
    if variable not in series.data_vars:
        raise StoreError(
            f"{series.attrs['lake']}/{series.attrs['track']} has no variable {variable!r}; it has "
            f"{', '.join(map(str, series.data_vars))}"
        )
    return series[[variable]]
