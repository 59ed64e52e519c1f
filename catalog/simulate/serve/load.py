"""Open a folder as an archive: by its STAC catalogue where it has one, else by its files' headers.

The headers of 75,000 files take minutes to open. Of a catalogue only the names of its items are read, and one
item a burst, which tells the burst's footprint; the others when they are asked for.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from glaciolake.catalog.errors import CatalogError, UnknownName
from glaciolake.catalog.folder import FolderSource
from glaciolake.catalog.names import RtcName, parse_name
from glaciolake.catalog.simulate.order import read_recipe
from glaciolake.catalog.simulate.serve.holdings import Holdings, Product
from glaciolake.catalog.static_catalog import EVERYTHING

CATALOG = Path("catalog", "catalog.json")
_OPERA = "OPERA_L2_RTC-S1"
_REMEDY = "give a folder of OPERA RTC-S1 GeoTIFFs, such as 'glaciolake demo' writes into demo/archive"
Files = dict[str, dict[str, Path]]


def load_folder(folder: Path, now: datetime | None = None) -> Holdings:
    """Open the OPERA products of a folder, images and static layers, at any depth.

    Parameters
    ----------
    folder
        With ``catalog/catalog.json``, or with GeoTIFFs alone.
    now
        Moment after which nothing was made yet; None shows everything.

    Raises
    ------
    CatalogError
        Where the folder is none, holds nothing of OPERA's, or an archive that was begun and not finished.
    """
    if not folder.is_dir():
        raise CatalogError(f"{str(folder)!r} is no folder; {_REMEDY}")
    _check_whole(folder)
    files = _files(folder)
    if (folder / CATALOG).is_file():
        images = list(_by_catalog(folder / CATALOG, files))
    else:
        images = list(_by_headers(folder, files))
    if not images:
        raise CatalogError(f"{str(folder)!r} holds no OPERA RTC-S1 granule; {_REMEDY}")
    outlines = {one.burst: one.outline for one in images}
    return Holdings([*images, *_static(files, outlines)], now)


def _check_whole(folder: Path) -> None:
    """Refuse a simulated archive that lacks granules: who asks would take them for passes never acquired."""
    begun = read_recipe(folder)
    if begun is not None and not begun[1]:
        raise CatalogError(
            f"the archive {str(folder)!r} was begun and not finished, so that granules are missing; delete "
            "it and begin anew with 'glaciolake simulate'"
        )


def _files(folder: Path) -> Files:
    """OPERA's rasters under a folder: granule -> file name -> place."""
    found: Files = defaultdict(dict)
    for parent, _, files in os.walk(folder.absolute()):
        for file in files:
            if file.startswith(_OPERA) and file.endswith(".tif"):
                granule = _granule(file)
                found[granule].setdefault(file, Path(parent, file))
    return {granule: dict(sorted(files.items())) for granule, files in found.items()}


def _granule(file: str) -> str:
    """Granule of a file: an image's name has eight parts and its layer, which is quicker than to parse it."""
    parts = file.split("_")
    return "_".join(parts[:9] if parts[2] == "RTC-S1" else parts[:8])


def _by_headers(folder: Path, files: Files) -> Iterator[Product]:
    try:
        found = FolderSource(folder).find(EVERYTHING)
    except CatalogError as error:
        raise CatalogError(f"{error}; {_REMEDY}") from error
    for item in (*found.items, *found.superseded):
        text = json.dumps(item.to_dict(include_self_link=False, transform_hrefs=False))
        name = parse_name(str(item.properties["glaciolake:granule"]))
        if name.family == "opera":
            held = files.get(name.granule, {})
            yield Product(name, held, shape(item.geometry or {}), partial(_item_of_text, text))


def _by_catalog(path: Path, files: Files) -> Iterator[Product]:
    outlines: dict[str | None, BaseGeometry] = {}
    for collection in _links(path, "child"):
        for place in _links(collection, "item"):
            name = _name(place)
            if name is None or name.family != "opera":
                continue
            if name.burst not in outlines:
                outlines[name.burst] = shape(_item_of_file(place)["geometry"])
            held = files.get(name.granule, {})
            yield Product(name, held, outlines[name.burst], partial(_item_of_file, place))


def _name(place: Path) -> RtcName | None:
    """Name of an item's granule: the item's own, but where a crop has a name of its own."""
    try:
        return parse_name(place.name.removesuffix(".json"))
    except UnknownName:
        pass
    try:
        return parse_name(str(_item_of_file(place)["properties"]["glaciolake:granule"]))
    except (UnknownName, KeyError):
        return None


def _item_of_file(place: Path) -> dict[str, Any]:
    return _undated(_json(place))


def _item_of_text(text: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads(text)
    return _undated(item)


def _undated(item: dict[str, Any]) -> dict[str, Any]:
    """Item without what it knows of later ones: the archive does not tell, and they may be still to come."""
    item["properties"].pop("deprecated", None)
    item["links"] = []
    return item


def _static(files: Files, outlines: dict[str, BaseGeometry]) -> Iterator[Product]:
    """Products of static layers, of the bursts that have images."""
    for granule, found in sorted(files.items()):
        try:
            name = parse_name(granule) if "-STATIC_" in granule else None
        except UnknownName:
            continue
        if name is not None and name.burst in outlines:
            yield Product(name, found, outlines[name.burst])


def _links(path: Path, rel: str) -> Iterator[Path]:
    for link in _json(path).get("links", []):
        if link.get("rel") == rel:
            yield path.parent / unquote(link["href"])


def _json(path: Path) -> dict[str, Any]:
    try:
        text = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CatalogError(
            f"the catalogue's {str(path)!r} cannot be read ({error}); build it anew: glaciolake catalog build"
        ) from error
    if not isinstance(text, dict):
        raise CatalogError(f"{str(path)!r} is no JSON object; build the catalogue anew")
    return text
