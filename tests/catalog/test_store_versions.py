"""A slice has versions: the newest is seen, all stay, and two ways of making a series never mix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from glaciolake.catalog import variables
from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.readers import area_series, open_lake, open_store
from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.variables import SLICE, Variable
from tests.catalog.store_data import HEADER, batch, slices

LAKE, TRACK = "tsho-rolpa", "T121"
NEWER = replace(HEADER, model_name="finer", model_sha256="cd" * 32, settings_digest="s2")


def versions(series: xr.Dataset) -> list[str]:
    return [str(text) for text in series.version.values]


def test_an_older_version_that_comes_later_replaces_nothing(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    store = Store.create(url)
    store.commit(batch([1, 2], version="v2"))
    assert store.commit(batch([1], version="v1")) is not None  # kept, for whoever asks
    assert store.commit(batch([1], version="v1")) is None
    assert versions(open_lake(url, LAKE)) == ["v2-1", "v2-2"]
    assert list(open_store(url).history(LAKE, TRACK).status) == ["current", "current", "superseded"]


def test_old_versions_stay_readable(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    store = Store.create(url)
    first = store.commit(batch([1, 2]))
    before = open_lake(url, LAKE).load()
    store.commit(batch([2, 3], version="v2"))
    assert versions(open_lake(url, LAKE)) == ["v1-1", "v2-2", "v2-3"]
    xr.testing.assert_identical(open_lake(url, LAKE, as_of=first).load(), before)
    committed = open_store(url).history(LAKE, TRACK).committed.iloc[0]
    xr.testing.assert_identical(open_lake(url, LAKE, as_of=committed).load(), before)
    assert versions(open_lake(url, LAKE, version="v1-2")) == ["v1-2"]
    old = open_lake(url, LAKE, version="v1-2").water_probability.values
    np.testing.assert_array_equal(old[0], before.water_probability.values[1])
    with pytest.raises(StoreError, match="held nothing at 2001-01-01"):
        open_lake(url, LAKE, as_of="2001-01-01T00:00")
    with pytest.raises(StoreError, match="neither a time"):
        open_lake(url, LAKE, as_of="yesterday-ish")


def test_a_new_generation_is_asked_for_and_takes_over_when_complete(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    store = Store.create(url)
    store.commit(batch([1, 2, 3]))
    for header in (NEWER, replace(HEADER, settings_digest="s9")):
        with pytest.raises(StoreError, match="new_generation"):
            store.commit(Batch(header, slices([4])))
    part = Batch(NEWER, slices([1, 3], version="v2"), new_generation=True)
    assert store.commit(part) is not None
    assert store.commit(part) is None
    assert versions(open_lake(url, LAKE)) == ["v1-1", "v1-2", "v1-3"]  # the new one lacks a pass
    assert versions(open_lake(url, LAKE, version="finer")) == ["v2-1", "v2-3"]
    store.commit(Batch(NEWER, slices([2, 4], version="v2")))
    seen = open_lake(url, LAKE)
    assert versions(seen) == ["v2-1", "v2-2", "v2-3", "v2-4"]
    assert seen.attrs["model"] == "finer" and seen.attrs["generation"] == NEWER.recipe
    assert versions(open_lake(url, LAKE, version="tiny")) == ["v1-1", "v1-2", "v1-3"]
    store.commit(batch([5]))  # a run of the old settings still finds its own generation, and mixes nothing
    assert versions(open_lake(url, LAKE, version=HEADER.model_sha256[:12]))[-1] == "v1-5"
    with pytest.raises(StoreError, match=r"no version 'other'.*s1-abababab \(model tiny\), s2-cdcdcdcd"):
        open_lake(url, LAKE, version="other")


def running_total(rows: xr.Dataset) -> Mapping[str, NDArray[Any]]:
    assert "total_m2" not in rows and rows.indexes["time"].is_monotonic_increasing
    assert rows.attrs["track"] == TRACK
    return {"total_m2": np.cumsum(rows.area_m2.values)}


@pytest.fixture
def total(monkeypatch: pytest.MonkeyPatch) -> Variable:
    """Give the store a derived variable that depends on all slices before."""
    made = Variable("total_m2", SLICE, "float64", "m2", np.nan, None, "sum so far", derived=True)
    monkeypatch.setattr(variables, "VARIABLES", (*variables.VARIABLES, made))
    for module in ("store_series", "store_snapshot", "reader_tables"):
        monkeypatch.setattr(f"glaciolake.catalog.{module}.VARIABLES", variables.VARIABLES)
    monkeypatch.setitem(variables.BY_NAME, made.name, made)
    return made


@pytest.mark.usefixtures("total")
def test_derived_variables_are_those_of_the_series_in_whatever_order_it_came(tmp_path: Path) -> None:
    one, other = Store.create(str(tmp_path / "a")), Store.create(str(tmp_path / "b"))
    one.commit(Batch(HEADER, slices([1, 2, 3, 4]), derive=running_total))
    for days in ([4], [1], [3, 2]):
        other.commit(Batch(HEADER, slices(days), derive=running_total))
    assert other.commit(Batch(HEADER, slices([1]), derive=running_total)) is None
    series = open_lake(other.url, LAKE).load()
    np.testing.assert_array_equal(series.total_m2, np.cumsum(series.area_m2))
    xr.testing.assert_identical(series, open_lake(one.url, LAKE).load())
    assert list(area_series(one.url, LAKE).total_m2) == list(series.total_m2.values)
    other.commit(Batch(HEADER, slices([2], version="v2"), derive=running_total))
    after = open_lake(other.url, LAKE)
    np.testing.assert_array_equal(after.total_m2, np.cumsum(after.area_m2))
    assert after.total_m2.values[-1] != series.total_m2.values[-1]


@pytest.mark.usefixtures("total")
@pytest.mark.parametrize("found", [{"area_m2": [1.0]}, {"nothing": [1.0]}, {"total_m2": [1.0, 2.0]}])
def test_a_derivation_that_gives_something_else_stores_nothing(
    tmp_path: Path, found: dict[str, list[float]]
) -> None:
    store = Store.create(str(tmp_path / "s"))
    with pytest.raises(StoreError, match="marked as derived"):
        store.commit(
            Batch(HEADER, slices([1]), derive=lambda rows: {k: np.array(v) for k, v in found.items()})
        )
    assert store.series() == {}


def test_a_commit_redone_on_another_writers_result_loses_nothing(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    one, other = Store.create(url), Store.open(url)
    for day in range(6):
        (one if day % 2 else other).commit(batch([day]))
    assert versions(open_lake(url, LAKE)) == [f"v1-{day}" for day in range(6)]
