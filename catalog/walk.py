"""Going through a static STAC catalogue without opening what cannot be meant.

An item costs a file or a request, and an archive has tens of thousands. Names of granules tell time and
track; where an item lies is remembered, so that the second lake of a run opens its own items only.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import pystac
from pystac.utils import make_absolute_href

from glaciolake.catalog.errors import UnknownName
from glaciolake.catalog.folder import may_match
from glaciolake.catalog.names import parse_name
from glaciolake.catalog.request import Request

Boxes = MutableMapping[str, list[float]]
"""Address of an item -> its west, south, east, north, degrees."""


def walked(catalog: pystac.Catalog, request: Request, boxes: Boxes) -> Iterator[pystac.Item]:
    """Open the items of a catalogue and of all its children that may be asked for, in their order.

    Parameters
    ----------
    catalog
        Any catalogue or collection.
    request
        What is asked; an item that is left out cannot match it, one that comes need not.
    boxes
        What earlier walks learned; is added to.
    """
    root, base = catalog.get_root() or catalog, catalog.get_self_href()
    for link in catalog.get_item_links():
        # not link.get_absolute_href(): pystac would look through all links for the catalogue's own, each time
        href = make_absolute_href(str(link.target), base)
        if _may_be_named(href, request) and _may_lie(boxes.get(href), request):
            item = link.resolve_stac_object(root=root).target
            if isinstance(item, pystac.Item):
                if item.bbox is not None and len(item.bbox) == 4:
                    boxes[href] = item.bbox
                yield item
    for child in catalog.get_children():
        yield from walked(child, request, boxes)


def _may_be_named(href: str, request: Request) -> bool:
    """Whether a file's name, where it is a granule's, fits the time and the tracks."""
    try:
        return may_match(parse_name(PurePosixPath(urlsplit(href).path).stem), request)
    except UnknownName:
        return True


def _may_lie(box: list[float] | None, request: Request) -> bool:
    """Whether a box, where it is known, meets the area; one across the antimeridian is not judged."""
    if box is None or request.aoi is None or box[0] > box[2]:
        return True
    west, south, east, north = request.aoi.bounds
    return box[0] <= east and west <= box[2] and box[1] <= north and south <= box[3]
