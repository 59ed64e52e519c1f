from __future__ import annotations

import socket
from typing import Any

import dask
import pytest
from pydantic import ValidationError

from glaciolake.cluster.config import ClusterConfig, KubernetesRelease
from glaciolake.cluster.connect import connect
from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.kubernetes import release_address


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let names of Services be known, as in a pod; what is asked for."""
    asked: list[str] = []

    def known(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(f"{host}:{port}")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", known)
    return asked


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)


@pytest.mark.parametrize(
    ("release", "service"),
    [
        ("himalaya", "himalaya-glaciolake-scheduler"),
        ("glaciolake", "glaciolake-scheduler"),
        ("my-glaciolake-2", "my-glaciolake-2-scheduler"),
    ],
)
def test_the_service_is_named_as_helm_names_it(inside: list[str], release: str, service: str) -> None:
    address = release_address(KubernetesRelease(release=release, namespace="lakes"))
    assert address == f"tcp://{service}.lakes.svc:8786"
    assert inside == [f"{service}.lakes.svc:8786"]


def test_a_service_of_another_name_is_taken(inside: list[str]) -> None:
    where = KubernetesRelease(release="himalaya", namespace="lakes", service="dask-scheduler")
    assert release_address(where) == "tcp://dask-scheduler.lakes.svc:8786"
    assert inside == ["dask-scheduler.lakes.svc:8786"]
    long = KubernetesRelease(release="a" * 50, service="short-scheduler")
    assert release_address(long) == "tcp://short-scheduler.default.svc:8786"


@pytest.mark.usefixtures("inside")
def test_tls_is_spoken_where_files_or_dasks_own_settings_say_so() -> None:
    where = KubernetesRelease(release="glaciolake")
    assert release_address(where, encrypted=True) == "tls://glaciolake-scheduler.default.svc:8786"
    with dask.config.set({"distributed.comm.tls.ca-file": "/etc/tls/ca.crt"}):
        assert release_address(where).startswith("tls://")
    with dask.config.set({"distributed.comm.require-encryption": True}):
        assert release_address(where).startswith("tls://")


@pytest.mark.usefixtures("outside")
def test_from_outside_the_line_that_leads_the_port_here_is_told() -> None:
    config = ClusterConfig(kubernetes=KubernetesRelease(release="himalaya", namespace="lakes"))
    assert not config.is_local
    line = "kubectl --namespace lakes port-forward service/himalaya-glaciolake-scheduler 8786:8786"
    find = "get service -l app.kubernetes.io/instance=himalaya,app.kubernetes.io/component=scheduler`"
    with pytest.raises(ClusterError, match=find), connect(config):
        pytest.fail("nobody is there")
    told = f"`{line}`, and give scheduler tcp://127.0.0.1:8786 instead of kubernetes"
    with pytest.raises(ClusterError, match=told), connect(config):
        pytest.fail("nobody is there")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"kubernetes": {"release": "a"}, "scheduler": "tcp://b:1"},
            r"give scheduler \(tcp://b:1\) or",
        ),
        ({"kubernetes": {"release": "Not_A_Name"}}, "String should match pattern"),
        (
            {"kubernetes": {"release": "a" * 43}},
            "longer than 63 characters; give the name that it has",
        ),
        ({"kubernetes": {"namespace": "lakes"}}, "release\n.*Field required"),
    ],
)
def test_what_cannot_be_a_release_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ClusterConfig(**given)
