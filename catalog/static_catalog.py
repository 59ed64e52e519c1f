"""Write what a folder holds as a static STAC catalogue: files that any STAC reader opens, without a server.

Addresses of the images are relative, so catalogue and images can be moved together. The same folder gives the
same bytes.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pystac

from glaciolake.catalog.collection_text import collection_text
from glaciolake.catalog.duplicates import replaces
from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.folder import FolderSource
from glaciolake.catalog.items import granule_of
from glaciolake.catalog.names import Family, parse_name
from glaciolake.catalog.request import Found, Refused, Request

logger = logging.getLogger("glaciolake.catalog.static_catalog")

CATALOG_ID = "glaciolake-rtc"
VERSION_EXTENSION = "https://stac-extensions.github.io/version/v1.2.0/schema.json"
EVERYTHING = Request(aoi=None, start=datetime.min.replace(tzinfo=UTC), end=datetime.max.replace(tzinfo=UTC))
"""The request that leaves nothing out."""


@dataclass(frozen=True)
class Built:
    """What was written.

    Attributes
    ----------
    path
        The catalogue's ``catalog.json``.
    items
        Number of current items.
    superseded
        Number of items that a newer processing replaces; they are in the catalogue, marked as deprecated.
    refused
        Files that are not in the catalogue, and why.
    """

    path: Path
    items: int
    superseded: int
    refused: tuple[Refused, ...]


def build(source: FolderSource, out: Path, request: Request = EVERYTHING) -> Built:
    """Write a static STAC 1.1 catalogue of a folder.

    Parameters
    ----------
    source
        Folder of images.
    out
        Folder to write; inside the folder of images both can be moved together. A catalogue that
        was written there before is replaced, whole or not at all.
    request
        Part of the folder to describe.

    Raises
    ------
    CatalogError
        Where the folder has nothing to describe, `out` holds anything but a catalogue of ours, or the disk is
        full.
    """
    out = out.absolute()
    _check_free(out)
    found = source.find(request)
    if not found.items:
        raise CatalogError(f"nothing in {str(source.path)!r} can be catalogued; {_reasons(found.refused)}")
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        _write(_texts(found, out), partial)
        _swap(partial, out)
    except OSError as error:
        raise CatalogError(
            f"cannot write {str(out)!r} ({error.strerror}); what was there before is unchanged"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    logger.info("wrote catalog=%s items=%d superseded=%d", out, len(found.items), len(found.superseded))
    return Built(out / "catalog.json", len(found.items), len(found.superseded), found.refused)


def _check_free(out: Path) -> None:
    """Refuse a place that holds anything but a catalogue written by `build`."""
    if not out.exists():
        return
    if not out.is_dir():
        raise CatalogError(f"{str(out)!r} is a file; give a folder that does not exist yet")
    files = sorted(path for path in out.rglob("*") if not path.is_dir())
    if not files:
        return
    foreign = next((path for path in files if path.suffix != ".json"), None)
    if foreign is None:
        try:
            if json.loads((out / "catalog.json").read_text(encoding="utf-8")).get("id") == CATALOG_ID:
                return
        except (OSError, ValueError, AttributeError):
            pass
        foreign = files[0]
    raise CatalogError(
        f"{str(out)!r} holds {foreign.relative_to(out).as_posix()!r}, not a catalogue that was written here; "
        "give a folder that does not exist yet"
    )


def _reasons(refused: Sequence[Refused]) -> str:
    """Say what was refused, or that the request fits nothing."""
    if not refused:
        return "no file fits the request; widen its dates, area or tracks"
    return f"{len(refused)} files were refused, first {refused[0].name!r}: {refused[0].reason}"


def _texts(found: Found, out: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (path inside the catalogue, JSON object) of every file."""
    families: dict[Family, list[pystac.Item]] = defaultdict(list)
    for item in sorted(
        [*found.items, *found.superseded], key=lambda item: (granule_of(item).sensing_start, item.id)
    ):
        families[parse_name(item.properties["glaciolake:granule"]).family].append(item)
    versions = _versions(found)
    children = []
    for family, items in sorted(families.items()):
        texts = [_item_text(item, out / family / "items", versions.get(item.id, ())) for item in items]
        children.append(_link("child", f"./{family}/collection.json"))
        yield from ((f"{family}/items/{text['id']}.json", text | {"collection": family}) for text in texts)
        yield f"{family}/collection.json", collection_text(family, texts)
    yield (
        "catalog.json",
        {
            "type": "Catalog",
            "stac_version": pystac.get_stac_version(),
            "id": CATALOG_ID,
            "title": "Sentinel-1 RTC",
            "description": "Radiometrically terrain-corrected Sentinel-1 backscatter, one item a granule.",
            "links": [_link("root", "./catalog.json"), *children],
        },
    )


def _versions(found: Found) -> dict[str, list[dict[str, str]]]:
    """Return the links between replaced items and the ones that replace them, by item id."""
    current: dict[tuple[object, str], list[pystac.Item]] = defaultdict(list)
    for item in found.items:
        current[item.datetime, item.properties["platform"]].append(item)
    links: dict[str, list[dict[str, str]]] = defaultdict(list)
    for old in found.superseded:
        for new in current[old.datetime, old.properties["platform"]]:
            if replaces(new, old):
                links[old.id].append(_link("successor-version", f"./{new.id}.json"))
                links[new.id].append(_link("predecessor-version", f"./{old.id}.json"))
    return links


def _item_text(item: pystac.Item, folder: Path, versions: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Return an item as it is written into a folder: relative addresses, links, versions."""
    text = item.to_dict(include_self_link=False, transform_hrefs=False)
    for asset in text["assets"].values():
        asset["href"] = Path(os.path.relpath(asset["href"], folder)).as_posix()
    if versions:
        text["stac_extensions"] = [*text["stac_extensions"], VERSION_EXTENSION]
    if any(link["rel"] == "successor-version" for link in versions):
        text["properties"] = text["properties"] | {"deprecated": True}
    home = [
        _link("root", "../../catalog.json"),
        _link("parent", "../collection.json"),
        _link("collection", "../collection.json"),
    ]
    return text | {"links": home + list(versions)}


def _link(rel: str, href: str) -> dict[str, str]:
    """Return a link; items are GeoJSON, the rest is JSON."""
    of_item = rel.endswith("-version") or rel == "item"
    return {"rel": rel, "href": href, "type": pystac.MediaType.GEOJSON if of_item else pystac.MediaType.JSON}


def _write(texts: Iterable[tuple[str, dict[str, Any]]], folder: Path) -> None:
    """Write JSON files into a new folder."""
    for name, text in texts:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _swap(new: Path, out: Path) -> None:
    """Put a finished folder in the place of the former one."""
    old = new.with_suffix(".old")
    if out.exists():
        out.rename(old)
    try:
        new.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)
