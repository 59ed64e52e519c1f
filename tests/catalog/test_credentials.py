from __future__ import annotations

import base64
import copy
import dataclasses
import json
import logging
import os
import pickle
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import rasterio
from dask.base import tokenize
from dask.delayed import delayed
from pytest_httpserver import HTTPServer

from glaciolake.catalog.credentials import (
    LOGIN_HOST,
    Credentials,
    environment_for_workers,
    find_credentials,
    gdal_options,
    is_earthdata,
    login_for,
    login_of_this_process,
    login_options,
    need_credentials,
)
from glaciolake.catalog.errors import CredentialsMissing
from glaciolake.catalog.secret import Secret
from tests.catalog.loopback import geotiff, serve

SECRET = "s3cr3t-Zx9"
NAME = "glacier-watcher"
ACCOUNT = {"EARTHDATA_USERNAME": NAME, "EARTHDATA_PASSWORD": SECRET}
TOKEN = {"EARTHDATA_TOKEN": SECRET}


def write_netrc(folder: Path, text: str = f"machine {LOGIN_HOST} login {NAME} password {SECRET}\n") -> Path:
    path = folder / ".netrc"
    path.write_text(text)
    path.chmod(0o600)
    return path


def found(environ: dict[str, str], home: Path) -> Credentials:
    credentials = find_credentials(environ, home)
    assert credentials is not None
    return credentials


def test_a_token_wins_over_an_account_and_an_account_over_a_netrc(tmp_path: Path) -> None:
    path = write_netrc(tmp_path)
    assert found(TOKEN | ACCOUNT, tmp_path).source == "EARTHDATA_TOKEN"
    assert found(ACCOUNT, tmp_path).username == Secret(NAME)
    assert found({}, tmp_path).netrc_path == path
    assert found({"NETRC": str(path)}, tmp_path / "nowhere").netrc_path == path


def test_nothing_found_is_none_and_needing_it_tells_how(tmp_path: Path) -> None:
    write_netrc(tmp_path, f"machine example.org login {NAME} password {SECRET}\n")
    assert find_credentials({"EARTHDATA_TOKEN": " "}, tmp_path) is None
    with pytest.raises(
        CredentialsMissing, match=r"EARTHDATA_TOKEN.*machine urs\.earthdata\.nasa\.gov"
    ) as caught:
        need_credentials({}, tmp_path)
    assert SECRET not in str(caught.value)
    assert need_credentials(TOKEN, tmp_path) == found(TOKEN, tmp_path)


SHOWINGS: list[Callable[[Credentials], object]] = [
    repr,
    str,
    "{}".format,
    "{0!r} {0.token} {0.password!s} {0.username!r}".format,
    lambda it: "%s %r" % (it, it),  # noqa: UP031 - logging formats this way
    dataclasses.asdict,
    dataclasses.astuple,
    lambda it: f"{it.token or it.password:>40}",
    lambda it: repr(vars(it)),
    lambda it: repr(copy.copy(it.token)) + repr(copy.deepcopy(it.password)),
    lambda it: repr(dataclasses.replace(it, source="elsewhere")),
    lambda it: json.dumps(dataclasses.asdict(it), default=str),
    lambda it: repr([it, {"login": it}]),
]


@pytest.mark.parametrize("show", SHOWINGS)
@pytest.mark.parametrize("environ", [TOKEN, ACCOUNT])
def test_no_way_of_showing_credentials_shows_them(
    show: Callable[[Credentials], object], environ: dict[str, str], tmp_path: Path
) -> None:
    shown = f"{show(found(environ, tmp_path))}"
    assert SECRET not in shown and NAME not in shown


def test_a_log_line_shows_none(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    credentials = found(TOKEN, tmp_path)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("somebody").info("login %s %r %s", credentials, credentials, credentials.token)
    assert "Secret(***)" in caplog.text and SECRET not in caplog.text


@pytest.mark.parametrize("what", [lambda it: it, lambda it: it.token, lambda it: {"options": [it]}])
def test_credentials_refuse_to_be_pickled_or_to_enter_a_graph(
    what: Callable[[Credentials], object], tmp_path: Path
) -> None:
    thing = what(found(TOKEN, tmp_path))
    with pytest.raises(TypeError, match="do not travel"):
        pickle.dumps(thing)
    with pytest.raises(TypeError, match="do not travel"):
        tokenize(thing)
    with pytest.raises(TypeError, match="do not travel"):
        delayed(str, pure=True)(thing)


@pytest.mark.parametrize(
    "environ",
    [
        {"EARTHDATA_TOKEN": f"{SECRET}\n{SECRET}"},
        {"EARTHDATA_TOKEN": f"Bearer {SECRET}"},
        {"EARTHDATA_TOKEN": f"{SECRET}é"},
        {"EARTHDATA_PASSWORD": SECRET},
        {"EARTHDATA_USERNAME": SECRET},
    ],
)
def test_an_unusable_variable_is_named_and_not_quoted(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(CredentialsMissing, match="EARTHDATA_") as caught:
        find_credentials(environ, tmp_path)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_broken_netrc_is_told_by_its_line_and_not_by_its_text(tmp_path: Path) -> None:
    path = write_netrc(tmp_path, f"machine {LOGIN_HOST} login {NAME} pass word {SECRET}\n")
    with pytest.raises(CredentialsMissing, match="line 1") as caught:
        find_credentials({}, tmp_path)
    trace = "".join(traceback.format_exception(caught.value))
    assert str(path) in str(caught.value) and SECRET not in trace and NAME not in trace


def test_a_netrc_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_bytes(b"machine \xff\xfe\x00")
    with pytest.raises(CredentialsMissing, match=r"\.netrc"):
        find_credentials({}, tmp_path)


def test_gdal_gets_the_token_and_cookies_of_its_own_process(tmp_path: Path) -> None:
    options = gdal_options(found(TOKEN, tmp_path), tmp_path)
    assert options["GDAL_HTTP_BEARER"] == SECRET and options["GDAL_HTTP_AUTH"] == "BEARER"
    assert options["GDAL_HTTP_COOKIEFILE"] == options["GDAL_HTTP_COOKIEJAR"]
    cookies = Path(options["GDAL_HTTP_COOKIEJAR"])
    assert cookies.parent == tmp_path and str(os.getpid()) in cookies.name
    assert options["CPL_VSIL_CURL_USE_HEAD"] == "NO"


def test_gdal_gets_an_account_as_a_private_netrc(tmp_path: Path) -> None:
    credentials = found(ACCOUNT, tmp_path)
    for _ in range(2):  # written anew each time
        options = gdal_options(credentials, tmp_path)
    path = Path(options["GDAL_HTTP_NETRC_FILE"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert found({"NETRC": str(path)}, tmp_path).netrc_path == path
    assert SECRET not in "".join(options.values())


def test_gdal_gets_the_users_netrc_by_its_path(tmp_path: Path) -> None:
    path = write_netrc(tmp_path)
    options = gdal_options(found({}, tmp_path), tmp_path)
    assert options["GDAL_HTTP_NETRC"] == "YES" and options["GDAL_HTTP_NETRC_FILE"] == str(path)


def test_without_a_login_gdal_still_reads_without_listing(tmp_path: Path) -> None:
    options = gdal_options(None, tmp_path)
    assert options["GDAL_DISABLE_READDIR_ON_OPEN"] == "EMPTY_DIR"
    assert not any(
        key.startswith(("GDAL_HTTP_COOKIE", "GDAL_HTTP_AUTH", "GDAL_HTTP_NETRC")) for key in options
    )


def test_what_a_user_tells_gdal_in_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GDAL_HTTP_LOW_SPEED_TIME", "3")
    options = gdal_options(found(TOKEN, tmp_path), tmp_path)
    assert "GDAL_HTTP_LOW_SPEED_TIME" not in options and options["GDAL_HTTP_MAX_RETRY"] == "1"


@pytest.mark.parametrize("environ", [TOKEN, ACCOUNT, {}])
def test_a_worker_finds_the_same_login_from_its_environment(environ: dict[str, str], tmp_path: Path) -> None:
    write_netrc(tmp_path)
    credentials = found(environ, tmp_path)
    there = found(environment_for_workers(credentials), tmp_path / "other-home")
    assert (there.token, there.username, there.password, there.netrc_path) == (
        credentials.token, credentials.username, credentials.password, credentials.netrc_path
    )  # fmt: skip


@pytest.mark.parametrize(
    ("href", "trusted"),
    [
        ("https://datapool.asf.alaska.edu/RTC/OPERA-S1/x.tif", True),
        ("/vsicurl/https://cumulus.asf.earthdatacloud.nasa.gov/OPERA/x.tif", True),
        ("https://urs.earthdata.nasa.gov/oauth", True),
        ("http://datapool.asf.alaska.edu/x.tif", False),  # a token is never sent in the clear
        ("https://evil-asf.alaska.edu.example.org/x.tif", False),
        ("https://example.org/datapool.asf.alaska.edu/x.tif", False),
        ("https://notasf.alaska.edu/x.tif", False),
        ("https://user@example.org/#.asf.alaska.edu", False),
        ("s3://bucket/x.tif", False),
        ("/data/x.tif", False),
    ],
)
def test_only_the_archives_own_hosts_may_see_a_login(href: str, trusted: bool) -> None:
    assert is_earthdata(href) is trusted


def test_a_token_tells_when_it_ends(tmp_path: Path) -> None:
    end = datetime(2026, 12, 1, tzinfo=UTC)
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(end.timestamp())}).encode()).decode().rstrip("=")
    assert found({"EARTHDATA_TOKEN": f"e30.{claims}.sig"}, tmp_path).expires == end
    assert found(TOKEN, tmp_path).expires is None
    assert found(ACCOUNT, tmp_path).expires is None
    assert found({"EARTHDATA_TOKEN": "e30.!!!!.sig"}, tmp_path).expires is None


def test_gdal_reads_a_window_with_the_token_and_logs_it_nowhere(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    seen = serve(httpserver, "/x.tif", geotiff())
    options = gdal_options(found(TOKEN, tmp_path), tmp_path)
    address = f"/vsicurl/{httpserver.url_for('/x.tif')}"
    with caplog.at_level(logging.DEBUG), rasterio.Env(**options), rasterio.open(address) as raster:
        assert raster.read(1)[0, 0] == 0.25
    assert {request.method for request in seen} == {"GET"}
    assert {request.headers["Authorization"] for request in seen} == {f"Bearer {SECRET}"}
    assert SECRET not in caplog.text


def test_a_worker_logs_in_from_its_own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EARTHDATA_TOKEN", "EARTHDATA_TOKEN_FILE", *ACCOUNT, "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert login_of_this_process() == {} and find_credentials() is None
    path = write_netrc(tmp_path)
    assert login_of_this_process() == {"GDAL_HTTP_NETRC": "YES", "GDAL_HTTP_NETRC_FILE": str(path)}
    monkeypatch.setenv("EARTHDATA_USERNAME", NAME)
    monkeypatch.setenv("EARTHDATA_PASSWORD", SECRET)
    written = Path(login_of_this_process()["GDAL_HTTP_NETRC_FILE"])
    assert written != path and find_credentials({"NETRC": str(written)}, tmp_path / "nowhere") is not None
    assert written.parent.stat().st_mode & 0o777 == 0o700
    before = written.stat().st_mtime_ns
    assert login_of_this_process()["GDAL_HTTP_NETRC_FILE"] == str(written)  # asked again, it is as it was
    assert written.stat().st_mtime_ns == before
    monkeypatch.setenv("EARTHDATA_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(CredentialsMissing, match="token, which cannot be read"):
        login_of_this_process()
    (tmp_path / "token").write_text("")
    with pytest.raises(CredentialsMissing, match="token, which is empty"):
        login_of_this_process()
    (tmp_path / "token").write_text(f"{SECRET}-2\n")
    assert login_of_this_process()["GDAL_HTTP_BEARER"] == f"{SECRET}-2"
    monkeypatch.setenv("EARTHDATA_TOKEN", SECRET)
    assert login_of_this_process() == {"GDAL_HTTP_AUTH": "BEARER", "GDAL_HTTP_BEARER": SECRET}


def test_a_token_in_the_environment_is_not_sent_to_other_hosts(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = serve(httpserver, "/elsewhere.tif", geotiff())
    href = httpserver.url_for("/elsewhere.tif")
    for name, value in login_options(Credentials("test", token=Secret(SECRET)), Path()).items():
        monkeypatch.setenv(name, value)
    with rasterio.Env(**gdal_options(None, Path()), **login_for(href)), rasterio.open(href) as raster:
        assert raster.shape == (3, 4)
    assert seen and not any("Authorization" in request.headers for request in seen)
    archive = "https://datapool.asf.alaska.edu/RTC/x.tif"
    assert login_for(archive) == {"GDAL_HTTP_AUTH": "BEARER", "GDAL_HTTP_BEARER": SECRET}
    monkeypatch.setenv("GDAL_HTTP_BEARER", "renewed")
    assert login_for(archive)["GDAL_HTTP_BEARER"] == "renewed"
