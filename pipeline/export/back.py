"""Back: a Zarr export becomes a series of a store again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
import zarr.errors
from numpy.typing import NDArray

from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.store_header import SeriesHeader
from glaciolake.catalog.store_merge import Derive
from glaciolake.catalog.variables import BY_NAME, SLICE
from glaciolake.pipeline.errors import PipelineError

SECONDS = "seconds since 1970-01-01"


def restore(
    exports: Sequence[str], url: str, *, new_generation: bool = False
) -> Iterator[tuple[str, int, bool]]:
    """Fill a store from Zarr exports; what it holds already stays as it is.

    Parameters
    ----------
    exports
        Folders or addresses, as `glaciolake export --format zarr` has written them. All are looked at before
        anything is written.
    url
        Address of the store; made where there is none.
    new_generation
        Whether a series made with another network or other settings may become a generation of its own
        beside those that the store holds; the last one restored is the newest.

    Yields
    ------
    tuple
        Series (``tsho-rolpa/T121``), slices in the export, and whether any of them was new.

    Raises
    ------
    PipelineError
        An export cannot be read, or is none of ours.
    StoreError
        The store holds the series on another grid or made in another way, or cannot be written.
    """
    opened = [(one, *_opened(one)) for one in exports]
    store = Store.create(url)
    for address, header, cube in opened:
        name = f"{header.lake}/{header.track}"
        fresh = header.track not in store.series().get(header.lake, ())
        derive = _as_exported(cube) if fresh else None  # with other slices beside them they are other values
        batch = Batch(header, _packed(cube, address), derive=derive, new_generation=new_generation)
        written = store.commit(batch)
        yield name, cube.sizes["time"], written is not None


def _opened(address: str) -> tuple[SeriesHeader, xr.Dataset]:
    try:
        cube = xr.open_zarr(address, consolidated=True, decode_cf=False)
        header = SeriesHeader.of(json.loads(str(cube.attrs["header"])))
    except (OSError, KeyError, TypeError, ValueError, ImportError, zarr.errors.BaseZarrError) as error:
        raise PipelineError(
            f"{address!r} is no Zarr export of a series ({type(error).__name__}: {error}); give a "
            "folder that 'glaciolake export --format zarr' has written"
        ) from error
    units = str(cube["time"].attrs.get("units", "")).removesuffix("T00:00:00")
    if units != SECONDS:
        raise PipelineError(
            f"{address!r} counts time in {units!r}, not in {SECONDS!r}: it was written anew by something "
            "else; give the export as it was"
        )
    return header, cube


def _packed(cube: xr.Dataset, address: str) -> xr.Dataset:
    """Slices as a store takes them: packed values, texts as objects, time in seconds."""
    slices = xr.Dataset(coords={"time": ("time", cube["time"].values.astype("int64"))})
    wanted = [one for one in BY_NAME.values() if not one.derived]
    for variable in wanted:
        if variable.name in cube:
            try:
                values = cube[variable.name].values
            except (OSError, ValueError, RuntimeError) as error:  # a chunk that is gone or was cut
                raise PipelineError(
                    f"{variable.name} of {address!r} cannot be read ({error}); give another copy"
                ) from error
            slices[variable.name] = (variable.dims, _of_type(values, variable.dtype))
    return slices


def _of_type(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    if dtype == "str":
        return np.array([str(text) for text in values], dtype=object)
    return values.astype(dtype)


def _as_exported(cube: xr.Dataset) -> Derive:
    """Give the derived variables that the export holds, in the order of the store's rows."""
    names = [one.name for one in BY_NAME.values() if one.derived and one.dims == SLICE and one.name in cube]
    held = {name: _of_type(cube[name].values, BY_NAME[name].dtype) for name in names}
    places = {str(text): at for at, text in enumerate(cube["pass_id"].values)}

    def derive(rows: xr.Dataset) -> Mapping[str, NDArray[Any]]:
        index = [places[str(text)] for text in rows["pass_id"].values]
        return {name: values[index] for name, values in held.items()}

    return derive
