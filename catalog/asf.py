"""The ASF archive of OPERA RTC-S1 as a source, searched through asf_search."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import asf_search
import requests
from asf_search.exceptions import ASFError, CMRError
from shapely.geometry import shape

from glaciolake.catalog.addresses import without_secrets
from glaciolake.catalog.archive import Listed, band_files, completed, is_asked
from glaciolake.catalog.burst_grids import BurstGrids
from glaciolake.catalog.duplicates import newest
from glaciolake.catalog.errors import SearchFailed, UnknownName
from glaciolake.catalog.folder import matches
from glaciolake.catalog.items import BandFile, multihash
from glaciolake.catalog.names import canonical_burst, cmr_burst, parse_name
from glaciolake.catalog.request import Found, Refused, Request
from glaciolake.catalog.retries import REFUSED, PatientAdapter, login_refused

SIMULATED = "SIMULATED"
"""Project that a played archive gives its granules, so that nobody takes them for seen."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class AsfSource:
    """OPERA RTC-S1 granules in the archive.

    Searching needs no account; reading does, and so does the grid of a burst that is not known yet.

    Attributes
    ----------
    grids
        Where the grids of bursts come from.
    host
        Host of NASA's Common Metadata Repository, which answers.
    session
        Session to search through, such as one behind a proxy; None makes one. It is used as it is.
    wait_s
        First wait before a request is repeated, seconds.
    """

    grids: BurstGrids = field(default_factory=BurstGrids)
    host: str = asf_search.INTERNAL.CMR_HOST
    session: requests.Session | None = None
    wait_s: float = 1.0

    def find(self, request: Request) -> Found:
        """Answer a request completely.

        Raises
        ------
        SearchFailed
            Where a page cannot be had, or fewer granules come than the archive counts.
        """
        listed: dict[str, Listed] = {}
        refused: list[Refused] = []
        for narrowed in _searches(request):
            for product in self._products(narrowed):
                answer = _listed(product)
                if isinstance(answer, Refused):
                    refused.append(answer)
                elif is_asked(answer, request):
                    listed[answer.name.granule] = answer
        items, unmade = completed(listed.values(), self.grids)
        kept, superseded = newest(item for item in items if matches(item, request))
        _LOG.info("searched ASF at %s: items=%d refused=%d", self.host, len(kept), len(refused) + len(unmade))
        return Found(kept, superseded, tuple(sorted({*refused, *unmade})))

    def _products(self, options: dict[str, Any]) -> list[Any]:
        """Every product of one search, or an exception."""
        products: list[Any] = []
        complete = False
        try:
            with _no_reports():
                for page in asf_search.search_generator(
                    **options, opts=asf_search.ASFSearchOptions(host=self.host, session=self._session())
                ):
                    products.extend(page)
                    complete = page.searchComplete
                    if not page and not complete:
                        break  # asf_search would go on asking for as long as the server names a next page
        except (ASFError, CMRError, requests.RequestException) as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status in REFUSED:
                raise SearchFailed(login_refused(f"https://{self.host}", status)) from error
            raise SearchFailed(
                f"ASF search at {self.host} failed: {_told(error)}; try again later"
            ) from error
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            what = f"{type(error).__name__}: {_told(error)}"
            raise SearchFailed(f"ASF search at {self.host} gave an unreadable answer, {what}") from error
        names = {product.umm.get("GranuleUR") for product in products}
        if None in names:
            raise SearchFailed(f"ASF search at {self.host} gave a granule without a name; try again later")
        if not complete or len(names) < len(products):
            raise SearchFailed(
                f"ASF search at {self.host} is incomplete: {len(names)} granules came of more; try again, or "
                "ask for a shorter time"
            )
        return products

    def _session(self) -> requests.Session:
        if self.session is not None:
            return self.session
        session: requests.Session = asf_search.ASFSession()
        session.mount("https://", PatientAdapter(self.wait_s, raise_on_status=True))
        return session


def _searches(request: Request) -> Iterator[dict[str, Any]]:
    """Options of searches that together find what is asked for.

    One burst or track a search: asf_search makes several queries of a list, and would then tell of the last
    one only whether it was complete.
    """
    common: dict[str, Any] = {
        "dataset": asf_search.DATASET.OPERA_S1,
        "processingLevel": asf_search.PRODUCT_TYPE.RTC,
        "start": request.start,
        "end": request.end,
    }
    if request.aoi is not None:
        common["intersectsWith"] = request.aoi.wkt
    if request.orbit_state is not None:
        common["flightDirection"] = request.orbit_state.upper()
    if request.bursts:
        yield from (common | {"operaBurstID": cmr_burst(burst)} for burst in request.bursts)
    elif request.tracks:
        yield from (common | {"relativeOrbit": track} for track in request.tracks)
    else:
        yield common


def _listed(product: Any) -> Listed | Refused:
    """Read one product; its own `url` is any of its files, so that all of them are looked through."""
    told = product.properties
    granule = str(product.umm["GranuleUR"])
    try:
        name = parse_name(granule)
        burst = canonical_burst(told["operaBurstID"]) if told.get("operaBurstID") else name.burst
    except UnknownName as error:
        return Refused(granule, str(error))
    if burst != name.burst:
        return Refused(granule, f"the archive files it under burst {burst}, its name says {name.burst}")
    hrefs = [told.get("url"), *(told.get("additionalUrls") or ()), *(told.get("s3Urls") or ())]
    published = {entry["Name"]: entry for entry in _distributed(product.umm)}
    files = band_files(name, (_file(href, published) for href in hrefs if href))
    footprint = shape(product.geometry) if product.geometry else None
    return Listed(name, files, footprint, SIMULATED in _projects(product.umm))


def _projects(umm: dict[str, Any]) -> set[str | None]:
    return {one.get("ShortName") for one in umm.get("Projects") or ()}


def _distributed(umm: dict[str, Any]) -> list[dict[str, Any]]:
    return list((umm.get("DataGranule") or {}).get("ArchiveAndDistributionInformation") or ())


def _file(href: str, published: dict[str, dict[str, Any]]) -> BandFile:
    entry = published.get(href.rsplit("/", 1)[-1], {})
    checksum = entry.get("Checksum") or {}
    known = checksum.get("Algorithm") == "MD5" and checksum.get("Value")
    return BandFile(href, multihash("md5", known) if known else None, entry.get("SizeInBytes"))


@contextmanager
def _no_reports() -> Iterator[None]:
    """Keep asf_search from posting the user's area and dates to a third host where a search fails."""
    before = asf_search.REPORT_ERRORS
    asf_search.REPORT_ERRORS = False
    try:
        yield
    finally:
        asf_search.REPORT_ERRORS = before


def _told(error: BaseException) -> str:
    line = without_secrets(" ".join(str(error).split()))  # before it is cut: half a password is no address
    return line if len(line) <= 300 else f"{line[:300]} ..."
