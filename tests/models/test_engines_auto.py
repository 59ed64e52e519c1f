"""What "auto" takes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from glaciolake.models import engines
from glaciolake.models.batches import BATCH_PX
from glaciolake.models.spec import ModelRef


@pytest.mark.parametrize(
    ("gpu", "installed", "bfloat16", "engine"),
    [
        (True, True, True, "torch-cuda"),
        (False, True, True, "openvino-bf16"),
        (False, True, False, "openvino"),
        (False, False, True, "onnxruntime"),
    ],
)
def test_auto_takes_the_quickest_that_is_there(
    gpu: bool, installed: bool, bfloat16: bool, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "has_gpu", lambda: gpu)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
    monkeypatch.setattr(engines, "computes_bfloat16", lambda: bfloat16)
    assert engines.choose("auto") == engine


def test_no_device_of_a_gpu_no_question_to_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(name: str) -> None:
        raise AssertionError("nobody need look for torch")

    monkeypatch.setattr(engines, "NVIDIA", tmp_path / "no-gpu")
    monkeypatch.setattr(importlib.util, "find_spec", asked)
    assert engines.has_gpu() is False


def test_a_gpu_is_given_more_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ref = ModelRef("x.onnx", "0", "torch")
    monkeypatch.setattr(engines, "has_gpu", lambda: False)
    assert engines.batch_px(ref) == BATCH_PX
    monkeypatch.setattr(engines, "has_gpu", lambda: True)
    assert engines.batch_px(ref) == engines.GPU_BATCH_PX > BATCH_PX
    assert engines.batch_px(ref._replace(engine="onnxruntime")) == BATCH_PX


def test_a_processor_says_what_it_computes(tmp_path: Path) -> None:
    for text, able in (("flags : fma avx512_bf16", True), ("flags : fma avx2", False)):
        (tmp_path / text[-4:]).write_text(text)
        assert engines.computes_bfloat16(tmp_path / text[-4:]) is able
    assert engines.computes_bfloat16(tmp_path / "nowhere") is False
