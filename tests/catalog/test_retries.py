"""What is tried again, how often, and what is not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import requests
from pytest_httpserver import HTTPServer
from rasterio.errors import RasterioIOError
from werkzeug import Request, Response

from glaciolake.catalog import read_again
from glaciolake.catalog.read_again import ASK_AGAIN, CONVINCED, HeaderCut
from glaciolake.catalog.retries import PatientAdapter, patiently

REFUSED = "HTTP response code: 401"
BUSY = "HTTP response code: 503"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_again, "READ_WAITS_S", (0.0,) * 5)
    monkeypatch.setattr(read_again, "REFUSED_WAITS_S", (0.0,) * 2)
    monkeypatch.setattr(read_again, "REFUSALS", read_again.Refusals())


def attempts(*failures: str) -> int:
    """Times that a read which fails in these ways is tried before it works or is given up."""
    options: list[dict[str, str]] = []

    def read(more: dict[str, str]) -> None:
        options.append(more)
        if len(options) <= len(failures):
            raise RasterioIOError(failures[len(options) - 1])

    try:
        read_again.read_again(read)
    except RasterioIOError as error:
        assert str(error) == failures[len(options) - 1]
    assert options[0] == {} and all(more == ASK_AGAIN for more in options[1:])
    return len(options)


def test_what_may_pass_is_read_again_and_what_cannot_is_not() -> None:
    assert attempts() == 1
    assert attempts("TIFFFillTile: got 10 bytes, expected 20", BUSY, "HTTP response code: 303") == 4
    assert attempts(*[BUSY] * 20) == 6
    assert attempts(*["HTTP response code: 404"] * 20) == 2  # GDAL may remember the first from before
    assert attempts(*[REFUSED] * 20) == 3
    assert attempts(*["'x_VV.tif' not recognized as being in a supported file format."] * 20) == 3


def test_kinds_of_failures_are_counted_each_for_itself() -> None:
    assert attempts(BUSY, REFUSED, BUSY, REFUSED, BUSY) == 6
    assert attempts(BUSY, REFUSED, BUSY, REFUSED, REFUSED, BUSY) == 5


def test_a_login_refused_for_several_files_is_believed_at_once_until_one_is_read() -> None:
    for _ in range(CONVINCED):
        assert attempts(*[REFUSED] * 20) == 3
    assert attempts(*[REFUSED] * 20) == 2
    assert attempts(*[BUSY] * 3) == 4
    assert attempts(*[REFUSED] * 20) == 3


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
        patiently(slow, lambda error: (0.0,) * 100, budget_s=0.12)
    assert calls == [0, 1, 2]


def session(wait_s: float = 0.001) -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", PatientAdapter(wait_s, raise_on_status=False))
    return made


@pytest.mark.parametrize(("status", "asked"), [(401, 5), (403, 5), (404, 1), (200, 1)])
def test_a_search_that_is_refused_is_asked_again_a_few_times(
    httpserver: HTTPServer, status: int, asked: int
) -> None:
    httpserver.expect_request("/").respond_with_data("no", status=status)
    assert session().get(httpserver.url_for("/"), timeout=5).status_code == status
    assert len(httpserver.log) == asked


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
