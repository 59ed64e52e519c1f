"""From labelled pairs to a scored network on the command line: train, evaluate, and what either refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from glaciolake.models.track import recipe
from glaciolake.pipeline.__main__ import app, main
from tests.models.scenes import sample, write_data_set

pytestmark = pytest.mark.usefixtures("one_thread")

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'glaciolake[torch]'")

RECIPE = "recipe: {steps: 2, batch: 2, size_px: 32, width: 4}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run")
    pairs, chips = write_data_set(made, [sample(cycle=cycle, right_px=cycle % 3) for cycle in range(10)])
    (made / "run.yaml").write_text(f"pairs: {pairs}\nraw: {chips}\nmembers: 1\n{RECIPE}")
    return made


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> str:
    monkeypatch.setattr(sys, "argv", ["glaciolake", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code in (1, 2)
    return " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_network_is_trained_and_scored_on_folders_of_pairs(folder: Path) -> None:
    done = invoke("train", folder / "run.yaml", "--out", folder / "out", "--name", "mine", "--steps", 3)
    assert done.exit_code == 0, done.output
    network = folder / "out" / "mine.onnx"
    assert f"Network: {network}" in done.output and network.is_file()
    assert json.loads(network.with_suffix(".json").read_text())["training"]["steps"] == 3

    report = folder / "report"
    words = ("--pairs", folder / "pairs", "--raw", folder / "chips", "--model", network, "--out", report)
    scored = invoke("evaluate", *words)
    assert scored.exit_code == 0, scored.output
    assert "The network learned from 10 of these 10 scenes: no test of it." in scored.output
    numbers = json.loads((report / "scores.json").read_text())
    row = next(one for one in numbers["splits"]["pairs"]["rows"] if one["group"] == "all")
    assert set(row["constants"]) == {"constant per lake and track", "constant per lake, track and season"}
    assert (report / "report.md").is_file() and (report / "iou.png").is_file()


def test_the_papers_recipe_is_behind_the_same_command(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe_of = (
        "recipe: {encoder: mobilenet_v2, batch: 2, copies: 1, validation_share: 0.8, precision: bfloat16}\n"
    )
    (tmp_path / "paper.yaml").write_text(f"preset: paper\npairs: {folder / 'pairs'}\n{recipe_of}")
    words = ("train", tmp_path / "paper.yaml", "--out", tmp_path / "out", "--epochs", 1)
    done = invoke(*words, "--device", "cpu", "--seed", 7)
    assert done.exit_code == 0, done.output
    network = tmp_path / "out" / "paper.onnx"
    assert f"Network: {network}" in done.output and network.is_file()
    training = json.loads(network.with_suffix(".json").read_text())["training"]
    assert (training["epochs"], training["seed"], training["batch"]) == (1, 7, 2)

    said = refused(monkeypatch, capsys, *words, "--steps", 3)
    assert "no training run of preset 'paper': recipe.steps: Extra inputs are not permitted" in said
    assert "no preset 'papers'" in refused(monkeypatch, capsys, *words, "--preset", "papers")
    if not torch.cuda.is_available():
        assert "a GPU is asked for" in refused(monkeypatch, capsys, *words, "--device", "cuda")
    (tmp_path / "odd.yaml").write_text("preset: paper\nrecipe: 3\n")
    assert "recipe in" in refused(monkeypatch, capsys, "train", tmp_path / "odd.yaml", "--epochs", 1)


def test_splits_are_trained_out_of_fold_and_kept_beside_the_report(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = recipe.TrackRecipe(steps=2, batch=2, size_px=32, width=4)
    monkeypatch.setattr(recipe, "TrackRecipe", lambda **given: brief.model_copy(update=given))
    words = ("evaluate", "--pairs", folder / "pairs", "--raw", folder / "chips", "--out", folder / "splits")
    done = invoke(*words, "--split", "scene", "--seeds", 2, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["splits"]["scene"]["seeds"] == 2
    assert len(list((folder / "splits-folds").glob("scene-*.npz"))) == 10
    assert (folder / "splits" / "report.md").read_text().count("best image-blind constant") > 0


def test_what_is_no_run_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(monkeypatch, capsys, "train", "--pairs", folder / "pairs")
    assert "the options are no training run" in said and "raw: Field required" in said
    said = refused(monkeypatch, capsys, "train", tmp_path / "none.yaml")
    assert "cannot read" in said and "none.yaml" in said
    (tmp_path / "list.yaml").write_text("- 1\n")
    assert "holds no settings" in refused(monkeypatch, capsys, "train", tmp_path / "list.yaml")
    words = ("--raw", folder / "chips", "--out", tmp_path / "out")
    said = refused(monkeypatch, capsys, "train", "--pairs", tmp_path, *words)
    assert "no labelled image *.tif" in said
    said = refused(monkeypatch, capsys, "train", "--pairs", folder / "pairs", *words, "--members", 0)
    assert "members: Input should be greater than or equal to 1" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--split", "moon"), "unknown split 'moon'; take one of random, scene, forward, lake, block"),
        (("--split", "scene", "--model", "x.onnx"), "give it without --model"),
        (("--model", "lake-unet-b9"), "lake-unet-b9"),
        (("--truth", "archive"), "give --truth"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    folder: Path,
    words: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pairs = ("--pairs", folder / "pairs", "--raw", folder / "chips")
    assert said in refused(monkeypatch, capsys, "evaluate", *pairs, *words)
