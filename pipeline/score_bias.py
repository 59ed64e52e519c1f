"""The figure of all series at once: the error of every area, beside the constant's, and against lake size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glaciolake.catalog.simulate.truth import State
from glaciolake.pipeline.plot_style import FAINT, INK, MUTED, WARNING
from glaciolake.pipeline.score_truth import Matched

STATE_COLOUR = {
    State.OPEN: "#0072b2",
    State.FREEZING: "#cc79a7",
    State.FROZEN: "#56b4e9",
    State.THAWING: "#009e73",
    State.DRAINED: "#d55e00",
}
"""Of Okabe and Ito."""
MOST_PERCENT = 60.0
"""Errors beyond are drawn at the rim."""
M2_PER_KM2 = 1e6
ROW_IN, HEAD_IN, FOOT_IN = 0.36, 1.0, 1.0
LEAST_IN = 3.2


def bias_figure(series: Sequence[Matched]) -> Figure:
    """Draw the error of every stored area, a row a series, and against the visible true area.

    Parameters
    ----------
    series
        In the order of the rows, from the top.
    """
    inner = max(LEAST_IN, ROW_IN * len(series))
    height = inner + HEAD_IN + FOOT_IN
    figure = Figure(figsize=(13.33, height))
    box = (FOOT_IN / height, inner / height)
    rows = figure.add_axes((0.155, box[0], 0.45, box[1]))
    sizes = figure.add_axes((0.675, box[0], 0.305, box[1]))
    for axes in (rows, sizes):
        _frame(axes)
    errors = [_errors(one) for one in series]
    most = _reach(errors)
    _draw_rows(rows, series, errors, most)
    _draw_sizes(sizes, errors, most)
    shown = {state for one in errors for state in one["state"]}
    figure.text(
        0.02, 1 - 0.15 / height, "Error of every stored area", size=16, weight="bold", color=INK, va="top"
    )
    subtitle = "stored against visible true area, percent; lakes that are gone are left out"
    figure.text(0.02, 1 - 0.5 / height, subtitle, size=10.5, color=MUTED, va="top")
    note = "Simulated scenes with known truth"
    figure.text(0.98, 1 - 0.18 / height, note, size=11.5, weight="bold", color=WARNING, va="top", ha="right")
    dots = [_entry(str(state), colour) for state, colour in STATE_COLOUR.items() if state in shown]
    marks = [
        Line2D([], [], linestyle="none", marker="|", color=INK, markersize=12, mew=2.4, label="median, open"),
        Line2D([], [], linestyle="none", marker="D", mfc="white", mec=INK, ms=5, label="constant, open"),
    ]
    figure.legend(handles=dots + marks, loc="lower left", bbox_to_anchor=(0.012, 0), ncols=7, frameon=False)
    return figure


def _entry(label: str, colour: str) -> Line2D:
    return Line2D([], [], linestyle="none", marker="o", color=colour, markersize=5, label=label)


def _frame(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9.5, labelcolor=MUTED)


def _errors(matched: Matched) -> pd.DataFrame:
    """State, visible true area (km2) and errors in percent of every slice with an area."""
    slices = matched.slices
    chosen = slices[slices["both"].notna() & ~slices["gone"] & (slices["visible_area_m2"] > 0)]
    true = chosen["visible_area_m2"]
    return pd.DataFrame(
        {
            "state": chosen["state"],
            "km2": true / M2_PER_KM2,
            "percent": 100 * (chosen["area_m2"] / true - 1),
            "blind": 100 * (chosen["blind_area_m2"] / true - 1),
        }
    )


def _reach(errors: Sequence[pd.DataFrame]) -> float:
    """Half the width of the error axes, percent: what occurs, at least 15, at most `MOST_PERCENT`."""
    largest = [float(one["percent"].abs().max()) for one in errors if len(one)]
    return min(MOST_PERCENT, 1.08 * max([15.0, *largest]))


def _draw_rows(axes: Axes, series: Sequence[Matched], errors: Sequence[pd.DataFrame], most: float) -> None:
    rng = np.random.default_rng(0)
    for row, one in enumerate(errors):
        for state, colour in STATE_COLOUR.items():
            some = one.loc[one["state"] == state, "percent"].clip(-0.98 * most, 0.98 * most)
            level = row + rng.uniform(-0.3, 0.3, len(some))
            axes.plot(some, level, "o", color=colour, markersize=2.4, alpha=0.55, markeredgewidth=0)
        opened = one[one["state"] == State.OPEN]
        if len(opened):
            axes.plot(
                np.clip(opened["percent"].median(), -0.99 * most, 0.99 * most),
                row,
                "|",
                color=INK,
                markersize=15,
                markeredgewidth=2.4,
            )
            axes.plot(
                np.clip(opened["blind"].median(), -most, most), row, "D", mfc="white", mec=INK, markersize=5
            )
    axes.axvline(0, color=INK, linewidth=1)
    axes.set(xlim=(-most, most), ylim=(len(errors) - 0.4, -0.6), xlabel="error, %")
    axes.set_yticks(range(len(series)), [f"{one.lake} {one.track}" for one in series], color=INK)
    axes.xaxis.label.set_color(MUTED)


def _draw_sizes(axes: Axes, errors: Sequence[pd.DataFrame], most: float) -> None:
    together = pd.concat(list(errors))
    for state, colour in reversed(STATE_COLOUR.items()):
        some = together[together["state"] == state]
        percent = some["percent"].clip(-0.98 * most, 0.98 * most)
        axes.plot(some["km2"], percent, "o", color=colour, markersize=2.6, alpha=0.5, markeredgewidth=0)
    axes.axhline(0, color=INK, linewidth=1)
    axes.set(xscale="log", ylim=(-most, most), xlabel="visible true area, km²", ylabel="error, %")
    ticks = [tick for tick in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5) if _inside(tick, together["km2"])]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(MUTED)


def _inside(tick: float, km2: pd.Series[float]) -> bool:
    return bool(len(km2)) and float(km2.min()) / 2 <= tick <= float(km2.max()) * 2
