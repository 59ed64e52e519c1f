"""A checkpoint becomes a file, its facts and its card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glaciolake.models.card import write_card
from glaciolake.models.predict import water_probability
from glaciolake.models.weights import WEIGHTS, digest, read_spec, resolve, shipped
from tests.models.test_train import config

pytest.importorskip("torch")
SINGLE = [name for name in shipped() if not read_spec(resolve(name)).record]
"""Networks of single images; those of records have cards of their own, see `test_track_release`."""


def test_a_release_is_a_file_that_predicts_with_the_scores_of_that_file(tmp_path: Path) -> None:
    from glaciolake.models.release import release
    from glaciolake.models.train import train

    run = config(tmp_path)
    train(run)
    facts = release(run, tmp_path)
    path = tmp_path / f"{run.spec.name}.onnx"
    assert facts["sha256"] == digest(path)
    assert json.loads(path.with_suffix(".json").read_text()) == facts
    assert read_spec(resolve(str(path))).threshold == facts["spec"]["threshold"]
    assert {name: len(days) for name, days in facts["split"].items()} == facts["scenes"]
    assert facts["scores"][0]["n"] == facts["scenes"]["test"]
    card = path.with_suffix(".md").read_text()
    assert f"{facts['scores'][0]['network']['iou']:.3f}" in card
    assert facts["sha256"] in card
    assert str(tmp_path) not in card + json.dumps(facts)


def test_the_card_of_every_shipped_network_is_made_of_its_facts(tmp_path: Path) -> None:
    for name in SINGLE:
        facts = json.loads((WEIGHTS / f"{name}.json").read_text())
        write_card(facts, tmp_path / "card.md")
        assert (WEIGHTS / f"{name}.md").read_text() == (tmp_path / "card.md").read_text()


def test_the_shipped_scores_are_those_of_the_shipped_file(shared_data: Path) -> None:
    from glaciolake.models.data import drop_wrong_labels, read_samples, split
    from glaciolake.models.evaluate import images_of, score

    for name in SINGLE:
        facts = json.loads((WEIGHTS / f"{name}.json").read_text())
        ref = resolve(name)
        spec = read_spec(ref)
        samples = read_samples(shared_data / "himalaya_pairs", shared_data / "himalaya_hyp3_rtc20")
        test = split(drop_wrong_labels(samples)[0], seed=facts["training"]["seed"])["test"]
        found = [water_probability(images_of(one, spec), ref)[0] >= spec.threshold for one in test]
        assert score(test, found).iou == pytest.approx(facts["scores"][0]["network"]["iou"], abs=0.002)
