"""`glaciolake labels audit` tells wrong masks, reports them, and refuses what it cannot read in one line."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from glaciolake.pipeline.__main__ import app, main
from tests.models.scenes import write, write_data_set
from tests.models.test_audit import (
    SOUND,
    TRIED,
    drawn,
    kept,
    lake,
    moved,
    outline_file,
    shrunk,
    spoilt,
    write_mask,
)


def invoke(words: Sequence[object]) -> Result:
    return CliRunner().invoke(app, ["labels", "audit", *map(str, words)], catch_exceptions=False)


def fails_with(
    words: Sequence[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.setattr(sys, "argv", ["glaciolake", "labels", "audit", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("glaciolake: ") and said.count("\n") == 1 and "Traceback" not in said
    return said


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Pairs and chips of all drawn labels, the fourth of upper T121 shifted."""
    return write_data_set(tmp_path_factory.mktemp("labels"), spoilt(moved(0, -7)))


def test_a_wrong_mask_is_printed_and_reported(data_set: tuple[Path, Path], tmp_path: Path) -> None:
    pairs, chips = data_set
    done = invoke([pairs, "--raw", chips, "--out", tmp_path / "out"])
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    (row,) = [line for line in lines if line.startswith(f"upper T121 {SOUND[TRIED].start:%Y-%m-%d} ")]
    assert "its shore is 3.8 px off that of the 7 other dates of T121" in row and row.endswith(" wrong")
    assert "shifted 7 px left" in (tmp_path / "out" / "report.md").read_text()
    assert "24 labels: 1 wrong, 0 doubtful, 23 fine" in lines
    assert lines[-1].startswith("Report: ") and lines[-1].endswith("report.md")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("audit.json", "labels.csv", "report.md", "told-1.png"),
    ]


def test_the_numbers_are_printed_as_they_are_stored(data_set: tuple[Path, Path], tmp_path: Path) -> None:
    pairs, chips = data_set
    words = [pairs, "--raw", chips, "--out", tmp_path / "out", "--json"]
    printed = json.loads(invoke(words).stdout)
    stored = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert printed == {name: stored[name] for name in printed}
    assert [one["verdict"] for one in printed["labels"]].count("wrong") == 1
    assert invoke(words).exit_code == 0, "an earlier report is replaced"


def test_a_mask_without_georeference_is_told(tmp_path: Path) -> None:
    pairs, chips = write_data_set(tmp_path, list(SOUND))
    write_mask(next((pairs / "masks").glob("upper_*_0014.tif")), crs=None)
    done = invoke([pairs, "--raw", chips, "--out", tmp_path / "out"])
    assert "its file has no georeference" in done.output and "1 doubtful, 23 fine" in done.output
    assert "missing though most have one: 1." in (tmp_path / "out" / "report.md").read_text()


def test_outlines_and_a_network_are_heard(tmp_path: Path) -> None:
    """One date of a lake is drawn far smaller, and its image agrees: who else is asked decides."""
    labels = shrunk(seen=True)
    pairs, chips = write_data_set(tmp_path, labels)
    shores = outline_file(tmp_path / "lakes.geojson", [lake(14.0, 0.25)])
    (tmp_path / "out-folds").mkdir()
    kept(tmp_path / "out-folds" / "scene-0.npz", labels, 0.9)
    words = [pairs, "--raw", chips, "--out", tmp_path / "out"]
    assert "0 wrong, 1 doubtful" in invoke(words).output
    assert "1 wrong, 0 doubtful" in invoke([*words, "--outlines", shores]).output
    report = tmp_path / "out" / "report.md"
    assert "| an independent outline | 8 |" in report.read_text()
    invoke([*words, "--probabilities", tmp_path / "out-folds"])
    assert "| a network that has not learned from it | 8 |" in report.read_text()


def test_a_chip_that_is_lost_is_said(tmp_path: Path) -> None:
    pairs, chips = write_data_set(tmp_path, list(SOUND), lost_chips=2)
    done = invoke([pairs, "--raw", chips, "--out", tmp_path / "out"])
    assert done.exit_code == 0 and "24 labels: 0 wrong, 0 doubtful" in done.output
    text = (tmp_path / "out" / "report.md").read_text()
    assert "The power of 2 of 24 images was rebuilt from the equalised picture" in text
    refused = invoke([pairs, "--out", tmp_path / "out"])
    assert refused.exit_code == 2 and "--raw" in refused.output


def test_what_cannot_be_read_is_told_in_one_line(
    data_set: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pairs, chips = data_set
    words = [pairs, "--raw", chips, "--out", tmp_path / "out"]
    far = outline_file(tmp_path / "far.geojson", [lake(14.0, 0.25)])
    far.write_text(far.read_text().replace("[86.", "[80."))
    utm = {"crs": {"properties": {"name": "EPSG:32645"}}}
    other = outline_file(tmp_path / "utm.geojson", [lake(14.0, 0.25)], **utm)
    none = outline_file(tmp_path / "none.geojson", [])
    (tmp_path / "none").mkdir()
    (tmp_path / "elsewhere").mkdir()
    kept(
        tmp_path / "elsewhere" / "scene-0.npz",
        [drawn("pond", "T121", 0, SOUND[0].water, SOUND[0].water)],
        0.5,
    )
    for wrong, expected in (
        ([tmp_path, "--raw", chips], "no labelled image *.tif"),
        ([pairs, "--raw", tmp_path / "none"], "with data in"),
        ([*words, "--outlines", tmp_path / "missing.geojson"], "cannot read outlines"),
        ([*words, "--outlines", none], "holds no polygon"),
        ([*words, "--outlines", other], "give longitude and latitude"),
        ([*words, "--outlines", far], "touches a chip of the labelled lakes"),
        ([*words, "--probabilities", tmp_path / "none"], "no out-of-fold predictions"),
        ([*words, "--probabilities", tmp_path / "elsewhere"], "none of the 1 scenes predicted"),
        ([pairs, "--raw", chips, "--out", tmp_path], "no earlier audit of labels"),
    ):
        assert expected in fails_with(wrong, monkeypatch, capsys)
    assert not (tmp_path / "out").exists()


def test_a_mask_that_is_missing_or_of_another_size_is_named(
    data_set: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pairs, chips = tmp_path / "pairs", data_set[1]
    shutil.copytree(data_set[0], pairs)
    mask = next((pairs / "masks").glob("upper_*_0014.tif"))
    mask.unlink()
    words = [pairs, "--raw", chips, "--out", tmp_path / "out"]
    assert mask.name in fails_with(words, monkeypatch, capsys)
    write(mask, np.zeros((100, 100), np.uint8))
    said = fails_with(words, monkeypatch, capsys)
    assert mask.name in said and "100 x 100 px" in said
