"""The paper's recipe: its numbers, its augmentation, and a run that stops, goes on and can be scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from glaciolake.models.errors import ModelError
from glaciolake.models.loss import LossWeights, loss_on_valid
from glaciolake.models.network import segmentation_models
from glaciolake.models.pairs_evaluation import judge_model
from glaciolake.models.paper.augment import Copies, Picture, bend, vary
from glaciolake.models.paper.encoder import give_weights
from glaciolake.models.paper.recipe import PaperPlan, PaperRecipe
from glaciolake.models.paper.train import train_paper
from glaciolake.models.predict import water_probabilities
from glaciolake.models.track.train import Say
from glaciolake.models.weights import read_spec, resolve
from tests.models.scenes import sample, write_data_set

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'glaciolake[torch]'")
pytestmark = pytest.mark.usefixtures("one_thread")

SHORT = PaperRecipe(
    encoder="mobilenet_v2", epochs=2, batch=2, copies=1, validation_share=0.34, learning_rate=1e-3
)
STEPS = 2


def weights_of(path: Path) -> dict[str, NDArray[np.float32]]:
    """Weights of a network by name; the rest of a file may tell what its process exported before."""
    graph = onnx.load(path).graph
    return {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}


class Stop(Exception):
    """Somebody pulls the plug."""


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_set(tmp_path_factory.mktemp("data"), [sample(cycle=cycle) for cycle in range(3)])[0]


@pytest.fixture(scope="module")
def made(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_paper(plan_of(pairs, tmp_path_factory.mktemp("whole")))


def plan_of(pairs: Path, out: Path, recipe: PaperRecipe = SHORT) -> PaperPlan:
    return PaperPlan(pairs=pairs, out=out, name="tried", recipe=recipe)


def drawn() -> Picture:
    """A dark lake in bright land, 200 of 256 px wide, padded with 0."""
    grey, water = np.zeros((256, 256), np.uint8), np.zeros((256, 256), np.uint8)
    grey[28:228, 28:228] = 200
    water[100:150, 90:180] = 1
    grey[water > 0] = 20
    return Picture(grey, water)


def test_the_recipe_is_the_papers() -> None:
    recipe = PaperRecipe()
    assert (recipe.encoder, recipe.batch, recipe.epochs, recipe.copies) == ("efficientnet-b3", 32, 40, 20)
    assert (recipe.learning_rate, recipe.weight_decay) == (1e-4, 1e-5)
    assert (recipe.loss.bce, recipe.loss.dice, recipe.loss.focal) == (0.4, 0.3, 0.3)
    assert (recipe.encoder_weights, recipe.validation_share) == (None, 0.2)


def test_each_loss_can_be_taken_alone_and_they_add_up() -> None:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 8, 8, generator=random)
    water = (torch.rand(2, 8, 8, generator=random) > 0.7).float()
    every = torch.ones_like(water)
    parts = {
        name: float(
            loss_on_valid(
                logits, water, every, LossWeights(**({"bce": 0, "dice": 0, "focal": 0} | {name: 1}))
            )
        )
        for name in ("bce", "dice", "focal")
    }
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, water)
    assert parts["bce"] == pytest.approx(float(entropy), rel=1e-5)
    whole = float(loss_on_valid(logits, water, every))
    assert whole == pytest.approx(0.4 * parts["bce"] + 0.3 * parts["dice"] + 0.3 * parts["focal"], rel=1e-5)


def test_variations_move_label_and_picture_together_and_keep_padding_empty() -> None:
    picture, random = drawn(), np.random.default_rng(1)
    kinds = set()
    for _ in range(40):
        grey, water = vary(picture, random)
        assert grey.shape == water.shape == (256, 256)
        assert grey.dtype == water.dtype == np.uint8
        assert (grey[water > 0] < 100).all() and (grey[water > 0] > 0).all()
        dark = (grey > 0) & (grey < 100)
        assert (dark & (water > 0)).sum() == dark.sum(), "what is dark is still the lake"
        assert abs(int(water.sum()) - int(picture.water.sum())) < 0.2 * picture.water.sum()
        assert (grey == 0).mean() == pytest.approx((picture.grey == 0).mean(), abs=0.05)
        kinds.add(grey.tobytes())
    assert len(kinds) > 30


def test_bending_moves_pixels_by_the_stated_distance() -> None:
    rows = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 256, axis=1)
    bent, _ = bend(Picture(rows, rows), np.random.default_rng(0))
    moved = bent[40:-40, 40:-40].astype(float) - rows[40:-40, 40:-40]
    assert 1.5 < np.sqrt((moved**2).mean()) < 4.5


def test_the_first_copy_is_the_picture_and_the_others_do_not_depend_on_what_was_asked_before() -> None:
    one, other = Copies([drawn()] * 2, 3, seed=5), Copies([drawn()] * 2, 3, seed=5)
    assert len(one) == 6
    assert one[0] is one.pictures[0] and one[3] is one.pictures[1]
    backwards = {index: other[index] for index in reversed(range(6))}
    for index in range(6):
        np.testing.assert_array_equal(one[index].grey, backwards[index].grey)
    assert (one[1].grey != one[4].grey).any()


def test_a_run_leaves_tables_and_a_network_that_is_scored_on_the_published_pictures(
    pairs: Path, made: Path
) -> None:
    epochs = (made.parent / "epochs.csv").read_text().splitlines()
    assert epochs[0] == "epoch,loss,validation_loss,validation_iou,learning_rate"
    assert [line.split(",")[0] for line in epochs[1:]] == ["1", "2"]
    assert (made.parent / "steps.csv").read_text().splitlines()[-1].startswith(f"{STEPS},")
    facts = json.loads(made.with_suffix(".json").read_text())
    assert facts["labels"] == {"train": 2, "validation": 1}
    assert facts["training"]["loss"]["focal"] == 0.3
    assert str(made.parent) not in json.dumps(facts) and str(pairs) not in json.dumps(facts)

    ref = resolve(str(made), engine="onnxruntime")
    assert read_spec(ref).normalisation == "paper"
    verdict = judge_model(pairs, ref)
    assert "**The network learned from 3 of these 3 scenes: no test of it.**" in verdict.notes
    assert len(verdict.tested.constants) >= 2
    found = verdict.tested.probabilities[0]
    assert all(
        one.shape == known.water.shape for one, known in zip(found, verdict.tested.samples, strict=True)
    )
    brighter = np.linspace(0.1, 0.9, 256 * 256, dtype=np.float32).reshape(1, 256, 256)
    ours, torch_own = (
        water_probabilities([brighter], ref._replace(engine=one))[0] for one in ("onnxruntime", "torch")
    )
    np.testing.assert_allclose(ours, torch_own, atol=2e-3)
    darker = (brighter / 2).astype(np.float32)
    np.testing.assert_allclose(ours, water_probabilities([darker], ref)[0], atol=1e-3)


def test_a_stopped_run_goes_on_to_the_same_network(pairs: Path, made: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def begin(name: str) -> Say:
        def say(step: int, steps: int, loss: float) -> None:
            assert (name, steps) == ("tried", STEPS)
            seen.append(step)
            if len(seen) == 2:
                raise Stop

        return say

    torch.set_num_threads(1)  # a network that was scored meanwhile may have set it; sums depend on it
    with pytest.raises(Stop):
        train_paper(plan_of(pairs, tmp_path), begin)
    again = weights_of(train_paper(plan_of(pairs, tmp_path), begin))
    for name, values in weights_of(made).items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)
    assert seen == [1, 2, 2], "the first epoch is not done again"

    other = SHORT.model_copy(update={"encoder": "resnet18"})
    with pytest.raises(ModelError, match=r"checkpoint\.pt was trained with another recipe.*another folder"):
        train_paper(plan_of(pairs, tmp_path, other))
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(ModelError, match="is no checkpoint that torch can read"):
        train_paper(plan_of(pairs, tmp_path))


def test_what_cannot_be_had_is_named(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(match: str, **changes: object) -> None:
        with pytest.raises(ModelError, match=match):
            train_paper(plan_of(pairs, tmp_path, SHORT.model_copy(update=changes)))

    refused("a GPU is asked for, but torch .* sees none here", device="cuda")
    refused("no encoder 'efficientnet-b99'", encoder="efficientnet-b99")
    refused(r"no file gone\.pt of encoder_weights", encoder_weights="gone.pt")
    refused("no weights 'moonnet' of 'mobilenet_v2'", encoder_weights="moonnet")
    (tmp_path / "text.pt").write_text("no weights")
    refused("is no state dict that torch can read", encoder_weights=str(tmp_path / "text.pt"))
    torch.save({"features.0.0.weight": torch.zeros(8, 3, 3, 3)}, tmp_path / "other.pt")
    refused("weights of another architecture", encoder_weights=str(tmp_path / "other.pt"))
    with pytest.raises(ModelError, match=r"no labelled image \*\.tif"):
        train_paper(plan_of(tmp_path, tmp_path))

    def unreachable(*words: object, **named: object) -> None:
        raise OSError("no route to the hub")

    monkeypatch.setattr(segmentation_models().encoders, "get_encoder", unreachable)
    refused(r"cannot be fetched \(OSError: no route to the hub\).*fresh weights", encoder_weights="imagenet")


def test_pretrained_weights_from_a_file_are_taken_and_three_colours_become_one(tmp_path: Path) -> None:
    smp = segmentation_models()
    known = smp.encoders.get_encoder("mobilenet_v2", in_channels=3, weights=None).state_dict()
    torch.save(known, tmp_path / "encoder.pt")
    network = smp.Unet("mobilenet_v2", encoder_weights=None, in_channels=1, classes=1)
    give_weights(network, "mobilenet_v2", str(tmp_path / "encoder.pt"))
    own = network.encoder.state_dict()
    torch.testing.assert_close(own["features.0.0.weight"], known["features.0.0.weight"].sum(1, keepdim=True))
    torch.testing.assert_close(own["features.5.conv.0.0.weight"], known["features.5.conv.0.0.weight"])
