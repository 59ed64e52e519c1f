"""How well lake masks agree with hand-drawn labels: a report of any number of splits.

`check` what was tested, `judge` each split, draw and write. `console_text` gives the main rows alone.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from matplotlib.figure import Figure

from glaciolake.models.report_folder import ReportFolder
from glaciolake.models.skill.check import check
from glaciolake.models.skill.figures import iou_figure, reliability_figure
from glaciolake.models.skill.interval_figure import intervals_figure
from glaciolake.models.skill.numbers import numbers_of, plain
from glaciolake.models.skill.rows import Judged, judge
from glaciolake.models.skill.series import series_figure
from glaciolake.models.skill.tested import Tested, tested_folds
from glaciolake.models.skill.text import console_lines, report_text, verdict
from glaciolake.models.skill.worst import worst_figure

__all__ = ["Tested", "console_text", "tested_folds", "write_report"]

DPI = 110
FOLDER = ReportFolder("glaciolake skill report", "scores.json", "report of masks against labels")
NOBODY: Mapping[tuple[str, datetime], str] = MappingProxyType({})


def write_report(
    tested: Sequence[Tested],
    out: Path,
    *,
    model: str,
    suspected: Mapping[tuple[str, datetime], str],
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Score splits and write ``report.md``, pictures and ``scores.json``.

    Parameters
    ----------
    tested
        What each split, or a folder of pairs, gave.
    out
        Folder of the report: new, empty, or an earlier report, which is replaced. Nothing is written until
        everything is scored and drawn.
    model
        Name of what was scored, for people.
    suspected
        (lake, start) of labels that the audit holds for wrong, with the reason; scores come with and without.
    notes
        Further sentences for the head of the report.

    Returns
    -------
    dict
        What ``scores.json`` says: by split, rows of scores, calibration, each scene; None for what is none.

    Raises
    ------
    ModelError
        What was tested cannot be scored, see `check`, or `out` holds something else.
    """
    earlier = FOLDER.earlier(out)
    check(tested)
    judged = [judge(one, suspected) for one in tested]
    pictures = _pictures(judged)
    numbers: dict[str, Any] = plain(
        {
            "model": model,
            "notes": list(notes),
            "verdict": [words for one in judged for words in verdict(one)],
            "splits": {one.tested.split: numbers_of(one) for one in judged},
        }
    )
    text = report_text(judged, model, notes, list(pictures)).encode()
    FOLDER.write(out, earlier, {**dict(sorted(pictures.items())), "report.md": text}, numbers)
    return numbers


def console_text(tested: Sequence[Tested], suspected: Mapping[tuple[str, datetime], str] = NOBODY) -> str:
    """Write the main rows as a plain table of at most 25 lines.

    Parameters
    ----------
    tested
        As for `write_report`; of a single split the lakes are shown as well.
    suspected
        As for `write_report`.

    Raises
    ------
    ModelError
        What was tested cannot be scored.
    """
    check(tested)
    return console_lines([judge(one, suspected) for one in tested])


def _pictures(judged: Sequence[Judged]) -> dict[str, bytes]:
    figures: dict[str, Figure | None] = {
        "iou.png": iou_figure(judged),
        "reliability.png": reliability_figure(judged),
        "intervals.png": intervals_figure([one for one in judged if one.coverages]),
    }
    for one in judged:
        figures[f"{one.tested.split}-series.png"] = series_figure(one)
        figures[f"{one.tested.split}-worst.png"] = worst_figure(one, suspected=False)
        figures[f"{one.tested.split}-suspected.png"] = worst_figure(one, suspected=True)
    return {name: _png(figure) for name, figure in figures.items() if figure is not None}


def _png(figure: Figure) -> bytes:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return drawn.getvalue()
