"""What the audit found, in words and tables: counts and what it cannot see come first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from textwrap import shorten
from typing import NamedTuple

import numpy as np

from glaciolake.models.audit.case import FEW_DATES
from glaciolake.models.audit.dates import SPACING_M
from glaciolake.models.audit.labels import Finding
from glaciolake.models.audit.witnesses import AGAINST, BESIDE
from glaciolake.models.skill.tables import Cells, markdown_table, number, plain_table, safe
from glaciolake.models.track.record import Key

REASON_CHARACTERS = 78
"""Of the weightiest reason, on a console."""
READ = f"""
* **wrong**: left out of training. `glaciolake evaluate --pairs` scores with and without these labels.
  **doubtful**: kept, and only told here: it departs, but something supports it, or too little contradicts.
* Measured values stand with their limits. `shores apart` is the mean distance of the label's shore from that
  of the other dates: of all of its lake and track, of the three nearest in time or of the three nearest in
  season, whichever it agrees with best. `too much` is lake where hardly any date has it, `lacking` is none
  where nearly all have it, both spread along the shore. `moved` is the shift that fits best; it tells only
  where undoing it mends half of the difference. All in pixels of {SPACING_M:g} m. The limits come from the
  track itself: how its labels differ from each other, wider where they are few.
* `IoU` with other tracks, the independent outline or a network is over the whole lake; low is bad.
* `image`, `tracks`, `outline`, `network` are witnesses: the share of the disputed pixels (label against other
  dates) where they are as the label says. From {BESIDE:.0%} on they support it, up to {AGAINST:.0%} they
  contradict.
""".strip()


class Measure(NamedTuple):
    """How a value of a `Finding` is shown: heading, factor, digits, and what its limit is."""

    words: str
    factor: float = 1.0
    digits: int = 1
    limit: str = "up to"
    unit: str = ""


MEASURES = {
    "area_ln_ratio": Measure("area", unit=" %"),
    "apart_px": Measure("shores apart", digits=2, unit=" px"),
    "beyond_px": Measure("too much", digits=2, unit=" px"),
    "short_px": Measure("lacking", digits=2, unit=" px"),
    "shift_px": Measure("moved", unit=" px"),
    "twin_px": Measure("shores apart from the other mask", limit="passes up to", unit=" px"),
    "tracks_iou": Measure("IoU with other tracks", digits=2, limit="at least"),
    "outline_iou": Measure("IoU with the outline", digits=2, limit="at least"),
    "model_iou": Measure("IoU with the network", digits=2, limit="at least"),
    "darker_db": Measure("darker than around", limit="at least", unit=" dB"),
    "held_share": Measure("of the image", 100, 0, "below", " %"),
    "image_share": Measure("image", 100, 0, "", " %"),
    "tracks_share": Measure("tracks", 100, 0, "", " %"),
    "outline_share": Measure("outline", 100, 0, "", " %"),
    "model_share": Measure("network", 100, 0, "", " %"),
}
"""In the order in which they are shown; names as in `Finding.values`."""

JUDGES = {
    "apart_px": "other dates of its lake and track",
    "darker_db": "the image: whether its inside is darker than its surroundings",
    "image_share": "the image, on the pixels where it departs from the other dates",
    "tracks_iou": "other tracks of the lake",
    "outline_iou": "an independent outline",
    "model_iou": "a network that has not learned from it",
}


def told(findings: Sequence[Finding]) -> list[int]:
    """Numbers of the findings that are not fine: wrong ones first, then by lake, track and time."""
    chosen = [i for i, one in enumerate(findings) if one.verdict != "fine"]

    def place(i: int) -> tuple[bool, str, str, datetime]:
        one = findings[i]
        return one.verdict != "wrong", one.lake, one.track, one.start

    return sorted(chosen, key=place)


def counts(findings: Sequence[Finding]) -> dict[str, int]:
    """How many labels there are, and of each verdict."""
    of_each = {says: sum(one.verdict == says for one in findings) for says in ("wrong", "doubtful", "fine")}
    return {"labels": len(findings)} | of_each


def _counted(findings: Sequence[Finding]) -> str:
    tally = counts(findings)
    shares = ", ".join(f"{tally[says]} {says}" for says in ("wrong", "doubtful", "fine"))
    return f"{_count(tally['labels'], 'label')}: {shares}"


def judged_by(findings: Sequence[Finding]) -> dict[str, int]:
    """How many labels each kind of evidence was there for."""
    return {words: sum(name in one.values for one in findings) for name, words in JUDGES.items()}


def few_dates(findings: Sequence[Finding]) -> int:
    """Labels that fewer than `FEW_DATES` other dates can be held against."""
    held = [one for one in findings if one.values["held_share"] > 0]
    n_dates = {(one.lake, one.track): 0 for one in findings}
    for one in held:
        n_dates[one.lake, one.track] += 1
    return sum(n_dates[one.lake, one.track] - (one.values["held_share"] > 0) < FEW_DATES for one in findings)


def track_rows(findings: Sequence[Finding]) -> dict[Key, dict[str, float]]:
    """Count each lake and track, and say from where its labels are told; NaN where nothing says it."""
    rows: dict[Key, dict[str, float]] = {}
    for key in sorted({(one.lake, one.track) for one in findings}):
        mine = [one for one in findings if (one.lake, one.track) == key]
        limits = {
            "shore_limit_px": _median([one.values.get("apart_px_limit", math.nan) for one in mine]),
            "area_limit_percent": 100
            * math.expm1(_median([one.values.get("area_ln_ratio_limit", math.nan) for one in mine])),
        }
        rows[key] = counts(mine) | limits
    return rows


def _median(values: Sequence[float]) -> float:
    known = [one for one in values if math.isfinite(one)]
    return float(np.median(known)) if known else math.nan


def measured(values: Mapping[str, float]) -> str:
    """Every value of a finding with its limit, in one line."""
    shown = []
    for name, how in MEASURES.items():
        if name not in values:
            continue
        value, limit = values[name], values.get(f"{name}_limit")
        text = f"{how.words} {_shown(name, value)}{how.unit}"
        if limit is not None:
            # Areas are held against each other as a ratio: up by a quarter is as far as down by a fifth.
            limit = math.copysign(limit, value) if name == "area_ln_ratio" else limit
            text += f" ({how.limit} {_shown(name, limit)}{how.unit})"
        shown.append(text)
    return "; ".join(shown)


def _shown(name: str, value: float) -> str:
    how = MEASURES[name]
    if name == "area_ln_ratio":
        return f"{100 * math.expm1(value):+.{how.digits}f}"
    return number(how.factor * value, how.digits)


def report_text(findings: Sequence[Finding], notes: Sequence[str], pages: Mapping[int, str]) -> str:
    """Write the whole report.

    Parameters
    ----------
    findings
        Of all labels.
    notes
        Further sentences for its head.
    pages
        Number of a told finding to the name of the picture that shows it.
    """
    head = f"**{_counted(findings)}.**"
    if not pages:
        head += " No label is told: none departs from what is usual for its lake and track."
    evidence = [(words, str(n)) for words, n in judged_by(findings).items()]
    drawn = [f"![Told labels]({name})" for name in dict.fromkeys(pages.values())]
    parts = [
        "# Audit of hand-drawn labels",
        head,
        "\n".join(f"* {note}" for note in notes),
        "## Judged by what",
        markdown_table(("evidence", f"labels of {len(findings)}"), evidence),
        "## What it cannot see",
        _blind(findings),
        markdown_table(_TRACK_HEADINGS, _track_cells(findings)),
        "## Told labels",
        _told_table(findings, pages) if pages else "None.",
        "## How to read it",
        READ,
        *(["## Pictures", *drawn] if drawn else []),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_HEADINGS: Cells = ("lake", "track", "date", "verdict", "reasons", "measured (limit)", "picture")
_TRACK_HEADINGS: Cells = (
    *("lake", "track", "labels", "wrong", "doubtful"),
    *("told from shores apart, px", "the same, m", "told from a change of area, %"),
)


def _blind(findings: Sequence[Finding]) -> str:
    few, n = few_dates(findings), len(findings)
    silent = n - sum("image_share" in one.values for one in findings)
    said = [
        "Errors smaller than the usual departure of a track's labels from each other: the last columns of "
        "the table say from where a label is told.",
        "An error that most dates of a track share, as of an outline that was copied from date to date, or "
        "that the label nearest in time or season repeats. Other tracks and outlines only show it where less "
        "than a third is shared, since layover alone takes a fifth to a third.",
        "A mask of another track of the lake where both tracks show the same outline.",
        "Whether a lake that departs has changed indeed, where no image, track, outline or network says so.",
        f"The image was silent on {silent} of {n} labels: less than 20 pixels were in dispute, or lake and "
        "land hardly differ (ice, wind, wet snow).",
    ]
    if few:
        said.append(
            f"{_count(few, 'label')} of lakes and tracks with fewer than {FEW_DATES + 1} dates: the other "
            "dates may be the wrong ones, so two independent things must tell."
        )
    return "\n".join(f"* {one}" for one in said)


def _track_cells(findings: Sequence[Finding]) -> list[Cells]:
    return [
        (
            *key,
            *(str(row[name]) for name in ("labels", "wrong", "doubtful")),
            number(row["shore_limit_px"], 1),
            number(row["shore_limit_px"] * SPACING_M, 0),
            number(row["area_limit_percent"], 0),
        )
        for key, row in track_rows(findings).items()
    ]


def _told_table(findings: Sequence[Finding], pages: Mapping[int, str]) -> str:
    rows: list[Cells] = [_HEADINGS, ["---"] * len(_HEADINGS)]
    for i in told(findings):
        one = findings[i]
        date = f"{one.start:%Y-%m-%d %H:%M}"
        why = safe("; ".join(one.reasons))
        picture = f"[{pages[i].removesuffix('.png')}]({pages[i]})"
        rows.append((one.lake, one.track, date, one.verdict, why, measured(one.values), picture))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def console_text(findings: Sequence[Finding]) -> str:
    """Write counts and told labels for a console, a line a label, with its weightiest reason."""
    rows = []
    for i in told(findings):
        one = findings[i]
        why = shorten(one.reasons[0], REASON_CHARACTERS, placeholder=" ...")
        rows.append((f"{one.lake} {one.track} {one.start:%Y-%m-%d}", why, one.verdict))
    table = [plain_table(("label", "first reason", "verdict"), rows)] if rows else []
    return "\n".join([*table, _counted(findings)])


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
