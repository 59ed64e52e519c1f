"""Importing and using an inference library reports to nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from glaciolake.catalog.simulate.serve.server import served
from glaciolake.models import quiet
from tests.pipeline.chain import write_dates

USE = """
import sys
from glaciolake.models import quiet
library = getattr(quiet, sys.argv[1])()
assert library.__name__ == sys.argv[1]
assert sys.modules.get("openvino_telemetry") is None
"""


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_using_an_engine_asks_for_no_host(engine: str, tmp_path: Path) -> None:
    switches = ("CI", "TF_BUILD", "JENKINS_URL", "ORT_DISABLE_TELEMETRY")  # with these they are silent anyway
    outside_ci = {name: value for name, value in os.environ.items() if name not in switches}
    write_dates(tmp_path / "archive", 1)
    with served(tmp_path / "archive") as watched:
        subprocess.run(
            [sys.executable, "-c", USE, engine],
            env=outside_ci | watched.environment,
            cwd=tmp_path,
            check=True,
            timeout=120,
        )
    assert watched.refused == []


def test_a_users_own_choice_about_reports_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    quiet.onnxruntime()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"
