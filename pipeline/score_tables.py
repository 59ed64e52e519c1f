"""Cells and tables of the report: each score with the image-blind constant's in brackets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # its module needs the join, and the join those who write tables
    from glaciolake.pipeline.score_rows import Row

Cells = Sequence[str]

SUMMARY = (
    *("series", "slices", "n", "bias %", "RMSE %", "median %", "missed %", "false %"),
    *("IoU", "skill", "seen %"),
)
AREAS = (
    *("slices", "due", "acquired", "area", "no area", "missing", "bias %", "RMSE %", "median %"),
    *("bias m2", "RMSE m2", "whole lake: bias %", "RMSE %", "in bounds %", "in 2 sigma %"),
)
PIXELS = ("slices", "IoU", "skill", "missed %", "false %", "precision %", "recall %", "seen %", "area skill")


def number(value: float, digits: int = 1) -> str:
    """Digits of a number, ``-`` for NaN; no minus sign before zero."""
    if not np.isfinite(value):
        return "-"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def percent(value: float, digits: int = 1) -> str:
    """Render a share, 0..1, in percent."""
    return number(100 * value, digits)


def summary_cells(row: Row) -> Cells:
    """Cells of `SUMMARY`: each score, with the constant's in brackets."""
    own, blind = row.pixels, row.blind_pixels
    return (
        row.series,
        row.slices,
        str(row.visible.n),
        pair(number(row.visible.bias_percent), number(row.blind_visible.bias_percent)),
        pair(number(row.visible.rmse_percent), number(row.blind_visible.rmse_percent)),
        pair(number(row.visible.median_abs_percent), number(row.blind_visible.median_abs_percent)),
        pair(percent(own.missed_share), percent(blind.missed_share)),
        pair(percent(own.false_share), percent(blind.false_share)),
        pair(number(own.iou, 3), number(blind.iou, 3)),
        number(row.skill, 2),
        f"{percent(row.valid_fraction, 0)} [{percent(row.visible_fraction, 0)}]",
    )


def pair(own: str, blind: str) -> str:
    """Put the constant's score in brackets behind ours."""
    return "-" if own == "-" else f"{own} ({blind})"


def area_cells(row: Row) -> Cells:
    """Cells of `AREAS`."""
    visible, blind, whole, blind_whole = row.visible, row.blind_visible, row.lake, row.blind_lake
    counts = (row.n_due, row.n_acquired, row.n_area, row.n_no_area, row.n_missing)
    return (
        row.slices,
        *map(str, counts),
        pair(number(visible.bias_percent), number(blind.bias_percent)),
        pair(number(visible.rmse_percent), number(blind.rmse_percent)),
        pair(number(visible.median_abs_percent), number(blind.median_abs_percent)),
        pair(number(visible.bias_m2, 0), number(blind.bias_m2, 0)),
        pair(number(visible.rmse_m2, 0), number(blind.rmse_m2, 0)),
        pair(number(whole.bias_percent), number(blind_whole.bias_percent)),
        pair(number(whole.rmse_percent), number(blind_whole.rmse_percent)),
        percent(row.within_bounds, 0),
        percent(row.within_sigma, 0),
    )


def pixel_cells(row: Row) -> Cells:
    """Cells of `PIXELS`."""
    own, blind = row.pixels, row.blind_pixels
    summary = dict(zip(SUMMARY, summary_cells(row), strict=True))
    return (
        row.slices,
        *(summary[name] for name in ("IoU", "skill", "missed %", "false %")),
        pair(percent(own.precision), percent(blind.precision)),
        pair(percent(own.recall), percent(blind.recall)),
        summary["seen %"],
        number(row.area_skill, 2),
    )
