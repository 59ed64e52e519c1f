"""Every profile: helm 3 and 4 say the same, Kubernetes knows it, our own reader takes the configuration."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

import glaciolake
from glaciolake.pipeline.config import load_config
from tests.helm.chart import (
    CHART,
    FULL,
    HELM3,
    HELM4,
    IMAGE,
    PROFILES,
    config,
    find,
    find_all,
    helm,
    pods,
    render,
    render_profile,
)

OLDEST, NEWEST = "1.31", "1.37"
FOREIGN = {"ServiceMonitor"}
"""Kinds of which kubernetes-validate has no schema: the Prometheus operator's."""
SETS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "full": FULL,
    "s3": {
        "store": {
            "kind": "s3",
            "s3": {"bucket": "b", "endpoint": "http://s3.local:9000", "existingSecret": "k"},
        }
    },
}
ALL = (*PROFILES, *SETS)


def objects_of(name: str, binary: Path = HELM4) -> list[dict[str, Any]]:
    """Objects of a profile or of a set of values."""
    return render_profile(name, binary) if name in PROFILES else render(SETS[name], binary=binary)


def by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Objects by kind and name, whatever order helm gave them."""
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def test_every_profile_is_tested() -> None:
    assert {path.stem for path in (CHART / "profiles").glob("*.yaml")} == set(PROFILES)


@pytest.mark.parametrize("binary", [HELM3, HELM4], ids=["helm3", "helm4"])
def test_helm_is_the_version_that_is_meant(binary: Path) -> None:
    said = subprocess.run([str(binary), "version", "--short"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith({"helm3": "v3.19.", "helm4": "v4.3."}[binary.name])


@pytest.mark.parametrize("binary", [HELM3, HELM4], ids=["helm3", "helm4"])
@pytest.mark.parametrize("name", ["full", *PROFILES])
def test_lint_finds_nothing(name: str, binary: Path) -> None:
    files = [str(CHART / "profiles" / f"{one}.yaml") for one in PROFILES.get(name, ())]
    arguments = [part for file in files for part in ("--values", file)]
    said = helm("lint", "--strict", str(CHART), *arguments, values=SETS.get(name, {}), binary=binary)
    assert said.returncode == 0 and "[WARNING]" not in said.stdout, said.stdout + said.stderr


@pytest.mark.parametrize("name", ALL)
def test_helm_3_and_4_say_the_same(name: str) -> None:
    assert by_name(objects_of(name, HELM3)) == by_name(objects_of(name, HELM4))


@pytest.fixture(scope="module")
def schemas_read_once() -> Iterator[None]:
    """Keep what kubernetes-validate would parse anew for every object."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            kubernetes_validate.utils, "schema_contents", cache(kubernetes_validate.utils.schema_contents)
        )
        yield


@pytest.mark.usefixtures("schemas_read_once")
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", ALL)
def test_kubernetes_knows_every_field(name: str, version: str) -> None:
    for one in objects_of(name):
        if one["kind"] not in FOREIGN:
            kubernetes_validate.validate(one, version, strict=True)


def test_kubernetes_schemas_find_a_wrong_field() -> None:
    wrong = find(render(), "Service")
    wrong["spec"]["port"] = wrong["spec"].pop("ports")
    with pytest.raises(kubernetes_validate.ValidationError, match="Additional properties are not allowed"):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_chart_claims_the_versions_that_are_checked() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    minor = int(NEWEST.split(".")[1])
    assert about["kubeVersion"] == f">={OLDEST}.0-0 <1.{minor + 1}.0-0"


@pytest.mark.parametrize(("version", "fits"), [("1.30.9", False), ("1.31.0", True), ("1.37.2-gke.1", True)])
def test_other_kubernetes_versions_are_refused(version: str, fits: bool) -> None:
    said = helm("template", "gl", str(CHART), "--kube-version", version, values=IMAGE)
    assert (said.returncode == 0) is fits, said.stderr
    assert fits or "which is incompatible with Kubernetes v1.30.9" in said.stderr


def test_chart_is_of_the_version_of_the_package() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert about["appVersion"] == glaciolake.__version__


@pytest.mark.parametrize("name", ALL)
def test_our_own_reader_takes_the_configuration(name: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    objects = objects_of(name)
    file.write_text(find(objects, "ConfigMap", "-run")["data"]["config.yaml"])
    settings = load_config(file, {})
    service = find(objects, "Service", "-scheduler")
    port = next(one["port"] for one in service["spec"]["ports"] if one["name"] == "dask")
    scheme = "tls" if settings.cluster.tls_ca_file else "tcp"
    assert settings.cluster.scheduler == f"{scheme}://{service['metadata']['name']}:{port}"
    assert settings.cluster.gpu is (name in ("gpu", "full"))


@pytest.mark.parametrize("name", ALL)
def test_what_is_referred_to_is_there(name: str) -> None:
    objects = objects_of(name)
    made = set(by_name(objects))
    for owner, pod in pods(objects):
        assert ("ServiceAccount", pod["spec"]["serviceAccountName"]) in made, owner
        volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
        for one in pod["spec"]["containers"]:
            mounts = [mount["name"] for mount in one["volumeMounts"]]
            assert sorted(mounts) == sorted(volumes), f"{owner}: volumes and mounts differ"
        for volume in volumes.values():
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in made, owner


@pytest.mark.parametrize("name", ALL)
def test_selectors_find_their_pods_and_nobody_elses(name: str) -> None:
    objects = objects_of(name)
    labels = {owner: pod["metadata"]["labels"] for owner, pod in pods(objects)}
    for one in find_all(objects, "Deployment") + find_all(objects, "PodDisruptionBudget"):
        wanted = one["spec"]["selector"]["matchLabels"].items()
        found = [owner for owner, have in labels.items() if wanted <= have.items()]
        assert found == [f"Deployment/{one['metadata']['name']}"]
    for one in find_all(objects, "Service"):
        wanted = one["spec"]["selector"].items()
        found = [owner for owner, have in labels.items() if wanted <= have.items()]
        assert found == [f"Deployment/{one['metadata']['name']}"]


def test_dask_reads_its_settings(tmp_path: Path) -> None:
    import dask

    settings = config(render({"scheduler": {"api": True, "allowedFailures": 7}}), "dask")
    with dask.config.set(settings):
        assert dask.config.get("distributed.scheduler.allowed-failures") == 7
        assert "distributed.http.scheduler.api" in dask.config.get("distributed.scheduler.http.routes")
