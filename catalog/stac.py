"""STAC APIs and static STAC catalogues as a source, complete or as bare as CMR-STAC's."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pystac
from pystac.errors import DeprecatedWarning
from pystac_client import Client
from pystac_client.exceptions import APIError
from pystac_client.item_search import ItemSearch
from pystac_client.stac_api_io import StacApiIO
from pystac_client.warnings import PystacClientWarning

from glaciolake.catalog.addresses import without_secrets
from glaciolake.catalog.archive import completed, is_asked
from glaciolake.catalog.burst_grids import BurstGrids
from glaciolake.catalog.duplicates import newest
from glaciolake.catalog.errors import CatalogError, SearchFailed
from glaciolake.catalog.folder import matches
from glaciolake.catalog.request import Found, Refused, Request
from glaciolake.catalog.retries import REFUSED, PatientAdapter, login_refused
from glaciolake.catalog.stac_items import complete_or_listed
from glaciolake.catalog.walk import walked

CMR_STAC = "https://cmr.earthdata.nasa.gov/stac/ASF"
CMR_COLLECTION = "OPERA_L2_RTC-S1_V1_1"
"""Its items hold addresses and times only; CMR-STAC ignores filters on anything else without saying so."""
PAGE_ITEMS = 200
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class StacSource:
    """A STAC API or a static STAC catalogue of RTC granules.

    Complete items pass as they are; those of OPERA RTC-S1 that are not are completed from their names and the
    grids of their bursts. Other items are refused, each with the reason.

    Attributes
    ----------
    url
        Address of an API's landing page, or address or path of a ``catalog.json`` or ``collection.json``.
    collections
        Ids of the collections to search; empty asks for all (for CMR-STAC: the OPERA one).
    grids
        Where the grids of bursts come from.
    wait_s
        First wait before a request is repeated, seconds.
    """

    url: str
    collections: tuple[str, ...] = ()
    grids: BurstGrids = field(default_factory=BurstGrids)
    wait_s: float = 1.0
    _boxes: dict[str, list[float]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def find(self, request: Request) -> Found:
        """Answer a request completely.

        Raises
        ------
        SearchFailed
            Where a page or an item cannot be had, or fewer items come than the server counts.
        CatalogError
            Where the address is no STAC catalogue.
        """
        io = StacApiIO()
        for scheme in ("http://", "https://"):
            io.session.mount(scheme, PatientAdapter(self.wait_s, raise_on_status=False))
        try:
            with warnings.catch_warnings():
                # What the server is able to do is judged from its answers, and said as an error.
                warnings.simplefilter("ignore", PystacClientWarning)
                # A superseded item is marked as deprecated; `newest` says so once more, in the answer.
                warnings.simplefilter("ignore", DeprecatedWarning)
                return self._sorted_out(self._items(io, request), request)
        except APIError as error:
            status = getattr(error, "status_code", None)
            if status in REFUSED:
                raise SearchFailed(login_refused(self.url, status)) from error
            answer = f"HTTP status {status}" if status else "no answer"
            raise SearchFailed(
                f"search of {self.url} failed, {answer}: {_short(error)}; try again later"
            ) from error
        except PystacClientWarning as error:  # raised, not warned, where the API cannot search at all
            raise CatalogError(
                f"{self.url} cannot be searched: {_short(error)}; give another catalogue"
            ) from error
        except (OSError, json.JSONDecodeError, pystac.STACError, KeyError, TypeError, ValueError) as error:
            what = f"{type(error).__name__}: {_short(error)}"
            raise SearchFailed(f"search of {self.url} failed, {what}; check the catalogue") from error

    def _sorted_out(self, found: Iterator[pystac.Item], request: Request) -> Found:
        items: list[pystac.Item] = []
        listed, refused = [], []
        for item in found:
            answer = complete_or_listed(item)
            if isinstance(answer, pystac.Item):
                items.append(answer)
            elif isinstance(answer, Refused):
                refused.append(answer)
            elif is_asked(answer, request):
                listed.append(answer)
        made, unmade = completed(listed, self.grids)
        kept, superseded = newest(item for item in items + made if matches(item, request))
        where = without_secrets(self.url)
        _LOG.info("searched %s: items=%d refused=%d", where, len(kept), len(refused) + len(unmade))
        return Found(kept, superseded, tuple(sorted(refused + unmade)))

    def _items(self, io: StacApiIO, request: Request) -> Iterator[pystac.Item]:
        """Every item of the catalogue that may be asked for, or an exception."""
        href = self.url if "://" in self.url else str(Path(self.url).resolve())
        root = io.read_json(href)
        if not isinstance(root, dict) or root.get("type") not in ("Catalog", "Collection"):
            raise CatalogError(
                f"{self.url} is no STAC catalogue; give a catalog.json or a STAC API's address"
            )
        if any(link.get("rel") == "search" for link in root.get("links", [])):
            client = Client.from_dict(root, href=href)
            client.set_root(client)  # pystac would fetch what the page calls its root, past proxy and retries
            yield from _searched(io, self._search(client, request), client)
        else:
            yield from self._walked(io, root, href, request)

    def _search(self, client: Client, request: Request) -> ItemSearch:
        collections = self.collections or ((CMR_COLLECTION,) if self.url.rstrip("/") == CMR_STAC else ())
        # A box, not the outline: every API understands it, and the outline is applied to what comes.
        box = list(request.aoi.bounds) if request.aoi is not None else None
        # CMR-STAC and others take both; those that take GET alone say so.
        post = any(link.extra_fields.get("method") == "POST" for link in client.get_links("search"))
        return client.search(
            method="POST" if post else "GET",
            collections=list(collections) or None,
            bbox=box,
            datetime=(request.start, request.end),
            limit=PAGE_ITEMS,
        )

    def _walked(
        self, io: StacApiIO, root: dict[str, Any], href: str, request: Request
    ) -> Iterator[pystac.Item]:
        catalog = io.stac_object_from_dict(root, href=href)
        if not isinstance(catalog, pystac.Catalog):
            raise CatalogError(f"{self.url} is no STAC catalogue but a {type(catalog).__name__}")
        for item in walked(catalog, request, self._boxes):
            if not self.collections or item.collection_id in self.collections:
                yield item


def _searched(io: StacApiIO, search: ItemSearch, root: Client) -> Iterator[pystac.Item]:
    """Items of all pages, each once; raises where fewer come than the server counted.

    They are given their root: pystac would fetch it anew for each of them.
    """
    seen: set[tuple[str | None, str]] = set()
    matched: int | None = None
    for page in _pages(io, search):
        matched = page.get("numberMatched", (page.get("context") or {}).get("matched", matched))
        for feature in page.get("features", []):
            item = pystac.Item.from_dict(feature, root=root)
            if (item.collection_id, item.id) not in seen:
                seen.add((item.collection_id, item.id))
                yield item
    if matched is not None and len(seen) < int(matched):
        raise SearchFailed(
            f"search of {search.url} is incomplete: {matched} items match and {len(seen)} came; try again, "
            "or ask for a shorter time"
        )


def _pages(io: StacApiIO, search: ItemSearch) -> Iterator[dict[str, Any]]:
    """Pages until no link leads on; unlike for pystac-client, an empty one does not end the answer."""
    parameters = search.get_parameters()
    page = io.read_json(search.url, method=search.method, parameters=parameters)
    asked: set[str] = set()
    while True:
        if not isinstance(page, dict) or not isinstance(page.get("features"), list):
            raise SearchFailed(f"{search.url} answered without features: {_short(json.dumps(page))}")
        yield page
        link = next((link for link in page.get("links", []) if link.get("rel") == "next"), None)
        if link is None:
            return
        if (turn := json.dumps(link, sort_keys=True)) in asked:
            raise SearchFailed(
                f"{search.url} pages in a circle at {link.get('href')}; the search is incomplete"
            )
        asked.add(turn)
        page = io.read_json(pystac.Link.from_dict(link), parameters=parameters)


def _short(text: object) -> str:
    """Return the beginning of an error's text on one line: servers answer with whole pages."""
    line = without_secrets(" ".join(str(text).split()))  # before it is cut: half a password is no address
    return line if len(line) <= 300 else f"{line[:300]} ..."
