"""Areas found and labelled over time, by lake and track."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from glaciolake.models.skill.figures import (
    BLIND,
    FAINT,
    INK,
    NETWORK,
    WARNING,
    WIDTH_IN,
    frame,
    hollow,
    legend,
    panel_words,
    title,
)
from glaciolake.models.skill.numbers import M2_PER_KM2
from glaciolake.models.skill.rows import ALL, Judged, SceneRow
from glaciolake.models.skill.tables import number


def series_figure(judged: Judged) -> Figure:
    """Draw found and labelled areas over time, a panel a lake and track.

    Parameters
    ----------
    judged
        The split.
    """
    keys = sorted({one.sample.key for one in judged.scenes})
    across = min(2, len(keys))
    down = math.ceil(len(keys) / across)
    height = 2.15 * down + 1.5
    figure = Figure(figsize=(WIDTH_IN, height))
    grid = figure.subplots(down, across, squeeze=False)
    figure.subplots_adjust(
        left=0.055, right=0.985, top=1 - 1.05 / height, bottom=0.85 / height, hspace=0.55, wspace=0.12
    )
    for place, axes in enumerate(grid.flat):
        if place < len(keys):
            _series(axes, [one for one in judged.scenes if one.sample.key == keys[place]], judged)
            _dates(axes, judged)
        else:
            axes.set_axis_off()
    unit = "pixels" if judged.tested.spacing_m is None else "km²"
    title(figure, f"{judged.tested.split}: areas found and labelled, {unit}; only tested dates")
    legend(figure, _series_key(judged))
    return figure


def _series(axes: Axes, rows: Sequence[SceneRow], judged: Judged) -> None:
    frame(axes, "y")
    spacing_m = judged.tested.spacing_m
    per_px = 1.0 if spacing_m is None else spacing_m**2 / M2_PER_KM2
    days = _days(rows)
    found, labelled, blind = (
        np.array([getattr(one, name) * per_px for one in rows])
        for name in ("found_px", "labelled_px", "constant_px")
    )
    doubted = np.array([bool(one.suspected) for one in rows])
    low, high = _limits(np.concatenate([found, blind, labelled[~doubted]]))
    shown = labelled.clip(low, high)
    axes.plot(days, blind, color=BLIND[0], linewidth=1.1, zorder=2)
    axes.vlines(days, found, shown, color=FAINT, linewidth=1.4, zorder=2.5)
    axes.plot(days, shown, "o", **hollow(INK, 5.5), zorder=3, clip_on=False)
    axes.plot(days, found, "o", color=NETWORK, markersize=4.2, zorder=4)
    axes.plot(days[doubted], shown[doubted], "o", **hollow(WARNING, 10), zorder=5, clip_on=False)
    for day, area, at in zip(days, labelled, shown, strict=True):
        if area != at:  # a wrong label would press all others flat
            axes.annotate(
                f"{area:.3g}", (day, at), (8, -3), textcoords="offset points", size=9, color=WARNING
            )
    axes.set_ylim(low, high)
    (row,) = (one for one in judged.of("lake and track", ALL) if one.scenes == " ".join(rows[0].sample.key))
    ious = f"IoU {number(row.ensemble.iou, 2)} (best constant {number(row.best_scores.iou, 2)})"
    panel_words(axes, f"{row.scenes}: {ious}, {row.n} date{'' if row.n == 1 else 's'}")


def _dates(axes: Axes, judged: Judged) -> None:
    """Give all panels the same dates."""
    days = _days(judged.scenes)
    reach = max(20.0, 0.02 * float(np.ptp(days)))
    axes.set_xlim(days.min() - reach, days.max() + reach)
    locator = AutoDateLocator(minticks=3, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))


def _days(rows: Sequence[SceneRow]) -> NDArray[np.float64]:
    return np.array([float(date2num(one.sample.start)) for one in rows])


def _limits(areas: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(areas.min()), float(areas.max())
    margin = 0.1 * (high - low) or 0.1 * high or 1.0
    return low - margin, high + margin


def _series_key(judged: Judged) -> Iterator[Line2D]:
    yield Line2D([], [], marker="o", color=NETWORK, linewidth=0, markersize=4.2, label="found")
    yield Line2D([], [], marker="o", **hollow(INK, 5.5), label="labelled")
    yield Line2D([], [], marker="o", **hollow(WARNING, 10), label="label suspected (at the rim: its area)")
    yield Line2D(
        [], [], color=BLIND[0], linewidth=1.1, label=f"best constant of the split: {judged.row().best}"
    )
