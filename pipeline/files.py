"""Files that appear complete or not at all."""

from __future__ import annotations

from pathlib import Path

from glaciolake.models import report_folder
from glaciolake.pipeline.errors import PipelineError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of it.

    Raises
    ------
    PipelineError
        The folder or the file cannot be written; nothing is left behind.
    """
    report_folder.write_whole(path, content, PipelineError)
