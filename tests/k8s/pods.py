"""From a pod to what podman is told: mounts, variables, limits, the names of its Services."""

from __future__ import annotations

import base64
import os
import re
import shutil
from pathlib import Path
from typing import Any

from tests.k8s.objects import Cluster, Object

DEFAULT_MODE = 0o644
SUFFIXES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9}


class NotYet(Exception):
    """A pod that cannot start for something that may still come.

    Attributes
    ----------
    reason
        As the kubelet would say it in an event.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def bytes_of(quantity: str) -> int:
    """Bytes of a Kubernetes quantity, such as 4Gi."""
    for suffix, factor in SUFFIXES.items():
        if quantity.endswith(suffix):
            return int(float(quantity.removesuffix(suffix)) * factor)
    return int(quantity)


def cores_of(quantity: Any) -> float:
    """Cores of a Kubernetes quantity, such as 500m."""
    text = str(quantity)
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def podman_arguments(pod: Object, cluster: Cluster, folder: Path) -> list[str]:
    """Arguments after ``podman run`` for a pod of one container.

    Parameters
    ----------
    pod
        The pod.
    cluster
        Where its Services, ConfigMaps, Secrets and claims are.
    folder
        Where volumes lie: ``claims/<name>`` outlive the pod, ``pods/<name>`` do not.

    Raises
    ------
    NotYet
        A Secret, ConfigMap, key or claim is missing.
    NotImplementedError
        The pod asks for something that the model does not know.
    """
    spec = pod["spec"]
    if len(spec["containers"]) != 1 or spec.get("initContainers"):
        raise NotImplementedError("pods of several containers are not modelled")
    container = spec["containers"][0]
    variables = _variables(pod, container, cluster)
    arguments = ["--hostname", pod["metadata"]["name"][:63], "--pids-limit", "4096"]
    arguments += _limits(container) + _security(spec, container) + _aliases(pod, cluster)
    for name, value in variables.items():
        arguments += ["--env", f"{name}={value}"]
    arguments += _mounts(pod, container, cluster, folder)
    if container.get("command"):
        command = [_expanded(one, variables) for one in container["command"]]
        arguments += ["--entrypoint", command[0], container["image"], *command[1:]]
    else:
        arguments.append(container["image"])
    return arguments + [_expanded(one, variables) for one in container.get("args") or []]


def _limits(container: Object) -> list[str]:
    limits = (container.get("resources") or {}).get("limits") or {}
    if "memory" not in limits:
        raise NotImplementedError(
            f"container {container['name']!r} has no memory limit; on a shared machine it needs one"
        )
    arguments = [
        "--memory",
        str(bytes_of(limits["memory"])),
        "--memory-swap",
        str(bytes_of(limits["memory"])),
    ]
    return arguments + (["--cpus", str(cores_of(limits["cpu"]))] if "cpu" in limits else [])


def _security(spec: Object, container: Object) -> list[str]:
    context = (spec.get("securityContext") or {}) | (container.get("securityContext") or {})
    arguments = []
    if "runAsUser" in context:
        arguments += ["--user", f"{context['runAsUser']}:{context.get('runAsGroup', 0)}"]
    if "fsGroup" in context:
        arguments += ["--group-add", str(context["fsGroup"])]
    if context.get("readOnlyRootFilesystem"):
        arguments += ["--read-only", "--read-only-tmpfs=false"]
    if context.get("allowPrivilegeEscalation") is False:
        arguments += ["--security-opt", "no-new-privileges"]
    for capability in (context.get("capabilities") or {}).get("drop") or []:
        arguments += ["--cap-drop", capability]
    return arguments


def _aliases(pod: Object, cluster: Cluster) -> list[str]:
    """Names under which the pod's Services are found: theirs point to it as long as it lives."""
    labels, own = pod["metadata"].get("labels") or {}, pod["metadata"]["namespace"]
    arguments = []
    for (namespace, name), service in cluster.objects["services"].items():
        selector = service["spec"].get("selector")
        if namespace != own or not selector or not selector.items() <= labels.items():
            continue
        for port in service["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            named = {
                p.get("name"): p["containerPort"] for p in pod["spec"]["containers"][0].get("ports") or []
            }
            if named.get(target, target) != port["port"]:
                raise NotImplementedError(
                    f"Service {name!r} maps port {port['port']} to {target}; the model does not"
                )
        for alias in (name, f"{name}.{own}", f"{name}.{own}.svc", f"{name}.{own}.svc.cluster.local"):
            arguments += ["--network-alias", alias]
    return arguments


def _variables(pod: Object, container: Object, cluster: Cluster) -> dict[str, str]:
    if container.get("envFrom"):
        raise NotImplementedError("envFrom is not modelled")
    found: dict[str, str] = {}
    for entry in container.get("env") or []:
        value = entry.get("value", "")
        if "valueFrom" in entry:
            value = _value_from(entry["valueFrom"], pod, cluster)
        found[entry["name"]] = _expanded(value, found)
    return found


def _value_from(source: Object, pod: Object, cluster: Cluster) -> str:
    namespace = pod["metadata"]["namespace"]
    if "fieldRef" in source:
        path = source["fieldRef"]["fieldPath"]
        if path not in ("metadata.name", "metadata.namespace"):
            raise NotImplementedError(f"fieldRef {path!r} is not modelled")
        return str(pod["metadata"][path.removeprefix("metadata.")])
    if "secretKeyRef" in source:
        wanted, data = source["secretKeyRef"], _secret(namespace, source["secretKeyRef"]["name"], cluster)
    else:
        wanted, data = (
            source["configMapKeyRef"],
            _config_map(namespace, source["configMapKeyRef"]["name"], cluster),
        )
    if wanted["key"] not in data:
        kind = "Secret" if "secretKeyRef" in source else "ConfigMap"
        message = f"couldn't find key {wanted['key']} in {kind} {namespace}/{wanted['name']}"
        raise NotYet("CreateContainerConfigError", message)
    return data[wanted["key"]].decode()


def _secret(namespace: str, name: str, cluster: Cluster) -> dict[str, bytes]:
    one = cluster.objects["secrets"].get((namespace, name))
    if one is None:
        raise NotYet("CreateContainerConfigError", f'secret "{name}" not found')
    return {key: base64.b64decode(value) for key, value in (one.get("data") or {}).items()}


def _config_map(namespace: str, name: str, cluster: Cluster) -> dict[str, bytes]:
    one = cluster.objects["configmaps"].get((namespace, name))
    if one is None:
        raise NotYet("CreateContainerConfigError", f'configmap "{name}" not found')
    return {key: value.encode() for key, value in (one.get("data") or {}).items()}


def _expanded(text: str, variables: dict[str, str]) -> str:
    """Put variables in place of ``$(NAME)``, as the kubelet does."""
    return re.sub(r"\$\((\w+)\)", lambda found: variables.get(found[1], found[0]), text)


def _mounts(pod: Object, container: Object, cluster: Cluster, folder: Path) -> list[str]:
    group = (pod["spec"].get("securityContext") or {}).get("fsGroup", 0)
    volumes = {one["name"]: one for one in pod["spec"].get("volumes") or []}
    own = folder / "pods" / pod["metadata"]["name"]
    shutil.rmtree(own, ignore_errors=True)
    mounts = sorted(container.get("volumeMounts") or [], key=lambda one: str(one["mountPath"]))
    places = {one["mountPath"]: _place(volumes[one["name"]], pod, cluster, folder, group) for one in mounts}
    arguments = []
    for mount in mounts:
        if mount.get("subPath"):
            raise NotImplementedError("subPath is not modelled")
        for outer, place in places.items():  # a mount inside another: the kubelet makes the folder for it
            if mount["mountPath"].startswith(f"{outer}/"):
                (place / mount["mountPath"].removeprefix(f"{outer}/")).mkdir(parents=True, exist_ok=True)
        options = ":ro" if mount.get("readOnly") else ""
        arguments += ["--volume", f"{places[mount['mountPath']]}:{mount['mountPath']}{options}"]
    return arguments


def _place(volume: Object, pod: Object, cluster: Cluster, folder: Path, group: int) -> Path:
    """Folder of a volume on this machine, with the owner and the modes that the kubelet gives it."""
    namespace, own = pod["metadata"]["namespace"], folder / "pods" / pod["metadata"]["name"] / volume["name"]
    try:
        if "persistentVolumeClaim" in volume:
            return _claim(namespace, volume["persistentVolumeClaim"]["claimName"], cluster, folder, group)
        if "emptyDir" in volume:
            return _made(own, group, 0o2777)
        if "configMap" in volume:
            data = _config_map(namespace, volume["configMap"]["name"], cluster)
            return _written(own, data, group, volume["configMap"].get("defaultMode", DEFAULT_MODE))
        data = _secret(namespace, volume["secret"]["secretName"], cluster)
        return _written(own, data, group, volume["secret"].get("defaultMode", DEFAULT_MODE))
    except NotYet as missing:
        said = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {missing}'
        raise NotYet("FailedMount", said) from None


def _claim(namespace: str, name: str, cluster: Cluster, folder: Path, group: int) -> Path:
    if (namespace, name) not in cluster.objects["persistentvolumeclaims"]:
        raise NotYet("FailedScheduling", f'persistentvolumeclaim "{name}" not found')
    place = folder / "claims" / name
    return place if place.is_dir() else _made(place, group, 0o2775)


def _written(place: Path, data: dict[str, bytes], group: int, mode: int) -> Path:
    _made(place, group, 0o2755)
    for name, content in data.items():
        file = place / name
        file.write_bytes(content)
        os.chown(file, 0, group)
        file.chmod(mode)
    return place


def _made(place: Path, group: int, mode: int) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    os.chown(place, 0, group)
    place.chmod(mode)
    return place
