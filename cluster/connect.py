"""A Dask client, or a sentence that says why there is none."""

from __future__ import annotations

import gc
import logging
import warnings
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from distributed import Client
from distributed.security import Security
from distributed.versions import VersionMismatchWarning

from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.gateway import gateway_cluster
from glaciolake.cluster.kubernetes import release_address
from glaciolake.cluster.local import local_cluster
from glaciolake.cluster.patience import need_workers, scheduler_awaited
from glaciolake.cluster.place import address_of, workers_of
from glaciolake.cluster.versions import PACKAGE, check_versions

logger = logging.getLogger(__name__)


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
        with _quiet_loss(), _client_elsewhere(config) as client:
            _check(client, config)
            versions: Any = client.get_versions(packages=[PACKAGE])
            check_versions(versions)
            yield client


@contextmanager
def _client_elsewhere(config: ClusterConfig) -> Iterator[Client]:
    """Connect to a scheduler that is not on this machine."""
    if config.gateway is None:
        address = _address(config)

        def make() -> Client:
            return Client(address, timeout=config.connect_timeout_s, security=_security(config))

        with _client_of(address, config, make) as client:
            yield client
    else:
        with (
            gateway_cluster(config.gateway) as cluster,
            _client_of(config.gateway.address, config, cluster.get_client) as client,
        ):
            yield client


def _address(config: ClusterConfig) -> str:
    """Address of the scheduler that the configuration names."""
    if config.kubernetes is None:
        return str(config.scheduler)
    return release_address(config.kubernetes, encrypted=config.tls_ca_file is not None)


def _client_of(address: str, config: ClusterConfig, make: Callable[[], Client]) -> Client:
    """Connect to somebody's scheduler, within the timeout."""
    try:
        with warnings.catch_warnings(), scheduler_awaited(address, config.connect_timeout_s):
            warnings.simplefilter("ignore", VersionMismatchWarning)  # `check_versions` says it better
            return _made(make)
    except (OSError, TypeError, ValueError, ImportError) as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
    gc.collect()  # the client that came to nothing, now that no error holds it
    raise ClusterError(
        f"no scheduler answers at {address} within {config.connect_timeout_s:g} s ({cause}); check the "
        f"address{_tls_hint(address, config)}, that `dask scheduler` runs there and that the port is "
        "open, or leave the scheduler out to use this machine"
    )


@contextmanager
def _quiet_loss() -> Iterator[None]:
    """Keep Dask's tracebacks of a scheduler that was lost from the user: `Crew` says it in a sentence."""
    log = logging.getLogger("distributed.client")

    def matters(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        lost = isinstance(error, OSError | CancelledError) or "Failed to reconnect" in str(record.msg)
        return not lost

    log.addFilter(matters)
    try:
        yield
    finally:
        log.removeFilter(matters)


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
    """Wait for a first worker of each kind that is needed."""
    need_workers(client, config.workers_timeout_s, gpu=config.gpu)
    logger.info("connected scheduler=%s workers=%d", address_of(client), len(workers_of(client)))
