"""Score a store against the truth of its archive, and write the report: Markdown, JSON, pictures."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from glaciolake.catalog.simulate.order import read_recipe
from glaciolake.catalog.simulate.truth import Truth, read_truth
from glaciolake.catalog.store import Store
from glaciolake.models.report_folder import ReportFolder
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.score import AreaErrors, Pixels
from glaciolake.pipeline.score_bias import bias_figure
from glaciolake.pipeline.score_corrected import corrected_numbers
from glaciolake.pipeline.score_events import Change, FallScore, changes, fall_scores
from glaciolake.pipeline.score_rows import FlagScore, Row, flag_score, pooled_rows, rows_of
from glaciolake.pipeline.score_series import series_figure
from glaciolake.pipeline.score_states import state_numbers
from glaciolake.pipeline.score_text import picture, report_text
from glaciolake.pipeline.score_truth import Matched, match_store, series_beyond, shores_of
from glaciolake.pipeline.score_words import Evaluation, shortcomings
from glaciolake.pipeline.score_worst import worst_figure

KIND = "glaciolake evaluate --truth"
"""Marks a folder as an earlier report, which may be replaced."""
NUMBERS, TEXT = "scores.json", "report.md"
FOLDER = ReportFolder(KIND, NUMBERS, "report of 'glaciolake evaluate'", PipelineError)
POOLED = "all series"
DPI = 110

Report = Callable[[int, int], None]


def evaluate_truth(
    archive: Path, store: str, out: Path, report: Report = lambda done, total: None
) -> Evaluation:
    """Score a store against the truth of the simulated archive that it was made from, and write the report.

    Parameters
    ----------
    archive
        Folder of the archive, with its ``truth``.
    store
        Address of the store.
    out
        Folder of the report: ``report.md``, ``scores.json`` and pictures. New, empty, or an earlier report,
        which is replaced; nothing is written until everything is scored and drawn.
    report
        Called with (series done, series in all).

    Raises
    ------
    CatalogError
        The folder holds no truth, or the store cannot be read.
    PipelineError
        Store and truth do not belong together, or `out` holds something else.
    """
    earlier = FOLDER.earlier(out)
    recipe = read_recipe(archive)
    if recipe is not None and not recipe[1]:
        raise PipelineError(
            f"the archive {str(archive)!r} was begun and not finished, so that its truth is not "
            "whole; simulate it anew"
        )
    truth, opened = read_truth(archive), Store.open(store)
    series: list[Matched] = []
    falls: list[FallScore] = []
    changed: list[Change] = []
    pictures: dict[str, bytes] = {}
    for matched, stored in match_store(truth, opened, report):
        fallen = fall_scores(matched, truth.events)
        pictures |= _pictures(matched, stored, truth, fallen)
        series.append(matched)
        falls += fallen
        changed += changes(matched, truth.events)
    together = pd.concat([one.slices for one in series], ignore_index=True)
    found = Evaluation(
        archive=archive.name,
        store=store,
        series=tuple(series),
        rows={one.name: rows_of(one) for one in series} | {POOLED: pooled_rows(series)},
        falls=tuple(falls),
        changes=tuple(changed),
        flags=tuple((one.name, flag_score(one.name, one.slices)) for one in series),
        flags_pooled=flag_score(POOLED, together),
        beyond=series_beyond(truth, opened),
    )
    pictures["bias.png"] = _png(bias_figure(series))
    _write(out, earlier, found, pictures)
    return found


def _pictures(matched: Matched, stored: xr.Dataset, truth: Truth, falls: list[FallScore]) -> dict[str, bytes]:
    found = {picture(matched, "series"): _png(series_figure(matched, truth.events, falls))}
    worst = worst_figure(matched, stored, shores_of(truth, stored))
    return found | ({picture(matched, "worst"): _png(worst)} if worst else {})


def _png(figure: Figure) -> bytes:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI, facecolor="white")
    return drawn.getvalue()


def _write(out: Path, earlier: list[str], found: Evaluation, pictures: dict[str, bytes]) -> None:
    files = {**dict(sorted(pictures.items())), TEXT: report_text(found).encode()}
    FOLDER.write(out, earlier, files, numbers_of(found))


def numbers_of(found: Evaluation) -> dict[str, Any]:
    """Everything that was scored, for machines: shares 0 to 1, percentages where named so, null for none.

    Parameters
    ----------
    found
        The evaluation.

    Returns
    -------
    dict
        ``rows`` (a score each, ``blind_`` for the image-blind constant), ``falls``, ``changes`` (events),
        ``frozen_flag``, ``days`` (from when to when passes count), ``missing``, ``worst``,
        ``falls_short`` (sentences) and what was compared.
    """
    found_numbers: dict[str, Any] = _plain(
        {
            "kind": KIND,
            "archive": found.archive,
            "store": found.store,
            "simulated": True,
            "models": sorted({one.model for one in found.series}),
            "constant": {one.name: one.basis for one in found.series},
            "days": {name: str(value) for name, value in asdict(found.series[0].span).items()},
            "rows": [row_numbers(row) for rows in found.rows.values() for row in rows],
            "falls": [asdict(one) for one in found.falls],
            "changes": [asdict(one) for one in found.changes],
            "frozen_flag": [_flag(name, one) for name, one in [*found.flags, (POOLED, found.flags_pooled)]],
            "states": state_numbers(found.together, found.each),
            "corrected": corrected_numbers(found.series),
            "missing": [
                {"series": one.name, "pass_id": row.pass_id, "why": row.why}
                for one in found.series
                for row in one.slices[one.slices["why"] != ""].itertuples()
            ],
            "series_not_stored": list(found.beyond),
            "series_failed": {name: n_failed for name, n_failed in found.beyond.items() if n_failed},
            "partial": {one.name: one.partial for one in found.series if one.partial},
            "other_granules": {one.name: one.other_granules for one in found.series if one.other_granules},
            "unexpected": {one.name: one.unexpected for one in found.series if one.unexpected},
            "worst": [f"{row['series']}/{row['pass_id']}" for _, row in found.worst().iterrows()],
            "falls_short": list(shortcomings(found)),
        }
    )
    return found_numbers


def row_numbers(row: Row) -> dict[str, Any]:
    """Flatten a row: counts, errors by name, and pixel scores of the store and of the constant."""
    found: dict[str, Any] = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if isinstance(value, AreaErrors):
            found[field.name] = value._asdict()
        elif isinstance(value, Pixels):
            scores = ("iou", "missed_share", "false_share", "precision", "recall")
            found[field.name] = value._asdict() | {name: getattr(value, name) for name in scores}
        else:
            found[field.name] = value
    return found | {"skill": row.skill, "area_skill": row.area_skill}


def _flag(name: str, one: FlagScore) -> dict[str, Any]:
    return {"series": name} | asdict(one)


def _plain(value: Any) -> Any:
    """Turn what JSON lacks into what it has: NaN into null, tuples into lists."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
