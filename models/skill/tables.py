"""Cells and tables of the report: no score without that of the best image-blind constant."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from glaciolake.models.skill.calibration import Calibration
from glaciolake.models.skill.numbers import M2_PER_KM2
from glaciolake.models.skill.rows import ALL, CLEAN, Judged, Row, SceneRow
from glaciolake.models.skill.scores import Scores

Cells = Sequence[str]

WHO = ("who", "IoU", "batch IoU", "precision", "recall", "F1", "bias %", "error %", "anomaly r", "skill")
GROUP = (
    *("labels", "scenes", "IoU", "best constant", "skill", "precision", "recall", "bias %", "error %"),
    "anomaly r",
)
MAIN = (
    *("split", "labels", "scenes", "IoU", "skill", "batch IoU", "precision", "recall", "F1"),
    *("bias %", "error %", "anomaly r"),
)
CONSOLE = ("split", "labels", "scenes", "IoU", "skill", "batch IoU", "F1", "bias %", "error %", "anomaly r")
"""Of `MAIN`, what fits a line of a console."""
INTERVALS = ("group", "labels", "scenes", "calibrated on", "held", "median width %", "interval score %")
SHORT = {ALL: "all", CLEAN: "without suspected"}


def number(value: float, digits: int = 3) -> str:
    """Digits of a number, ``-`` for NaN; no minus sign before zero."""
    if not math.isfinite(value):
        return "-"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def pair(own: float, blind: float, digits: int = 3) -> str:
    """Put the best constant's score in brackets behind ours."""
    shown = number(own, digits)
    return shown if shown == "-" else f"{shown} ({number(blind, digits)})"


def who_cells(row: Row) -> list[Cells]:
    """Cells of `WHO`: each network, their mean, range and mean probability, then each constant."""
    n = len(row.seeds)
    lines = [
        (f"network, seed {i} of {n}" if n > 1 else "**network**", one) for i, one in enumerate(row.seeds, 1)
    ]
    if n > 1:
        low, high = row.spread
        lines += [
            ("**network, mean of seeds**", row.mean),
            ("lowest of seeds", low),
            ("highest of seeds", high),
        ]
        lines += [("mean probability of the seeds", row.ensemble)]
    lines += [(name + (" (best)" if name == row.best else ""), one) for name, one in row.constants.items()]
    return [(who, *_score_cells(one), number(row.skill_of(one), 2)) for who, one in lines]


def _score_cells(one: Scores) -> Cells:
    shares = (one.iou, one.batch_iou, one.precision, one.recall, one.f1)
    areas = (one.area_bias_percent, one.area_error_percent)
    return (*map(number, shares), *(number(value, 1) for value in areas), number(one.anomaly_correlation, 2))


def group_table(judged: Judged, way: str) -> str:
    """Markdown table of a kind of group: over all labels, and again without suspected ones, if any."""
    several = len(judged.tested.probabilities) > 1
    extra = ("IoU, seeds", "IoU, mean probability") if several else ()
    rows = []
    for row, clean in zip(judged.of(way, ALL), judged.of(way, CLEAN), strict=True):
        both = [(row, "all" if row.n_suspected else "all, none suspected")]
        both += [(clean, f"without {row.n_suspected} suspected")] if row.n_suspected else []
        for one, labels in both:
            rows.append((one.scenes, labels, *_group_cells(one), *(_seed_cells(one) if several else ())))
    return markdown_table((way, *GROUP, *extra), rows)


def _group_cells(row: Row) -> Cells:
    own, blind = row.mean, row.best_scores
    return (
        str(row.n),
        pair(own.iou, blind.iou),
        row.best if row.scored else "-",
        number(row.skill, 2),
        pair(own.precision, blind.precision, 2),
        pair(own.recall, blind.recall, 2),
        pair(own.area_bias_percent, blind.area_bias_percent, 1),
        pair(own.area_error_percent, blind.area_error_percent, 1),
        pair(own.anomaly_correlation, blind.anomaly_correlation, 2),
    )


def _seed_cells(row: Row) -> Cells:
    low, high = row.spread
    return f"{number(low.iou)} to {number(high.iou)}", pair(row.ensemble.iou, row.best_scores.iou)


def main_cells(judged: Judged, labels: str) -> Cells:
    """Cells of `MAIN`: all scenes of a split, mean of seeds, the best constant in brackets."""
    row = judged.row(labels)
    return judged.tested.split, *row_cells(row)


def console_cells(first: str, row: Row) -> Cells:
    """Cells of `CONSOLE`."""
    named = dict(zip(MAIN, (first, *row_cells(row)), strict=True))
    return [named[heading] for heading in CONSOLE]


def row_cells(row: Row) -> Cells:
    """Cells of `MAIN` but for the first."""
    own, blind = row.mean, row.best_scores
    return (
        SHORT[row.labels],
        str(row.n),
        pair(own.iou, blind.iou),
        number(row.skill, 2),
        pair(own.batch_iou, blind.batch_iou),
        pair(own.precision, blind.precision),
        pair(own.recall, blind.recall),
        pair(own.f1, blind.f1),
        pair(own.area_bias_percent, blind.area_bias_percent, 1),
        pair(own.area_error_percent, blind.area_error_percent, 1),
        pair(own.anomaly_correlation, blind.anomaly_correlation, 2),
    )


def interval_table(judged: Judged) -> str:
    """Markdown table of the intervals of areas, by lake and track; the constant's in brackets."""
    rows = [
        (
            one.scenes,
            SHORT[one.labels],
            str(one.n),
            str(one.calibrated_on),
            pair(one.own.coverage, one.blind.coverage, 2),
            pair(one.own.width_percent, one.blind.width_percent, 1),
            pair(one.own.score_percent, one.blind.score_percent, 1),
        )
        for one in judged.coverages
    ]
    return markdown_table(INTERVALS, rows)


def error_table(judged: Judged) -> str:
    """Markdown table of calibration errors."""
    several = len(judged.tested.probabilities) > 1
    rows = [
        (
            one.pixels,
            SHORT[labels],
            str(one.n),
            pair(one.error, one.constant),
            *([_range(one)] if several else []),
        )
        for labels, found in judged.calibrations.items()
        for one in found
    ]
    extra = ("each seed",) if several else ()
    return markdown_table(("pixels", "labels", "n", "ECE", *extra), rows)


def _range(one: Calibration) -> str:
    return f"{number(min(one.seeds))} to {number(max(one.seeds))}"


def bin_table(found: Sequence[Calibration]) -> str:
    """Markdown table of calibrations over the same labels, a line a range of probabilities."""
    headings = ["probability"]
    for one in found:
        headings += [f"{one.pixels}: n", "mean probability", "labelled lake"]
    rows = []
    for bins in zip(*(one.bins for one in found), strict=True):
        cells = [f"{number(bins[0].low, 2)} to {number(bins[0].high, 2)}"]
        for each in bins:
            cells += [str(each.n), number(each.probability), number(each.water)]
        rows.append(cells)
    return markdown_table(headings, rows)


def scene_table(judged: Judged) -> str:
    """Markdown table of every scene."""
    spacing_m = judged.tested.spacing_m
    unit = "px" if spacing_m is None else "km2"
    headings = (
        "scene",
        "fold",
        "IoU",
        f"found {unit}",
        f"labelled {unit}",
        f"probability {unit}",
        "suspected",
    )
    return markdown_table(headings, [_scene_cells(one, spacing_m) for one in judged.scenes])


def _scene_cells(one: SceneRow, spacing_m: float | None) -> Cells:
    sample = one.sample
    return (
        f"{sample.lake} {sample.track} {sample.start:%Y-%m-%d %H:%M}",
        one.fold,
        pair(one.iou, one.constant_iou),
        f"{area(one.found_px, spacing_m)} ({area(one.constant_px, spacing_m)})",
        area(one.labelled_px, spacing_m),
        area(one.probability_px, spacing_m),
        safe(one.suspected),
    )


def area(px: float, spacing_m: float | None) -> str:
    """Area in km2, in pixels where their size is unknown."""
    return number(px, 0) if spacing_m is None else number(px * spacing_m**2 / M2_PER_KM2)


def safe(text: str) -> str:
    """Text that does not break a table."""
    return text.replace("|", "/").replace("\n", " ")


def plain_table(headings: Cells, rows: Iterable[Cells]) -> str:
    """Columns of text, the first two to the left and numbers to the right."""
    lines = [headings, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(headings))]

    def laid(line: Cells) -> str:
        cells = [
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([laid(headings), "  ".join("-" * width for width in widths), *map(laid, lines[1:])])


def markdown_table(headings: Cells, rows: Iterable[Cells]) -> str:
    """Render a Markdown table, numbers to the right."""
    lines = [headings, ["---", *["--:"] * (len(headings) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
