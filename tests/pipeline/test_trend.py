"""A trend is given only where years allow it, and its p is exact."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.series import area_table
from glaciolake.pipeline.trend import NoTrend, Trend, mann_kendall_p, summer_areas, trend
from tests.pipeline.lake_series import days_of, lake_series


def table_of(start: str, end: str, growth_m2_per_year: float = 0.0, scatter: float = 0.02) -> pd.DataFrame:
    series = lake_series(
        days_of(start, end), growth_m2_per_year=growth_m2_per_year, scatter=scatter, size_px=8
    )
    return area_table({"T121": series})


def test_known_growth_is_found_per_year() -> None:
    found = trend(table_of("2016-05-01", "2025-12-31", growth_m2_per_year=30_000.0, scatter=0.004))
    assert isinstance(found, Trend)
    assert found.slope_m2_per_year == pytest.approx(30_000.0, rel=0.1)
    assert found.low_m2_per_year < found.slope_m2_per_year < found.high_m2_per_year
    assert found.p_value < 0.001 and found.years == tuple(range(2016, 2026))
    assert found.area_m2(2020) == pytest.approx(1_500_000.0 + 30_000.0 * 4.3, rel=0.02)


def test_noise_alone_is_rarely_called_a_trend() -> None:
    rng = np.random.default_rng(3)
    below = np.mean([mann_kendall_p(rng.normal(size=8)) < 0.05 for _ in range(400)])
    assert below < 0.08


def test_five_summers_give_no_trend_and_six_do() -> None:
    five = trend(table_of("2018-05-01", "2022-12-31"))
    assert isinstance(five, NoTrend) and five.reason == "no trend: 6 summers of 3 slices needed, 5 there"
    assert isinstance(trend(table_of("2017-05-01", "2022-12-31")), Trend)


def test_one_scene_a_summer_is_no_summer() -> None:
    table = table_of("2014-01-01", "2025-12-31")
    thin = table[table["time"].dt.month == 8].groupby(table["time"].dt.year).head(1)
    assert isinstance(trend(thin), NoTrend)


def test_frozen_incomplete_and_unseen_slices_do_not_enter_a_summer() -> None:
    table = table_of("2023-01-01", "2023-12-31")
    clean = summer_areas(table)
    states = [table.assign(area_m2=9e9, flags=words) for words in ("incomplete", "shadowed frozen_season")]
    spoilt = pd.concat([table, *states, table.assign(area_m2=np.nan)])
    pd.testing.assert_frame_equal(summer_areas(spoilt), clean)
    summer = table["time"].between("2023-07-01", "2023-09-30T23:59Z")
    assert clean["slices"].tolist() == [(summer & (table["flags"] == "")).sum()]
    assert summer.sum() > clean["slices"][0] > 3


def test_a_shore_that_terrain_always_hides_does_not_take_the_trend_away() -> None:
    table = table_of("2016-05-01", "2025-12-31")
    hidden = table.assign(flags=(table["flags"] + " shadowed touches_edge").str.strip())
    assert trend(hidden) == trend(table) and isinstance(trend(hidden), Trend)


def test_two_tracks_are_never_fitted_together() -> None:
    table = table_of("2016-05-01", "2025-12-31")
    with pytest.raises(PipelineError, match="tsho-rolpa/T085, tsho-rolpa/T121; fit each by itself"):
        trend(pd.concat([table, table.assign(track="T085")]))


def test_empty_series_gives_no_trend() -> None:
    assert isinstance(trend(table_of("2023-01-01", "2023-02-01").iloc[:0]), NoTrend)


@pytest.mark.parametrize("size", [3, 6, 9, 12])
def test_p_equals_the_exact_p_of_kendall_where_nothing_is_tied(size: int) -> None:
    values = np.random.default_rng(size).normal(size=size)
    expected = kendalltau(range(size), values, method="exact").pvalue
    assert mann_kendall_p(values) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("values", [(1, 1, 2, 3, 3, 5), (2, 2, 2, 1), (5, 1, 1, 4, 4, 4, 1), (7, 7, 7)])
def test_p_with_ties_equals_counting_all_orders(values: tuple[int, ...]) -> None:
    def score(order: tuple[int, ...]) -> int:
        return sum(int(np.sign(b - a)) for a, b in itertools.combinations(order, 2))

    scores = [abs(score(order)) for order in itertools.permutations(values)]
    expected = np.mean([one >= abs(score(values)) for one in scores])
    assert mann_kendall_p(np.array(values, "float64")) == pytest.approx(expected, rel=1e-12)
