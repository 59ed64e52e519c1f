"""Who waits for workers is told within a minute what is missing, and waits on as long as was asked for."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from threading import Timer
from typing import Any

import dask
import pytest
from distributed import Client, Scheduler, SpecCluster, Worker

from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.connect import connect
from glaciolake.cluster.crew import Crew
from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.patience import SAY_AFTER_S, need_workers

HERE: dict[str, Any] = {"host": "127.0.0.1", "dashboard": False}
SCHEDULER: dict[str, Any] = {"cls": Scheduler, "options": HERE | {"dashboard_address": "127.0.0.1:0"}}
WORKER: dict[str, Any] = {"cls": Worker, "options": HERE | {"nthreads": 1}}
GPU_WORKER: dict[str, Any] = {"cls": Worker, "options": HERE | {"nthreads": 1, "resources": {"GPU": 1}}}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute takes a fifth of a second."""
    for module in ("patience", "crew"):
        monkeypatch.setattr(f"glaciolake.cluster.{module}.SAY_AFTER_S", 0.2)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged so far."""
    caplog.set_level(logging.WARNING, "glaciolake.cluster")
    return lambda: [one.getMessage() for one in caplog.records if one.name == "glaciolake.cluster.patience"]


@pytest.fixture
def cluster() -> Iterator[SpecCluster]:
    soon = {"distributed.comm.timeouts.connect": "1s"}  # at the end, where a test has ended the scheduler
    with dask.config.set(soon), SpecCluster(workers={}, scheduler=SCHEDULER) as cluster:
        yield cluster


def become(cluster: SpecCluster, **workers: dict[str, Any]) -> None:
    cluster.worker_spec.clear()
    cluster.worker_spec.update(workers)
    cluster.sync(cluster._correct_state)


def test_it_is_said_well_within_a_minute() -> None:
    assert SAY_AFTER_S + 2 * 3.0 < 60  # a run looks at its workers every three seconds


def test_that_there_is_no_worker_is_said_once_and_one_that_comes_late_is_taken(
    cluster: SpecCluster, said: Callable[[], list[str]]
) -> None:
    late = Timer(1.5, become, (cluster,), {"cpu": WORKER})
    late.start()
    with connect(ClusterConfig(scheduler=cluster.scheduler_address, workers_timeout_s=300)) as client:
        assert client.submit(sum, [1, 2]).result(timeout=30) == 3
    late.join()
    (told,) = said()
    assert re.match(rf"no worker at {cluster.scheduler_address} after [01] s; waiting up to 300 s: on ", told)
    assert "`kubectl get pods -l app.kubernetes.io/part-of=glaciolake`" in told


def test_that_none_has_a_gpu_is_said_with_how_many_have_not(
    cluster: SpecCluster, said: Callable[[], list[str]]
) -> None:
    become(cluster, cpu=WORKER)
    config = ClusterConfig(scheduler=cluster.scheduler_address, gpu=True, workers_timeout_s=1)
    with pytest.raises(ClusterError, match=r"offers a GPU after 1 s; .* or switch gpu off"), connect(config):
        pytest.fail("no worker offers a GPU")
    (told,) = said()
    assert told.startswith(f"no worker with a GPU (1 without) at {cluster.scheduler_address} after ")


def test_both_kinds_are_waited_for_in_one_time(cluster: SpecCluster) -> None:
    late = Timer(1.0, become, (cluster,), {"cpu": WORKER})
    late.start()
    begun_s = time.monotonic()
    with Client(cluster) as client, pytest.raises(ClusterError, match="none of 1 workers"):
        need_workers(client, 2.0, gpu=True)
    assert time.monotonic() - begun_s < 3.0
    late.join()


def test_in_mid_run_it_is_said_once_each_time_that_they_are_away(
    cluster: SpecCluster, said: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glaciolake.cluster.crew.LOOK_S", 0.0)
    become(cluster, gpu=GPU_WORKER)
    with Client(cluster) as client:
        crew = Crew(client, ClusterConfig(gpu=True, workers_timeout_s=300))
        for times in (1, 2):
            become(cluster, cpu=WORKER)
            begun_s = time.monotonic()
            while time.monotonic() - begun_s < 0.6:
                crew.check()
                time.sleep(0.05)
            assert len(said()) == times
            assert said()[-1].startswith("no worker with a GPU (1 without) at ")
            become(cluster, gpu=GPU_WORKER)
            client.wait_for_workers(1, timeout=30)
            crew.check()


def test_a_scheduler_that_does_not_answer_is_spoken_of_before_it_is_given_up(
    said: Callable[[], list[str]],
) -> None:
    silent = "tcp://127.0.0.1:9"
    config = ClusterConfig(scheduler=silent, connect_timeout_s=1)
    with pytest.raises(ClusterError, match=r"no scheduler answers at .* within 1 s"), connect(config):
        pytest.fail("nobody is there")
    (told,) = said()
    assert told.startswith(f"no scheduler answers at {silent} after 0.2 s; waiting up to 1 s: on Kubernetes")


def test_a_scheduler_that_is_lost_while_workers_are_waited_for_is_not_waited_for(
    cluster: SpecCluster,
) -> None:
    begun_s = time.monotonic()
    with Client(cluster) as client:
        scheduler = cluster.scheduler
        assert scheduler is not None
        Timer(0.5, client.sync, (scheduler.close,)).start()
        with pytest.raises(ClusterError, match="was lost while workers were waited for; see that it runs"):
            need_workers(client, 60)
    assert time.monotonic() - begun_s < 20
