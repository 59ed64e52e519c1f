"""Collections of the static catalogue, one a product family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pystac

from glaciolake.catalog.names import Family

_ABOUT: dict[Family, tuple[str, str, str, str]] = {
    "opera": (
        "OPERA RTC-S1",
        "Terrain-corrected Sentinel-1 backscatter by OPERA: gamma0, linear power, one item a burst.",
        "NASA JPL OPERA",
        "https://www.jpl.nasa.gov/go/opera",
    ),
    "hyp3": (
        "HyP3 RTC",
        "Terrain-corrected Sentinel-1 backscatter by HyP3 (GAMMA): gamma0, linear power, one item a scene.",
        "ASF HyP3",
        "https://hyp3-docs.asf.alaska.edu",
    ),
}
TERMS = "https://sentinels.copernicus.eu/documents/247904/690755/Sentinel_Data_Legal_Notice"
_SUMMARISED = (
    "platform",
    "gsd",
    "proj:code",
    "sat:relative_orbit",
    "sat:orbit_state",
    "sar:instrument_mode",
    "sar:frequency_band",
    "sar:polarizations",
    "sar:product_type",
    "processing:version",
    "glaciolake:burst",
    "glaciolake:filtered",
)


def collection_text(family: Family, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the JSON object of a collection.

    Parameters
    ----------
    family
        Product family; also the collection's id.
    items
        JSON objects of its items, in the order in which they are to be listed; at least one.
    """
    title, description, processor, page = _ABOUT[family]
    links = [
        {"rel": "root", "href": "../catalog.json", "type": pystac.MediaType.JSON},
        {"rel": "parent", "href": "../catalog.json", "type": pystac.MediaType.JSON},
        {"rel": "license", "href": TERMS, "title": "Terms of the Copernicus Sentinel data"},
        *(
            {"rel": "item", "href": f"./items/{item['id']}.json", "type": pystac.MediaType.GEOJSON}
            for item in items
        ),
    ]
    return {
        "type": "Collection",
        "stac_version": pystac.get_stac_version(),
        "id": family,
        "title": title,
        "description": description,
        "license": "other",
        "providers": [
            {"name": "ESA, Copernicus Sentinel-1", "roles": ["producer", "licensor"]},
            {"name": processor, "roles": ["processor"], "url": page},
        ],
        "extent": _extent(items),
        "summaries": _summaries(items),
        "item_assets": _item_assets(items),
        "links": links,
    }


def _extent(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the box around all items, degrees, and the first and last sensing start."""
    west, south, east, north = zip(*(item["bbox"] for item in items), strict=True)
    crosses = any(left > right for left, right in zip(west, east, strict=True))
    box = [-180, min(south), 180, max(north)] if crosses else [min(west), min(south), max(east), max(north)]
    times = sorted(item["properties"]["datetime"] for item in items)
    return {"spatial": {"bbox": [box]}, "temporal": {"interval": [[times[0], times[-1]]]}}


def _summaries(items: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return every value that occurs, sorted."""
    found: dict[str, set[Any]] = {}
    for item in items:
        for key in _SUMMARISED:
            value = item["properties"].get(key)
            if value is not None:
                found.setdefault(key, set()).update(value if isinstance(value, list) else [value])
    return {key: sorted(values) for key, values in found.items()}


def _item_assets(items: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what all assets of a name have in common."""
    shared: dict[str, dict[str, Any]] = {}
    for item in items:
        for name, asset in item["assets"].items():
            known = shared.setdefault(name, dict(asset))
            for key in [key for key, value in known.items() if asset.get(key) != value]:
                del known[key]
    return {
        name: {
            key: value for key, value in asset.items() if key not in ("href", "file:size", "file:checksum")
        }
        for name, asset in sorted(shared.items())
    }
