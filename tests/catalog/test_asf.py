from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asf_search
import pytest
import requests
from pytest_httpserver import HTTPServer
from shapely.geometry import Polygon, box
from werkzeug import Request as Asked
from werkzeug import Response

from glaciolake.catalog.asf import AsfSource
from glaciolake.catalog.burst_grids import BurstGrids
from glaciolake.catalog.errors import CredentialsMissing, SearchFailed
from glaciolake.catalog.items import granule_of
from glaciolake.catalog.request import Request
from glaciolake.catalog.retries import PatientAdapter
from tests.catalog.replies import BURST, GRID, granule, seed_grids, umm_granule

AOI = box(86.46, 27.85, 86.49, 27.87)
YEAR = Request(AOI, datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
NAMES = [granule(f"2024{month:02d}10T001134Z") for month in (3, 4, 5)]
PATH = "/search/granules.umm_json"


class Plain(PatientAdapter):
    """Carries what is meant for https in plain HTTP, so that a server on this machine can answer."""

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, *args: Any, **kwargs: Any
    ) -> requests.Response:
        request.url = (request.url or "").replace("https://", "http://")
        return super().send(request, stream, *args, **kwargs)


class Cmr:
    """The archive's search on this machine: some granules a page, paged by header."""

    def __init__(self, server: HTTPServer, granules: list[dict[str, Any]], page: int = 2) -> None:
        self.granules, self.page, self.hits = granules, page, len(granules)
        self.asked: list[dict[str, list[str]]] = []
        server.expect_request(PATH, method="POST").respond_with_handler(lambda request: self.search(request))

    def search(self, request: Asked) -> Response:
        self.asked.append(request.form.to_dict(flat=False))
        start = int(request.headers.get("CMR-Search-After", "0"))
        end = start + self.page
        content = {"hits": self.hits, "took": 1, "items": self.granules[start:end]}
        headers = {"CMR-Search-After": str(end)} if end < len(self.granules) else {}
        return Response(json.dumps(content), mimetype="application/json", headers=headers)


def source(
    server: HTTPServer, folder: Path, session: type[requests.Session] = asf_search.ASFSession
) -> AsfSource:
    opened = session()
    opened.mount("https://", Plain(0, raise_on_status=True))
    return AsfSource(BurstGrids(seed_grids(folder)), f"{server.host}:{server.port}", opened)


def test_granules_come_out_complete_over_several_pages(httpserver: HTTPServer, tmp_path: Path) -> None:
    cmr = Cmr(httpserver, [umm_granule(name) for name in reversed(NAMES)])
    found = source(httpserver, tmp_path).find(YEAR)
    assert [item.id for item in found.items] == NAMES and not found.refused
    first = granule_of(found.items[0])
    assert (first.crs, first.transform, first.shape) == (GRID.crs, GRID.transform, GRID.shape)
    assert (first.burst, first.relative_orbit, first.orbit_state) == (BURST, 121, "descending")
    assert first.bands == ("mask", "vh", "vv")
    assert first.href("vv") == f"https://datapool.asf.alaska.edu/RTC/OPERA-S1/{NAMES[0]}_VV.tif"
    fields = found.items[0].assets["vv"].extra_fields
    assert (
        fields["file:checksum"] == "d51002c8980e21be53810524ca961404a20b" and fields["file:size"] == 6822497
    )
    assert len(cmr.asked) == 2


def test_area_dates_direction_and_bursts_are_asked_for(httpserver: HTTPServer, tmp_path: Path) -> None:
    cmr = Cmr(httpserver, [])
    triangle = Polygon([(86.4, 27.8), (86.5, 27.8), (86.45, 27.9)])
    request = Request(triangle, YEAR.start, YEAR.end, (BURST, "T012-023790-IW1"), (12, 121), "descending")
    assert source(httpserver, tmp_path).find(request).items == ()
    one, two = cmr.asked
    assert one["attribute[]"] == [
        "string,ASCENDING_DESCENDING,DESCENDING",
        "string,OPERA_BURST_ID,T121_258662_IW2",
    ]
    assert "string,OPERA_BURST_ID,T012_023790_IW1" in two["attribute[]"]
    assert one["temporal"][0].startswith("2024-01-01T00:00:00Z,2025-01-01T00:00:00Z")
    corners = [float(value) for value in one["polygon"][0].split(",")]
    assert corners == pytest.approx([86.4, 27.8, 86.5, 27.8, 86.45, 27.9, 86.4, 27.8])
    assert one["shortName"] == ["OPERA_L2_RTC-S1_V1"]
    source(httpserver, tmp_path).find(Request(None, YEAR.start, YEAR.end, tracks=(12, 121)))
    assert [ask["attribute[]"] for ask in cmr.asked[2:]] == [["int,PATH_NUMBER,12"], ["int,PATH_NUMBER,121"]]
    assert "polygon" not in cmr.asked[2]


def test_what_is_outside_the_request_is_left_out(httpserver: HTTPServer, tmp_path: Path) -> None:
    wrong = [
        umm_granule(granule("20231231T235959Z")),
        umm_granule(granule("20250101T000000Z")),  # the archive's end is inclusive, ours is not
        umm_granule(granule("20240401T001134Z"), box(80, 27, 81, 28)),
    ]
    Cmr(httpserver, [*wrong, umm_granule(NAMES[0])])
    assert [item.id for item in source(httpserver, tmp_path).find(YEAR).items] == [NAMES[0]]


def test_a_reprocessed_granule_wins_and_the_loser_stays_known(httpserver: HTTPServer, tmp_path: Path) -> None:
    old, new = (granule("20240310T001134Z", created) for created in ("20240310T100000Z", "20250601T000000Z"))
    Cmr(httpserver, [umm_granule(new), umm_granule(old)])
    found = source(httpserver, tmp_path).find(YEAR)
    assert [[item.id for item in part] for part in (found.items, found.superseded)] == [[new], [old]]


def test_a_granule_filed_wrongly_or_without_image_is_refused(httpserver: HTTPServer, tmp_path: Path) -> None:
    misfiled, bare, foreign = (umm_granule(name) for name in NAMES)
    attributes = misfiled["umm"]["AdditionalAttributes"]
    next(it for it in attributes if it["Name"] == "OPERA_BURST_ID")["Values"] = ["T121_258661_IW2"]
    bare["umm"]["RelatedUrls"] = [it for it in bare["umm"]["RelatedUrls"] if "_V" not in it["URL"]]
    text = json.dumps(foreign).replace("OPERA_L2_RTC-S1_T121", "OPERA_L2_RTC-S9_T121")
    Cmr(httpserver, [misfiled, bare, json.loads(text)])
    found = source(httpserver, tmp_path).find(YEAR)
    reasons = {one.name: one.reason for one in found.refused}
    assert found.items == () and len(reasons) == 3
    assert "files it under burst T121-258661-IW2" in reasons[NAMES[0]]
    assert "no VV" in reasons[NAMES[1]]


def test_nothing_found_is_empty_and_an_answer_cut_off_is_an_error(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    cmr = Cmr(httpserver, [])
    assert source(httpserver, tmp_path).find(YEAR).items == ()
    cmr.hits = 3
    with pytest.raises(SearchFailed, match="incomplete: 0 granules"):
        source(httpserver, tmp_path).find(YEAR)
    cmr.granules = [umm_granule(name) for name in NAMES[:2]]
    with pytest.raises(SearchFailed, match="incomplete: 2 granules"):
        source(httpserver, tmp_path).find(YEAR)
    cmr.granules = [umm_granule(name) for name in (NAMES[0], NAMES[1], NAMES[1])]
    with pytest.raises(SearchFailed, match="incomplete: 2 granules"):
        source(httpserver, tmp_path).find(YEAR)


def test_a_first_burst_cut_off_is_not_hidden_by_a_complete_second(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    cmr = Cmr(httpserver, [umm_granule(NAMES[0])])

    def search(request: Asked) -> Response:
        cmr.hits = 5 if not cmr.asked else 1
        return Cmr.search(cmr, request)

    cmr.search = search  # type: ignore[method-assign]
    with pytest.raises(SearchFailed, match="incomplete"):
        source(httpserver, tmp_path).find(Request(AOI, YEAR.start, YEAR.end, (BURST, "T121-258661-IW2")))


def test_a_server_that_pages_without_end_is_stopped(httpserver: HTTPServer, tmp_path: Path) -> None:
    content = json.dumps({"hits": 7, "took": 1, "items": []})
    httpserver.expect_request(PATH).respond_with_data(content, headers={"CMR-Search-After": "again"})
    with pytest.raises(SearchFailed, match="incomplete"):
        source(httpserver, tmp_path).find(YEAR)
    assert len(httpserver.log) == 1


def test_an_error_on_a_later_page_is_an_error_of_the_whole(httpserver: HTTPServer, tmp_path: Path) -> None:
    cmr = Cmr(httpserver, [umm_granule(name) for name in NAMES])
    page_one = cmr.search

    def then_fail(request: Asked) -> Response:
        return Response('{"errors": ["cursor"]}', 400) if cmr.asked else page_one(request)

    cmr.search = then_fail  # type: ignore[method-assign]
    with pytest.raises(SearchFailed, match=r"HTTP 400: \['cursor'\]"):
        source(httpserver, tmp_path).find(YEAR)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, '{"errors": ["Parameter [polygon] is bad"]}', r"HTTP 400.*polygon"),
        (401, "<html>login</html>", r"https://localhost.*refused, HTTP status 401.*for localhost.*\.netrc"),
        (403, '{"errors": ["no"]}', "was refused, HTTP status 403"),
        (503, '{"errors": ["busy"]}', "503"),
        (429, "slow down", "429"),
        (200, "<html>a portal</html>", "localhost"),
        (200, '{"hits": 1}', "localhost.*items"),
        (200, '{"hits": 1, "items": [{"meta": {}, "umm": {}}]}', "localhost"),
    ],
)
def test_every_failure_is_an_error_and_asks_nobody_else(
    httpserver: HTTPServer, tmp_path: Path, status: int, body: str, says: str
) -> None:
    httpserver.expect_request(PATH).respond_with_data(body, status)
    reporting = asf_search.REPORT_ERRORS
    with pytest.raises(SearchFailed, match=says):
        source(httpserver, tmp_path).find(YEAR)
    assert len(httpserver.log) == {401: 2, 403: 2, 429: 5, 503: 5}.get(status, 1)
    assert asf_search.REPORT_ERRORS is reporting


def test_a_busy_archive_is_asked_again(httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_oneshot_request(PATH).respond_with_data("busy", 503)
    httpserver.expect_oneshot_request(PATH).respond_with_data("slower", 429, {"Retry-After": "0"})
    Cmr(httpserver, [umm_granule(NAMES[0])])
    assert len(source(httpserver, tmp_path).find(YEAR).items) == 1


def test_a_host_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SearchFailed, match=r"127\.0\.0\.1:9 failed"):
        AsfSource(BurstGrids(tmp_path), "127.0.0.1:9", wait_s=0).find(YEAR)


def test_an_unknown_grid_without_a_login_is_not_nothing_found(httpserver: HTTPServer, tmp_path: Path) -> None:
    Cmr(httpserver, [umm_granule(granule("20240310T121354Z", burst="T012-023790-IW1"))])
    with pytest.raises(CredentialsMissing, match=r"datapool.*T012-023790-IW1.*EARTHDATA_TOKEN"):
        source(httpserver, tmp_path).find(YEAR)


def test_recorded_products_come_out_complete_and_static_ones_are_refused(
    shared_data: Path, httpserver: HTTPServer, tmp_path: Path
) -> None:
    recorded: list[Mapping[str, Any]] = [
        json.loads((shared_data / "reference" / f"asf_search_{kind}.recorded.json").read_text())
        for kind in ("RTC", "RTC-STATIC")
    ]
    Cmr(httpserver, [{"meta": one["meta"], "umm": one["umm"]} for one in recorded])
    seed_grids(tmp_path, ["T131-279916-IW1"])
    opened = source(httpserver, tmp_path / "other").session
    alaska = AsfSource(BurstGrids(tmp_path), f"{httpserver.host}:{httpserver.port}", opened)
    request = Request(
        box(-148, 64.9, -147.9, 65), datetime(2023, 12, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
    )
    found = alaska.find(request)
    assert [item.id for item in found.items] == [recorded[0]["properties"]["sceneName"]]
    assert found.items[0].properties["sat:relative_orbit"] == recorded[0]["properties"]["pathNumber"]
    assert (
        found.items[0].properties["sat:orbit_state"] == recorded[0]["properties"]["flightDirection"].lower()
    )
    sizes = {name: entry["bytes"] for name, entry in recorded[0]["properties"]["bytes"].items()}
    for asset in found.items[0].assets.values():
        assert asset.extra_fields["file:size"] == sizes[asset.href.rsplit("/", 1)[-1]]
    assert "STATIC" not in str(found.items)
