"""What every pod of the chart keeps to, whatever is switched on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.helm.chart import FULL, PROFILES, find_all, pods, render, render_profile

SECRET = re.compile(r"token|passw|secret|credential|access_?key", re.IGNORECASE)
NETRC_IN_TEXT = re.compile(r"\b(password|aws_secret_access_key|bearer)\b\s*[:=]?\s*\S", re.IGNORECASE)
LONG_RUNNING = ("Deployment",)
USER = 10001
EVERYTHING = {"full": FULL, "defaults": {}}


def all_pods() -> Iterator[Any]:
    """Each pod of each profile and of everything switched on, as a test parameter."""
    for name in (*EVERYTHING, *PROFILES):
        objects = render_profile(name) if name in PROFILES else render(EVERYTHING[name])
        for owner, pod in pods(objects):
            yield pytest.param(owner, pod, id=f"{name}-{owner}")


@pytest.fixture(scope="module")
def every_pod() -> list[tuple[str, dict[str, Any]]]:
    """Owner and pod, of every profile and of everything switched on."""
    return [(f"{one.id}", one.values[1]) for one in all_pods()]


@pytest.fixture(scope="module")
def every_container(every_pod: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """Owner and container."""
    return [(owner, one) for owner, pod in every_pod for one in pod["spec"]["containers"]]


Owned = list[tuple[str, dict[str, Any]]]


def test_there_are_pods_of_every_kind(every_pod: Owned) -> None:
    kinds = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for _, pod in every_pod}
    assert kinds == {"scheduler", "worker-cpu", "worker-gpu", "backfill", "ingest", "jupyter", "test"}


def test_nobody_is_root(every_pod: Owned) -> None:
    for owner, pod in every_pod:
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True, owner
        assert security["runAsUser"] == security["runAsGroup"] == security["fsGroup"] == USER, owner
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, owner


def test_no_container_can_gain_anything(every_container: Owned) -> None:
    for owner, one in every_container:
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, owner


def test_no_pod_shares_anything_with_its_node(every_pod: Owned) -> None:
    for owner, pod in every_pod:
        assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(pod["spec"]), owner
        for volume in pod["spec"]["volumes"]:
            assert "hostPath" not in volume, owner


def test_no_pod_has_a_token_of_kubernetes(every_pod: Owned) -> None:
    for owner, pod in every_pod:
        assert pod["spec"]["automountServiceAccountToken"] is False, owner
        assert pod["spec"]["enableServiceLinks"] is False, owner
    for values in EVERYTHING.values():
        objects = render(values)
        assert all(
            one["automountServiceAccountToken"] is False for one in find_all(objects, "ServiceAccount")
        )
        assert not {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"} & {
            one["kind"] for one in objects
        }


def test_resources_are_set(every_container: Owned) -> None:
    for owner, one in every_container:
        assert {"cpu", "memory"} <= set(one["resources"]["requests"]), owner
        assert "memory" in one["resources"]["limits"], owner


def test_folders_on_the_node_are_bounded(every_pod: Owned) -> None:
    for owner, pod in every_pod:
        for volume in pod["spec"]["volumes"]:
            if "emptyDir" in volume:
                assert "sizeLimit" in volume["emptyDir"], owner
                assert "medium" not in volume["emptyDir"], f"{owner}: memory would count against the limit"


def test_long_running_pods_are_probed_and_others_end(every_pod: Owned) -> None:
    for owner, pod in every_pod:
        probes = {"startupProbe", "readinessProbe", "livenessProbe"}
        for one in pod["spec"]["containers"]:
            if "Deployment/" in owner:
                assert probes <= set(one), owner
            else:
                assert not probes & set(one), owner
                assert pod["spec"]["restartPolicy"] == "Never", owner


def test_no_liveness_waits_for_python(every_container: Owned) -> None:
    """A process that computes may hold Python's lock for long; only the kernel answers then."""
    for owner, one in every_container:
        if "livenessProbe" in one:
            probe = one["livenessProbe"]
            assert set(probe) & {"httpGet", "exec", "tcpSocket", "grpc"} == {"tcpSocket"}, owner
            assert probe["periodSeconds"] * probe["failureThreshold"] >= 300, owner


def test_probes_ask_the_server_of_http_and_never_a_port_of_dask(every_container: Owned) -> None:
    """Dask logs every connection to its own ports that says nothing, and with TLS as a failed handshake."""
    for owner, one in every_container:
        if one["name"] in ("scheduler", "worker"):
            ports = {port["name"]: port["containerPort"] for port in one["ports"]}
            assert f"--dashboard-address=:{ports['http']}" in one["args"], owner
            asked = {
                way["port"]
                for probe in ("startupProbe", "readinessProbe", "livenessProbe")
                for name, way in one[probe].items()
                if name in ("httpGet", "tcpSocket")
            }
            assert asked == {ports["http"]}, owner
        if one["name"] == "worker":
            assert f"--nanny-port={ports['nanny']}" in one["args"], owner
            assert f"--worker-port={ports['dask']}" in one["args"], owner


def test_images_are_named_exactly(every_container: Owned) -> None:
    for owner, one in every_container:
        assert re.search(r"(:[\w.-]+|@sha256:[0-9a-f]{64})$", one["image"]), owner
        assert not one["image"].endswith(":latest"), owner


def test_no_secret_is_written_down(every_container: Owned) -> None:
    for owner, one in every_container:
        for variable in one["env"]:
            if "value" in variable:
                is_path = variable["name"].endswith("_FILE")
                assert is_path or not SECRET.search(variable["name"]), f"{owner}: {variable['name']}"
    for name in (*EVERYTHING, *PROFILES):
        objects = render_profile(name) if name in PROFILES else render(EVERYTHING[name])
        assert not find_all(objects, "Secret"), "secrets are made by their owners, not by the chart"
        for one in find_all(objects, "ConfigMap"):
            assert not NETRC_IN_TEXT.search(json.dumps(one["data"]))


def test_only_who_touches_the_store_has_its_keys() -> None:
    values = {"store": {"kind": "s3", "s3": {"bucket": "b", "existingSecret": "store-keys"}}}
    for owner, pod in pods(render(values)):
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        text = json.dumps(pod)
        assert ("store-keys" in text) is (component in ("backfill", "test")), owner


def test_no_budget_blocks_a_drain() -> None:
    for values in EVERYTHING.values():
        objects = render(values)
        budgets = find_all(objects, "PodDisruptionBudget")
        assert budgets
        for one in budgets:
            assert "minAvailable" not in one["spec"]
            assert one["spec"]["maxUnavailable"] not in (0, "0%")
            assert one["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
            assert one["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"].startswith("worker-")


def test_nothing_scales_workers_behind_the_schedulers_back() -> None:
    for values in EVERYTHING.values():
        assert not find_all(render(values), "HorizontalPodAutoscaler")


def test_services_are_seen_inside_the_cluster_only() -> None:
    for one in find_all(render(FULL), "Service"):
        assert one["spec"]["type"] == "ClusterIP"


def test_names_of_objects_carry_the_release_and_are_short_enough() -> None:
    release = "a" * 29
    longest = {"Job": 63, "CronJob": 52, "Deployment": 63, "Service": 63}
    for one in render(FULL, release=release):
        name = one["metadata"]["name"]
        assert name.startswith(f"{release}-glaciolake")
        assert len(name) <= longest.get(one["kind"], 253)
