"""Faults in front of a server: which request meets one, and what it is answered.

Random faults are drawn from the seed, the address and the number of times that it was asked, so that the
order in which the clients' threads come changes nothing.
"""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glaciolake.catalog.simulate.serve.hosts import DATA_HOST, LOGIN_HOST, SEARCH_HOST, SIGNED_HOST
from glaciolake.catalog.simulate.serve.options import ALL, Options, check_broken, check_faults

EXPIRE = "glaciolake.expire"
"""Key in a request's scope: the archive is to sign an address that is already too old."""
LOGIN_PAGE = (
    "<!DOCTYPE html><html><head><title>Earthdata Login</title></head><body>Please log in.</body></html>"
)
_ANYWHERE = ("429", "500", "stall", "truncate")
_MEETS = {
    SEARCH_HOST: ("401", *_ANYWHERE),
    DATA_HOST: ("401", *_ANYWHERE, "expired"),
    SIGNED_HOST: _ANYWHERE,
    LOGIN_HOST: _ANYWHERE,
}
"""Faults that a request can meet, by host; what is not played is the plain port, which is open to all."""


class Faults:
    """What goes wrong; both may be set while the server runs.

    Attributes
    ----------
    sent
        Fault word -> times it was met.
    """

    def __init__(self, options: Options) -> None:
        self.seed, self.stall_s, self.retry_after_s = options.seed, options.stall_s, options.retry_after_s
        self.sent: Counter[str] = Counter()
        self.closing: asyncio.Event | None = None
        self._could: Counter[str] = Counter()
        self._drawn: Counter[str] = Counter()
        self._matched: set[tuple[str, str]] = set()
        self._asked: Counter[tuple[str, str]] = Counter()
        self.shares, self.broken = options.faults, options.broken

    @property
    def shares(self) -> Mapping[str, float]:
        """Fault word, or `ALL`, -> share of the requests that meet it."""
        return self._shares

    @shares.setter
    def shares(self, shares: Mapping[str, float]) -> None:
        check_faults(shares)
        self._shares = dict(shares)

    @property
    def broken(self) -> Sequence[tuple[str, str]]:
        """(pattern of file names, fault word) of what fails every time."""
        return self._broken

    @broken.setter
    def broken(self, broken: Sequence[tuple[str, str]]) -> None:
        check_broken(broken)
        self._broken = tuple(broken)

    def draw(self, host: str, method: str, path: str) -> str | None:
        """Fault that a request meets; None lets it through."""
        kinds = meets(host, method)
        self._could.update(kinds)
        for pattern, kind in self._broken:
            if kind in kinds and fnmatch.fnmatchcase(path.rstrip("/").rpartition("/")[2], pattern):
                self._matched.add((pattern, kind))
                return kind
        asked = (method, f"{host}{path}")
        self._asked[asked] += 1
        told = f"{self.seed} {asked} {self._asked[asked]}"
        level = int.from_bytes(hashlib.blake2b(told.encode(), digest_size=8).digest()) / 2**64
        for kind in kinds:
            level -= self._shares.get(kind, 0.0) + self._shares.get(ALL, 0.0) / len(kinds)
            if level < 0:
                self._drawn[kind] += 1
                return kind
        return None

    def unmet(self) -> list[str]:
        """Tell, a line each, which faults were asked for and met no request."""
        lines = [
            f"--broken {pattern}={kind}: no request was for such a file, and could meet {kind}"
            for pattern, kind in self._broken
            if (pattern, kind) not in self._matched
        ]
        for kind, share in self._shares.items():
            met = self._drawn.total() if kind == ALL else self._drawn[kind]
            n = self._asked.total() if kind == ALL else self._could[kind]
            if share and not met:
                how = f"none of the {n} requests that could meet it did" if n else "no request could meet it"
                lines.append(f"--fault {kind}={share:g}: {how}")
        return lines

    async def wait(self) -> None:
        """Hang for as long as a stall lasts, or until the server closes."""
        assert self.closing is not None
        with suppress(TimeoutError):
            await asyncio.wait_for(self.closing.wait(), self.stall_s)


def meets(host: str, method: str) -> tuple[str, ...]:
    """Fault words that a request to a host can meet."""
    if method == "HEAD":
        return ("403-head",)
    return _MEETS.get(host, ("401", *_ANYWHERE))


class Faulty:
    """An application of which some requests fail.

    Parameters
    ----------
    app
        What answers the others.
    faults
        Which fail.
    """

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app, self._faults = app, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        kind = None
        if scope["type"] == "http":
            kind = self._faults.draw(host_of(scope), scope["method"], scope["path"])
        if kind is None:
            await self._app(scope, receive, send)
            return
        self._faults.sent[kind] += 1
        if kind == "expired":
            await self._app({**scope, EXPIRE: True}, receive, send)
        elif kind == "truncate":
            await self._app(scope, receive, _Half(send).send)
        elif kind == "stall":
            await self._hang(send)
        else:
            await self._refusal(kind, host_of(scope))(scope, receive, send)

    async def _hang(self, send: Send) -> None:
        """Begin an answer, wait, and leave: the server then drops the connection."""
        headers = [(b"content-length", b"65536"), (b"content-type", b"application/octet-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await self._faults.wait()

    def _refusal(self, kind: str, host: str) -> Response:
        said = {
            "401": "Token does not exist",
            "403-head": "",
            "429": "Too many requests",
            "500": "An error occurred",
        }
        status = int(kind[:3])
        headers = {"Retry-After": str(self._faults.retry_after_s)} if status == 429 else {}
        if kind == "403-head":
            return Response(status_code=403)
        if status == 401 and host == DATA_HOST:
            return HTMLResponse(LOGIN_PAGE, 401)
        return JSONResponse({"errors": [said[kind]]}, status, headers)


class _Half:
    """Lets the first half of a body pass and swallows the rest, without saying so in the headers."""

    def __init__(self, send: Send) -> None:
        self._send, self._left = send, 0

    async def send(self, message: Message) -> None:
        """Pass one message on, as far as it goes."""
        if message["type"] == "http.response.start":
            lengths = [int(value) for key, value in message["headers"] if key.lower() == b"content-length"]
            self._left = (lengths[0] if lengths else 0) // 2
            if not self._left:  # there is no body that could be cut: the connection breaks before it
                message = {**message, "headers": [*_without_length(message), (b"content-length", b"1")]}
            await self._send(message)
        elif message["type"] == "http.response.body":
            part = message.get("body", b"")[: self._left]
            self._left -= len(part)
            await self._send({"type": "http.response.body", "body": part, "more_body": True})


def _without_length(message: Message) -> list[tuple[bytes, bytes]]:
    return [one for one in message["headers"] if one[0].lower() != b"content-length"]


def host_of(scope: Scope) -> str:
    """Host that a request names, without its port."""
    host: bytes = dict(scope["headers"]).get(b"host", b"")
    return host.decode("latin-1").partition(":")[0].lower()
