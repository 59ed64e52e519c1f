"""Exports of a store: every format under its name, every series by itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from glaciolake.catalog.readers import open_store
from glaciolake.models.weights import card, shipped
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.export.choice import ALL, Choice, chosen
from glaciolake.pipeline.export.cog import write_cogs
from glaciolake.pipeline.export.cube import write_netcdf, write_zarr
from glaciolake.pipeline.export.outlines import write_geoparquet
from glaciolake.pipeline.export.place import Place
from glaciolake.pipeline.export.product import Product
from glaciolake.pipeline.export.stac import write_stac
from glaciolake.pipeline.export.stac_root import MODELS, STAC_ENDING, check_catalog, write_catalog
from glaciolake.pipeline.series import SeriesFormat, write_series

Writer = Callable[[Product, Path], None]


@dataclass(frozen=True)
class Format:
    """One form of a series: what its name ends in, and who writes it."""

    ending: str
    write: Writer


@dataclass(frozen=True)
class Made:
    """What was written: its name in the place, its format, and how many slices it holds."""

    name: str
    form: str
    n_slices: int


def _of_series(write: Callable[[xr.Dataset, Path], None]) -> Writer:
    return lambda product, path: write(product.series, path)


def _table(form: SeriesFormat) -> Writer:
    return lambda product, path: write_series({product.track: product.series}, path, form)


FORMATS: dict[str, Format] = {
    "zarr": Format(".zarr", _of_series(write_zarr)),
    "netcdf": Format(".nc", _of_series(write_netcdf)),
    "cog": Format(".cogs", _of_series(write_cogs)),
    "csv": Format(".csv", _table("csv")),
    "geojson": Format(".geojson", _table("geojson")),
    "geoparquet": Format(".parquet", _of_series(write_geoparquet)),
    "stac": Format(STAC_ENDING, write_stac),
}
"""In the order in which they are written: STAC lists the others, so it comes last."""


def checked_formats(text: str) -> list[str]:
    """Read formats, comma-separated, or ``all``; in the order in which they are written.

    Raises
    ------
    PipelineError
        One of them is none of `FORMATS`.
    """
    wanted = [one.strip().lower() for one in text.split(",") if one.strip()]
    unknown = [one for one in wanted if one not in FORMATS and one != ALL]
    if unknown or not wanted:
        raise PipelineError(f"no export format {text!r}; give some of {', '.join(FORMATS)}, or all")
    return [name for name in FORMATS if ALL in wanted or name in wanted]


def export(
    url: str, out: str, forms: Sequence[str], choice: Choice | None = None, *, overwrite: bool = False
) -> Iterator[Made]:
    """Write series of a store in some formats, each lake and track by itself.

    Parameters
    ----------
    url
        Address of the store.
    out
        Folder, a path or an address that fsspec knows; made where it is missing. Names begin with
        ``<lake>_<track>``.
    forms
        Names of `FORMATS`.
    choice
        Lake, track and days; None takes everything.
    overwrite
        Replace what an earlier export has left under the same names.

    Yields
    ------
    Made
        One file or folder after the other, each whole when it is told.

    Raises
    ------
    PipelineError
        Nothing is to be exported, a name is taken, a library is missing, or the place cannot be written;
        nothing is left half made.
    StoreError
        The store cannot be read.
    """
    forms = checked_formats(",".join(forms))
    store, place = open_store(url), Place(out)
    products = [_product(series, forms) for series in chosen(store, choice or Choice())]
    names = [product.stem + FORMATS[form].ending for product in products for form in forms]
    place.check_free(names, overwrite=overwrite)
    if "stac" in forms:
        check_catalog(place)
    for product in products:
        if "stac" in forms:
            _put_models(place, product)
        for form in forms:
            name = product.stem + FORMATS[form].ending
            with place.product(name) as path:
                FORMATS[form].write(product, path)
            yield Made(name, form, product.series.sizes["time"])
    if "stac" in forms:
        write_catalog(place)


def _product(series: xr.Dataset, forms: Sequence[str]) -> Product:
    stem = f"{series.attrs['lake']}_{series.attrs['track']}"
    # an earlier export may be of other days or of another state: STAC lists only what is written with it
    beside = {form: stem + FORMATS[form].ending for form in forms if form != "stac"}
    return Product(series, beside, _models(series))


def _models(series: xr.Dataset) -> dict[str, str]:
    """Find the shipped network that made a series, if it is one, and the folder for its item."""
    name = str(series.attrs["model"])
    ours = name in shipped() and card(name)["sha256"] == series.attrs["model_sha256"]
    return {name: f"{MODELS}/{name}"} if ours else {}


def _put_models(place: Place, product: Product) -> None:
    """Put a network with its card and its MLM item where the items look for it, once."""
    for name, folder in product.models.items():
        if not place.exists(folder):
            weights = shipped()[name]
            with place.product(folder) as path:
                path.mkdir(parents=True)
                for file in weights.parent.glob(f"{name}.*"):
                    shutil.copy2(file, path)
