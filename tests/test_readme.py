"""Every code block of the README runs, as it stands there, offline."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from glaciolake.catalog.simulate.serve.server import served

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCHEDULER = "tcp://scheduler:8786"
"""The README's placeholder for an address; the test puts its own scheduler there."""


class Block(NamedTuple):
    """A code block: nearest heading above it, its number under that heading, language, text."""

    heading: str
    number: int
    language: str
    text: str

    @property
    def key(self) -> str:
        return f"{self.heading} {self.number}"


def blocks() -> list[Block]:
    """Code blocks of the README in order; ``text`` blocks are pictures."""
    found: list[Block] = []
    for section in re.split(r"^#+ ", (ROOT / "README.md").read_text(), flags=re.MULTILINE)[1:]:
        heading = section.splitlines()[0]
        code = [match.groups() for match in FENCE.finditer(section)]
        runnable = [(language, text) for language, text in code if language != "text"]
        found += [Block(heading, number, *one) for number, one in enumerate(runnable, start=1)]
    return found


BLOCKS = {block.key: block for block in blocks()}


def say(command: list[str], folder: Path, **variables: str) -> str:
    """Run a command in a folder, fail with its words, return what it said."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment = inherited | {"PATH": f"{BIN}:{os.environ['PATH']}", "MPLBACKEND": "Agg", **variables}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def shell(text: str, folder: Path, **variables: str) -> str:
    """Run a bash block, stopping at the first line that fails."""
    return say(["bash", "-euo", "pipefail", "-c", text], folder, **variables)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a reader who has just typed the first command."""
    folder = tmp_path_factory.mktemp("reader")
    # The environment that runs this test stands for .venv, and the results stay out of the checkout.
    command = f"{BLOCKS['glaciolake 1'].text.strip()} VENV={sys.prefix} OUT={folder / 'demo'}"
    said = say(["bash", "-euc", command], ROOT)
    assert "tsho-rolpa" in said
    return folder


def run_demo(block: Block, work: Path) -> None:
    assert block.text == "make demo\n"
    figure = (work / "demo" / "tsho-rolpa.png").read_bytes()
    assert figure.startswith(b"\x89PNG") and len(figure) > 50_000


def run_test(block: Block, work: Path) -> None:
    # Running the suite inside itself would never end; that CI runs this very command is what can be shown.
    assert block.text == "make test\n"
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == f"exec {block.text.strip()}"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "-m pytest" in say(["make", "--dry-run", "test", f"VENV={sys.prefix}"], ROOT)


def run_notebook(block: Block, work: Path) -> None:
    said = say([sys.executable, "-W", "error", "-c", block.text], work)
    told = dict(line.split() for line in said.splitlines() if len(line.split()) == 2)
    assert float(told["count"]) >= 5 and 1.0 < float(told["50%"]) < 2.0, said


def run_exports(block: Block, work: Path) -> None:
    shell(block.text, work)
    table = pd.read_csv(work / "tsho-rolpa.csv")
    assert set(table["track"]) == {"T121"} and table["area_m2"].notna().sum() >= 5
    assert (work / "tsho-rolpa.geojson").stat().st_size > 10_000


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """Address of a scheduler with one worker, both processes of their own on loopback."""
    at = tmp_path / "scheduler.json"
    serve = ["--scheduler-file", str(at), "--host", "127.0.0.1", "--no-dashboard", "--port", "0"]
    attach = [
        "--scheduler-file",
        str(at),
        "--nthreads",
        "1",
        "--no-dashboard",
        "--local-directory",
        str(tmp_path),
    ]
    started = []
    try:
        for tool, options in (("scheduler", serve), ("worker", attach)):
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "dask", tool, *options],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        yield address_in(at)
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=30)


def address_in(scheduler_file: Path) -> str:
    """Address that a scheduler wrote down, as soon as a worker has joined it."""
    from distributed import Client

    with Client(scheduler_file=str(scheduler_file), timeout=60) as client:
        client.wait_for_workers(1, timeout=60)
        return str(client.scheduler.address)


def run_archive(block: Block, work: Path) -> None:
    # The archive's hosts are played on loopback with the granules of the demo; the commands stay as they are.
    with served(work / "demo" / "archive") as archive:
        said = shell(block.text, work, **archive.environment)
        assert archive.refused == [] and archive.leaked == [] and archive.files.refused_logins == 0
        assert archive.requests["search"] > 0 and archive.requests["signed"] > 0
        token = archive.options.token
    assert re.search(r"T085 OPERA_L2_RTC-S1_T085\S+ .*vv", said) and "T121 OPERA" in said
    assert token not in said
    assert (work / "tsho-rolpa.png").read_bytes().startswith(b"\x89PNG")
    stored = b"".join(path.read_bytes() for path in (work / "lakes.icechunk").rglob("*") if path.is_file())
    assert len(stored) > 10_000 and token.encode() not in stored


def run_truth(block: Block, work: Path) -> None:
    said = shell(block.text, work)
    assert "other hosts refused: none" in said and "thame/T121" in said
    report = (work / "scores" / "report.md").read_text()
    assert "constant" in report and (work / "scores" / "bias.png").stat().st_size > 10_000


Runner = Callable[[Block, Path], None]
RUNNERS: dict[str, Runner] = {
    "glaciolake 1": run_demo,
    "glaciolake 2": run_test,
    "In a notebook 1": run_notebook,
    "In a notebook 2": run_exports,
    "On the real archive 1": run_archive,
    "Where the truth is known 1": run_truth,
}


def test_every_block_has_a_runner_and_every_runner_a_block() -> None:
    assert set(BLOCKS) == {*RUNNERS, "On a cluster 1"}


def test_every_block_is_short_and_of_a_language_that_is_run() -> None:
    for block in BLOCKS.values():
        assert block.language in {"bash", "python"}, block
        assert len(block.text.strip().splitlines()) <= 5, block


def test_files_that_the_readme_links_to_exist() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).is_file(), target


@pytest.mark.parametrize("key", RUNNERS)
def test_block_runs(key: str, work: Path) -> None:
    RUNNERS[key](BLOCKS[key], work)


def test_cluster_block_runs_on_a_scheduler_of_another_process(work: Path, scheduler: str) -> None:
    block = BLOCKS["On a cluster 1"]
    assert SCHEDULER in block.text
    said = shell(block.text.replace(SCHEDULER, scheduler), work)
    assert "chamlang" in said and (work / "cluster.icechunk").is_dir()
