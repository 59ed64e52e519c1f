"""Searches of a served archive: by pystac-client, by asf_search, by our own sources."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asf_search
import pytest
import rasterio
import requests
from pystac_client import Client
from shapely.geometry import box

from glaciolake.catalog.folder import FolderSource
from glaciolake.catalog.granule import Granule
from glaciolake.catalog.items import granule_of
from glaciolake.catalog.request import Request
from glaciolake.catalog.simulate.serve.cmr import PATH
from glaciolake.catalog.simulate.serve.hosts import SEARCH_HOST
from glaciolake.catalog.simulate.serve.load import load_folder
from glaciolake.catalog.simulate.serve.options import Options
from glaciolake.catalog.simulate.serve.server import Served, served
from glaciolake.catalog.sources import open_source
from tests.catalog.serving import EVERYTHING, FIRST, PASSES, STATIC, session, write_folder

SEARCH = f"https://{SEARCH_HOST}{PATH}"
BURST = "T121-258662-IW2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("archive"), catalogued=True)


@pytest.fixture
def archive(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(asf_search, "REPORT_ERRORS", False)
    with served(folder) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GLACIOLAKE_CACHE", str(tmp_path / "cache"))
        yield running


def by_name(granules: list[Granule]) -> dict[str, Granule]:
    """Granules without their addresses, which differ."""
    return {one.name: replace(one, hrefs=tuple((band, "") for band in one.bands)) for one in granules}


@pytest.mark.parametrize("source", ["stac", "mirror", "asf", "cmr-stac"])
def test_every_source_finds_what_lies_in_the_folder(archive: Served, folder: Path, source: str) -> None:
    address = {"stac": archive.stac_url, "mirror": archive.mirror_url}.get(source, source)
    found = open_source(address).find(EVERYTHING)
    there = FolderSource(folder).find(EVERYTHING)
    assert by_name([granule_of(one) for one in found.items]) == by_name(
        [granule_of(one) for one in there.items]
    )
    assert len(found.items) == 2 * PASSES and archive.refused == [] and archive.leaked == []


def test_a_folder_without_a_catalogue_is_opened_by_its_headers(tmp_path: Path, folder: Path) -> None:
    plain, catalogued = load_folder(write_folder(tmp_path / "plain")), load_folder(folder)
    assert [one.name for one in plain.products] == [one.name for one in catalogued.products]
    for one, other in zip(plain.products, catalogued.products, strict=True):
        assert list(one.files) == list(other.files) and one.outline.equals(other.outline)
        assert (one.item is None) == (other.item is None)


def test_a_search_asks_for_the_landing_page_and_the_pages_and_nothing_more(archive: Served) -> None:
    open_source(archive.stac_url).find(EVERYTHING)
    assert archive.requests["stac"] == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_are_linked_counted_and_hold_every_item_once(archive: Served, method: str) -> None:
    search = Client.open(archive.stac_url).search(method=method, limit=3)
    pages = list(search.pages_as_dicts())
    ids = [item["id"] for page in pages for item in page["features"]]
    assert len(ids) == len(set(ids)) == 2 * PASSES and len(pages) == 4
    assert {page["numberMatched"] for page in pages} == {2 * PASSES}
    times = [item["properties"]["datetime"] for page in pages for item in page["features"]]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_place_time_and_collection_narrow_a_search(archive: Served, method: str) -> None:
    client = Client.open(archive.stac_url)

    def count(**asked: Any) -> int:
        return sum(1 for _ in client.search(method=method, **asked).items_as_dicts())

    there, elsewhere = [86.5, 27.9, 87.0, 28.1], [10.0, 27.9, 11.0, 28.1]
    assert count(bbox=there) == 2 * PASSES and count(bbox=elsewhere) == 0
    assert count(datetime="2024-06-01T00:00:00Z/2024-06-21T00:00:00Z") == 4
    assert count(datetime="2024-06-04T00:11:30Z") == 1  # the first sensing start itself
    assert count(collections=["opera"]) == 2 * PASSES and count(collections=["nothing"]) == 0
    assert count(intersects=box(86.5, 27.9, 87.0, 28.1).__geo_interface__) == 2 * PASSES


def test_collections_and_items_are_there_by_name(archive: Served) -> None:
    client = Client.open(archive.stac_url)
    collection = client.get_collection("opera")
    assert collection is not None
    items = list(collection.get_items())
    assert len(items) == 2 * PASSES
    again = collection.get_item(items[0].id)
    assert again is not None and again.assets["vv"].href == items[0].assets["vv"].href
    assert again.get_self_href() == f"{archive.stac_url}collections/opera/items/{again.id}"
    said = requests.get(f"{archive.stac_url}collections/nothing", timeout=10)
    assert said.status_code == 404 and "nothing" in said.text


def test_a_granule_reads_as_the_recorded_one_does(archive: Served, shared_data: Path) -> None:
    recorded = json.loads((shared_data / "reference" / "asf_search_RTC.recorded.json").read_text())
    (product, *_) = asf_search.search(dataset="OPERA-S1", processingLevel="RTC")
    kinds = {key: type(value) for key, value in recorded["properties"].items() if key != "browse"}
    assert {key: type(product.properties[key]) for key in kinds} == kinds
    assert product.properties["polarization"] == ["VV", "VH"]
    assert set(product.umm) == set(recorded["umm"]) - {"InputGranules"}
    named = [{one["Name"] for one in umm["AdditionalAttributes"]} for umm in (product.umm, recorded["umm"])]
    assert named[0] == named[1]


def test_static_layers_have_no_start_and_hide_from_dates(archive: Served, shared_data: Path) -> None:
    (product,) = asf_search.search(dataset="OPERA-S1", processingLevel="RTC-STATIC")
    recorded = json.loads((shared_data / "reference" / "asf_search_RTC-STATIC.recorded.json").read_text())
    assert product.properties["sceneName"] == STATIC and product.properties["startTime"] is None
    assert product.properties["validityStartDate"] == recorded["properties"]["validityStartDate"]
    assert set(product.properties) >= set(recorded["properties"])
    assert not asf_search.search(dataset="OPERA-S1", processingLevel="RTC-STATIC", start="2024-01-01")


def test_an_image_names_the_angle_of_its_static_layers(archive: Served) -> None:
    found = asf_search.search(dataset="OPERA-S1", processingLevel="RTC")
    held = {
        one.properties["operaBurstID"]
        for one in found
        if any(url.endswith("_local_incidence_angle.tif") for url in one.properties["additionalUrls"])
    }
    assert held == {"T121_258662_IW2"}


@pytest.mark.parametrize(
    ("asked", "n"),
    [
        ({"operaBurstID": "T121_258662_IW2"}, PASSES),
        ({"operaBurstID": "T121_258662_IW1"}, 0),
        ({"relativeOrbit": 12}, PASSES),
        ({"relativeOrbit": (12, 121)}, 2 * PASSES),
        ({"flightDirection": "ASCENDING"}, PASSES),
        ({"polarization": "VV"}, 2 * PASSES),
        ({"polarization": "HH"}, 0),
        ({"start": "2024-06-01", "end": "2024-06-21"}, 4),
        ({"intersectsWith": box(86.5, 27.9, 87.0, 28.1).wkt}, 2 * PASSES),
        ({"intersectsWith": "POLYGON((86.5 27.9,87.0 27.9,86.8 28.2,86.5 27.9))"}, 2 * PASSES),
        ({"intersectsWith": box(10, 27.9, 11, 28.1).wkt}, 0),
        ({"intersectsWith": "POINT(86.605 28.02)"}, 2 * PASSES),
    ],
    ids=str,
)
def test_asf_search_narrows_by(archive: Served, asked: dict[str, Any], n: int) -> None:
    found = asf_search.search(dataset="OPERA-S1", processingLevel="RTC", **asked)
    assert len(found) == n and found.searchComplete


def test_the_repository_pages_by_its_header(archive: Served) -> None:
    seen: list[str] = []
    headers: dict[str, str] = {}
    while True:
        asked = {"short_name": "OPERA_L2_RTC-S1_V1", "page_size": "4"}
        said = session(archive).get(SEARCH, params=asked, headers=headers, timeout=10)
        assert said.headers["CMR-Hits"] == str(2 * PASSES)
        seen += [one["umm"]["GranuleUR"] for one in said.json()["items"]]
        if "CMR-Search-After" not in said.headers:
            break
        headers = {"CMR-Search-After": said.headers["CMR-Search-After"]}
    assert len(seen) == len(set(seen)) == 2 * PASSES


@pytest.mark.parametrize(
    "asked",
    [
        {"cloud_cover": "0,10"},
        {"attribute[]": "string,FLIGHT_LINE,1"},
        {"bounding_box": "1,2,3"},
        {"page_size": "5000"},
        {"temporal": "yesterday"},
    ],
    ids=str,
)
def test_what_the_repository_does_not_understand_is_an_error(archive: Served, asked: dict[str, str]) -> None:
    said = session(archive).post(SEARCH, data=asked, timeout=10)
    assert said.status_code == 400 and said.json()["errors"]


def test_a_late_granule_is_not_there_before_it_is_made(folder: Path, tmp_path: Path) -> None:
    first = FIRST[BURST]
    noon = datetime(first.year, first.month, first.day, 12, tzinfo=UTC)  # all of a day are made at noon
    with served(folder, Options(now=noon - timedelta(seconds=1))) as archive:
        ask = {"short_name": "OPERA_L2_RTC-S1_V1"}
        client = session(archive, token=archive.options.token)
        assert client.get(SEARCH, params=ask, timeout=10).json()["hits"] == 0
        archive.now = noon
        (item,) = client.get(SEARCH, params=ask, timeout=10).json()["items"]
        url = item["umm"]["RelatedUrls"][0]["URL"]
        assert client.get(url, timeout=10).status_code == 200
        archive.now = noon - timedelta(seconds=1)
        assert client.get(url, timeout=10).status_code == 404
        assert requests.get(f"{archive.stac_url}search", timeout=10).json()["numberMatched"] == 0


@pytest.mark.parametrize("source", ["stac", "mirror", "asf", "cmr-stac"])
def test_what_is_simulated_says_so_by_every_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    folder = write_folder(tmp_path / "archive")
    for path in folder.rglob("*_VV.tif"):
        with rasterio.open(path, "r+") as file:
            file.update_tags(INSTITUTION="ours (simulated)")
    with served(folder) as archive:
        for name, value in archive.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GLACIOLAKE_CACHE", str(tmp_path / "cache"))
        address = {"stac": archive.stac_url, "mirror": archive.mirror_url}.get(source, source)
        found = open_source(address).find(EVERYTHING)
    assert len(found.items) == 2 * PASSES and all(granule_of(one).simulated for one in found.items)


def test_a_request_of_one_track_finds_that_track(archive: Served) -> None:
    request = Request(None, EVERYTHING.start, EVERYTHING.end, tracks=(12,))
    for source in (archive.stac_url, "asf"):
        found = open_source(source).find(request)
        assert {granule_of(one).relative_orbit for one in found.items} == {12}
