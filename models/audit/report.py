"""The report of a label audit: a page with a table and pictures, a table and numbers for machines."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from glaciolake.models.audit.labels import Finding, probability_key
from glaciolake.models.audit.pictures import PER_PAGE, Told, pages
from glaciolake.models.audit.words import (
    MEASURES,
    console_text,
    counts,
    few_dates,
    judged_by,
    report_text,
    told,
    track_rows,
)
from glaciolake.models.data import PAIR_SIDE_PX, Bool, Float32, Sample, cut_centre, majority
from glaciolake.models.report_folder import ReportFolder
from glaciolake.models.skill.numbers import plain
from glaciolake.models.track.record import Key

__all__ = ["Beside", "console_text", "write_report"]

TEXT, TABLE = "report.md", "labels.csv"
FOLDER = ReportFolder("glaciolake label audit", "audit.json", "audit of labels")
DPI = 110


class Beside(NamedTuple):
    """What an audit was given beside labels and images.

    Attributes
    ----------
    outlines
        Lake and track to an independent outline, (256, 256), True inside.
    probabilities
        `probability_key` of a scene to the probability of water (y, x), 0..1 (1).
    """

    outlines: Mapping[Key, Bool] = MappingProxyType({})
    probabilities: Mapping[str, Float32] = MappingProxyType({})


NOTHING = Beside()


def write_report(
    samples: Sequence[Sample],
    findings: Sequence[Finding],
    out: Path,
    *,
    beside: Beside = NOTHING,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Write ``report.md``, a picture of every told label, ``labels.csv`` and ``audit.json``.

    Parameters
    ----------
    samples, findings
        Labels, and what `labels.audit` says of each, in the same order.
    out
        Folder of the report: new, empty, or an earlier one, which is replaced. Nothing is written until
        everything is drawn.
    beside
        What the audit was given beside the labels, for the pictures.
    notes
        Further sentences for the head of the report.

    Returns
    -------
    dict
        What ``audit.json`` says: counts, evidence, lakes and tracks, each label; None for what is none.

    Raises
    ------
    ModelError
        `out` holds something else, or cannot be written.
    """
    earlier = FOLDER.earlier(out)
    order = told(findings)
    shown = [_told(samples, findings, i, beside) for i in order]
    pictures = {f"told-{n}.png": _png(figure) for n, figure in enumerate(pages(shown), 1)}
    page_of = {i: f"told-{place // PER_PAGE + 1}.png" for place, i in enumerate(order)}
    numbers = _numbers(findings, notes, page_of)
    files = {
        **pictures,
        TABLE: _csv(findings, page_of).encode(),
        TEXT: report_text(findings, notes, page_of).encode(),
    }
    FOLDER.write(out, earlier, files, numbers)
    return numbers


def _told(samples: Sequence[Sample], findings: Sequence[Finding], i: int, beside: Beside) -> Told:
    one = samples[i]
    others = [other for j, other in enumerate(samples) if j != i and other.key == one.key]
    frame = majority(others) if others else np.zeros((PAIR_SIDE_PX, PAIR_SIDE_PX), bool)
    outline, probability = beside.outlines.get(one.key), beside.probabilities.get(probability_key(one))
    return Told(
        finding=findings[i],
        sample=one,
        others=cut_centre(frame, one.water.shape),
        outline=None if outline is None else cut_centre(outline, one.water.shape),
        network=None if probability is None else np.asarray(probability >= 0.5),
    )


def _numbers(findings: Sequence[Finding], notes: Sequence[str], page_of: Mapping[int, str]) -> dict[str, Any]:
    rows = track_rows(findings).items()
    numbers: dict[str, Any] = plain(
        {
            "notes": list(notes),
            "counts": counts(findings),
            "judged_by": judged_by(findings),
            "few_dates": few_dates(findings),
            "tracks": [{"lake": lake, "track": track, **row} for (lake, track), row in rows],
            "labels": [_label(one, page_of.get(i)) for i, one in enumerate(findings)],
        }
    )
    return numbers


def _label(one: Finding, picture: str | None) -> dict[str, Any]:
    named = {"lake": one.lake, "track": one.track, "start": f"{one.start:%Y-%m-%dT%H:%M:%SZ}"}
    said = {"verdict": one.verdict, "reasons": list(one.reasons), "picture": picture}
    return {**named, **said, "values": one.values}


def _csv(findings: Sequence[Finding], page_of: Mapping[int, str]) -> str:
    """Write a line a label, all of them, with every value that was measured and its limit."""
    measures = [column for name in MEASURES for column in (name, f"{name}_limit")]
    known = {column for one in findings for column in one.values}
    columns = [column for column in measures if column in known]
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(["lake", "track", "start", "verdict", "reasons", "picture", *columns])
    for i, one in enumerate(findings):
        values = [f"{one.values[column]:.6g}" if column in one.values else "" for column in columns]
        start = f"{one.start:%Y-%m-%dT%H:%M:%SZ}"
        reasons = "; ".join(one.reasons)
        table.writerow([one.lake, one.track, start, one.verdict, reasons, page_of.get(i, ""), *values])
    return written.getvalue()


def _png(figure: Figure) -> bytes:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return drawn.getvalue()
