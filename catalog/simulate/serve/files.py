"""The archive's file hosts: a login, a redirect to an address that is valid for seconds, ranges of bytes.

The way of the real archive: a bearer token, or the cookie of a login, gets a redirect (303) to a signed
address at a host that is none of NASA's; whoever has neither is sent to the login host, which asks for the
password and sends back with a cookie. The signed host answers ranged GETs, refuses HEAD, and tells an old or
forged signature in XML. A token has no business there: it is remembered when one arrives. `login` plays the
login host. Whatever would change a file is refused with 405; the real hosts say 403 or 405.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response

from glaciolake.catalog.simulate.serve.faults import EXPIRE
from glaciolake.catalog.simulate.serve.holdings import Holdings
from glaciolake.catalog.simulate.serve.hosts import BUCKET, SIGNED_HOST
from glaciolake.catalog.simulate.serve.login import Logins, not_allowed
from glaciolake.catalog.simulate.serve.options import Options

_READS = ("GET", "HEAD")


class FileHosts:
    """Answers of the archive's own host and the signed host.

    Attributes
    ----------
    leaked
        Paths at which the signed host was shown an ``Authorization`` that is none of its business.
    logins
        Knows who is logged in.
    """

    def __init__(self, holdings: Holdings, options: Options) -> None:
        self.leaked: list[str] = []
        self.logins = Logins(options)
        self._holdings, self._options = holdings, options
        self._secret = secrets.token_bytes(16)

    @property
    def refused_logins(self) -> int:
        """Number of tokens and passwords that were not the right ones."""
        return self.logins.refused

    async def data(self, request: Request) -> Response:
        """`DATA_HOST`: whoever is logged in is sent on to the signed address."""
        if request.method not in _READS:
            return not_allowed()
        if request.url.path == "/login":
            return self.logins.logged_in(request)
        if not self.logins.knows(request):
            return self.logins.asks(request)
        path = request.url.path.removeprefix("/OPERA/")
        if self._file(path) is None:
            return PlainTextResponse("The specified key does not exist.", 404)
        valid_s = -60.0 if request.scope.get(EXPIRE) else self._options.signed_s
        answer = RedirectResponse(self._signed(f"/s3-simulated/{BUCKET}/{path}", valid_s), 303)
        answer.headers["Cache-Control"] = f"private, max-age={int(self._options.signed_s)}"
        self.logins.give_session(request, answer)
        return answer

    async def signed(self, request: Request) -> Response:
        """`SIGNED_HOST`: a range of a file to whoever holds a valid signature."""
        if "authorization" in request.headers:
            self.leaked.append(request.url.path)
        if request.method not in _READS:
            return not_allowed()
        if request.method == "HEAD":
            return _refused("AccessDenied", "Access denied")
        expires = request.query_params.get("Expires", "")
        if "Signature" not in request.query_params or not expires.isdigit():
            return _refused("MissingKey", "Missing Key-Pair-Id query parameter or cookie value")
        wanted = self._mac(f"{request.url.path}?{expires}")
        if not hmac.compare_digest(request.query_params["Signature"].encode(), wanted.encode()):
            return _refused("AccessDenied", "Access denied")
        if int(expires) < time.time():
            return _refused("AccessDenied", "Access denied: the request has expired")
        return self.send(request.url.path)

    async def plain(self, request: Request) -> Response:
        """Answer as a mirror that is open to all."""
        if request.method not in _READS:
            return not_allowed()
        return self.send(request.url.path)

    def send(self, path: str) -> Response:
        """Send a file, or its checksum."""
        file = self._file(path)
        if file is None:
            return PlainTextResponse("The specified key does not exist.", 404)
        if file.suffix == ".md5" and not file.is_file():
            try:
                digest = hashlib.md5(file.with_suffix("").read_bytes(), usedforsecurity=False).hexdigest()
            except OSError:
                return PlainTextResponse("The specified key does not exist.", 404)
            return PlainTextResponse(f"{digest}  {file.stem}\n")
        if not file.is_file():
            return PlainTextResponse("The specified key does not exist.", 404)
        return FileResponse(file, media_type="image/tiff" if file.suffix == ".tif" else "text/plain")

    def _file(self, path: str) -> Path | None:
        """Place of the file that an address names; that of a checksum need not exist."""
        name = path.rpartition("/")[2]
        found = self._holdings.file(name.removesuffix(".md5"))
        return found.with_name(name) if found else None

    def _signed(self, path: str, valid_s: float) -> str:
        expires = int(time.time() + valid_s)
        query: Mapping[str, str | int] = {
            "A-userid": self._options.account[0],
            "Expires": expires,
            "Signature": self._mac(f"{path}?{expires}"),
            "Key-Pair-Id": "KSIMULATED",
        }
        return f"https://{SIGNED_HOST}{path}?{urlencode(query)}"

    def _mac(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), "sha256").hexdigest()


def _refused(code: str, message: str) -> Response:
    """Refuse in the words of a content delivery network."""
    told = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>{told}'
    return Response(text, 403, media_type="text/xml")
