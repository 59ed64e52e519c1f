"""Digest: one short text for everything that readers see of a store, whatever way it came to be there.

It covers every current value, its order and its metadata, and nothing of when and how it was written: not the
order of arrival, the layout on disk, snapshots or the number of workers. A series that was exported and read
back has the digest that it had.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from glaciolake.catalog.store_snapshot import Snapshot
from glaciolake.catalog.variables import BY_NAME, PIXEL

SLICES_AT_ONCE = 64
"""Slices whose pixels are in memory together."""
NOT_CONTENT = frozenset(
    {"_FillValue", "scale_factor", "units", "calendar", "dtype", "coordinates", "grid_mapping"}
)
"""Attributes that tell of packing, or that readers keep elsewhere; a unit is part of a variable's name or of
the table of variables, and the reference system is digested as a variable of its own."""


def store_digest(snapshot: Snapshot) -> str:
    """Digest of a store's current content: every series, every generation, and what is withdrawn.

    Returns
    -------
    str
        64 hex digits.
    """
    whole = hashlib.sha256()
    for lake, tracks in snapshot.series().items():
        for track in tracks:
            for header in sorted(snapshot.headers(lake, track), key=lambda one: one.recipe):
                choice = snapshot.choose(lake, track, header.recipe)
                gone = snapshot.withdrawn(choice)
                told = [f"{lake}/{track}", header.recipe, series_digest(snapshot.open(choice)), gone]
                whole.update(json.dumps(told, sort_keys=True).encode())
    return whole.hexdigest()


def series_digest(series: xr.Dataset) -> str:
    """Digest of a series as readers get it, or as it was exported and read back.

    Parameters
    ----------
    series
        As `glaciolake.open_lake` gives it: dims (time, y, x), decoded.

    Returns
    -------
    str
        64 hex digits; other values, another order of slices, another attribute, another grid: another digest.
    """
    whole = hashlib.sha256(_text(series.attrs))
    for name in sorted(map(str, series.variables)):
        variable = series[name]
        whole.update(f"{name}{variable.dims}{variable.shape}".encode() + _text(variable.attrs))
        for block in _blocks(variable):
            whole.update(block)
    return whole.hexdigest()


def _blocks(variable: xr.DataArray) -> Iterator[bytes]:
    if variable.dims != PIXEL:
        yield _bytes(variable.values, str(variable.name))
        return
    for start in range(0, variable.sizes["time"], SLICES_AT_ONCE):
        block = variable.isel(time=slice(start, start + SLICES_AT_ONCE))
        yield _bytes(block.values, str(variable.name))


def _bytes(values: NDArray[Any], name: str) -> bytes:
    """Values in one form each: whole numbers as int64, packed ones as they are packed, texts as JSON."""
    kind = values.dtype.kind
    if kind == "M":
        return np.ascontiguousarray(values.astype("datetime64[ns]").astype("<i8")).tobytes()
    if kind in "OUST":
        return json.dumps([str(text) for text in values.ravel()]).encode()
    variable = BY_NAME.get(name)
    if variable is not None and variable.fill is not None and variable.dtype[0] in "iu":
        known = np.isfinite(values)
        packed = np.rint(np.where(known, values, 0) / np.float64(variable.scale or 1))
        return np.where(known, packed, variable.fill).astype("<i8").tobytes()
    if kind in "iub":
        return values.astype("<i8").tobytes()
    found = values.astype("<f8")
    found[np.isnan(found)] = np.nan  # NaN has many forms
    return found.tobytes()


def _text(attrs: Mapping[Any, Any]) -> bytes:
    plain = {str(key): _plain(value) for key, value in attrs.items() if key not in NOT_CONTENT}
    return json.dumps(plain, sort_keys=True).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value] if len(value) != 1 else _plain(value[0])
    return float(value) if isinstance(value, int | float) else value
