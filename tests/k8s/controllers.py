"""The controllers of the model: Deployments with their ReplicaSets, Jobs, claims."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
import math
import time
import uuid
from typing import Any

from tests.k8s.node import Node
from tests.k8s.objects import Cluster, Object, key_of, now, owned_by

TICK_S = 0.5
REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
FIRST_BACK_OFF_S, LONGEST_BACK_OFF_S = 10.0, 600.0


class Controllers:
    """Bring a cluster towards what its objects ask for.

    Parameters
    ----------
    cluster
        The objects.
    node
        Runs the pods; says which still end.
    """

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self.cluster, self.node = cluster, node
        self._not_before: dict[tuple[str, int], float] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(TICK_S)

    async def look(self) -> None:
        """Look at every object once, and do what is next."""
        for one in list(self.cluster.objects["deployments"].values()):
            await self._deployment(one)
        for one in list(self.cluster.objects["jobs"].values()):
            await self._job(one)
        for one in list(self.cluster.objects["persistentvolumeclaims"].values()):
            spec = one["spec"]
            bound = {"phase": "Bound", "accessModes": spec["accessModes"]}
            bound |= {"capacity": spec["resources"]["requests"]}
            await self.cluster.set_status("persistentvolumeclaims", one, bound)

    def _pods(self, owner: Object) -> list[Object]:
        return [
            one for one in self.cluster.objects["pods"].values() if owned_by(one, owner["metadata"]["uid"])
        ]

    async def _deployment(self, one: Object) -> None:
        sets = [
            rs for rs in self.cluster.objects["replicasets"].values() if owned_by(rs, one["metadata"]["uid"])
        ]
        current = next((rs for rs in sets if rs["metadata"]["labels"][HASH] == _hash(one)), None)
        if current is None:
            current = await self._replica_set(one)
        old_sets = [rs for rs in sets if rs is not current]
        old, new = [pod for rs in old_sets for pod in self._pods(rs)], self._pods(current)
        wanted = one["spec"].get("replicas", 1)
        if (one["spec"].get("strategy") or {}).get("type") == "Recreate":
            go = await self._recreate(old, old_sets)
            surge, spare = 0, wanted
        else:
            surge, spare = _fenceposts(one, wanted)
            await self._scale_down_old(old, new, wanted - spare)
            go = True
        room = min(wanted - len(new), wanted + surge - len(old) - len(new)) if go else 0
        for _ in range(room):
            await self.cluster.add("pods", _pod_of(current, {HASH: current["metadata"]["labels"][HASH]}))
        for pod in sorted(new, key=_is_ready)[: max(0, len(new) - wanted)]:
            await self.cluster.remove("pods", key_of(pod))
        for rs in old_sets:
            if not self._pods(rs) and not self._is_ending(rs):
                await self.cluster.remove("replicasets", key_of(rs))
        await self._say(one, current, len(old))

    async def _recreate(self, old: list[Object], old_sets: list[Object]) -> bool:
        """End all old pods; whether they are gone."""
        for pod in old:
            await self.cluster.remove("pods", key_of(pod))
        return not old and not any(self._is_ending(rs) for rs in old_sets)

    def _is_ending(self, rs: Object) -> bool:
        return any(rs["metadata"]["uid"] in owners for owners in self.node.ending.values())

    async def _scale_down_old(self, old: list[Object], new: list[Object], least: int) -> None:
        """End old pods, unready ones first, as long as enough stay ready."""
        ready = sum(map(_is_ready, [*old, *new]))
        for pod in sorted(old, key=_is_ready):
            if _is_ready(pod):
                if ready <= least:
                    return
                ready -= 1
            await self.cluster.remove("pods", key_of(pod))

    async def _replica_set(self, one: Object) -> Object:
        revisions = [
            int(rs["metadata"]["annotations"][REVISION])
            for rs in self.cluster.objects["replicasets"].values()
            if owned_by(rs, one["metadata"]["uid"])
        ]
        revision = {REVISION: str(max(revisions, default=0) + 1)}
        one["metadata"].setdefault("annotations", {}).update(revision)
        labels = (one["spec"]["template"]["metadata"].get("labels") or {}) | {HASH: _hash(one)}
        meta = {"name": f"{one['metadata']['name']}-{_hash(one)}", "namespace": one["metadata"]["namespace"]}
        meta |= {"labels": labels, "annotations": revision, "ownerReferences": [_owner(one)]}
        spec = {"replicas": one["spec"].get("replicas", 1), "selector": one["spec"]["selector"]}
        template = copy.deepcopy(one["spec"]["template"])
        return await self.cluster.add(
            "replicasets", {"metadata": meta, "spec": spec | {"template": template}}
        )

    async def _say(self, one: Object, current: Object, n_old: int) -> None:
        wanted, new = one["spec"].get("replicas", 1), self._pods(current)
        ready = sum(map(_is_ready, new))
        counts = {"replicas": len(new), "readyReplicas": ready, "availableReplicas": ready}
        seen = {"observedGeneration": current["metadata"]["generation"]}
        await self.cluster.set_status("replicasets", current, counts | seen)
        done = ready >= wanted and not n_old
        conditions = [
            {"type": "Available", "status": "True" if ready >= wanted else "False"},
            {
                "type": "Progressing",
                "status": "True",
                "reason": "NewReplicaSetAvailable" if done else "ReplicaSetUpdated",
            },
        ]
        status = counts | {
            "replicas": len(new) + n_old,
            "updatedReplicas": len(new),
            "conditions": conditions,
        }
        status |= {"observedGeneration": one["metadata"]["generation"]}
        status |= {"unavailableReplicas": wanted - ready} if ready < wanted else {}
        await self.cluster.set_status("deployments", one, status)

    async def _job(self, one: Object) -> None:
        status, spec, uid = one.get("status") or {}, one["spec"], one["metadata"]["uid"]
        if any(each["type"] in ("Complete", "Failed") for each in status.get("conditions", [])):
            return
        pods = self._pods(one)
        phases = [(pod.get("status") or {}).get("phase") for pod in pods]
        n_failed, active = phases.count("Failed"), [p for p in phases if p not in ("Failed", "Succeeded")]
        start = {"startTime": status.get("startTime") or now(), "failed": n_failed, "active": len(active)}
        if "Succeeded" in phases:
            done = {
                "succeeded": 1,
                "active": 0,
                "completionTime": now(),
                "conditions": [_condition("Complete", "")],
            }
            await self.cluster.set_status("jobs", one, start | done)
            return
        reason = _failure(spec, pods, n_failed)
        if reason:
            await self.cluster.set_status("jobs", one, start | {"conditions": [_condition("Failed", reason)]})
            return
        await self.cluster.set_status("jobs", one, start)
        back_off_s = min(FIRST_BACK_OFF_S * 2.0 ** (n_failed - 1), LONGEST_BACK_OFF_S) if n_failed else 0.0
        not_before = self._not_before.setdefault((uid, n_failed), time.monotonic() + back_off_s)
        if not active and time.monotonic() >= not_before:
            name = one["metadata"]["name"]
            await self.cluster.add(
                "pods", _pod_of(one, {"job-name": name, "batch.kubernetes.io/job-name": name})
            )


def _failure(spec: Object, pods: list[Object], n_failed: int) -> str:
    """Why a Job has failed; empty where it has not."""
    for rule in (spec.get("podFailurePolicy") or {}).get("rules", []):
        codes = rule.get("onExitCodes")
        if codes and rule["action"] == "FailJob":
            for pod in pods:
                code = _exit_code(pod)
                if code and (code in codes["values"]) == (codes["operator"] == "In"):
                    return "PodFailurePolicy"
    return "BackoffLimitExceeded" if n_failed > spec.get("backoffLimit", 6) else ""


def _exit_code(pod: Object) -> int:
    for entry in (pod.get("status") or {}).get("containerStatuses", []):
        code: int = (entry["state"].get("terminated") or {}).get("exitCode", 0)
        return code
    return 0


def _condition(kind: str, reason: str) -> dict[str, Any]:
    return {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": now()}


def _fenceposts(one: Object, wanted: int) -> tuple[int, int]:
    """Pods above and below the wanted number during a rolling update."""
    rolling = (one["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", "25%"), wanted, math.ceil)
    spare = _share(rolling.get("maxUnavailable", "25%"), wanted, math.floor)
    return surge, (1 if not surge and not spare else spare)


def _share(value: Any, wanted: int, rounded: Any) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return int(rounded(wanted * float(value[:-1]) / 100))
    return int(value)


def _hash(one: Object) -> str:
    text = json.dumps(one["spec"]["template"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _owner(one: Object) -> Object:
    about = {"apiVersion": one["apiVersion"], "kind": one["kind"], "name": one["metadata"]["name"]}
    return about | {"uid": one["metadata"]["uid"], "controller": True}


def _pod_of(owner: Object, labels: dict[str, str]) -> Object:
    template, meta = owner["spec"]["template"], owner["metadata"]
    about = copy.deepcopy(template.get("metadata") or {})
    about |= {"name": f"{meta['name']}-{uuid.uuid4().hex[:5]}", "namespace": meta["namespace"]}
    about |= {"labels": (about.get("labels") or {}) | labels, "ownerReferences": [_owner(owner)]}
    return {"metadata": about, "spec": copy.deepcopy(template["spec"])}
