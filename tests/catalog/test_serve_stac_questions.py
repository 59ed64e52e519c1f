"""Questions to a served STAC API that make no sense: refused in words, and never an error of the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from glaciolake.catalog.simulate.serve.server import Served, served
from tests.catalog.serving import PASSES, write_folder

UNCLOSED = {"type": "Polygon", "coordinates": [[[86, 27], [87, 27], [87, 28], [86, 28]]]}
BOWTIE = {"type": "Polygon", "coordinates": [[[86, 27], [87, 28], [87, 27], [86, 28], [86, 27]]]}
POINT = {"type": "Point", "coordinates": [86.605, 28.02]}
BOX = [86.5, 27.9, 87.0, 28.1]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(write_folder(tmp_path_factory.mktemp("archive"))) as running:
        yield running


@pytest.fixture(scope="module")
def client() -> requests.Session:
    """One session for many questions."""
    return requests.Session()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"intersects": UNCLOSED}, "the same start and end"),
    ({"intersects": {"type": "Blob", "coordinates": [86, 27]}}, "should be"),
    ({"intersects": {"type": "Point"}}, "required"),
    ({"intersects": {"type": "Point", "coordinates": ["a", 1]}}, "number"),
    ({"intersects": {"type": "Point", "coordinates": [500, 1]}}, "not in degrees"),
    ({"intersects": BOWTIE}, "Self-intersection"),
    ({"intersects": POINT, "bbox": BOX}, "mutually exclusive"),
    ({"bbox": [1, 2, 3]}, "bbox"),
    ({"bbox": [1, 4, 3, 2]}, "bbox"),
    ({"bbox": [1, 2, 3, 94]}, "bbox"),
    ({"bbox": [1, 2, 3, 4, 5]}, "bbox"),
    ({"datetime": "yesterday"}, "datetime"),
    ({"datetime": "2024-06-01T00:00:00Z/2024-05-01T00:00:00Z"}, "datetime"),
    ({"datetime": "2024-06-01T00:00:00Z/x/y"}, ""),
    ({"datetime": "0001-01-01T00:00:00+23:00"}, "out of range"),
    ({"token": "x"}, "is none of ours"),
    ({"token": "nan_x"}, "is none of ours"),
    ({"token": "5"}, "is none of ours"),
    ({"limit": 0}, "limit"),
    ({"limit": "many"}, "limit"),
    ({"query": {"eo:cloud_cover": {"lt": 10}}}, "does not search"),
    ({"filter": "a=1"}, "does not search"),
    ({"colections": ["opera"]}, "colections"),
]


def ask(client: requests.Session, archive: Served, method: str, told: dict[str, Any]) -> requests.Response:
    url = f"{archive.stac_url}search"
    if method == "POST":
        return client.post(
            url, data=json.dumps(told), headers={"Content-Type": "application/json"}, timeout=10
        )
    written = {key: _written(key, value) for key, value in told.items()}
    return client.get(url, params=written, timeout=10)


def _written(key: str, value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    return json.dumps(value) if isinstance(value, dict) else str(value)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("told", "said"), WRONG, ids=lambda one: str(one)[:60])
def test_what_makes_no_sense_is_refused_in_words(
    archive: Served, client: requests.Session, method: str, told: dict[str, Any], said: str
) -> None:
    answer = ask(client, archive, method, told)
    assert answer.status_code == 400 and said.lower() in answer.text.lower() and archive.crashes == 0


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("intersects=POINT(1 2)", "no GeoJSON geometry"),
        ("intersects={", "no GeoJSON geometry"),
        ("bbox=a,b,c,d", "invalid bbox"),
        ("bbox=1,2,nan,4", "bbox"),
        ("bbox=1,2,3,4&bbox=5,6,7,8", "twice"),
        ("sortby=datetime", "sortby"),
    ],
)
def test_a_query_that_is_no_query_is_refused(
    archive: Served, client: requests.Session, told: str, said: str
) -> None:
    for path in ("search", "collections/opera/items"):
        if path == "search" or "intersects" not in told:
            answer = client.get(f"{archive.stac_url}{path}?{told}", timeout=10)
            assert answer.status_code == 400 and said in answer.text


def test_a_query_beside_a_body_is_refused(archive: Served, client: requests.Session) -> None:
    said = client.post(f"{archive.stac_url}search?bbox=1,2,3,4", json={}, timeout=10)
    assert said.status_code == 400 and "bbox" in said.text
    for body in ("[]", "5", "{", "null", "[" * 5000, '{"bbox": [NaN, 1, 2, 3]}', '{"limit": Infinity}'):
        said = client.post(
            f"{archive.stac_url}search", data=body, headers={"Content-Type": "application/json"}, timeout=10
        )
        assert said.status_code == 400, body


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_box_may_cross_the_date_line_and_have_heights(
    archive: Served, client: requests.Session, method: str
) -> None:
    def count(box: list[float]) -> int:
        return int(ask(client, archive, method, {"bbox": box}).json()["numberMatched"])

    assert count([80, 20, -170, 30]) == 2 * PASSES and count([170, 20, -170, 30]) == 0
    assert count([86.5, 27.9, -100, 87.0, 28.1, 9000]) == 2 * PASSES


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(archive: Served, client: requests.Session, method: str) -> None:
    assert client.request(method, f"{archive.stac_url}search", timeout=10).status_code == 405


NAMES = st.sampled_from(["bbox", "collections", "datetime", "ids", "intersects", "limit", "token"])
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.datetimes().map(str)),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)
POSITIONS = st.recursive(
    st.one_of(st.floats(), st.integers(-200, 200)), lambda inner: st.lists(inner, max_size=5)
)
SHAPES = st.sampled_from(["Point", "LineString", "Polygon", "MultiPolygon", "GeometryCollection", "Feature"])
GEOMETRIES = st.fixed_dictionaries({"type": SHAPES, "coordinates": POSITIONS})
BOXES = st.lists(st.one_of(st.floats(), st.floats(-180, 180)), max_size=7)
DATES = st.lists(st.datetimes().map(lambda one: f"{one.isoformat()}+14:00"), min_size=1, max_size=3).map(
    "/".join
)
TOLD = st.one_of(
    st.dictionaries(NAMES, JSON, max_size=3),
    GEOMETRIES.map(lambda one: {"intersects": one}),
    BOXES.map(lambda one: {"bbox": one}),
    DATES.map(lambda one: {"datetime": one}),
)


@settings(max_examples=250, deadline=None)
@given(told=TOLD, method=st.sampled_from(["GET", "POST"]))
def test_no_question_breaks_the_api(
    archive: Served, client: requests.Session, told: dict[str, Any], method: str
) -> None:
    said = ask(client, archive, method, told)
    assert said.status_code in (200, 400) and archive.crashes == 0
