"""Work that cannot be done any more is given up within the patience, with a sentence that says why."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from distributed import Client, Future, Scheduler, SpecCluster, Worker

from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.connect import connect
from glaciolake.cluster.crew import Crew
from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.flow import flow
from glaciolake.cluster.place import submit, submit_on_gpu
from glaciolake.cluster.retire import retire

PLACE: dict[str, Any] = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
WORKER: dict[str, Any] = {"host": "127.0.0.1", "dashboard": False, "nthreads": 1}
GPU_WORKER = WORKER | {"resources": {"GPU": 1}}


@pytest.fixture
def cluster() -> Iterator[SpecCluster]:
    """A worker, and one that offers a GPU; both in this process, so that it starts at once."""
    workers = {"cpu": {"cls": Worker, "options": WORKER}, "gpu": {"cls": Worker, "options": GPU_WORKER}}
    with SpecCluster(workers=workers, scheduler={"cls": Scheduler, "options": PLACE}) as cluster:
        yield cluster


def slowly(item: int) -> int:
    time.sleep(0.05)
    return item * item


def anywhere(crew: Crew, item: int) -> Future[int]:
    return submit(crew.client, slowly, item)


def on_gpu(crew: Crew, item: int) -> Future[int]:
    return submit_on_gpu(crew.client, slowly, item)


def drop(cluster: SpecCluster, *names: str) -> Callable[[], None]:
    def go() -> None:
        for name in names:
            del cluster.worker_spec[name]
        cluster.sync(cluster._correct_state)

    return go


def add(cluster: SpecCluster, name: str, options: dict[str, Any]) -> Callable[[], None]:
    def go() -> None:
        cluster.worker_spec[name] = {"cls": Worker, "options": options}
        cluster.sync(cluster._correct_state)

    return go


def test_every_item_comes_back_once_and_few_are_in_flight(cluster: SpecCluster) -> None:
    with Client(cluster) as client:
        crew = Crew(client, ClusterConfig())
        drawn, most = 0, 0

        def items() -> Iterator[int]:
            nonlocal drawn
            for number in range(40):
                drawn += 1
                yield number

        found: Counter[int] = Counter()
        for given_back, (item, value, error) in enumerate(flow(crew, items(), anywhere)):
            most = max(most, drawn - given_back)
            assert error is None and value == item * item
            found[item] += 1
            held = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
            assert held <= crew.room
        assert found == {number: 1 for number in range(40)}
        assert most <= crew.room == 4


def test_an_error_of_one_item_is_given_back_with_it(cluster: SpecCluster) -> None:
    def broken(crew: Crew, item: int) -> Future[float]:
        return submit(crew.client, lambda: 1 / item)

    with Client(cluster) as client:
        crew = Crew(client, ClusterConfig())
        errors = {item: type(error) for item, _, error in flow(crew, [0, 1, 2], broken)}
    assert errors == {0: ZeroDivisionError, 1: type(None), 2: type(None)}


def test_gpu_work_whose_workers_have_all_left_is_not_waited_for(cluster: SpecCluster) -> None:
    with Client(cluster) as client:
        crew = Crew(client, ClusterConfig(gpu=True, workers_timeout_s=1))
        timer = Timer(0.5, drop(cluster, "gpu"))
        timer.start()
        begun_s = time.monotonic()
        told = r"for 1 s no worker at .* offers a GPU \(1 workers do not\); start one .*run the same command"
        with pytest.raises(ClusterError, match=told):
            Counter(flow(crew, range(1000), on_gpu))
        timer.join()
        assert time.monotonic() - begun_s < 15


def test_workers_that_come_back_in_time_are_waited_for(cluster: SpecCluster) -> None:
    with Client(cluster) as client:
        crew = Crew(client, ClusterConfig(workers_timeout_s=30))
        done = flow(crew, range(20), anywhere)
        found = [next(done).item]
        drop(cluster, "cpu", "gpu")()
        Timer(
            1.0, lambda: (cluster.worker_spec.update(new=spec), cluster.sync(cluster._correct_state))
        ).start()
        spec = {"cls": Worker, "options": WORKER}
        found += [one.item for one in done]
    assert sorted(found) == list(range(20))


def test_more_workers_are_given_more_work(cluster: SpecCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glaciolake.cluster.crew.LOOK_S", 0.0)
    with Client(cluster) as client:
        crew = Crew(client, ClusterConfig())
        assert crew.room == 4
        add(cluster, "more", WORKER | {"nthreads": 3})()
        client.wait_for_workers(3, timeout=30)
        crew.check()
        assert crew.room == 10


def test_a_gpu_that_is_still_on_its_way_is_waited_for(cluster: SpecCluster) -> None:
    drop(cluster, "gpu")()
    Timer(1.0, add(cluster, "gpu", GPU_WORKER)).start()
    config = ClusterConfig(scheduler=cluster.scheduler_address, gpu=True, workers_timeout_s=30)
    with connect(config) as client:
        assert submit_on_gpu(client, slowly, 3).result(timeout=30) == 9


def test_a_retired_worker_ends_its_task_and_hands_over_what_it_holds(cluster: SpecCluster) -> None:
    def long(seconds: float) -> str:
        import time

        from distributed import get_worker

        time.sleep(seconds)
        return str(get_worker().name)

    with Client(cluster) as client:
        held = client.submit(long, 0.0, pure=False, resources={"GPU": 1})
        held.result(timeout=30)
        at_hand = client.submit(long, 2.0, pure=False, resources={"GPU": 1})
        behind = [client.submit(long, 0.1, pure=False, workers=["gpu"], allow_other_workers=True)]
        time.sleep(0.5)  # it has begun
        assert retire(client, ["gpu"], timeout_s=30) == {"gpu": "done"}
        assert at_hand.result(timeout=30) == held.result(timeout=30) == "gpu"  # neither was done again
        assert client.gather(behind) == ["cpu"]
        assert [about["name"] for about in client.scheduler_info()["workers"].values()] == ["cpu"]
        with pytest.raises(ClusterError, match=r"no worker gpu at tcp.*'glaciolake cluster status' lists"):
            retire(client, ["gpu"])
        alone = client.submit(long, 0.0, pure=False)
        alone.result(timeout=30)
        with pytest.raises(ClusterError, match="worker cpu holds results that no other worker"):
            retire(client, ["cpu"])


def test_a_task_that_takes_too_long_is_begun_anew_elsewhere(cluster: SpecCluster, tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def where() -> str:
        import time

        from distributed import get_worker

        with begun.open("a") as file:
            file.write("once\n")
        if len(begun.read_text().split()) == 1:
            time.sleep(3)
        return str(get_worker().name)

    with Client(cluster) as client:
        future = client.submit(where, workers=["cpu"], allow_other_workers=True)
        while not begun.exists():
            time.sleep(0.05)
        time.sleep(0.6)
        assert retire(client, ["cpu"], timeout_s=0.5) == {"cpu": "cut short"}
        assert future.result(timeout=30) == "gpu"
