"""What can be asked of this machine; `doctor` judges it."""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile
from importlib import metadata, util
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from requests.exceptions import ProxyError

from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.connect import connect
from glaciolake.cluster.errors import ClusterError

HTTPS = 443
NETWORK_TIMEOUT_S = 5.0
"""To connect, and then for an answer: one needs four round trips, with a proxy six."""
SCHEDULER_TIMEOUT_S = 5.0


def installed_version(name: str) -> str | None:
    """Look up the version of an installed package, None where there is none; imports nothing."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def weights_folder(package: str) -> Path | None:
    """Find where the shipped networks lie; None where the package has no such folder."""
    spec = util.find_spec(f"{package}.models")
    places = [Path(place) / "weights" for place in spec.submodule_search_locations or ()] if spec else []
    return next((place for place in places if place.is_dir()), None)


def gdal_facts() -> tuple[str, set[str]]:
    """Ask rasterio for GDAL's version and drivers; all empty where rasterio does not load."""
    try:
        import rasterio
        from rasterio.env import Env

        with Env() as env:
            return str(rasterio.__gdal_version__), set(env.drivers())
    except (ImportError, OSError):
        return "not loadable", set()


def local_path(store: str) -> Path | None:
    """Path of a store on this machine, None where the address is of another kind.

    Raises
    ------
    ValueError
        Where the text is no path that can be: a host after ``file://``, a user who is not there.
    """
    parts = urlsplit(store) if "://" in store else None
    if parts is not None and parts.scheme != "file":
        return None
    if parts is not None and parts.netloc not in ("", "localhost", "~"):
        raise ValueError("after file:// comes an absolute path")
    path = Path(parts.netloc.removeprefix("localhost") + unquote(parts.path) if parts is not None else store)
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(str(error)) from None


def existing(path: Path) -> Path:
    """Walk up to the nearest folder that exists."""
    path = path.expanduser().absolute()
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def free_bytes(path: Path) -> int:
    """Measure the free space where `path` is or is to be."""
    return shutil.disk_usage(existing(path)).free


def write_error(path: Path) -> str | None:
    """Try to write where the folder `path` is or is to be; what hinders it, None where nothing does."""
    path = path.expanduser().absolute()
    try:
        nearest = next(one for one in (path, *path.parents) if os.path.lexists(one))
        if not nearest.is_dir():
            return f"{nearest} is no folder"
        with tempfile.TemporaryFile(dir=existing(path)) as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def reach_error(host: str, port: int = HTTPS) -> str | None:
    """Ask a host for anything by https, through a proxy where the environment names one, as a search does.

    Returns
    -------
    str or None
        What hinders it; None where it answers, whatever it says. Never an address: a proxy's may hold a
        login.
    """
    try:
        requests.head(f"https://{host}:{port}/", timeout=NETWORK_TIMEOUT_S).close()
    except (requests.RequestException, OSError) as error:
        return _cause(error)
    return None


def _cause(error: BaseException) -> str:
    """Say in a few words why a request failed: the innermost error that the system or TLS has words for."""
    words = "the proxy refused or failed" if isinstance(error, ProxyError) else type(error).__name__
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {inner.verify_message}"
        if isinstance(inner, OSError) and inner.strerror and not isinstance(inner, requests.RequestException):
            return f"{words}: {inner.strerror}" if isinstance(error, ProxyError) else inner.strerror
        if isinstance(inner, TimeoutError | requests.Timeout):
            return "timed out"
        within = next((one for one in inner.args if isinstance(one, BaseException)), None)
        inner = inner.__cause__ or within or inner.__context__
    return words


def scheduler_error(address: str | None, timeout_s: float = SCHEDULER_TIMEOUT_S) -> str | None:
    """Try to connect to a scheduler; what hinders it, None where nothing does or none is given."""
    if address is None:
        return None
    try:
        config = ClusterConfig(scheduler=address, connect_timeout_s=timeout_s, workers_timeout_s=timeout_s)
        with connect(config):
            return None
    except ClusterError as error:
        return str(error)
    except ValueError:
        return f"{address!r} is no scheduler address; write it like tcp://host:8786"
