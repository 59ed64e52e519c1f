"""Scores that can be counted by hand, and constants that look at no image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glaciolake.models.data import Bool, Sample
from glaciolake.models.folds import Fold
from glaciolake.models.skill.scores import SEASONAL, constants, groups, scores, skill
from glaciolake.models.skill.tested import tested_folds as given_folds
from tests.models.drawn import archive, flags, row_of, scene

CONSTANTS = (
    "constant per lake",
    "constant per lake and pass",
    "nearest in time",
    "constant per lake, pass and season",
)


def areas(labelled: list[int], found: list[int], *, track: str = "T121") -> tuple[list[Sample], list[Bool]]:
    """Scenes of a track with some labelled and found pixels, all from the left."""
    samples = [scene(row_of(n), track=track, days=12 * k) for k, n in enumerate(labelled)]
    return samples, [row_of(n) for n in found]


def test_pixels_are_pooled_and_areas_are_medians() -> None:
    one = scene(flags("##..", "##.."))
    other = scene(flags("####", "####"), days=12)
    third = scene(flags("#...", "...."), days=24)
    masks = [flags(".##.", ".##."), flags("####", "###."), flags("##..", "....")]
    found = scores([one, other, third], masks)
    # both 2 + 7 + 1, found 4 + 7 + 2, labelled 4 + 8 + 1
    assert found.n == 3
    assert found.iou == pytest.approx(10 / 16)
    assert found.precision == pytest.approx(10 / 13)
    assert found.recall == pytest.approx(10 / 13)
    assert found.f1 == pytest.approx(20 / 26)
    assert found.area_bias_percent == pytest.approx(0)  # 0, -12.5, 100
    assert found.area_error_percent == pytest.approx(12.5)


def test_only_pixels_that_count_are_scored() -> None:
    one = scene(flags("##..", "##.."))
    one.power[0] = np.nan
    mask = flags("####", ".##.")
    assert scores([one], [mask]).iou == pytest.approx(1 / 3)  # of the lower row
    assert scores([one], [mask], [flags("####", "##..")]).iou == pytest.approx(1 / 2)


def test_batches_are_pooled_within_and_averaged_between() -> None:
    samples = [scene(row_of(10), days=k) for k in range(33)]
    masks = [row_of(10)] * 32 + [row_of(5)]
    found = scores(samples, masks)
    assert found.batch_iou == pytest.approx((1.0 + 0.5) / 2)
    assert found.iou == pytest.approx(325 / 330)


def test_anomalies_are_departures_from_the_mean_of_lake_and_track() -> None:
    samples, masks = areas([8, 10, 12], [10, 8, 12])
    # departures -0.2, 0, 0.2 and 0, -0.2, 0.2: 0.04 / 0.08
    assert scores(samples, masks).anomaly_correlation == pytest.approx(0.5)


def test_a_difference_between_tracks_is_no_anomaly() -> None:
    samples, masks = areas([8, 10, 12], [12, 10, 8])
    large, large_masks = areas([17, 18, 19], [19, 18, 17], track="T085")
    assert scores(samples + large, masks + large_masks).anomaly_correlation == pytest.approx(-1)


def test_a_mask_that_never_changes_has_no_anomalies() -> None:
    assert np.isnan(scores(*areas([8, 10, 12], [10, 10, 10])).anomaly_correlation)
    assert np.isnan(scores(*areas([8, 10], [8, 10])).anomaly_correlation)


def test_scores_do_not_depend_on_the_order_of_lakes() -> None:
    samples = archive()
    masks = [np.roll(one.water, k % 7, axis=1) for k, one in enumerate(samples)]
    found = scores(samples, masks)
    turned = scores(samples[::-1], masks[::-1])
    assert found.anomaly_correlation == pytest.approx(turned.anomaly_correlation, rel=1e-12)
    assert found[1:5] == turned[1:5]


def test_without_labelled_lake_there_is_no_error_of_the_area() -> None:
    found = scores([scene(row_of(0))], [row_of(3)])
    assert found.iou == 0 and np.isnan(found.area_bias_percent) and np.isnan(found.area_error_percent)


@pytest.mark.parametrize(
    ("iou", "constant", "expected"), [(0.95, 0.9, 0.5), (0.9, 0.9, 0.0), (0.8, 0.9, -1.0), (0.7, 0.0, 0.7)]
)
def test_skill_is_the_share_of_the_constants_error_that_is_gone(
    iou: float, constant: float, expected: float
) -> None:
    assert skill(iou, constant) == pytest.approx(expected)


def test_nothing_is_gained_on_a_perfect_constant() -> None:
    assert skill(1.0, 1.0) == 0


def test_constants_are_the_labels_of_lake_of_pass_and_of_the_nearest_date() -> None:
    train = [
        *(scene(row_of(10), days=k) for k in (0, 12)),
        scene(row_of(4), days=200),
        scene(row_of(14), track="T085", days=24),
        scene(row_of(20), lake="lower", days=24),
    ]
    test = [
        scene(row_of(0), days=190),
        scene(row_of(0), track="T085", days=190),
        scene(row_of(0), lake="none"),
    ]
    found = constants(train, test)
    assert tuple(found) == CONSTANTS
    sizes = {name: [int(mask.sum()) for mask in masks] for name, masks in found.items()}
    assert sizes == {
        "constant per lake": [10, 10, 0],  # of 10, 10, 4 and 14 at least half hold 10
        "constant per lake and pass": [10, 14, 0],
        "nearest in time": [4, 14, 0],
        "constant per lake, pass and season": [4, 14, 0],  # two labels of 10 are half a year away
    }


def test_constants_look_at_no_image_and_at_no_label_of_the_test() -> None:
    train, test = archive()[::2], archive()[1::2]
    other = [replace(one, power=one.power[::-1] * 3, water=~one.water) for one in test]
    for name, masks in constants(train, test).items():
        for mask, again in zip(masks, constants(train, other)[name], strict=True):
            np.testing.assert_array_equal(mask, again)


def test_groups_are_all_lakes_tracks_and_seasons() -> None:
    samples = [
        scene(row_of(3)),
        scene(row_of(3), track="T085", days=180),
        scene(row_of(3), lake="lower", days=60),
    ]
    assert groups(samples) == {
        "all": [0, 1, 2],
        "lower": [2],
        "upper": [0, 1],
        "lower T121": [2],
        "upper T085": [1],
        "upper T121": [0],
        "monsoon": [1],
        "spring": [2],
        "winter": [0],
    }


def test_a_folds_constants_are_drawn_from_all_its_labels() -> None:
    winter = [scene(flags("##..", "##.."), days=12 * k) for k in range(3)]
    summer = scene(
        flags("..##", "..##"), days=180
    )  # no other label is like it, and no other is of its season
    tested = scene(flags("####", "####"), days=192)
    fold = Fold("last", [*winter, summer], [tested])
    found = given_folds("scene", [fold], [[[np.zeros(tested.water.shape, np.float32)]]]).constants
    np.testing.assert_array_equal(found[SEASONAL][0], summer.water)
    assert all(
        np.array_equal(found[name][0], masks[0]) for name, masks in constants(fold.train, [tested]).items()
    )
