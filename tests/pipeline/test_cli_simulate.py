"""The command that writes a simulated archive, and the chain on what it wrote."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest
from distributed import LocalCluster
from typer.testing import CliRunner, Result

from glaciolake.catalog.simulate.order import read_recipe
from glaciolake.pipeline.__main__ import app
from tests.pipeline.terminal import OnTerminal
from tests.pipeline.test_cli import fails_with


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


@pytest.fixture(scope="module")
def scheduler() -> object:
    place = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": ":0"}
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **place) as cluster:
        yield cluster.scheduler_address


def test_an_archive_is_written_and_says_how_to_run_it(tmp_path: Path, scheduler: str) -> None:
    out = tmp_path / "archive"
    done = invoke("simulate", str(out), "--lakes", "thame", "--years", "2016", "--scheduler", scheduler)
    assert done.exit_code == 0, done.output
    recipe = read_recipe(out)
    assert recipe is not None and recipe[1]
    assert str(recipe[0].start) == "2016-04-14" and recipe[0].sites == ("thame",)
    assert (
        f"glaciolake run --source {out / 'catalog' / 'catalog.json'} --registry {out / 'lakes.geojson'}"
        in (done.output.replace("\n", ""))
    )
    again = CliRunner().invoke(app, ["simulate", "archive", str(out), "--scheduler", scheduler])
    assert "is not empty; give a folder that is empty or not there yet" in str(again.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--years", "-3"), "years '-3': give two, such as 2016-2025"),
        (("--years", "2014-2015"), "give years from 2016 to 2039"),
        (("--years", "2020-2018"), "the earlier first"),
        (("--damage", "html"), "damage 'html': give a kind and a share"),
        (("--damage", "html=2"), "damage html=2.0: give one of truncated, crs, nan, html and a share"),
        (("--damage", "html=0.1", "--damage", " html =0.2"), "damage 'html' is given twice"),
        (("--profile", "andes"), "profile 'andes' is unknown; give one of himalaya"),
        (("--lakes", "atlantis"), "the simulated archive has no site 'atlantis'"),
        (("--lakes", ","), "no site is asked for; give a number of sites, or some of tsho-rolpa"),
        (("--lakes", "0"), "0 sites cannot be simulated; give 1 to"),
        (("--lakes", "-4"), "-4 sites cannot be simulated"),
        (("--seed", "-1"), "seed -1 is negative"),
    ],
)
def test_wrong_use_is_told_before_anything_is_written(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = CliRunner().invoke(
        app, ["simulate", str(tmp_path / "a"), *words], terminal_width=200, env={"COLUMNS": "200"}
    )
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())
    assert not (tmp_path / "a").exists()


def test_a_folder_that_holds_something_is_no_wrong_use_but_stops_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    said = fails_with(["simulate", str(tmp_path)], monkeypatch, capsys)
    assert "is not empty; give a folder that is empty" in said and said.count("\n") == 1


def test_ctrl_c_ends_with_a_line_and_no_word_of_the_workers(tmp_path: Path) -> None:
    out = tmp_path / "archive"
    command = [sys.executable, "-m", "glaciolake.pipeline", "simulate", str(out), "--workers", "1"]
    with closing(OnTerminal(command, tmp_path / "temporary")) as running:
        running.read_until("simulating scenes", 60)
        running.press_ctrl_c()
        assert running.end(60) == 130, running.said
    lines = [line for line in running.said.splitlines() if "simulating scenes" not in line and line.strip()]
    assert "Traceback" not in running.said and "ERROR" not in running.said, running.said
    assert sum("stopped; half an archive is in " in line for line in lines) == 1
    recipe = read_recipe(out)
    assert recipe is not None and not recipe[1]
    again = CliRunner().invoke(app, ["simulate", str(out)])
    assert "an archive was begun there and not finished" in str(again.exception)


def test_ctrl_c_before_anything_is_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("glaciolake.catalog.simulate.order.make_order", interrupted)
    done = CliRunner().invoke(app, ["simulate", str(tmp_path / "archive")])
    assert done.exit_code == 130 and "stopped; nothing was written" in done.output
