"""The command prints each score beside its baseline, and writes a report that holds what it says."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner, Result

from glaciolake.catalog.simulate.truth import Happening
from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.variables import Flag
from glaciolake.pipeline.__main__ import app, main
from tests.pipeline.score_data import HEADER, Look, two_summers, write_store, write_truth

LARGER = (15, 10, 25, 22)


def looks() -> list[Look]:
    """Slices of every kind: perfect, too large, frozen, incomplete, missing, not acquired."""
    found = two_summers(6)
    found[1] = replace(found[1], stored=LARGER)
    found[2] = replace(found[2], state="frozen", flags=int(Flag.FROZEN_SEASON), stored=(15, 10, 20, 20))
    found[3] = replace(found[3], has_area=False, flags=int(Flag.INCOMPLETE), unknown=(0, 0, 22, 40))
    found[4] = replace(found[4], is_stored=False)
    found[5] = replace(found[5], acquired=False)
    found[9:] = [replace(one, lake=(15, 10, 20, 20)) for one in found[9:]]
    return found


EVENT = Happening(
    "tsho", "partial_drainage", date(2023, 6, 12), date(2023, 6, 12), 90_000.0, 45_000.0, True, ""
)


def arguments(folder: Path, some: Sequence[Look], *events: Happening) -> list[str]:
    archive = write_truth(folder / "archive", some, events)
    store = write_store(folder / "store", some)
    return ["evaluate", "--truth", str(archive), "--store", store, "--out", str(folder / "report")]


def invoke(words: Sequence[str]) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def fails_with(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr(sys, "argv", ["glaciolake", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_every_state_is_printed_with_the_constant_in_brackets(tmp_path: Path) -> None:
    done = invoke(arguments(tmp_path, looks(), EVENT))
    assert done.exit_code == 0, done.output
    lines = {
        tuple(line.split()[:2]): " ".join(line.split()) for line in done.output.splitlines() if "tsho" in line
    }
    assert lines["tsho/T121", "frozen"].startswith("tsho/T121 frozen 1 -50.0 (0.0) 50.0 (0.0) 50.0 (0.0)")
    assert "0.500 (1.000)" in lines["tsho/T121", "frozen"]
    assert "all series open" in " ".join(done.output.split())
    missing = looks()[4].pass_id
    assert f"not stored: tsho/T121/{missing}: not in the store, and the store says no reason" in done.output
    assert "1 of these are seen (constant: 0)" in done.output
    assert "the image-blind constant, drawn from the true masks of other calendar years;" in done.output
    assert done.output.rstrip().endswith("report.md")


def test_what_the_constant_is_drawn_from_is_printed_where_there_is_one_year_only(tmp_path: Path) -> None:
    some = [Look(date(2022, month, day)) for month in (6, 10) for day in (1, 6)]
    done = invoke(arguments(tmp_path, some))
    assert "the image-blind constant, drawn from the true masks of other half-years;" in done.output


def test_the_report_has_its_pictures_and_no_score_without_a_baseline(tmp_path: Path) -> None:
    invoke(arguments(tmp_path, looks(), EVENT))
    text = (tmp_path / "report" / "report.md").read_text()
    for name in ("bias", "tsho-T121-series", "tsho-T121-worst"):
        assert f"({name}.png)" in text
        assert imread(tmp_path / "report" / f"{name}.png").shape[1] > 1000
    for heading in (
        "What falls short",
        "Falls and events",
        "Frozen season",
        "not in the store",
        "Tsho, T121 descending",
    ):
        assert heading in text
    assert "simulated" in text.splitlines()[2]
    table = [line.split(" | ") for line in text.splitlines() if line.startswith("| tsho/T121 | open")]
    for cell in table[0][3:9]:
        assert "(" in cell, f"{cell} stands alone"
    assert looks()[1].pass_id in text, "the worst slice is named"


def test_the_numbers_for_machines_are_whole_and_plain_json(tmp_path: Path) -> None:
    words = arguments(tmp_path, looks(), EVENT)
    printed = invoke([*words, "--json"])
    found = json.loads(printed.stdout, parse_constant=lambda text: pytest.fail(f"{text} is no JSON"))
    assert found == json.loads((tmp_path / "report" / "scores.json").read_text())
    rows = {(row["series"], row["slices"]): row for row in found["rows"]}
    frozen = rows["tsho/T121", "frozen"]
    assert frozen["visible"]["bias_percent"] == pytest.approx(-50) and frozen["pixels"]["iou"] == 0.5
    assert frozen["blind_pixels"]["iou"] == 1 and frozen["skill"] is None
    counts = [
        rows["all series", "all"][name]
        for name in ("n_due", "n_acquired", "n_area", "n_no_area", "n_missing")
    ]
    assert counts == [12, 11, 9, 1, 1]
    assert found["constant"] == {"tsho/T121": "other calendar years"}
    assert found["missing"][0]["pass_id"] == looks()[4].pass_id
    assert found["changes"][0]["recovered"] == pytest.approx(1) and found["changes"][0]["seen"]
    assert found["simulated"] and found["worst"][0] == f"tsho/T121/{looks()[1].pass_id}"
    assert sorted([*found["files"], "scores.json"]) == sorted(p.name for p in (tmp_path / "report").iterdir())


def test_failures_at_both_ends_are_reported_with_the_days_on_which_passes_count(tmp_path: Path) -> None:
    some = two_summers(6)
    some[1], some[-2] = (replace(one, is_stored=False) for one in (some[1], some[-2]))
    ends = [some[0], some[-1]]
    some[0], some[-1] = (replace(one, is_stored=False) for one in ends)
    words = arguments(tmp_path, some)
    words[4] = write_store(tmp_path / "failed", some, failed=ends)
    done = invoke(words)
    said = " ".join(done.output.split())
    days = "From 2022-06-01 (the first that the store knows, failed) to 2023-06-26 (the last, failed)"
    assert f"{days} 12 were due and 12 acquired; 8 are stored" in said
    for one in ends:
        assert f"not stored: tsho/T121/{one.pass_id}: no pixel could be read" in done.output
    assert sum(line.startswith("not stored: ") for line in done.output.splitlines()) == 4
    found = json.loads((tmp_path / "report" / "scores.json").read_text())
    assert found["days"] == {
        "first": "2022-06-01",
        "last": "2023-06-26",
        "first_is": "failed",
        "last_is": "failed",
    }
    assert "does not record for which days" in (tmp_path / "report" / "report.md").read_text()


def test_a_series_of_which_every_pass_failed_is_named(tmp_path: Path) -> None:
    words = arguments(tmp_path, two_summers())
    table = tmp_path / "archive" / "truth" / "passes.parquet"
    passes = pd.read_parquet(table)
    pd.concat([passes, passes.assign(track="T012"), passes.assign(track="T019")]).to_parquet(table)
    reason = {"kind": "unreadable", "reason": "no pixel could be read"}
    failed = {one.pass_id: reason for one in two_summers()}
    Store.open(words[4]).commit(Batch(replace(HEADER, track="T012"), None, failed))
    done = invoke(words)
    assert "lists failed passes of theirs: tsho/T012 (8). No figure counts them." in done.output
    found = json.loads((tmp_path / "report" / "scores.json").read_text())
    assert found["series_failed"] == {"tsho/T012": 8}
    assert found["series_not_stored"] == ["tsho/T012", "tsho/T019"]


def test_an_earlier_report_is_replaced_and_what_else_lies_there_stays(tmp_path: Path) -> None:
    words = arguments(tmp_path, looks())
    invoke(words)
    report = tmp_path / "report"
    numbers = json.loads((report / "scores.json").read_text())
    numbers["files"] += ["old.png", "../store/outside.png"]
    (report / "scores.json").write_text(json.dumps(numbers))
    for path in (report / "old.png", report / "mine.txt", tmp_path / "store" / "outside.png"):
        path.write_text("x")
    assert invoke(words).exit_code == 0
    assert not (report / "old.png").exists()
    assert (report / "mine.txt").exists() and (tmp_path / "store" / "outside.png").exists()


def test_a_folder_with_something_else_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments(tmp_path, looks())
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "thesis.md").write_text("x")
    said = fails_with(words, monkeypatch, capsys)
    assert "no earlier report" in said and "new or empty" in said
    assert [one.name for one in (tmp_path / "report").iterdir()] == ["thesis.md"]
    assert "no earlier report" in fails_with([*words[:-1], str(tmp_path / "archive")], monkeypatch, capsys)


def test_what_does_not_belong_together_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments(tmp_path, looks())
    real = write_store(tmp_path / "real", looks(), replace(HEADER, simulated=False))
    empty = tmp_path / "empty"
    empty.mkdir()
    for change, expected in (
        (("--truth", str(empty)), "holds no whole truth"),
        (("--store", str(tmp_path / "nowhere")), "no glaciolake store"),
        (("--store", real), "not of simulated scenes"),
    ):
        said = fails_with([*words, *change], monkeypatch, capsys)
        assert expected in said and "Traceback" not in said and said.count("\n") == 1
    assert not (tmp_path / "report").exists()


def test_what_to_score_and_against_what_must_be_given(tmp_path: Path) -> None:
    words = arguments(tmp_path, looks())
    for missing in ("--truth", "--store"):
        at = words.index(missing)
        done = invoke([*words[:at], *words[at + 2 :]])
        assert done.exit_code == 2 and missing in done.output


@pytest.mark.parametrize("word", ["--raw", "--model", "--train"])
def test_what_belongs_to_pairs_is_refused_beside_a_store(tmp_path: Path, word: str) -> None:
    done = invoke([*arguments(tmp_path, looks()), word, str(tmp_path)])
    assert done.exit_code == 2 and "go with --pairs" in " ".join(done.output.split())


def test_a_store_in_which_nothing_has_an_area_is_reported_all_the_same(tmp_path: Path) -> None:
    some = [replace(one, has_area=False, flags=int(Flag.INCOMPLETE)) for one in two_summers()]
    done = invoke(arguments(tmp_path, some))
    assert done.exit_code == 0, done.output
    assert "No open-water slice could be scored" in done.output
    assert "8 of them without an area" in done.output
    assert not (tmp_path / "report" / "tsho-T121-worst.png").exists()


@pytest.mark.parametrize("words", [["--seeds", "3"], ["--intervals"]])
def test_what_only_training_knows_is_refused_without_a_split(tmp_path: Path, words: list[str]) -> None:
    result = invoke(["evaluate", "--pairs", str(tmp_path), *words])
    assert result.exit_code == 2 and "--split" in result.output


def test_a_folder_that_holds_something_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    # The pairs are not there: whoever looked at them first would say so.
    words = ["evaluate", "--pairs", str(tmp_path / "none"), "--split", "scene", "--out", str(tmp_path)]
    assert "holds something that is no earlier report" in fails_with(words, monkeypatch, capsys)
