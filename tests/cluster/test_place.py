from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, Scheduler, SpecCluster, Worker, wait

from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.crew import Crew
from glaciolake.cluster.place import by_kind, submit_off_gpu, submit_on_gpu
from glaciolake.cluster.retire import retire

HERE: dict[str, Any] = {"host": "127.0.0.1", "dashboard": False}
SCHEDULER: dict[str, Any] = {"cls": Scheduler, "options": HERE | {"dashboard_address": "127.0.0.1:0"}}


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


@pytest.mark.parametrize("told_of", [-1, 5], ids=["2026.8", "2026.3"])
def test_every_worker_is_known_with_each_distributed_that_we_allow(
    monkeypatch: pytest.MonkeyPatch, told_of: int
) -> None:
    """Distributed 2026.3 tells of five workers unless it is asked for more."""
    ask = Client.scheduler_info

    def info(self: Client, n_workers: int = told_of, **kwargs: Any) -> Any:
        return ask(self, n_workers=n_workers, **kwargs)

    monkeypatch.setattr(Client, "scheduler_info", info)
    workers = {n: {"cls": Worker, "options": HERE | {"nthreads": 1}} for n in range(6)}
    workers[6] = {"cls": Worker, "options": HERE | {"nthreads": 1, "resources": {"GPU": 1}}}
    with SpecCluster(workers=workers, scheduler=SCHEDULER) as cluster, Client(cluster) as client:
        assert {kind: len(addresses) for kind, addresses in by_kind(client).items()} == {"cpu": 6, "gpu": 1}
        crew = Crew(client, ClusterConfig(gpu=True))
        assert crew.room == 2 * 7
        assert retire(client, [str(n) for n in range(6)]) == {str(n): "done" for n in range(6)}
