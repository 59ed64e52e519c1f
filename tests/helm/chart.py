"""The chart as helm renders it."""

from __future__ import annotations

import functools
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "glaciolake"
BINARIES = ROOT / "build" / "helm"
HELM3, HELM4, KUBECTL = (BINARIES / name for name in ("helm3", "helm4", "kubectl"))
PROFILES = {
    "local": ("local",),
    "cpu": ("cpu",),
    "gpu": ("cpu", "gpu"),
    "air-gapped": ("air-gapped",),
}
"""Name of a profile to the files that are given for it, the last one winning."""

Object = dict[str, Any]
IMAGE = {"image": {"repository": "registry.example.org/glaciolake"}}
"""The one value without which nothing is installed."""
FULL = {
    **IMAGE,
    "earthdata": {"existingSecret": "earthdata", "netrcKey": ".netrc"},
    "extraEnv": [{"name": "GDAL_CACHEMAX", "value": "256"}],
    "extraMounts": [{"name": "scenes", "path": "/scenes", "existingClaim": "scenes"}],
    "ingest": {"enabled": True},
    "jupyter": {"enabled": True, "existingSecret": "notebook"},
    "metrics": {"serviceMonitor": {"enabled": True}},
    "networkPolicy": {"clients": {"team": "lakes"}},
    "registry": {"geojson": '{"type": "FeatureCollection", "features": []}'},
    "scheduler": {"dashboard": True, "api": True},
    "tls": {"enabled": True, "existingSecret": "dask-tls"},
    "workerGroups": {"gpu": {"enabled": True}},
}
"""Everything switched on."""


def merged(*trees: Mapping[str, Any]) -> Object:
    """Values over values, the last one winning, as helm merges them."""
    whole: Object = {}
    for tree in trees:
        for key, value in tree.items():
            both = isinstance(value, Mapping) and isinstance(whole.get(key), Mapping)
            whole[key] = merged(whole[key], value) if both else value
    return whole


def helm(
    *arguments: str, values: Mapping[str, Any] | None = None, binary: Path = HELM4
) -> subprocess.CompletedProcess[str]:
    """Run helm with some values; it is never asked to talk to a cluster."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values or {}, file)
        file.flush()
        command = [str(binary), *arguments, "--values", file.name]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@functools.cache
def _rendered(values: str, binary: Path, release: str, arguments: tuple[str, ...]) -> str:
    said = helm("template", release, str(CHART), *arguments, values=json.loads(values), binary=binary)
    assert said.returncode == 0, said.stderr
    return said.stdout


def _objects(text: str) -> list[Object]:
    """Objects in helm's output, read by libyaml: Python's own reader takes longer than helm."""
    return [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one]


def render(
    values: Mapping[str, Any] | None = None, *arguments: str, binary: Path = HELM4, release: str = "gl"
) -> list[Object]:
    """Objects that the chart makes of some values, on top of `IMAGE`."""
    given = json.dumps(merged(IMAGE, values or {}), sort_keys=True)
    return _objects(_rendered(given, binary, release, arguments))


def render_with(*arguments: str) -> list[Object]:
    """Objects of a command line and nothing else."""
    return _objects(_rendered("{}", HELM4, "gl", arguments))


def render_profile(name: str, binary: Path = HELM4) -> list[Object]:
    """Objects of a profile."""
    files = [str(CHART / "profiles" / f"{one}.yaml") for one in PROFILES[name]]
    arguments = tuple(part for file in files for part in ("--values", file))
    return _objects(_rendered("{}", binary, "gl", arguments))


def find(objects: list[Object], kind: str, ending: str = "") -> Object:
    """The one object of a kind whose name ends so."""
    found = find_all(objects, kind, ending)
    names = [f"{one['kind']} {one['metadata']['name']}" for one in objects]
    assert len(found) == 1, f"{len(found)} objects of kind {kind} end with {ending!r}: {names}"
    return found[0]


def find_all(objects: list[Object], kind: str, ending: str = "") -> list[Object]:
    """Objects of a kind whose names end so."""
    return [one for one in objects if one["kind"] == kind and one["metadata"]["name"].endswith(ending)]


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Name of an object and the pod that it makes: metadata and spec."""
    for one in objects:
        spec = one.get("spec", {})
        name = f"{one['kind']}/{one['metadata']['name']}"
        if one["kind"] == "Pod":
            yield name, one
        elif one["kind"] in ("Deployment", "Job"):
            yield name, spec["template"]
        elif one["kind"] == "CronJob":
            yield name, spec["jobTemplate"]["spec"]["template"]


def container(owner: Object) -> Object:
    """The one container of an object's pod."""
    ((_, pod),) = pods([owner])
    (only,) = pod["spec"]["containers"]
    return dict(only)


def env(owner: Object) -> dict[str, Any]:
    """Variables of an object's container: name to value, or to where it comes from."""
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container(owner)["env"]}


def config(objects: list[Object], name: str) -> Object:
    """The YAML in a ConfigMap: ``run`` or ``dask``."""
    data = find(objects, "ConfigMap", f"-{name}")["data"]
    loaded: Object = yaml.safe_load(data["config.yaml" if name == "run" else "dask.yaml"])
    return loaded
