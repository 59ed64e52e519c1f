"""A short training learns, stops and repeats."""

from __future__ import annotations

from pathlib import Path

import pytest

from glaciolake.models.errors import ModelError
from glaciolake.models.loss import loss_on_valid
from glaciolake.models.train import TrainConfig, train
from tests.models.scenes import SPEC, sample, write_data_set

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")


def config(folder: Path, **changes: object) -> TrainConfig:
    """A run of a minute's hundredth on drawn scenes."""
    samples = [sample(cycle=cycle) for cycle in range(10)]
    pairs, chips = write_data_set(folder, samples)
    settings: dict[str, object] = {"encoder": "mobilenet_v2", "steps": 3, "batch": 2, "size_px": 32}
    settings |= {"pairs": pairs, "chips": chips, "out": folder / "run", "spec": SPEC, "check_every": 2}
    return TrainConfig.model_validate(settings | changes)


def test_loss_is_small_for_the_truth_large_for_its_opposite_and_blind_to_padding() -> None:
    water, valid = torch.zeros(1, 8, 8), torch.ones(1, 8, 8)
    water[:, 2:6, 2:6] = 1
    valid[:, :, 7] = 0
    truth = 20 * (water - 0.5)
    right, wrong = loss_on_valid(truth, water, valid), loss_on_valid(-truth, water, valid)
    assert float(right) < 0.01
    assert float(wrong) > 3
    spoiled = torch.where(valid == 0, 50.0, truth)
    assert float(loss_on_valid(spoiled, water, valid)) == pytest.approx(float(right), abs=1e-6)


def test_a_run_leaves_a_checkpoint_with_weights_and_threshold_and_repeats(tmp_path: Path) -> None:
    found = []
    for name in ("one", "other"):
        checkpoint = torch.load(train(config(tmp_path / name)), weights_only=True)
        assert 0 < checkpoint["threshold"] < 1
        assert 0 <= checkpoint["validation_iou"] <= 1
        found.append(checkpoint["weights"])
    for key, value in found[0].items():
        torch.testing.assert_close(value, found[1][key], atol=1e-3, rtol=1e-3)


def test_a_run_ends_when_its_time_is_up(tmp_path: Path) -> None:
    checkpoint = torch.load(train(config(tmp_path, steps=100000, max_s=0.1)), weights_only=True)
    assert checkpoint["step"] < 100


def test_a_run_goes_on_from_a_checkpoint_and_counts_its_steps(tmp_path: Path) -> None:
    first = torch.load(train(config(tmp_path / "one")), weights_only=True)
    further = config(tmp_path / "other", start_from=tmp_path / "one" / "run" / "best.pt", learning_rate=1e-9)
    second = torch.load(train(further), weights_only=True)
    assert second["step"] > first["step"]
    name = "segmentation_head.0.weight"
    torch.testing.assert_close(second["weights"][name], first["weights"][name], atol=1e-5, rtol=0)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no checkpoint .*gone\.pt"):
        train(config(tmp_path, start_from=tmp_path / "gone.pt"))
