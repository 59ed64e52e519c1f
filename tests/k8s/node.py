"""The kubelet of the model: pods become containers, and what happens to those becomes status."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from pathlib import Path
from typing import Any

from tests.k8s.objects import Cluster, Object, key_of, now
from tests.k8s.podman import Podman, PodmanError, State
from tests.k8s.pods import NotYet, podman_arguments
from tests.k8s.probes import Probed

logger = logging.getLogger(__name__)

TICK_S = 1.0
LONGEST_BACK_OFF_S = 300.0
LEAST_GRACE_S = 2.0
"""What the kubelet leaves to a container whose hook took all the time that it had."""


class Node:
    """Run the pods of a cluster.

    Parameters
    ----------
    cluster
        Where pods come from and their status goes.
    engine
        Runs containers.
    folder
        Where volumes lie.

    Attributes
    ----------
    ending
        Pods that are gone from the cluster while their containers still end, with the uids of their owners.
    """

    def __init__(self, cluster: Cluster, engine: Podman, folder: Path) -> None:
        self.cluster, self.engine, self.folder = cluster, engine, folder
        self.ending: dict[str, set[str]] = {}
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._states: dict[str, State] = {}

    async def run(self) -> None:
        """Watch over pods until cancelled."""
        while True:
            try:
                self._states = await self.engine.states()
            except (
                PodmanError,
                TimeoutError,
            ) as error:  # busy, or a build holds its lock
                logger.warning("podman does not answer: %s", error)
            for pod in list(self.cluster.objects["pods"].values()):
                uid = pod["metadata"]["uid"]
                if uid not in self._lives:
                    self._lives[uid] = asyncio.create_task(self._live(pod))
            await asyncio.sleep(TICK_S)

    def log(self, pod: Object) -> str:
        return self.engine.log(pod["metadata"]["name"])

    def _is_wanted(self, pod: Object) -> bool:
        found = self.cluster.objects["pods"].get(key_of(pod))
        return found is not None and found["metadata"]["uid"] == pod["metadata"]["uid"]

    async def _live(self, pod: Object) -> None:
        """Bring a pod up, keep it, take it down."""
        name = pod["metadata"]["name"]
        try:
            if await self._begin(pod):
                await self._keep(pod)
        except (NotImplementedError, PodmanError) as error:
            logger.warning("pod %s: %s", name, error)
            await self.cluster.note(pod, "Failed", str(error))
            await self._set(pod, {"phase": "Failed", "reason": "StartError", "message": str(error)[:500]})
        while self._is_wanted(pod):
            await asyncio.sleep(TICK_S)
        self.ending[name] = {one["uid"] for one in pod["metadata"].get("ownerReferences") or []}
        try:
            await self.engine.end(name, await self._before_the_end(pod))
        except (PodmanError, TimeoutError) as error:
            logger.warning("pod %s could not be ended: %s", name, error)
        shutil.rmtree(self.folder / "pods" / name, ignore_errors=True)
        del self.ending[name]

    async def _before_the_end(self, pod: Object) -> float:
        """Run the hook of a container that is to end; seconds that are left to it after SIGTERM."""
        name, grace_s = pod["metadata"]["name"], pod["spec"].get("terminationGracePeriodSeconds", 30)
        hook = (pod["spec"]["containers"][0].get("lifecycle") or {}).get("preStop")
        begun_s = time.monotonic()
        if hook is not None and self._states.get(name, State(running=False, exit_code=0)).running:
            try:
                said = await self.engine.execute(name, hook["exec"]["command"], grace_s)
                logger.info("pod %s: preStop said %r", name, said)
            except (PodmanError, TimeoutError) as error:
                logger.warning("pod %s: preStop failed: %s", name, error)
        return float(max(LEAST_GRACE_S, grace_s - (time.monotonic() - begun_s)))

    async def _begin(self, pod: Object) -> bool:
        """Start the container once all is there; False where the pod was deleted before."""
        name, image = pod["metadata"]["name"], pod["spec"]["containers"][0]["image"]
        while self._is_wanted(pod):
            try:
                arguments = podman_arguments(pod, self.cluster, self.folder)
                if not await self.engine.has_image(image):
                    raise NotYet("ErrImagePull", f'Failed to pull image "{image}": not found')
                await self.engine.start(name, arguments)
            except NotYet as missing:
                await self.cluster.note(pod, missing.reason, str(missing))
                waiting = {"waiting": {"reason": missing.reason, "message": str(missing)}}
                await self._set(
                    pod, {"phase": "Pending"} | _container(pod, ready=False, state=waiting, restarts=0)
                )
                await asyncio.sleep(2 * TICK_S)
            else:
                return True
        return False

    async def _keep(self, pod: Object) -> None:
        """Ask probes and start the container again as the pod wants it, until it is done or deleted."""
        container, name = pod["spec"]["containers"][0], pod["metadata"]["name"]
        policy, begun = pod["spec"].get("restartPolicy", "Always"), time.monotonic()
        deadline_s = pod["spec"].get("activeDeadlineSeconds") or float("inf")
        probed, restarts = Probed(container), 0
        address = await self.engine.address(name)
        while self._is_wanted(pod):
            state = self._states.get(name, State(running=True, exit_code=0))
            if state.running and time.monotonic() - begun > deadline_s:
                await self.engine.end(name, 1)
                await self._set(pod, {"phase": "Failed", "reason": "DeadlineExceeded"})
                return
            if state.running and not probed.dead:
                await probed.ask(address)
                await self._set(pod, _running(pod, probed.ready, address, restarts))
            elif not probed.dead and (policy == "Never" or (policy == "OnFailure" and not state.exit_code)):
                await self._set(pod, _ended(pod, state.exit_code, restarts))
                return
            else:
                await self._set(pod, _running(pod, ready=False, address=address, restarts=restarts + 1))
                address = await self._again(pod, probed.dead, restarts)
                probed, restarts = Probed(container), restarts + 1
            await asyncio.sleep(TICK_S)

    async def _again(self, pod: Object, dead: bool, restarts: int) -> str:
        """Start a container that ended or is dead again, the more often the later."""
        name = pod["metadata"]["name"]
        if dead:
            await self.cluster.note(pod, "Unhealthy", f"probe failed, container restarted ({restarts + 1})")
            await self.engine.end_process(name, pod["spec"].get("terminationGracePeriodSeconds", 30))
        if restarts:
            await asyncio.sleep(min(10 * 2.0 ** (restarts - 1), LONGEST_BACK_OFF_S))
        await self.engine.start_again(name)
        self._states[name] = State(running=True, exit_code=0)
        return await self.engine.address(name)

    async def _set(self, pod: Object, status: Object) -> None:
        if self._is_wanted(pod):
            started = (pod.get("status") or {}).get("startTime") or now()
            await self.cluster.set_status(
                "pods", self.cluster.objects["pods"][key_of(pod)], status | {"startTime": started}
            )


def _container(pod: Object, *, ready: bool, state: Object, restarts: int) -> Object:
    container = pod["spec"]["containers"][0]
    entry: dict[str, Any] = {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": ready,
    }
    return {"containerStatuses": [entry | {"restartCount": restarts, "state": state}]}


def _running(pod: Object, ready: bool, address: str, restarts: int) -> Object:
    said = "True" if ready else "False"
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    conditions = [{"type": one, "status": "True" if one in kinds[:2] else said} for one in kinds]
    status = {"phase": "Running", "podIP": address, "conditions": conditions}
    return status | _container(pod, ready=ready, state={"running": {}}, restarts=restarts)


def _ended(pod: Object, exit_code: int, restarts: int) -> Object:
    ended = {"terminated": {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed"}}
    phase = "Failed" if exit_code else "Succeeded"
    return {"phase": phase} | _container(pod, ready=False, state=ended, restarts=restarts)
