"""The command line tells what happened, in words and in its exit code."""

from __future__ import annotations

import io
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, redirect_stderr
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from distributed import LocalCluster
from typer.testing import CliRunner, Result

from glaciolake.catalog.readers import open_store
from glaciolake.pipeline.__main__ import app, main, options
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.trial import judge, measured_area_m2
from tests.pipeline.chain import FIRST, lake_power, write_dates, write_network, write_registry
from tests.pipeline.scenes import write_granule
from tests.pipeline.terminal import OnTerminal


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    place = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": ":0"}
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **place) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def arguments(tmp_path: Path, scheduler: str) -> list[str]:
    write_dates(tmp_path / "archive", 3)
    return [
        *("run", "--source", str(tmp_path / "archive"), "--store", str(tmp_path / "store")),
        *("--lakes", "test-tsho", "--registry", str(write_registry(tmp_path / "lakes.geojson"))),
        *("--model", str(write_network(tmp_path / "dark.onnx")), "--scheduler", scheduler),
    ]


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def unboxed(result: Result) -> str:
    """What stands in the frame around a wrong use, as one line."""
    return " ".join(result.output.replace("│", " ").split())


def fails_with(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command as a shell would, expect exit code 1, and return what stands on stderr."""
    monkeypatch.setattr(sys, "argv", ["glaciolake", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_a_run_ends_with_a_table_and_a_series_can_be_written(arguments: list[str], tmp_path: Path) -> None:
    done = invoke(*arguments)
    assert done.exit_code == 0, done.output
    assert all(word in done.output for word in ("T121", "km2", "3 of 3", "3/3 slices"))
    store = str(tmp_path / "store")
    csv = invoke("series", store, "--lake", "test-tsho", "-o", str(tmp_path / "a.csv"))
    assert csv.exit_code == 0
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table.track.unique()) == ["T121"] and len(table) == 3
    for form in ("parquet", "geojson"):
        path = tmp_path / f"a.{form}"
        assert invoke(
            "series", store, "--lake", "test-tsho", "--track", "t121", "--format", form, "-o", str(path)
        )
        assert path.stat().st_size > 0
    figure = tmp_path / "lake.png"
    assert invoke("plot", store, "--lake", "test-tsho", "-o", str(figure)).exit_code == 0
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_exit_code_three_says_done_but_not_complete(arguments: list[str], tmp_path: Path) -> None:
    write_granule(tmp_path / "archive", FIRST, {"vv": lake_power(0) * 0})
    done = invoke(*arguments)
    assert done.exit_code == 3
    assert "no pixel with data over the lake" in done.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--lakes", "lake-como"), "lake-como"),
        (("--start", "2022-01-02", "--end", "2022-01-01"), "swap them"),
        (("--source", "nowhere/at/all"), "is no source that exists"),
        (("--model", "unknown-net"), "unknown network 'unknown-net'"),
        (("--start", "2012-01-01", "--end", "2012-02-01"), "no usable scene over test-tsho"),
        (("--scheduler", "tcp://127.0.0.1:9"), "no scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_a_wrong_argument_is_one_clear_line_and_exit_code_one(
    arguments: list[str],
    change: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = fails_with([*arguments, *change], monkeypatch, capsys)
    assert words in said
    assert "Traceback" not in said


def test_a_store_that_is_something_else_is_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = fails_with([*arguments, "--store", str(tmp_path / "archive")], monkeypatch, capsys)
    assert "not a glaciolake store" in said


def test_a_process_that_calls_several_commands_logs_each_line_once() -> None:
    ours = logging.getLogger("glaciolake")
    options()
    n_handlers = len(ours.handlers)
    for verbose in (True, False, True):
        stderr = io.StringIO()
        with redirect_stderr(stderr):
            options(verbose=verbose)
        ours.info("one line")
        assert stderr.getvalue().count("INFO glaciolake one line\n") == verbose
    assert len(ours.handlers) == n_handlers
    options()  # as other tests expect it


def test_the_printed_configuration_is_a_valid_one(tmp_path: Path) -> None:
    printed = invoke("config")
    assert printed.exit_code == 0
    (tmp_path / "run.yaml").write_text(printed.output)
    assert invoke("config", str(tmp_path / "run.yaml")).output == printed.output


def test_a_catalogue_is_built_and_searched(arguments: list[str], tmp_path: Path) -> None:
    built = invoke("catalog", "build", str(tmp_path / "archive"), "-o", str(tmp_path / "stac"))
    assert built.exit_code == 0 and "3 items" in built.output
    found = invoke(
        *("catalog", "search", "--source", str(tmp_path / "stac" / "catalog.json"), "--lake", "test-tsho"),
        *("--registry", str(tmp_path / "lakes.geojson"), "--start", "2021-07-01", "--end", "2021-07-20"),
    )
    assert found.exit_code == 0
    assert found.output.count("OPERA_L2_RTC-S1_T121-258662-IW2") == 2


def test_help_names_every_command_and_loads_no_heavy_library() -> None:
    code = (
        "import sys; from glaciolake.pipeline.__main__ import app\n"
        "heavy = {'torch', 'xarray', 'dask', 'rasterio', 'numba', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    shown = invoke("--help").output
    for command in ("demo", "run", "catalog", "series", "plot", "config", "doctor"):
        assert command in shown


WAITS = """
import time
from glaciolake.pipeline.__main__ import app, main

@app.command()
def wait() -> None:
    print("waiting", flush=True)
    time.sleep(60)

main()
"""


def test_ctrl_c_says_that_what_is_committed_stays(tmp_path: Path) -> None:
    with closing(OnTerminal([sys.executable, "-c", WAITS, "wait"], tmp_path / "temporary")) as command:
        command.read_until("waiting")
        command.press_ctrl_c()
        assert command.end() == 130
        assert "glaciolake: stopped; what is committed stays." in command.said
        assert "Traceback" not in command.said


def test_sigterm_ends_a_command_in_order(tmp_path: Path) -> None:
    with closing(OnTerminal([sys.executable, "-c", WAITS, "wait"], tmp_path / "temporary")) as command:
        command.read_until("waiting")
        command.process.send_signal(signal.SIGTERM)
        assert command.end() == 143
        assert "glaciolake: ended by SIGTERM; what is committed stays." in command.said
        assert "Traceback" not in command.said


def test_the_last_days_are_counted_from_today(arguments: list[str]) -> None:
    today = datetime.now(UTC).date()
    of_old = (today - FIRST.date()).days
    assert "3/3 slices" in invoke(*arguments, "--last-days", str(of_old + 1)).output
    asked = ["--start", str(today - timedelta(days=30)), "--end", str(today)]
    told = CliRunner().invoke(app, [*arguments, *asked])
    assert isinstance(told.exception, PipelineError)
    assert f"from {today - timedelta(days=30)} to {today}" in str(told.exception)
    assert invoke(*arguments, "--last-days", "30").exit_code == 0, "an hour without a scene is no error"
    both = CliRunner().invoke(app, [*arguments, "--last-days", "30", "--start", "2021-01-01"])
    assert both.exit_code == 2 and "leave --start and --end out" in unboxed(both)


def test_other_settings_get_a_generation_of_their_own_where_that_is_asked_for(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke(*arguments)
    (tmp_path / "run.yaml").write_text("source: a\nstore: b\ndespeckle: {method: none}\n")
    other = [*arguments, "--config", str(tmp_path / "run.yaml")]
    assert "or run with --new-generation" in fails_with(other, monkeypatch, capsys)
    store = open_store(str(tmp_path / "store"))
    assert list(store.to_dataframe()["generations"]) == [1]
    assert "3/3 slices" in invoke(*other, "--new-generation").output
    assert list(store.refresh().to_dataframe()["generations"]) == [2]


def test_a_configuration_is_given_as_the_argument(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(f"source: {tmp_path / 'archive'}\nstore: {tmp_path / 'other'}\n")
    rest = [word for word in arguments[1:] if word not in ("--source", "--store")]
    rest = [word for word in rest if word not in (str(tmp_path / "archive"), str(tmp_path / "store"))]
    assert invoke("run", str(tmp_path / "run.yaml"), *rest).exit_code == 0
    assert (tmp_path / "other").is_dir()
    twice = CliRunner().invoke(app, ["run", str(tmp_path / "a.yaml"), "--config", str(tmp_path / "b.yaml")])
    assert twice.exit_code == 2 and "; give one" in unboxed(twice)


def test_workers_are_tried_with_a_lake_of_known_size(scheduler: str, tmp_path: Path) -> None:
    done = invoke("doctor", "--store", str(tmp_path), "--scheduler", scheduler, "--job")
    assert "ok    job on cpu workers: right" in done.output
    assert judge(measured_area_m2()) == ""
    assert judge(1e6) == "the drawn lake of 0.638 km2 was measured as 1.000 km2"
    assert "nan" in judge(float("nan"))


def test_the_workers_of_a_cluster_are_listed_and_can_be_taken_out(scheduler: str) -> None:
    listed = invoke("cluster", "status", "--scheduler", scheduler)
    assert listed.exit_code == 0 and "running" in listed.output and "cpu" in listed.output
    odd = CliRunner().invoke(app, ["cluster", "status", "--scheduler", "here"])
    assert odd.exit_code == 2 and "'here' is no scheduler address" in unboxed(odd)
    gone = CliRunner().invoke(app, ["cluster", "retire", "nobody", "--scheduler", scheduler])
    assert "no worker nobody at" in str(gone.exception)
