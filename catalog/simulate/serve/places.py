"""Places in the Common Metadata Repository's words: boxes, polygons, points, lines, all in degrees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import shapely
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from glaciolake.catalog.simulate.serve.grammar import BadQuestion, Told

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)


def areas(told: Told) -> Iterator[BaseGeometry]:
    """Places that each have to be met.

    Raises
    ------
    BadQuestion
        Where a shape is none.
    """
    shapes: dict[str, Callable[[str], BaseGeometry]] = {
        "bounding_box": _box,
        "line": _line,
        "point": _point,
        "polygon": _polygon,
    }
    for name, shape in shapes.items():
        found = [shape(text) for text in told.all(name)]
        if found and told.has(name, "or"):
            yield shapely.union_all(found)
        else:
            yield from found


def _pairs(text: str, name: str, least: int) -> list[tuple[float, float]]:
    """Lon/lat degrees of the points of a shape."""
    parts = text.split(",")
    if len(parts) < 2 * least or len(parts) % 2 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise BadQuestion(f"[{text}] is not a valid URL encoded {name}")
    numbers = [float(part) for part in parts]
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    for lon, lat in pairs:
        if not -180 <= lon <= 180:
            raise BadQuestion(f"Point longitude [{lon}] must be within -180.0 and 180.0")
        if not -90 <= lat <= 90:
            raise BadQuestion(f"Point latitude [{lat}] must be within -90 and 90.0")
    return pairs


def _box(text: str) -> BaseGeometry:
    pairs = _pairs(text, "bounding_box", 2)
    if len(pairs) != 2:
        raise BadQuestion(f"[{text}] is not a valid URL encoded bounding_box")
    (west, south), (east, north) = pairs
    if south > north:
        raise BadQuestion(
            f"The bounding rectangle north value [{north}] was less than the south value [{south}]"
        )
    return world_box(west, south, east, north)


def world_box(west: float, south: float, east: float, north: float) -> BaseGeometry:
    """Box in degrees, in two parts where it crosses the date line."""
    if west <= east:
        return box(west, south, east, north)
    return MultiPolygon([box(west, south, 180, north), box(-180, south, east, north)])


def _point(text: str) -> BaseGeometry:
    pairs = _pairs(text, "point", 1)
    if len(pairs) != 1:
        raise BadQuestion(f"[{text}] is not a valid URL encoded point")
    return Point(pairs[0])


def _line(text: str) -> BaseGeometry:
    return LineString(_pairs(text, "line", 2))


def _polygon(text: str) -> BaseGeometry:
    pairs = _pairs(text, "polygon", 4)
    if pairs[0] != pairs[-1]:
        raise BadQuestion("Polygon boundary was not closed. The last point must be equal to the first point.")
    polygon = Polygon(pairs)
    if not polygon.is_valid:
        raise BadQuestion(f"The polygon boundary intersected itself: {shapely.is_valid_reason(polygon)}")
    if not polygon.exterior.is_ccw:
        raise BadQuestion(
            "The polygon boundary points are listed in the wrong order (clockwise vs counter clockwise). "
            "Please see the API documentation for the correct order."
        )
    return polygon
