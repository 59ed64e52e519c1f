"""Reading rasters over HTTP: what GDAL's errors mean, and which are worth another attempt.

GDAL itself repeats what a busy server answers (429, 5xx), and nothing else: not a refused login, a signed
address that has expired, a connection that broke, half a file. Those pass.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from rasterio.errors import RasterioError, RasterioIOError
from rasterio.io import DatasetReader

from glaciolake.catalog.retries import READ_WAITS_S, REFUSED, REFUSED_WAITS_S, patiently

ASK_AGAIN = {"CPL_VSIL_CURL_NON_CACHED": "/vsicurl/:/vsis3/:/vsigs/:/vsiaz/"}
"""GDAL remembers, while a process lives, that a file could not be opened; this makes it ask again."""
READ_BUDGET_S = 45.0
"""Time after which a file is not tried once more. GDAL itself waits half a minute for a failing server."""
CONVINCED = 3
"""Files refused to the last, one after the other, after which a refusal is believed at once."""
_STATUS = re.compile(r"HTTP response code: (\d{3})|HTTP error code : (\d{3})")
_GONE = (404, 410)
_ONCE = (0.0,)
"""The first answer may be one that GDAL remembers from an earlier run of this process."""

T = TypeVar("T")


class Refusals:
    """What this process knows of its login: refused again and again, it is not shown for long any more."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._lock = threading.Lock()
        self.passwords: dict[str, str] = {}
        """Password logins that were refused and never let in -> the refusal: they are not shown again."""
        self.good: set[str] = set()
        """Password logins that were let in once."""

    @property
    def convinced(self) -> bool:
        """Whether a refusal is no accident any more."""
        return self._in_a_row >= CONVINCED

    def note(self, *, refused: bool) -> None:
        """Count a file that was refused to the last; any other outcome starts anew."""
        with self._lock:
            self._in_a_row = self._in_a_row + 1 if refused else 0


REFUSALS = Refusals()


def password_of(login: Mapping[str, str]) -> str | None:
    """Tell which password GDAL's login options show, by its file and the file's age; None for a token."""
    if "GDAL_HTTP_NETRC_FILE" not in login or "GDAL_HTTP_BEARER" in login:
        return None
    path = Path(login["GDAL_HTTP_NETRC_FILE"])
    return f"{path} {path.stat().st_mtime_ns if path.is_file() else 0}"


def read_again(read: Callable[[dict[str, str]], T], *, password: str | None = None) -> T:
    """Read a remote raster, again where the failure may pass.

    A password that nobody has accepted yet is shown twice and then never again in this process: an account is
    locked after so many wrong ones.

    Parameters
    ----------
    read
        Called with GDAL options to be set around it.
    password
        As of `password_of`, where reading shows one.

    Raises
    ------
    RasterioError
        The last failure; everything else that `read` raises comes through at once.
    """
    unknown = password is not None and password not in REFUSALS.good
    if password is not None and (said := REFUSALS.passwords.get(password)) is not None:
        raise RasterioIOError(said)

    def waits_s(error: Exception) -> tuple[float, ...]:
        return _ONCE if unknown and status_of(error) in REFUSED else _waits_s(error)

    try:
        found = patiently(lambda number: read(ASK_AGAIN if number else {}), waits_s, READ_BUDGET_S)
    except RasterioError as error:
        REFUSALS.note(refused=is_refused(error))
        if password is not None and unknown and status_of(error) in REFUSED:
            REFUSALS.passwords[password] = str(error.__cause__ or error)
        raise
    REFUSALS.note(refused=False)
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
    """Whether a failure looks like a refused login: by its status, or by a page under the file's name."""
    return status_of(error) in REFUSED or "not recognized" in str(error.__cause__ or error)


def _waits_s(error: Exception) -> tuple[float, ...]:
    if not isinstance(error, RasterioError):
        return ()
    if status_of(error) in _GONE or (is_refused(error) and REFUSALS.convinced):
        return _ONCE
    return REFUSED_WAITS_S if is_refused(error) else READ_WAITS_S
