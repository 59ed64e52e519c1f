"""``glaciolake simulate serve``: by itself, around a command, and where it is used wrongly."""

from __future__ import annotations

import builtins
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from glaciolake.catalog.errors import CatalogError
from glaciolake.pipeline.cli_serve import serve
from glaciolake.pipeline.errors import PipelineError
from tests.catalog.serving import PASSES, write_folder
from tests.pipeline.chain import write_dates, write_network, write_registry

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
    """Words with which a command line is refused."""
    caught = CliRunner().invoke(app, arguments)
    assert isinstance(caught.exception, CatalogError | PipelineError | SystemExit), caught.output
    return str(caught.exception) + caught.output


def test_it_serves_until_it_is_stopped(folder: Path) -> None:
    process = subprocess.Popen(
        [*SERVE, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    variables: dict[str, str] = {}
    while "SIMULATED_MIRROR" not in variables:
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
    assert "no fault 'teapot'; there are 401" in failure(str(folder), "--fault", "teapot=0.1")
    assert "give 0 to 1" in failure(str(folder), "--fault", "500=2")
    assert "PATTERN=KIND" in failure(str(folder), "--broken", "*_VV.tif")
    assert "2024-06-04T12:00:00Z" in failure(str(folder), "--now", "noon")
    assert "without a zone" in failure(str(folder), "--now", "2024-06-04T12:00:00")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port} cannot be used" in failure(str(folder), "--port", port)


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
