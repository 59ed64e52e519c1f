"""A run becomes a file with its facts, card and STAC item, and none says more than was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pystac
import pytest

from glaciolake.models.area_interval import interval_factor
from glaciolake.models.errors import ModelError
from glaciolake.models.mlm import model_item
from glaciolake.models.skill.scores import SEASONAL, skill
from glaciolake.models.track.card import PER_PASS, card_text
from glaciolake.models.track.model import learned_from, read_atlas
from glaciolake.models.track.release import add_intervals, release
from glaciolake.models.weights import WEIGHTS, digest, read_spec, resolve, shipped

TRACKS = [name for name in shipped() if read_spec(resolve(name)).record]


def facts_of(name: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((WEIGHTS / f"{name}.json").read_text())
    return facts


def row(labels: str, iou: float) -> dict[str, Any]:
    scored = {"iou": iou, "skill": 0.1, "area_error_percent": 2.345, "anomaly_correlation": None}
    return {
        "group": "all",
        "name": "all",
        "labels": labels,
        "scenes": 49,
        "mean": scored,
        "lowest": scored,
        "highest": scored,
        "constants": {PER_PASS: {"iou": 0.9}, SEASONAL: {"iou": 0.92}},
        "best_constant": SEASONAL,
    }


def scores(folder: Path) -> Path:
    rows = [row("all labels", 0.91234), row("without suspected labels", 0.94)]
    error = {name: [{"pixels": "all pixels", "error": 0.0123}] for name in (one["labels"] for one in rows)}
    split = {"seeds": 1, "rows": rows, "calibration": error}
    path = folder / "scores.json"
    path.write_text(json.dumps({"splits": {"scene": split}, "notes": ["Painted events: none."]}))
    return path


def with_intervals(folder: Path) -> Path:
    own, blind = (
        {"coverage": share, "width_percent": width, "score_percent": 20.0}
        for share, width in ((0.9, 14.0), (0.88, 25.0))
    )
    row = {"labels": "without suspected labels", "n": 41, "own": own, "blind": blind}
    every = [row | {"way": "all", "scenes": "all"}, row | {"way": "lake", "scenes": "upper"}]
    every += [
        row | {"way": "year", "scenes": years, "n": n} for years, n in (("2023", 9), ("2023 to 2025", 41))
    ]
    split = {"interval_factor": 1.5, "interval_scenes": 150, "intervals": every}
    path = folder / "with.json"
    path.write_text(json.dumps({"splits": {"forward": split}}))
    return path


def test_a_release_says_what_was_measured_beside_both_constants(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is an extra: pip install 'glaciolake[torch]'")
    from glaciolake.models.track.plan import TrackPlan, train_plan
    from glaciolake.models.track.recipe import TrackRecipe
    from tests.models.scenes import sample, write_data_set

    pairs, chips = write_data_set(tmp_path, [sample(cycle=cycle) for cycle in range(6)])
    recipe = TrackRecipe(steps=1, batch=1, size_px=32, width=4)
    run = train_plan(
        TrackPlan(pairs=pairs, raw=chips, out=tmp_path / "run", name="tried", members=1, recipe=recipe)
    )
    folder = tmp_path / "weights"
    folder.mkdir()
    facts = release(run, scores(tmp_path), folder)
    path = folder / "tried.onnx"
    assert digest(path) == facts["sha256"] and json.loads(path.with_suffix(".json").read_text()) == facts
    card = path.with_suffix(".md").read_text()
    assert "| scene | all | 49 | 0.912 (0.900, 0.920) | 0.12 / -0.10 | 2.3 % | - | 0.012 |" in card
    assert "| scene | clean | 49 | 0.940 (0.900, 0.920) | 0.40 / 0.25 | 2.3 % | - | 0.012 |" in card
    assert "* Painted events: none." in card and facts["sha256"] in card
    assert "area_interval" not in facts and "## Intervals" not in card
    item = pystac.Item.from_file(str(folder / "tried.stac.json"))
    assert item.assets["model"].extra_fields["file:checksum"] == "1220" + facts["sha256"]
    assert item.bbox is not None and item.bbox[0] < item.bbox[2] and item.bbox[1] < item.bbox[3]
    assert str(tmp_path) not in card + json.dumps(facts) + (folder / "tried.stac.json").read_text()

    sure = add_intervals(path, with_intervals(tmp_path))
    assert sure["area_interval"]["factor"] == 1.5 and interval_factor(resolve(str(path))) == 1.5
    card = " ".join(path.with_suffix(".md").read_text().split())
    assert "plus and minus 1.50 times the sum of p(1 - p) over" in card and "over 150 scenes" in card
    assert "clean labels of 2023 to 2025: 90 % of 41 held, median width 14.0 % (the season's const" in card
    with pytest.raises(ModelError, match="holds no intervals of the split forward"):
        add_intervals(path, scores(tmp_path))

    run.write_bytes(run.read_bytes() + b" ")
    with pytest.raises(ModelError, match="train it again"):
        release(run, scores(tmp_path), folder)


@pytest.mark.parametrize("name", TRACKS)
def test_a_shipped_card_is_made_of_its_facts_and_its_file_knows_what_it_learned_from(name: str) -> None:
    facts, ref = facts_of(name), resolve(name)
    assert card_text(facts) == (WEIGHTS / f"{name}.md").read_text()
    left_out = facts["labels"]["left_out"]
    assert len(learned_from(ref)) == facts["labels"]["pairs"] - len(left_out)
    known = {f"{lake} {start:%Y-%m-%d}" for lake, start in learned_from(ref)}
    assert not known & set(left_out)
    assert {lake for lake, _ in read_atlas(ref)} == set(facts["lakes"])
    for one in facts["scores"]:
        if one["scenes"] == "all" and one["split"] != "lake":
            best = max(one["constants"].values())
            assert one["skill"] == pytest.approx(skill(one["iou"], best), abs=2e-3)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_network_has_a_stac_item_of_its_facts(name: str) -> None:
    path = WEIGHTS / f"{name}.stac.json"
    item = json.loads(path.read_text())
    assert item == model_item(WEIGHTS / f"{name}.onnx", facts_of(name), bounds=tuple(item["bbox"]))
    read = pystac.Item.from_dict(item)
    assert read.properties["mlm:name"] == name
    assert (WEIGHTS / read.assets["model"].href).is_file() and (WEIGHTS / read.assets["card"].href).is_file()
    (given,) = read.properties["mlm:input"]
    assert len(given["input"]["shape"]) == len(given["input"]["dim_order"]) == 4
