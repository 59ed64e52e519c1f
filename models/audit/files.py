"""The folder of an audit: an earlier one is replaced, anything else is left alone."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glaciolake.models.errors import ModelError

KIND = "glaciolake label audit"
"""Marks a folder as an earlier audit, which may be replaced."""
NUMBERS = "audit.json"


def earlier_files(out: Path) -> list[str]:
    """Names of the files of an earlier audit in a folder; none where it is new or empty.

    Raises
    ------
    ModelError
        It is a file, or holds something that is no audit of ours.
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
        f"{str(out)!r} holds something that is no earlier audit of labels; give a folder that is new or empty"
    )


def write_files(
    out: Path, earlier: Sequence[str], files: Mapping[str, bytes], numbers: dict[str, Any]
) -> None:
    """Write files, and last the numbers, which name them all; then remove what is left of old.

    Parameters
    ----------
    out
        Folder; made where it is missing.
    earlier
        Files of the audit that lies there.
    files
        Name to content.
    numbers
        As JSON can hold them.

    Raises
    ------
    ModelError
        A file cannot be written.
    """
    stored = json.dumps({"kind": KIND, **numbers, "files": sorted(files)}, indent=1, allow_nan=False)
    for name, content in {**files, NUMBERS: (stored + "\n").encode()}.items():
        _write_whole(out / name, content)
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
