"""A store opens as people read it: what is there, with dates, units and places, or clear words."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.typing import NDArray

import glaciolake
from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.reader_tables import AREA_COLUMNS
from glaciolake.catalog.readers import open_lake, within
from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.store_series import StoredPixels
from glaciolake.catalog.variables import VARIABLES
from tests.catalog.store_data import COLUMNS, HEADER, ROWS, batch, slices

LAKE = "tsho-rolpa"
UP = replace(HEADER, track="T012", orbit_state="ascending")


@pytest.fixture
def url(tmp_path: Path) -> str:
    store = Store.create(str(tmp_path / "s"))
    store.commit(batch([40, 20]))
    store.commit(Batch(UP, slices([21])))
    store.commit(Batch(replace(HEADER, lake="imja"), slices([5])))
    return store.url


def test_an_opened_store_shows_lakes_tracks_and_spans(url: str) -> None:
    reader = glaciolake.open_store(url)
    assert reader.lakes == {"imja": ["T121"], LAKE: ["T012", "T121"]}
    table = reader.to_dataframe()
    assert list(table["slices"]) == [1, 1, 2]
    assert table["last"].iloc[2] == pd.Timestamp("1970-02-10", tz="UTC")
    shown = repr(reader)
    assert "2 lakes, 3 tracks, 4 slices" in shown and "1970-01-21" in shown and reader.snapshot in shown
    assert "<table" in reader._repr_html_()


def test_a_reader_keeps_its_state_until_it_is_refreshed(url: str) -> None:
    reader = glaciolake.open_store(url)
    before = reader.open_lake(LAKE, "T121").load()
    Store.open(url).commit(batch([30]))
    assert reader.open_lake(LAKE, "T121").sizes["time"] == 2
    assert reader.refresh().open_lake(LAKE, "T121").sizes["time"] == 3
    xr.testing.assert_identical(before, glaciolake.open_lake(url, LAKE, "T121").isel(time=[0, 2]).load())


def test_tracks_are_never_mixed(url: str) -> None:
    with pytest.raises(StoreError, match=r"has 2 tracks .*: T012, T121.*open_tracks"):
        glaciolake.open_lake(url, LAKE)
    tree = glaciolake.open_tracks(url, LAKE)
    assert list(tree.children) == ["T012", "T121"] and tree["T121"].sizes["time"] == 2
    assert glaciolake.open_lake(url, "imja").attrs["track"] == "T121"  # of one track none need be named
    areas = glaciolake.area_series(url, LAKE)
    assert list(areas["track"]) == ["T012", "T121", "T121"]


def test_areas_come_as_a_tidy_table_with_the_columns_of_dea_waterbodies(tmp_path: Path) -> None:
    packed = slices([1, 2])
    numbers = {"valid_fraction": [1.0, 0.75], "wet_fraction": [0.5, 0.25], "area_wet_m2": [9000.0, 4500.0]}
    for name, values in numbers.items():
        packed[name].values[:] = values
    packed["flags"].values[:] = [0, 5]
    Store.create(str(tmp_path / "s")).commit(Batch(HEADER, packed))
    table = glaciolake.area_series(str(tmp_path / "s"), LAKE, "t121")
    told = [one.name for one in VARIABLES if one.derived]  # of which nothing was derived here
    assert list(table.columns) == [*AREA_COLUMNS, *told]
    assert list(table["pc_wet"]) == [50, 25] and list(table["pc_dry"]) == [50, 50]
    assert list(table["pc_invalid"]) == [0, 25] and list(table["area_wet_m2"]) == [9000, 4500]
    assert list(table["flags"]) == ["", "incomplete frozen_season"]
    assert table["time"].iloc[0] == pd.Timestamp("1970-01-02", tz="UTC")


def test_what_is_not_there_is_said_with_what_is(url: str) -> None:
    with pytest.raises(StoreError, match="no lake 'imjaa'; it holds imja, tsho-rolpa"):
        glaciolake.area_series(url, "imjaa")
    with pytest.raises(StoreError, match=r"no series tsho-rolpa/T019; it holds imja: T121; tsho-rolpa: T012"):
        glaciolake.open_lake(url, LAKE, "T019")
    with pytest.raises(StoreError, match="has no variable 'area'; it has area_m2"):
        glaciolake.open_lake(url, "imja", variable="area")
    series = glaciolake.open_lake(url, LAKE, "T121", variable="area_m2")
    assert list(series.data_vars) == ["area_m2"]
    with pytest.raises(StoreError, match=r"no slice from 2020-01-01 to 2021-01-01; it holds 2 slices, from"):
        within(series, "2020-01-01", "2021-01-01")
    assert within(series, "1970-01-21", "1970-01-21").sizes["time"] == 1
    with pytest.raises(StoreError, match="no snapshot 'ABCDEFGHJKMNPQRSTVWX'"):
        glaciolake.open_lake(url, "imja", as_of="ABCDEFGHJKMNPQRSTVWX")


def test_two_grids_of_one_lake_are_refused_with_both(url: str) -> None:
    other = replace(HEADER, transform=(30.0, 0.0, 447030.0, 0.0, -30.0, 3083220.0))
    with pytest.raises(StoreError, match=r"lies on grid .*447000.*447030"):
        Store.open(url).commit(Batch(other, slices([50]), new_generation=True))


def test_a_date_plots_with_its_date_unit_and_place(url: str) -> None:
    series = glaciolake.open_lake(url, LAKE, "T121")
    drawn: Any = xr.plot.imshow(series["gamma0_vv_db"].isel(time=0))
    axes = drawn.axes
    assert "1970-01-21" in axes.get_title()
    assert axes.get_xlabel() == "projection_x_coordinate [m]"
    assert "[dB]" in drawn.colorbar.ax.get_ylabel()
    assert axes.get_xlim() == (447000.0, 447210.0)
    plt.close(axes.figure)


def test_pixels_are_lazy_and_travel_to_dask_workers(url: str) -> None:
    series = glaciolake.open_lake(url, LAKE, "T121")
    lazy = series["water_probability"]
    assert lazy.chunks is not None
    there = pickle.loads(cloudpickle.dumps(lazy.mean(("y", "x")))).values  # as distributed sends it
    np.testing.assert_allclose(there, lazy.values.mean(axis=(1, 2)), rtol=1e-6)
    assert lazy[0, :2, 3].values.shape == (2,)


KEYS = (
    np.s_[:, 2, 3],
    np.s_[5],
    np.s_[-1, -1, -1],
    np.s_[::-1],
    np.s_[3:30:4, ::-2, 1:6],
    np.s_[[3, 1, 30]],
    np.s_[:, [4, 0], 2],
    np.s_[3:3],
)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_part_of_the_pixels_is_that_part(tmp_path: Path, key: Any) -> None:
    store = Store.create(str(tmp_path / "s"))
    packed = slices(range(40))
    packed["surface"].values[:] = np.random.default_rng(0).integers(0, 4, packed["surface"].shape)
    store.commit(Batch(HEADER, packed))
    found, whole = open_lake(store.url, LAKE)["surface"], packed["surface"].values.astype("float32")
    assert found[key].shape == whole[key].shape
    assert np.array_equal(found[key].values, whole[key])


def test_no_more_is_decoded_than_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.create(str(tmp_path / "s"))
    store.commit(batch(range(40)))
    surface, decoded = open_lake(store.url, LAKE)["surface"], [0]
    decode = StoredPixels._decoded

    def counted(self: StoredPixels, stored: NDArray[Any]) -> NDArray[Any]:
        decoded[0] += stored.size
        return decode(self, stored)

    monkeypatch.setattr(StoredPixels, "_decoded", counted)
    for part, n in ((surface[:, 2, 3], 40), (surface[7], ROWS * COLUMNS), (surface[:16, 1:3], 32 * COLUMNS)):
        decoded[0] = 0
        part.load()
        assert decoded[0] == n
