from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from distributed import Client, Scheduler, SpecCluster, Worker, wait

from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.connect import connect
from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.place import map_on_gpu


def test_every_piece_runs_on_the_worker_with_the_gpu_and_once(client: Client, tmp_path: Path) -> None:
    journal = tmp_path / "journal"

    def work(piece: int) -> tuple[int, str]:
        from distributed import get_worker

        with journal.open("a") as file:
            file.write(f"{piece}\n")
        return piece, str(get_worker().name)

    futures = map_on_gpu(client, work, range(40))
    results = client.gather(futures)
    assert [piece for piece, _ in results] == list(range(40))
    assert Counter(name for _, name in results) == {"gpu-0": 40}
    assert Counter(journal.read_text().split()) == {str(piece): 1 for piece in range(40)}


def test_other_work_still_goes_to_all_workers(client: Client) -> None:
    def where(_: int) -> str:
        import time

        from distributed import get_worker

        time.sleep(0.05)
        return str(get_worker().name)

    futures = client.map(where, range(20), pure=False)
    wait(futures, timeout=30)
    assert set(client.gather(futures)) == {"cpu-0", "gpu-0"}


def test_without_a_gpu_nothing_is_handed_out_and_the_cure_is_told() -> None:
    options = {"host": "127.0.0.1", "dashboard": False}
    scheduler = {"cls": Scheduler, "options": options | {"dashboard_address": "127.0.0.1:0"}}
    workers = {0: {"cls": Worker, "options": options | {"nthreads": 1}}}
    with SpecCluster(workers=workers, scheduler=scheduler) as cluster:
        address = cluster.scheduler_address
        with connect(ClusterConfig(scheduler=address)) as client:
            told = f"none of 1 workers at {address} offers a GPU; start one with `dask worker"
            with pytest.raises(ClusterError, match=told):
                map_on_gpu(client, abs, [1])
            assert not client.futures
        config = ClusterConfig(scheduler=address, gpu=True, workers_timeout_s=0.5)
        with (
            pytest.raises(ClusterError, match=r"offers a GPU after 0.5 s; .* or switch gpu off"),
            connect(config),
        ):
            pytest.fail("no worker offers a GPU")
