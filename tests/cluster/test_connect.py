from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, Scheduler, SpecCluster
from distributed.versions import get_versions

from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.connect import connect
from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.versions import check_versions

SILENT = "tcp://127.0.0.1:9"


@pytest.fixture(scope="module")
def lonely() -> Iterator[SpecCluster]:
    """A scheduler without workers."""
    options = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    with SpecCluster(workers={}, scheduler={"cls": Scheduler, "options": options}) as cluster:
        yield cluster


def test_work_is_done_by_workers_on_this_machine_unless_told_otherwise() -> None:
    with connect(ClusterConfig(n_workers=1, memory_limit="1GiB")) as client:
        assert client.submit(os.getpid).result(timeout=30) != os.getpid()
        address = client.scheduler_info()["address"]
    with pytest.raises(ClusterError), connect(ClusterConfig(scheduler=address, connect_timeout_s=0.5)):
        pytest.fail("the workers should have ended with the block")


def test_work_is_done_by_somebody_elses_scheduler(small_cluster: SpecCluster) -> None:
    with connect(ClusterConfig(scheduler=small_cluster.scheduler_address, gpu=True)) as client:
        assert client.submit(sum, [1, 2, 3]).result(timeout=30) == 6
    assert len(small_cluster.scheduler_info["workers"]) == 2  # they are theirs, and stay


def test_an_error_of_the_work_comes_out_as_it_is(small_cluster: SpecCluster) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        connect(ClusterConfig(scheduler=small_cluster.scheduler_address)) as client,
    ):
        client.submit(divmod, 1, 0).result(timeout=30)


def test_a_silent_address_is_named_within_seconds() -> None:
    began = time.monotonic()
    told = (
        f"no scheduler answers at {SILENT} within 1 s .*check the address, that `dask scheduler` runs there"
    )
    with (
        pytest.raises(ClusterError, match=told),
        connect(ClusterConfig(scheduler=SILENT, connect_timeout_s=1)),
    ):
        pytest.fail("nobody is there")
    assert time.monotonic() - began < 5


def test_a_scheduler_without_workers_is_told_and_not_waited_for(lonely: SpecCluster) -> None:
    config = ClusterConfig(scheduler=lonely.scheduler_address, workers_timeout_s=0.5)
    began = time.monotonic()
    told = (
        f"the scheduler at {lonely.scheduler_address} has no worker after 0.5 s; start one with `dask worker"
    )
    with pytest.raises(ClusterError, match=told), connect(config):
        pytest.fail("no worker is there")
    assert time.monotonic() - began < 5


def test_tls_without_certificates_says_which_files_are_missing(tmp_path: Path) -> None:
    config = ClusterConfig(scheduler="tls://127.0.0.1:9", connect_timeout_s=1)
    with (
        pytest.raises(ClusterError, match="give tls_ca_file, tls_cert_file and tls_key_file"),
        connect(config),
    ):
        pytest.fail("nobody is there")
    ca, cert, key = (tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem"))
    config = ClusterConfig(
        scheduler="tls://127.0.0.1:9", tls_ca_file=ca, tls_cert_file=cert, tls_key_file=key
    )
    with pytest.raises(ClusterError, match=r"TLS file .*ca\.pem is not there"), connect(config):
        pytest.fail("nobody is there")


def test_a_tls_scheduler_is_spoken_to_with_the_given_certificate(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = f"req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=dask -keyout {key} -out {certificate}"
    subprocess.run([openssl, *request.split()], check=True, capture_output=True)
    told = tmp_path / "scheduler.json"
    command = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "tls://127.0.0.1",
        "--port",
        "0",
    ]
    files = [
        "--tls-ca-file",
        certificate,
        "--tls-cert",
        certificate,
        "--tls-key",
        key,
        "--scheduler-file",
        told,
    ]
    scheduler = subprocess.Popen([*command, "--no-dashboard", *map(str, files)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not told.exists() or not told.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        config = ClusterConfig(
            scheduler=json.loads(told.read_text())["address"],
            tls_ca_file=certificate,
            tls_cert_file=certificate,
            tls_key_file=key,
            workers_timeout_s=0.5,
        )
        # it is heard and answers, which without the certificate it does not
        with pytest.raises(ClusterError, match=r"the scheduler at tls://.* has no worker"), connect(config):
            pytest.fail("no worker is there")
        bare = ClusterConfig(scheduler=config.scheduler, connect_timeout_s=1)
        with pytest.raises(ClusterError, match=r"no scheduler answers at tls://"), connect(bare):
            pytest.fail("no certificate was shown")
    finally:
        scheduler.terminate()
        scheduler.wait(timeout=30)


def versions_of(**worker: str | None) -> dict[str, Any]:
    """What a client is told where one of two workers has other versions."""
    here = get_versions(packages=["glaciolake"])
    odd = copy.deepcopy(here)
    odd["packages"].update(worker)
    return {
        "client": here,
        "scheduler": copy.deepcopy(here),
        "workers": {"tcp://a:1": copy.deepcopy(here), "tcp://b:1": odd},
    }


def test_equal_versions_pass() -> None:
    check_versions(versions_of())
    check_versions(
        versions_of(pandas="0.1", python=f"{sys.version_info.major}.{sys.version_info.minor}.99.final.0")
    )


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("dask", "2020.1.0"),
        ("distributed", "2020.1.0"),
        ("glaciolake", None),
        ("python", "3.8.1.final.0"),
        ("numpy", "1.26.4"),
    ],
)
def test_other_versions_are_refused_with_both_numbers_and_the_place(
    package: str, version: str | None
) -> None:
    here = get_versions(packages=["glaciolake"])["packages"][package]
    with pytest.raises(ClusterError) as refused:
        check_versions(versions_of(**{package: version}))
    assert f"{package} {version or 'missing'} (here {here}) on worker tcp://b:1." in str(refused.value)


def test_the_scheduler_needs_dask_but_not_us() -> None:
    told = versions_of()
    told["scheduler"]["packages"]["glaciolake"] = None
    told["scheduler"]["packages"]["numpy"] = None
    check_versions(told)
    told["scheduler"]["packages"]["distributed"] = "2020.1.0"
    with pytest.raises(ClusterError, match=r"distributed 2020.1.0 \(here .*\) on the scheduler"):
        check_versions(told)


def test_a_worker_with_another_version_of_ours_is_found_out(lonely: SpecCluster, tmp_path: Path) -> None:
    other = tmp_path / "glaciolake-0.0.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: glaciolake\nVersion: 0.0.0\n")
    command = [sys.executable, "-m", "distributed.cli.dask_worker", lonely.scheduler_address, "--no-nanny"]
    worker = subprocess.Popen(
        [*command, "--no-dashboard", "--nthreads", "1", "--local-directory", str(tmp_path)],
        cwd=tmp_path,  # the folder it starts in comes before PYTHONPATH
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stderr=subprocess.DEVNULL,
    )
    try:
        config = ClusterConfig(scheduler=lonely.scheduler_address, workers_timeout_s=60)
        with (
            pytest.raises(ClusterError, match=r"glaciolake 0\.0\.0 \(here .*\) on worker tcp"),
            connect(config),
        ):
            pytest.fail("the worker has another version")
    finally:
        worker.terminate()
        worker.wait(timeout=30)


def test_the_client_is_closed_when_it_is_refused(small_cluster: SpecCluster) -> None:
    with Client(small_cluster) as watcher:
        before = len(watcher.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.clients)))
        config = ClusterConfig(scheduler=small_cluster.scheduler_address, workers_timeout_s=1)
        with pytest.raises(RuntimeError, match="stop"), connect(config):
            raise RuntimeError("stop")
        assert len(watcher.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.clients))) == before
