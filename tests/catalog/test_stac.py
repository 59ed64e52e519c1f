from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pystac
import pytest
from pystac_client.stac_api_io import StacApiIO
from pytest_httpserver import HTTPServer
from shapely.geometry import box
from werkzeug import Request as Asked
from werkzeug import Response

from glaciolake.catalog.burst_grids import BurstGrids
from glaciolake.catalog.errors import CatalogError, CredentialsMissing, SearchFailed
from glaciolake.catalog.folder import FolderSource
from glaciolake.catalog.items import BandFile, granule_of, make_item
from glaciolake.catalog.names import parse_name
from glaciolake.catalog.request import Request
from glaciolake.catalog.stac import StacSource
from glaciolake.catalog.static_catalog import build
from tests.catalog.replies import BURST, FOOTPRINT, GRID, granule, seed_grids, stac_item
from tests.pipeline.scenes import power, write_granule

YEAR = Request(
    box(86.46, 27.85, 86.49, 27.87), datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
)
NAMES = [granule(f"2024{month:02d}10T001134Z") for month in (3, 4, 5)]


class Api:
    """A STAC API on this machine that serves what it is given, some items a page."""

    def __init__(
        self,
        server: HTTPServer,
        items: list[dict[str, Any]],
        page: int = 2,
        methods: tuple[str, ...] = ("GET", "POST"),
    ) -> None:
        self.server, self.items, self.page = server, items, page
        self.asked: list[dict[str, Any]] = []
        self.extra: dict[str, Any] = {"numberMatched": len(items)}
        conforms = ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"]
        search = [
            {"rel": "search", "href": server.url_for("/stac/search"), "method": method} for method in methods
        ]
        landing = {
            "type": "Catalog", "id": "test", "stac_version": "1.0.0", "description": "-",
            "conformsTo": conforms, "links": [{"rel": "root", "href": server.url_for("/stac")}, *search],
        }  # fmt: skip
        server.expect_request("/stac").respond_with_json(landing)
        server.expect_request("/stac/search").respond_with_handler(lambda request: self.search(request))

    def search(self, request: Asked) -> Response:
        body = request.get_json() if request.method == "POST" else dict(request.args)
        self.asked.append(body)
        start = int(body.get("token", 0))
        page: dict[str, Any] = {
            "type": "FeatureCollection",
            "features": self.items[start : start + self.page],
        }
        page |= self.extra
        if start + self.page < len(self.items):
            turn = {"token": str(start + self.page)}
            href = self.server.url_for("/stac/search")
            page["links"] = [{"rel": "next", "method": "POST", "href": href, "body": body | turn}]
        return Response(json.dumps(page), mimetype="application/geo+json")


def source(server: HTTPServer, folder: Path) -> StacSource:
    return StacSource(server.url_for("/stac"), grids=BurstGrids(seed_grids(folder)), wait_s=0)


def test_bare_items_come_out_complete_over_several_pages(httpserver: HTTPServer, tmp_path: Path) -> None:
    api = Api(httpserver, [stac_item(name) for name in reversed(NAMES)])
    found = source(httpserver, tmp_path).find(YEAR)
    assert [item.id for item in found.items] == NAMES and not found.refused
    first = granule_of(found.items[0])
    assert (first.crs, first.transform, first.shape) == (GRID.crs, GRID.transform, GRID.shape)
    assert (first.burst, first.relative_orbit, first.orbit_state) == (BURST, 121, "descending")
    assert first.bands == ("mask", "vh", "vv")
    assert (
        first.href("vv") == f"https://datapool.asf.alaska.edu/RTC/OPERA-S1/{NAMES[0]}_VV.tif"
    )  # not the s3 one
    assert len(api.asked) == 2
    assert api.asked[0]["bbox"] == [86.46, 27.85, 86.49, 27.87]
    assert api.asked[0]["datetime"] == "2024-01-01T00:00:00Z/2025-01-01T00:00:00Z"


def test_an_api_that_takes_get_alone_is_asked_so(httpserver: HTTPServer, tmp_path: Path) -> None:
    api = Api(httpserver, [stac_item(NAMES[0])], methods=("GET",))
    assert [item.id for item in source(httpserver, tmp_path).find(YEAR).items] == NAMES[:1]
    assert api.asked[0]["bbox"] == "86.46,27.85,86.49,27.87"


def test_an_api_that_cannot_search_is_refused(httpserver: HTTPServer, tmp_path: Path) -> None:
    Api(httpserver, [])
    landing = {"type": "Catalog", "id": "x", "stac_version": "1.0.0", "description": "-", "conformsTo": []}
    links = [{"rel": "search", "href": httpserver.url_for("/stac/search")}]
    httpserver.expect_oneshot_request("/stac").respond_with_json(landing | {"links": links})
    with pytest.raises(CatalogError, match="cannot be searched"):
        source(httpserver, tmp_path).find(YEAR)


def test_what_the_server_sends_unasked_is_left_out(httpserver: HTTPServer, tmp_path: Path) -> None:
    wrong = [
        stac_item(granule("20231231T235959Z")),
        stac_item(granule("20250101T000000Z")),  # the end itself
        stac_item(granule("20240401T001134Z"), box(80, 27, 81, 28)),
        stac_item(granule("20240401T121354Z", burst="T012-023790-IW1")),
    ]
    Api(httpserver, [*wrong, stac_item(NAMES[0])], page=9)
    request = Request(
        YEAR.aoi, YEAR.start, YEAR.end, bursts=(BURST,), tracks=(121,), orbit_state="descending"
    )
    found = source(httpserver, tmp_path).find(request)
    assert [item.id for item in found.items] == [NAMES[0]]
    other_way = Request(YEAR.aoi, YEAR.start, YEAR.end, bursts=(BURST,), orbit_state="ascending")
    assert source(httpserver, tmp_path).find(other_way).items == ()


def test_a_reprocessed_granule_wins_and_the_loser_stays_known(httpserver: HTTPServer, tmp_path: Path) -> None:
    old, new = (granule("20240310T001134Z", created) for created in ("20240310T100000Z", "20250601T000000Z"))
    Api(httpserver, [stac_item(new), stac_item(old)])
    found = source(httpserver, tmp_path).find(YEAR)
    assert [item.id for item in found.items] == [new]
    assert [item.id for item in found.superseded] == [old]


def test_an_answer_of_nothing_is_empty_and_one_cut_off_is_an_error(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    api = Api(httpserver, [])
    assert source(httpserver, tmp_path).find(YEAR).items == ()
    api.extra = {"numberMatched": 3}
    with pytest.raises(SearchFailed, match=r"incomplete: 3 items match and 0 came"):
        source(httpserver, tmp_path).find(YEAR)
    api.items, api.extra = [stac_item(NAMES[0])], {"context": {"matched": 2}}
    with pytest.raises(SearchFailed, match=r"/stac/search is incomplete: 2 items match and 1 came"):
        source(httpserver, tmp_path).find(YEAR)


def test_one_item_on_two_pages_counts_once(httpserver: HTTPServer, tmp_path: Path) -> None:
    Api(httpserver, [stac_item(name) for name in (NAMES[0], NAMES[1], NAMES[1])])
    with pytest.raises(SearchFailed, match="3 items match and 2 came"):
        source(httpserver, tmp_path).find(YEAR)


def test_an_empty_page_in_between_does_not_end_the_answer(httpserver: HTTPServer, tmp_path: Path) -> None:
    api = Api(httpserver, [stac_item(NAMES[0])])
    href = httpserver.url_for("/stac/search2")
    api.extra = {"links": [{"rel": "next", "method": "GET", "href": href}]}
    pages = iter([
        {"features": [], "links": [{"rel": "next", "method": "GET", "href": f"{href}?page=2"}]},
        {"features": [stac_item(NAMES[1])], "links": []},
    ])  # fmt: skip
    httpserver.expect_request("/stac/search2").respond_with_handler(
        lambda _: Response(json.dumps(next(pages)), mimetype="application/geo+json")
    )
    assert [item.id for item in source(httpserver, tmp_path).find(YEAR).items] == NAMES[:2]


def test_pages_in_a_circle_are_an_error(httpserver: HTTPServer, tmp_path: Path) -> None:
    api = Api(httpserver, [stac_item(NAMES[0])])
    api.extra = {
        "links": [{"rel": "next", "method": "POST", "href": httpserver.url_for("/stac/search"), "body": {}}]
    }
    with pytest.raises(SearchFailed, match="circle"):
        source(httpserver, tmp_path).find(YEAR)


def test_a_busy_server_is_asked_again_and_a_broken_one_named_with_its_status(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    Api(httpserver, [stac_item(NAMES[0])])
    httpserver.expect_oneshot_request("/stac/search").respond_with_data("busy", 503, {"Retry-After": "0"})
    httpserver.expect_oneshot_request("/stac/search").respond_with_data("slower", 429)
    assert len(source(httpserver, tmp_path).find(YEAR).items) == 1
    httpserver.clear()
    httpserver.expect_request("/stac").respond_with_data("<html>gone wrong</html>" * 99, 502)
    with pytest.raises(SearchFailed, match=r"/stac failed, HTTP status 502: <html>gone") as caught:
        source(httpserver, tmp_path).find(YEAR)
    assert len(httpserver.log) == 5 and len(str(caught.value)) < 500


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_is_told_as_one_and_shown_once_more(
    httpserver: HTTPServer, tmp_path: Path, status: int
) -> None:
    httpserver.expect_request("/stac").respond_with_data("who are you?", status)
    with pytest.raises(SearchFailed, match=rf"/stac was refused, HTTP status {status}.*\.netrc") as caught:
        source(httpserver, tmp_path).find(YEAR)
    assert len(httpserver.log) == 2 and "later" not in str(caught.value)


def test_an_error_on_a_later_page_is_an_error_of_the_whole(httpserver: HTTPServer, tmp_path: Path) -> None:
    api = Api(httpserver, [stac_item(name) for name in NAMES])
    page_one = api.search

    def then_fail(request: Asked) -> Response:
        return Response("no such cursor", 400) if api.asked else page_one(request)

    api.search = then_fail  # type: ignore[method-assign]
    with pytest.raises(SearchFailed, match=r"HTTP status 400: no such cursor"):
        source(httpserver, tmp_path).find(YEAR)


@pytest.mark.parametrize(
    "reply",
    [b"<html>a portal's login page</html>", b'{"message": "ok"}', b"[]", b'{"type": "FeatureCollection"}'],
)
def test_an_answer_that_is_no_search_result_is_an_error(
    httpserver: HTTPServer, tmp_path: Path, reply: bytes
) -> None:
    Api(httpserver, [])
    httpserver.expect_oneshot_request("/stac/search").respond_with_data(reply)
    with pytest.raises(SearchFailed, match="/stac"):
        source(httpserver, tmp_path).find(YEAR)


def test_a_host_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    nobody = StacSource("http://127.0.0.1:9/stac", grids=BurstGrids(tmp_path), wait_s=0)
    with pytest.raises(SearchFailed, match=r"127\.0\.0\.1:9/stac failed, no answer"):
        nobody.find(YEAR)


@pytest.mark.parametrize("where", ["https://me:hunter2@127.0.0.1:9/c.json?token=hunter2", "http://127.0.0.1"])
def test_a_search_that_fails_tells_neither_login_nor_signature(
    httpserver: HTTPServer, tmp_path: Path, where: str
) -> None:
    if not where.startswith("https"):  # a server that answers, with a text about its own address
        httpserver.expect_request("/c.json").respond_with_data(
            "x" * 250 + f"{where}/?sig=hunter2", status=404
        )
        where = httpserver.url_for("/c.json?token=hunter2").replace("//", "//me:hunter2@")
    with pytest.raises(SearchFailed, match=r"search of https?://[\d.a-z]+:\d+/c.json failed") as caught:
        StacSource(where, grids=BurstGrids(tmp_path / "grids.json"), wait_s=0).find(YEAR)
    assert "hunter2" not in str(caught.value)


def test_foreign_items_are_refused_each_with_its_reason(httpserver: HTTPServer, tmp_path: Path) -> None:
    static = "OPERA_L2_RTC-S1-STATIC_T121-258662-IW2_20140403_S1A_30_v1.0"
    grd = stac_item(NAMES[0]) | {"id": "S1A_IW_GRDH_1SDV_20240310T001134_rtc", "assets": {}}
    hyp3 = stac_item(NAMES[0]) | {"id": "S1A_IW_20240310T001134_DVP_RTC20_G_gpuned_1A2B", "assets": {}}
    bare = stac_item(NAMES[1])
    bare["assets"] = {key: bare["assets"][key] for key in ("0", "0_mask", "browse")}
    layers = stac_item(NAMES[0]) | {"id": static, "assets": {}}
    Api(httpserver, [grd, hyp3, layers, bare, stac_item(NAMES[2])], page=9)
    found = source(httpserver, tmp_path).find(YEAR)
    assert [item.id for item in found.items] == [NAMES[2]]
    reasons = {one.name: one.reason for one in found.refused}
    assert "neither its id" in reasons[grd["id"]] and "proj:code" in reasons[hyp3["id"]]
    assert "no VV, VH" in reasons[NAMES[1]]
    assert "static layers" in reasons[static]


def test_items_with_other_ids_or_their_own_grid_need_no_cache(httpserver: HTTPServer, tmp_path: Path) -> None:
    crop = stac_item(NAMES[0]) | {"id": "crop-1"}
    crop["properties"] |= {"proj:epsg": 32645}  # as before version 2 of the extension
    crop["assets"]["0_VV"] |= {"proj:shape": [10, 20], "proj:transform": [*GRID.transform, 0, 0, 1]}
    crop["assets"]["0_VV"] |= {"file:checksum": "d51000", "file:size": 17}
    Api(httpserver, [crop])
    empty = StacSource(httpserver.url_for("/stac"), grids=BurstGrids(tmp_path))
    (item,) = empty.find(YEAR).items
    assert item.id == NAMES[0] and granule_of(item).shape == (10, 20)
    assert item.assets["vv"].extra_fields["file:checksum"] == "d51000"


def test_an_unknown_grid_without_a_login_is_not_nothing_found(httpserver: HTTPServer, tmp_path: Path) -> None:
    Api(httpserver, [stac_item(NAMES[0])])
    with pytest.raises(CredentialsMissing, match=r"datapool.*EARTHDATA_TOKEN"):
        StacSource(httpserver.url_for("/stac"), grids=BurstGrids(tmp_path)).find(YEAR)


def static_catalog(folder: Path) -> Path:
    """A catalogue of our own complete items, with relative addresses, in a collection."""
    files = {"vv": BandFile(str(folder / "x_VV.tif")), "mask": BandFile(str(folder / "x_mask.tif"))}
    extent = pystac.Extent(
        pystac.SpatialExtent([-180, -90, 180, 90]), pystac.TemporalExtent([[YEAR.start, None]])
    )
    collection = pystac.Collection("rtc", "test", extent)
    for name in NAMES:
        collection.add_item(make_item(parse_name(name), GRID, files, footprint=FOOTPRINT))  # type: ignore[arg-type]
    catalog = pystac.Catalog("root", "test")
    catalog.add_child(collection)
    catalog.normalize_hrefs(str(folder))
    catalog.make_all_asset_hrefs_relative()
    catalog.save(pystac.CatalogType.SELF_CONTAINED)
    return folder / "catalog.json"


@pytest.mark.parametrize("entrance", ["catalog.json", "rtc/collection.json"])
def test_a_static_catalogue_on_disk_is_walked(
    tmp_path: Path, entrance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    static_catalog(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = StacSource(entrance, grids=BurstGrids(tmp_path / "empty")).find(YEAR)
    assert [item.id for item in found.items] == NAMES and not found.refused
    assert granule_of(found.items[0]).href("vv") == str(tmp_path / "x_VV.tif")
    assert granule_of(found.items[0]).shape == GRID.shape


def test_a_static_catalogue_is_walked_over_http_and_by_collection(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    static_catalog(tmp_path)
    for path in tmp_path.rglob("*.json"):
        where = f"/archive/{path.relative_to(tmp_path).as_posix()}"
        httpserver.expect_request(where).respond_with_data(path.read_text(), content_type="application/json")
    url = httpserver.url_for("/archive/catalog.json")
    (first, *_) = StacSource(url, ("rtc",), BurstGrids(tmp_path)).find(YEAR).items
    assert granule_of(first).href("vv") == httpserver.url_for("/archive/x_VV.tif")
    assert StacSource(url, ("other",), BurstGrids(tmp_path)).find(YEAR).items == ()


def test_an_entry_whose_file_is_gone_breaks_the_search(tmp_path: Path) -> None:
    path = static_catalog(tmp_path)
    next(tmp_path.rglob(f"{NAMES[1]}.json")).unlink()
    with pytest.raises(SearchFailed, match=rf"{NAMES[1]}\.json"):
        StacSource(str(path), grids=BurstGrids(tmp_path)).find(YEAR)


@pytest.mark.parametrize(
    "content",
    ['{"type": "FeatureCollection", "features": []}', "[]", "{", '{"type": "Feature", "id": "x"}', "{}"],
)
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "catalog.json"
    path.write_text(content)
    with pytest.raises(CatalogError, match=r"catalog\.json"):
        StacSource(str(path), grids=BurstGrids(tmp_path)).find(YEAR)


def test_a_catalogue_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SearchFailed, match=r"absent\.json"):
        StacSource(str(tmp_path / "absent.json"), grids=BurstGrids(tmp_path)).find(YEAR)


@pytest.mark.parametrize("cut", [lambda features: features, lambda features: features[:1]])
def test_recorded_replies_come_out_complete(
    shared_data: Path,
    httpserver: HTTPServer,
    tmp_path: Path,
    cut: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
) -> None:
    recorded = json.loads((shared_data / "api" / "cmr_stac_asf_opera_rtc_s1_v1_1_search.json").read_text())
    features = cut(recorded["features"])
    asked = json.loads((shared_data / "reference" / "cmr_stac_request.json").read_text())["body"]
    bursts = {feature["id"].split("_")[3] for feature in features}
    Api(httpserver, features)
    grids = BurstGrids(seed_grids(tmp_path, bursts))
    july = Request(box(*asked["bbox"]), datetime(2024, 7, 1, tzinfo=UTC), datetime(2024, 8, 1, tzinfo=UTC))
    found = StacSource(httpserver.url_for("/stac"), grids=grids).find(july)
    assert {item.id for item in found.items} == {feature["id"] for feature in features}
    assert not found.refused and not found.superseded
    assert all(granule_of(item).bands == ("mask", "vh", "vv") for item in found.items)


def test_a_static_catalogue_opens_only_what_can_be_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    east = datetime(2024, 6, 4, 0, 11, 30, tzinfo=UTC)
    for days in (0, 12, 24, 240):
        write_granule(folder, east + timedelta(days=days), {"vv": power((20, 20), days)})
    build(FolderSource(folder), folder / "catalog")
    opened: list[str] = []
    read = StacApiIO.read_text

    def noted(self: StacApiIO, source: Any, *args: Any, **kwargs: Any) -> str:
        opened.append(str(source))
        return read(self, source, *args, **kwargs)

    monkeypatch.setattr(StacApiIO, "read_text", noted)
    source = StacSource(str(folder / "catalog" / "catalog.json"))

    def n_items_read(request: Request) -> tuple[int, int]:
        opened.clear()
        found = source.find(request)
        return len(found.items), sum("_v1.0.json" in one for one in opened)

    month = Request(None, east, east + timedelta(days=30))
    assert n_items_read(month) == (3, 3)  # the fourth is of another year, by its name
    assert n_items_read(replace(month, tracks=(12,))) == (0, 0)
    assert n_items_read(replace(month, aoi=box(10, 10, 11, 11))) == (0, 0)  # known by now to lie elsewhere
    assert n_items_read(month) == (3, 3)
