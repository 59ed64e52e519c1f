"""The life of a release: refused, installed, tested, disturbed, upgraded, rolled back, uninstalled."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from tests.helm.chart import CHART, merged
from tests.k8s import parts
from tests.k8s.bench import WORK, Bench, CommandFailed
from tests.k8s.content import Content, compare, content, n_slices
from tests.k8s.podman import LABEL

logger = logging.getLogger("test-cluster")
JOB = "gl-glaciolake-backfill-{}"
WORKERS = "app.kubernetes.io/component=worker-cpu"
ASK = """
import sys
from distributed import Client
try:
    Client(sys.argv[1], timeout=5)
except (OSError, TypeError) as error:
    sys.exit(f"refused: {type(error).__name__}: {error}")
"""


def prepare(bench: Bench) -> Content:
    """Make scenes and the reference: the same run, serially, in one pod without a cluster.

    Both are kept for the next test of the same image.
    """
    bench.apply(*map(parts.claim, ("scenes", "store", "reference")))
    bench.apply(parts.secret("dask-tls", parts.certificates()))
    kept = WORK / f"kept-{bench.podman('image', 'inspect', '--format', '{{.Id}}', parts.IMAGE).strip()[:16]}"
    claims = bench.folder / "claims"
    if kept.exists():
        bench.command("cp", "--archive", str(kept), str(claims))
        logger.info("scenes and reference: those of an earlier test of this image")
    else:
        _simulate(bench)
        _run_serially(bench)
        for old in WORK.glob("kept-*"):
            shutil.rmtree(old)
        bench.command("cp", "--archive", str(claims), str(kept))
    reference = content(str(claims / "reference" / "lakes.icechunk"))
    logger.info("reference: %s", {"/".join(key): one.sizes["time"] for key, one in reference.items()})
    return reference


def _simulate(bench: Bench) -> None:
    with bench.step("archive simulated into a claim, in a pod"):
        simulate = ["glaciolake", "simulate", "/scenes/archive", "--years", "2024", "--workers", "1"]
        simulate += ["--lakes", ",".join(parts.LAKES)]
        bench.apply(parts.job("simulate", simulate, {"/scenes": parts.of_claim("scenes")}))
        bench.wait_job("simulate")


def _run_serially(bench: Bench) -> None:
    with bench.step("reference: one worker, one pod, no cluster"):
        run = ["glaciolake", "run", "--workers", "1", "--store", "/data/lakes.icechunk"]
        for option in ("source", "registry", "start", "end"):
            run += [f"--{option}", str(parts.RUN[option])]
        mounts = {"/scenes": parts.of_claim("scenes"), "/data": parts.of_claim("reference")}
        bench.apply(parts.job("reference", [*run, "--lakes", ",".join(parts.LAKES)], mounts))
        bench.wait_job("reference")


def refusals(bench: Bench, reference: Content) -> None:
    """What is wrong is said, and helm does not report success."""
    with bench.step("an image that is not there: install fails, and the pods' events name it"):
        values = merged(parts.in_volume(), {"image": {"tag": "no-such-tag"}})
        bench.install(3, values, "--wait", "--timeout", "15s", fails=True)
        assert "localhost/glaciolake:no-such-tag" in bench.events()
        bench.helm(3, "uninstall", "gl", "--wait")
    with bench.step("a Secret that is not there: install fails, and the pods' events name it"):
        values = merged(parts.in_volume(), {"tls": {"existingSecret": "forgotten"}})
        bench.install(3, values, "--wait", "--timeout", "15s", fails=True)
        assert 'secret "forgotten" not found' in bench.events()
        bench.helm(3, "uninstall", "gl", "--wait")
    with bench.step("values that contradict each other: refused before anything is made"):
        said = bench.install(3, parts.release() | {"store": {"kind": "s3"}}, fails=True)
        assert "store.s3.bucket is empty" in said
        assert not bench.get("pods", "-l", "app.kubernetes.io/instance=gl")["items"]


def in_volume(bench: Bench, reference: Content) -> None:
    """A back-fill into a claim that is disturbed in every way, and loses nothing."""
    values, store = parts.in_volume(), str(bench.folder / "claims" / "store" / "lakes.icechunk")
    with bench.step("helm 3 install --wait, with TLS"):
        bench.install(3, values, "--wait", "--timeout", "300s")
    with bench.step("a worker is taken away in mid-run: its hook has the scheduler retire it"):
        _more_commits(bench, store, 3)
        _take_one_away(bench)
        _still_running(bench, 1)
    with bench.step("the other worker is killed in mid-run: it comes back, the run goes on"):
        _more_commits(bench, store, 3)
        victim = bench.get("pods", "-l", WORKERS)["items"][0]["metadata"]["name"]
        bench.podman("kill", "--signal", "KILL", f"{bench.run}-{victim}")
        bench.wait_until(lambda: _restarts(bench, victim) == 1, f"worker {victim} to be started again")
        _still_running(bench, 1)
    with bench.step("helm upgrade in mid-run: scheduler, workers and job are new"):
        before, old = n_slices(store), _pods(bench)
        changed = merged(values, {"run": {"slices_per_commit": 6}, "scheduler": {"allowedFailures": 9}})
        bench.helm(3, "upgrade", "gl", str(CHART), "--wait", "--timeout", "300s", values=changed)
        assert not old & _pods(bench), "the upgrade left a pod of the revision before it"
        _more_commits(bench, store)
        assert n_slices(store) >= before, "the upgrade lost slices"
        _still_running(bench, 2)
    with bench.step("helm rollback in mid-run"):
        before, old = n_slices(store), _pods(bench)
        bench.helm(3, "rollback", "gl", "1", "--wait", "--timeout", "300s")
        assert not old & _pods(bench), "the rollback left a pod of the revision before it"
        assert n_slices(store) >= before
    with bench.step("the back-fill ends"):
        bench.wait_job(JOB.format(1))  # helm rolls back to the objects of that revision, names and all
    with bench.step("the store equals the serial run"):
        logger.info("%d slices equal, in every variable", compare(reference, content(store)))
    _ask(bench)
    _ingested_and_gone(bench, values, reference)


def _ingested_and_gone(bench: Bench, values: Mapping[str, object], reference: Content) -> None:
    """After the back-fill: the hourly job finds nothing to do, and uninstalling takes no slice."""
    store = str(bench.folder / "claims" / "store" / "lakes.icechunk")
    with bench.step("the ingestion's job by hand: all is there, nothing is done twice"):
        days = {"ingest": {"enabled": True, "lastDays": 3650}, "backfill": {"enabled": False}}
        bench.helm(3, "upgrade", "gl", str(CHART), "--wait", "--timeout", "300s", values={**values, **days})
        bench.kubectl("create", "job", "--from=cronjob/gl-glaciolake-ingest", "by-hand")
        bench.wait_job("by-hand")
        compare(reference, content(store))
    with bench.step("helm uninstall: nothing is left but the claims"):
        bench.helm(3, "uninstall", "gl", "--wait")
        bench.wait_until(lambda: not _containers(bench), "containers to end")
        compare(reference, content(store))


def _take_one_away(bench: Bench) -> None:
    """Scale the workers down; the scheduler says whom it has retired, by address."""
    before = {one["status"]["podIP"] for one in bench.get("pods", "-l", WORKERS)["items"]}
    bench.kubectl("scale", "deployment", "gl-glaciolake-worker-cpu", "--replicas", "1")
    bench.wait_until(lambda: len(bench.get("pods", "-l", WORKERS)["items"]) == 1, "one worker to be left")
    (left,) = (one["status"]["podIP"] for one in bench.get("pods", "-l", WORKERS)["items"])
    (gone,) = before - {left}
    scheduler = bench.get("pods", "-l", "app.kubernetes.io/component=scheduler")["items"][0]["metadata"][
        "name"
    ]
    retired = rf"Retire worker addresses .*{re.escape(gone)}:"
    bench.wait_until(
        lambda: re.search(retired, bench.kubectl("logs", scheduler)), f"worker {gone} to be retired", 90
    )


def _ask(bench: Bench) -> None:
    """With TLS helm test gets in, and nobody without a certificate of the release's authority."""
    with bench.step("helm test: every kind of worker does a small job right"):
        logger.info(bench.helm(3, "test", "gl", "--logs", "--timeout", "300s"))
    address = "gl-glaciolake-scheduler:8786"
    with bench.step("a plain client is refused"):
        bench.apply(parts.job("plain", ["python", "-c", ASK, f"tcp://{address}"], {}))
        _refused(bench, "plain")
    with bench.step("a client whose certificate another authority signed is refused"):
        bench.apply(parts.secret("strangers-tls", parts.certificates()))
        files = {"CA_FILE": "ca.crt", "CLIENT__CERT": "tls.crt", "CLIENT__KEY": "tls.key"}
        env = {f"DASK_DISTRIBUTED__COMM__TLS__{key}": f"/tls/{file}" for key, file in files.items()}
        mounts = {"/tls": parts.of_secret("strangers-tls")}
        bench.apply(parts.job("stranger", ["python", "-c", ASK, f"tls://{address}"], mounts, **env))
        _refused(bench, "stranger")


def _refused(bench: Bench, name: str) -> None:
    bench.wait_until(lambda: "status" in bench.get("job", name), f"job {name}")
    bench.wait_until(lambda: bench.get("job", name)["status"].get("conditions"), f"job {name} to end")
    said = bench.job_log(name)
    assert bench.get("job", name)["status"]["conditions"][0]["type"] == "Failed", f"job {name} got in"
    assert "refused: " in said, f"job {name} failed for another reason: {said[-500:]}"
    logger.info("%s", said.strip().splitlines()[-1])


def in_bucket(bench: Bench, reference: Content) -> None:
    """A back-fill into an S3 server, by helm 4."""
    with bench.step("an S3 server, and its bucket"):
        endpoint = _s3_server(bench)
        os.environ |= parts.S3_KEYS | {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }
        bench.apply(parts.secret("store-keys", {key: value.encode() for key, value in parts.S3_KEYS.items()}))
    with bench.step("helm 4 install --wait"):
        bench.install(4, parts.in_bucket("http://s3:8333"), "--wait", "--timeout", "300s")
    with bench.step("helm 4 test"):
        bench.helm(4, "test", "gl", "--logs", "--timeout", "300s")
    with bench.step("the back-fill ends"):
        bench.wait_job(JOB.format(1))
    with bench.step("the store equals the serial run"):
        logger.info("%d slices equal, in every variable", compare(reference, content("s3://lakes/himalaya")))
    with bench.step("helm 4 uninstall"):
        bench.helm(4, "uninstall", "gl", "--wait")


def _s3_server(bench: Bench) -> str:
    """Run SeaweedFS in a container of the base image; its address."""
    weed, name = Path(sysconfig.get_path("scripts")) / "weed", f"{bench.run}-s3"
    limits = ["--memory", "512m", "--label", f"{LABEL}={bench.run}", "--tmpfs", "/data"]
    limits += ["--network", bench.run, "--network-alias", "s3"]
    mount = ["--volume", f"{weed}:/usr/local/bin/weed:ro", "docker.io/library/python:3.11-slim-bookworm"]
    server = ["weed", "server", "-dir=/data", "-s3", "-volume.max=10", "-master.volumeSizeLimitMB=64"]
    bench.podman("run", "--detach", "--pull", "never", "--name", name, *limits, *mount, *server)
    address = '{{(index .NetworkSettings.Networks "' + bench.run + '").IPAddress}}'
    endpoint = f"http://{bench.podman('inspect', '--format', address, name).strip()}:8333"
    make = ["exec", name, "sh", "-c", "echo s3.bucket.create -name lakes | weed shell"]
    bench.wait_until(lambda: "created bucket" in _said(bench, make), "the S3 server")
    return endpoint


def _said(bench: Bench, command: list[str]) -> str:
    """What podman says, also of something that is not up yet."""
    try:
        return bench.podman(*command)
    except CommandFailed as failed:
        return str(failed)


def _more_commits(bench: Bench, store: str, n_more: int = 1) -> None:
    """Wait for further commits; files are counted, since opening a store takes longer than a commit."""
    snapshots = Path(store) / "snapshots"
    before = len(list(snapshots.glob("*")))
    bench.wait_until(lambda: len(list(snapshots.glob("*"))) >= before + n_more, f"commits in {store}", 600)


def _still_running(bench: Bench, revision: int) -> None:
    status = bench.get("job", JOB.format(revision)).get("status", {})
    assert status.get("active") and not status.get("conditions"), (
        f"the run was over too early to be disturbed: {status}"
    )


def _pods(bench: Bench) -> set[str]:
    found = bench.get("pods", "-l", "app.kubernetes.io/instance=gl")["items"]
    return {one["metadata"]["uid"] for one in found}


def _containers(bench: Bench) -> list[str]:
    return bench.podman(
        "ps", "--quiet", "--filter", f"label={LABEL}={bench.run}", "--filter", "name=gl-glaciolake"
    ).split()


def _restarts(bench: Bench, pod: str) -> int:
    return int(bench.get("pod", pod)["status"]["containerStatuses"][0]["restartCount"])
