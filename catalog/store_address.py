"""Addresses of stores: a path of this machine, or one that the engine speaks itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlparse

import icechunk

from glaciolake.catalog.errors import StoreError

FORMS = "a path, file://, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or memory://name"
AZURE_ACCOUNT = "AZURE_STORAGE_ACCOUNT_NAME"


def local_path(url: str) -> Path | None:
    """Path of a local store, ``~`` expanded and ``%20`` read; None for an object store.

    Raises
    ------
    StoreError
        A ``file://`` address names a host, or ``~`` a user who is not there.
    """
    parsed = urlparse(url)
    if parsed.scheme not in ("", "file"):
        return None
    if parsed.scheme and parsed.netloc not in ("", "localhost", "~"):
        raise StoreError(
            f"store {url!r}: after file:// an absolute path is needed, such as file:///data/lakes"
        )
    home = parsed.netloc if parsed.netloc == "~" else ""
    try:
        return Path(home + unquote(parsed.path) if parsed.scheme else url).expanduser()
    except RuntimeError as error:
        raise StoreError(f"store {url!r}: {error}; give the path in full") from error


def storage_of(url: str) -> icechunk.Storage:
    """Icechunk storage behind an address; keys of object stores come from the environment.

    Parameters
    ----------
    url
        A path, ``file://``, ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix``, or
        ``memory://name``, a store that lives as long as this process and that no other one sees.

    Raises
    ------
    StoreError
        The engine cannot reach such an address, or it lacks its bucket; nothing is asked for yet.
    """
    icechunk.set_logs_filter("off")  # what it logs arrives as a StoreError, or is answered by single_writer
    path = local_path(url)
    if path is not None:
        return icechunk.local_filesystem_storage(str(path))
    parsed = urlparse(url)
    if parsed.scheme in ("http", "https"):
        raise StoreError(
            f"store {url!r}: a store cannot be read over {parsed.scheme}, where nothing can be listed or "
            "written; copy it to a disk, give the address of its bucket, or put a Zarr export there "
            "(glaciolake export), which xarray opens over http"
        )
    if parsed.scheme not in REMOTE:
        raise StoreError(f"store {url!r} has scheme {parsed.scheme!r}; give {FORMS}")
    if not parsed.netloc or "@" in parsed.netloc:
        raise StoreError(f"store {url!r} names no bucket; give {FORMS}")
    return REMOTE[parsed.scheme](parsed.netloc, parsed.path.strip("/"))


def _s3(bucket: str, prefix: str) -> icechunk.Storage:
    # A server of one's own has one name; only AWS has one for every bucket.
    own_server = bool(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"))
    return icechunk.s3_storage(bucket=bucket, prefix=prefix, force_path_style=own_server, from_env=True)


def _gcs(bucket: str, prefix: str) -> icechunk.Storage:
    return icechunk.gcs_storage(bucket=bucket, prefix=prefix, from_env=True)


def _azure(container: str, prefix: str) -> icechunk.Storage:
    account = os.environ.get(AZURE_ACCOUNT)
    if not account:
        raise StoreError(
            f"store 'az://{container}/{prefix}' needs an account; set {AZURE_ACCOUNT} and its key"
        )
    return icechunk.azure_storage(account=account, container=container, prefix=prefix, from_env=True)


@cache  # two of the engine's own share nothing
def _memory(name: str, prefix: str) -> icechunk.Storage:
    return icechunk.in_memory_storage()


REMOTE: dict[str, Callable[[str, str], icechunk.Storage]] = {
    "s3": _s3,
    "gs": _gcs,
    "gcs": _gcs,
    "az": _azure,
    "abfs": _azure,
    "memory": _memory,
}
"""Scheme -> storage of (bucket, prefix). Names are those of fsspec, so that one address serves both."""
