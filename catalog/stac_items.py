"""Foreign STAC items: complete as they are, completable from their names, or refused with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pystac
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from glaciolake.catalog.archive import Listed, band_files
from glaciolake.catalog.errors import CatalogError, UnknownName
from glaciolake.catalog.granule import Band
from glaciolake.catalog.items import BANDS, BandFile, Lattice, granule_of, make_item
from glaciolake.catalog.names import RtcName, parse_name, parse_url
from glaciolake.catalog.request import Refused


def complete_or_listed(item: pystac.Item) -> pystac.Item | Listed | Refused:
    """Read a foreign item as far as it goes.

    Parameters
    ----------
    item
        Item of any RTC catalogue; its assets' addresses are made absolute, nothing else of it is changed.

    Returns
    -------
    pystac.Item | Listed | Refused
        A complete item; or what an OPERA item without a grid says, for `archive.completed`; or the reason why
        the item cannot be used.
    """
    for asset in item.assets.values():
        asset.href = asset.get_absolute_href() or asset.href
    try:
        granule_of(item)
        return item
    except CatalogError:
        pass  # not one that `make_item` wrote: what its name and its projection fields say may be enough
    try:
        name = _name(item)
        footprint = shape(item.geometry) if item.geometry else None
        files = band_files(name, (_file(asset) for asset in item.assets.values()))
        lattice = _lattice(item)
        if lattice is None:
            return _listed(item, name, files, footprint)
        return make_item(name, lattice, files, footprint=footprint)
    except (CatalogError, ValueError, TypeError) as error:
        return Refused(item.id, str(error))


def _listed(
    item: pystac.Item, name: RtcName, files: dict[Band, BandFile], footprint: BaseGeometry | None
) -> Listed | Refused:
    if name.family == "opera":
        return Listed(name, files, footprint, bool(item.properties.get("glaciolake:simulated")))
    if name.family == "opera-static":
        return Refused(item.id, "it holds static layers, which are no image of an acquisition")
    return Refused(
        item.id, "it has no proj:code, proj:shape and proj:transform, and no OPERA burst gives its grid"
    )


def _name(item: pystac.Item) -> RtcName:
    """Name of the granule, from the item's id or from its files."""
    try:
        return parse_name(item.id)
    except UnknownName as error:
        for href in _hrefs(item):
            try:
                name = parse_url(href)
            except UnknownName:
                continue
            if name.band is not None:
                return parse_name(name.granule)
        raise CatalogError(f"neither its id nor the name of a file is one of RTC: {error}") from None


def _file(asset: pystac.Asset) -> BandFile:
    known = asset.extra_fields
    return BandFile(asset.href, known.get("file:checksum"), known.get("file:size"))


def _hrefs(item: pystac.Item) -> Iterator[str]:
    return (asset.href for asset in item.assets.values())


def _lattice(item: pystac.Item) -> Lattice | None:
    """Grid from the projection extension, at the item or at an image; None where it is not all there."""
    own = (
        asset for asset in item.assets.values() if any(key.startswith("proj:") for key in asset.extra_fields)
    )
    for fields in [item.properties, *(asset.extra_fields for asset in own if _is_image(asset.href))]:
        known: Mapping[str, Any] = {**item.properties, **fields}
        code = known.get("proj:code") or (f"EPSG:{known['proj:epsg']}" if known.get("proj:epsg") else None)
        if code and known.get("proj:transform") and known.get("proj:shape"):
            a, b, c, d, e, f = (float(value) for value in known["proj:transform"][:6])
            rows, columns = (int(value) for value in known["proj:shape"])
            return Lattice(str(code), (a, b, c, d, e, f), (rows, columns))
    return None


def _is_image(href: str) -> bool:
    try:
        return parse_url(href).band in BANDS
    except UnknownName:
        return False
