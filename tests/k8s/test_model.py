"""The model of Kubernetes does what Kubernetes does, as far as the chart's test leans on it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from tests.k8s import parts
from tests.k8s.controllers import Controllers
from tests.k8s.node import Node
from tests.k8s.objects import Cluster, Object, selected
from tests.k8s.patches import merged, strategically_merged
from tests.k8s.podman import Podman
from tests.k8s.pods import NotYet, podman_arguments


def pod(**container: Any) -> Object:
    """Pod with one container that has a memory limit."""
    whole = {"name": "c", "image": "i", "resources": {"limits": {"memory": "64Mi"}}} | container
    return {"kind": "Pod", "metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": [whole]}}


def deployment(replicas: int, strategy: Object, image: str = "old") -> Object:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": pod(image=image)["spec"]}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "a"}}, "strategy": strategy}
    return {"metadata": {"name": "d", "namespace": "n"}, "spec": spec | {"template": template}}


def images(cluster: Cluster) -> list[str]:
    return sorted(one["spec"]["containers"][0]["image"] for one in cluster.objects["pods"].values())


async def rounds(controllers: Controllers, n: int) -> None:
    """Let the controllers look a few times."""
    for _ in range(n):
        await controllers.look()


def test_a_merge_patch_removes_what_is_null_and_replaces_lists() -> None:
    assert merged({"a": 1, "b": [1, 2], "c": {"d": 1}}, {"a": None, "b": [3]}) == {"b": [3], "c": {"d": 1}}


def test_a_strategic_merge_keeps_entries_of_other_names() -> None:
    old = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}
    patch = {"containers": [{"name": "b", "image": "2"}, {"name": "a", "$patch": "delete"}]}
    assert strategically_merged(old, patch) == {"containers": [{"name": "b", "image": "2"}]}


@pytest.mark.parametrize(
    ("labels", "fields", "is_meant"),
    [
        ("app=a,tier in (x, y)", "", True),
        ("app!=a", "", False),
        ("!app", "", False),
        ("tier notin (x)", "metadata.name=p", False),
        ("", "metadata.name!=q", True),
    ],
)
def test_selectors_are_read_as_kubectl_writes_them(labels: str, fields: str, is_meant: bool) -> None:
    one = {"metadata": {"name": "p", "labels": {"app": "a", "tier": "x"}}}
    assert selected(one, labels, fields) == is_meant


def test_a_pod_that_lacks_its_secret_waits_and_says_which(tmp_path: Path) -> None:
    wanted = {"name": "K", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}}
    with pytest.raises(NotYet, match='secret "keys" not found'):
        podman_arguments(pod(env=[wanted]), Cluster(), tmp_path)


def test_variables_are_put_into_arguments(tmp_path: Path) -> None:
    name = {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    said = podman_arguments(pod(env=[name], args=["--name=$(POD)", "$(OTHER)"]), Cluster(), tmp_path)
    assert said[-2:] == ["--name=p", "$(OTHER)"] and "POD=p" in said


@pytest.mark.parametrize(
    "unknown",
    [{"resources": {}}, {"envFrom": [{"secretRef": {"name": "x"}}]}],
    ids=["no memory limit", "envFrom"],
)
def test_what_is_not_modelled_is_refused(unknown: Object, tmp_path: Path) -> None:
    with pytest.raises(NotImplementedError):
        podman_arguments(pod(**unknown), Cluster(), tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="the kubelet gives volumes to a group, which only root can")
def test_volumes_have_the_owner_and_the_modes_of_the_kubelet(tmp_path: Path) -> None:
    async def arguments() -> list[str]:
        cluster = Cluster()
        for plural, one in (("secrets", parts.secret("tls", {"tls.key": b"secret"})), ("configmaps", config)):
            one["metadata"]["namespace"] = "n"
            await cluster.add(plural, one)
        return podman_arguments(asked, cluster, tmp_path)

    config: Object = {"metadata": {"name": "run"}, "data": {"config.yaml": "a: 1"}}
    paths = {"run": "/etc/run", "tls": "/etc/run/tls"}
    asked = pod(volumeMounts=[{"name": n, "mountPath": path, "readOnly": True} for n, path in paths.items()])
    volumes = [{"name": "run", "configMap": {"name": "run"}}, {"name": "tls"} | parts.of_secret("tls")]
    asked["spec"] |= {"securityContext": {"fsGroup": 10001}, "volumes": volumes}
    said = asyncio.run(arguments())
    place = tmp_path / "pods" / "p"
    assert f"{place / 'tls'}:/etc/run/tls:ro" in said
    assert (place / "run" / "tls").is_dir(), "a mount inside another needs its folder"
    key = (place / "tls" / "tls.key").stat()
    assert (key.st_uid, key.st_gid, key.st_mode & 0o777) == (0, 10001, 0o440)


def test_a_rolling_update_without_surge_goes_pod_by_pod(tmp_path: Path) -> None:
    async def run() -> list[str]:
        cluster = Cluster()
        controllers = Controllers(cluster, Node(cluster, Podman("t", "t"), tmp_path))
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "25%"}}
        one = await cluster.add("deployments", deployment(2, rolling))
        await rounds(controllers, 1)
        for each in cluster.objects["pods"].values():
            each["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
        one["spec"]["template"]["spec"]["containers"][0]["image"] = "new"
        await rounds(controllers, 3)
        return images(cluster)

    assert asyncio.run(run()) == ["new", "old"], "the second old pod stays until the first new one is ready"


def test_recreate_waits_until_the_old_container_has_ended(tmp_path: Path) -> None:
    async def run() -> tuple[list[str], list[str]]:
        cluster = Cluster()
        node = Node(cluster, Podman("t", "t"), tmp_path)
        controllers = Controllers(cluster, node)
        one = await cluster.add("deployments", deployment(1, {"type": "Recreate"}))
        await rounds(controllers, 1)
        (old,) = cluster.objects["pods"].values()
        node.ending["old"] = {owner["uid"] for owner in old["metadata"]["ownerReferences"]}
        one["spec"]["template"]["spec"]["containers"][0]["image"] = "new"
        await rounds(controllers, 2)
        waiting = images(cluster)
        node.ending.clear()
        await rounds(controllers, 2)
        return waiting, images(cluster)

    assert asyncio.run(run()) == ([], ["new"])
