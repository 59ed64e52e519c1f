"""A product as CMR-STAC tells of it: addresses and times, nothing else. Shaped after a recorded item."""

from __future__ import annotations

import json
from datetime import timedelta
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
_BURST_S = 3


def bare_item(product: Product) -> dict[str, Any]:
    """Item without any field that says what is in it."""
    name = product.name
    start, end = name.sensing_start, name.sensing_start + timedelta(seconds=_BURST_S)
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
        "links": [],
        "collection": collection,
    }


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
        "href": f"https://{SEARCH_HOST}/search/concepts/{concept_id(product)}.xml",
        "title": f"CMR XML metadata for {concept_id(product)}",
        "type": "application/xml",
        "roles": ["metadata"],
    }
    return assets
