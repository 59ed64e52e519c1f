"""The catalogue over all series that were exported to one place, and over the networks that made them."""

from __future__ import annotations

import json
from typing import Any

import pystac

from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.export.place import Place

CATALOG = "catalog.json"
CATALOG_ID = "glaciolake-lakes"
STAC_ENDING = ".stac"
MODELS = "models"
"""Folder of the networks and their items."""


def check_catalog(place: Place) -> None:
    """Refuse a place whose catalogue is somebody else's: ours would have to replace it.

    Raises
    ------
    PipelineError
        There is such a catalogue.
    """
    content = place.read(CATALOG)
    try:
        ours = content is None or json.loads(content)["id"] == CATALOG_ID
    except (ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise PipelineError(
            f"{place.address}/{CATALOG} is another catalogue, and nothing was written; give another --out"
        )


def write_catalog(place: Place) -> None:
    """List every collection and every network that lies there, in order of their names."""
    collections = [name for name in place.names() if name.endswith(STAC_ENDING)]
    catalog: dict[str, Any] = {
        "type": "Catalog",
        "stac_version": pystac.get_stac_version(),
        "id": CATALOG_ID,
        "title": "Glacial lakes on Sentinel-1",
        "description": "One collection a lake and relative orbit: areas of two orbits are not comparable.",
        "links": [
            {"rel": "root", "href": f"./{CATALOG}", "type": pystac.MediaType.JSON},
            *(
                {
                    "rel": "child",
                    "href": f"./{name}/collection.json",
                    "type": pystac.MediaType.JSON,
                    "title": name.removesuffix(STAC_ENDING),
                }
                for name in collections
            ),
            *(
                {
                    "rel": "item",
                    "href": f"./{MODELS}/{name}/{name}.stac.json",
                    "type": pystac.MediaType.GEOJSON,
                    "title": f"Network {name}",
                }
                for name in place.names(MODELS)
            ),
        ],
    }
    with place.product(CATALOG) as path:
        path.write_text(json.dumps(catalog, indent=1) + "\n", encoding="utf-8")
