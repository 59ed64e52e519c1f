"""pyproject.toml, environment.yml and the pins say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
IN_CONDA = ("openvino", "notebook")
"""Extras that environment.yml holds beside the base."""

CONDA_NAME = {"dask": "dask-core", "matplotlib": "matplotlib-base"}
"""What conda-forge calls a package, where the name differs from PyPI's."""

ONLY_CONDA = {"pip"}
"""What conda must be told and pip knows of itself."""


def conda_lines() -> list[str]:
    """Dependencies of environment.yml that conda itself installs."""
    lines = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    return [line for line in lines if isinstance(line, str)]


def wanted() -> list[str]:
    """Requirements of the base, its build, and the extras in `IN_CONDA`, under their conda-forge names."""
    texts = list(PROJECT["dependencies"]) + list(PYPROJECT["build-system"]["requires"])
    for extra in IN_CONDA:
        texts += PROJECT["optional-dependencies"][extra]
    found = [f"python{PROJECT['requires-python']}"]
    for requirement in map(Requirement, texts):
        found.append(f"{CONDA_NAME.get(requirement.name, requirement.name)}{requirement.specifier}")
    return found


def pins() -> dict[str, Version]:
    """Pinned versions by canonical name."""
    lines = (ROOT / "constraints" / "py311.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def test_conda_names_and_floors_are_those_of_pyproject() -> None:
    assert sorted(line for line in conda_lines() if line not in ONLY_CONDA) == sorted(wanted())


def test_conda_installs_the_package_itself_and_nothing_else_by_pip() -> None:
    parts = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert [part for part in parts if not isinstance(part, str)] == [{"pip": ["-e ."]}]


@pytest.mark.parametrize("extra", ["", *PROJECT["optional-dependencies"]])
def test_every_requirement_is_pinned_at_a_version_it_allows(extra: str) -> None:
    texts = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    pinned = pins()
    for requirement in map(Requirement, texts):
        if requirement.name == PROJECT["name"]:
            continue
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} has no pin in constraints/py311.txt; run 'make constraints'"
        assert pinned[name] in requirement.specifier, f"{name}: pin {pinned[name]} is outside {requirement}"


def test_pins_carry_no_local_version_that_only_one_index_knows() -> None:
    assert not re.search(r"[+@]|file:", (ROOT / "constraints" / "py311.txt").read_text())


def test_torch_and_torchvision_are_the_pair_that_was_built_together() -> None:
    torch = [line for line in PROJECT["optional-dependencies"]["torch"] if line.startswith("torch")]
    assert torch == ["torch==2.13.0", "torchvision==0.28.0"]


def test_base_needs_no_torch() -> None:
    names = {Requirement(text).name for text in PROJECT["dependencies"]}
    assert not names & {"torch", "torchvision", "segmentation-models-pytorch", "onnx", "onnxscript"}
