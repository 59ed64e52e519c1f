"""The report of masks against labels: counted by hand, a constant beside each score, and twice."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glaciolake.models.data import Float32, Sample
from glaciolake.models.errors import ModelError
from glaciolake.models.folds import Split, folds
from glaciolake.models.skill.calibration import calibrations, expected_error, near_shore, reliability

# Under their own names pytest would take them for tests.
from glaciolake.models.skill.report import Tested as Given
from glaciolake.models.skill.report import console_text, write_report
from glaciolake.models.skill.report import tested_folds as given_folds
from glaciolake.models.skill.rows import ALL, CLEAN, judge
from glaciolake.models.skill.tested import joined, together
from tests.models.drawn import archive, flags, row_of, scene, sure

ARCHIVE = archive()
WRONG = scene(row_of(2), days=24)
SUSPECTED = {(WRONG.lake, WRONG.start): "far | too small"}


def by_hand() -> Given:
    """Two good labels and a wrong one; two seeds, two constants.

    Labelled 10, 8, 2 px; seed 1 finds 10, 6, 10; seed 2 finds 9, 8, 10; the constants say 10 and 8.
    """
    samples = [scene(row_of(10)), scene(row_of(8), days=12), WRONG]
    seeds = [[sure(row_of(n)) for n in found] for found in ((10, 6, 10), (9, 8, 10))]
    constants = {"ten": [row_of(10)] * 3, "eight": [row_of(8)] * 3}
    return Given("scene", samples, seeds, constants, None, ["1 of 2", "1 of 2", "2 of 2"], spacing_m=20.0)


def of_archive(split: Split, *, seeds: int = 1) -> Given:
    """Out-of-fold predictions that are a pixel too far to the right, the more the higher the seed."""
    parts = folds(ARCHIVE, split)

    def guess(one: Sample, seed: int) -> Float32:
        return np.where(one.valid, sure(np.roll(one.water, 1 + seed, axis=1)), np.nan).astype(np.float32)

    found = [[[guess(one, seed) for one in part.test] for part in parts] for seed in range(seeds)]
    return given_folds(split, parts, found)


def row(numbers: dict[str, Any], labels: str, group: str = "all", name: str = "all") -> dict[str, Any]:
    (found,) = (
        one
        for one in numbers["splits"]["scene"]["rows"]
        if (one["group"], one["name"], one["labels"]) == (group, name, labels)
    )
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("report")
    return out, write_report([by_hand()], out, model="hand", suspected=SUSPECTED, notes=["A | note."])


def test_scores_of_seeds_mean_and_spread(written: tuple[Path, dict[str, Any]]) -> None:
    found = row(written[1], ALL)
    assert [one["iou"] for one in found["seeds"]] == pytest.approx([18 / 28, 19 / 28], abs=1e-6)
    assert found["mean"]["iou"] == pytest.approx(18.5 / 28, abs=1e-6)
    assert (found["lowest"]["iou"], found["highest"]["iou"]) == pytest.approx((18 / 28, 19 / 28), abs=1e-6)
    assert found["seeds"][0]["precision"] == pytest.approx(18 / 26, abs=1e-6)
    assert found["seeds"][0]["recall"] == pytest.approx(18 / 20, abs=1e-6)
    assert found["seeds"][0]["area_error_percent"] == pytest.approx(25)  # 0, 25, 400
    assert found["seeds"][0]["area_bias_percent"] == pytest.approx(0)  # 0, -25, 400


def test_skill_is_against_the_best_constant_of_the_same_scenes(written: tuple[Path, dict[str, Any]]) -> None:
    found = row(written[1], ALL)
    # ten: 20 of 30; eight: 18 of 26
    assert {name: one["iou"] for name, one in found["constants"].items()} == pytest.approx(
        {"ten": 20 / 30, "eight": 18 / 26}, abs=1e-6
    )
    assert found["best_constant"] == "eight"
    assert found["seeds"][0]["skill"] == pytest.approx(1 - (10 / 28) / (8 / 26), abs=1e-6)
    assert found["constants"]["ten"]["skill"] == pytest.approx(1 - (1 / 3) / (8 / 26), abs=1e-6)


def test_suspected_labels_are_left_out_in_the_second_count(written: tuple[Path, dict[str, Any]]) -> None:
    found = row(written[1], CLEAN)
    assert found["scenes"] == 2 and found["suspected"] == 1
    assert found["seeds"][0]["iou"] == pytest.approx(16 / 18, abs=1e-6)
    assert found["constants"]["ten"]["iou"] == pytest.approx(18 / 20, abs=1e-6)
    assert found["best_constant"] == "ten"
    alone = row(written[1], CLEAN, "fold", "2 of 2")
    assert alone["scenes"] == 0 and alone["mean"]["iou"] is None and alone["best_constant"] is None


def test_the_mean_probability_is_scored_as_one_network(written: tuple[Path, dict[str, Any]]) -> None:
    # Pixel 10 of the first and pixels 7 and 8 of the second scene are 0.9 and 0.1: 0.5, which is lake.
    assert together(by_hand())[0][0, 9] == pytest.approx(0.5)
    assert row(written[1], ALL)["mean_probability"]["iou"] == pytest.approx(20 / 28, abs=1e-6)


def test_every_scene_is_listed_with_its_areas(written: tuple[Path, dict[str, Any]]) -> None:
    scenes = written[1]["splits"]["scene"]["each_scene"]
    assert [one["start"] for one in scenes] == [f"2021-01-{day}T00:11:30Z" for day in ("04", "16", "28")]
    assert [one["suspected"] for one in scenes] == [None, None, "far | too small"]
    last = scenes[2]
    assert (last["found_px"], last["labelled_px"], last["constant_px"]) == (10, 2, 8)
    assert last["iou"] == pytest.approx(0.2) and last["constant_iou"] == pytest.approx(0.25)
    assert last["found_km2"] == pytest.approx(10 * 400 / 1e6)
    assert last["probability_px"] == pytest.approx(10 * 0.9 + 10 * 0.1, abs=1e-5)


def test_the_report_says_first_who_is_better_and_by_how_much(written: tuple[Path, dict[str, Any]]) -> None:
    text = (written[0] / "report.md").read_text()
    first, second, *_ = (line for line in text.splitlines() if line.startswith("* **scene**"))
    assert (
        "does not beat the best image-blind constant (eight): IoU 0.661 [0.643 to 0.679 of 2 seeds]" in first
    )
    assert "against 0.692 over 3 scenes, 10 % of the constant's error added (skill -0.10)" in first
    assert "without 1 suspected label" in second and "over 2 scenes" in second
    assert "| upper T121 2021-01-28 00:11 | 2 of 2 | 0.200 (0.250) | 0.004 (0.003) | 0.001 |" in text
    assert "| far / too small |" in text  # a bar would break the table


def test_no_table_shows_a_score_without_a_constants(written: tuple[Path, dict[str, Any]]) -> None:
    lines = (written[0] / "report.md").read_text().splitlines()
    heads = [k for k, line in enumerate(lines) if line.startswith("|") and not lines[k - 1].startswith("|")]
    scored = [k for k in heads if re.search(r"\bIoU\b|\bECE\b", lines[k])]
    assert len(scored) == 9  # summary, two of networks, four of groups, calibration, scenes
    for k in scored:
        names = [cell.strip() for cell in lines[k].split("|")]
        body = lines[k + 2 : lines.index("", k)]
        if "who" in names:
            assert sum("(best)" in line for line in body) == 1
            continue
        at = next(i for i, name in enumerate(names) if name in ("IoU", "ECE"))
        for line in body:
            assert re.fullmatch(r"-|-?[\d.]+ \(-?[\d.]+\)", line.split("|")[at].strip()), line


def test_files_are_what_the_numbers_name_and_json_holds_no_nan(written: tuple[Path, dict[str, Any]]) -> None:
    out, numbers = written

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    stored = json.loads((out / "scores.json").read_text(), parse_constant=refuse)
    assert {"kind", "files"} == set(stored) - set(numbers)
    assert {name: stored[name] for name in numbers} == json.loads(json.dumps(numbers))
    assert sorted(stored["files"]) == sorted(one.name for one in out.iterdir() if one.name != "scores.json")
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", (out / "report.md").read_text())
    assert sorted([*pictures, "report.md"]) == sorted(stored["files"])
    for name in pictures:
        assert (out / name).read_bytes().startswith(b"\x89PNG")


def test_a_second_report_is_the_same_and_replaces_the_first(tmp_path: Path) -> None:
    out = tmp_path / "new" / "report"
    write_report([by_hand()], out, model="hand", suspected=SUSPECTED)
    first = {one.name: one.read_bytes() for one in out.iterdir()}
    assert "scene-suspected.png" in first
    write_report([by_hand()], out, model="hand", suspected=SUSPECTED)
    assert first == {one.name: one.read_bytes() for one in out.iterdir()}
    write_report([by_hand()], out, model="hand", suspected={})
    assert {one.name for one in out.iterdir()} == set(first) - {"scene-suspected.png"}


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all my work")
    with pytest.raises(ModelError, match=r"no earlier report .* give a folder that is new or empty"):
        write_report([by_hand()], tmp_path, model="hand", suspected={})
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.txt"]


def test_nothing_is_written_of_what_cannot_be_scored(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        write_report([replace(by_hand(), folds=[])], tmp_path / "out", model="hand", suspected={})
    assert not (tmp_path / "out").exists()


def test_all_splits_make_one_report(tmp_path: Path) -> None:
    tested = [of_archive("random"), of_archive("lake", seeds=2), of_archive("block")]
    numbers = write_report(tested, tmp_path, model="shifted", suspected={})
    text = (tmp_path / "report.md").read_text()
    assert list(numbers["splits"]) == ["random", "lake", "block"]
    assert "**This score leaks:**" in text
    assert re.search(
        r"IoU of 3 lakes.*all labels mean 0\.\d+ \(constant 0\.000\), lowest 0\.\d+ \(\w+, ", text
    )
    assert "no training label tells of these pixels" in text
    folds_ = [one["name"] for one in numbers["splits"]["block"]["rows"] if one["group"] == "fold"]
    assert folds_[::2] == ["upper left", "upper right", "lower left", "lower right"]


def test_constants_are_drawn_from_the_training_part_of_each_fold() -> None:
    parts = folds(ARCHIVE, "scene")
    given = [[[sure(one.water) for one in part.test] for part in parts]]
    turned = [replace(part, test=[replace(one, water=~one.water) for one in part.test]) for part in parts]
    known, blind = given_folds("scene", parts, given), given_folds("scene", turned, given)
    for name, masks in known.constants.items():
        assert all(mask.any() for mask in masks)
        for mask, again in zip(masks, blind.constants[name], strict=True):
            np.testing.assert_array_equal(mask, again)


def test_constants_of_block_know_nothing_of_the_tested_quarter() -> None:
    tested = of_archive("block")
    assert tested.where is not None and len(tested.samples) == 4 * len(ARCHIVE)
    for masks in tested.constants.values():
        assert not any((mask & where).any() for mask, where in zip(masks, tested.where, strict=True))


def test_quarters_of_a_scene_are_one_scene() -> None:
    tested = of_archive("block")
    whole = joined(tested)
    assert [id(one) for one in whole.samples] == [id(one) for one in ARCHIVE]
    count = sum(where.astype(int) for where in (tested.where or [])[:: len(ARCHIVE)])
    assert whole.where is not None
    np.testing.assert_array_equal(whole.where[0], count == 1)
    for k, part in enumerate(tested.where or []):
        i = k % len(ARCHIVE)
        np.testing.assert_array_equal(whole.probabilities[0][i][part], tested.probabilities[0][k][part])
    found = judge(tested, {}).row()
    assert found.n == len(ARCHIVE)


def test_where_no_lake_is_labelled_nothing_is_scored() -> None:
    one = by_hand()
    dry = replace(one, samples=[replace(each, water=row_of(0)) for each in one.samples])
    judged = judge(dry, {})
    assert math.isnan(judged.row().mean.iou) and math.isnan(judged.row().skill)
    assert all(math.isnan(each.iou) for each in judged.scenes)
    assert "there is nothing to score" in console_text([dry])


def test_what_a_network_has_not_seen_is_land() -> None:
    one = by_hand()
    for frame in (one.probabilities[0][0], one.probabilities[1][0]):
        frame[0, :4] = np.nan
    judged = judge(one, {})
    assert judged.scenes[0].iou == pytest.approx(6 / 10) and judged.scenes[0].unseen_px == 4
    assert np.isnan(together(one)[0][0, :4]).all()
    one.probabilities[1][0][0, :4] = 0.8  # one seed has seen it
    np.testing.assert_allclose(together(one)[0][0, :4], 0.8)


def test_a_constant_that_is_the_answer_is_reported(tmp_path: Path) -> None:
    one = by_hand()
    peeked = replace(one, constants={"peeked": [each.water for each in one.samples]})
    write_report([peeked], tmp_path, model="hand", suspected={})
    assert "the constant 'peeked' equals every label" in (tmp_path / "report.md").read_text()


def test_pixels_fall_into_fifteen_ranges() -> None:
    probability = np.array([0.0, 0.05, 0.07, 0.5, 0.999, 1.0, np.nan], np.float32)
    bins = reliability(probability, np.array([0, 1, 0, 1, 1, 0, 1], np.float32))
    assert [one.n for one in bins] == [2, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2]
    assert bins[0].low == 0 and bins[0].high == pytest.approx(1 / 15)
    assert bins[0].probability == pytest.approx(0.025) and bins[0].water == 0.5
    assert math.isnan(bins[2].probability) and math.isnan(bins[2].water)
    # 2 x |0.025 - 0.5| + |0.07 - 0| + |0.5 - 1| + 2 x |0.9995 - 0.5|, of 6
    assert expected_error(bins) == pytest.approx((0.95 + 0.07 + 0.5 + 0.999) / 6)
    assert math.isnan(expected_error(reliability(np.empty(0, np.float32), np.empty(0, np.float32))))


def test_probabilities_that_mean_what_they_say_have_no_error() -> None:
    water = np.repeat([1, 0], [70, 30]).astype(np.float32)
    assert expected_error(reliability(np.full(100, 0.7, np.float32), water)) == pytest.approx(0, abs=1e-6)
    assert expected_error(reliability(np.full(100, 0.9, np.float32), water)) == pytest.approx(0.2)


def test_near_a_shore_is_five_pixels_on_both_sides() -> None:
    one = scene(row_of(10))
    np.testing.assert_array_equal(near_shore(one), flags(".....##########....."))
    one.power[0, 12] = np.nan
    np.testing.assert_array_equal(near_shore(one), flags(".....#######.##....."))
    assert not near_shore(scene(row_of(0))).any() and not near_shore(scene(row_of(20))).any()


def test_a_shore_at_the_end_of_the_data_is_none() -> None:
    one = scene(row_of(10))
    one.power[0, 10:] = np.nan
    assert not near_shore(one).any()


def test_calibration_is_of_all_pixels_and_of_those_near_a_shore() -> None:
    one = by_hand()
    everywhere, shore = calibrations(one, one.probabilities[0], one.constants["ten"], [0])
    assert (everywhere.n, shore.n) == (20, 10)
    assert everywhere.error == pytest.approx(0.1) and shore.error == pytest.approx(0.1)
    # seed 2 misses a pixel: of 11 at 0.1 one is lake, 9 are at 0.9
    assert everywhere.seeds[1] == pytest.approx((11 * abs(0.1 - 1 / 11) + 9 * 0.1) / 20)
    assert everywhere.constant == 0


def test_the_console_shows_the_main_rows_in_few_lines() -> None:
    text = console_text([by_hand()], SUSPECTED)
    lines = text.splitlines()
    assert len(lines) <= 25 and max(map(len, lines)) <= 130
    assert re.search(r"scene +all +3 +0\.661 \(0\.692\) +-0\.10", text)
    assert re.search(r"scene +without suspected +2 +0\.9\d\d \(0\.900\)", text)
    assert "does not beat the best constant (eight)" in text
    many = [of_archive(split) for split in ("random", "scene", "forward", "lake", "block")]
    lines = console_text([*many, replace(by_hand(), split="pairs")]).splitlines()
    assert len(lines) <= 25
    assert sum(line.startswith(("random:", "pairs:", "lake:")) for line in lines) == 3
    lakes = [replace(one, lake=f"lake-{k}") for k, one in enumerate(ARCHIVE)]
    parts = folds(lakes, "scene")
    wide = given_folds("scene", parts, [[[sure(one.water) for one in part.test] for part in parts]])
    assert len(console_text([wide]).splitlines()) == 25


Change = Callable[[Given], Given]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: replace(one, split="file"), "unknown split 'file'; take one of random"),
        (lambda one: replace(one, samples=[]), "tested no scene"),
        (lambda one: replace(one, probabilities=[]), "has no prediction"),
        (lambda one: replace(one, constants={}), "no image-blind constant"),
        (lambda one: replace(one, threshold=1.5), "threshold 1.5; give one between 0 and 1"),
        (lambda one: replace(one, spacing_m=-20.0), "pixels of -20.0 m"),
        (lambda one: replace(one, folds=["1"]), "folds of 1 scenes, but tested 3"),
        (
            lambda one: replace(one, probabilities=[one.probabilities[0], one.probabilities[1][:2]]),
            "seed 2 has 2 frames for 3 scenes",
        ),
        (
            lambda one: replace(one, constants={"ten": [row_of(10, 19)] * 3}),
            r"'ten' has \(1, 19\) pixels for upper 2021-01-04T00:11:30, which has \(1, 20\)",
        ),
        (lambda one: replace(one, where=[row_of(10)]), "where has 1 frames for 3 scenes"),
        (
            lambda one: replace(one, probabilities=[[frame + 0.5 for frame in one.probabilities[0]]]),
            "seed 1 says 1.4 at a pixel of upper",
        ),
        (
            lambda one: replace(one, samples=[one.samples[0], one.samples[0], one.samples[2]]),
            "tests 20 pixels of upper 2021-01-04T00:11:30 twice",
        ),
    ],
)
def test_what_cannot_be_scored_is_said(change: Change, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        console_text([change(by_hand())])


def test_nothing_or_the_same_twice_is_refused() -> None:
    with pytest.raises(ModelError, match="nothing was tested"):
        console_text([])
    with pytest.raises(ModelError, match="split 'scene' is given 2 times"):
        console_text([by_hand(), by_hand()])
    with pytest.raises(ModelError, match="has 5 folds, but seed 1 gave 0"):
        given_folds("scene", folds(ARCHIVE, "scene"), [[]])
    with pytest.raises(ModelError, match="split 'scene' has no fold"):
        given_folds("scene", [], [[]])
