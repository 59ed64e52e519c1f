"""A training run that is to be used goes on where it was stopped; its file says what it learned from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from glaciolake.models.errors import ModelError
from glaciolake.models.pairs_evaluation import judge_model
from glaciolake.models.track.log import EVERY, Log
from glaciolake.models.track.model import learned_from, read_atlas
from glaciolake.models.track.plan import TrackPlan, train_plan
from glaciolake.models.track.recipe import TrackRecipe
from glaciolake.models.track.train import KEEP_EVERY, Say
from glaciolake.models.weights import digest, resolve
from tests.models.scenes import sample, write_data_set

pytestmark = pytest.mark.usefixtures("one_thread")

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'glaciolake[torch]'")

SHORT = TrackRecipe(steps=KEEP_EVERY + 5, batch=2, size_px=32, width=4)
DATES = [sample(cycle=cycle) for cycle in range(10)]


class Stop(Exception):  # no error of ours
    """Somebody pulls the plug."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    strange = replace(DATES[4], water=sample(right_px=14).water)
    return write_data_set(tmp_path_factory.mktemp("data"), [*DATES[:4], strange, *DATES[5:]])


def plan_of(data: tuple[Path, Path], out: Path, recipe: TrackRecipe = SHORT) -> TrackPlan:
    return TrackPlan(pairs=data[0], raw=data[1], out=out, name="tried", members=2, recipe=recipe)


@pytest.fixture(scope="module")
def made(data: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_plan(plan_of(data, tmp_path_factory.mktemp("runs") / "whole"))


def test_a_run_leaves_a_network_and_says_what_is_true_of_it(made: Path) -> None:
    facts = json.loads(made.with_suffix(".json").read_text())
    assert facts["sha256"] == digest(made)
    assert facts["labels"]["pairs"] == 10 and list(facts["labels"]["left_out"]) == ["upper 2020-02-21"]
    assert facts["training"] == {"members": 2} | SHORT.model_dump()
    assert str(made.parent) not in json.dumps(facts)
    ref = resolve(str(made), engine="onnxruntime")
    assert learned_from(ref) == {("upper", one.start) for one in DATES if one is not DATES[4]}
    assert set(read_atlas(ref)) == {("upper", "T121")}


def test_a_stopped_run_goes_on_to_the_same_network(
    data: tuple[Path, Path], made: Path, tmp_path: Path
) -> None:
    seen: list[int] = []
    stopped: list[int] = []

    def begin(name: str) -> Say:
        def say(step: int, steps: int, loss: float) -> None:
            seen.append(step)
            if name == "tried, 2 of 2" and step == KEEP_EVERY + 2 and not stopped:
                stopped.append(step)
                raise Stop

        return say

    plan = plan_of(data, tmp_path / "run")
    with pytest.raises(Stop):
        train_plan(plan, begin)
    before = len(seen)
    again = train_plan(plan, begin)
    assert seen[before:] == list(range(KEEP_EVERY + 1, SHORT.steps + 1)), (
        "only what was not kept is done again"
    )
    assert digest(again) == digest(made)


def test_a_run_of_another_recipe_is_not_gone_on_with(data: tuple[Path, Path], tmp_path: Path) -> None:
    brief = SHORT.model_copy(update={"steps": 1})
    train_plan(plan_of(data, tmp_path / "run", brief))
    with pytest.raises(ModelError, match=r"trained by another recipe.*give the run another folder"):
        train_plan(plan_of(data, tmp_path / "run"))
    (tmp_path / "run" / "member-0.pt").write_bytes(b"half a file")
    with pytest.raises(ModelError, match="is no checkpoint of a track network"):
        train_plan(plan_of(data, tmp_path / "run", brief))


def test_a_run_on_other_labels_is_not_gone_on_with(data: tuple[Path, Path], tmp_path: Path) -> None:
    brief = SHORT.model_copy(update={"steps": 1})
    train_plan(plan_of(data, tmp_path / "run", brief))
    fewer = write_data_set(tmp_path / "fewer", DATES[:5])
    with pytest.raises(ModelError, match=r"member-0\.pt was trained on other scenes, labels or outlines"):
        train_plan(plan_of(fewer, tmp_path / "run", brief))


def test_a_scored_network_says_that_it_learned_from_the_scenes(data: tuple[Path, Path], made: Path) -> None:
    verdict = judge_model(data[0], resolve(str(made), engine="onnxruntime"), chips=data[1])
    assert "**The network learned from 9 of these 10 scenes: no test of it.**" in verdict.notes
    assert any("Painted events, 10 scenes" in note for note in verdict.notes)
    drawn = DATES[0].water
    for masks in verdict.tested.constants.values():
        np.testing.assert_array_equal(masks[0], drawn)


def test_the_log_holds_the_mean_loss_of_every_few_steps(tmp_path: Path) -> None:
    told: list[int] = []
    with Log(tmp_path / "log.csv", lambda step, steps, loss: told.append(step)) as log:
        for step in range(1, EVERY + 3):
            log.note(step, EVERY + 2, float(step))
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines == ["step,loss", f"{EVERY},{(EVERY + 1) / 2:.6f}", f"{EVERY + 2},{EVERY + 1.5:.6f}"]
    assert told == list(range(1, EVERY + 3))
