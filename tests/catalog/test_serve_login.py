"""asf_search's own logins to a served archive, and its downloads with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asf_search
import pytest
from asf_search.exceptions import ASFAuthenticationError

from glaciolake.catalog.simulate.serve.hosts import AUTH_HOST, LOGIN_HOST
from glaciolake.catalog.simulate.serve.server import Served, served
from tests.catalog.serving import session, write_folder

ASKED = {"dataset": "OPERA-S1", "processingLevel": "RTC", "operaBurstID": "T121_258662_IW2"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = write_folder(tmp_path_factory.mktemp("archive"))
    with pytest.MonkeyPatch.context() as patch, served(folder) as running:
        patch.setattr(asf_search, "REPORT_ERRORS", False)
        patch.setenv("NETRC", str(folder / "no netrc"))  # a login of the user's own stays out of this
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


def logged_in(archive: Served, how: str) -> asf_search.ASFSession:
    made = asf_search.ASFSession()
    if how == "token":
        return made.auth_with_token(archive.options.token)
    made.auth_with_creds(*archive.options.account)
    if how == "cookies":
        return asf_search.ASFSession().auth_with_cookiejar(made.cookies)
    return made


@pytest.mark.parametrize("how", ["token", "account", "cookies"])
def test_a_login_of_asf_search_downloads_what_lies_there(archive: Served, tmp_path: Path, how: str) -> None:
    refused = archive.files.refused_logins
    known = logged_in(archive, how)
    product = asf_search.search(**ASKED)[0]
    product.download(str(tmp_path), session=known)
    (there,) = tmp_path.iterdir()
    here = archive.holdings.file(product.properties["fileName"])
    assert here is not None and there.read_bytes() == here.read_bytes() and there.name == here.name
    assert archive.leaked == [] and archive.refused == [] and archive.files.refused_logins == refused


def test_an_account_gets_the_token_and_the_cookies(archive: Served) -> None:
    known = logged_in(archive, "account")
    assert known.headers["Authorization"] == f"Bearer {archive.options.token}" and known.auth is None
    assert {cookie.name: cookie.domain for cookie in known.cookies}.items() >= {
        "asf-urs": ".asf.alaska.edu",
        "urs_user_already_logged": ".earthdata.nasa.gov",
    }.items()


def test_wrong_logins_are_refused_with_the_words_of_asf_search(archive: Served, tmp_path: Path) -> None:
    name, password = archive.options.account
    before = archive.files.refused_logins
    with pytest.raises(ASFAuthenticationError, match="Invalid/Expired token"):
        asf_search.ASFSession().auth_with_token("wrong")
    for account in ((name, "wrong"), ("wrong", password)):
        with pytest.raises(ASFAuthenticationError, match="Failed to log in with provided credentials"):
            asf_search.ASFSession().auth_with_creds(*account)
    assert archive.files.refused_logins == before + 3
    with pytest.raises(ASFAuthenticationError, match="HTTP 401"):
        asf_search.search(**ASKED)[0].download(str(tmp_path), session=asf_search.ASFSession())
    assert list(tmp_path.iterdir()) == []


def test_a_code_that_is_none_gets_no_cookie(archive: Served) -> None:
    for url in (f"https://{AUTH_HOST}/login?code=wrong", f"https://{AUTH_HOST}/login"):
        said = session(archive).get(url, allow_redirects=False, timeout=10)
        assert said.status_code == 401 and "Set-Cookie" not in said.headers


def test_the_way_back_leads_to_the_archive_alone(archive: Served) -> None:
    made = session(archive)
    made.auth = archive.options.account
    authorize = f"https://{LOGIN_HOST}/oauth/authorize"
    away = made.get(authorize, params={"redirect_uri": "https://example.org/login"}, timeout=10)
    assert away.status_code == 404
    asked = {"redirect_uri": f"https://{AUTH_HOST}/login", "state": "https://example.org/"}
    back = made.get(authorize, params=asked, allow_redirects=False, timeout=10)
    there = made.get(back.headers["Location"], allow_redirects=False, timeout=10)
    assert urlsplit(there.headers["Location"]).path == "/" and archive.refused == []


def test_keys_to_a_bucket_are_asked_a_login_for_and_not_given(archive: Served) -> None:
    url = f"https://{AUTH_HOST}/s3credentials"
    nobody = session(archive).get(url, allow_redirects=False, timeout=10)
    assert nobody.status_code == 302 and f"{AUTH_HOST}%2Flogin" in nobody.headers["Location"]
    known = session(archive, token=archive.options.token).get(url, timeout=10)
    assert known.status_code == 404 and "no bucket" in known.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/oauth/tokens/user", "POST"),
        ("GET", "/api/users/find_or_create_token", "POST"),
        ("POST", "/oauth/authorize", "GET"),
    ],
)
def test_the_login_host_says_how_it_is_asked(archive: Served, method: str, path: str, allowed: str) -> None:
    said = session(archive).request(method, f"https://{LOGIN_HOST}{path}", timeout=10)
    assert said.status_code == 405 and said.headers["Allow"] == allowed
    assert session(archive).get(f"https://{LOGIN_HOST}/profile", timeout=10).status_code == 404
