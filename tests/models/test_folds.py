"""Nothing that is tested was learned from: planted leaks are found, and no fold has one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glaciolake.models.data import Sample, put_centre, read_samples
from glaciolake.models.errors import ModelError
from glaciolake.models.folds import BUFFER_PX, SPLITS, Split, blocks, folds, leaks
from tests.models.drawn import archive, row_of, scene

ARCHIVE = archive()
WHOLE: tuple[Split, ...] = ("random", "scene", "forward", "lake")


def acquisitions(samples: list[Sample]) -> set[tuple[str, str]]:
    return {(one.track, f"{one.start:%Y-%m-%d}") for one in samples}


@pytest.mark.parametrize("split", ["random", "scene", "lake"])
def test_each_scene_is_tested_once_and_learned_in_all_other_folds(split: Split) -> None:
    parts = folds(ARCHIVE, split)
    assert sorted(id(one) for part in parts for one in part.test) == sorted(map(id, ARCHIVE))
    for part in parts:
        assert {*map(id, part.train)} | {*map(id, part.test)} == {*map(id, ARCHIVE)}


@pytest.mark.parametrize("split", WHOLE)
def test_no_scene_is_on_both_sides(split: Split) -> None:
    for part in folds(ARCHIVE, split):
        assert not {*map(id, part.train)} & {*map(id, part.test)}
        assert not {(one.lake, one.start) for one in part.train} & {
            (one.lake, one.start) for one in part.test
        }


def test_no_acquisition_is_on_both_sides_of_scene_though_it_is_of_random() -> None:
    parts = folds(ARCHIVE, "scene")
    assert all(not acquisitions(part.train) & acquisitions(part.test) for part in parts)
    assert any(acquisitions(part.train) & acquisitions(part.test) for part in folds(ARCHIVE, "random"))


def test_forward_learns_from_older_years_alone() -> None:
    (part,) = folds(ARCHIVE, "forward")
    assert {one.start.year for one in part.test} == {2023}
    assert max(one.start for one in part.train).year == 2022


def test_lake_knows_nothing_of_the_lake_it_tests() -> None:
    parts = folds(ARCHIVE, "lake")
    assert [part.name for part in parts] == ["first", "second", "third"]
    for part in parts:
        assert {one.lake for one in part.test} == {part.name}
        assert part.name not in {one.lake for one in part.train}


def test_block_tests_and_learns_no_pixel_of_a_lake_on_any_date() -> None:
    wider = [replace(one, power=one.power[:, :-1], water=one.water[:, :-1]) for one in ARCHIVE[::5]]
    for part in folds([*ARCHIVE, *wider], "block"):
        assert part.quarter is not None
        tested, learned = np.zeros((2, 256, 256), bool)
        for shape in ((64, 80), (64, 79)):
            tested |= put_centre(blocks(shape, part.quarter, test=True))
            learned |= put_centre(blocks(shape, part.quarter, test=False))
        assert tested.any() and learned.any() and not (tested & learned).any()


@pytest.mark.parametrize("quarter", range(4))
def test_between_blocks_lies_a_strip_that_nobody_uses(quarter: int) -> None:
    tested, learned = (blocks((64, 80), quarter, test=test) for test in (True, False))
    assert int(tested.sum()) == (32 - BUFFER_PX) * (40 - BUFFER_PX)
    for y, x in zip(*np.nonzero(tested), strict=True):
        reach = 2 * BUFFER_PX
        near = learned[max(0, y - reach + 1) : y + reach, x], learned[y, max(0, x - reach + 1) : x + reach]
        assert not any(one.any() for one in near)


def test_the_quarters_do_not_meet_and_leave_only_the_strip() -> None:
    count = np.sum([blocks((64, 80), quarter, test=True) for quarter in range(4)], axis=0)
    assert np.max(count) == 1
    assert int((count == 0).sum()) == 64 * 80 - 4 * 16 * 24


@pytest.mark.parametrize("split", SPLITS)
def test_no_fold_leaks(split: Split) -> None:
    for part in folds(ARCHIVE, split):
        assert leaks(part, split) == []


@pytest.mark.parametrize("split", WHOLE)
def test_a_scene_on_both_sides_is_a_leak(split: Split) -> None:
    part = folds(ARCHIVE, split)[0]
    found = leaks(replace(part, train=[*part.train, part.test[0]]), split)
    assert f"{part.test[0].lake} {part.test[0].start:%Y-%m-%dT%H:%M:%S} is on both sides" in found


@pytest.mark.parametrize("split", ["scene", "forward"])
def test_another_lake_of_a_tested_acquisition_is_a_leak(split: Split) -> None:
    part = folds(ARCHIVE, split)[0]
    planted = replace(part.test[0], lake="elsewhere")
    found = leaks(replace(part, train=[*part.train, planted]), split)
    assert any(f"scene {planted.track} {planted.start:%Y-%m-%d}" in words for words in found)


def test_another_date_of_a_tested_lake_is_a_leak_of_lake() -> None:
    part = folds(ARCHIVE, "lake")[0]
    planted = scene(row_of(3), lake=part.name, days=5000)
    assert leaks(replace(part, train=[*part.train, planted]), "lake") == ["lake first is on both sides"]


def test_a_later_scene_is_a_leak_of_forward() -> None:
    (part,) = folds(ARCHIVE, "forward")
    planted = scene(row_of(3), lake="elsewhere", days=5000)
    assert leaks(replace(part, train=[*part.train, planted]), "forward") == [
        "elsewhere 2034-09-13 is no older"
    ]


def test_a_pixel_on_both_sides_is_a_leak_of_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glaciolake.models.folds.BUFFER_PX", -2)  # blocks that overlap by four pixels
    part = folds(ARCHIVE, "block")[0]
    both = blocks((64, 80), 0, test=True) & blocks((64, 80), 0, test=False)
    assert leaks(part, "block")[0] == f"{int(both.sum())} pixels of first are on both sides"


def test_folds_repeat_themselves_and_follow_the_seed() -> None:
    names = [[(one.lake, one.start) for one in part.test] for part in folds(ARCHIVE, "scene", seed=1)]
    assert names == [[(one.lake, one.start) for one in part.test] for part in folds(ARCHIVE, "scene", seed=1)]
    assert names != [[(one.lake, one.start) for one in part.test] for part in folds(ARCHIVE, "scene", seed=2)]


def test_what_cannot_be_parted_is_said() -> None:
    with pytest.raises(ModelError, match="unknown split 'file'; take one of random, scene"):
        folds(ARCHIVE, "file")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="12 labelled scenes of 1 lakes cannot be parted by 'lake'"):
        folds(ARCHIVE[:12], "lake")
    with pytest.raises(ModelError, match="by 'forward': nothing is left to learn"):
        folds(ARCHIVE[:2], "forward")


def test_no_fold_of_the_published_pairs_leaks(shared_data: Path) -> None:
    samples = read_samples(shared_data / "himalaya_pairs", shared_data / "himalaya_hyp3_rtc20")
    for split in SPLITS:
        parts = folds(samples, split)
        assert [leaks(part, split) for part in parts] == [[]] * len(parts)
        if split == "scene":
            assert all(not acquisitions(part.train) & acquisitions(part.test) for part in parts)
