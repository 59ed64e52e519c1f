"""The factor of area intervals is taken from a card of the same file, and from no other."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from glaciolake.models.area_interval import interval_factor
from glaciolake.models.errors import ModelError
from glaciolake.models.spec import ModelRef
from glaciolake.models.weights import card, resolve, shipped


def write_card(folder: Path, **facts: object) -> ModelRef:
    (folder / "own.json").write_text(json.dumps({"sha256": "ab", **facts}))
    return ModelRef(str(folder / "own.onnx"), "ab")


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_network_has_a_factor(name: str) -> None:
    assert interval_factor(resolve(name)) == card(name)["area_interval"]["factor"] > 1


def test_a_factor_is_read_beside_a_file(tmp_path: Path) -> None:
    assert interval_factor(write_card(tmp_path, area_interval={"factor": 2})) == 2.0
    assert math.isnan(interval_factor(write_card(tmp_path)))
    assert math.isnan(interval_factor(ModelRef(str(tmp_path / "none.onnx"), "ab")))


def test_a_card_of_another_file_says_nothing(tmp_path: Path) -> None:
    ref = write_card(tmp_path, area_interval={"factor": 2})
    assert math.isnan(interval_factor(ref._replace(sha256="cd")))


@pytest.mark.parametrize("factor", [0, -1, "wide", None, True, float("nan")])
def test_a_factor_that_is_none_is_refused(tmp_path: Path, factor: object) -> None:
    with pytest.raises(ModelError, match="as factor of its area interval, which must be above 0"):
        interval_factor(write_card(tmp_path, area_interval={"factor": factor}))


def test_a_file_beside_it_that_is_no_card_says_nothing(tmp_path: Path) -> None:
    ref = write_card(tmp_path)
    (tmp_path / "own.json").write_text("notes, not JSON")
    assert math.isnan(interval_factor(ref))
