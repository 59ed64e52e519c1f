"""The chart's command lines, settings and probes, with real Dask processes on this machine, encrypted."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import trustme
import yaml
from distributed import Client
from distributed.security import Security
from distributed.system import MEMORY_LIMIT

from tests.helm.chart import Object, config, container, env, find, find_all, merged, render

VALUES = {
    "scheduler": {"api": True},
    "tls": {"enabled": True, "existingSecret": "dask-tls"},
    "workerGroups": {"gpu": {"enabled": True}},
}
START_S = 120.0
LATE_S = 1.0
"""A probe that asks Python hears nothing for this long while a task holds the lock."""
GRACE_S = 10.0
"""What `dask worker` takes at most to leave after SIGTERM."""


@dataclass
class Running:
    """A container's process, with ports of this machine instead of the pod's."""

    process: subprocess.Popen[bytes]
    spec: Object
    ports: dict[int, int]
    log: Path

    def listens(self, probe: str) -> bool:
        """Whether a port that a probe asks takes connections."""
        port = self.ports[self.spec[probe]["tcpSocket"]["port"]]
        with socket.socket() as here:
            here.settimeout(1)
            return here.connect_ex(("127.0.0.1", port)) == 0

    def asked(self, probe: str, timeout_s: float = 5.0) -> int:
        """Status that a probe over HTTP gets; 0 where nothing answers in time."""
        about = self.spec[probe]["httpGet"]
        return self.page(about["port"], about["path"], about["scheme"].lower(), timeout_s)

    def page(self, port: int, path: str, scheme: str = "https", timeout_s: float = 5.0) -> int:
        """Status of a page; the kubelet does not check certificates either."""
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        address = f"{scheme}://127.0.0.1:{self.ports[port]}{path}"
        try:
            with urlopen(address, timeout=timeout_s, context=trusting) as answer:  # loopback only
                return int(answer.status)
        except HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0


def free_port() -> int:
    with socket.socket() as here:
        here.bind(("127.0.0.1", 0))
        return int(here.getsockname()[1])


def until(happens: Callable[[], Any], within_s: float = START_S) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + within_s
    while not happens():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    return render(VALUES)


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory, objects: list[Object]) -> Path:
    """Folders that stand for what a pod mounts: /etc/dask, /etc/glaciolake/tls, /scratch and the home."""
    folder = tmp_path_factory.mktemp("pod")
    for name in ("dask", "tls", "scratch", "home"):
        (folder / name).mkdir()
    settings = merged(config(objects, "dask"), {"temporary-directory": str(folder / "scratch")})
    (folder / "dask" / "dask.yaml").write_text(yaml.safe_dump(settings))
    authority = trustme.CA()
    certificate = authority.issue_cert("gl-glaciolake-scheduler")
    authority.cert_pem.write_to_path(str(folder / "tls" / "ca.crt"))
    for one in certificate.cert_chain_pems:
        one.write_to_path(str(folder / "tls" / "tls.crt"), append=True)
    certificate.private_key_pem.write_to_path(str(folder / "tls" / "tls.key"))
    return folder


def translate(name: str, pod: Path, ports: dict[int, int]) -> Callable[[str], str]:
    """Put folders and ports of this machine in place of a pod's."""
    places = {"/etc/glaciolake/tls": f"{pod}/tls", "/scratch": f"{pod}/scratch", "$(POD_NAME)": name}
    places |= {"//gl-glaciolake-scheduler:8786": f"//127.0.0.1:{ports[8786]}"}
    places |= {f"port={here}": f"port={there}" for here, there in ports.items()}
    places |= {f"address=:{here}": f"address=:{there}" for here, there in ports.items()}

    def here(text: str) -> str:
        for old, new in places.items():
            text = text.replace(old, new)
        return text

    return here


def environ(owner: Object, name: str, pod: Path, here: Callable[[str], str]) -> dict[str, str]:
    """Variables of a container; of this machine's only what finds programs."""
    variables = {key: here(value) for key, value in env(owner).items() if isinstance(value, str)}
    variables |= {"HOME": f"{pod}/home", "POD_NAME": name, "DASK_ROOT_CONFIG": f"{pod}/dask"}
    keep = {key: os.environ[key] for key in ("PYTHONPATH", "LANG") if key in os.environ}
    return keep | variables | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def start(owner: Object, name: str, pod: Path, ports: dict[int, int]) -> Running:
    """Start what a container would run, with its variables."""
    here = translate(name, pod, ports)
    program, *rest = container(owner)["args"]
    assert program == "dask"
    log_file = pod / f"{name}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *map(here, rest)],
            env=environ(owner, name, pod, here),
            cwd=pod,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return Running(process, container(owner), ports, log_file)


@pytest.fixture(scope="module")
def release(pod: Path, objects: list[Object]) -> Iterator[dict[str, Running]]:
    """A scheduler, a worker of each group, and one more."""
    shared = {8786: free_port(), 8787: free_port()}
    owners = {
        "scheduler": find(objects, "Deployment", "-scheduler"),
        "cpu": find(objects, "Deployment", "-worker-cpu"),
        "gpu": find(objects, "Deployment", "-worker-gpu"),
    }
    running: dict[str, Running] = {}
    try:
        for name, owner in owners.items():
            own = {} if name == "scheduler" else {port: free_port() for port in (8788, 8789, 8790)}
            running[name] = start(owner, f"pod-{name}", pod, shared | own)
        until(lambda: all(one.asked("startupProbe") == 200 for one in running.values()))
        yield running
    finally:
        for one in running.values():
            one.process.kill()
            one.process.wait()


@pytest.fixture(scope="module")
def client(pod: Path, release: dict[str, Running]) -> Iterator[Client]:
    files = {"tls_client_cert": f"{pod}/tls/tls.crt", "tls_client_key": f"{pod}/tls/tls.key"}
    security = Security(tls_ca_file=f"{pod}/tls/ca.crt", require_encryption=True, **files)
    address = f"tls://127.0.0.1:{release['scheduler'].ports[8786]}"
    with Client(address, security=security, timeout=30) as client:
        client.wait_for_workers(2, timeout=START_S)
        yield client


def test_every_worker_is_what_its_group_says(client: Client) -> None:
    workers = {one["name"]: one for one in client.scheduler_info(n_workers=-1)["workers"].values()}
    assert set(workers) == {"pod-cpu", "pod-gpu"}
    assert workers["pod-gpu"]["resources"] == {"GPU": 1.0} and not workers["pod-cpu"]["resources"]
    assert {one["nthreads"] for one in workers.values()} == {1}
    for one in workers.values():
        assert one["memory_limit"] == pytest.approx(0.9 * MEMORY_LIMIT, rel=1e-6)
    assert all(address.startswith("tls://") for address in client.scheduler_info()["workers"])


def test_workers_have_the_settings(client: Client, pod: Path) -> None:
    def told() -> tuple[str | None, str | None, str]:
        import dask

        variables = [os.environ.get(name) for name in ("MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_")]
        return (*variables, dask.config.get("temporary-directory"))

    for answer in client.run(told).values():
        assert answer == ("0", "4000000000", f"{pod}/scratch")


def test_probes_of_all_are_answered_without_a_word_in_the_logs(
    release: dict[str, Running], client: Client
) -> None:
    before = {name: one.log.read_text() for name, one in release.items()}
    for name, one in release.items():
        assert one.asked("readinessProbe") == 200, name
        assert one.listens("livenessProbe"), name
    client.submit(sum, []).result(timeout=START_S)
    time.sleep(0.5)
    said = {name: one.log.read_text().removeprefix(before[name]) for name, one in release.items()}
    assert said == dict.fromkeys(release, ""), "a probe every few seconds would fill the logs"


def test_pages_that_nobody_asked_for_are_not_served(release: dict[str, Running]) -> None:
    scheduler = release["scheduler"]
    assert scheduler.page(8787, "/api/v1/get_workers") == 200
    for path in ("/status", "/info/main/workers.html", "/json/counts.json", "/metrics"):
        assert scheduler.page(8787, path) == 404, path
    assert release["cpu"].page(8790, "/metrics") == 404


def test_a_plain_client_is_refused(release: dict[str, Running], client: Client) -> None:
    with pytest.raises(OSError):
        Client(f"tcp://127.0.0.1:{release['scheduler'].ports[8786]}", timeout=3)


def test_a_client_with_another_authoritys_certificate_is_refused(
    release: dict[str, Running], client: Client, tmp_path: Path
) -> None:
    authority = trustme.CA()
    stranger = authority.issue_cert("stranger")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    stranger.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    security = Security(
        tls_ca_file=str(tmp_path / "ca.crt"),
        tls_client_cert=str(tmp_path / "both.pem"),
        require_encryption=True,
    )
    with pytest.raises(OSError):
        Client(f"tls://127.0.0.1:{release['scheduler'].ports[8786]}", security=security, timeout=3)


def waiting(*, hold_the_lock: bool) -> Callable[[str], None]:
    """Make a task that waits until somebody opens a pipe for writing, as a step in C may with Python's lock.

    Made in a function it travels whole: the workers, like those of a pod, have no tests to import.
    """

    def wait(pipe: str) -> None:
        if hold_the_lock:
            os.close(ctypes.PyDLL(None).open(os.fsencode(pipe), os.O_RDONLY))
        else:
            os.close(os.open(pipe, os.O_RDONLY))

    return wait


def let_go(pipe: Path) -> None:
    """Open a pipe for writing, as soon as a task waits for it."""

    def opened() -> bool:
        try:
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody waits
            return False
        return True

    until(opened)


def test_a_busy_worker_is_late_but_alive(release: dict[str, Running], client: Client, tmp_path: Path) -> None:
    """Its HTTP server would fail a probe; the kernel answers for the port that decides over its life."""
    busy, pipe = release["cpu"], tmp_path / "pipe"
    os.mkfifo(pipe)
    (address,) = (
        where
        for where, one in client.scheduler_info(n_workers=-1)["workers"].items()
        if one["name"] == "pod-cpu"
    )
    future = client.submit(waiting(hold_the_lock=True), str(pipe), workers=[address], pure=False)
    try:
        until(lambda: future.done() or busy.asked("readinessProbe", LATE_S) == 0)
        assert busy.listens("livenessProbe")
        assert not future.done()
    finally:
        let_go(pipe)
    assert future.result(timeout=START_S) is None
    assert busy.process.poll() is None
    patience_s = (
        busy.spec["readinessProbe"]["periodSeconds"] * busy.spec["readinessProbe"]["failureThreshold"]
    )
    assert patience_s >= 300


def test_a_worker_that_is_taken_away_ends_its_task_first_and_does_no_other(
    release: dict[str, Running], client: Client, objects: list[Object], pod: Path, tmp_path: Path
) -> None:
    """Its hook asks the scheduler for that; the kubelet sends SIGTERM only afterwards."""
    owner, name, pipe = find(objects, "Deployment", "-worker-cpu"), "pod-leaving", tmp_path / "pipe"
    ports = release["scheduler"].ports | {port: free_port() for port in (8788, 8789, 8790)}
    leaving = start(owner, name, pod, ports)
    os.mkfifo(pipe)
    try:
        client.wait_for_workers(3, timeout=START_S)
        (address,) = (
            where for where, one in client.scheduler_info()["workers"].items() if one["name"] == name
        )
        task = waiting(hold_the_lock=False)
        at_hand = client.submit(task, str(pipe), workers=[address], pure=False)
        until(lambda: client.processing()[address])
        behind = client.submit(os.getpid, workers=[address], allow_other_workers=True, pure=False)
        here = translate(name, pod, ports)
        hook = subprocess.Popen(
            list(map(here, container(owner)["lifecycle"]["preStop"]["exec"]["command"])),
            env=environ(owner, name, pod, here),
            stdout=subprocess.PIPE,
            text=True,
        )
        elsewhere = behind.result(timeout=START_S)
        assert hook.poll() is None and not at_hand.done()
        let_go(pipe)
        told, _ = hook.communicate(timeout=START_S)
        assert (hook.returncode, told) == (0, f"{name}: done\n")
        assert at_hand.result(timeout=START_S) is None
        assert elsewhere in client.run(os.getpid).values()  # of those that are left
        assert leaving.process.wait(timeout=START_S) == 0
        assert {one["name"] for one in client.scheduler_info()["workers"].values()} == {"pod-cpu", "pod-gpu"}
    finally:
        leaving.process.kill()
        leaving.process.wait()


def test_a_worker_that_is_told_to_end_leaves_its_task_to_others(
    release: dict[str, Running], client: Client, tmp_path: Path
) -> None:
    """What an upgrade, a drain and a scale-down do; last, since it ends a worker."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    future = client.submit(waiting(hold_the_lock=False), str(pipe), pure=False)
    until(lambda: future.done() or any(client.processing().values()))
    (busy,) = (
        client.scheduler_info(n_workers=-1)["workers"][address]["name"].removeprefix("pod-")
        for address, tasks in client.processing().items()
        if tasks
    )
    leaving = release[busy].process
    leaving.send_signal(signal.SIGTERM)
    assert leaving.wait(timeout=START_S) == 0
    assert not future.done()
    let_go(pipe)
    assert future.result(timeout=START_S) is None
    grace_s = next(
        one["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        for one in find_all(render(VALUES), "Deployment", f"-worker-{busy}")
    )
    assert grace_s >= GRACE_S + 10
