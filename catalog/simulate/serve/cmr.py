"""Search of the Common Metadata Repository, as far as asf_search and our chain use it.

Not played, and answered with 404: records by their id (but in UMM), collections, health. asf_search's
``health`` and ``get_searchable_attributes`` ask for these.
"""

from __future__ import annotations

import bisect
import functools
import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from glaciolake.catalog.simulate.serve.grammar import BadQuestion, Told, read
from glaciolake.catalog.simulate.serve.holdings import Holdings, Product
from glaciolake.catalog.simulate.serve.terms import asked
from glaciolake.catalog.simulate.serve.umm import concept_id, umm, umm_item

PATH = "/search/granules.umm_json"
RECORD_PATH = "/search/concepts/"
_LARGEST_PAGE = 2000
_SORT_KEY = re.compile(r"(?P<sign>[+ -]?)(?P<name>\w+)")
_DEFAULT_SORT = ["start_date"]
_LIMITED_BY = ("provider", "short_name", "concept_id", "collection_concept_id")
Value = int | str
Mark = list[Value]
"""Place in an answer: the values by which it is sorted, then the name of the product there."""


class Sort:
    """Order of an answer.

    Parameters
    ----------
    keys
        ``start_date``, ``-end_date`` and the like, the weightiest first.

    Raises
    ------
    BadQuestion
        Where this repository does not sort by a key.
    """

    def __init__(self, keys: list[str]) -> None:
        self.keys: list[tuple[Callable[[Product], Value], bool]] = []
        for key in keys:
            match = _SORT_KEY.fullmatch(key)
            if match is None or match["name"] not in _SORTED_BY:
                raise BadQuestion(f"The sort key [{key}] is not a valid field for sorting granules.")
            self.keys.append((_SORTED_BY[match["name"]], match["sign"] == "-"))
        self.keys.append((lambda product: product.name.granule, False))
        self.types = [int if value in _DATES else str for value, _ in self.keys]

    def sorted(self, products: list[Product]) -> list[Product]:
        """Put products in order."""
        for value, falling in reversed(self.keys):
            products = sorted(products, key=value, reverse=falling)
        return products

    def mark(self, product: Product) -> Mark:
        """Place of a product."""
        return [value(product) for value, _ in self.keys]

    def first_after(self, products: list[Product], mark: Mark) -> int:
        """Index of the first of sorted products that comes after a mark."""
        key = functools.cmp_to_key(self._compare)
        return bisect.bisect_right(products, key(mark), key=lambda product: key(self.mark(product)))

    def _compare(self, one: Mark, other: Mark) -> int:
        for (_, falling), a, b in zip(self.keys, one, other, strict=True):
            if a != b:
                before = a < b  # type: ignore[operator]  # of one type: `_after` has seen to it
                return -1 if before != falling else 1
        return 0


def _start(product: Product) -> int:
    return product.start_ms


def _end(product: Product) -> int:
    return product.end_ms


def _name(product: Product) -> str:
    return product.name.granule.lower()


_DATES = (_start, _end)
_SORTED_BY: dict[str, Callable[[Product], Value]] = {
    "end_date": _end,
    "granule_ur": _name,
    "producer_granule_id": _name,
    "readable_granule_name": _name,
    "start_date": _start,
}


class Repository:
    """Answers searches for granules."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings

    async def answer(self, request: Request) -> Response:
        """One page of a search, by GET or by POST."""
        begun = time.perf_counter()
        if request.method not in ("GET", "HEAD", "POST"):
            return JSONResponse({"errors": ["Method not allowed"]}, 405, {"Allow": "GET, HEAD, POST"})
        try:
            told = read(await _pairs(request))
            products, total, mark = self._page(told, request.headers.get("CMR-Search-After"))
        except BadQuestion as error:
            return JSONResponse({"errors": [str(error)]}, 400)
        took = int((time.perf_counter() - begun) * 1000)
        headers = {"CMR-Hits": str(total), "CMR-Took": str(took)}
        if mark is not None:
            headers["CMR-Search-After"] = json.dumps(mark)
        items = [umm_item(one, self._holdings) for one in products]
        return JSONResponse({"hits": total, "took": took, "items": items}, headers=headers)

    async def record(self, request: Request) -> Response:
        """One record by its id, in UMM; in other formats it is not played."""
        name, dot, form = request.url.path.removeprefix(RECORD_PATH).partition(".")
        found = [one for one in self._holdings.products if concept_id(one) == name]
        if not found or not self._holdings.is_out(found[0]):
            said = f"Concept with concept-id [{name}] could not be found."
            return JSONResponse({"errors": [said]}, 404)
        if form != "umm_json":
            return JSONResponse({"errors": [f"the simulated repository has no {dot}{form} of a record"]}, 404)
        return JSONResponse(umm(found[0], self._holdings), media_type="application/vnd.nasa.cmr.umm+json")

    def _page(self, told: Told, after: str | None) -> tuple[list[Product], int, Mark | None]:
        """Products of one page, how many there are in all, and the mark at the page's end."""
        sort = Sort(told.all("sort_key") or _DEFAULT_SORT)
        question, limit, mark = asked(told), _page_size(told), _after(after, sort)
        if mark is not None and not any(told.all(name) for name in _LIMITED_BY):
            raise BadQuestion(
                "The CMR does not allow querying across granules in all collections when using search-after. "
                "You should limit your query using conditions that identify one or more collections such as "
                "provider, concept_id, short_name, or entry_title."
            )
        found = sort.sorted(self._holdings.search(question))
        first = 0 if mark is None else sort.first_after(found, mark)
        shown = found[first : first + limit]
        return shown, len(found), sort.mark(shown[-1]) if shown else None


async def _pairs(request: Request) -> list[tuple[str, str]]:
    """Keys and values of a query and of a body."""
    body = await request.body() if request.method == "POST" else b""
    try:
        return [*request.query_params.multi_items(), *parse_qsl(body.decode(), keep_blank_values=True)]
    except ValueError as error:  # no UTF-8
        raise BadQuestion(f"the body is no form: {error}") from error


def _page_size(told: Told) -> int:
    (text,) = told.all("page_size") or ["10"]
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) > _LARGEST_PAGE:
        raise BadQuestion(f"page_size must be a number between 0 and {_LARGEST_PAGE}")
    return int(text)


def _after(text: str | None, sort: Sort) -> Mark | None:
    """Understand the mark of the last product that a client has seen."""
    if not text:
        return None
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, list):
        raise BadQuestion("search-after header value is invalid, must be in the form of a JSON array.")
    if len(told) != len(sort.keys):
        raise _BadMark(f"search_after has {len(told)} value(s) but sort has {len(sort.keys)}.")
    for value, like in zip(told, sort.types, strict=True):
        if type(value) is not like:  # True is no number here
            raise _BadMark(f"Failed to parse search_after value for [{value}].")
    return told


class _BadMark(BadQuestion):
    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The search failed with error: [{{:reason {json.dumps(reason)}}}]. "
            "Please double check your search_after header."
        )
