from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import dask
import pytest
from dask.system import CPU_COUNT
from distributed import Client

from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.connect import connect
from glaciolake.cluster.crew import Crew
from glaciolake.cluster.flow import flow
from glaciolake.cluster.local import (
    ALLOCATOR,
    PRE_SPAWN,
    local_cluster,
    n_cpu_workers,
    worker_environ,
    worker_specs,
)
from glaciolake.cluster.place import submit

DASK_DEFAULT = {"MALLOC_TRIM_THRESHOLD_": 65536, "OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1}


def environ_there() -> Callable[[], dict[str, str]]:
    def told() -> dict[str, str]:  # a closure travels by value: workers cannot import the tests
        import os

        return dict(os.environ)

    return told


def test_the_allocator_settings_are_in_the_workers_own_environment(client: Client) -> None:
    def since_birth() -> bytes:
        from pathlib import Path

        return Path("/proc/self/environ").read_bytes()  # what the C library saw when it started

    if not Path("/proc/self/environ").exists():
        pytest.skip("needs Linux's /proc to see what a process was born with")
    said = client.run(since_birth)
    assert len(said) == 2
    for block in said.values():
        assert (
            ALLOCATOR.items()
            <= dict(one.split("=", 1) for one in block.decode().split("\0") if "=" in one).items()
        )


def test_workers_know_how_many_threads_are_theirs(client: Client) -> None:
    threads = {environ["OMP_NUM_THREADS"] for environ in client.run(environ_there()).values()}
    assert threads == {str(CPU_COUNT)}  # one worker for the processor: it has all cores


def test_ctrl_c_is_kept_from_workers_from_their_first_line_on(client: Client) -> None:
    def held_back() -> bool:
        import signal

        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    assert set(client.run(held_back).values()) == {True}
    assert not held_back()


def test_neither_configuration_nor_environment_is_left_changed() -> None:
    config_before, environ_before = dask.config.get(PRE_SPAWN), dict(os.environ)
    with local_cluster(ClusterConfig(n_workers=1, memory_limit="1GiB")) as cluster:
        assert dask.config.get(PRE_SPAWN) == config_before
        assert cluster.scheduler_address.startswith("tcp://127.0.0.1:")
    assert dask.config.get(PRE_SPAWN) == config_before
    assert dict(os.environ) == environ_before


def test_what_a_person_set_wins_and_what_dask_left_behind_does_not() -> None:
    config = ClusterConfig(n_workers=CPU_COUNT)
    environ = {"MALLOC_TRIM_THRESHOLD_": "65536", "OMP_NUM_THREADS": "7", "HOME": "/home/a"}
    said = worker_environ(config, environ, DASK_DEFAULT)
    assert said["MALLOC_TRIM_THRESHOLD_"] == ALLOCATOR["MALLOC_TRIM_THRESHOLD_"]
    assert said["OMP_NUM_THREADS"] == "7"
    assert said["MKL_NUM_THREADS"] == "1"
    assert "HOME" not in said


def test_cores_and_memory_are_shared_out() -> None:
    assert n_cpu_workers(ClusterConfig()) == CPU_COUNT
    assert n_cpu_workers(ClusterConfig(threads_per_worker=CPU_COUNT)) == 1
    specs = worker_specs(ClusterConfig(n_workers=3, gpu=True, n_gpu_workers=2))
    assert list(specs) == ["cpu-0", "cpu-1", "cpu-2", "gpu-0", "gpu-1"]
    limits = {spec["options"]["memory_limit"] for spec in specs.values()}
    assert len(limits) == 1
    assert "resources" not in specs["cpu-0"]["options"]
    assert [specs[f"gpu-{n}"]["options"]["env"]["CUDA_VISIBLE_DEVICES"] for n in (0, 1)] == ["0", "1"]


def test_a_worker_that_dies_comes_back_with_the_same_settings(
    client: Client, kill_a_worker: Callable[[], None]
) -> None:
    kill_a_worker()
    said = client.run(environ_there())
    assert len(said) == 2
    for environ in said.values():
        assert ALLOCATOR.items() <= environ.items()


def test_workers_grow_while_there_is_work_and_leave_through_the_scheduler() -> None:
    config = ClusterConfig(n_workers=1, max_workers=2, memory_limit="1GiB")
    assert worker_environ(config, {}, {})["OMP_NUM_THREADS"] == str(max(1, CPU_COUNT // 2))

    def work(item: int) -> int:
        time.sleep(0.1)
        return item

    with connect(config) as client:
        found, most = [], 1
        done = flow(Crew(client, config), range(2000), lambda crew, item: submit(crew.client, work, item))
        for one in done:
            found.append(one.value)
            most = max(most, len(client.scheduler_info()["workers"])) if one.value % 10 == 0 else most
            if most == 2:
                break
        assert most == 2 and len(set(found)) == len(found)
        del done  # and with it what is in flight
        deadline = time.monotonic() + 60
        while len(client.scheduler_info()["workers"]) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.2)
