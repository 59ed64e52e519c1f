"""Earthdata login: found in the environment or a netrc file, kept out of every log, repr, graph and store."""

from __future__ import annotations

import atexit
import base64
import json
import netrc
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from glaciolake.catalog.errors import CredentialsMissing
from glaciolake.catalog.retries import GDAL_PATIENCE
from glaciolake.catalog.secret import Secret

LOGIN_HOST = "urs.earthdata.nasa.gov"
"""Where Earthdata asks for the password; the archive's own hosts redirect to it."""
TRUSTED_HOSTS = (".asf.alaska.edu", ".earthdata.nasa.gov", ".earthdatacloud.nasa.gov")
"""Endings of the hosts that may see a token. No other host of a catalogue may."""
HOW_TO = (
    f"register at https://{LOGIN_HOST} and give one of: the variable EARTHDATA_TOKEN; EARTHDATA_TOKEN_FILE, "
    "a file with a token, looked at again while a run works; EARTHDATA_USERNAME and EARTHDATA_PASSWORD; "
    f"or a line 'machine {LOGIN_HOST} login <name> password <password>' in ~/.netrc"
)

_READING = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no listing, no sidecar files
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif,.tiff",
    "CPL_VSIL_CURL_USE_HEAD": "NO",  # the archive's signed addresses refuse HEAD
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",  # a COG's header in one ranged request
    **GDAL_PATIENCE,
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_VERSION": "2",
    "VSI_CACHE": "YES",
    "VSI_CACHE_SIZE": "5000000",  # bytes a file: headers and a few tiles
}


_LOGIN = ("GDAL_HTTP_AUTH", "GDAL_HTTP_BEARER", "GDAL_HTTP_NETRC", "GDAL_HTTP_NETRC_FILE")


@dataclass(frozen=True)
class Credentials:
    """A way to log in to Earthdata; exactly one of its three kinds.

    Attributes
    ----------
    source
        Where it was found, for people: ``EARTHDATA_TOKEN`` or the netrc file's path.
    token
        Bearer token.
    username, password
        Account, where the environment gives it.
    netrc_path
        File with an entry for `LOGIN_HOST`; its content is never read into this value.
    """

    source: str
    token: Secret | None = None
    username: Secret | None = None
    password: Secret | None = None
    netrc_path: Path | None = None

    @property
    def expires(self) -> datetime | None:
        """End of the token's life, UTC; None where there is no token or it does not say."""
        if self.token is None:
            return None
        try:
            payload = self.token.reveal().split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            return datetime.fromtimestamp(int(claims["exp"]), UTC)
        except (IndexError, ValueError, KeyError, TypeError, OverflowError):
            return None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("credentials do not travel: they may not be pickled, stored or put into a Dask graph")

    def __dask_tokenize__(self) -> NoReturn:
        self.__reduce_ex__(None)


def find_credentials(
    environ: Mapping[str, str] | None = None, home: Path | None = None
) -> Credentials | None:
    """Look for an Earthdata login: a token, then an account, then a netrc file.

    Parameters
    ----------
    environ
        Environment: EARTHDATA_TOKEN, EARTHDATA_TOKEN_FILE, EARTHDATA_USERNAME and EARTHDATA_PASSWORD, NETRC.
        None: this process's.
    home
        Folder in which ``.netrc`` or ``_netrc`` may lie. None takes the user's.

    Returns
    -------
    Credentials | None
        None where there is none; the raw archive then cannot be read, everything else can.

    Raises
    ------
    CredentialsMissing
        Where there is one and it cannot be used; names the variable or file, never its content.
    """
    environ, home = os.environ if environ is None else environ, home or Path.home()
    if token := environ.get("EARTHDATA_TOKEN", "").strip():
        return Credentials("EARTHDATA_TOKEN", token=_secret("EARTHDATA_TOKEN", token))
    if named := environ.get("EARTHDATA_TOKEN_FILE", "").strip():
        return Credentials(named, token=_secret(named, _read_token(Path(named))))
    pair = {key: environ.get(key, "").strip() for key in ("EARTHDATA_USERNAME", "EARTHDATA_PASSWORD")}
    if any(pair.values()):
        return _account(pair)
    return _netrc(environ, home)


def need_credentials(environ: Mapping[str, str] | None = None, home: Path | None = None) -> Credentials:
    """`find_credentials`, or `CredentialsMissing` that tells how to get some."""
    found = find_credentials(environ, home)
    if found is None:
        raise CredentialsMissing(f"no Earthdata login found; {HOW_TO}")
    return found


def check_unexpired(credentials: Credentials | None) -> None:
    """Raise `CredentialsMissing` where a token says itself that its time is over; before work, not after."""
    expires = credentials.expires if credentials else None
    if credentials is not None and expires is not None and expires <= datetime.now(UTC):
        raise CredentialsMissing(
            f"the Earthdata token of {credentials.source} expired on {expires:%Y-%m-%d %H:%M} UTC; make a "
            f"new one at https://{LOGIN_HOST} and put it in its place, here and on the workers"
        )


def is_earthdata(href: str) -> bool:
    """Whether an address belongs to the archive, so that it needs a login and may be shown one."""
    parts = urlsplit(href.removeprefix("/vsicurl/"))
    host = f".{parts.hostname or ''}"
    return parts.scheme == "https" and host.endswith(TRUSTED_HOSTS)


def gdal_options(credentials: Credentials | None, cookie_dir: Path) -> dict[str, str]:
    """GDAL settings for reading cloud-optimised GeoTIFFs, with the login where there is one.

    Call it in the process that reads, since the cookie file is the process's own, and use it only around
    reads of addresses for which `is_earthdata` holds: GDAL sends a token to whichever host it is to open.

    Parameters
    ----------
    credentials
        None leaves the login out; the rest suits every host.
    cookie_dir
        Existing folder, private to the user, for the cookies of the login's redirects; erase it at the end.

    Returns
    -------
    dict[str, str]
        Options for `rasterio.Env`, without those of reading that this process's environment sets: what a user
        says there wins. Holds the token as text: hand it to GDAL and to nobody else.
    """
    reading = {name: value for name, value in _READING.items() if name not in os.environ}
    if credentials is None:
        return reading
    cookies = str(cookie_dir / f"earthdata-{os.getpid()}.cookies")
    login = login_options(credentials, cookie_dir)
    return reading | {"GDAL_HTTP_COOKIEFILE": cookies, "GDAL_HTTP_COOKIEJAR": cookies} | login


def login_options(credentials: Credentials, folder: Path) -> dict[str, str]:
    """Return the part of `gdal_options` that logs in; an account is written to a netrc file in `folder`."""
    if credentials.token is not None:
        return {"GDAL_HTTP_AUTH": "BEARER", "GDAL_HTTP_BEARER": credentials.token.reveal()}
    path = credentials.netrc_path or _write_netrc(credentials, folder)
    return {"GDAL_HTTP_NETRC": "YES", "GDAL_HTTP_NETRC_FILE": str(path)}


def login_of_this_process() -> dict[str, str]:
    """GDAL's login settings from this process's own environment or home; empty where there is no login.

    What a cluster's workers call for themselves, again and again, so that no secret travels. They hold for
    every address that GDAL opens: readers put `login_for` around each.
    """
    credentials = find_credentials()
    if credentials is None:
        return {}
    folder = _own_folder() if credentials.password else Path()
    return login_options(credentials, folder)


@lru_cache(maxsize=1)
def _own_folder() -> Path:
    """Folder of this process for its netrc file, erased at its end."""
    folder = Path(tempfile.mkdtemp(prefix="glaciolake-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def login_for(href: str) -> dict[str, str]:
    """GDAL options around the opening of one address: the process's login in the archive, no token elsewhere.

    In the archive the environment is read anew: rasterio leaves in GDAL what it found on entering an `Env`,
    and GDAL would go on with that after a login was renewed.
    """
    if is_earthdata(href):
        return {name: os.environ[name] for name in _LOGIN if name in os.environ}
    return {"GDAL_HTTP_AUTH": "", "GDAL_HTTP_BEARER": ""}


def environment_for_workers(credentials: Credentials) -> dict[str, str]:
    """Variables from which `find_credentials` finds the same login in another process.

    For whoever prepares workers; a netrc file must lie at the same path there. Holds secrets as text.
    """
    if credentials.token is not None:
        return {"EARTHDATA_TOKEN": credentials.token.reveal()}
    if credentials.username is not None and credentials.password is not None:
        return {
            "EARTHDATA_USERNAME": credentials.username.reveal(),
            "EARTHDATA_PASSWORD": credentials.password.reveal(),
        }
    return {"NETRC": str(credentials.netrc_path)}


def _read_token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise CredentialsMissing(
            f"EARTHDATA_TOKEN_FILE names {path}, which cannot be read ({error.strerror}); {HOW_TO}"
        ) from None
    if not token:
        raise CredentialsMissing(f"EARTHDATA_TOKEN_FILE names {path}, which is empty; {HOW_TO}")
    return token


def _secret(variable: str, text: str) -> Secret:
    if re.search(r"\s|[^ -~]", text):
        raise CredentialsMissing(
            f"{variable} holds a blank, a line break or a sign that is not ASCII; set it anew"
        )
    return Secret(text)


def _account(pair: Mapping[str, str]) -> Credentials:
    missing = [key for key, text in pair.items() if not text]
    if missing:
        raise CredentialsMissing(f"{missing[0]} is not set, though its partner is; {HOW_TO}")
    username, password = (_secret(key, text) for key, text in pair.items())
    return Credentials(" and ".join(pair), username=username, password=password)


def _netrc(environ: Mapping[str, str], home: Path) -> Credentials | None:
    named = environ.get("NETRC", "").strip()
    for path in [Path(named)] if named else [home / ".netrc", home / "_netrc"]:
        if path.is_file() and _has_entry(path):
            return Credentials(str(path), netrc_path=path)
    return None


def _has_entry(path: Path) -> bool:
    """Whether the file logs in to Earthdata; errors are told without its text, which may be a password."""
    try:
        entry = netrc.netrc(str(path)).authenticators(LOGIN_HOST)
    except netrc.NetrcParseError as error:
        raise CredentialsMissing(f"{path}, line {error.lineno}, is no netrc; {HOW_TO}") from None
    except (OSError, UnicodeError) as error:
        raise CredentialsMissing(f"cannot read {path} ({type(error).__name__}); {HOW_TO}") from None
    return entry is not None and bool(entry[0]) and bool(entry[2])


def _write_netrc(credentials: Credentials, folder: Path) -> Path:
    """Write the account where curl looks for it; readable by the user alone from the first byte."""
    if credentials.username is None or credentials.password is None:
        raise CredentialsMissing(f"the login from {credentials.source} is incomplete; {HOW_TO}")
    path = folder / f"earthdata-{os.getpid()}.netrc"
    username, password = credentials.username.reveal(), credentials.password.reveal()
    line = f"machine {LOGIN_HOST} login {username} password {password}\n"
    if path.is_file() and path.read_text() == line:
        return path  # its age tells readers whether the password is another
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(line)
    return path
