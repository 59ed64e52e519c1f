"""The containers of one run of the model: started by podman, known by a label, removed by it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import NamedTuple

LABEL = "glaciolake-cluster-test"
"""Label of all our containers; its value is the name of the run."""


class State(NamedTuple):
    """What podman says of a container."""

    running: bool
    exit_code: int


class PodmanError(Exception):
    """Podman did not do what it was asked."""


async def podman(*arguments: str, timeout_s: float = 120) -> str:
    """Run podman; what it prints on stdout."""
    process = await asyncio.create_subprocess_exec(
        "podman", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), timeout_s)
    if process.returncode:
        raise PodmanError(f"podman {' '.join(arguments[:2])}: {err.decode().strip()[-500:]}")
    return out.decode().strip()


class Podman:
    """Containers of a run.

    Parameters
    ----------
    run
        Name of the run, in the names of its containers.
    network
        Podman network that they are on.
    """

    def __init__(self, run: str, network: str) -> None:
        self.run, self.network = run, network

    def name(self, pod: str) -> str:
        return f"{self.run}-{pod}"

    async def start(self, pod: str, arguments: list[str]) -> None:
        """Start a new container."""
        labels = ["--label", f"{LABEL}={self.run}", "--network", self.network]
        await podman("run", "--detach", "--pull", "never", "--name", self.name(pod), *labels, *arguments)

    async def start_again(self, pod: str) -> None:
        await podman("start", self.name(pod))

    async def address(self, pod: str) -> str:
        """IP address on the network of the run."""
        found = json.loads(await podman("container", "inspect", self.name(pod)))[0]
        return str(found["NetworkSettings"]["Networks"][self.network]["IPAddress"])

    async def states(self) -> dict[str, State]:
        """States of all containers of the run by pod."""
        text = await podman("ps", "--all", "--filter", f"label={LABEL}={self.run}", "--format", "json")
        prefix = self.name("")
        return {
            one["Names"][0].removeprefix(prefix): State(one["State"] == "running", one["ExitCode"])
            for one in json.loads(text or "[]")
        }

    async def end(self, pod: str, grace_s: float) -> None:
        """End a container as the kubelet does, SIGTERM first, and remove it."""
        await self.end_process(pod, grace_s)
        await podman("rm", "--force", "--ignore", self.name(pod))

    async def end_process(self, pod: str, grace_s: float) -> None:
        """End a container and keep it, to be started again."""
        await podman("stop", "--ignore", "--time", f"{grace_s:.0f}", self.name(pod), timeout_s=grace_s + 60)

    async def execute(self, pod: str, command: list[str], timeout_s: float) -> str:
        """Run a command in a container; what it prints."""
        return await podman("exec", self.name(pod), *command, timeout_s=timeout_s)

    async def has_image(self, image: str) -> bool:
        try:
            await podman("image", "exists", image)
        except PodmanError:
            return False
        return True

    def log(self, pod: str) -> str:
        """What a container has printed."""
        said = subprocess.run(
            ["podman", "logs", self.name(pod)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return said.stdout
