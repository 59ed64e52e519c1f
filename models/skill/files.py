"""The folder of a report: earlier ones are replaced, anything else is left alone."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glaciolake.models.errors import ModelError

KIND = "glaciolake skill report"
"""Marks a folder as an earlier report, which may be replaced."""
NUMBERS, TEXT = "scores.json", "report.md"


def earlier_files(out: Path) -> list[str]:
    """Names of the files of an earlier report in a folder; none where it is new or empty.

    Raises
    ------
    ModelError
        It is a file, or holds something that is no report of ours.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return []
    try:
        content = json.loads((out / NUMBERS).read_text(encoding="utf-8"))
        if content["kind"] == KIND:
            return [str(name) for name in content["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise ModelError(
        f"{str(out)!r} holds something that is no earlier report of masks against labels; give a folder "
        "that is new or empty"
    )


def write_files(
    out: Path, earlier: Sequence[str], pictures: Mapping[str, bytes], text: str, numbers: dict[str, Any]
) -> None:
    """Write pictures, text, and last the numbers, which name them all; then remove what is left of old.

    Parameters
    ----------
    out
        Folder; made where it is missing.
    earlier
        Files of the report that lies there.
    pictures
        Name to content.
    text, numbers
        The report, for people and for machines; numbers as JSON can hold them.

    Raises
    ------
    ModelError
        A file cannot be written.
    """
    files = [*sorted(pictures), TEXT]
    for name, content in pictures.items():
        _write_whole(out / name, content)
    _write_whole(out / TEXT, text.encode())
    stored = json.dumps({"kind": KIND, **numbers, "files": files}, indent=1, allow_nan=False)
    _write_whole(out / NUMBERS, (stored + "\n").encode())
    for name in set(earlier) - set(files):
        if Path(name).name == name:
            (out / name).unlink(missing_ok=True)


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of it."""
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(part).chmod(0o644)  # mkstemp makes it readable for its owner only
        Path(part).replace(path)
    except OSError as error:
        if part is not None:
            Path(part).unlink(missing_ok=True)
        raise ModelError(
            f"cannot write {path}: {error.strerror or error}; give another folder or free space"
        ) from error
