"""The registry of lakes: the one shipped with the package, or a GeoJSON file of the user's own."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from shapely import force_2d, get_parts, is_valid_reason
from shapely.errors import ShapelyError
from shapely.geometry import Polygon, box, shape

from glaciolake.catalog.errors import LakeInvalid, UnknownLake
from glaciolake.catalog.lake import Lake
from glaciolake.catalog.lake_checks import check_lake, geodesic_area_km2, to_local

SHIPPED = "lakes.geojson"
DERIVED_MARGIN_M = 1200.0
"""Margin of an area of interest that we derive: a fifth more than what is demanded of one that is given."""


def load_lakes(path: Path | None = None) -> dict[str, Lake]:
    """Read and check a registry.

    Parameters
    ----------
    path
        GeoJSON FeatureCollection, longitude/latitude in degrees WGS 84, one Polygon feature a lake. Of the
        properties only `id` or `name` must be there; what else `Lake` knows is derived where it is missing.
        None reads the registry shipped with the package.

    Returns
    -------
    dict[str, Lake]
        Lakes by id, in the file's order.

    Raises
    ------
    LakeInvalid
        A file that is no such collection, or an entry that contradicts itself; names lake, values and fix.
    """
    where = str(path) if path else SHIPPED
    lakes: dict[str, Lake] = {}
    for number, feature in enumerate(_features(path, where), start=1):
        lake = _lake(feature, f"{where}, feature {number}")
        if lake.id in lakes:
            raise LakeInvalid(f"{where}: the id {lake.id!r} is given to two lakes; give each its own")
        check_lake(lake)
        lakes[lake.id] = lake
    if not lakes:
        raise LakeInvalid(f"{where} holds no lake; add at least one Polygon feature with a name")
    return lakes


def find_lakes(text: str, registry: Mapping[str, Lake]) -> list[Lake]:
    """Lakes named in a comma list by id, name or ICIMOD id, in the order given; ``all`` is every lake.

    Parameters
    ----------
    text
        ``tsho-rolpa,chamlang``; upper and lower case, blanks and hyphens do not matter.
    registry
        What `load_lakes` returned.

    Returns
    -------
    list[Lake]
        No lake twice.

    Raises
    ------
    UnknownLake
        A name that the registry does not hold; tells the nearest ones.
    """
    by_name = _names(registry)
    found: dict[str, Lake] = {}
    for word in (part.strip() for part in text.split(",")):
        if not word:
            continue
        named = list(registry.values()) if _spelling(word) == "all" else [_one(word, by_name, registry)]
        found.update((lake.id, lake) for lake in named)
    if not found:
        some = ", ".join([*registry][:3])
        raise UnknownLake(f"no lake is named in {text!r}; give ids such as {some}, or all")
    return list(found.values())


def _one(word: str, by_name: Mapping[str, Lake], registry: Mapping[str, Lake]) -> Lake:
    if (lake := by_name.get(_spelling(word))) is not None:
        return lake
    near = difflib.get_close_matches(_spelling(word), list(by_name), n=4, cutoff=0.5)
    names = list(dict.fromkeys(by_name[name].id for name in near)) or list(registry)
    raise UnknownLake(f"unknown lake {word!r}; " + ("nearest: " if near else "known: ") + ", ".join(names))


def _names(registry: Mapping[str, Lake]) -> dict[str, Lake]:
    """Every spelling under which a lake may be asked for; an id wins over another lake's name."""
    spellings: dict[str, Lake] = {}
    for lake in registry.values():
        for name in (lake.name, lake.icimod_id):
            if name:
                spellings.setdefault(_spelling(name), lake)
    return spellings | {_spelling(lake.id): lake for lake in registry.values()}


def _slug(text: str) -> str:
    return re.sub(r"[\W_]+", "-", text.lower()).strip("-")


def _spelling(text: str) -> str:
    """Reduce a name to what all its spellings share: tshoRolpa, Tsho Rolpa and tsho-rolpa are one."""
    return _slug(text).replace("-", "")


def _features(path: Path | None, where: str) -> list[Any]:
    try:
        text = (
            path.read_text(encoding="utf-8")
            if path
            else resources.files("glaciolake.catalog").joinpath(SHIPPED).read_text(encoding="utf-8")
        )
        content = json.loads(text)
    except OSError as error:
        raise LakeInvalid(f"cannot read the lakes of {where}: {error}") from error
    except ValueError as error:
        raise LakeInvalid(f"{where} is not JSON ({error}); give a GeoJSON FeatureCollection") from error
    kind = content.get("type") if isinstance(content, dict) else None
    if kind == "Feature":
        return [content]
    if kind != "FeatureCollection" or not isinstance(content.get("features"), list):
        raise LakeInvalid(f"{where} is of type {kind!r}; give a GeoJSON FeatureCollection of Polygons")
    return list(content["features"])


def _lake(feature: Any, where: str) -> Lake:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    properties = properties if isinstance(properties, dict) else {}
    name = str(properties.get("name") or properties.get("id") or "").strip()
    lake_id = _slug(str(properties.get("id") or name))
    if not lake_id:
        raise LakeInvalid(f"{where} has neither id nor name; give one of them in its properties")
    try:
        outline = _outline(feature.get("geometry"), lake_id)
        return _filled(lake_id, name, outline, properties)
    except (TypeError, ValueError, KeyError) as error:
        raise LakeInvalid(f"{lake_id} ({where}): a property cannot be read: {error}") from error


def _filled(lake_id: str, name: str, outline: Polygon, properties: Mapping[str, Any]) -> Lake:
    """Fill every missing property from the outline."""

    def given(key: str, otherwise: Any) -> Any:
        value = properties.get(key)
        return otherwise if value is None else value

    point = outline.centroid if outline.contains(outline.centroid) else outline.representative_point()
    return Lake(
        id=lake_id,
        name=name,
        icimod_id=given("icimod_id", None),
        longitude_deg=float(given("longitude_deg", point.x)),
        latitude_deg=float(given("latitude_deg", point.y)),
        elevation_m=float(given("elevation_m", math.nan)),
        area_km2=float(given("area_km2", geodesic_area_km2(outline))),
        area_source=str(given("area_source", "not stated" if "area_km2" in properties else "its outline")),
        outline=outline,
        outline_source=str(given("outline_source", "not stated")),
        aoi=_aoi(given("aoi", None), outline, lake_id),
        tracks=tuple(sorted(int(track) for track in given("tracks", ()))),
        hidden_tracks=tuple(sorted(int(track) for track in given("hidden_tracks", ()))),
        bursts=tuple(sorted(str(burst).upper().replace("_", "-") for burst in given("bursts", ()))),
        notes=str(given("notes", "")),
    )


def _outline(geometry: Any, lake_id: str) -> Polygon:
    fix = "give one closed Polygon in degrees, [longitude, latitude]"
    try:
        outline = force_2d(shape(geometry))
    except (ShapelyError, AttributeError, TypeError, ValueError, KeyError) as error:
        raise LakeInvalid(f"{lake_id}: its geometry cannot be read ({error}); {fix}") from error
    if outline.geom_type == "MultiPolygon" and len(parts := get_parts(outline)) == 1:
        outline = parts[0]
    if not isinstance(outline, Polygon) or outline.is_empty:
        raise LakeInvalid(f"{lake_id}: its geometry is a {outline.geom_type or 'nothing'}; {fix}")
    if not outline.is_valid:
        raise LakeInvalid(f"{lake_id}: its outline is not valid ({is_valid_reason(outline)}); {fix}")
    west, south, east, north = outline.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise LakeInvalid(f"{lake_id}: its outline reaches {outline.bounds}, beyond lon/lat; {fix}")
    return outline


def _aoi(given: Any, outline: Polygon, lake_id: str) -> Polygon:
    if given is None:
        return box(*_bounds_with_margin(outline))
    west, south, east, north = (float(edge) for edge in given)
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise LakeInvalid(f"{lake_id}: its aoi {list(given)} is not [west, south, east, north] in degrees")
    return box(west, south, east, north)


def _bounds_with_margin(outline: Polygon) -> tuple[float, float, float, float]:
    local, to_degrees = to_local(outline)
    wide = to_degrees(local.buffer(DERIVED_MARGIN_M)).bounds
    west, south, east, north = (float(edge) for edge in wide)
    return west, south, east, north
