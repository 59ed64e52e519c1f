from __future__ import annotations

import copy
import json
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster
from hypothesis import given
from hypothesis import strategies as st

from glaciolake.catalog.lake import Lake
from glaciolake.catalog.lakes import load_lakes
from glaciolake.catalog.store import Store
from glaciolake.pipeline.config import RunConfig, commented_yaml, load_config
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.run import _settled, run
from glaciolake.pipeline.shards import parse_shard, shard_of
from tests.pipeline.chain import write_dates, write_network, write_registry
from tests.pipeline.stores import differences

LAKES = list(load_lakes().values())


@given(n=st.integers(1, len(LAKES)), lakes=st.permutations(LAKES))
def test_shards_are_disjoint_complete_and_even_in_any_order(n: int, lakes: list[Lake]) -> None:
    shards = [[lake.id for lake in shard_of(lakes, f"{index}/{n}")] for index in range(n)]
    assert sorted(chain.from_iterable(shards)) == sorted(lake.id for lake in LAKES)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    assert shards == [[lake.id for lake in shard_of(LAKES, f"{index}/{n}")] for index in range(n)]


def test_more_shards_than_lakes_are_refused() -> None:
    with pytest.raises(PipelineError, match="shard 14/15 of 14 lakes is empty; take fewer shards"):
        shard_of(LAKES, "14/15")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("8/8", "i counts from 0 and is less than n; give 0/8 to 7/8"),
        ("0/0", "give 0/1"),
        ("1", "is not of the form i/n, such as 0/8"),
        ("-1/2", "is not of the form"),
    ],
)
def test_what_is_no_shard_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_shard(text)
    with pytest.raises(PipelineError, match=told):
        load_config(None, {"source": "a", "store": "b", "shard": text})


def test_a_run_takes_its_share_of_the_lakes_asked_for(tmp_path: Path) -> None:
    asked = ["tsho-rolpa", "imja", "thulagi", "gokyo"]
    network = str(write_network(tmp_path / "a.onnx"))
    told = {"source": str(tmp_path), "store": "s", "lakes": asked, "model": network}

    def taken(config: RunConfig) -> list[str]:
        return [lake.id for lake in _settled(config).lakes]

    both = [taken(load_config(None, told | {"shard": shard})) for shard in ("0/2", "1/2")]
    assert both == [["gokyo", "thulagi"], ["imja", "tsho-rolpa"]]


def test_shards_that_run_at_the_same_time_fill_one_store_as_a_single_run_does(tmp_path: Path) -> None:
    write_dates(tmp_path / "archive", 6)
    registry = json.loads(write_registry(tmp_path / "one.geojson", lake="first-tsho").read_text())
    other = copy.deepcopy(registry["features"][0])
    other["properties"]["id"] = "second-tsho"
    registry["features"].append(other)
    (tmp_path / "lakes.geojson").write_text(json.dumps(registry))
    place: dict[str, Any] = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": ":0"}
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, **place) as cluster:
        told = {
            "source": str(tmp_path / "archive"),
            "store": str(tmp_path / "shared.icechunk"),
            "registry": tmp_path / "lakes.geojson",
            "model": str(write_network(tmp_path / "dark.onnx")),
            "engine": "onnxruntime",
            "slices_per_piece": 2,
            "slices_per_commit": 2,
            "cluster.scheduler": cluster.scheduler_address,
        }
        first, second = (load_config(None, told | {"shard": f"{index}/2"}) for index in (0, 1))
        (tmp_path / "second.yaml").write_text(commented_yaml(second))
        command = [sys.executable, "-m", "glaciolake.pipeline", "run", str(tmp_path / "second.yaml")]
        other_run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
        assert run(first).complete
        assert other_run.wait(timeout=120) == 0
        once = load_config(None, told | {"store": str(tmp_path / "once.icechunk")})
        run(once)
    assert differences(told["store"], once.store) == []
    assert set(Store.open(once.store).series()) == {"first-tsho", "second-tsho"}
