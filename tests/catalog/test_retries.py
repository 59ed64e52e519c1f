"""What is tried again, how often, and what is not."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import asf_search
import pytest
import requests
from pytest_httpserver import HTTPServer
from rasterio.errors import RasterioIOError
from werkzeug import Request, Response

from glaciolake.catalog import read_again, retries
from glaciolake.catalog.asf import AsfSource
from glaciolake.catalog.burst_grids import read_lattice
from glaciolake.catalog.credentials import find_credentials
from glaciolake.catalog.errors import SearchFailed
from glaciolake.catalog.read_again import ASK_AGAIN, CONVINCED, HeaderCut
from glaciolake.catalog.retries import Patience, PatientAdapter, patiently
from glaciolake.catalog.simulate.serve.options import Options
from glaciolake.catalog.simulate.serve.server import Served, served
from glaciolake.catalog.sources import open_source
from glaciolake.catalog.stac import StacSource
from tests.catalog.serving import EVERYTHING, address, write_folder

REFUSED = "HTTP response code: 401"
BUSY = "HTTP response code: 503"
BROKEN = "TIFFFillTile: got 10 bytes, expected 20"
PAGE = "'x_VV.tif' not recognized as being in a supported file format."
HREF = "https://one.example/x_VV.tif"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_again, "READ_WAITS_S", (0.0,) * 5)
    monkeypatch.setattr(read_again, "BUSY_WAITS_S", (0.0,) * 4)
    monkeypatch.setattr(read_again, "REFUSED_WAITS_S", (0.0,) * 2)
    monkeypatch.setattr(read_again, "REFUSALS", read_again.Refusals())


def attempts(*failures: str, href: str = HREF) -> int:
    """Times that a read which fails in these ways is tried before it works or is given up."""
    options: list[dict[str, str]] = []

    def read(more: dict[str, str]) -> None:
        options.append(more)
        if len(options) <= len(failures):
            raise RasterioIOError(failures[len(options) - 1])

    try:
        read_again.read_again(read, href)
    except RasterioIOError as error:
        assert str(error) == failures[len(options) - 1]
    assert options[0] == {} and all(more == ASK_AGAIN for more in options[1:])
    return len(options)


def test_what_may_pass_is_read_again_and_what_cannot_is_not() -> None:
    assert attempts() == 1
    assert attempts(BROKEN, BUSY, "HTTP response code: 303") == 4
    assert attempts(*[BROKEN] * 20) == 6
    assert attempts(*[BUSY] * 20) == 5
    assert attempts(*["HTTP response code: 404"] * 20) == 2  # GDAL may remember the first from before
    assert attempts(*[REFUSED] * 20) == 3
    assert attempts(*[PAGE] * 20) == 3


def test_kinds_of_failures_are_counted_each_for_itself() -> None:
    assert attempts(BUSY, REFUSED, BUSY, REFUSED, BUSY) == 6
    assert attempts(BUSY, REFUSED, BUSY, REFUSED, REFUSED, BUSY) == 5
    assert attempts(BUSY, BROKEN, PAGE, REFUSED, PAGE, BROKEN) == 7


def test_every_kind_of_failure_has_a_time_of_its_own() -> None:
    slow, quick = OSError("slow"), OSError("quick")
    calls = []

    def attempt(number: int) -> None:
        calls.append(number)
        if number < 2:
            time.sleep(0.04)
            raise slow
        raise quick

    def worth(error: Exception) -> Patience:
        return Patience(str(error), (0.0,) * 3, 0.1 if error is slow else 0.02)

    with pytest.raises(OSError, match="quick"):
        patiently(attempt, worth)
    assert calls == [0, 1, 2, 3, 4, 5]  # what the slow ones took is not taken from the quick ones


def test_a_login_refused_for_several_files_is_believed_at_once_until_one_is_read() -> None:
    for _ in range(CONVINCED):
        assert attempts(*[REFUSED] * 20) == 3
    assert attempts(*[REFUSED] * 20) == 2
    assert attempts(*[BUSY] * 3) == 4
    assert attempts(*[REFUSED] * 20) == 3


def test_what_one_host_refuses_says_nothing_of_another() -> None:
    for _ in range(CONVINCED):
        attempts(*[REFUSED] * 20)
    assert attempts(*[REFUSED] * 20, href="/vsicurl/https://one.example/other_VV.tif") == 2
    assert attempts(*[REFUSED] * 20, href="https://two.example/x_VV.tif") == 3
    assert attempts(href="https://two.example/x_VV.tif") == 1
    assert attempts(*[REFUSED] * 20) == 2


def test_a_page_under_a_files_name_is_no_refused_login() -> None:
    for _ in range(CONVINCED):
        assert attempts(*[PAGE] * 20) == 3
    assert attempts(*[REFUSED] * 20) == 3
    for _ in range(CONVINCED - 1):
        attempts(*[REFUSED] * 20)
    attempts(*[PAGE] * 20)
    assert attempts(*[REFUSED] * 20) == 3  # what came between was none


def test_other_errors_come_through_at_once() -> None:
    def read(more: dict[str, str]) -> None:
        calls.append(more)
        raise ValueError("no fault of the network")

    calls: list[dict[str, str]] = []
    with pytest.raises(ValueError, match="no fault"):
        read_again.read_again(read)
    assert len(calls) == 1 and issubclass(HeaderCut, Exception)


def test_what_fails_slowly_is_not_tried_as_often() -> None:
    calls = []

    def slow(number: int) -> None:
        calls.append(number)
        time.sleep(0.05)
        raise OSError("slow")

    with pytest.raises(OSError, match="slow"):
        patiently(slow, lambda error: Patience("slow", (0.0,) * 100, 0.12))
    assert calls == [0, 1, 2]
    calls.clear()
    with pytest.raises(OSError, match="slow"):
        patiently(slow, lambda error: Patience("slow", (1.0,) * 100, 0.12))
    assert calls == [0]  # a wait counts too, and is not begun where the time would be up


def session(wait_s: float = 0.001) -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", PatientAdapter(wait_s, raise_on_status=False))
    return made


@pytest.mark.parametrize(("status", "asked"), [(401, 2), (403, 2), (404, 1), (429, 5), (503, 5), (200, 1)])
def test_a_search_is_asked_for_again_where_that_may_help(
    httpserver: HTTPServer, status: int, asked: int
) -> None:
    httpserver.expect_request("/").respond_with_data("no", status=status)
    assert session().get(httpserver.url_for("/"), timeout=5).status_code == status
    assert len(httpserver.log) == asked


def seconds_of(httpserver: HTTPServer, retry_after: str) -> float:
    """How long a search takes of which the first answer is that the server is busy."""
    httpserver.clear()
    answers = iter([Response("busy", 429, {"Retry-After": retry_after}), Response("found")])
    httpserver.expect_request("/").respond_with_handler(lambda request: next(answers))
    begun_s = time.monotonic()
    assert session().get(httpserver.url_for("/")).content == b"found"
    return time.monotonic() - begun_s


def test_a_search_waits_as_long_as_a_busy_server_asks_for(httpserver: HTTPServer) -> None:
    assert 1.0 <= seconds_of(httpserver, "1") < 2.0
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)  # in whole seconds
    assert 0.9 <= seconds_of(httpserver, later) < 3.0
    assert seconds_of(httpserver, "tomorrow") < 0.9


def test_a_search_does_not_wait_for_hours(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "LONGEST_WAIT_S", 0.3)
    assert 0.3 <= seconds_of(httpserver, "7200") < 2.0


def test_a_wait_that_would_end_after_the_time_is_not_begun(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "SEARCH_BUDGET_S", 0.5)
    httpserver.expect_request("/").respond_with_data("busy", 503, {"Retry-After": "1"})
    begun_s = time.monotonic()
    assert session().get(httpserver.url_for("/")).status_code == 503
    assert len(httpserver.log) == 1 and time.monotonic() - begun_s < 0.9


def test_an_answer_that_breaks_off_is_asked_again_with_the_same_body(httpserver: HTTPServer) -> None:
    bodies: list[bytes] = []

    def answer(request: Request) -> Response:
        bodies.append(request.get_data())
        cut = len(bodies) < 3
        response = Response(b"half" if cut else b"a whole!")
        response.headers["Content-Length"] = "8"
        return response

    httpserver.expect_request("/", method="POST").respond_with_handler(answer)
    said = session().post(httpserver.url_for("/"), data={"page": "1"}, timeout=5)
    assert said.content == b"a whole!" and bodies == [b"page=1"] * 3


def test_where_nobody_answers_the_waits_are_not_made_twice() -> None:
    begun_s = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        session(wait_s=0.05).get("http://127.0.0.1:9/", timeout=1)
    assert time.monotonic() - begun_s < 0.9  # 0.05 + 0.1 + 0.2 + 0.4 at most


def test_a_password_that_was_never_accepted_is_shown_twice_and_then_no_more() -> None:
    shown: list[str] = []

    def refused(more: dict[str, str]) -> None:
        shown.append("wrong")
        raise RasterioIOError(REFUSED)

    for _ in range(5):
        with pytest.raises(RasterioIOError, match="401"):
            read_again.read_again(refused, password="netrc 1")
    assert len(shown) == 2
    with pytest.raises(RasterioIOError):
        read_again.read_again(refused, password="netrc 2")  # corrected since, or another
    assert len(shown) == 4


def test_a_password_that_was_accepted_once_is_shown_again_like_a_token() -> None:
    assert read_again.read_again(lambda more: 1, password="netrc 1") == 1
    answers = iter([REFUSED, REFUSED])

    def now_and_then(more: dict[str, str]) -> int:
        if (said := next(answers, None)) is not None:
            raise RasterioIOError(said)
        return 2

    assert read_again.read_again(now_and_then, password="netrc 1") == 2


def test_a_token_is_no_password_and_a_netrc_is_known_by_its_age(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("")
    login = {"GDAL_HTTP_NETRC": "YES", "GDAL_HTTP_NETRC_FILE": str(netrc)}
    first = read_again.password_of(login)
    os.utime(netrc, ns=(1, 1))
    assert first is not None and read_again.password_of(login) not in (None, first)
    assert read_again.password_of({"GDAL_HTTP_BEARER": "x"}) is None and read_again.password_of({}) is None


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundredth of the time for searches, and a fifteenth for files, of which GDAL counts whole seconds."""
    monkeypatch.setattr(retries, "TIMEOUT_S", (0.1, 0.3))
    monkeypatch.setattr(retries, "SEARCH_BUDGET_S", 1.2)
    monkeypatch.setattr(read_again, "READ_BUDGET_S", 40 / 15)
    monkeypatch.setenv("GDAL_HTTP_LOW_SPEED_TIME", "1")


@pytest.mark.usefixtures("soon")
def test_a_server_that_says_nothing_is_given_up_in_the_stated_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connected by the system, and not a word
        begun_s = time.monotonic()
        with pytest.raises(requests.Timeout):
            session(wait_s=0.01).get(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout=60)
    assert 1.2 < time.monotonic() - begun_s < 1.2 + 0.1 + 0.3 + 0.5


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """An archive of which every page of a search and every image begins and then hangs."""
    broken = tuple((pattern, "stall") for pattern in ("search", "granules.umm_json", "*_VV.tif"))
    with served(write_folder(tmp_path / "archive"), Options(broken=broken, stall_s=60)) as archive:
        for variable, value in archive.environment.items():
            monkeypatch.setenv(variable, value)
        yield archive


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("name", ["stac", "asf"])
def test_a_page_of_a_search_that_hangs_is_given_up_in_the_stated_time(
    hanging: Served, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(asf_search, "REPORT_ERRORS", False)
    source = open_source({"stac": hanging.stac_url}.get(name, name))
    assert isinstance(source, StacSource | AsfSource)
    begun_s = time.monotonic()
    with pytest.raises(SearchFailed, match="timed out"):
        replace(source, wait_s=0.01).find(EVERYTHING)
    assert time.monotonic() - begun_s < 1.2 + 0.1 + 0.3 + 3.0  # the last to set it up, on a busy machine
    assert hanging.faults.sent.keys() == {"stall"} and 2 <= hanging.faults.sent["stall"] <= 4


@pytest.mark.usefixtures("soon")
def test_a_file_that_hangs_is_given_up_after_a_few_requests(hanging: Served) -> None:
    begun_s = time.monotonic()
    with pytest.raises(SearchFailed, match="cannot read the header"):
        read_lattice(address(hanging), find_credentials())
    assert 2.0 < time.monotonic() - begun_s < (40 + 60) / 15 + 1
    assert hanging.faults.sent.keys() == {"stall"} and hanging.faults.sent["stall"] <= 4
