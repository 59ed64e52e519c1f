"""What every test may use; the network is off."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rasterio._env import del_gdal_config

SHARED = Path(__file__).parents[2] / "shared" / "data"
LONG = (
    "test_readme.py",
    "test_notebooks.py",
    "test_cli_serve.py",
    "test_faults.py",
    "test_simulated_archive.py",
    "test_store.py",
)
"""Files that take longest: begun first, they do not keep one process busy when the others are done."""
LOOPBACK = {"127.0.0.1", "::1", "localhost", "0.0.0.0", ""}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the order is the same in every process, as pytest-xdist wants it."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves the machine; Dask and local servers use loopback."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family in (socket.AF_INET, socket.AF_INET6) and host not in LOOPBACK:
            raise RuntimeError(f"a test tried to reach {address}; tests run offline")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def forgotten_logins() -> Iterator[None]:
    """Take from GDAL what rasterio leaves there of a login, which would outlive the test."""
    yield
    for name in ("GDAL_HTTP_AUTH", "GDAL_HTTP_BEARER", "GDAL_HTTP_NETRC", "GDAL_HTTP_NETRC_FILE"):
        del_gdal_config(name)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Let torch use one thread: waiting threads spin, and sums depend on how many there are."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def shared_data() -> Iterator[Path]:
    """Folder of real data beside the checkout; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the real data in {SHARED}; the suite proves the code without it")
    yield SHARED
