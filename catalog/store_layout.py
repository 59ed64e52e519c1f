"""How a series lies in its Zarr group: header, template, merge in time order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
import zarr
from pyproj import CRS
from zarr.codecs import BloscCodec, BloscShuffle

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.granule import OrbitState
from glaciolake.catalog.variables import BY_NAME, PIXEL, STORE_VERSION, VARIABLES, attributes

TIME_CHUNK = 16
"""Slices a stored chunk: a date reads one chunk, ten years of one pixel some thirty."""
ROW_CHUNK = 4096
"""Rows a chunk of the one-dimensional variables: a whole series is one object."""
SOURCE = "Sentinel-1 RTC gamma nought; contains modified Copernicus Sentinel data"
SIMULATED_SOURCE = "simulated scenes, not the real lake"
TIME_UNITS = "seconds since 1970-01-01T00:00:00"


@dataclass(frozen=True)
class SeriesHeader:
    """What all slices of a series share.

    Attributes
    ----------
    lake, lake_name, track, orbit_state
        ``tsho-rolpa``, ``Tsho Rolpa``, ``T121``, ``descending``.
    crs, transform, shape
        Grid: ``EPSG:32645``, affine (a, b, c, d, e, f) in metres, (rows, columns).
    model_name, model_sha256
        Network that made the series.
    settings
        Processing settings as JSON with sorted keys.
    settings_digest
        Digest of everything that shapes a value: settings, outline, grid, network.
    simulated
        Whether the scenes are simulated; a series is one or the other.
    """

    lake: str
    lake_name: str
    track: str
    orbit_state: OrbitState
    crs: str
    transform: tuple[float, float, float, float, float, float]
    shape: tuple[int, int]
    model_name: str
    model_sha256: str
    settings: str
    settings_digest: str
    simulated: bool = False

    def check_same(self, stored: SeriesHeader, url: str) -> None:
        """Refuse to mix two ways of making a series.

        Raises
        ------
        StoreError
            Grid, network or settings differ from `stored`; the message names both.
        """
        where = f"series {self.lake}/{self.track} in store {url!r}"
        cure = "Use the same one, or give another store; series made in two ways are never mixed"
        if (self.crs, self.shape) != (stored.crs, stored.shape) or not np.allclose(
            self.transform, stored.transform, atol=1e-3
        ):
            raise StoreError(
                f"{where} lies on grid {stored.crs} {stored.transform} {stored.shape}, the new slices on "
                f"{self.crs} {self.transform} {self.shape}. {cure}"
            )
        if self.simulated != stored.simulated:
            raise StoreError(f"{where}: one of the two is simulated, and the other is not. {cure}")
        if self.model_sha256 != stored.model_sha256:
            raise StoreError(
                f"{where} was made with model {stored.model_name} ({stored.model_sha256[:12]}), this run "
                f"uses {self.model_name} ({self.model_sha256[:12]}). {cure}"
            )
        if self.settings_digest != stored.settings_digest:
            raise StoreError(f"{where} was made with {self._difference(stored)}. {cure}")

    def _difference(self, stored: SeriesHeader) -> str:
        """Put into words which settings differ, old and new."""
        old, new = _flat(stored.settings), _flat(self.settings)
        keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
        if not keys:
            return (
                f"settings equal to this run's, but code or inputs beside the settings differ (digest "
                f"{stored.settings_digest}, this run {self.settings_digest})"
            )
        was, now = (", ".join(f"{key} = {one.get(key, 'absent')}" for key in keys) for one in (old, new))
        return f"settings {was}, this run uses {now}"


def _flat(settings: str) -> dict[str, str]:
    """Open nested settings: dotted key -> JSON text of the value."""

    def opened(prefix: str, value: object) -> dict[str, str]:
        if not isinstance(value, dict) or not value:
            return {prefix: json.dumps(value, sort_keys=True)}
        parts = (opened(f"{prefix}.{key}" if prefix else str(key), one) for key, one in value.items())
        return {key: text for part in parts for key, text in part.items()}

    return opened("", json.loads(settings))


def group_of(root: zarr.Group, path: str) -> zarr.Group:
    """Group at a path below `root`; a KeyError where it is missing or an array."""
    found = root[path]
    if not isinstance(found, zarr.Group):
        raise KeyError(path)
    return found


def array_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Array of a group; a KeyError where it is missing or a group."""
    found = group[name]
    if not isinstance(found, zarr.Array):
        raise KeyError(name)
    return found


def texts(group: zarr.Group, name: str) -> list[str]:
    """Values of a text variable, (time,)."""
    return [str(text) for text in np.asarray(array_of(group, name)[:])]


def by_pass(group: zarr.Group, name: str) -> dict[str, str]:
    """Pass id -> value of a text variable."""
    return dict(zip(texts(group, "pass_id"), texts(group, name), strict=True))


def last_time(group: zarr.Group) -> int | None:
    """Sensing start of the latest slice, seconds since 1970 UTC; None where there is none."""
    times = np.asarray(array_of(group, "time")[-1:])
    return int(times[0]) if times.size else None


def write_root(store: Any) -> bool:
    """Give a new store its root; False where another writer has done it."""
    root = zarr.open_group(store, mode="a")
    if "glaciolake_store_version" in root.attrs:
        return False
    root.attrs.update(
        {
            "glaciolake_store_version": STORE_VERSION,
            "Conventions": "CF-1.11",
            "title": "Glacial lakes on Sentinel-1, one group per lake and relative orbit",
        }
    )
    return True


def read_header(group: zarr.Group) -> SeriesHeader:
    """Header of a stored series."""
    stored: Mapping[str, Any] = json.loads(str(group.attrs["header"]))
    return SeriesHeader(
        **{**stored, "transform": tuple(stored["transform"]), "shape": tuple(stored["shape"])}
    )


def lay_out(store: Any, header: SeriesHeader, slices: xr.Dataset) -> None:
    """Create the group of a series from its first slices.

    Parameters
    ----------
    store
        Writable Zarr store.
    header
        Grid and provenance.
    slices
        Packed variables, dims (time, y, x) and (time), in any order of time.
    """
    ordered = slices.isel(time=np.argsort(slices["time"].values, kind="stable"))
    first = xr.Dataset(attrs=_group_attributes(header))
    for variable in VARIABLES:
        if variable.name in ordered:
            first[variable.name] = (variable.dims, ordered[variable.name].values, attributes(variable))
    first = first.assign_coords(_coordinates(header)).assign_coords(time=_time(ordered))
    first.to_zarr(
        store, group=f"{header.lake}/{header.track}", mode="w-", consolidated=False, encoding=_encoding(first)
    )


def append_sorted(group: zarr.Group, slices: xr.Dataset) -> bool:
    """Merge slices into a series, in time order; equal versions are left alone.

    Parameters
    ----------
    group
        The series, writable.
    slices
        Packed variables, dims (time, y, x) and (time); a known pass id replaces its slice.

    Returns
    -------
    bool
        True where something was written.
    """
    old_ids, old_versions = (np.asarray(texts(group, name)) for name in ("pass_id", "version"))
    stored = dict(zip(old_ids, old_versions, strict=True))
    new_ids, new_versions = (slices[name].values.astype(str) for name in ("pass_id", "version"))
    fresh = [i for i in range(len(new_ids)) if stored.get(new_ids[i]) != new_versions[i]]
    if not fresh:
        return False
    slices = slices.isel(time=fresh)
    kept = np.flatnonzero(~np.isin(old_ids, new_ids[fresh]))
    old_time = np.asarray(array_of(group, "time")[:])
    times = np.concatenate([old_time[kept], slices["time"].values])
    order = np.argsort(times, kind="stable")
    source = np.concatenate([kept, -1 - np.arange(len(fresh))])[order]  # >= 0: stored row; < 0: new row -1-i
    same = min(len(source), len(old_ids))
    moved = np.flatnonzero(source[:same] != np.arange(same))
    start = int(moved[0]) if moved.size else same
    names = ["time", *(variable.name for variable in VARIABLES if variable.name in group)]
    with ThreadPoolExecutor(
        len(names)
    ) as pool:  # each array is a handful of waits for the disk or the network
        done = [
            pool.submit(_rewrite_tail, array_of(group, name), slices[name].values, source, start)
            for name in names
        ]
    for one in done:
        one.result()
    return True


def _rewrite_tail(
    array: zarr.Array[Any], new: np.ndarray[Any, Any], source: np.ndarray[Any, Any], start: int
) -> None:
    """Give rows `start` and after their new content; rows before it stay untouched on disk."""
    tail = source[start:]
    old_rows = tail[tail >= 0]
    low = int(old_rows.min()) if old_rows.size else 0
    old = np.asarray(array[low : int(old_rows.max()) + 1]) if old_rows.size else None
    rows = [old[row - low] if row >= 0 and old is not None else new[-1 - row] for row in tail]
    array.resize((len(source), *array.shape[1:]))
    if rows:
        array[start:] = np.stack(rows) if array.ndim > 1 else np.asarray(rows, dtype=array.dtype)


def _time(slices: xr.Dataset) -> xr.DataArray:
    meta = {
        "standard_name": "time",
        "units": TIME_UNITS,
        "calendar": "proleptic_gregorian",
        "long_name": "sensing start",
    }
    return xr.DataArray(slices["time"].values.astype("int64"), dims="time", attrs=meta)


def _coordinates(header: SeriesHeader) -> dict[str, xr.DataArray]:
    a, _, c, _, e, f = header.transform
    rows, columns = header.shape
    crs = CRS.from_user_input(header.crs)
    grid = crs.to_cf() | {"GeoTransform": f"{c} {a} 0 {f} 0 {e}", "spatial_ref": crs.to_wkt()}
    meta = {axis: {"standard_name": f"projection_{axis}_coordinate", "units": "m"} for axis in "xy"}
    return {
        "x": xr.DataArray(c + a * (np.arange(columns) + 0.5), dims="x", attrs=meta["x"]),
        "y": xr.DataArray(f + e * (np.arange(rows) + 0.5), dims="y", attrs=meta["y"]),
        "spatial_ref": xr.DataArray(np.int64(0), attrs=grid),
    }


def _group_attributes(header: SeriesHeader) -> dict[str, Any]:
    return {
        "Conventions": "CF-1.11",
        "title": f"{header.lake_name}, track {header.track} ({header.orbit_state})",
        "source": SIMULATED_SOURCE if header.simulated else SOURCE,
        "lake": header.lake,
        "lake_name": header.lake_name,
        "track": header.track,
        "orbit_state": header.orbit_state,
        "model": header.model_name,
        "model_sha256": header.model_sha256,
        "settings": header.settings,
        "header": json.dumps(header.__dict__, sort_keys=True),
    }


def _encoding(first: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Chunks and codecs; packing is already in the values and attributes."""
    found: dict[str, dict[str, Any]] = {"time": {"chunks": (ROW_CHUNK,)}}
    for name, array in first.data_vars.items():
        if BY_NAME[str(name)].dims == PIXEL:
            codec = BloscCodec(cname="zstd", clevel=5, shuffle=BloscShuffle.bitshuffle)
            found[str(name)] = {"chunks": (TIME_CHUNK, *array.shape[1:]), "compressors": (codec,)}
        else:
            found[str(name)] = {"chunks": (ROW_CHUNK,)}
    return found
