"""What can be asked of this machine; `doctor` judges it."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from importlib import metadata, util
from pathlib import Path
from urllib.parse import unquote, urlsplit

from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.connect import connect
from glaciolake.cluster.errors import ClusterError

HTTPS = 443
NETWORK_TIMEOUT_S = 3.0
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
    """Try to open a connection to a host; what hinders it, None where nothing does."""
    try:
        socket.create_connection((host, port), timeout=NETWORK_TIMEOUT_S).close()
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


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
