"""Ways of storing a series of slices, side by side: ours, and what others do with the same slices.

Every peer appends a slice a call of `add` (ours and the prototype gather ``batch`` of them), opens its store
anew for every read, and stores the same variables, S1-GRiTS excepted, which has room for pixels alone.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from pathlib import Path
from typing import Any, Protocol

import icechunk
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from glaciolake.catalog.readers import area_series, open_lake
from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.store_header import SeriesHeader
from glaciolake.catalog.store_layout import create_pixels, rows_of
from glaciolake.catalog.store_table import append_rows, lay_out_table, read_rows
from glaciolake.catalog.variables import BY_NAME, PIXEL, TIME_UNITS, VARIABLES, attributes

LAKE, TRACK = "tsho-rolpa", "T121"
PACKING = ("units", "scale_factor", "_FillValue")
PIXELS = tuple(variable.name for variable in VARIABLES if variable.dims == PIXEL)


def header(side_px: int, lake: str = LAKE, track: str = TRACK) -> SeriesHeader:
    """Describe a series of square images."""
    return SeriesHeader(
        lake=lake,
        lake_name=lake,
        track=track,
        orbit_state="descending",
        crs="EPSG:32645",
        transform=(30.0, 0.0, 447000.0, 0.0, -30.0, 3083220.0),
        shape=(side_px, side_px),
        model_name="tiny",
        model_sha256="ab" * 32,
        settings="{}",
        settings_digest="s1",
        simulated=True,
    )


def slices(first: int, n: int, side_px: int) -> xr.Dataset:
    """Packed slices as a run makes them: a lake with a ragged shore, probabilities, speckled backscatter."""
    rng = np.random.default_rng(first)
    y, x = np.mgrid[:side_px, :side_px] / side_px - 0.5
    found = xr.Dataset(coords={"time": ("time", (first + np.arange(n, dtype="int64")) * 86400 * 6)})
    shore = np.hypot(x, y * 2) - 0.3 + rng.normal(0, 0.01, (n, side_px, side_px))
    found["water_probability"] = (PIXEL, np.clip(125 - 600 * shore, 0, 250).astype("uint8"))
    found["surface"] = (PIXEL, np.where(shore < 0, np.uint8(2), np.uint8(0)))
    db = -800 - 700 * (shore < 0) + rng.normal(0, 60, shore.shape)
    found["gamma0_vv_db"] = (PIXEL, db.astype("int16"))
    for variable in VARIABLES:
        if variable.name in found or variable.derived:
            continue
        if variable.dtype == "str":
            texts = [f"{variable.name}-{first + i:06d}-{rng.integers(10**12):012d}" for i in range(n)]
            found[variable.name] = ("time", np.array(texts, dtype=object))
        else:
            found[variable.name] = ("time", rng.random(n).astype(variable.dtype))
    return found


class Peer(Protocol):
    """A way of storing slices."""

    name: str
    path: Path

    def add(self, one: xr.Dataset) -> None:
        """Append one slice so that it outlives the process."""

    def areas(self) -> NDArray[Any]:
        """Read the areas of all slices, from a store opened anew."""

    def masks(self, n: int) -> NDArray[Any]:
        """Read the masks of the last `n` slices, from a store opened anew."""


class Ours:
    """glaciolake, so many slices a commit."""

    def __init__(self, path: Path, side_px: int, batch: int) -> None:
        self.name, self.path, self._batch = f"glaciolake, {batch} a commit", path, batch
        self._header, self._store = header(side_px), Store.create(str(path))
        self._gathered: list[xr.Dataset] = []

    def add(self, one: xr.Dataset) -> None:
        """Gather, then commit."""
        self._gathered.append(one)
        if len(self._gathered) >= self._batch:
            self._store.commit(Batch(self._header, xr.concat(self._gathered, "time", join="exact")))
            self._gathered = []

    def areas(self) -> NDArray[Any]:
        """Areas by `area_series`."""
        return area_series(str(self.path), LAKE)["area_m2"].to_numpy()

    def masks(self, n: int) -> NDArray[Any]:
        """Masks by `open_lake`."""
        return open_lake(str(self.path), LAKE)["surface"][-n:].values


def as_cf(one: xr.Dataset) -> xr.Dataset:
    """Give the same slices as xarray appends them: a variable each; packed values are left as they are."""
    named = {}
    for name in map(str, one.data_vars):
        about = {key: value for key, value in attributes(BY_NAME[name]).items() if key not in PACKING}
        named[name] = (one[name].dims, one[name].values, about)
    time = ("time", one["time"].values, {"units": TIME_UNITS})
    return xr.Dataset(named, coords={"time": time})


class PlainZarr:
    """xarray's ``to_zarr(append_dim="time")`` on a folder."""

    name = "plain Zarr, xarray append"

    def __init__(self, path: Path) -> None:
        self.path = path

    def _target(self) -> Any:
        return self.path

    def add(self, one: xr.Dataset) -> None:
        """Append one slice."""
        how: dict[str, Any] = {"append_dim": "time"} if self._exists() else {"mode": "w"}
        as_cf(one).to_zarr(self._target(), consolidated=False, zarr_format=3, **how)

    def _exists(self) -> bool:
        return (self.path / "zarr.json").is_file()

    def _open(self) -> xr.Dataset:
        opened: xr.Dataset = xr.open_zarr(self._target(), consolidated=False)
        return opened

    def areas(self) -> NDArray[Any]:
        """Areas of the opened store."""
        return np.asarray(self._open()["area_m2"].values)

    def masks(self, n: int) -> NDArray[Any]:
        """Masks of the opened store."""
        return np.asarray(self._open()["surface"][-n:].values)


class PlainIcechunk(PlainZarr):
    """icechunk with xarray's append, a commit a slice: its own documentation's way."""

    name = "icechunk, xarray append, 1 a commit"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        icechunk.set_logs_filter("off")
        self._repository = icechunk.Repository.open_or_create(icechunk.local_filesystem_storage(str(path)))
        self._any = False

    def add(self, one: xr.Dataset) -> None:
        """Append and commit one slice."""
        session = self._repository.writable_session("main")
        how: dict[str, Any] = {"append_dim": "time"} if self._any else {"mode": "w"}
        as_cf(one).to_zarr(session.store, consolidated=False, zarr_format=3, **how)
        session.commit("one more")
        self._any = True

    def _target(self) -> Any:
        repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(self.path)))
        return repository.readonly_session("main").store


class Grits:
    """S1-GRiTS: its own functions that make a scene store and append a time step to it."""

    name = "S1-GRiTS 3.0.0, its append"

    def __init__(self, path: Path, side_px: int) -> None:
        from affine import Affine
        from s1grits.scenes.store import _append_zarr_timestep, _init_zarr_2band  # type: ignore[import-not-found]

        self.path, self._append = path, _append_zarr_timestep
        x, y = 447015 + 30.0 * np.arange(side_px), 3083205 - 30.0 * np.arange(side_px)
        at = Affine(30.0, 0, 447000.0, 0, -30.0, 3083220.0)
        grid = (x, y, "EPSG:32645", at, side_px, side_px)
        self._group = _init_zarr_2band(path / "a" / "b" / "s.zarr", *grid, "scenes", list(PIXELS))

    def add(self, one: xr.Dataset) -> None:
        """Append one slice; its bands are float32."""
        bands = [(name, one[name].values[0].astype("float32")) for name in PIXELS]
        moment = one["time"].values[0].astype("datetime64[s]").astype("datetime64[ns]")
        self._append(self._group, moment, bands)

    def areas(self) -> NDArray[Any]:
        """Read its times, for it stores no numbers."""
        return np.asarray(xr.open_zarr(self.path / "a" / "b" / "s.zarr", consolidated=False)["time"].values)

    def masks(self, n: int) -> NDArray[Any]:
        """Masks of the opened store."""
        opened = xr.open_zarr(self.path / "a" / "b" / "s.zarr", consolidated=False)
        return np.asarray(opened["surface"][-n:].values)


class OwnCommitFile:
    """Prototype of the other engine: plain Zarr v3, a folder a commit, published by a file of our own.

    A commit writes its rows as a small Zarr group of its own and then links the next list of groups into
    place, which fails where another writer was first. So it is atomic, and knows no torn state. What it does
    not have: versions of the list to come back to, object stores, compaction, garbage collection.
    """

    def __init__(self, path: Path, side_px: int, batch: int) -> None:
        self.name, self.path, self._batch = f"plain Zarr, own commit file, {batch} a commit", path, batch
        self._side = side_px
        path.mkdir(parents=True, exist_ok=True)
        self._gathered: list[xr.Dataset] = []

    def _names(self) -> list[str]:
        return [path.name for path in self.path.iterdir()]

    def _newest(self) -> tuple[int, list[str]]:
        numbers = [int(name[:-5]) for name in self._names() if name.endswith(".json")]
        if not numbers:
            return 0, []
        newest = max(numbers)
        return newest, json.loads((self.path / f"{newest}.json").read_text())

    def add(self, one: xr.Dataset) -> None:
        """Gather, then commit."""
        self._gathered.append(one)
        if len(self._gathered) < self._batch:
            return
        whole = xr.concat(self._gathered, "time", join="exact")
        part = uuid.uuid4().hex
        group = zarr.open_group(self.path / part, mode="w", zarr_format=3)
        lay_out_table(group)
        append_rows(group, rows_of(whole))
        for name in PIXELS:
            create_pixels(group, BY_NAME[name], whole[name].shape)[:] = whole[name].values
        while True:
            number, parts = self._newest()
            new = self.path / f"{part}.new"
            new.write_text(json.dumps([*parts, part]))
            try:
                os.link(new, self.path / f"{number + 1}.json")
            except FileExistsError:
                continue
            new.unlink()
            break
        self._gathered = []

    def areas(self) -> NDArray[Any]:
        """Areas of all groups."""
        _, parts = self._newest()
        tables = [read_rows(zarr.open_group(self.path / part, mode="r")) for part in parts]
        return np.concatenate([table.numbers["area_m2"] for table in tables])

    def masks(self, n: int) -> NDArray[Any]:
        """Masks of the last groups."""
        found: list[NDArray[Any]] = []
        for part in reversed(self._newest()[1]):
            group = zarr.open_group(self.path / part, mode="r")
            found.insert(0, np.asarray(group["surface"][:]))  # type: ignore[index]
            if sum(map(len, found)) >= n:
                break
        stored = np.concatenate(found)[-n:]
        decoded = stored.astype("float32")
        decoded[stored == 255] = np.nan
        return decoded


def grits_is_there() -> bool:
    """Whether S1-GRiTS can be imported: its wheel asks for Python 3.12, and unpacked it runs on 3.11."""
    try:
        import s1grits  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        print(f"S1-GRiTS is left out: {error}", file=sys.stderr)
        return False
    return True


def n_files(path: Path) -> int:
    """Files below a folder."""
    return sum(len(files) for _, _, files in os.walk(path))
