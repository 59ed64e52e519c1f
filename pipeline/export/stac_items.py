"""Slices of a series as STAC items: where, when, from which granules, and the pictures of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pandas as pd
import pystac
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from shapely import segmentize, to_geojson
from shapely import transform as map_coordinates
from shapely.geometry import Polygon, box
from shapely.geometry.polygon import orient

from glaciolake.catalog.store_header import SIMULATED_SOURCE
from glaciolake.catalog.variables import BY_NAME, SLICE, Surface, Variable, attributes
from glaciolake.pipeline.export.cog import cog_name, pixel_variables
from glaciolake.pipeline.export.product import Product
from glaciolake.pipeline.series import DEGREE_DIGITS, TIME_FORMAT, crs_of, flag_words, pixel_transform

CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"
SAT = "https://stac-extensions.github.io/sat/v1.0.0/schema.json"
OPERA_ITEMS = "https://cmr.earthdata.nasa.gov/stac/ASF/collections/OPERA_L2_RTC-S1_V1_1/items/"
NAMED = "urn:glaciolake:granule:"
"""What stands for an address where a granule has none that all can reach: the store keeps names alone."""
EDGE_STEP_M = 1000.0
"""A footprint's edge, straight on the grid, is bent in degrees: it gets a corner that often."""


def items_of(product: Product) -> Iterator[dict[str, Any]]:
    """Describe every slice.

    Parameters
    ----------
    product
        The series, and what lies beside it.

    Yields
    ------
    dict
        A STAC 1.1 item with relative addresses, as it lies in ``items/`` of the collection's folder.
    """
    series = product.series
    shared = _shared_properties(series)
    outline = footprint(series)
    numbers = [name for name, variable in BY_NAME.items() if variable.dims == SLICE and name in series]
    rows = series[numbers].load()
    for index in range(series.sizes["time"]):
        one = rows.isel(time=index)
        pass_id = str(one["pass_id"].values)
        yield {
            "type": "Feature",
            "stac_version": pystac.get_stac_version(),
            "stac_extensions": [PROJECTION, SAT, *asset_extensions(product)],
            "id": f"{product.stem}_{pass_id}",
            "collection": product.stem,
            "geometry": json.loads(to_geojson(outline)),
            "bbox": list(outline.bounds),
            "properties": {**_own_properties(one, pass_id), **shared},
            "links": _links(product, one),
            "assets": _assets(product, pass_id),
        }


def footprint(series: xr.Dataset) -> Polygon:
    """Outline of the grid, longitude/latitude degrees (WGS 84), counter-clockwise, to 0.1 m."""
    to_degrees = Transformer.from_crs(crs_of(series), "EPSG:4326", always_xy=True)
    grid, (rows, columns) = pixel_transform(series), (series.sizes["y"], series.sizes["x"])
    edge = segmentize(box(grid.c, grid.f + rows * grid.e, grid.c + columns * grid.a, grid.f), EDGE_STEP_M)
    degrees = map_coordinates(
        edge,
        lambda metres: np.round(
            np.column_stack(to_degrees.transform(metres[:, 0], metres[:, 1])), DEGREE_DIGITS
        ),
    )
    return orient(degrees)


def asset_extensions(product: Product) -> tuple[str, ...]:
    """Extensions of the fields that pictures bring along, where there are pictures."""
    return (RASTER, CLASSIFICATION) if "cog" in product.beside else ()


def asset_fields(variable: Variable) -> dict[str, Any]:
    """Say what all pictures of a variable have in common, as of STAC 1.1 and the raster extension."""
    fields: dict[str, Any] = {
        "type": pystac.MediaType.COG,
        "title": variable.meaning,
        "roles": ["data"],
        "data_type": variable.dtype,
    }
    if variable.units:
        fields["unit"] = variable.units
    if variable.fill is not None:
        fields["nodata"] = variable.fill
    if variable.scale is not None:
        fields |= {"raster:scale": variable.scale, "raster:offset": 0}
    if variable.name == "surface":
        fields["classification:classes"] = [
            {"value": int(one), "name": one.name.lower(), "nodata": one is Surface.UNKNOWN} for one in Surface
        ]
    return fields


def _shared_properties(series: xr.Dataset) -> dict[str, Any]:
    grid, attrs = pixel_transform(series), series.attrs
    shape = [series.sizes["y"], series.sizes["x"]]
    bottom, right = grid.f + shape[0] * grid.e, grid.c + shape[1] * grid.a
    return {
        "constellation": "sentinel-1",
        "instruments": ["c-sar"],
        "gsd": abs(grid.a),
        "sat:relative_orbit": int(str(attrs["track"]).removeprefix("T")),
        "sat:orbit_state": str(attrs["orbit_state"]),
        "proj:code": f"EPSG:{crs_of(series).to_epsg()}",
        "proj:shape": shape,
        "proj:transform": [grid.a, grid.b, grid.c, grid.d, grid.e, grid.f],
        "proj:bbox": [grid.c, bottom, right, grid.f],
        "glaciolake:lake": str(attrs["lake"]),
        "glaciolake:model": str(attrs["model"]),
        "glaciolake:model_sha256": str(attrs["model_sha256"]),
        "glaciolake:simulated": attrs["source"] == SIMULATED_SOURCE,
    }


def _own_properties(one: xr.Dataset, pass_id: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "datetime": f"{pd.Timestamp(one['time'].values.item()):{TIME_FORMAT}}",
        "platform": f"sentinel-1{pass_id.split('_')[1][-1].lower()}",
    }
    for name in one.data_vars:
        value = _json_value(one[name].values, BY_NAME[str(name)])
        if value is not None:  # what is absent was not measured: JSON has no NaN
            told[f"glaciolake:{name}"] = value
    del told["glaciolake:granules"]  # they are links
    return told


def _json_value(value: NDArray[Any], variable: Variable) -> Any:
    """Value of a slice as JSON has it: states as words, moments as text; None for no data."""
    told = attributes(variable)
    if variable.name == "flags":
        return flag_words(int(value)).split()
    if variable.dtype == "str":
        return str(value)
    if np.issubdtype(value.dtype, np.datetime64):
        return None if np.isnat(value) else f"{pd.Timestamp(value.item()):{TIME_FORMAT}}"
    if not np.isfinite(value) or value == variable.fill:
        return None
    if "flag_values" in told:
        words = dict(
            zip(cast(list[int], told["flag_values"]), str(told["flag_meanings"]).split(), strict=True)
        )
        return words[int(value)]
    if np.issubdtype(np.dtype(variable.dtype), np.integer):
        return int(value)
    return round(float(value), 1 if variable.name.endswith("_m2") else 6)


def _links(product: Product, one: xr.Dataset) -> list[dict[str, str]]:
    """To the collection, to the granules it was made of, and to the network."""
    home = [
        {"rel": "root", "href": "../../catalog.json", "type": pystac.MediaType.JSON},
        {"rel": "parent", "href": "../collection.json", "type": pystac.MediaType.JSON},
        {"rel": "collection", "href": "../collection.json", "type": pystac.MediaType.JSON},
    ]
    simulated = product.series.attrs["source"] == SIMULATED_SOURCE
    sources = [
        {
            "rel": "derived_from",
            "href": granule_address(name, simulated=simulated),
            "title": name,
            "type": pystac.MediaType.GEOJSON,
        }
        for name in str(one["granules"].values).split()
    ]
    return [*home, *sources, *model_links(product, "../../")]


def granule_address(name: str, *, simulated: bool) -> str:
    """Item of a granule in NASA's STAC catalogue; a URN where none of us can tell where it lies."""
    public = name.startswith("OPERA_L2_RTC-S1_") and not simulated
    return f"{OPERA_ITEMS}{name}" if public else f"{NAMED}{name}"


def model_links(product: Product, up: str) -> list[dict[str, str]]:
    """Links to the networks' items beside a product, seen from a folder that lies `up` below it."""
    return [
        {
            "rel": "related",
            "href": f"{up}{folder}/{name}.stac.json",
            "type": pystac.MediaType.GEOJSON,
            "title": f"Network {name} (MLM item)",
        }
        for name, folder in product.models.items()
    ]


def _assets(product: Product, pass_id: str) -> dict[str, Any]:
    if "cog" not in product.beside:
        return {}
    folder = f"../../{product.beside['cog']}"
    return {
        variable.name: {"href": f"{folder}/{cog_name(pass_id, variable.name)}", **asset_fields(variable)}
        for variable in pixel_variables(product.series)
    }
