"""A test bench: the model running, helm and kubectl pointed at it, and everything taken away at the end."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.helm.chart import BINARIES, CHART, ROOT
from tests.k8s.podman import LABEL

logger = logging.getLogger("test-cluster")
WORK = ROOT / "build" / "cluster"
NAMESPACE = "lakes"
KUBERNETES = "1.34"
SUBNET = "10.123.7.0/24"
IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
CHAINS = "NETAVARK"
Object = dict[str, Any]


class CommandFailed(Exception):
    """A command that should have worked did not."""


class Bench:
    """Helm and kubectl on a model of Kubernetes.

    Attributes
    ----------
    run
        Name of this run: of its network, and before the names of its containers.
    folder
        Where its volumes lie: ``claims/<name>`` for a claim.
    times
        Step -> seconds.
    """

    def __init__(self, run: str, port: int) -> None:
        self.run, self.folder, self.port = run, WORK / run, port
        self.times: dict[str, float] = {}
        self.environ = os.environ | {
            "CONTAINERS_CONF": str(ROOT / "tests" / "k8s" / "containers.conf"),
            "HELM_CACHE_HOME": str(self.folder / "helm"),
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "PYTHONPATH": str(ROOT),
        }

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Log a step and its time."""
        logger.info("%s ...", name)
        begun_s = time.monotonic()
        yield
        self.times[name] = time.monotonic() - begun_s
        logger.info("%s: ok, %.1f s", name, self.times[name])

    def command(self, *command: str, fails: bool = False, given: str = "") -> str:
        """Run a command that must work, or must fail; all it says."""
        said = subprocess.run(
            command,
            env=self.environ,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if bool(said.returncode) != fails:
            raise CommandFailed(f"{' '.join(command)}: exit {said.returncode}\n{said.stdout[-3000:]}")
        return said.stdout

    def kubectl(self, *arguments: str, fails: bool = False, given: str = "") -> str:
        return self.command(str(BINARIES / "kubectl"), "-n", NAMESPACE, *arguments, fails=fails, given=given)

    def helm(self, major: int, *arguments: str, values: Object | None = None, fails: bool = False) -> str:
        """Run helm 3 or 4 on the model."""
        given = ["--values", "-"] if values is not None else []
        binary = str(BINARIES / f"helm{major}")
        text = yaml.safe_dump(values) if values is not None else ""
        return self.command(binary, "-n", NAMESPACE, *arguments, *given, fails=fails, given=text)

    def install(self, major: int, values: Object, *options: str, fails: bool = False) -> str:
        """Install the chart as the release gl."""
        return self.helm(major, "install", "gl", str(CHART), *options, values=values, fails=fails)

    def apply(self, *objects: Object) -> None:
        self.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(objects))

    def get(self, *what: str) -> Any:
        """Objects as kubectl gives them in JSON."""
        return json.loads(self.kubectl("get", *what, "-o", "json"))

    def podman(self, *arguments: str) -> str:
        return self.command("podman", *arguments)

    def wait_job(self, name: str, timeout_s: int = 900) -> None:
        """Wait for a Job to complete; its log where it does not."""
        self.wait_until(lambda: self._job_is_over(name), f"job {name} to end", timeout_s)
        conditions = self.get("job", name)["status"]["conditions"]
        if conditions[0]["type"] != "Complete":
            raise CommandFailed(f"job {name} failed: {conditions}\n{self.job_log(name)[-3000:]}")

    def _job_is_over(self, name: str) -> bool:
        return bool(self.get("job", name).get("status", {}).get("conditions"))

    def job_log(self, name: str) -> str:
        pods = self.get("pods", "-l", f"job-name={name}")["items"]
        return "\n".join(self.kubectl("logs", one["metadata"]["name"]) for one in pods)

    def wait_until(self, true: Any, what: str, timeout_s: float = 300) -> None:
        """Ask until it is true."""
        end = time.monotonic() + timeout_s
        while not true():
            if time.monotonic() > end:
                raise CommandFailed(f"waited {timeout_s:g} s in vain for {what}\n{self.state()}")
            time.sleep(1)

    def state(self) -> str:
        """Pods and warnings, for whoever reads of a failure."""
        pods = "custom-columns=POD:.metadata.name,PHASE:.status.phase,REASON:.status.reason"
        return self.kubectl("get", "pods", "-o", pods) + self.events()

    def events(self) -> str:
        """Warnings of the model's kubelet, as `kubectl describe` would show them."""
        return self.kubectl("get", "events", "-o", "custom-columns=POD:.involvedObject.name,SAID:.message")


@contextmanager
def bench(run: str = "glaciolake-test") -> Iterator[Bench]:
    """Start the model, and take away all it made when the block ends: containers, network, rules, files."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Bench(run, port)
    forwarded, had_chains = IP_FORWARD.read_text(), CHAINS in _rules(made)
    _clear(made)
    made.folder.mkdir(parents=True)
    _write_kubeconfig(made)
    made.podman("network", "create", "--internal", "--subnet", SUBNET, run)
    arguments = [str(port), str(made.folder), run, run, KUBERNETES]
    server = None
    try:
        with (made.folder / "model.log").open("w") as log:
            command = [sys.executable, "-m", "tests.k8s.serve", *arguments]
            server = subprocess.Popen(command, cwd=ROOT, env=made.environ, stdout=log, stderr=log)
        made.wait_until(lambda: _listens(port), "the model to answer", 30)
        made.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        yield made
    finally:
        if server is not None:
            server.kill()  # it holds nothing that is not taken away below
            server.wait()
        _clear(made)
        if not had_chains:
            _remove_chains(made)
        IP_FORWARD.write_text(forwarded)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _write_kubeconfig(made: Bench) -> None:
    named = {"name": "model"}
    config: Mapping[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [named | {"cluster": {"server": f"http://127.0.0.1:{made.port}"}}],
        "contexts": [named | {"context": {"cluster": "model", "user": "model"}}],
        "users": [named | {"user": {}}],
        "current-context": "model",
    }
    (made.folder / "kubeconfig").write_text(yaml.safe_dump(config))
    (made.folder / "kubeconfig").chmod(0o600)


def _clear(made: Bench) -> None:
    """Remove containers, network and files of a run of this name, now or left by one that was killed."""
    containers = made.podman("ps", "--all", "--quiet", "--filter", f"label={LABEL}={made.run}").split()
    if containers:
        made.podman("rm", "--force", "--time", "2", *containers)
    if made.run in made.podman("network", "ls", "--format", "{{.Name}}").split():
        made.podman("network", "rm", "--force", made.run)
    if made.folder.exists():
        log = made.folder / "model.log"
        if log.exists():
            shutil.copy(log, WORK / "model.log")
        shutil.rmtree(made.folder)


def _rules(made: Bench) -> str:
    return made.command("iptables-save")


def _remove_chains(made: Bench) -> None:
    """Remove the chains that podman's networks leave in the firewall; nothing else is touched."""
    for table in ("nat", "filter"):
        rules = [one for one in made.command("iptables-save", "-t", table).splitlines() if CHAINS in one]
        for rule in rules:
            if rule.startswith("-A"):
                made.command("iptables", "-t", table, "-D", *rule.split()[1:])
        for chain in [one.split()[0][1:] for one in rules if one.startswith(":")]:
            made.command("iptables", "-t", table, "-X", chain)
