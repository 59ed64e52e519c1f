"""States are scored by hand-countable numbers, and never without the two calendars beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from glaciolake.catalog.simulate.truth import read_truth
from glaciolake.catalog.store import Store
from glaciolake.catalog.variables import Flag, LakeState
from glaciolake.pipeline.score_report import evaluate_truth
from glaciolake.pipeline.score_states import CALENDAR, OTHER_YEARS, TOLD, Hits, state_scores
from glaciolake.pipeline.score_truth import match_store
from tests.pipeline.score_data import Look, two_summers, write_store, write_truth


def looks() -> list[Look]:
    """Four days of two years: of three frozen slices two are told, one open one is called frozen."""
    found = [replace(one, told=LakeState.OPEN) for one in two_summers(4)]
    found[0] = replace(found[0], state="frozen", told=LakeState.FROZEN, flags=int(Flag.FROZEN_SEASON))
    found[1] = replace(found[1], state="frozen", told=LakeState.UNKNOWN, flags=int(Flag.FROZEN_SEASON))
    found[2] = replace(found[2], told=LakeState.FROZEN)
    found[3] = replace(found[3], told=LakeState.WINDY)
    found[4] = replace(found[4], state="frozen", told=LakeState.FROZEN)
    found[5] = replace(found[5], told=LakeState.OPEN, flags=int(Flag.FROZEN_SEASON))
    found[6] = replace(found[6], is_stored=False)
    return found


def test_states_are_counted_beside_both_calendars(tmp_path: Path) -> None:
    truth = read_truth(write_truth(tmp_path / "archive", looks()))
    ((found, _),) = match_store(truth, Store.open(write_store(tmp_path / "store", looks())))
    scores = {one.state: one for one in state_scores(found.slices)}
    assert scores["frozen"].told == Hits(n_told=3, n_both=2, n_true=3)
    assert scores["frozen"].told.f1 == pytest.approx(2 / 3)
    assert scores["frozen"].calendar == Hits(3, 2, 3)
    # the other year's state on that day: frozen for slices 4 and 5, and for 0, since 4 is frozen
    assert scores["frozen"].other_years == Hits(3, 2, 3)
    assert scores["open"].told == Hits(3, 3, 4)  # windy water is open water
    assert scores["any ice"].told == Hits(3, 2, 3)
    assert found.slices[TOLD].tolist()[:4] == ["frozen", "unknown", "frozen", "windy"]
    assert found.slices[CALENDAR].tolist()[6] == found.slices[OTHER_YEARS].tolist()[6] == ""


def test_a_strong_wind_is_to_be_told(tmp_path: Path) -> None:
    truth = read_truth(write_truth(tmp_path / "archive", looks()))
    truth.passes["wind_m_per_s"] = [9.0 if one.pass_id == looks()[3].pass_id else 3.0 for one in looks()]
    ((found, _),) = match_store(truth, Store.open(write_store(tmp_path / "store", looks())))
    windy = next(one for one in state_scores(found.slices) if one.state == "windy")
    assert windy.told == Hits(1, 1, 1) and windy.calendar.n_told == 0


def test_report_tells_states_or_says_that_there_are_none(tmp_path: Path) -> None:
    archive = write_truth(tmp_path / "archive", looks())
    store = write_store(tmp_path / "store", looks())
    evaluate_truth(archive, store, tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text()
    assert "## States" in text and "| frozen | 3 | 3 | 67 | 67 | 0.67 | 0.67 | 0.67 |" in text
    numbers = json.loads((tmp_path / "report" / "scores.json").read_text())["states"]
    ours = next(one for one in numbers if (one["series"], one["state"]) == ("all series", "frozen"))
    assert ours["told_f1"] == pytest.approx(2 / 3) and ours["calendar_n_told"] == 3
    none = write_store(tmp_path / "bare", two_summers())
    evaluate_truth(write_truth(tmp_path / "other", two_summers()), none, tmp_path / "second")
    assert "The store tells no states" in (tmp_path / "second" / "report.md").read_text()
