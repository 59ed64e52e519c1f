"""Questions to a served repository, by asf_search and bare: answered as granules' names say, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asf_search
import numpy as np
import pytest
import requests
from asf_search.CMR.field_map import field_map
from asf_search.exceptions import ASFSearch4xxError
from hypothesis import given, settings
from hypothesis import strategies as st

from glaciolake.catalog.names import RtcName
from glaciolake.catalog.simulate.serve.cmr import PATH
from glaciolake.catalog.simulate.serve.hosts import SEARCH_HOST
from glaciolake.catalog.simulate.serve.server import Served, served
from tests.catalog.serving import session
from tests.pipeline.scenes import write_granule

SEARCH = f"https://{SEARCH_HOST}{PATH}"
BURSTS = {"T121-258662-IW2": (0, 11), "T012-023789-IW1": (4000, 12)}
FIRST = datetime(2023, 9, 5, tzinfo=UTC)
PASSES = 25
NEAR, FAR = "86.59,28.0,86.6,28.05", "86.58,26.9,86.6,27.0"
Known = Callable[[RtcName], bool]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two bursts, 120 km apart, ten months of Sentinel-1A and 1B in turn, VH on the first of them only."""
    folder = tmp_path_factory.mktemp("archive")
    for burst, (rows, hour) in BURSTS.items():
        for number in range(PASSES):
            start = FIRST + timedelta(days=12 * number, hours=hour)
            bands = ("vv", "vh") if hour == 11 else ("vv",)
            write_granule(
                folder,
                start,
                {band: np.ones((8, 8), np.float32) for band in bands},  # type: ignore[misc]
                shift_px=(rows, 0),
                tile_px=16,
                burst=burst,
                sensor=("S1A", "S1B")[number % 2],
                relative_orbit=int(burst[1:4]),
            )
    with pytest.MonkeyPatch.context() as patch, served(folder) as running:
        patch.setattr(asf_search, "REPORT_ERRORS", False)
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def client(archive: Served) -> requests.Session:
    """One session for many questions."""
    return session(archive)


def names(archive: Served) -> list[RtcName]:
    return [one.name for one in archive.holdings.products]


def search(**asked: Any) -> set[str]:
    """Names of what asf_search finds, each of them once."""
    options = asf_search.ASFSearchOptions(dataset="OPERA-S1", processingLevel="RTC", **asked)
    found = [one.umm["GranuleUR"] for one in asf_search.search(opts=options)]
    assert len(found) == len(set(found))
    return set(found)


def ask(archive: Served, *told: tuple[str, str], after: str | None = None) -> requests.Response:
    headers = {} if after is None else {"CMR-Search-After": after}
    return session(archive).post(SEARCH, data=list(told), headers=headers, timeout=10)


def is_in_season(first: int, last: int) -> Known:
    """Days of the year, the last one excluded but for its first moment: so the real repository counts."""

    def known(name: RtcName) -> bool:
        day = name.sensing_start.timetuple().tm_yday
        return first <= day < last if first <= last else day >= first or day < last

    return known


def is_at(burst: str) -> Known:
    return lambda name: name.burst == burst


def short(told: Any) -> str:
    """Id of a test: the same in every process."""
    return "" if callable(told) else str(told)[:60]


HIGH, LOW = BURSTS
ANSWERED: list[tuple[str, dict[str, Any], Known]] = [
    ("platform", {"platform": "SENTINEL-1A"}, lambda name: name.sensor == "S1A"),
    ("platform", {"platform": "sentinel-1b", "collectionAlias": False}, lambda name: name.sensor == "S1B"),
    ("platform", {"platform": "Sentinel-1C", "collectionAlias": False}, lambda name: False),
    ("platform", {"platform": "S1", "collectionAlias": False}, lambda name: True),
    ("temporal", {"season": [1, 60]}, is_in_season(1, 60)),
    ("temporal", {"season": [335, 45]}, is_in_season(335, 45)),
    (
        "temporal",
        {"season": [335, 45], "start": "2023-12-20", "end": "2024-01-20"},
        lambda name: "2023-12-20" <= f"{name.sensing_start:%Y-%m-%d}" < "2024-01-20",
    ),
    ("temporal", {"start": "2024-01-01"}, lambda name: name.sensing_start.year == 2024),
    ("temporal", {"end": "2024-01-01"}, lambda name: name.sensing_start.year == 2023),
    (
        "granule_list",
        {"granule_list": ["*_202401*_S1A_*"]},
        lambda name: "_202401" in name.granule and name.sensor == "S1A",
    ),
    (
        "granule_list",
        {"granule_list": ["opera_l2_rtc-s1_t012*", "*S1B?30*"]},
        lambda name: name.burst == LOW or name.sensor == "S1B",
    ),
    ("granule_list", {"granule_list": ["OPERA_L2_RTC-S1_T012"]}, lambda name: False),
    ("beamMode", {"beamMode": "IW"}, lambda name: True),
    ("beamMode", {"beamMode": "EW"}, lambda name: False),
    ("flightDirection", {"flightDirection": "ASCENDING"}, is_at(LOW)),
    ("flightDirection", {"flightDirection": "DESCENDING"}, is_at(HIGH)),
    ("relativeOrbit", {"relativeOrbit": [12, 121]}, lambda name: True),
    ("relativeOrbit", {"relativeOrbit": [(1, 100), 122]}, is_at(LOW)),
    ("lookDirection", {"lookDirection": "RIGHT"}, lambda name: True),
    ("lookDirection", {"lookDirection": "LEFT"}, lambda name: False),
    ("polarization", {"polarization": ["VH"]}, is_at(HIGH)),
    ("instrument", {"instrument": "C-SAR"}, lambda name: True),
    ("instrument", {"instrument": "PALSAR"}, lambda name: False),
    ("operaBurstID", {"operaBurstID": ["T012_023789_IW1"]}, is_at(LOW)),
    ("processingDate", {"processingDate": "2024-01-01"}, lambda name: name.sensing_start.year == 2024),
    ("collections", {"collections": ["C2777436413-ASF"]}, lambda name: True),
    ("collections", {"collections": ["C2795135174-ASF"]}, lambda name: False),
    ("bbox", {"bbox": [float(one) for one in NEAR.split(",")]}, is_at(HIGH)),
    ("point", {"bbox": [86.0, 26.0, 87.0, 29.0], "point": [86.5943, 28.0241]}, is_at(HIGH)),
    ("polygon", {"intersectsWith": "POLYGON((86 26,87 26,86.9 27.5,86 27.5,86 26))"}, is_at(LOW)),
    ("linestring", {"intersectsWith": "LINESTRING(86 28.0241,87 28.0241)"}, is_at(HIGH)),
    ("provider", {"provider": "ASF"}, lambda name: True),
    ("provider", {"provider": "LPCLOUD"}, lambda name: False),
]


@pytest.mark.parametrize(("what", "asked", "known"), ANSWERED, ids=short)
def test_asf_search_gets_what_the_names_say(
    archive: Served, what: str, asked: dict[str, Any], known: Known
) -> None:
    assert search(**asked) == {name.granule for name in names(archive) if known(name)}


def test_names_and_orbits_are_found_one_by_one(archive: Served) -> None:
    wanted = {name.granule for name in names(archive)[:3]}
    assert search(granule_list=list(wanted)) == search(product_list=list(wanted)) == wanted
    everything = asf_search.search(dataset="OPERA-S1", processingLevel="RTC")
    one = everything[5].properties
    for key, option in (("orbit", "absoluteOrbit"), ("groupID", "groupID")):
        same = {each.umm["GranuleUR"] for each in everything if each.properties[key] == one[key]}
        assert search(**{option: one[key]}) == same != set()
    assert len(search(maxResults=7)) == 7
    assert asf_search.search_count(dataset="OPERA-S1", processingLevel="RTC", platform="SENTINEL-1A") == 26


REFUSED: dict[str, Any] = {
    "absoluteBurstID": 1,
    "ariaVersion": "1",
    "asfFrame": 1,
    "beamSwath": "IW1",
    "campaign": "x",
    "circle": [86.6, 28.0, 1000],
    "flightLine": "1",
    "frame": 1,
    "frameCoverage": "F",
    "fullBurstID": "x",
    "insarStackId": "1",
    "jointObservation": True,
    "mainBandPolarization": "x",
    "maxBaselinePerp": 1,
    "maxDoppler": 1,
    "maxFaradayRotation": 1,
    "maxInsarStackSize": 1,
    "minBaselinePerp": 1,
    "minDoppler": 1,
    "minFaradayRotation": 1,
    "minInsarStackSize": 1,
    "offNadirAngle": 1,
    "productionConfiguration": "PR",
    "rangeBandwidth": "x",
    "relativeBurstID": 1,
    "sideBandPolarization": "x",
    "siteDescription": "x",
    "temporalBaselineDays": "1",
    "tileID": "x",
}


@pytest.mark.parametrize("key", REFUSED)
def test_asf_search_is_told_what_the_repository_does_not_search_by(archive: Served, key: str) -> None:
    with pytest.raises(ASFSearch4xxError, match="does not search by"):
        search(**{key: REFUSED[key]})


def test_whatever_asf_search_can_send_is_answered_or_refused() -> None:
    answered = {what for what, _, _ in ANSWERED} | {"absoluteOrbit", "groupID", "product_list"}
    elsewhere = {"processingLevel", "shortName"}  # in every search
    assert answered | elsewhere | set(REFUSED) == set(field_map) and not answered & set(REFUSED)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"attributes[]": "string,BEAM_MODE,IW"}, "Parameter [attributes] was not recognized."),
        ({"attribute": "string,BEAM_MODE,IW"}, "You must use 'attribute[]'"),
        ({"attribute[]": "string,BEAM_MODE"}, "Invalid number of additional attribute parts"),
        ({"attribute[]": "string,BEAM_MODE,IW,EW,S1"}, "Invalid number of additional attribute parts"),
        ({"attribute[]": "int,BEAM_MODE,1"}, "[int] is an invalid type"),
        ({"attribute[]": "int,PATH_NUMBER,a"}, "neither a whole number"),
        ({"attribute[]": "int,PATH_NUMBER,,"}, "neither a whole number"),
        ({"attribute[]": "BEAM_MODE"}, "does not search by attribute"),
        ({"platforms[]": "Sentinel-1A"}, "Parameter [platforms] was not recognized."),
        ({"provider_": "ASF"}, "Parameter [provider_] was not recognized."),
        ({"sort_keys[]": "start_date"}, "Parameter [sort_keys] was not recognized."),
        ({"sort_key[]": "-begin"}, "The sort key [-begin] is not a valid field"),
        ({"page_size": "5000"}, "page_size must be a number between 0 and 2000"),
        ({"page_size": "ten"}, "page_size must be a number"),
        ({"page_size": "-1"}, "page_size must be a number"),
        ({"page_size[]": "1"}, "must have a single value"),
        ({"page_num": "2"}, "does not search by [page_num]"),
        ({"cloud_cover": "0,10"}, "does not search by [cloud_cover]"),
        ({"options[platform][pattren]": "true"}, "Option [pattren] is not supported for param [platform]"),
        ({"options[platfrom][pattern]": "true"}, "Parameter [platfrom] with option was not recognized."),
        ({"options[platform][pattern]": "yes"}, "must be true or false"),
        ({"options[temporal][exclude_boundary]": "true"}, "is not supported for param [temporal]"),
        ({"options": "true"}, "Parameter [options] was not recognized."),
        ({"temporal": "yesterday"}, "temporal start datetime is invalid"),
        ({"temporal": "2024-01-01,2024-13-01"}, "temporal end datetime is invalid"),
        ({"temporal": "2024-02-01,2024-01-01"}, "must be before end_date"),
        ({"temporal": "2024-01-01,,0"}, "temporal_start_day [0] must be an integer"),
        ({"temporal": "2024-01-01,,1,2,3"}, "more parts"),
        ({"temporal": ",,1,2"}, "At least temporal_start or temporal_end"),
        ({"bounding_box": "1,2,3"}, "is not a valid URL encoded bounding_box"),
        ({"bounding_box": "1,2,nan,4"}, "is not a valid URL encoded bounding_box"),
        ({"bounding_box": "1,4,3,2"}, "north value [2.0] was less than the south value"),
        ({"bounding_box": "1,2,3,94"}, "Point latitude [94.0]"),
        ({"point": "1"}, "is not a valid URL encoded point"),
        ({"point": "181,2"}, "Point longitude [181.0]"),
        ({"line": "1,2"}, "is not a valid URL encoded line"),
        ({"polygon": "86,26,87,26,87,27"}, "is not a valid URL encoded polygon"),
        ({"polygon": "86,26,87,26,87,27,86,27"}, "Polygon boundary was not closed"),
        ({"polygon": "86,26,87,27,87,26,86,26"}, "in the wrong order"),
        ({"polygon": "86,26,87,27,87,26,86,27,86,26"}, "intersected itself"),
        ({"orbit_number": "1,2,3"}, "neither a whole number"),
        ({"updated_since": "soon"}, "updated_since datetime is invalid"),
        ({"concept_id[]": "X1-ASF"}, "Concept-id [X1-ASF] is not valid."),
        ({"": "x"}, "Parameter [] was not recognized."),
    ],
    ids=str,
)
def test_what_is_not_understood_is_refused_in_words(archive: Served, told: dict[str, str], said: str) -> None:
    answer = ask(archive, *told.items())
    assert answer.status_code == 400 and said in answer.json()["errors"][0]


def test_one_parameter_in_two_spellings_is_refused(archive: Served) -> None:
    said = ask(archive, ("platform", "Sentinel-1A"), ("platform[]", "Sentinel-1B"))
    assert said.status_code == 400 and "may be either single valued or multivalued" in said.text
    said = session(archive).post(SEARCH, data=b"provider=\xff", timeout=10)
    assert said.status_code == 400 or said.json()["hits"] == 0


@pytest.mark.parametrize(
    ("told", "n"),
    [
        ([("bounding_box[]", NEAR), ("bounding_box[]", FAR)], 0),
        ([("bounding_box[]", NEAR), ("bounding_box[]", FAR), ("options[bounding_box][or]", "true")], 50),
        ([("bounding_box", NEAR), ("point", "86.5943,28.0241")], 25),
        ([("bounding_box", NEAR), ("point", "10,20")], 0),
        ([("bounding_box", "170,-10,-170,40")], 0),
        ([("bounding_box", "80,-10,-170,40")], 50),
        ([("temporal[]", "2023-01-01,2023-12-31"), ("temporal[]", "2024-01-01,")], 50),
        (
            [
                ("temporal[]", "2023-01-01,2023-12-31"),
                ("temporal[]", "2024-01-01,"),
                ("options[temporal][and]", "true"),
            ],
            0,
        ),
        ([("temporal", "2023-09-05T11:00:02Z,2023-09-05T11:00:09Z")], 1),  # the burst lasts 3 seconds
        ([("temporal", "2023-09-05T11:00:04Z,2023-09-05T11:00:09Z")], 0),
        ([("attribute[]", "int,PATH_NUMBER,12"), ("attribute[]", "int,PATH_NUMBER,121")], 0),
        (
            [
                ("attribute[]", "int,PATH_NUMBER,12"),
                ("attribute[]", "int,PATH_NUMBER,121"),
                ("options[attribute][or]", "true"),
            ],
            50,
        ),
        ([("attribute[]", "int,PATH_NUMBER,100,")], 25),
        ([("attribute[]", "int,PATH_NUMBER,,100")], 25),
        ([("platform[]", "Sentinel-1?"), ("options[platform][pattern]", "true")], 50),
        ([("platform[]", "Sentinel-1?")], 0),
        ([("platform[]", "sentinel-1a"), ("options[platform][ignore_case]", "false")], 0),
        ([("granule_ur[]", "*[AB]*"), ("options[granule_ur][pattern]", "true")], 0),
        (
            [
                ("readable_granule_name[]", "*S1A*"),
                ("readable_granule_name[]", "*T012*"),
                ("options[readable_granule_name][pattern]", "true"),
                ("options[readable_granule_name][and]", "true"),
            ],
            13,
        ),
        ([("shortName", "opera_l2_rtc-s1_v1"), ("collection_concept_id", "C2777436413-ASF")], 50),
        ([("shortName", "OPERA_L2_RTC-S1-STATIC_V1"), ("collection_concept_id", "C2777436413-ASF")], 0),
        ([("short_name", "OTHER"), ("short_name", "OPERA_L2_RTC-S1_V1")], 50),
        ([("provider", "asf"), ("platform[]", "")], 50),
    ],
    ids=str,
)
def test_repeated_parameters_and_options_mean_what_they_mean_at_nasa(
    archive: Served, told: list[tuple[str, str]], n: int
) -> None:
    answer = ask(archive, ("page_size", "0"), *told)
    assert answer.status_code == 200 and answer.json()["hits"] == n


@pytest.mark.parametrize(
    "keys", [[], ["start_date"], ["-start_date"], ["-end_date", "granule_ur"], ["-granule_ur"]], ids=str
)
def test_pages_follow_the_order_that_is_asked_for(archive: Served, keys: list[str]) -> None:
    told = [("provider", "ASF"), ("page_size", "7"), *(("sort_key[]", key) for key in keys)]
    seen: list[str] = []
    mark: str | None = None
    while True:
        said = ask(archive, *told, after=mark)
        assert said.headers["CMR-Hits"] == "50"
        if not said.json()["items"]:
            break
        seen += [one["umm"]["GranuleUR"] for one in said.json()["items"]]
        mark = said.headers["CMR-Search-After"]
    assert "CMR-Search-After" not in said.headers
    assert seen == [one.granule for one in sorted(names(archive), key=in_order(keys))]


def in_order(keys: list[str]) -> Callable[[RtcName], Any]:
    """Sort key of the names: by name falling, or by time; then by name."""
    if keys == ["-granule_ur"]:
        return lambda name: [-ord(sign) for sign in name.granule]
    falling = -1 if keys and keys[0].startswith("-") else 1
    return lambda name: (falling * name.sensing_start.timestamp(), name.granule)


@pytest.mark.parametrize(
    "mark",
    [
        "[]",
        "{}",
        "5",
        "null",
        "true",
        "NaN",
        '"x"',
        "[1",
        "[1,2]",
        '["a","b"]',
        '[true,"b"]',
        '[1.5,"b"]',
        "[null,null]",
        '[1,"a","b"]',
        "[[1],2]",
        "[" * 20000,
    ],
    ids=lambda mark: mark[:12],
)
def test_a_mark_that_is_none_is_refused(archive: Served, mark: str) -> None:
    said = ask(archive, ("provider", "ASF"), after=mark)
    assert said.status_code == 400 and "search" in said.json()["errors"][0] and "after" in said.text


def test_a_mark_alone_does_not_search_everything(archive: Served) -> None:
    said = ask(archive, after='[1,"x"]')
    assert said.status_code == 400 and "across granules in all collections" in said.text


KEYS = [
    *("bounding_box", "polygon[]", "point", "line", "temporal", "temporal[]", "attribute[]", "page_size"),
    *("sort_key[]", "platform[]", "granule_ur[]", "readable_granule_name", "concept_id", "orbit_number"),
    *("updated_since", "short_name", "options[readable_granule_name][pattern]", "options[temporal][and]"),
    *("options[attribute][or]", "provider", "instrument"),
]
NUMBERS = st.lists(st.one_of(st.integers(-400, 400), st.floats()), max_size=11).map(
    lambda one: ",".join(map(str, one))
)
TIMES = st.lists(
    st.one_of(
        st.datetimes().map(str),
        st.datetimes().map(lambda one: f"{one.isoformat()}-12:00"),
        st.integers().map(str),
    ),
    max_size=5,
).map(",".join)
VALUES = st.one_of(
    st.text(),
    NUMBERS,
    TIMES,
    st.sampled_from(["true", "false", "int,PATH_NUMBER,1", "-end_date", "*[a-*]*?"]),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


@settings(max_examples=250, deadline=None)
@given(
    told=st.lists(st.tuples(st.one_of(st.sampled_from(KEYS), st.text()), VALUES), max_size=4),
    mark=st.one_of(st.none(), JSON),
)
def test_no_question_breaks_the_repository(
    archive: Served, client: requests.Session, told: list[tuple[str, str]], mark: Any
) -> None:
    pairs = [(key.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for key, value in told]
    after = {} if mark is None else {"CMR-Search-After": json.dumps(mark)}
    said = client.post(SEARCH, data=pairs, headers=after, timeout=10)
    assert said.status_code in (200, 400) and archive.crashes == 0
