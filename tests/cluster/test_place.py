from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from distributed import Client, Scheduler, SpecCluster, Worker, wait

from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.connect import connect
from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.place import by_kind, need_gpu, submit_off_gpu, submit_on_gpu


@pytest.mark.parametrize("_", range(3))
def test_gpu_work_runs_where_a_gpu_is_and_the_rest_beside_it_and_each_once(
    client: Client, tmp_path: Path, _: int
) -> None:
    """As a run does it: a first step off the GPU, a second that needs its result on it."""
    journal = tmp_path / "journal"

    def first(piece: int) -> tuple[int, str]:
        return piece, note("first", piece)

    def second(given: tuple[int, str]) -> tuple[int, str, str]:
        return (*given, note("second", given[0]))

    def note(step: str, piece: int) -> str:
        import time

        from distributed import get_worker

        with journal.open("a") as file:
            file.write(f"{step} {piece}\n")
        time.sleep(0.002)
        return str(get_worker().name)

    off = by_kind(client)["cpu"]
    futures = [submit_on_gpu(client, second, submit_off_gpu(client, off, first, n)) for n in range(40)]
    results = client.gather(futures)
    assert [piece for piece, _, _ in results] == list(range(40))
    assert Counter((before, after) for _, before, after in results) == {("cpu-0", "gpu-0"): 40}
    done = Counter(journal.read_text().splitlines())
    assert done == {f"{step} {n}": 1 for step in ("first", "second") for n in range(40)}


def test_without_workers_of_the_cpu_kind_a_gpu_worker_does_their_work(client: Client) -> None:
    def where() -> str:
        from distributed import get_worker

        return str(get_worker().name)

    gone = "tcp://127.0.0.1:9"
    assert submit_off_gpu(client, [gone], where).result(timeout=30) in ("cpu-0", "gpu-0")
    assert submit_off_gpu(client, [], where).result(timeout=30) in ("cpu-0", "gpu-0")


def test_other_work_still_goes_to_all_workers(client: Client) -> None:
    def where(_: int) -> str:
        import time

        from distributed import get_worker

        time.sleep(0.05)
        return str(get_worker().name)

    futures = client.map(where, range(20), pure=False)
    wait(futures, timeout=30)
    assert set(client.gather(futures)) == {"cpu-0", "gpu-0"}


def test_without_a_gpu_the_cure_is_told() -> None:
    options = {"host": "127.0.0.1", "dashboard": False}
    scheduler = {"cls": Scheduler, "options": options | {"dashboard_address": "127.0.0.1:0"}}
    workers = {0: {"cls": Worker, "options": options | {"nthreads": 1}}}
    with SpecCluster(workers=workers, scheduler=scheduler) as cluster:
        address = cluster.scheduler_address
        with connect(ClusterConfig(scheduler=address)) as client:
            told = f"none of 1 workers at {address} offers a GPU; start one with `dask worker"
            with pytest.raises(ClusterError, match=told):
                need_gpu(client)
        config = ClusterConfig(scheduler=address, gpu=True, workers_timeout_s=0.5)
        with (
            pytest.raises(ClusterError, match=r"offers a GPU after 0.5 s; .* or switch gpu off"),
            connect(config),
        ):
            pytest.fail("no worker offers a GPU")
