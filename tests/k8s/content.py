"""What a store holds, to be compared with what another one holds."""

from __future__ import annotations

import xarray as xr

import glaciolake

Content = dict[tuple[str, str], xr.Dataset]


def content(url: str) -> Content:
    """Every series of a store in memory, by lake and track."""
    store = glaciolake.open_store(url)
    names = [(lake, track) for lake, tracks in store.lakes.items() for track in tracks]
    return {(lake, track): store.open_lake(lake, track).load() for lake, track in names}


def n_slices(url: str) -> int:
    """Slices stored so far, all lakes and tracks together."""
    store = glaciolake.open_store(url)
    return sum(
        store.open_lake(lake, track).sizes["time"] for lake, tracks in store.lakes.items() for track in tracks
    )


def compare(one: Content, other: Content) -> int:
    """Compare two stores, values, order and attributes; the slices that are equal.

    Raises
    ------
    AssertionError
        Names the series and what differs.
    """
    assert list(one) == list(other), f"series differ: {list(one)} and {list(other)}"
    for series, values in one.items():
        try:
            xr.testing.assert_identical(values, other[series])
        except AssertionError as error:
            raise AssertionError(f"series {series}: {error}") from None
    return sum(values.sizes["time"] for values in one.values())
