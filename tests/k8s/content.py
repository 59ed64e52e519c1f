"""What a store holds, to be compared with what another one holds."""

from __future__ import annotations

import xarray as xr

from glaciolake.catalog.store import open_lake
from glaciolake.pipeline.overview import store_overview

Content = dict[tuple[str, str], xr.Dataset]


def content(url: str) -> Content:
    """Every series of a store in memory, by lake and track."""
    return {(lake, track): open_lake(url, lake, track).load() for lake, track in store_overview(url)}


def n_slices(url: str) -> int:
    """Slices stored so far, all lakes and tracks together."""
    return sum(open_lake(url, lake, track).sizes["time"] for lake, track in store_overview(url))


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
