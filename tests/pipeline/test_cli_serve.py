"""``glaciolake simulate serve``: by itself, around a command, and where it is used wrongly."""

from __future__ import annotations

import builtins
import os
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests
import typer
from typer.testing import CliRunner

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.simulate.order import make_order, write_recipe
from glaciolake.catalog.simulate.serve.files import FileHosts
from glaciolake.catalog.simulate.serve.hosts import SIGNED_HOST
from glaciolake.catalog.simulate.serve.options import Options
from glaciolake.catalog.simulate.serve.server import served
from glaciolake.pipeline.cli_serve import _account, serve
from glaciolake.pipeline.errors import PipelineError
from tests.catalog.serving import PASSES, address, session, write_folder
from tests.pipeline.chain import write_dates, write_network, write_registry
from tests.pipeline.terminal import OnTerminal

SERVE = [
    sys.executable,
    "-c",
    "import typer; from glaciolake.pipeline.cli_serve import serve; typer.run(serve)",
]
app = typer.Typer()
app.command()(serve)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("archive"), catalogued=True)


def failure(*arguments: str) -> str:
    """Words with which a command stops for what it finds."""
    caught = CliRunner().invoke(app, arguments)
    assert isinstance(caught.exception, CatalogError | PipelineError), caught.output
    return str(caught.exception)


def wrong_use(*arguments: str) -> str:
    """Words with which a value is refused, with exit code 2."""
    caught = CliRunner().invoke(app, arguments, terminal_width=200, env={"COLUMNS": "200"})
    assert caught.exit_code == 2, caught.output
    return " ".join(caught.output.replace("│", " ").split())


def test_it_serves_until_it_is_stopped(folder: Path) -> None:
    process = subprocess.Popen(
        [*SERVE, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    variables: dict[str, str] = {}
    while "SIMULATED_MIRROR" not in variables:
        assert variables or select.select([process.stdout], [], [], 30)[0]  # all are printed at once
        words = process.stdout.readline().split(maxsplit=1)
        assert words and words[0] == "export", process.communicate()
        name, _, value = words[1].strip().partition("=")
        variables[name] = value
    with urllib.request.urlopen(f"{variables['SIMULATED_STAC']}search", timeout=10) as said:
        assert b'"numberMatched":10' in said.read()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=10)
    assert process.returncode == 0, told
    assert f"Serving {2 * PASSES + 1} granules" in told and "Served: stac=1" in told
    assert not Path(variables["SSL_CERT_FILE"]).exists()


@pytest.mark.parametrize(("command", "code"), [("exit 7", 7), ("kill -TERM $$", 143), ("true", 0)])
def test_around_a_command_it_ends_with_its_code(
    folder: Path, command: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = CliRunner().invoke(app, [str(folder), "--token", "mine", "--", "sh", "-c", command])
    assert said.exit_code == code and "Served: nothing" in said.output


def test_the_command_finds_the_archive(folder: Path, tmp_path: Path) -> None:
    script = f'echo "$EARTHDATA_TOKEN $HTTPS_PROXY $SIMULATED_STAC" > {tmp_path}/said'
    assert CliRunner().invoke(app, [str(folder), "--token", "mine", "--", "sh", "-c", script]).exit_code == 0
    token, proxy, stac = (tmp_path / "said").read_text().split()
    assert token == "mine" and proxy.startswith("http://127.0.0.1:") and stac.endswith("/stac/")


def test_a_command_that_is_not_there_is_told(folder: Path) -> None:
    said = CliRunner().invoke(app, [str(folder), "--", "no-such-command"])
    assert said.exit_code == 127 and "cannot run 'no-such-command'" in said.output


def test_wrong_use_is_told_in_words(folder: Path, tmp_path: Path) -> None:
    assert "is no folder" in failure(str(tmp_path / "nowhere"))
    assert "holds no image" in failure(str(tmp_path))
    assert "no fault 'teapot'; there are 401" in wrong_use(str(folder), "--fault", "teapot=0.1")
    assert "give 0 to 1" in wrong_use(str(folder), "--fault", "500=2")
    assert "500 is given twice" in wrong_use(str(folder), "--fault", "500=0.1", "--fault", "500=0.1")
    assert "PATTERN=KIND" in wrong_use(str(folder), "--broken", "*_VV.tif")
    assert "port is 70000" in wrong_use(str(folder), "--port", "70000")
    assert "the token is empty" in wrong_use(str(folder), "--token", "")
    assert "2024-06-04T12:00:00Z" in wrong_use(str(folder), "--now", "noon")
    assert "without a zone" in wrong_use(str(folder), "--now", "2024-06-04T12:00:00")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port} cannot be used" in failure(str(folder), "--port", port)


def test_an_archive_that_was_begun_and_not_finished_is_not_served(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "archive")
    order = make_order(["thame"], (date(2024, 6, 1), date(2024, 8, 1)))
    write_recipe(folder, order, complete=False)
    said = failure(str(folder), "--", "true")
    assert "was begun and not finished" in said and "delete it and begin anew" in said
    write_recipe(folder, order, complete=True)
    assert CliRunner().invoke(app, [str(folder), "--", "true"]).exit_code == 0


def test_a_missing_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name == "uvicorn" or name.startswith("glaciolake.catalog.simulate.serve.server"):
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "uvicorn, which is not installed; get it by pip install 'glaciolake[serve]'" in failure(
        str(folder)
    )


def test_a_run_with_broken_files_ends_with_3_and_lists_them(tmp_path: Path) -> None:
    write_dates(tmp_path / "archive", 4)
    registry, network = write_registry(tmp_path / "lakes.geojson"), write_network(tmp_path / "dark.onnx")
    settings = tmp_path / "run.yaml"
    settings.write_text(
        f"source: asf\nstore: {tmp_path}/lakes.icechunk\nlakes: [test-tsho]\nregistry: {registry}\n"
        f"model: {network}\nengine: onnxruntime\nend: 2021-09-01\ncluster: {{n_workers: 1}}\n"
    )
    run = [sys.executable, "-m", "glaciolake.pipeline", "run", "--config", str(settings)]
    broken = ["--broken", "*_20210715T*_VV.tif=401"]
    environment = os.environ | {"GLACIOLAKE_CACHE": str(tmp_path / "cache")}
    said = subprocess.run(
        [*SERVE, str(tmp_path / "archive"), *broken, "--", *run],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert said.returncode == 3, said.stderr
    assert said.stderr.count("not used: ") == 1 and "login was refused" in said.stderr
    assert "not used: test-tsho/T121/T121_S1A_20210715: " in said.stderr
    assert "other hosts refused: none" in said.stderr


COUNTING = """
import os, signal, sys, time
there, here = os.pipe()
os.set_blocking(here, False)
signal.set_wakeup_fd(here)  # a byte for each, where handlers in Python run once for two that come close
heard = []
signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
print("ready", flush=True)
while not heard:
    time.sleep(0.02)
time.sleep(1)  # a second one would be here by now
n = len(os.read(there, 9))
print("heard", n, flush=True)
sys.exit(40 + n)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
SLOW = [
    sys.executable,
    "-c",
    """
import subprocess, time, typer
from glaciolake.pipeline.cli_serve import serve
send = subprocess.Popen.send_signal
def slow(process, number):
    time.sleep(0.2)  # the kernel makes one signal of two that come at the same time
    send(process, number)
subprocess.Popen.send_signal = slow
typer.run(serve)
""",
]
IMPATIENT = [
    sys.executable,
    "-c",
    "import typer; from glaciolake.pipeline import child; child.GRACE_S = 0.5\n"
    "from glaciolake.pipeline.cli_serve import serve; typer.run(serve)",
]


@pytest.fixture
def on_terminal(folder: Path, tmp_path: Path) -> Iterator[Callable[..., OnTerminal]]:
    begun: list[OnTerminal] = []

    def begin(*rest: str, serve: list[str] = SERVE) -> OnTerminal:
        begun.append(OnTerminal([*serve, str(folder), *rest], tmp_path / "temporary"))
        return begun[-1]

    yield begin
    for one in begun:
        one.close()


def left_behind(one: OnTerminal) -> list[str]:
    return [path.name for path in one.temporary.glob("glaciolake-serve-*")]


def test_ctrl_c_reaches_the_command_once_and_its_code_is_ours(
    on_terminal: Callable[..., OnTerminal],
) -> None:
    running = on_terminal("--", sys.executable, "-c", COUNTING, serve=SLOW)
    running.read_until("ready")
    assert left_behind(running)
    running.press_ctrl_c()
    assert running.end() == 41 and "heard 1" in running.said and "Served: " in running.said
    assert not left_behind(running)


def test_sigint_from_elsewhere_is_passed_on(folder: Path) -> None:
    process = subprocess.Popen(
        [*SERVE, str(folder), "--", sys.executable, "-c", COUNTING],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # no terminal could have told the command
    )
    try:
        assert process.stdout is not None and select.select([process.stdout], [], [], 30)[0]
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=10)
        assert process.returncode == 41 and said == "heard 1\n"
    finally:
        process.kill()
        process.wait(timeout=10)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("command", ["none", "obedient", "deaf"])
def test_being_told_to_end_ends_the_command_and_leaves_nothing(
    on_terminal: Callable[..., OnTerminal], number: signal.Signals, code: int, command: str
) -> None:
    rest = {"none": [], "obedient": ["-c", COUNTING], "deaf": ["-c", DEAF]}[command]
    around = ["--", sys.executable, *rest] if rest else []
    running = on_terminal(*around, serve=IMPATIENT)
    running.read_until("ready" if rest else "Ctrl-C stops")
    assert left_behind(running)
    running.process.send_signal(number)
    assert running.end() == code and "Served: nothing" in running.said, running.said
    assert not left_behind(running) and not running.is_running()


@pytest.mark.parametrize(
    ("content", "mode", "code"), [("#!/bin/sh\n", 0o644, 126), ("no program", 0o755, 126), (None, 0, 127)]
)
def test_a_command_that_cannot_be_executed_is_told_from_one_that_is_not_there(
    folder: Path, tmp_path: Path, content: str | None, mode: int, code: int
) -> None:
    script = tmp_path / "script"
    if content is not None:
        script.write_text(content)
        script.chmod(mode)
    said = CliRunner().invoke(app, [str(folder), "--", str(script)])
    assert said.exit_code == code and f"cannot run '{script}'" in said.output


def test_nothing_is_said_but_the_account(folder: Path) -> None:
    ask = 'curl -s -o "$NOWHERE" "${SIMULATED_STAC}search?token=xx" "${SIMULATED_STAC}collections/none"'
    said = subprocess.run(
        [*SERVE, str(folder), "--", "sh", "-c", ask],
        capture_output=True,
        text=True,
        env=os.environ | {"NOWHERE": os.devnull},
        timeout=60,
        check=False,
    )
    assert said.stderr.splitlines() == [
        "Served: stac=2; faults: none; other hosts refused: none; logins refused: none; "
        "logins shown to the signed host: none"
    ]


def test_the_account_tells_wrong_logins_leaks_and_faults_that_met_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = {"403-head": 0.5, "429": 1e-9}
    broken = (("*_VV.tif", "500"), ("*_nowhere.tif", "500"), ("*_VH.tif", "403-head"))
    with served(folder, Options(faults=faults, broken=broken)) as running:
        for token in ("wrong", running.options.token):
            session(running, token=token).get(address(running, "VH"), allow_redirects=False, timeout=10)
        session(running, token="x").get(f"https://{SIGNED_HOST}/a", timeout=10)
        session(running).get(address(running, "VV"), timeout=10)
        said = _account(running)
    assert said == [
        "Served: data=2 signed=1; faults: 500=1; other hosts refused: none; logins refused: 1; "
        "logins shown to the signed host: 1",
        "glaciolake: --broken *_nowhere.tif=500: no request was for such a file, and could meet 500",
        "glaciolake: --broken *_VH.tif=403-head: no request was for such a file, and could meet 403-head",
        "glaciolake: --fault 403-head=0.5: no request could meet it",
        "glaciolake: --fault 429=1e-09: none of the 4 requests that could meet it did",
    ]


def test_a_server_that_cannot_start_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: object, sockets: object) -> None:
        raise OSError("no more files")

    async def gives_up(self: object, sockets: object) -> None:
        sys.exit(1)

    async def leaves(self: object, sockets: object) -> None:
        return

    wrong: list[tuple[Any, type[Exception], str]] = [
        (broken, OSError, "no more files"),
        (gives_up, CatalogError, "gave up before it answered"),
        (leaves, CatalogError, "ended before it answered"),
    ]
    for start, kind, words in wrong:
        monkeypatch.setattr("uvicorn.Server.serve", start)
        with pytest.raises(kind, match=words), served(folder):
            pass


def test_an_error_of_the_server_itself_is_told_and_counted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: object, path: str) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(FileHosts, "send", broken)
    with served(folder) as running:
        url = f"http://127.0.0.1:{running.port}/files/a.tif"
        assert session(running).get(url, timeout=10).status_code == 500
        assert running.crashes == 1 and "errors of this server: 1" in _account(running)[0]
    assert "failed to answer GET /files/a.tif" in caplog.text and "RuntimeError: a bug of ours" in caplog.text
    caplog.clear()
    with served(folder, Options(faults={"500": 1.0})) as running:
        url = f"http://127.0.0.1:{running.port}/files/a.tif"
        assert session(running).get(url, timeout=10).status_code == 500
        assert running.crashes == 0 and not caplog.text


def test_plain_http_to_other_hosts_stays_here_too(folder: Path) -> None:
    with served(folder) as running:
        variables = running.environment
        asked = {"http": variables["http_proxy"]}
        for method in ("GET", "POST"):
            said = requests.request(
                method,
                "http://me:secret@example.org:8080/x",
                proxies=asked,
                data=b"0" * 300_000,
                timeout=10,
            )
            assert said.status_code == 403 and "it refuses example.org" in said.text
        assert running.refused == ["example.org"] * 2
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        assert variables[name] == variables[name.lower()] == f"http://127.0.0.1:{running.proxy_port}"
    assert variables["NO_PROXY"] == variables["no_proxy"] == "127.0.0.1,localhost"
