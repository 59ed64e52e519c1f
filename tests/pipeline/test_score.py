"""The arithmetic of scores, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from glaciolake.pipeline.score import Pixels, area_errors, count_pixels, running_falls, share, skill


def test_bias_rmse_and_median_are_those_of_the_slices_that_have_both() -> None:
    area, true = np.array([110.0, 80.0, np.nan, 100.0]), np.array([100.0, 100.0, 50.0, np.nan])
    found = area_errors(area, true, np.ones(4, bool))
    assert found.n == 2
    assert found.bias_m2 == -5 and found.bias_percent == pytest.approx(-5)
    assert found.rmse_m2 == pytest.approx(math.sqrt((100 + 400) / 2))
    assert found.rmse_percent == pytest.approx(math.sqrt((100 + 400) / 2))
    assert found.median_abs_m2 == 15 and found.median_abs_percent == pytest.approx(15)


def test_a_lake_that_is_gone_counts_in_square_metres_only() -> None:
    found = area_errors(np.array([110.0, 30.0]), np.array([100.0, 0.0]), np.array([True, True]))
    assert found.n == 2 and found.bias_m2 == 20 and found.bias_percent == pytest.approx(10)
    small = area_errors(np.array([110.0, 30.0]), np.array([100.0, 1.0]), np.array([True, False]))
    assert small.bias_percent == pytest.approx(10) and small.bias_m2 == 19.5


def test_no_slices_give_no_numbers() -> None:
    found = area_errors(np.array([]), np.array([]), np.array([], bool))
    assert found.n == 0 and math.isnan(found.rmse_m2) and math.isnan(found.bias_percent)
    assert math.isnan(share(np.array([], bool))) and share(np.array([True, False])) == 0.5


def test_pixels_are_counted_where_they_were_seen() -> None:
    lake = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)
    truth = np.array([[1, 0, 1, 1], [1, 0, 0, 0]], bool)
    everything = np.ones((2, 4), bool)
    found = count_pixels(lake, truth, everything)
    assert found == Pixels(both=2, missed=2, false=1)
    assert found.iou == pytest.approx(2 / 5)
    assert found.missed_share == pytest.approx(0.5) and found.false_share == pytest.approx(0.25)
    assert found.precision == pytest.approx(2 / 3) and found.recall == pytest.approx(0.5)
    unseen = everything.copy()
    unseen[0, 1:3] = False
    assert count_pixels(lake, truth, unseen) == Pixels(both=2, missed=1, false=0)


def test_a_score_of_nothing_is_no_score() -> None:
    none = Pixels(0, 0, 0)
    assert all(math.isnan(one) for one in (none.iou, none.missed_share, none.precision, none.recall))
    assert Pixels(0, 0, 3).iou == 0


def test_skill_is_the_share_of_the_constants_error_that_is_removed() -> None:
    assert skill(0.9, 0.9) == 0
    assert skill(1.0, 0.9) == 1
    assert skill(0.95, 0.9) == pytest.approx(0.5)
    assert skill(0.8, 0.9) == pytest.approx(-1)
    assert math.isnan(skill(0.9, 1.0)) and math.isnan(skill(math.nan, 0.9))


def test_a_fall_is_more_than_a_tenth_and_two_sigma_below_the_slices_before() -> None:
    area = np.array([100.0, 98.0, 102.0, 89.0, 91.0, 89.0])
    sigma = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 6.0])
    found = running_falls(area, sigma, np.ones(6, bool))
    assert found.judged.tolist() == [False, False, False, True, True, True]
    assert found.median_m2[3:].tolist() == [100.0, 99.0, 98.0]
    assert found.fell.tolist() == [False, False, False, True, False, False]


def test_flagged_slices_neither_fall_nor_enter_the_median() -> None:
    area = np.array([100.0, 100.0, 100.0, 10.0, 10.0, 10.0, 95.0, np.nan, 80.0])
    usable = np.array([True] * 3 + [False] * 3 + [True, False, True])
    found = running_falls(area, np.zeros(9), usable)
    assert found.fell.tolist() == [False] * 8 + [True]
    assert found.median_m2[8] == 100


def test_the_median_forgets_what_lies_more_than_nine_slices_back() -> None:
    area = np.array([200.0] * 5 + [100.0] * 9 + [95.0])
    found = running_falls(area, np.zeros(15), np.ones(15, bool))
    assert found.fell[5] and not found.fell[14]
    assert found.median_m2[14] == 100
