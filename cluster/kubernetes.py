"""Where the scheduler of a release of our Helm chart is."""

from __future__ import annotations

import socket

import dask

from glaciolake.cluster.config import KubernetesRelease
from glaciolake.cluster.errors import ClusterError

SCHEDULER_PORT = 8786


def release_address(where: KubernetesRelease, *, encrypted: bool = False) -> str:
    """Find the scheduler of a release, from inside the Kubernetes cluster.

    Parameters
    ----------
    where
        Release and namespace.
    encrypted
        Whether TLS files are configured; Dask's own settings (``DASK_DISTRIBUTED__COMM__...``) count as well.

    Returns
    -------
    str
        ``tcp://<service>.<namespace>.svc:8786``, or ``tls://...``.

    Raises
    ------
    ClusterError
        The name is unknown here: this machine is outside, or there is no such release.
    """
    service = where.scheduler_service
    host = f"{service}.{where.namespace}.svc"
    scheme = "tls" if encrypted or _dask_encrypts() else "tcp"
    try:
        socket.getaddrinfo(host, SCHEDULER_PORT)
    except OSError as error:
        kubectl = f"kubectl --namespace {where.namespace}"
        labels = f"app.kubernetes.io/instance={where.release},app.kubernetes.io/component=scheduler"
        raise ClusterError(
            f"the scheduler of release {where.release!r} has no address here ({host} is unknown). Inside the "
            f"Kubernetes cluster see what its Service is called: `{kubectl} get service -l {labels}`, and "
            f"where that is not {service} give it as service. From outside lead its port here, `{kubectl} "
            f"port-forward service/{service} {SCHEDULER_PORT}:{SCHEDULER_PORT}`, and give scheduler "
            f"{scheme}://127.0.0.1:{SCHEDULER_PORT} instead of kubernetes"
        ) from error
    return f"{scheme}://{host}:{SCHEDULER_PORT}"


def _dask_encrypts() -> bool:
    """Whether Dask's own settings have it speak TLS, as in the pods of a release with TLS."""
    settings = ("distributed.comm.require-encryption", "distributed.comm.tls.ca-file")
    return any(dask.config.get(name, None) for name in settings)
