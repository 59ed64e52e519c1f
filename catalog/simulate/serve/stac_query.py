"""What a STAC search asks for: its place and its time, or what is wrong with them.

stac-fastapi lets by what it does not know, and parts of what it cannot understand; an archive that is to be
tested against may not. CMR-STAC, too, lets unknown parameters by: here it refuses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import shapely
from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError, model_validator
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from stac_fastapi.types.rfc3339 import str_to_interval
from stac_fastapi.types.search import BaseSearchPostRequest
from stac_pydantic.api.search import Intersection
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse

from glaciolake.catalog.simulate.serve.holdings import Span
from glaciolake.catalog.simulate.serve.places import world_box

KNOWN = ("bbox", "collections", "datetime", "ids", "intersects", "limit", "token")
_GEOMETRY: TypeAdapter[Any] = TypeAdapter(Intersection)


class BadQuery(ValueError):
    """A question that cannot be understood."""


class Body(BaseSearchPostRequest):
    """Body of a search by POST."""

    @model_validator(mode="before")
    @classmethod
    def _is_sound(cls, values: Any) -> Any:
        """Refuse what the validators of stac-fastapi would break on."""
        if not isinstance(values, dict):
            raise BadQuery("the body of a search is no JSON object")
        if isinstance(values.get("datetime"), str):
            span(values)
        return values


async def refused(request: Request, error: Exception) -> JSONResponse:
    """Answer a question that did not pass, without its own values, since JSON has no words for some."""
    assert isinstance(error, RequestValidationError)
    told = (f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors())
    return JSONResponse({"code": "RequestValidationError", "description": "; ".join(told)}, 400)


def known_only(told: Mapping[str, Any], where: str, known: Iterable[str] = KNOWN) -> None:
    """Refuse parameters that would be ignored.

    Raises
    ------
    fastapi.HTTPException
        Where there is one, or one is given twice.
    """
    given = [key for key, _ in told.multi_items()] if isinstance(told, QueryParams) else list(told)
    unknown = sorted(set(given).difference(known))
    if unknown:
        raise HTTPException(400, f"the {where} has {', '.join(unknown)}, by which this API does not search")
    if len(set(given)) < len(given):
        raise HTTPException(400, f"the {where} has a parameter twice")


def area(told: Mapping[str, Any]) -> BaseGeometry | None:
    """Place that is asked for, lon/lat degrees, None where there is none.

    Raises
    ------
    BadQuery
        Where it is no box and no GeoJSON geometry, or both are given.
    """
    bounds, geometry = told.get("bbox"), told.get("intersects")
    if bounds and geometry:
        raise BadQuery("intersects and bbox parameters are mutually exclusive")
    if bounds:
        return _box([float(one) for one in bounds])
    return _shape(geometry) if geometry else None


def span(told: Mapping[str, Any]) -> Span | None:
    """Time that is asked for, None where there is none."""
    interval = str_to_interval(told.get("datetime"))
    if interval is None or isinstance(interval, datetime):
        return None if interval is None else (_utc(interval), _utc(interval))
    return _utc(interval[0]), _utc(interval[1])


def _utc(moment: datetime | None) -> datetime | None:
    try:
        return None if moment is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise BadQuery(f"datetime {moment} is out of range") from error


def _box(numbers: list[float]) -> BaseGeometry:
    """Box of four numbers, or of six with heights."""
    half = len(numbers) // 2
    if len(numbers) not in (4, 6):
        raise BadQuery(f"bbox {numbers} has to have 4 or 6 numbers")
    west, south, east, north = numbers[0], numbers[1], numbers[half], numbers[half + 1]
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise BadQuery(f"bbox {numbers} is none: west, south, east, north in degrees, south up to north")
    return world_box(west, south, east, north)


def _shape(geometry: Any) -> BaseGeometry:
    """Geometry of a GeoJSON object, or of its text."""
    try:
        if isinstance(geometry, str):
            checked = _GEOMETRY.validate_json(geometry)
        else:
            checked = _GEOMETRY.validate_python(geometry)
        found = shape(checked.model_dump())
    except ValidationError as error:
        told = "; ".join(sorted({one["msg"] for one in error.errors(include_url=False)}))
        raise BadQuery(f"intersects is no GeoJSON geometry: {told}") from error
    except (ShapelyError, ValueError, TypeError, IndexError) as error:
        raise BadQuery(f"intersects is no geometry: {error}") from error
    west, south, east, north = found.bounds
    if found.is_empty or not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise BadQuery("intersects is empty, or its positions are not in degrees")
    if not found.is_valid:
        raise BadQuery(f"intersects is not valid: {shapely.is_valid_reason(found)}")
    return found
