"""What must hold in a registry entry, and the geodesy that tells."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
from pyproj import Geod, Transformer
from shapely import transform
from shapely.geometry import Point, Polygon

from glaciolake.catalog.errors import LakeInvalid
from glaciolake.catalog.lake import Lake

MARGIN_M = 1000.0
"""Least distance from the outline to the edge of the area of interest: room for a lake to grow."""
ID_TOLERANCE_M = 2000.0
"""ICIMOD ids are rounded centroids; one of the known ones (Hongu 1) lies 1.47 km from its lake."""
AREA_TOLERANCE = 0.05
"""Share by which the outline's area may differ from the published one."""
ELEVATION_RANGE_M = (-450.0, 7000.0)
"""From the Dead Sea to above the highest lake; catches feet and kilometres, not small errors."""

_ICIMOD_ID = re.compile(r"GL(\d{6})E(\d{5})N")
_BURST = re.compile(r"T(\d{3})-\d{6}-IW[123]")


def geodesic_area_km2(outline: Polygon) -> float:
    """Area of a longitude/latitude polygon (degrees) on the WGS 84 ellipsoid, km2."""
    return abs(float(Geod(ellps="WGS84").geometry_area_perimeter(outline)[0])) / 1e6


def to_local(outline: Polygon) -> tuple[Polygon, Callable[[Polygon], Polygon]]:
    """Polygon in metres around its own centre, and the way back for polygons near it.

    Parameters
    ----------
    outline
        Longitude/latitude, degrees WGS 84.

    Returns
    -------
    tuple[Polygon, Callable[[Polygon], Polygon]]
        The polygon in a local equal-area projection, metres; and the function from there to degrees.
    """
    forward, back = _projections(outline)
    return _moved(outline, forward), lambda local: _moved(local, back)


def check_lake(lake: Lake) -> None:
    """Raise `LakeInvalid` where an entry contradicts itself."""
    for check in (_check_point, _check_icimod_id, _check_numbers, _check_area, _check_margin, _check_bursts):
        problem = check(lake)
        if problem:
            raise LakeInvalid(f"{lake.id}: {problem}")


def _check_point(lake: Lake) -> str | None:
    if lake.outline.contains(Point(lake.longitude_deg, lake.latitude_deg)):
        return None
    inside = lake.outline.representative_point()
    return (
        f"its point {lake.longitude_deg:.5f} E {lake.latitude_deg:.5f} N lies outside its outline; "
        f"correct one of them (a point inside is {inside.x:.5f} E {inside.y:.5f} N)"
    )


def _check_icimod_id(lake: Lake) -> str | None:
    if lake.icimod_id is None:
        return None
    parts = _ICIMOD_ID.fullmatch(lake.icimod_id)
    if parts is None:
        return f"its icimod_id {lake.icimod_id!r} is not like GL086476E27861N; correct it or leave it out"
    lon_deg, lat_deg = int(parts[1]) / 1000, int(parts[2]) / 1000
    geod = Geod(ellps="WGS84")
    away_m = geod.inv(lon_deg, lat_deg, lake.longitude_deg, lake.latitude_deg)[2]
    if away_m <= ID_TOLERANCE_M:
        return None
    return (
        f"its icimod_id {lake.icimod_id} says {lon_deg} E {lat_deg} N, {away_m / 1000:.1f} km from its point "
        f"{lake.longitude_deg:.5f} E {lake.latitude_deg:.5f} N (at most {ID_TOLERANCE_M / 1000:g} km: "
        "ids are rounded centroids); correct one of them"
    )


def _check_numbers(lake: Lake) -> str | None:
    low_m, high_m = ELEVATION_RANGE_M
    if not math.isnan(lake.elevation_m) and not low_m <= lake.elevation_m <= high_m:
        return f"its elevation_m {lake.elevation_m:g} is not within {low_m:g} to {high_m:g} m; give metres"
    if not lake.area_km2 > 0:
        return f"its area_km2 {lake.area_km2:g} is not above 0; give km2, or leave it out"
    return None


def _check_area(lake: Lake) -> str | None:
    outline_km2 = geodesic_area_km2(lake.outline)
    if abs(outline_km2 - lake.area_km2) <= AREA_TOLERANCE * lake.area_km2:
        return None
    return (
        f"its outline covers {outline_km2:.4g} km2 and its area_km2 is {lake.area_km2:.4g} (more than "
        f"{AREA_TOLERANCE:.0%} apart); correct one of them"
    )


def _check_margin(lake: Lake) -> str | None:
    forward, _ = _projections(lake.outline)
    outline, aoi = _moved(lake.outline, forward), _moved(lake.aoi, forward)
    margin_m = aoi.exterior.distance(outline) if aoi.contains(outline) else 0.0
    if margin_m >= MARGIN_M:
        return None
    return (
        f"its aoi leaves {margin_m:.0f} m around the outline, {MARGIN_M:g} m are needed so that growth is "
        "not cut; widen it, or leave it out to have it derived"
    )


def _check_bursts(lake: Lake) -> str | None:
    for track in lake.tracks:
        if not 1 <= track <= 175:
            return f"its track {track} is not a relative orbit of Sentinel-1 (1 to 175); correct it"
    for track in lake.hidden_tracks:
        if track not in lake.tracks:
            return f"its hidden track {track} is none of its tracks {list(lake.tracks)}; correct one of them"
    for burst in lake.bursts:
        parts = _BURST.fullmatch(burst)
        if parts is None:
            return f"its burst {burst!r} is not like T121-258662-IW2; correct it"
        if lake.tracks and int(parts[1]) not in lake.tracks:
            return f"its burst {burst} is of none of its tracks {list(lake.tracks)}; correct one of them"
    return None


def _projections(outline: Polygon) -> tuple[Transformer, Transformer]:
    centre = outline.centroid
    local = f"+proj=laea +lon_0={centre.x} +lat_0={centre.y} +datum=WGS84 +units=m"
    return (
        Transformer.from_crs("EPSG:4326", local, always_xy=True),
        Transformer.from_crs(local, "EPSG:4326", always_xy=True),
    )


def _moved(polygon: Polygon, transformer: Transformer) -> Polygon:
    return transform(polygon, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])))
