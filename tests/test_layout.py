"""The shape of the code: one import root, one direction, small parts, nothing done at import."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("catalog", "cluster", "models", "pipeline")
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 40
MAY_IMPORT: dict[str, set[str]] = {
    "catalog": set(),
    "cluster": set(),
    "models": {"catalog"},
    "pipeline": {"catalog", "models", "cluster"},
}
CLUSTER_IS_SEEN_BY = {
    "__main__.py",
    "cli_cluster.py",
    "cli_run.py",
    "cli_simulate.py",
    "config.py",
    "record.py",
    "run.py",
}
NEEDS_TORCH = {"glaciolake.models.train", "glaciolake.models.export", "glaciolake.models.network"}
SKIPPED_FOLDERS = {"build", "dist", "demo", "runs", "glaciolake.egg-info", "__pycache__"}
NO_TEXT = {".onnx", ".png", ".tif", ".npz", ".gz", ".parquet", ".pt", ".safetensors"}


def code_files() -> list[Path]:
    """Python files of the four folders."""
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def other_files() -> list[Path]:
    """Python files of tests and benchmarks."""
    return [path for folder in ("tests", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]


def name(path: Path) -> str:
    """Path under the repository, for messages and test ids."""
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Dotted names of every module that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
            yield from (f"{node.module}.{alias.name}" for alias in node.names if not node.level)


def function_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without decorators and docstring."""
    first = node.body[0]
    end = node.end_lineno or node.lineno
    docstring = 0
    if ast.get_docstring(node) is not None:
        docstring = (first.end_lineno or first.lineno) - first.lineno + 1
    return end - node.lineno + 1 - docstring


@pytest.mark.parametrize("folder", FOLDERS)
def test_import_root_links_to_its_folder(folder: str) -> None:
    link = ROOT / "glaciolake" / folder
    assert link.is_symlink() and link.readlink() == Path("..") / folder and link.is_dir()


def test_every_package_is_listed_and_every_listed_package_exists() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {"glaciolake"}
    for folder in FOLDERS:
        for init in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join(("glaciolake", *init.parent.relative_to(ROOT).parts)))
    assert set(setuptools["packages"]) == found
    assert setuptools["package-dir"] == {f"glaciolake.{folder}": folder for folder in FOLDERS}


def test_every_folder_with_code_is_a_package() -> None:
    for path in code_files():
        assert (path.parent / "__init__.py").is_file(), f"{name(path.parent)} holds code and no __init__.py"


def test_nobody_imports_a_bare_folder_or_by_dots() -> None:
    for path in [*code_files(), *other_files()]:
        for module in imports(path):
            assert module.split(".")[0] not in FOLDERS, f"{name(path)}: import glaciolake.{module}"
            assert not module.startswith("."), f"{name(path)}: import by the full name, not {module!r}"


def test_imports_point_one_way() -> None:
    for path in code_files():
        folder = path.relative_to(ROOT).parts[0]
        for module in imports(path):
            parts = module.split(".")
            if parts[0] != "glaciolake" or len(parts) < 2 or parts[1] == folder or parts[1] not in FOLDERS:
                continue
            assert parts[1] in MAY_IMPORT[folder], f"{name(path)}: {folder} may not import {module}"
            if folder == "pipeline" and parts[1] == "cluster":
                assert path.name in CLUSTER_IS_SEEN_BY, f"{name(path)}: only the run sees the cluster"


@pytest.mark.parametrize("path", code_files(), ids=name)
def test_module_fits(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= MAX_MODULE_LINES, f"{name(path)} has {lines} lines; split it at a noun"


@pytest.mark.parametrize("path", code_files(), ids=name)
def test_functions_fit_one_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = function_lines(node)
            assert lines <= MAX_FUNCTION_LINES, f"{name(path)}:{node.lineno} {node.name} has {lines} lines"


def module_names() -> list[str]:
    """Dotted names of all our modules that may be imported without torch."""
    names = (".".join(("glaciolake", *path.relative_to(ROOT).with_suffix("").parts)) for path in code_files())
    return [one for one in names if one not in NEEDS_TORCH and not one.endswith("__init__")]


PROBE = """
import importlib, sys, threading
for name in sys.argv[1:]:
    importlib.import_module(name)
    if threading.active_count() != 1:
        sys.exit(f"importing {name} started a thread: {threading.enumerate()}")
    heavy = {"torch", "openvino", "cv2", "stackstac"} & set(sys.modules)
    if heavy:
        sys.exit(f"importing {name} imported {heavy}; import it where it is used")
"""


def test_importing_does_nothing(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROBE, *module_names()],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert said.returncode == 0, said.stderr[-2000:]
    assert not said.stdout and not list(tmp_path.iterdir()), "an import wrote something"


def walked(folder: Path) -> Iterator[Path]:
    """Files below a folder that has no git, without what tools and runs leave behind."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [one for one in folders if one == ".ci" or not (one[0] == "." or one in SKIPPED_FOLDERS)]
        folders[:] = [one for one in folders if not (Path(parent) / one / "pyvenv.cfg").exists()]
        yield from (Path(parent) / file for file in files)


def text_files() -> Iterator[Path]:
    """Files of the repository that are text: those git knows or, without git, those that lie there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    paths = [ROOT / one for one in listed if one] or list(walked(ROOT))
    for path in paths:
        if path.is_file() and not path.is_symlink() and path.suffix not in NO_TEXT:
            yield path


HOME_PATHS = re.compile("/root/|/home/[a-z]{2}|/work/|/Users/|/tmp/")


def test_no_path_of_one_machine_is_written_down() -> None:
    for path in set(text_files()) - {Path(__file__)}:
        found = HOME_PATHS.search(path.read_text(errors="replace"))
        assert not found, f"{name(path)} names {found.group() if found else ''!r}, a place on one machine"
