"""Which back-fill runs after install, upgrade and rollback: real helm on a model of the API server."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from tests.helm.chart import CHART, HELM3, HELM4, IMAGE, Object, merged
from tests.k8s.api import ApiServer, Asked, Refused
from tests.k8s.objects import Cluster

NAMESPACE = "lakes"
FIRST, SECOND = "gl-glaciolake-backfill-1", "gl-glaciolake-backfill-2"


class Full(ApiServer):
    """An API server whose namespace has a quota that the Job of a second revision would exceed."""

    full = False

    async def _add(self, asked: Asked, one: Object, request: web.Request) -> web.StreamResponse:
        if self.full and one["metadata"].get("name") == SECOND:
            raise Refused(403, "Forbidden", f'jobs.batch "{SECOND}" is forbidden: exceeded quota')
        return await super()._add(asked, one, request)


class Helm:
    """One of the helms on a server of its own."""

    def __init__(self, binary: Path, server: Full, environ: dict[str, str]) -> None:
        self.binary, self.server, self.environ = binary, server, environ

    def do(self, *arguments: str, fails: bool = False, **values: Any) -> str:
        given = ["--values", "-"] if arguments[0] != "rollback" else []
        said = subprocess.run(
            [self.binary, "-n", NAMESPACE, *arguments, *given],
            env=self.environ,
            input=yaml.safe_dump(merged(IMAGE, values)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert bool(said.returncode) is fails, said.stdout
        return said.stdout

    def jobs(self) -> dict[str, Object]:
        return {key[1]: one for key, one in self.server.cluster.objects["jobs"].items()}

    def end(self, job: str, how: str) -> None:
        self.jobs()[job]["status"] = {"conditions": [{"type": how, "status": "True"}]}


async def _serve(server: Full, port: int, ready: threading.Event, ended: threading.Event) -> None:
    for name in ("default", NAMESPACE):
        about = {"metadata": {"name": name}, "status": {"phase": "Active"}}
        await server.cluster.add("namespaces", about)
    runner = await server.serve(port)
    ready.set()
    while not ended.is_set():
        await asyncio.sleep(0.05)
    await runner.cleanup()


@pytest.fixture(params=[HELM3, HELM4], ids=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Helm]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    named = {"name": "model"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [named | {"cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "contexts": [named | {"context": {"cluster": "model", "user": "model"}}],
        "users": [named | {"user": {}}],
        "current-context": "model",
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    (tmp_path / "kubeconfig").chmod(0o600)
    ready, ended = threading.Event(), threading.Event()
    # made in the thread's own loop, to which its condition belongs
    server = Full(Cluster(), lambda _: "", "1.34")
    thread = threading.Thread(target=asyncio.run, args=(_serve(server, port, ready, ended),))
    thread.start()
    try:
        assert ready.wait(30)
        places = {"KUBECONFIG": str(tmp_path / "kubeconfig"), "HELM_CACHE_HOME": str(tmp_path / "cache")}
        yield Helm(request.param, server, os.environ | places)
    finally:
        ended.set()
        thread.join(30)


def test_a_rollback_starts_the_back_fill_of_the_revision_it_goes_back_to_anew(helm: Helm) -> None:
    """Helm applies that revision's objects as they were stored, so the Job has its old name."""
    helm.do("install", "gl", str(CHART))
    (before,) = helm.jobs().values()
    assert before["metadata"]["name"] == FIRST
    helm.end(FIRST, "Complete")
    helm.do("upgrade", "gl", str(CHART), run={"slices_per_piece": 8})
    assert set(helm.jobs()) == {SECOND}, "a run of the old settings would go on beside the new one"
    helm.do("rollback", "gl", "1")
    (after,) = helm.jobs().values()
    assert after["metadata"]["name"] == FIRST
    assert after["metadata"]["uid"] != before["metadata"]["uid"] and "status" not in after, "it runs again"
    helm.do("upgrade", "gl", str(CHART))
    assert set(helm.jobs()) == {"gl-glaciolake-backfill-4"}


def test_a_rollback_from_an_upgrade_that_failed_leaves_the_back_fill_alone(helm: Helm) -> None:
    """It was never stopped and goes on. Helm 3 does not expect it, and has to be told twice."""
    helm.do("install", "gl", str(CHART))
    (before,) = helm.jobs().values()
    helm.server.full = True
    said = helm.do("upgrade", "gl", str(CHART), fails=True, run={"slices_per_piece": 8})
    assert "exceeded quota" in said and set(helm.jobs()) == {FIRST}
    if helm.binary == HELM3:
        said = helm.do("rollback", "gl", "1", fails=True)
        assert f'no Job with the name "{FIRST}" found' in said
    helm.end(FIRST, "Failed")
    helm.do("rollback", "gl", "1")
    (after,) = helm.jobs().values()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["conditions"][0]["type"] == "Failed", "one that is over has to be deleted"
    helm.server.cluster.objects["jobs"].clear()  # kubectl delete job
    helm.do("rollback", "gl", "1")
    assert "status" not in helm.jobs()[FIRST]
