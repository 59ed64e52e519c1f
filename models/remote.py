"""Networks that lie elsewhere: an address with a digest, fetched once to each machine."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import IO, Any

import fsspec
import requests

from glaciolake.models.errors import ModelError

PATIENCE_S = 30
LARGEST_BYTES = 1 << 30
"""A file above 1 GiB is no network of ours."""
_ADDRESS = re.compile(r"(?P<file>[a-z0-9+]+://[^#]+)#sha256=(?P<sha256>[0-9a-f]{64})")


def is_address(model: str) -> bool:
    """Whether a model is named by an address, not by a name or path."""
    return "://" in model


def digest_in(address: str) -> str:
    """Hex SHA-256 that an address names.

    Raises
    ------
    ModelError
        Where it names none: what lies at an address may change, and a run must not change with it.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ModelError(
            f"network {address!r}: give an address with the digest of the file, "
            "https://host/name.onnx#sha256=<64 hex digits>; 'sha256sum name.onnx' tells it"
        )
    return match["sha256"]


def cache() -> Path:
    """Folder of fetched networks: ``$XDG_CACHE_HOME/glaciolake/models``, by default under ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glaciolake" / "models"


def fetch(address: str) -> Path:
    """Fetch a network, unless it was fetched before; its digest is for the caller to check.

    Parameters
    ----------
    address
        Anything that `fsspec` opens (https, s3, gs, file), with ``#sha256=``.

    Raises
    ------
    ModelError
        Nothing there, no answer, no room.
    """
    sha256 = digest_in(address)
    path = cache() / f"{sha256}.onnx"
    if path.is_file():
        return path
    file = address.partition("#")[0]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            try:
                _copy(file, part)
                part.close()
                Path(part.name).replace(path)
            finally:
                Path(part.name).unlink(missing_ok=True)
    except (OSError, ValueError, ImportError, requests.RequestException) as error:
        raise ModelError(f"cannot fetch the network {file}: {error}") from error
    return path


def _copy(file: str, to: IO[bytes]) -> None:
    if file.startswith(("https://", "http://")):
        # What the digest vouches for may come over any road; fsspec's own client would be one more package.
        with requests.get(file, stream=True, timeout=PATIENCE_S) as answer:
            answer.raise_for_status()
            _limited(answer.iter_content(1 << 20), to)
        return
    with fsspec.open(file, "rb") as source:
        _limited(iter(lambda: source.read(1 << 20), b""), to)


def _limited(parts: Any, to: IO[bytes]) -> None:
    n = 0
    for part in parts:
        n += len(part)
        if n > LARGEST_BYTES:
            raise ValueError(f"it has more than {LARGEST_BYTES} bytes and is no network of ours")
        to.write(part)
