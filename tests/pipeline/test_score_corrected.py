"""Corrected areas are scored against the whole lake, and directions of one week against each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from glaciolake.pipeline.score_corrected import (
    POOLED,
    TOLD_OPEN,
    corrected_numbers,
    corrected_rows,
    corrected_section,
    corrected_sentence,
    weeks,
)


@dataclass(frozen=True)
class Drawn:
    """A lake and track."""

    name: str
    lake: str
    orbit_state: str
    slices: pd.DataFrame


def drawn(track: str, direction: str, *, area: float, corrected: float, first: str = "2023-07-01") -> Drawn:
    """Four dates of a lake of 100 m2; the third is frozen, the last has no corrected area."""
    n = 4
    slices = pd.DataFrame(
        {
            "time": pd.date_range(first, periods=n, freq="12D"),
            "state": ["open", "open", "frozen", "open"],
            "told": ["open", "windy", "frozen", "open"],
            "stored": True,
            "gone": False,
            "area_m2": np.full(n, area),
            "area_corrected_m2": [corrected, corrected, corrected, np.nan],
            "area_lower_90_m2": [corrected - 5, corrected - 25, 0, np.nan],
            "area_upper_90_m2": [corrected + 5, corrected + 5, 0, np.nan],
            "lake_area_m2": np.full(n, 100.0),
            "blind_lake_m2": np.full(n, 101.0),
        }
    )
    return Drawn(f"tsho/{track}", "tsho", direction, slices)


UP = drawn("T085", "ascending", area=60, corrected=90)
DOWN = drawn("T121", "descending", area=90, corrected=99, first="2023-07-05")


def test_scores_are_against_the_whole_lake_where_a_corrected_area_is_given() -> None:
    up, down, pooled, told = corrected_rows([UP, DOWN])
    assert (up.series, up.n_open, up.n_given) == ("tsho/T085", 3, 2)
    assert up.corrected.bias_percent == pytest.approx(-10) and up.raw.bias_percent == pytest.approx(-40)
    assert up.blind.bias_percent == pytest.approx(1) and down.corrected.bias_percent == pytest.approx(-1)
    assert (up.held, down.held) == (0, 1)  # 95 and 95 below 100; 104 above
    assert up.width_percent == pytest.approx(20)  # 10 and 30
    assert (pooled.series, pooled.n_given, pooled.held) == (POOLED, 4, 0.5)
    assert (told.series, told.n_open, told.n_given) == (TOLD_OPEN, 4, 2)  # without the windy ones


def test_a_lake_that_is_gone_and_what_is_not_stored_do_not_count() -> None:
    one = replace(
        UP, slices=UP.slices.assign(gone=[True, False, False, False], stored=[True, True, True, False])
    )
    assert (corrected_rows([one])[0].n_open, corrected_rows([one])[0].n_given) == (1, 1)


def test_directions_of_one_week_are_compared_in_open_water_alone() -> None:
    lake, pooled = weeks([UP, DOWN])
    assert (lake.lake, lake.n, pooled.lake) == ("tsho", 2, POOLED)  # four days apart; eight are too many
    assert lake.raw == pytest.approx((np.log(1.5), np.log(1.5)))
    assert lake.corrected == pytest.approx((np.log(1.1), np.log(1.1))) and lake.blind == (0, 0)
    assert weeks([UP, drawn("T012", "ascending", area=60, corrected=90)]) == []
    far = drawn("T121", "descending", area=90, corrected=99, first="2024-07-05")
    assert weeks([UP, far]) == []


def test_the_report_says_so_and_says_where_there_is_nothing() -> None:
    text = "\n".join(corrected_section([UP, DOWN]))
    assert (
        "| tsho/T085 | 3 | 2 | -10.0 (1.0) |" in text
        and "| tsho | 2 | 40.5 | 40.5 | 9.5 | 9.5 | 0.0 |" in text
    )
    (words,) = corrected_sentence([UP, DOWN])
    assert "Given for 4 of 6 open-water slices" in words and "differ by 9.5 % (median)" in words
    assert corrected_numbers([UP, DOWN])["same_week"][0]["n"] == 2
    older = replace(UP, slices=UP.slices.assign(area_corrected_m2=np.nan))
    assert corrected_rows([older]) == [] and list(corrected_sentence([older])) == []
    assert "holds no corrected areas" in "\n".join(corrected_section([older]))
