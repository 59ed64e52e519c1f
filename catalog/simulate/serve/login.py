"""Logins to the archive: the login host, its codes, and the cookies that they are exchanged for.

What asf_search's ``ASFSession`` calls is played: ``auth_with_token`` asks whose a token is,
``auth_with_creds`` has one made for a password and then goes by way of `AUTH_HOST`, where it gets its
cookie. Not played: the profile pages of Earthdata, applications that a user has not approved yet, tokens
that expire, and the list of a user's tokens.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from glaciolake.catalog.simulate.serve.faults import LOGIN_PAGE
from glaciolake.catalog.simulate.serve.hosts import AUTH_HOST, DATA_HOST, LOGIN_HOST
from glaciolake.catalog.simulate.serve.options import Options

SESSION = "asf-urs"
_LOGIN_SESSION = "_urs-gui_session"
_CLIENT = "simulated-archive"
_TOKEN_DAYS = 60
_WELCOME = "<!DOCTYPE html><html><head><title>Archive</title></head><body>You are logged in.</body></html>"


class Logins:
    """Answers of the login host and of `AUTH_HOST`; knows who is logged in.

    Attributes
    ----------
    refused
        Number of tokens and passwords that were not the right ones.
    """

    def __init__(self, options: Options) -> None:
        self.refused = 0
        self._options = options
        self._session, self._code = secrets.token_hex(16), secrets.token_hex(32)
        self._answers: dict[tuple[str, str], Callable[[Request], Awaitable[Response]]] = {
            ("/oauth/authorize", "GET"): self._authorize,
            ("/oauth/tokens/user", "POST"): self._whose,
            ("/api/users/find_or_create_token", "POST"): self._token,
        }

    async def answer(self, request: Request) -> Response:
        """`LOGIN_HOST`: passwords get codes or tokens, tokens get the name of their user."""
        found = self._answers.get((request.url.path, request.method.replace("HEAD", "GET")))
        if found is not None:
            return await found(request)
        allowed = [method for path, method in self._answers if path == request.url.path]
        if allowed:
            return not_allowed(*allowed)
        return PlainTextResponse("no such page", 404)

    async def at_auth(self, request: Request) -> Response:
        """`AUTH_HOST`: a code gets a cookie, and there is no bucket of which keys could be given."""
        if request.method not in ("GET", "HEAD"):
            return not_allowed()
        if request.url.path == "/login":
            return self.logged_in(request)
        if not self.knows(request):
            return self.asks(request)
        if request.url.path == "/":
            return HTMLResponse(_WELCOME)
        return PlainTextResponse("no such page; the simulated archive has no bucket, and no keys to one", 404)

    def knows(self, request: Request) -> bool:
        """Whether a request carries the right token or the cookie of a login."""
        given = request.headers.get("authorization", "")
        if given.startswith("Bearer "):  # curl brings a password along that is meant for the login host
            return _same(given, f"Bearer {self._options.token}")
        return _same(request.cookies.get(SESSION, ""), self._session)

    def asks(self, request: Request) -> Response:
        """Refuse a wrong token, and send whoever has none to the login host."""
        if request.headers.get("authorization", "").startswith("Bearer "):
            self.refused += 1
            return HTMLResponse(LOGIN_PAGE, 401)
        asked = {
            "client_id": _CLIENT,
            "response_type": "code",
            "redirect_uri": f"https://{_host(request)}/login",
            "state": request.url.path,
        }
        return RedirectResponse(f"https://{LOGIN_HOST}/oauth/authorize?{urlencode(asked)}", 302)

    def logged_in(self, request: Request) -> Response:
        """Exchange a code for a cookie, and send back to where the way began."""
        if not _same(request.query_params.get("code", ""), self._code):
            return HTMLResponse(LOGIN_PAGE, 401)
        state = request.query_params.get("state", "/")
        answer = RedirectResponse(state if state.startswith("/") and not state.startswith("//") else "/", 302)
        self.give_session(request, answer)
        return answer

    def give_session(self, request: Request, answer: Response) -> None:
        """Add the cookie of a login to an answer; it is good at the host's neighbours, too."""
        domain = _host(request).partition(".")[2]
        answer.set_cookie(SESSION, self._session, domain=f".{domain}", secure=True, httponly=True)

    async def _authorize(self, request: Request) -> Response:
        """Exchange name and password, or the cookie of an earlier login, for a code."""
        if not self._has_password(request) and not _same(
            request.cookies.get(_LOGIN_SESSION, ""), self._session
        ):
            self._count(request)
            asks = {"WWW-Authenticate": 'Basic realm="Please enter your Earthdata Login credentials."'}
            return HTMLResponse(LOGIN_PAGE, 401, asks)
        back = request.query_params.get("redirect_uri", "")
        if back not in (f"https://{DATA_HOST}/login", f"https://{AUTH_HOST}/login"):
            return PlainTextResponse("no such page", 404)
        told = {"code": self._code}
        if "state" in request.query_params:
            told["state"] = request.query_params["state"]
        answer = RedirectResponse(f"{back}?{urlencode(told)}", 302)
        answer.set_cookie("urs_user_already_logged", "yes", domain=".earthdata.nasa.gov", secure=True)
        answer.set_cookie(_LOGIN_SESSION, self._session, secure=True, httponly=True)
        return answer

    async def _token(self, request: Request) -> Response:
        """Give the token to whoever has the password."""
        if not self._has_password(request):
            self._count(request)
            said = {"error": "invalid_credentials", "error_description": "Invalid user credentials"}
            return JSONResponse(said, 401)
        expires = datetime.now(UTC) + timedelta(days=_TOKEN_DAYS)
        told = {"token_type": "Bearer", "expiration_date": f"{expires:%m/%d/%Y}"}
        return JSONResponse({"access_token": self._options.token} | told)

    async def _whose(self, request: Request) -> Response:
        """Tell whose a token is."""
        body = parse_qs((await request.body()).decode("latin-1"))
        token = (body.get("token") or [""])[0]
        if not _same(token, self._options.token):
            self.refused += 1
            said = "The token is either malformed or does not exist"
            return JSONResponse({"error": "invalid_token", "error_description": said}, 401)
        return JSONResponse({"uid": self._options.account[0]})

    def _has_password(self, request: Request) -> bool:
        account = base64.b64encode(":".join(self._options.account).encode()).decode()
        return _same(request.headers.get("authorization", ""), f"Basic {account}")

    def _count(self, request: Request) -> None:
        self.refused += "authorization" in request.headers


def not_allowed(*methods: str) -> Response:
    """Refuse a method, and say which there are; GET and HEAD, where none is named."""
    return PlainTextResponse("Method Not Allowed", 405, {"Allow": ", ".join(methods or ("GET", "HEAD"))})


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _host(request: Request) -> str:
    return AUTH_HOST if request.url.hostname == AUTH_HOST else DATA_HOST
