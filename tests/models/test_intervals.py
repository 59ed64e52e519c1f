"""Intervals of areas: the quantile by hand, coverage where it is promised, and nothing known of the test."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glaciolake.models.data import Float32, Sample, read_samples
from glaciolake.models.errors import ModelError
from glaciolake.models.folds import SPLITS, Fold, Split, calibrating, folds, inner_folds, leaks
from glaciolake.models.skill.coverage import held
from glaciolake.models.skill.interval_figure import intervals_figure
from glaciolake.models.skill.intervals import (
    Interval,
    Intervals,
    bounds,
    conformal_quantile,
    interval_folds,
    score_of,
    unsure_px,
)
from glaciolake.models.skill.report import Tested as Given
from glaciolake.models.skill.report import tested_folds as given_folds
from glaciolake.models.skill.report import write_report
from glaciolake.models.skill.rows import ALL, CLEAN, judge
from tests.models.drawn import archive, flags, row_of, scene, sure

ARCHIVE = archive()
PARTED: tuple[Split, ...] = ("random", "scene", "forward", "lake")


def test_the_quantile_counts_the_scene_to_come() -> None:
    assert conformal_quantile([5, 1, 4, 2, 3], level=0.5) == 3  # ceil(6 * 0.5) = the third
    assert conformal_quantile(list(range(1, 10)), level=0.9) == 9  # ceil(10 * 0.9) = the ninth of nine
    assert math.isinf(conformal_quantile(list(range(1, 9)), level=0.9))  # eight cannot promise nine in ten
    assert math.isinf(conformal_quantile([], level=0.9))


@pytest.mark.parametrize("n", [12, 40])
def test_coverage_is_at_least_what_is_promised_and_at_most_a_scene_more(n: int) -> None:
    random = np.random.default_rng(1)
    scores = random.gamma(0.7, size=(4000, n + 1))  # any shape of errors will do
    inside = [last <= conformal_quantile(known) for *known, last in scores]
    promised = math.ceil((n + 1) * 0.9) / (n + 1)
    assert abs(np.mean(inside) - promised) < 0.015
    assert 0.9 <= promised <= 0.9 + 1 / (n + 1)


def test_scores_and_bounds_agree_on_what_is_inside() -> None:
    assert score_of(100, 10, 85) == 1.5
    assert bounds(100, 10, 1.5) == (85, 115)
    assert bounds(10, 10, 1.5) == (0, 25)
    assert bounds(100, 0, 2) == (100, 100) and math.isinf(bounds(100, 0, math.inf)[1])
    assert score_of(100, 0, 100) == 0 and math.isinf(score_of(100, 0, 101))


def test_the_unsure_area_is_counted_around_the_lake_or_everywhere_where_there_is_none() -> None:
    probability = np.array([[0.5, np.nan, 1, 0.5, 0, 0, 0.5, 0.5]], np.float32)
    lake = flags("..#.....")
    assert unsure_px(probability, lake) == pytest.approx(3 * 0.25)  # the last lies five pixels off
    assert unsure_px(probability, ~lake & lake) == pytest.approx(4 * 0.25)


@pytest.mark.parametrize("split", PARTED)
def test_no_inner_fold_leaks_and_each_calibrates_what_it_has_not_learned_from(split: Split) -> None:
    parts = folds(ARCHIVE, split)
    inner = inner_folds(parts, split)
    assert [leaks(one, split) for one in inner] == [[]] * len(inner)
    for part in parts:
        chosen = calibrating(part, inner, split)
        scenes = [inner[number].test[i] for number, at in chosen for i in at]
        assert len(scenes) == len({*map(id, scenes)}) and scenes
        learned = [one for number, _ in chosen for one in inner[number].train]
        assert not {*map(id, part.test)} & {*map(id, scenes), *map(id, learned)}


def test_what_calibrates_is_the_whole_training_part_or_all_years_that_have_older_ones() -> None:
    part = folds(ARCHIVE, "scene")[0]
    inner = inner_folds(folds(ARCHIVE, "scene"), "scene")
    scenes = {id(inner[n].test[i]) for n, at in calibrating(part, inner, "scene") for i in at}
    assert scenes == {*map(id, part.train)} and len(inner) == 10
    (last,) = folds(ARCHIVE, "forward")
    years = inner_folds([last], "forward")
    assert [one.name for one in years] == ["2022"]
    assert {one.start.year for one in years[0].train} == {2021}
    assert inner_folds(folds(ARCHIVE, "block"), "block") == []


@pytest.mark.parametrize("split", PARTED)
def test_a_tested_scene_that_calibrates_or_taught_who_calibrates_is_refused(split: Split) -> None:
    parts = folds(ARCHIVE, split)
    part, inner = parts[0], inner_folds(parts, split)
    number = calibrating(part, inner, split)[0][0]
    planted = list(inner)
    planted[number] = replace(inner[number], train=[*inner[number].train, part.test[0]])
    with pytest.raises(ModelError, match=f"split '{split}', what calibrates fold '{part.name}' leaks: "):
        calibrating(part, planted, split)


def test_another_lake_of_a_tested_acquisition_must_not_calibrate_scene() -> None:
    parts = folds(ARCHIVE, "scene")
    part, inner = parts[0], inner_folds(parts, "scene")
    number = calibrating(part, inner, "scene")[0][0]
    neighbour = replace(part.test[0], lake="elsewhere")
    planted = list(inner)
    planted[number] = replace(inner[number], test=[*inner[number].test, neighbour])
    with pytest.raises(ModelError, match=r"leaks: .*is on both sides"):
        calibrating(part, planted, "scene")


def guess(one: Sample) -> Float32:
    """Probability of a network whose shore is off by one or two pixels, as the day has it."""
    shifted = np.roll(one.water, 1 + one.start.day % 2, axis=1)
    unsure = np.where(one.water == shifted, sure(shifted), 0.5)
    return np.where(one.valid, unsure, np.nan).astype(np.float32)


def nobody(fold: Fold) -> frozenset[int]:
    """No label is doubted."""
    return frozenset()


def both(split: Split) -> tuple[list[tuple[Fold, list[Float32]]], list[tuple[Fold, list[Float32]]]]:
    parts = folds(ARCHIVE, split)
    outer, inner = (
        [(part, [guess(one) for one in part.test]) for part in some]
        for some in (parts, inner_folds(parts, split))
    )
    return outer, inner


def test_every_tested_scene_gets_an_interval_around_its_area() -> None:
    outer, inner = both("scene")
    found = interval_folds("scene", outer, inner, nobody)
    assert found is not None and len(found.each) == len(ARCHIVE) == found.n and found.factor > 0
    for (part, frames), one in zip(outer, found.each[:1], strict=False):
        area = float((frames[0] >= 0.5).sum())
        assert one.low < area < one.high and (one.low + one.high) / 2 == pytest.approx(area)
        assert one.n == len(part.train)


def test_labels_held_for_wrong_calibrate_nothing() -> None:
    outer, inner = both("forward")
    kept = frozenset(id(one) for one in outer[0][0].train[:20])
    every, fewer = (interval_folds("forward", outer, inner, doubt) for doubt in (nobody, lambda fold: kept))
    assert every is not None and fewer is not None and fewer.each[0].n < every.each[0].n
    assert every.n == sum(len(part.test) for part, _ in (*outer, *inner))  # all years that have older ones
    wrong = frozenset({id(outer[0][0].test[0])})
    later = interval_folds("forward", outer, inner, nobody, wrong)
    assert later is not None and later.n == every.n - 1 and later.each == every.each
    with pytest.raises(ModelError, match="no scene is left to calibrate intervals on"):
        interval_folds("forward", outer, inner, lambda fold: frozenset(map(id, fold.train)))


def test_in_forward_earlier_years_are_tested_too_each_by_what_is_older() -> None:
    later = [
        replace(one, start=one.start.replace(year=one.start.year + 3)) for one in ARCHIVE
    ]  # 2024 to 2026
    parts = folds([*ARCHIVE, *later], "forward")
    outer, inner = (
        [(part, [guess(one) for one in part.test]) for part in some]
        for some in (parts, inner_folds(parts, "forward"))
    )
    found = interval_folds("forward", outer, inner, nobody)
    assert found is not None
    years = [sample.start.year for sample, _ in found.earlier]
    assert sorted(set(years)) == [2023, 2024, 2025]  # 2022 is the first that has older ones: it calibrates
    first = next(one for sample, one in found.earlier if sample.start.year == 2023)
    assert first.n == sum(one.start.year == 2022 for one in ARCHIVE)
    tested = replace(given_folds("forward", parts, [[frames for _, frames in outer]]), intervals=found)
    rows = [one for one in judge(tested, {}).coverages if one.way == "year" and one.labels == ALL]
    assert [one.scenes for one in rows] == ["2023", "2024", "2025", "2026", "2023 to 2026"]
    assert rows[-1].n == sum(one.n for one in rows[:-1])
    doubted = {(one.lake, one.start): "wrong" for one, _ in found.earlier if one.start.year == 2023}
    clean = [one for one in judge(tested, doubted).coverages if one.way == "year" and one.labels == CLEAN]
    assert [one.scenes for one in clean] == ["2024", "2025", "2026", "2023 to 2026"]


def test_block_has_no_intervals() -> None:
    outer, inner = both("block")
    assert interval_folds("block", outer, inner, nobody) is None


def test_held_is_counted_by_hand() -> None:
    found = held(np.array([100.0, 100.0]), [(90, 110), (110, 130)])
    assert found.coverage == 0.5 and found.width_percent == pytest.approx(20)
    assert found.score_percent == pytest.approx((20 + 20 + 20 * 10) / 2)  # 10 px missed, 2 / 0.1 each
    assert math.isinf(held(np.array([100.0]), [(90, math.inf)]).score_percent)


def given() -> Given:
    outer, inner = both("scene")
    tested = given_folds("scene", [part for part, _ in outer], [[frames for _, frames in outer]])
    return replace(tested, intervals=interval_folds("scene", outer, inner, nobody))


def test_coverage_is_told_by_lake_and_track_and_beside_the_constant() -> None:
    doubted = {(ARCHIVE[0].lake, ARCHIVE[0].start): "drawn"}
    rows = judge(given(), doubted).coverages
    ways = [(one.way, one.labels) for one in rows]
    assert ways[:2] == [("all", ALL), ("all", CLEAN)] and {way for way, _ in ways} == {
        "all", "lake", "lake and track",
    }  # fmt: skip
    assert rows[0].n == len(ARCHIVE) and rows[1].n == len(ARCHIVE) - 1
    assert 0.85 <= rows[0].own.coverage <= 1 and rows[0].blind.width_percent > 0


def test_the_report_shows_intervals(tmp_path: Path) -> None:
    tested = given()
    numbers = write_report([tested], tmp_path / "with", model="drawn", suspected={})
    text = (tmp_path / "with" / "report.md").read_text()
    held_here = numbers["splits"]["scene"]["intervals"][0]["own"]["coverage"]
    assert f"{100 * held_here:.0f} % of {len(ARCHIVE)} labelled areas are held" in text
    assert (tmp_path / "with" / "intervals.png").stat().st_size > 10_000 and "(intervals.png)" in text
    assert intervals_figure([]) is None
    assert judge(replace(tested, intervals=None), {}).coverages == []


def test_intervals_of_another_number_of_scenes_are_refused(tmp_path: Path) -> None:
    tested = Given("scene", [scene(row_of(9))], [[sure(row_of(9))]], {"nine": [row_of(9)]}, None, ["1"])
    two = Intervals([Interval(1, 2, 1, 2, 10, 0.5, 0.5)] * 2, 1.0, 10, [])
    with pytest.raises(ModelError, match="has intervals of 2 scenes, but tested 1"):
        write_report([replace(tested, intervals=two)], tmp_path / "out", model="drawn", suspected={})


def test_nothing_that_calibrates_the_published_pairs_knows_of_a_test(shared_data: Path) -> None:
    samples = read_samples(shared_data / "himalaya_pairs", shared_data / "himalaya_hyp3_rtc20")
    for split in SPLITS:
        parts = folds(samples, split)
        inner = inner_folds(parts, split)
        for part in parts:
            for number, at in calibrating(part, inner, split):
                learned = {id(one) for one in inner[number].train}
                used = {id(inner[number].test[i]) for i in at}
                assert not {*map(id, part.test)} & (learned | used)
