"""What the model of Kubernetes holds: kinds, objects, and the changes that watchers are told of."""

from __future__ import annotations

import asyncio
import copy
import re
import time
import uuid
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

Object = dict[str, Any]
Key = tuple[str | None, str]
"""Namespace (None for kinds without one) and name."""


class Kind(NamedTuple):
    """A kind that the model serves."""

    group: str
    version: str
    plural: str
    kind: str
    subresources: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


KINDS = (
    Kind("", "v1", "namespaces", "Namespace", ("status",), ("ns",), namespaced=False),
    Kind("", "v1", "configmaps", "ConfigMap", (), ("cm",)),
    Kind("", "v1", "events", "Event", (), ("ev",)),
    Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", ("status",), ("pvc",)),
    Kind("", "v1", "pods", "Pod", ("status", "log"), ("po",)),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "serviceaccounts", "ServiceAccount", (), ("sa",)),
    Kind("", "v1", "services", "Service", ("status",), ("svc",)),
    Kind("apps", "v1", "deployments", "Deployment", ("status", "scale"), ("deploy",)),
    Kind("apps", "v1", "replicasets", "ReplicaSet", ("status", "scale"), ("rs",)),
    Kind("batch", "v1", "cronjobs", "CronJob", ("status",), ("cj",)),
    Kind("batch", "v1", "jobs", "Job", ("status",)),
    Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", (), ("netpol",)),
    Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", ("status",), ("pdb",)),
)
BY_PLURAL = {one.plural: one for one in KINDS}


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def key_of(one: Object) -> Key:
    meta = one["metadata"]
    return meta.get("namespace"), meta["name"]


def owned_by(one: Object, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in one["metadata"].get("ownerReferences") or [])


class Cluster:
    """All objects of the model, by kind and key."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[Key, Object]] = {one.plural: {} for one in KINDS}
        self.changes: dict[str, list[tuple[int, str, Object]]] = defaultdict(list)
        self.changed = asyncio.Condition()
        self.version = 100

    async def tell(self, plural: str, change: str, one: Object) -> None:
        """Give an object a new version, and tell watchers."""
        self.version += 1
        one["metadata"]["resourceVersion"] = str(self.version)
        self.changes[plural].append((self.version, change, copy.deepcopy(one)))
        async with self.changed:
            self.changed.notify_all()

    async def next(self, plural: str, version: int, end_s: float) -> list[tuple[int, str, Object]]:
        """Changes after a version; where there are none, wait for any change, at most until a time."""
        found = [one for one in self.changes[plural] if one[0] > version]
        if not found:
            async with self.changed:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), min(5, max(0.1, end_s - time.monotonic())))
        return found

    async def add(self, plural: str, one: Object) -> Object:
        kind = BY_PLURAL[plural]
        one = {"apiVersion": kind.api_version, "kind": kind.kind, **one}
        one["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": now(), "generation": 1}
        self.objects[plural][key_of(one)] = one
        await self.tell(plural, "ADDED", one)
        return one

    async def replace(self, plural: str, one: Object) -> None:
        self.objects[plural][key_of(one)] = one
        await self.tell(plural, "MODIFIED", one)

    async def remove(self, plural: str, key: Key) -> None:
        """Delete an object and what it owns; of a namespace, all that is in it."""
        one = self.objects[plural].pop(key, None)
        if one is None:
            return
        await self.tell(plural, "DELETED", one)
        for other, found in list(self.objects.items()):
            for at, each in list(found.items()):
                inside = plural == "namespaces" and at[0] == key[1]
                if inside or owned_by(each, one["metadata"]["uid"]):
                    await self.remove(other, at)

    async def set_status(self, plural: str, one: Object, status: Object) -> None:
        if one.get("status") != status and key_of(one) in self.objects[plural]:
            one["status"] = status
            await self.tell(plural, "MODIFIED", one)

    async def note(self, about: Object, reason: str, message: str) -> None:
        """Record a warning event about an object, once."""
        meta = about["metadata"]
        for event in self.objects["events"].values():
            if event["involvedObject"]["uid"] == meta["uid"] and event["message"] == message:
                return
        involved = {
            "kind": about["kind"],
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
        }
        name = f"{meta['name']}.{uuid.uuid4().hex[:12]}"
        times = {"firstTimestamp": now(), "lastTimestamp": now(), "count": 1}
        event = {
            "metadata": {"name": name, "namespace": meta["namespace"]},
            "involvedObject": involved,
            **times,
        }
        await self.add("events", event | {"type": "Warning", "reason": reason, "message": message})


def selected(one: Object, labels: str, fields: str) -> bool:
    """Whether an object meets a label selector and a field selector, as kubectl writes them."""
    has = one["metadata"].get("labels") or {}
    wanted = [term.strip() for term in re.split(r",(?![^(]*\))", labels) if term.strip()]
    return all(_has_label(has, term) for term in wanted) and all(
        _has_field(one, term) for term in fields.split(",") if term
    )


def _has_label(has: dict[str, str], term: str) -> bool:
    if found := re.match(r"^(\S+)\s+(in|notin)\s+\((.*)\)$", term):
        inside = has.get(found[1]) in [one.strip() for one in found[3].split(",")]
        return inside == (found[2] == "in")
    if "!=" in term:
        name, value = term.split("!=")
        return has.get(name) != value
    if "=" in term:
        name, value = re.split("==?", term)
        return has.get(name) == value
    return term[1:] not in has if term.startswith("!") else term in has


def _has_field(one: Any, term: str) -> bool:
    unequal = "!=" in term
    path, value = re.split("!=|==?", term)
    for part in path.split("."):
        one = one.get(part) if isinstance(one, dict) else None
    return ((one or "") == value) != unequal
