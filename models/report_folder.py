"""Folders of reports: an earlier one is replaced, file by file and never half; anything else stays."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glaciolake.models.errors import ModelError


@dataclass(frozen=True)
class ReportFolder:
    """How the folders of one kind of report are told.

    Attributes
    ----------
    kind
        Word in the numbers that marks a folder as an earlier report, which may be replaced.
    numbers
        Name of the file of numbers, JSON; it names all others.
    what
        The report in words, for refusals.
    error
        What is raised.
    """

    kind: str
    numbers: str
    what: str
    error: type[Exception] = ModelError

    def earlier(self, out: Path) -> list[str]:
        """Names of the files of an earlier report in a folder; none where it is new or empty.

        Raises
        ------
        Exception
            `error`: it is a file, or holds something that is no such report.
        """
        if not out.exists() or (out.is_dir() and not any(out.iterdir())):
            return []
        try:
            content = json.loads((out / self.numbers).read_text(encoding="utf-8"))
            if content["kind"] == self.kind:
                return [str(name) for name in content["files"]]
        except (OSError, ValueError, KeyError, TypeError):
            pass
        raise self.error(
            f"{str(out)!r} holds something that is no earlier {self.what}; give a folder that is new or empty"
        )

    def write(
        self, out: Path, earlier: Sequence[str], files: Mapping[str, bytes], numbers: Mapping[str, Any]
    ) -> None:
        """Write files, and last the numbers, which name them all; then remove what is left of old.

        Parameters
        ----------
        out
            Folder; made where it is missing.
        earlier
            Files of the report that lies there.
        files
            Name to content, in the order in which they are told.
        numbers
            As JSON can hold them.

        Raises
        ------
        Exception
            `error`: a file cannot be written.
        """
        told = {**numbers, "kind": self.kind, "files": list(files)}
        stored = json.dumps(told, indent=1, allow_nan=False) + "\n"
        for name, content in {**files, self.numbers: stored.encode()}.items():
            write_whole(out / name, content, self.error)
        for name in set(earlier) - set(files):
            if Path(name).name == name:
                (out / name).unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, error: type[Exception] = ModelError) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of it.

    Raises
    ------
    Exception
        `error`: the folder or the file cannot be written; nothing is left behind.
    """
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(part).chmod(0o644)  # mkstemp makes it readable for its owner only
        Path(part).replace(path)
    except OSError as fault:
        if part is not None:
            Path(part).unlink(missing_ok=True)
        raise error(
            f"cannot write {path}: {fault.strerror or fault}; give another place or free space"
        ) from fault
