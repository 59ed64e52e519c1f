"""A run on a cluster whose parts are lost while it works: told, resumed, and nothing of it in the store."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr
from typer.testing import CliRunner

from glaciolake.catalog.store import Store
from glaciolake.cluster.errors import ClusterError
from glaciolake.pipeline.__main__ import app
from glaciolake.pipeline.config import RunConfig, commented_yaml, load_config
from glaciolake.pipeline.run import run
from tests.cluster.processes import kill, processes
from tests.pipeline.chain import write_dates, write_network, write_registry

N = 12


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    write_dates(tmp_path / "archive", N)
    return load_config(
        None,
        {
            "source": str(tmp_path / "archive"),
            "store": str(tmp_path / "lakes.icechunk"),
            "lakes": ["test-tsho"],
            "registry": write_registry(tmp_path / "lakes.geojson"),
            "model": str(write_network(tmp_path / "dark.onnx")),
            "engine": "onnxruntime",
            "slices_per_piece": 1,
            "slices_per_commit": 2,
            "cluster.workers_timeout_s": 5,
        },
    )


def test_a_killed_worker_costs_nothing_and_a_killed_scheduler_a_second_call(
    config: RunConfig, tmp_path: Path
) -> None:
    with processes(tmp_path / "cluster") as cluster:
        scheduler, victim, _ = cluster.scheduler(), cluster.worker("--no-nanny"), cluster.worker("--no-nanny")
        cluster.wait_for(2)
        place = config.cluster.model_copy(update={"scheduler": cluster.address})
        config = config.model_copy(update={"cluster": place})

        def watch(done: int, _: int) -> None:
            if done == 2:
                kill(victim)
            if done == 6:
                kill(scheduler)

        told = (
            f"the scheduler at {cluster.address} was lost .*; what is committed stays; run the same command"
        )
        with pytest.raises(ClusterError, match=told):
            run(config, watch)
        kept = Store.open(config.store).read("test-tsho", "T121").sizes["time"]
        assert 6 <= kept < N
        cluster.scheduler()
        cluster.worker("--no-nanny")
        cluster.wait_for(1)
        summary = run(config)
        assert summary.complete
        assert (summary.counts[0].n_kept, summary.counts[0].n_new) == (kept, N - kept)
        once = config.model_copy(update={"store": str(tmp_path / "once.icechunk")})
        run(once)
    stores = [Store.open(one.store).read("test-tsho", "T121").load() for one in (config, once)]
    xr.testing.assert_identical(*stores)


def test_the_command_says_that_there_is_no_worker_and_goes_on_waiting(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glaciolake.cluster.patience.SAY_AFTER_S", 0.2)
    with processes(tmp_path / "cluster") as cluster:
        cluster.scheduler()
        place = config.cluster.model_copy(update={"scheduler": cluster.address, "workers_timeout_s": 2})
        file = tmp_path / "config.yaml"
        file.write_text(commented_yaml(config.model_copy(update={"cluster": place})))
        ended = CliRunner().invoke(app, ["run", str(file)])
    assert f"WARNING glaciolake.cluster.patience no worker at {cluster.address} after" in ended.stderr
    assert "has no worker after 2 s" in str(ended.exception)
