"""Labelled images: what is read, what is dropped, who is tested on what."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from glaciolake.models.data import (
    Part,
    cut_centre,
    drop_wrong_labels,
    put_centre,
    read_samples,
    split,
)
from glaciolake.models.errors import ModelError
from tests.models.scenes import SHAPE, ellipse, sample, write_data_set


def test_pairs_are_read_with_the_power_of_their_chips(tmp_path: Path) -> None:
    written = [sample(cycle=cycle) for cycle in range(3)] + [sample(track="T085")]
    read = read_samples(*write_data_set(tmp_path, written))
    assert [(one.lake, one.start, one.track, one.direction) for one in read] == sorted(
        (one.lake, one.start, one.track, one.direction) for one in written
    )
    for one, other in zip(read, sorted(written, key=lambda one: one.start), strict=True):
        np.testing.assert_array_equal(one.power, other.power)
        np.testing.assert_array_equal(one.water, other.water & other.valid)
        assert not one.rebuilt


def test_power_of_a_lost_chip_is_rebuilt_close_to_what_it_was(tmp_path: Path) -> None:
    written = [sample(cycle=cycle) for cycle in range(5)]
    last = read_samples(*write_data_set(tmp_path, written, lost_chips=1))[-1]
    assert last.rebuilt
    truth = written[-1]
    land = truth.valid & ~truth.water
    error_db = 10 * np.log10(last.power[land] / truth.power[land])
    assert np.sqrt(np.mean(error_db**2)) < 1.0
    assert np.median(last.power[truth.water]) < np.percentile(last.power[land], 5)
    assert not np.isfinite(last.power[:, 0]).any()


def test_folders_without_data_are_named(tmp_path: Path) -> None:
    pairs, chips = write_data_set(tmp_path, [sample()])
    with pytest.raises(ModelError, match=r"no labelled image \*\.tif in .*images"):
        read_samples(tmp_path, chips)
    pairs, chips = write_data_set(tmp_path / "other", [sample()], lost_chips=1)
    with pytest.raises(ModelError, match=r"no chip .* in .*chips"):
        read_samples(pairs, chips)


def test_a_file_that_is_no_pair_is_named(tmp_path: Path) -> None:
    pairs, chips = write_data_set(tmp_path, [sample()])
    (pairs / "images" / "notes.tif").write_bytes(b"")
    with pytest.raises(ModelError, match=r"not named <lake>_<start>_<id>\.tif, first notes\.tif"):
        read_samples(pairs, chips)


def test_a_lake_without_any_chip_is_named(tmp_path: Path) -> None:
    pairs, chips = write_data_set(tmp_path, [sample(), sample(lake="lower")], lost_chips=1)
    with pytest.raises(ModelError, match="no chip with data of lower"):
        read_samples(pairs, chips)
    pairs, chips = write_data_set(tmp_path / "other", [sample(), sample(track="T085")], lost_chips=1)
    with pytest.raises(ModelError, match=r"no other chip of upper on .*85"):
        read_samples(pairs, chips)


def test_padding_and_cutting_are_inverse() -> None:
    water = ellipse()
    np.testing.assert_array_equal(cut_centre(put_centre(water), SHAPE), water)


def test_a_label_of_another_place_is_dropped_and_the_others_stay() -> None:
    right = [sample(cycle=cycle, right_px=cycle % 2) for cycle in range(6)]
    wrong = sample(cycle=6, right_px=14)
    kept, dropped = drop_wrong_labels([*right, wrong])
    assert kept == right
    assert dropped == [wrong]


def test_labels_of_another_track_do_not_vote() -> None:
    one = [sample(cycle=cycle) for cycle in range(3)]
    other = [sample(track="T085", cycle=cycle, right_px=14) for cycle in range(2)]
    assert drop_wrong_labels(one + other) == (one + other, [])


def test_no_date_is_in_two_parts_and_every_scene_is_in_one() -> None:
    samples = [
        sample(lake=lake, track=track, cycle=cycle)
        for lake in ("upper", "lower")
        for track in ("T121", "T085")
        for cycle in range(20)
    ]
    parts = split(samples, seed=3)
    days: dict[Part, set[date]] = {name: {one.start.date() for one in part} for name, part in parts.items()}
    assert not days["train"] & days["test"]
    assert not days["train"] & days["validation"]
    assert not days["validation"] & days["test"]
    assert {name: len(part) for name, part in parts.items()} == {"train": 56, "validation": 8, "test": 16}
    assert split(samples, seed=3) == parts
    assert split(samples, seed=4) != parts


def test_the_published_pairs_read_as_the_card_says(shared_data: Path) -> None:
    samples = read_samples(shared_data / "himalaya_pairs", shared_data / "himalaya_hyp3_rtc20")
    kept, dropped = drop_wrong_labels(samples)
    assert (len(samples), len(dropped)) == (195, 8)
    assert sum(one.rebuilt for one in samples) == 18
    assert {(one.lake, str(one.start.date())) for one in dropped} >= {
        ("gokyoTsho", "2023-02-26"),  # carries Tsho Rolpa's mask
        ("imjaTsho", "2022-07-25"),
        ("tilichoTsho", "2023-05-29"),  # break-up of the ice
    }
    assert {one.track for one in samples if one.lake == "tilichoTsho"} == {"T019", "T092", "T158"}
    assert {name: len(part) for name, part in split(kept).items()} == {
        "train": 129,
        "validation": 20,
        "test": 38,
    }
