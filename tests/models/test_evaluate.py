"""Scores that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from glaciolake.models.evaluate import BLIND, Row, Score, best_threshold, blind_masks, evaluate, score
from glaciolake.models.spec import ModelSpec
from tests.models.conftest import Save
from tests.models.scenes import ellipse, sample


def test_pixels_without_data_do_not_count() -> None:
    one = sample()
    mask = one.water.copy()
    mask[:, 0] = True  # no data there
    assert score([one], [mask]) == Score(1, 1.0, 0.0)


def test_intersection_union_and_area_error_are_pooled_and_median() -> None:
    one, other = sample(), sample(cycle=1)
    half = one.water.copy()
    half[: half.shape[0] // 2] = False
    n_half, n = int(half.sum()), int(one.water.sum())
    found = score([one, other], [half, other.water])
    assert found.iou == pytest.approx((n_half + n) / (2 * n))
    assert found.area_error_percent == pytest.approx(100 * (1 - n_half / n) / 2)


def test_constants_know_no_more_than_they_say() -> None:
    train = [sample(), sample(cycle=1), sample(track="T085", right_px=6)]
    test = [sample(cycle=2), sample(track="T085", cycle=2, right_px=6)]
    by_lake = blind_masks(train, test, BLIND["constant per lake"])
    by_track = blind_masks(train, test, BLIND["constant per lake and track"])
    np.testing.assert_array_equal(by_lake[0], by_lake[1])
    np.testing.assert_array_equal(by_track[0], ellipse())
    np.testing.assert_array_equal(by_track[1], ellipse(right_px=6))
    unknown = blind_masks(train, [sample(lake="elsewhere")], BLIND["constant per lake"])
    assert not unknown[0].any()


def test_threshold_with_the_best_union_is_found() -> None:
    one = sample()
    probability = np.where(one.water, 0.62, 0.58).astype(np.float32)
    assert best_threshold([one], [probability]) == (0.6, 1.0)


def test_skill_is_the_share_of_the_error_of_the_best_constant_that_is_gone() -> None:
    row = Row("all", Score(1, 0.95, 1.0), {"a": Score(1, 0.9, 2.0), "b": Score(1, 0.8, 2.0)})
    assert row.skill == pytest.approx(0.5)


def test_a_report_has_all_scenes_each_lake_and_each_track(save: Save) -> None:
    # -12.5 dB is 0.5: the kernel calls everything darker than that a lake.
    ref = save(ModelSpec(name="dark"), weights=(-40.0, 0.0), bias=20.0)
    train = [sample(), sample(track="T085")]
    test = [sample(cycle=1, right_px=5), sample(track="T085", cycle=1), sample(lake="lower", cycle=3)]
    rows = evaluate(ref, train, test)
    n_of = {row.scenes: row.network.n for row in rows}
    lakes = {"lower": 1, "upper": 2, "lower T121": 1, "upper T085": 1, "upper T121": 1}
    assert n_of == {"all": 3, "chips as published": 3} | lakes
    assert rows[0].network.iou > 0.98
    assert rows[-1].blind["constant per lake and track"].iou < 0.8
    assert rows[-1].skill > 0.9
