"""Files of a served archive: logins, redirects, signed addresses, ranges; and faults on demand."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import rasterio
import requests

from glaciolake.catalog.credentials import Credentials, gdal_options
from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.secret import Secret
from glaciolake.catalog.simulate.serve.faults import Faults
from glaciolake.catalog.simulate.serve.hosts import AUTH_HOST, DATA_HOST, LOGIN_HOST, SEARCH_HOST, SIGNED_HOST
from glaciolake.catalog.simulate.serve.options import FAULTS, Options, parse_broken, parse_faults
from glaciolake.catalog.simulate.serve.server import Served, served
from tests.catalog.serving import PASSES, SHAPE, address, session, write_folder
from tests.pipeline.scenes import power

STALL_S = 0.2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("archive"), catalogued=True)


@pytest.fixture
def archive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with served(folder, Options(stall_s=STALL_S)) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


def get(archive: Served, url: str, **options: object) -> requests.Response:
    """Ask once, with the token at the archive's own host, and follow nothing."""
    token = archive.options.token if urlsplit(url).hostname == DATA_HOST else None
    return session(archive, token=token).get(url, allow_redirects=False, timeout=10, **options)  # type: ignore[arg-type]


def signed(archive: Served) -> str:
    return get(archive, address(archive)).headers["Location"]


def read(archive: Served, login: Credentials, cookies: Path, number: int) -> float:
    """Mean of a VV file, read as the chain reads; another each time, since GDAL remembers what it read."""
    url = address(archive, number=number)
    with rasterio.Env(**gdal_options(login, cookies)), rasterio.open(url) as file:
        return float(file.read(1).mean())


def test_a_token_gets_a_redirect_and_the_signed_host_sends_the_range(archive: Served) -> None:
    said = get(archive, address(archive))
    assert said.status_code == 303 and "asf-urs=" in said.headers["Set-Cookie"]
    there = urlsplit(said.headers["Location"])
    assert there.hostname == SIGNED_HOST and "Expires=" in there.query and "Signature=" in there.query
    part = get(archive, said.headers["Location"], headers={"Range": "bytes=0-3"})
    assert part.status_code == 206 and part.content == b"II*\0"
    assert part.headers["Content-Range"].startswith("bytes 0-3/") and archive.leaked == []


@pytest.mark.parametrize("how", ["token", "account"])
def test_gdal_reads_with_a_login_and_shows_it_to_no_other_host(
    archive: Served, tmp_path: Path, how: str
) -> None:
    name, password = archive.options.account
    token = Credentials("token", token=Secret(archive.options.token))
    account = Credentials("account", username=Secret(name), password=Secret(password))
    if how == "token":
        assert read(archive, token, tmp_path, 0) == pytest.approx(power(SHAPE, PASSES - 1).mean())
    else:
        assert read(archive, account, tmp_path, 2) == pytest.approx(power(SHAPE, PASSES - 2).mean())
    assert archive.leaked == [] and archive.refused == [] and archive.files.refused_logins == 0
    assert (archive.requests["login"] > 0) == (how == "account")


def test_without_a_login_or_with_a_wrong_one_nothing_is_read(archive: Served, tmp_path: Path) -> None:
    nobody = session(archive).get(address(archive), allow_redirects=False, timeout=10)
    assert nobody.status_code == 302 and urlsplit(nobody.headers["Location"]).hostname == LOGIN_HOST
    asked = session(archive).get(nobody.headers["Location"], timeout=10)
    assert asked.status_code == 401 and "Basic" in asked.headers["WWW-Authenticate"]
    wrong = session(archive, token="wrong").get(address(archive), allow_redirects=False, timeout=10)
    assert wrong.status_code == 401 and "<html" in wrong.text
    with pytest.raises(rasterio.RasterioIOError):
        read(archive, Credentials("token", token=Secret("wrong")), tmp_path, 4)
    assert archive.requests["signed"] == 0 and archive.files.refused_logins >= 2


def test_the_signed_host_refuses_head_forgery_and_age_in_xml(archive: Served, folder: Path) -> None:
    url = signed(archive)
    assert session(archive).head(url, timeout=10).status_code == 403
    for changed in (url.replace("Expires=1", "Expires=2"), url.partition("?")[0]):
        said = get(archive, changed)
        assert said.status_code == 403 and said.text.startswith("<?xml")
    with served(folder, Options(signed_s=-5)) as old:
        said = get(old, signed(old))
        assert said.status_code == 403 and "expired" in said.text


def test_a_login_that_strays_to_the_signed_host_is_remembered(archive: Served) -> None:
    session(archive, token="stray").get(signed(archive), timeout=10)
    assert archive.leaked == [urlsplit(signed(archive)).path]


def test_the_checksum_beside_a_file_is_its_own(archive: Served) -> None:
    there = session(archive, token=archive.options.token)
    content = there.get(address(archive), timeout=10).content
    said = there.get(f"{address(archive)}.md5", timeout=10).text.split()
    assert said == [hashlib.md5(content).hexdigest(), address(archive).rpartition("/")[2]]


@pytest.mark.parametrize("path", ["no_such_VV.tif", "../archive.json", "catalog.json"])
def test_what_is_no_file_of_the_archive_is_not_found(archive: Served, path: str) -> None:
    assert get(archive, f"https://{DATA_HOST}/OPERA/OPERA_L2_RTC-S1/{path}").status_code == 404
    assert requests.get(f"http://127.0.0.1:{archive.port}/files/{path}", timeout=10).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
def test_files_can_only_be_read(archive: Served, method: str) -> None:
    there, name = signed(archive), address(archive).rpartition("/")[2]
    known = session(archive, token=archive.options.token)
    for url in (address(archive), f"https://{DATA_HOST}/login", f"https://{AUTH_HOST}/s3credentials"):
        said = known.request(method, url, data=b"x", allow_redirects=False, timeout=10)
        assert (said.status_code, said.headers["Allow"]) == (405, "GET, HEAD")
    for url in (there, f"http://127.0.0.1:{archive.port}/files/{name}"):
        said = session(archive).request(method, url, data=b"x", timeout=10)
        assert (said.status_code, said.headers["Allow"]) == (405, "GET, HEAD") and len(said.content) < 100
    assert get(archive, there).status_code == 200
    said = session(archive).request(method, f"https://{SEARCH_HOST}/search/granules.umm_json", timeout=10)
    assert said.status_code == (200 if method == "POST" else 405)


def test_other_hosts_and_ports_are_refused_and_remembered(archive: Served) -> None:
    for url in ("https://example.org/", f"https://{DATA_HOST}:8443/"):
        with pytest.raises(requests.ConnectionError):
            session(archive).get(url, timeout=10)
    assert archive.refused == ["example.org", DATA_HOST]


def test_nothing_is_left_when_it_closes(folder: Path) -> None:
    before = set(threading.enumerate())
    with served(folder, Options(faults={"stall": 1.0}, stall_s=60)) as archive:
        for _ in range(2):
            with suppress(requests.RequestException):  # in the middle of an answer, too
                requests.get(archive.stac_url, timeout=0.1)
        port, begun_s = archive.port, time.monotonic()
    assert time.monotonic() - begun_s < 3 and not archive.ca_file.exists()
    with served(folder, Options(port=port)) as again:
        assert again.port == port
    assert set(threading.enumerate()) == before


def test_a_port_that_is_taken_and_a_folder_that_is_none_are_told(folder: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(CatalogError, match=f"port {port} cannot be used .*in use"),
            served(folder, Options(port=port)),
        ):
            pass
    for wrong, said in ((tmp_path, "holds no image"), (tmp_path / "nowhere", "is no folder")):
        with pytest.raises(CatalogError, match=said), served(wrong):
            pass


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"faults": {"teapot": 0.1}}, "no fault 'teapot'; there are 401, 403-head"),
        ({"faults": {"500": 1.5}}, "share of fault '500' is 1.5; give 0 to 1"),
        ({"faults": {"500": -0.1}}, "give 0 to 1"),
        ({"faults": {"500": float("nan")}}, "give 0 to 1"),
        ({"faults": {"500": 0.6, "401": 0.6}}, "add up to 1.2"),
        ({"broken": (("*.tif", "teapot"),)}, "no fault 'teapot'"),
        ({"token": "a b"}, "token"),
        ({"port": 70000}, "port is 70000"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(CatalogError, match=said):
        Options(**wrong)  # type: ignore[arg-type]


def test_faults_are_read_as_people_write_them() -> None:
    assert parse_faults(["all=0.1", "429=0.2"]) == {"all": 0.1, "429": 0.2}
    assert parse_broken(["*a=b*_VV.tif=500"]) == (("*a=b*_VV.tif", "500"),)
    for wrong in ("500", "500=much", "500=nan"):
        with pytest.raises(CatalogError, match="500"):
            parse_faults([wrong])
    with pytest.raises(CatalogError, match="--fault 500 is given twice"):
        parse_faults(["500=0.1", "all=0.1", "500=0.2"])
    with pytest.raises(CatalogError, match="PATTERN=KIND"):
        parse_broken(["*_VV.tif"])


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_looks_like_the_real_one(archive: Served, kind: str) -> None:
    url = signed(archive) if kind in ("stall", "truncate") else address(archive)
    archive.faults.shares = {kind: 1.0}
    if kind == "403-head":
        assert session(archive, token=archive.options.token).head(url, timeout=10).status_code == 403
    elif kind == "expired":
        location = get(archive, url).headers["Location"]
        archive.faults.shares = {}
        assert get(archive, location).status_code == 403
    elif kind in ("stall", "truncate"):
        begun_s = time.monotonic()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            get(archive, url)
        assert (time.monotonic() - begun_s > STALL_S) == (kind == "stall")
    else:
        said = get(archive, url)
        assert said.status_code == int(kind) and ("Retry-After" in said.headers) == (kind == "429")
        assert said.headers["Content-Type"].startswith("text/html" if kind == "401" else "application/json")
    assert archive.faults.sent == {kind: 1}


@pytest.mark.parametrize("kind", ["401", "429", "500", "stall", "truncate"])
def test_searches_fail_too(archive: Served, kind: str) -> None:
    archive.faults.shares = {kind: 1.0}
    for url in (f"https://{SEARCH_HOST}/search/granules.umm_json", archive.stac_url):
        if kind in ("stall", "truncate"):
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                get(archive, url)
        else:
            assert get(archive, url).status_code == int(kind)
    assert archive.faults.sent == {kind: 2}


def test_random_faults_are_as_many_as_asked_and_the_same_again() -> None:
    def drawn(seed: int, **shares: float) -> list[str | None]:
        faults = Faults(Options(seed=seed, faults=shares))
        return [faults.draw(DATA_HOST, "GET", f"/{number % 500}_VV.tif") for number in range(3000)]

    assert drawn(1, all=0.1) == drawn(1, all=0.1) != drawn(2, all=0.1)
    assert sum(kind is not None for kind in drawn(1, all=0.1)) == pytest.approx(300, abs=50)
    assert {kind for kind in drawn(1, all=0.1) if kind} == set(FAULTS) - {"403-head"}
    assert sum(kind == "429" for kind in drawn(1, **{"429": 0.5, "500": 0.2})) == pytest.approx(1500, abs=90)
    assert drawn(1) == [None] * 3000


def test_a_broken_file_fails_every_time_and_no_other(archive: Served) -> None:
    archive.faults.broken = [("*_VV.tif", "500")]
    for _ in range(3):
        assert get(archive, address(archive, "VV")).status_code == 500
        assert get(archive, address(archive, "VH")).status_code == 303
    archive.faults.broken = []
    assert get(archive, address(archive, "VV")).status_code == 303
