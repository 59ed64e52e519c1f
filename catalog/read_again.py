"""Reading rasters over HTTP: what GDAL's errors mean, and which are worth another attempt.

What holds in GDAL 3.10, as tried out on a server that fails so:

* It repeats what a busy server answers (429, 5xx) after a delay of its own: it neither heeds Retry-After nor
  tells it. All that can be done is to wait as long as such servers ask for: `retries.BUSY_WAITS_S` reach a
  server that asks for up to a minute and a half, though it is asked in between, four times in two seconds.
* It repeats a connection that cannot be made as often, but not one that is cut, whether for its low speed (it
  hangs) or for GDAL_HTTP_TIMEOUT.
* Whatever GDAL_HTTP_MAX_RETRY says, a failing open makes up to three requests, and a failing read four, which
  hang one after the other. So `retries.GDAL_PATIENCE` is one repetition, and 15 s for a request that hangs.
* A read that fails tells no status, whatever hinders it: it looks broken. The next attempt opens the file
  anew, and an open tells.

Measured with these limits: a file that hangs every time is given up after 45 s (its headers come and no
body), 60 s (it opens and cannot be read) or 61 s (not a word), one whose server takes no connection after
62 s, and a server that is always busy after 104 s. By the limits, what hangs now and then takes 100 s at most
(`READ_BUDGET_S` and one more attempt), and what fails in every way in turn five minutes, since each kind has
its own time. What drips, above GDAL's lowest speed, has GDAL_HTTP_TIMEOUT for each of three requests: six
minutes. The slice stays pending, and the next run tries again.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from rasterio.errors import RasterioError, RasterioIOError
from rasterio.io import DatasetReader

from glaciolake.catalog.retries import (
    BUSY,
    BUSY_WAITS_S,
    NO_PATIENCE,
    READ_WAITS_S,
    REFUSED,
    REFUSED_WAITS_S,
    Patience,
    patiently,
)

ASK_AGAIN = {"CPL_VSIL_CURL_NON_CACHED": "/vsicurl/:/vsis3/:/vsigs/:/vsiaz/"}
"""GDAL remembers, while a process lives, that a file could not be opened; this makes it ask again."""
READ_BUDGET_S = 40.0
"""Time that failed reads of a file may take before the last is begun: less than one that hangs throughout."""
BUSY_BUDGET_S = 120.0
"""The same where the server is busy: all of `retries.BUSY_WAITS_S`, and what GDAL waits by itself."""
CONVINCED = 3
"""Files of a host refused to the last, one after the other, after which it is believed at once."""
_STATUS = re.compile(r"HTTP response code: (\d{3})|HTTP error code : (\d{3})")
_GONE = (404, 410)
_ONCE = Patience("once", (0.0,), READ_BUDGET_S)
"""The first answer may be one that GDAL remembers from an earlier run of this process."""

T = TypeVar("T")


class Refusals:
    """What this process knows of its login: refused again and again, it is not shown for long any more."""

    def __init__(self) -> None:
        self._in_a_row: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.passwords: dict[str, str] = {}
        """Password logins that were refused and never let in -> the refusal: they are not shown again."""
        self.good: set[str] = set()
        """Password logins that were let in once."""

    def convinced(self, host: str) -> bool:
        """Whether a host's refusal is no accident any more."""
        return self._in_a_row[host] >= CONVINCED

    def note(self, host: str, *, refused: bool) -> None:
        """Count a file that was refused to the last; any other outcome starts anew."""
        with self._lock:
            self._in_a_row[host] = self._in_a_row[host] + 1 if refused else 0


REFUSALS = Refusals()


def password_of(login: Mapping[str, str]) -> str | None:
    """Tell which password GDAL's login options show, by its file and the file's age; None for a token."""
    if "GDAL_HTTP_NETRC_FILE" not in login or "GDAL_HTTP_BEARER" in login:
        return None
    path = Path(login["GDAL_HTTP_NETRC_FILE"])
    return f"{path} {path.stat().st_mtime_ns if path.is_file() else 0}"


def read_again(read: Callable[[dict[str, str]], T], href: str = "", *, password: str | None = None) -> T:
    """Read a remote raster, again where the failure may pass.

    A password that nobody has accepted yet is shown twice and then never again in this process: an account is
    locked after so many wrong ones.

    Parameters
    ----------
    read
        Called with GDAL options to be set around it.
    href
        Address that is read: what a host refuses says nothing of others.
    password
        As of `password_of`, where reading shows one.

    Raises
    ------
    RasterioError
        The last failure; everything else that `read` raises comes through at once.
    """
    host = urlsplit(href.removeprefix("/vsicurl/")).hostname or ""
    unknown = password is not None and password not in REFUSALS.good
    if password is not None and (said := REFUSALS.passwords.get(password)) is not None:
        raise RasterioIOError(said)

    def worth(error: Exception) -> Patience:
        return _ONCE if unknown and is_refused(error) else _worth(error, host)

    try:
        found = patiently(lambda number: read(ASK_AGAIN if number else {}), worth)
    except RasterioError as error:
        REFUSALS.note(host, refused=is_refused(error))
        if password is not None and unknown and is_refused(error):
            REFUSALS.passwords[password] = str(error.__cause__ or error)
        raise
    REFUSALS.note(host, refused=False)
    if password is not None:
        REFUSALS.good.add(password)
    return found


class HeaderCut(RasterioError):  # type: ignore[misc]  # rasterio has no types
    """A header without its place on the ground: GDAL takes half of one for a whole, and logs the rest."""


def check_header(raster: DatasetReader) -> None:
    """Refuse a remote raster that has lost its georeference on the way.

    Raises
    ------
    HeaderCut
        Worth another attempt, like any read that broke off.
    """
    if raster.crs is None or raster.transform.is_identity:
        raise HeaderCut("its header has no place on the ground; it broke off on the way, or was written so")


def status_of(error: BaseException) -> int | None:
    """HTTP status in GDAL's words; None where there is none, or where it is that of a redirect."""
    match = _STATUS.search(str(error.__cause__ or error))
    status = int(match[1] or match[2]) if match else None
    return None if status is not None and status < 400 else status


def is_refused(error: BaseException) -> bool:
    """Whether a login was refused, by the status; a page under the file's name may be an outage as well."""
    return status_of(error) in REFUSED


def is_page(error: BaseException) -> bool:
    """Whether what came is no raster: a web page, or so little that GDAL cannot tell."""
    return "not recognized" in str(error.__cause__ or error)


def _worth(error: Exception, host: str) -> Patience:
    if not isinstance(error, RasterioError):
        return NO_PATIENCE
    status = status_of(error)
    if status in _GONE or (status in REFUSED and REFUSALS.convinced(host)):
        return _ONCE
    if status in REFUSED:
        return Patience("refused", REFUSED_WAITS_S, READ_BUDGET_S)
    if status in BUSY:
        return Patience("busy", BUSY_WAITS_S, BUSY_BUDGET_S)
    if is_page(error):  # for a refused login, perhaps: told as soon, though not counted as one
        return Patience("page", REFUSED_WAITS_S, READ_BUDGET_S)
    return Patience("broken", READ_WAITS_S, READ_BUDGET_S)
