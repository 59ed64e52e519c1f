"""What a release in the test is given: values, volumes, certificates, jobs of our own."""

from __future__ import annotations

import base64
from typing import Any

import trustme

Object = dict[str, Any]
REPOSITORY, TAG = "localhost/glaciolake", "dev"
IMAGE = f"{REPOSITORY}:{TAG}"
LAKES = ["tsho-rolpa", "chamlang"]
RUN = {
    "source": "/scenes/archive/catalog/catalog.json",
    "registry": "/scenes/archive/lakes.geojson",
    "lakes": LAKES,
    "start": "2024-01-01",
    "end": "2024-12-31",
    # Small, so that there is a middle of the run to break into.
    "slices_per_piece": 2,
    "slices_per_commit": 4,
}
S3_KEYS = {"AWS_ACCESS_KEY_ID": "test-key-id", "AWS_SECRET_ACCESS_KEY": "test-key"}
SCENES = {"name": "scenes", "path": "/scenes", "existingClaim": "scenes"}


def resources(memory: str, cpu: str = "1") -> Object:
    return {"requests": {"cpu": "100m", "memory": memory}, "limits": {"cpu": cpu, "memory": memory}}


def release() -> Object:
    """Values of a release that fits a small machine."""
    return {
        "image": {
            "repository": REPOSITORY,
            "tag": TAG,
            "pullPolicy": "Never",
        },
        "run": RUN,
        "extraMounts": [SCENES],
        "scheduler": {"resources": resources("1Gi")},
        "jobs": {"resources": resources("1536Mi")},
        # A quarter of a core each, so that a run lasts long enough to be broken into on any machine.
        "workerGroups": {"cpu": {"replicas": 2, "resources": resources("1536Mi", "250m")}},
    }


def in_volume() -> Object:
    """A release with TLS whose store lies on a claim that is there."""
    claim = {"kind": "pvc", "pvc": {"existingClaim": "store"}}
    return release() | {"store": claim, "tls": {"enabled": True, "existingSecret": "dask-tls"}}


def in_bucket(endpoint: str) -> Object:
    """A release whose store lies in a bucket."""
    place = {"bucket": "lakes", "prefix": "himalaya", "endpoint": endpoint, "existingSecret": "store-keys"}
    return release() | {"store": {"kind": "s3", "s3": place}}


def claim(name: str) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def secret(name: str, data: dict[str, bytes]) -> Object:
    coded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": coded}


def certificates() -> dict[str, bytes]:
    """Keys of a TLS Secret: an authority, and a certificate of it."""
    authority = trustme.CA()
    ours = authority.issue_cert("gl-glaciolake-scheduler")
    chain = b"".join(one.bytes() for one in ours.cert_chain_pems)
    return {"ca.crt": authority.cert_pem.bytes(), "tls.crt": chain, "tls.key": ours.private_key_pem.bytes()}


def job(name: str, arguments: list[str], mounts: dict[str, Object], **env: str) -> Object:
    """Job of one pod of the image, as a person would write it beside the chart.

    Parameters
    ----------
    name
        Its name.
    arguments
        Command.
    mounts
        Path to the volume that is mounted there.
    env
        Further variables.
    """
    temporary: Object = {"emptyDir": {}}
    mounts = {"/tmp": temporary} | mounts  # the root is read only
    volumes = {f"v{number}": volume for number, volume in enumerate(mounts.values())}
    container = {
        "name": "job",
        "image": IMAGE,
        "args": arguments,
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "resources": resources("1536Mi"),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": one, "mountPath": path} for one, path in zip(volumes, mounts, strict=True)],
    }
    spec = {
        "restartPolicy": "Never",
        "securityContext": {"runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001},
        "containers": [container],
        "volumes": [{"name": key} | volume for key, volume in volumes.items()],
    }
    about = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}}
    return about | {"spec": {"backoffLimit": 0, "template": {"spec": spec}}}


def of_claim(name: str) -> Object:
    return {"persistentVolumeClaim": {"claimName": name}}


def of_secret(name: str) -> Object:
    return {"secret": {"secretName": name, "defaultMode": 0o440}}
