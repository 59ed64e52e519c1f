"""The one place where an acquisition becomes a STAC item, and an item becomes a `Granule`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast, get_args

import pystac
from pystac.utils import datetime_to_str, str_to_datetime
from shapely import to_geojson
from shapely.geometry.base import BaseGeometry

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.granule import Band, Granule, OrbitState
from glaciolake.catalog.lattice import Lattice as Lattice
from glaciolake.catalog.names import RtcName
from glaciolake.catalog.orbits import Orbit, burst_orbit, scene_orbit

EXTENSIONS = tuple(
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("file/v2.1.0", "processing/v1.2.0", "projection/v2.0.0", "sar/v1.0.0", "sat/v1.0.0")
)
"""Schemas of the fields that `make_item` writes."""

BANDS: tuple[Band, ...] = get_args(Band)
_MULTIHASH = {"md5": "d510", "sha256": "1220"}


@dataclass(frozen=True)
class BandFile:
    """Address of one band.

    Attributes
    ----------
    href
        Absolute path or URL.
    checksum
        Multihash in hex, see `multihash`; None where nobody published one.
    size_bytes
        Length of the file; None where unknown.
    """

    href: str
    checksum: str | None = None
    size_bytes: int | None = None


def multihash(algorithm: str, hex_digest: str) -> str:
    """Digest as the file extension wants it: the algorithm and the length come first."""
    if algorithm not in _MULTIHASH:
        raise CatalogError(f"no multihash prefix for {algorithm!r}; use one of {', '.join(_MULTIHASH)}")
    return _MULTIHASH[algorithm] + hex_digest.lower()


def item_id(name: RtcName, lattice: Lattice) -> str:
    """Return the unique id: an OPERA burst has one lattice, a HyP3 scene as many as users cut out of it."""
    return name.granule if name.family == "opera" else f"{name.granule}_{lattice.digest}"


def make_item(
    name: RtcName,
    lattice: Lattice,
    files: Mapping[Band, BandFile],
    *,
    orbit: Orbit | None = None,
    footprint: BaseGeometry | None = None,
) -> pystac.Item:
    """Complete STAC item of one granule.

    Parameters
    ----------
    name
        What the granule is; where a file header knows the processing time better, replace `created` first.
    lattice
        Grid that all its bands share.
    files
        Bands that exist.
    orbit
        Track and direction; None derives them from the burst id, or for HyP3 from time and place.
    footprint
        Outline of the data, lon/lat degrees; None takes the lattice's, padding included.

    Returns
    -------
    pystac.Item
        With the fields of `EXTENSIONS`; `granule_of` reads it back.

    Raises
    ------
    CatalogError
        Where no polarisation has a file, or no track shows the place at the time that the name gives.
    """
    if not set(files) - {"mask"}:
        raise CatalogError(
            f"{name.granule}: no polarisation among {sorted(files)}; a VV, VH, HH or HV file is needed"
        )
    outline = lattice.footprint() if footprint is None else footprint
    item = pystac.Item(
        id=item_id(name, lattice),
        geometry=json.loads(to_geojson(outline)),
        bbox=_bbox(outline),
        datetime=name.sensing_start,
        properties=_properties(name, lattice, orbit or _orbit(name, lattice))
        | {"sar:polarizations": [band.upper() for band in sorted(files) if band != "mask"]},
        stac_extensions=list(EXTENSIONS),
    )
    for band in sorted(files):
        item.add_asset(band, _asset(name, band, files[band]))
    return item


def granule_of(item: pystac.Item) -> Granule:
    """Read an item that `make_item` wrote, or one as complete, as the value that tasks carry.

    Raises
    ------
    CatalogError
        Naming the property that is missing or unusable.
    """
    a, b, c, d, e, f = (float(value) for value in _wanted(item, "proj:transform")[:6])
    rows, columns = (int(value) for value in _wanted(item, "proj:shape"))
    if item.datetime is None:
        raise CatalogError(f"item {item.id!r} has no datetime; only single acquisitions can be used")
    state = str(_wanted(item, "sat:orbit_state"))
    if state not in get_args(OrbitState):
        raise CatalogError(
            f"item {item.id!r}: sat:orbit_state is {state!r}; expected ascending or descending"
        )
    created = item.properties.get("created")
    return Granule(
        sensing_start=item.datetime.astimezone(UTC),
        name=item.id,
        sensor=_sensor(item),
        relative_orbit=int(_wanted(item, "sat:relative_orbit")),
        orbit_state=cast(OrbitState, state),
        burst=item.properties.get("glaciolake:burst"),
        created=None if created is None else _time(created),
        version=str(_wanted(item, "processing:version")),
        filtered=bool(_wanted(item, "glaciolake:filtered")),
        crs=str(_wanted(item, "proj:code")),
        transform=(a, b, c, d, e, f),
        shape=(rows, columns),
        hrefs=_hrefs(item),
        simulated=bool(item.properties.get("glaciolake:simulated", False)),
    )


def _orbit(name: RtcName, lattice: Lattice) -> Orbit:
    """Track and direction by the burst id where there is one, else by time and place."""
    if name.burst is not None:
        return burst_orbit(name.burst)
    centre = lattice.footprint().representative_point()
    return scene_orbit(name.sensing_start, centre.x, centre.y)


def _properties(name: RtcName, lattice: Lattice, orbit: Orbit) -> dict[str, Any]:
    """Properties of an item, but for its polarisations."""
    properties: dict[str, Any] = {
        "platform": f"sentinel-1{name.sensor[-1].lower()}",
        "constellation": "sentinel-1",
        "instruments": ["c-sar"],
        "gsd": name.spacing_m,
        "sat:relative_orbit": orbit.relative_orbit,
        "sat:orbit_state": orbit.orbit_state,
        "sar:instrument_mode": "IW",
        "sar:frequency_band": "C",
        "sar:product_type": "RTC",
        "processing:version": name.version,
        "proj:code": lattice.crs,
        "proj:shape": list(lattice.shape),
        "proj:transform": list(lattice.transform),
        "proj:bbox": list(lattice.bounds_m),
        "glaciolake:granule": name.granule,
        "glaciolake:filtered": name.filtered,
    }
    if name.burst is not None:
        properties["glaciolake:burst"] = name.burst
    if name.created is not None:
        properties["created"] = datetime_to_str(name.created)
    return properties


def _asset(name: RtcName, band: Band, file: BandFile) -> pystac.Asset:
    """Asset of one band, with what a reader must know of its values."""
    if band == "mask":
        values: dict[str, Any] = {"data_type": "uint8", "nodata": 255}
    else:
        nodata = 0 if name.family == "hyp3" else "nan"
        values = {"data_type": "float32", "nodata": nodata, "sar:polarizations": [band.upper()]}
    if file.checksum is not None:
        values["file:checksum"] = file.checksum
    if file.size_bytes is not None:
        values["file:size"] = file.size_bytes
    return pystac.Asset(
        href=file.href,
        title="shadow and layover" if band == "mask" else f"gamma0 {band.upper()}, linear power",
        media_type=pystac.MediaType.GEOTIFF if name.family == "hyp3" else pystac.MediaType.COG,
        roles=["data-mask"] if band == "mask" else ["data"],
        extra_fields=values,
    )


def _bbox(outline: BaseGeometry) -> list[float]:
    """West, south, east, north in degrees; west exceeds east across the antimeridian, as GeoJSON has it."""
    west, south, east, north = outline.bounds
    if east - west > 180:
        parts = [part.bounds for part in getattr(outline, "geoms", [outline])]
        west = min(part[0] for part in parts if part[0] > 0)
        east = max(part[2] for part in parts if part[2] < 0)
    return [west, south, east, north]


def _wanted(item: pystac.Item, key: str) -> Any:
    """Property that must be there."""
    value = item.properties.get(key)
    if value is None:
        raise CatalogError(f"item {item.id!r} has no {key}; complete it with make_item")
    return value


def _sensor(item: pystac.Item) -> str:
    """``S1A`` out of ``sentinel-1a``."""
    platform = str(_wanted(item, "platform")).lower()
    if not platform.startswith("sentinel-1") or platform[10:] not in ("a", "b", "c", "d"):
        raise CatalogError(f"item {item.id!r}: platform is {platform!r}; expected sentinel-1a to sentinel-1d")
    return f"S1{platform[10:].upper()}"


def _time(value: str | datetime) -> datetime:
    """Time of a property, UTC."""
    return (value if isinstance(value, datetime) else str_to_datetime(value)).astimezone(UTC)


def _hrefs(item: pystac.Item) -> tuple[tuple[Band, str], ...]:
    """(band, absolute address) pairs, sorted by band."""
    found = [(band, item.assets[band]) for band in sorted(BANDS) if band in item.assets]
    if not found:
        raise CatalogError(f"item {item.id!r} has no asset among {', '.join(BANDS)}")
    return tuple((band, asset.get_absolute_href() or asset.href) for band, asset in found)
