from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glaciolake.catalog.lake import Lake
from glaciolake.catalog.lakes import load_lakes
from glaciolake.pipeline.config import RunConfig, load_config
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.run import _settled
from glaciolake.pipeline.shards import parse_shard, shard_of
from tests.pipeline.chain import write_network

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
