"""Which library runs, with how many threads."""

from __future__ import annotations

import importlib.util
import os
from typing import Any, cast

import pytest
from distributed import Client, LocalCluster

from glaciolake.models.engines import THREADS_KEY, Share, share
from glaciolake.models.errors import ModelError
from glaciolake.models.predict import network_of
from glaciolake.models.spec import Engine
from tests.models.conftest import Save


def without(monkeypatch: pytest.MonkeyPatch, *absent: str) -> None:
    """Let Python not find packages."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in absent else find(name))


def test_an_unknown_engine_is_answered_with_the_engines_there_are(save: Save) -> None:
    engine = cast(Engine, "tensorrt")
    with pytest.raises(ModelError, match=r"unknown engine 'tensorrt'.*'auto', 'onnxruntime', 'openvino'"):
        network_of(save(engine=engine, name="unknown"))


def test_a_gpu_that_is_not_there_is_no_engine(save: Save) -> None:
    torch = pytest.importorskip("torch", reason="install glaciolake[torch] to run it")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ModelError, match=r"a GPU is asked for, but torch .* sees none here"):
        network_of(save(engine="torch-cuda", name="gpu"))


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_an_engine_that_is_not_installed_names_the_extra(
    save: Save, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, engine)
    with pytest.raises(ModelError, match=rf"not installed; pip install 'glaciolake\[{engine}\]'"):
        network_of(save(engine=engine, name="absent"))


def test_threads_come_from_the_variable_then_from_openmp_then_from_the_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(THREADS_KEY, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert share() == Share(len(os.sched_getaffinity(0)), 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert share().threads == 3
    monkeypatch.setenv(THREADS_KEY, "5")
    assert share().threads == 5
    monkeypatch.setenv(THREADS_KEY, "all")
    with pytest.raises(ModelError, match=f"{THREADS_KEY} is 'all'"):
        share()


def test_a_dask_worker_leaves_cores_for_its_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(THREADS_KEY, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    settings: dict[str, Any] = {"processes": False, "host": "127.0.0.1", "protocol": "tcp://"}
    settings |= {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        inside = client.submit(share, pure=False).result()
    assert inside == Share(max(1, len(os.sched_getaffinity(0)) // 2), 2)
