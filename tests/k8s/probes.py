"""Probes of a container: HTTP, HTTPS or a port, with the kubelet's periods and thresholds."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp


async def answers(probe: dict[str, Any], address: str, ports: dict[str, int]) -> bool:
    """Ask once; an HTTPS certificate is not looked at, as the kubelet does not."""
    timeout_s = probe.get("timeoutSeconds", 1)
    try:
        if "httpGet" in probe:
            asked = probe["httpGet"]
            scheme, port = asked.get("scheme", "HTTP").lower(), ports.get(asked["port"], asked["port"])
            return await _http(f"{scheme}://{address}:{port}{asked.get('path', '/')}", timeout_s)
        if "tcpSocket" in probe:
            port = ports.get(probe["tcpSocket"]["port"], probe["tcpSocket"]["port"])
            _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), timeout_s)
            writer.close()
            return True
    except (OSError, TimeoutError, aiohttp.ClientError):
        return False
    raise NotImplementedError(f"probe {sorted(probe)} is not modelled")


async def _http(url: str, timeout_s: float) -> bool:
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, ssl=False) as reply:
        return reply.status < 400


class Probed:
    """What the probes of a container have said since it started.

    Attributes
    ----------
    ready
        Whether it takes traffic.
    dead
        Whether it must be started again.
    """

    def __init__(self, container: dict[str, Any]) -> None:
        self._container = container
        self._ports = {
            one["name"]: one["containerPort"] for one in container.get("ports") or [] if "name" in one
        }
        self._started = "startupProbe" not in container
        self._next: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self.ready = self._started and "readinessProbe" not in container
        self.dead = False

    async def ask(self, address: str) -> None:
        """Ask what is due."""
        if not self._started:
            said = await self._ask("startupProbe", address)
            self._started, self.dead = said is True, self._given_up("startupProbe")
            return
        if "readinessProbe" in self._container:
            said = await self._ask("readinessProbe", address)
            if said is not None:
                self.ready = said or (self.ready and not self._given_up("readinessProbe"))
        else:
            self.ready = True
        if "livenessProbe" in self._container:
            await self._ask("livenessProbe", address)
            self.dead = self._given_up("livenessProbe")

    async def _ask(self, name: str, address: str) -> bool | None:
        """Ask if it is time; None where it is not."""
        probe = self._container[name]
        if time.monotonic() < self._next.get(name, 0):
            return None
        self._next[name] = time.monotonic() + probe.get("periodSeconds", 10)
        said = await answers(probe, address, self._ports)
        self._failures[name] = 0 if said else self._failures.get(name, 0) + 1
        return said

    def _given_up(self, name: str) -> bool:
        allowed: int = self._container[name].get("failureThreshold", 3)
        return self._failures.get(name, 0) >= allowed
