"""A cluster that a dask-gateway looks after: one that runs there, or one that is started for a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from glaciolake.cluster.config import GatewayPlace
from glaciolake.cluster.errors import ClusterError

if TYPE_CHECKING:
    from dask_gateway import Gateway, GatewayCluster


@contextmanager
def gateway_cluster(where: GatewayPlace) -> Iterator[GatewayCluster]:
    """Find or start a cluster.

    The login is that of Dask's own settings (``gateway.auth``), as the gateway's people give it out.

    Parameters
    ----------
    where
        The gateway, and what is wanted of it.

    Yields
    ------
    dask_gateway.GatewayCluster
        One that was started ends with the block; one that ran before stays.

    Raises
    ------
    ClusterError
        The package is missing, nothing answers, or the gateway refuses.
    """
    try:
        from aiohttp import ClientError
        from dask_gateway import Gateway, GatewayClusterError, GatewayServerError
    except ImportError as error:
        raise ClusterError(
            "cluster.gateway needs the package dask-gateway: pip install 'glaciolake[gateway]', here and "
            "where the gateway's workers run"
        ) from error
    with ExitStack() as stack:
        try:
            gateway = Gateway(where.address)
            stack.callback(_hush, gateway)
            stack.enter_context(gateway)
            if where.name is not None:
                cluster = gateway.connect(where.name, shutdown_on_close=False)
            else:
                cluster = gateway.new_cluster(shutdown_on_close=True)
            stack.callback(_hush, cluster.gateway)  # a second one, its own
            stack.enter_context(cluster)
            if where.name is None:
                cluster.scale(where.n_workers)
        except (OSError, ValueError, ClientError, GatewayClusterError, GatewayServerError) as error:
            what = "no cluster" if where.name is None else f"no cluster {where.name!r}"
            raise ClusterError(
                f"{what} from the gateway at {where.address} ({_first_line(error)}); check the address, your "
                "login (Dask's setting gateway.auth), and what `dask_gateway.Gateway().list_clusters()` has"
            ) from error
        yield cluster


def _hush(gateway: Gateway) -> None:
    """Keep a closed gateway from closing itself once more when it is collected.

    With distributed 2026.8 it fails at that, and Python prints a traceback (seen with dask-gateway 2026.3.0).
    """
    vars(gateway).pop("_loop_runner", None)


def _first_line(error: Exception) -> str:
    text = str(error)
    return text.splitlines()[0] if text else type(error).__name__
