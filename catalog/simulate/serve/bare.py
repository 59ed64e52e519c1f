"""A product as CMR-STAC tells of it: addresses and times, nothing else. Shaped after a recorded item.

What a real item has beside it: assets of files that the simulated archive does not have (``0`` and
``s3_0``, the HDF5; ``browse`` and ``thumbnail_0`` to ``_5``), and addresses at the older
``datapool.asf.alaska.edu``. Its ``root`` is the list of all providers, here it is this one. Of the records
that it links, the one in UMM is played.
"""

from __future__ import annotations

import json
from typing import Any

import shapely

from glaciolake.catalog.names import Family
from glaciolake.catalog.simulate.serve.holdings import Product
from glaciolake.catalog.simulate.serve.hosts import BUCKET, SEARCH_HOST, data_url, s3_url
from glaciolake.catalog.simulate.serve.umm import concept_id

COLLECTIONS: dict[str, Family] = {
    "OPERA_L2_RTC-S1_V1_1": "opera",
    "OPERA_L2_RTC-S1-STATIC_V1_1": "opera-static",
}
_STORAGE = "https://stac-extensions.github.io/storage/v2.0.0/schema.json"


def bare_item(product: Product) -> dict[str, Any]:
    """Item without any field that says what is in it."""
    name = product.name
    start, end = name.sensing_start, product.sensing_end
    collection = next(key for key, family in COLLECTIONS.items() if family == name.family)
    return {
        "type": "Feature",
        "id": name.granule,
        "stac_version": "1.0.0",
        "stac_extensions": [_STORAGE],
        "properties": {
            "datetime": f"{start:%Y-%m-%dT%H:%M:%S.000Z}",
            "storage:schemes": {
                "aws": {
                    "type": "aws-s3",
                    "platform": "https://{bucket}.s3.{region}.amazonaws.com",
                    "bucket": BUCKET,
                    "region": "us-west-2",
                }
            },
            **_mark(product),
            "start_datetime": f"{start:%Y-%m-%dT%H:%M:%S.000Z}",
            "end_datetime": f"{end:%Y-%m-%dT%H:%M:%S.000Z}",
        },
        "geometry": json.loads(shapely.to_geojson(product.outline)),
        "bbox": list(product.outline.bounds),
        "assets": _assets(product),
        "links": _links(product),
        "collection": collection,
    }


def _record(product: Product) -> str:
    return f"https://{SEARCH_HOST}/search/concepts/{concept_id(product)}"


def _links(product: Product) -> list[dict[str, str]]:
    """Links beside those to the API's own pages."""
    return [
        {"rel": "provider", "href": f"https://{SEARCH_HOST}/stac/ASF", "type": "application/json"},
        {
            "rel": "via",
            "href": f"{_record(product)}.json",
            "title": "CMR JSON metadata for item",
            "type": "application/json",
        },
        {
            "rel": "via",
            "href": f"{_record(product)}.umm_json",
            "title": "CMR UMM_JSON metadata for item",
            "type": "application/vnd.nasa.cmr.umm+json",
        },
    ]


def _mark(product: Product) -> dict[str, bool]:
    """Mark what no satellite has seen, as the real archive never has to."""
    item = product.item() if product.item else {}
    return {"glaciolake:simulated": True} if item.get("properties", {}).get("glaciolake:simulated") else {}


def _assets(product: Product) -> dict[str, Any]:
    assets: dict[str, Any] = {}
    for number, file in enumerate(product.files):
        layer = file.removeprefix(f"{product.name.granule}_").removesuffix(".tif")
        assets[f"0_{layer}"] = {
            "href": data_url(product.name, file),
            "title": f"Direct Download [{number}]",
            "description": f"Download {file}",
            "roles": ["data"],
        }
        assets[f"s3_0_{layer}"] = {
            "href": s3_url(product.name, file),
            "title": f"S3 Direct Download [{number}]",
            "description": f"This link provides direct download access via S3 to {file}",
            "roles": ["data"],
            "storage:refs": ["aws"],
        }
    assets["metadata"] = {
        "href": f"{_record(product)}.xml",
        "title": f"CMR XML metadata for {concept_id(product)}",
        "type": "application/xml",
        "roles": ["metadata"],
    }
    return assets
