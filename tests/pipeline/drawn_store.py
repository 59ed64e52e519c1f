"""A store of drawn series: what a run would have written, without scenes and network."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.store_header import SeriesHeader
from glaciolake.catalog.store_merge import Derive
from glaciolake.catalog.variables import BY_NAME, PIXEL, Surface
from glaciolake.models.weights import DEFAULT_MODEL, card
from glaciolake.pipeline.packing import pack_db, pack_probability
from glaciolake.pipeline.series import pixel_transform
from tests.pipeline.lake_series import days_of, lake_series

UNSEEN = 3
"""Slice of `small_series` that saw a corner of its scene only: no area, no pixel of the lake."""


def small_series(track: str = "T121", *, n: int = 5) -> xr.Dataset:
    """Draw some summer slices, 130 x 150 pixels; a strip is unknown in all, one saw no lake."""
    days = days_of("2023-07-01", "2024-12-31")[:n]
    state = {"T121": "descending", "T085": "ascending"}[track]
    whole = lake_series(days, track=track, orbit_state=state, size_px=150, seed=int(track[1:]))
    series = whole.isel(y=slice(10, 140)).copy()
    series["surface"][:, :, :6] = np.nan
    if n > UNSEEN:
        series["surface"][UNSEEN, :, 20:] = np.nan
        series["area_m2"][UNSEEN] = np.nan
    lake = (series["surface"] == int(Surface.LAKE)).where(series["surface"].notnull())
    series["water_probability"] = 0.1 + 0.8 * lake
    return series


def fill_store(
    url: str, series: Iterable[xr.Dataset], *, model: str = DEFAULT_MODEL, derive: Derive | None = None
) -> Store:
    """Commit series as `glaciolake.open_lake` gives them, as if a network of that name had made them."""
    store = Store.create(url)
    for one in series:
        header = _header(one)
        if model != DEFAULT_MODEL:
            header = replace(header, model_name=model, model_sha256="cd" * 32)
        store.commit(Batch(header, _packed(one), derive=derive))
    return store


def _header(series: xr.Dataset) -> SeriesHeader:
    grid = pixel_transform(series)
    return SeriesHeader(
        lake=str(series.attrs["lake"]),
        lake_name=str(series.attrs["lake_name"]),
        track=str(series.attrs["track"]),
        orbit_state=series.attrs["orbit_state"],
        crs="EPSG:32645",
        transform=(grid.a, grid.b, grid.c, grid.d, grid.e, grid.f),
        shape=(series.sizes["y"], series.sizes["x"]),
        model_name=DEFAULT_MODEL,
        model_sha256=card(DEFAULT_MODEL)["sha256"],
        settings=json.dumps({"drawn": True}),
        settings_digest="drawn",
    )


def _packed(series: xr.Dataset) -> xr.Dataset:
    seconds = pd.to_datetime(series["time"].values).as_unit("s").asi8
    packed = xr.Dataset(coords={"time": ("time", seconds)})
    unknown = series["surface"].isnull().values
    pixels = {
        "surface": np.where(unknown, 255, np.nan_to_num(series["surface"].values)).astype("uint8"),
        "water_probability": pack_probability(series["water_probability"].values.astype("float32")),
        "gamma0_vv_db": pack_db(
            np.where(unknown, np.nan, 10 ** (series["gamma0_vv_db"].values / 10)).astype("float32")
        ),
    }
    for name, values in pixels.items():
        packed[name] = (PIXEL, values)
    packed["granules_created"] = ("time", np.where(np.arange(len(seconds)) % 2, np.nan, seconds + 86_400.5))
    for name, variable in BY_NAME.items():
        if variable.dims != PIXEL and name in series:
            dtype = object if variable.dtype == "str" else variable.dtype
            packed[name] = ("time", series[name].values.astype(dtype))
    return packed
