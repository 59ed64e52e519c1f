"""A Dask client, or a sentence that says why there is none."""

from __future__ import annotations

import gc
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from distributed import Client
from distributed.security import Security
from distributed.versions import VersionMismatchWarning

from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.kubernetes import release_address
from glaciolake.cluster.local import local_cluster
from glaciolake.cluster.place import address_of, need_gpu

logger = logging.getLogger(__name__)

EXACT = ("dask", "distributed", "cloudpickle", "glaciolake")
"""Packages whose versions must be equal everywhere: what travels between processes depends on them."""
FIRST_TWO = ("python", "numpy")
"""Packages of which the first two numbers must be equal."""


@contextmanager
def connect(config: ClusterConfig) -> Iterator[Client]:
    """Connect to a scheduler, or start workers here; either ends with the block.

    Scripts need the usual ``if __name__ == "__main__":`` around the call where workers start on this machine.

    Parameters
    ----------
    config
        Where to run.

    Yields
    ------
    distributed.Client
        With at least one worker, and one that offers a GPU where the configuration asks for it.

    Raises
    ------
    ClusterError
        The scheduler does not answer, no worker comes, versions differ, or no worker offers a GPU.
    """
    if config.is_local:
        with local_cluster(config) as cluster, _made(lambda: Client(cluster)) as client:
            _check(client, config)
            yield client
    else:
        with _client_of(_address(config), config) as client:
            _check(client, config)
            check_versions(client.get_versions(packages=["glaciolake"]))
            yield client


def _address(config: ClusterConfig) -> str:
    """Address of the scheduler that the configuration names."""
    if config.kubernetes is None:
        return str(config.scheduler)
    return release_address(config.kubernetes, encrypted=config.tls_ca_file is not None)


def _client_of(address: str, config: ClusterConfig) -> Client:
    """Connect to somebody's scheduler, within the timeout."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)  # `check_versions` says it better
            security = _security(config)
            return _made(lambda: Client(address, timeout=config.connect_timeout_s, security=security))
    except (OSError, TypeError, ValueError, ImportError) as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
    gc.collect()  # the client that came to nothing, now that no error holds it
    raise ClusterError(
        f"no scheduler answers at {address} within {config.connect_timeout_s:g} s ({cause}); check the "
        f"address{_tls_hint(address, config)}, that `dask scheduler` runs there and that the port is "
        "open, or leave the scheduler out to use this machine"
    )


def _made(make: Callable[[], Client]) -> Client:
    """Make a client without the garbage collector.

    A client that was never closed, such as one that found no scheduler, closes itself when it is collected,
    and waits for a lock that every client holds while it starts: collected in that moment, both wait for ever
    (seen with distributed 2026.8.0).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        return make()
    finally:
        if was_on:
            gc.enable()


def _tls_hint(address: str, config: ClusterConfig) -> str:
    if address.startswith(("tls://", "wss://")) and config.tls_ca_file is None:
        return ", give tls_ca_file, tls_cert_file and tls_key_file"
    return ""


def _security(config: ClusterConfig) -> Security | None:
    if config.tls_ca_file is None:
        return None
    for path in (config.tls_ca_file, config.tls_cert_file, config.tls_key_file):
        if path is None or not path.is_file():
            raise ClusterError(
                f"TLS file {path} is not there; check tls_ca_file, tls_cert_file and tls_key_file"
            )
    return Security(
        tls_ca_file=str(config.tls_ca_file),
        tls_client_cert=str(config.tls_cert_file),
        tls_client_key=str(config.tls_key_file),
        require_encryption=True,
    )


def _check(client: Client, config: ClusterConfig) -> None:
    """Wait for a first worker, and see that one has a GPU where one is needed."""
    address = address_of(client)
    try:
        client.wait_for_workers(1, timeout=config.workers_timeout_s)
    except TimeoutError as error:
        raise ClusterError(
            f"the scheduler at {address} has no worker after {config.workers_timeout_s:g} s; start one with "
            f"`dask worker {address}`, or raise workers_timeout_s if they are on their way"
        ) from error
    if config.gpu:
        need_gpu(client, config.workers_timeout_s)
    logger.info("connected scheduler=%s workers=%d", address, len(client.nthreads()))


def check_versions(versions: Mapping[str, Any]) -> None:
    """Refuse a cluster whose parts would misread each other's messages.

    Parameters
    ----------
    versions
        What `distributed.Client.get_versions` returns: ``client``, ``scheduler`` and, by address,
        ``workers``, each with ``packages``: name to version, None where it is not installed.

    Raises
    ------
    ClusterError
        Names the package, both versions and where they are.
    """
    ours: dict[str, str | None] = versions["client"]["packages"]
    others = {"the scheduler": versions["scheduler"]} | {
        f"worker {address}": said for address, said in sorted(versions["workers"].items())
    }
    found: dict[str, list[str]] = {}
    for where, said in others.items():
        theirs = said["packages"] if isinstance(said, Mapping) else {}
        for package in (*EXACT, *FIRST_TWO):
            # a scheduler only passes messages on, and needs neither numpy nor us
            if where == "the scheduler" and package in ("glaciolake", "numpy"):
                continue
            if _told(package, theirs.get(package)) != _told(package, ours.get(package)):
                text = f"{package} {theirs.get(package) or 'missing'} (here {ours.get(package) or 'missing'})"
                found.setdefault(text, []).append(where)
    if found:
        told = "; ".join(f"{text} on {_places(places)}" for text, places in found.items())
        raise ClusterError(
            f"versions differ: {told}. Install the same versions everywhere, best from one image"
        )


def _told(package: str, version: str | None) -> str | None:
    """Part of a version that has to agree."""
    if version is None or package in EXACT:
        return version
    return ".".join(version.split(".")[:2])


def _places(places: list[str]) -> str:
    return places[0] if len(places) == 1 else f"{places[0]} and {len(places) - 1} more"
