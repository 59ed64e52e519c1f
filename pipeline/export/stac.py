"""A series as a STAC collection: its cube, its items, its files, the network that made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pystac
import xarray as xr

from glaciolake.catalog.collection_text import TERMS
from glaciolake.catalog.variables import BY_NAME
from glaciolake.pipeline.export.cog import pixel_variables
from glaciolake.pipeline.export.product import Product
from glaciolake.pipeline.export.stac_items import (
    asset_extensions,
    asset_fields,
    footprint,
    items_of,
    model_links,
)
from glaciolake.pipeline.series import TIME_FORMAT, crs_of, pixel_transform

DATACUBE = "https://stac-extensions.github.io/datacube/v2.2.0/schema.json"
CUBES = {
    "zarr": ("application/vnd+zarr", "The cube as plain Zarr v3, consolidated"),
    "netcdf": (str(pystac.MediaType.NETCDF), "The cube as NetCDF-4"),
}
TABLES = {
    "csv": ("text/csv", "Areas, bounds and flags of every slice"),
    "geojson": (str(pystac.MediaType.GEOJSON), "Outline of every slice, longitude and latitude"),
    "geoparquet": (str(pystac.MediaType.PARQUET), "Outline of every slice, metres on the cube's grid"),
}
SUMMARISED = (
    "platform",
    "constellation",
    "gsd",
    "proj:code",
    "sat:relative_orbit",
    "sat:orbit_state",
    "glaciolake:simulated",
)


def write_stac(product: Product, path: Path) -> None:
    """Write a collection and one item a slice, with addresses relative to each other.

    Parameters
    ----------
    product
        The series, and what lies beside it: only that is listed as an asset.
    path
        New folder; holds ``collection.json`` and ``items/`` afterwards.
    """
    items = list(items_of(product))
    (path / "items").mkdir(parents=True)
    for item in items:
        _write(path / "items" / f"{item['id']}.json", item)
    _write(path / "collection.json", collection_of(product, items))


def _write(path: Path, text: dict[str, Any]) -> None:
    content = json.dumps(text, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(content + "\n", encoding="utf-8")


def collection_of(product: Product, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe a series with the datacube extension, v2.

    Parameters
    ----------
    product
        The series.
    items
        Of `stac_items.items_of`; one at least.
    """
    series = product.series
    times = [item["properties"]["datetime"] for item in items]
    assets = _assets(product)
    return {
        "type": "Collection",
        "stac_version": pystac.get_stac_version(),
        "stac_extensions": [DATACUBE, *asset_extensions(product)],
        "id": product.stem,
        "title": str(series.attrs["title"]),
        "description": f"Lake area and masks, every pass of one Sentinel-1 orbit. {series.attrs['source']}. "
        "Areas of different orbits are not comparable; flags are states, not loss of water.",
        "keywords": ["glacial lake", "Sentinel-1", "SAR", "lake area"],
        "license": "other",
        "providers": [{"name": "ESA, Copernicus Sentinel-1", "roles": ["producer", "licensor"]}],
        "extent": {
            "spatial": {"bbox": [list(footprint(series).bounds)]},
            "temporal": {"interval": [[times[0], times[-1]]]},
        },
        "summaries": _summaries(items),
        "cube:dimensions": dimensions(series),
        "cube:variables": variables(series),
        **({"assets": assets} if assets else {}),
        **_item_assets(product),
        "links": [
            {"rel": "root", "href": "../catalog.json", "type": pystac.MediaType.JSON},
            {"rel": "parent", "href": "../catalog.json", "type": pystac.MediaType.JSON},
            {"rel": "license", "href": TERMS, "title": "Terms of the Copernicus Sentinel data"},
            *model_links(product, "../"),
            *(
                {"rel": "item", "href": f"./items/{item['id']}.json", "type": pystac.MediaType.GEOJSON}
                for item in items
            ),
        ],
    }


def dimensions(series: xr.Dataset) -> dict[str, Any]:
    """Dimensions of the cube: ``time`` in no regular step, ``y`` and ``x`` in metres, pixel centres."""
    code, grid = crs_of(series).to_epsg(), pixel_transform(series)
    times = [f"{time:{TIME_FORMAT}}" for time in pd.to_datetime(series["time"].values)]
    found: dict[str, Any] = {
        "time": {"type": "temporal", "extent": [times[0], times[-1]], "values": times, "step": None}
    }
    for axis, step in (("y", grid.e), ("x", grid.a)):
        centres = series[axis].values
        extent = sorted((float(centres[0]), float(centres[-1])))
        found[axis] = {
            "type": "spatial",
            "axis": axis,
            "extent": extent,
            "step": abs(step),
            "reference_system": code,
        }
    return found


def variables(series: xr.Dataset) -> dict[str, Any]:
    """Variables of the cube, as `glaciolake.catalog.variables` has them."""
    found = {}
    for name, variable in BY_NAME.items():
        if name in series:
            told: dict[str, Any] = {
                "type": "data",
                "description": variable.meaning,
                "dimensions": list(variable.dims),
            }
            found[name] = told | ({"unit": variable.units} if variable.units else {})
    return found


def _summaries(items: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {key: sorted({item["properties"][key] for item in items}) for key in SUMMARISED}


def _assets(product: Product) -> dict[str, Any]:
    """Files beside the collection that hold the whole series."""
    told = {name: (*CUBES[name], "data") for name in CUBES} | {
        name: (*TABLES[name], "metadata") for name in TABLES
    }
    return {
        name: {"href": f"../{product.beside[name]}", "type": media, "title": title, "roles": [role]}
        for name, (media, title, role) in told.items()
        if name in product.beside
    }


def _item_assets(product: Product) -> dict[str, Any]:
    if "cog" not in product.beside:
        return {}
    return {"item_assets": {one.name: asset_fields(one) for one in pixel_variables(product.series)}}
