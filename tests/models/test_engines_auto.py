"""What "auto" takes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from glaciolake.models import engines


@pytest.mark.parametrize(
    ("installed", "bfloat16", "engine"),
    [(True, True, "openvino-bf16"), (True, False, "openvino"), (False, True, "onnxruntime")],
)
def test_auto_takes_the_quickest_that_is_there(
    installed: bool, bfloat16: bool, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
    monkeypatch.setattr(engines, "computes_bfloat16", lambda: bfloat16)
    assert engines.choose("auto") == engine


def test_a_processor_says_what_it_computes(tmp_path: Path) -> None:
    for text, able in (("flags : fma avx512_bf16", True), ("flags : fma avx2", False)):
        (tmp_path / text[-4:]).write_text(text)
        assert engines.computes_bfloat16(tmp_path / text[-4:]) is able
    assert engines.computes_bfloat16(tmp_path / "nowhere") is False
