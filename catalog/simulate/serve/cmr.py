"""Search of the Common Metadata Repository, as far as asf_search and our chain use it."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from shapely.errors import ShapelyError
from shapely.geometry import Point, Polygon, box
from shapely.geometry.base import BaseGeometry
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from glaciolake.catalog.errors import UnknownName
from glaciolake.catalog.names import Family, canonical_burst
from glaciolake.catalog.simulate.serve.holdings import Asked, Holdings, Key
from glaciolake.catalog.simulate.serve.umm import SHORT_NAMES, concept_id, umm_item

PATH = "/search/granules.umm_json"
_LARGEST_PAGE = 2000
_CONCEPTS: dict[str, Family] = {"C2777436413-ASF": "opera", "C2795135174-ASF": "opera-static"}
_FAMILIES: dict[str, Family] = {"OPERA_L2_RTC-S1_V1": "opera", "OPERA_L2_RTC-S1-STATIC_V1": "opera-static"}
_TYPES: dict[str, tuple[Family, ...]] = {"RTC": ("opera",), "RTC-STATIC": ("opera-static",)}
_IGNORED = ("options[", "sort_key", "provider", "page_size", "attribute", "platform")
Told = Mapping[str, list[str]]


class BadQuestion(ValueError):
    """A parameter that cannot be understood, or that this repository does not search by."""


class Repository:
    """Answers searches for granules."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings

    async def answer(self, request: Request) -> Response:
        """One page of a search, by GET or by POST."""
        begun = time.perf_counter()
        text = (await request.body()).decode() if request.method == "POST" else ""
        told: dict[str, list[str]] = defaultdict(list)
        for key, value in (*request.query_params.multi_items(), *parse_qsl(text, keep_blank_values=True)):
            told[key].append(value)
        try:
            asked, limit = read_question(told), _page_size(told)
            after = _after(request.headers.get("CMR-Search-After"))
        except (BadQuestion, ValueError) as error:
            return JSONResponse({"errors": [str(error)]}, 400)
        page = self._holdings.page(asked, limit, after)
        took = int((time.perf_counter() - begun) * 1000)
        headers = {"CMR-Hits": str(page.total), "CMR-Took": str(took)}
        if page.products:
            last = page.products[-1]
            mark = [int(-last.key[0] * 1000), last.name.granule.lower(), concept_id(last)]
            headers["CMR-Search-After"] = json.dumps([*mark, last.name.granule])
        items = [umm_item(one, self._holdings) for one in page.products]
        return JSONResponse({"hits": page.total, "took": took, "items": items}, headers=headers)


def read_question(told: Told) -> Asked:
    """Understand the parameters of a search.

    Raises
    ------
    BadQuestion
        Where one is not understood: ignoring it, as the real repository does with some, would look like an
        answer.
    """
    asked = Asked(families=_families(told), area=_area(told), names=tuple(_names(told)))
    for text in told.get("temporal", told.get("temporal[]", [])):
        first, last = (*text.split(","), "")[:2]
        asked = replace(asked, start=_time(first), end=_time(last))
    for text in told.get("attribute[]", []):
        asked = _narrowed(asked, text)
    known = {"temporal", "temporal[]", *_GEOMETRIES, *_NAMES, *_COLLECTIONS}
    for key in told:
        if key not in known and not key.startswith(_IGNORED):
            raise BadQuestion(f"Parameter [{key}] was not recognized.")
    return asked


def _narrowed(asked: Asked, text: str) -> Asked:
    """Add one ``type,NAME,value`` or ``type,NAME,first,last`` to a question."""
    _, name, *values = (*text.split(","), "")
    value = values[0]
    if name == "OPERA_BURST_ID":
        try:
            return replace(asked, bursts=(*asked.bursts, canonical_burst(value)))
        except UnknownName:
            return replace(asked, bursts=(*asked.bursts, value))
    if name == "PATH_NUMBER":
        last = values[1] or value if len(values) > 1 else value
        return replace(asked, tracks=(int(value), int(last)))
    if name == "ASCENDING_DESCENDING":
        return replace(asked, orbit_state=value.lower())
    if name == "POLARIZATION":
        return replace(asked, polarization=value.upper())
    if name == "PROCESSING_TYPE":
        wanted = _TYPES.get(value, ())
        return replace(asked, families=tuple(one for one in asked.families if one in wanted))
    if name == "BEAM_MODE":
        return asked if value == "IW" else replace(asked, families=())
    raise BadQuestion(f"the simulated repository does not search by {name!r}")


_GEOMETRIES = ("bounding_box", "bounding_box[]", "polygon", "polygon[]", "point", "point[]")
_NAMES = (
    "readable_granule_name[]",
    "readable_granule_name",
    "granule_ur",
    "granule_ur[]",
    "producer_granule_id[]",
)
_COLLECTIONS = ("short_name", "shortName", "short_name[]", "echo_collection_id", "collection_concept_id")


def _families(told: Told) -> tuple[Family, ...]:
    names = [name for key in _COLLECTIONS for name in told.get(key, [])]
    if not names:
        return tuple(SHORT_NAMES)  # type: ignore[arg-type]
    known = _FAMILIES | _CONCEPTS
    return tuple(dict.fromkeys(known[name] for name in names if name in known))


def _names(told: Told) -> list[str]:
    return [name for key in _NAMES for name in told.get(key, [])]


def _area(told: Told) -> BaseGeometry | None:
    """Lon/lat degrees; the polygon is a ring of pairs, closed."""
    for key in _GEOMETRIES:
        for text in told.get(key, []):
            numbers = [float(part) for part in text.split(",")]
            pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
            try:
                if key.startswith("bounding_box"):
                    west, south, east, north = numbers
                    return box(west, south, east, north)
                return Point(pairs[0]) if key.startswith("point") else Polygon(pairs)
            except (ShapelyError, ValueError, IndexError) as error:
                raise BadQuestion(f"[{text}] is not a valid {key}: {error}") from error
    return None


def _time(text: str) -> datetime | None:
    if not text.strip():
        return None
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _page_size(told: Told) -> int:
    size = int(told.get("page_size", ["10"])[0])
    if not 0 <= size <= _LARGEST_PAGE:
        raise BadQuestion(f"page_size must be a number between 0 and {_LARGEST_PAGE}")
    return size


def _after(mark: str | None) -> Key | None:
    """Key of the last product that a client has seen."""
    if not mark:
        return None
    told: Any = json.loads(mark)
    return -told[0] / 1000, str(told[-1])
