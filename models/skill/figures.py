"""Figures of the report: network and constants, probability and share; and how figures look."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glaciolake.models.skill.calibration import ANYWHERE, N_BINS
from glaciolake.models.skill.rows import ALL, CLEAN, Judged, Row

INK, MUTED, FAINT, WARNING = "#1a1a1a", "#6b6f76", "#d9dce1", "#b3261e"
NETWORK = "#0072b2"
BLIND = ("#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#d55e00")
"""Green, orange, purple, sky, vermilion of Okabe and Ito: one a constant, in the order given."""
BLIND_MARKERS = ("s", "^", "v", "D", "P")
ACROSS = 3
WIDTH_IN = 13.33


def iou_figure(judged: Sequence[Judged]) -> Figure:
    """Draw pooled IoU of network and constants: a row a split, a column a way to count, a line a lake.

    Parameters
    ----------
    judged
        The splits.
    """
    lines = [1 + len(one.of("lake", ALL)) for one in judged]
    heights = [0.36 * n + 0.75 for n in lines]
    height = sum(heights) + 1.3
    figure = Figure(figsize=(WIDTH_IN, height))
    grid = figure.subplots(len(judged), 2, squeeze=False, sharey="row", height_ratios=heights)
    figure.subplots_adjust(
        left=0.15, right=0.985, top=1 - 0.95 / height, bottom=0.75 / height, wspace=0.09, hspace=0.42
    )
    for one, (left, right) in zip(judged, grid, strict=True):
        least = min(_least(one, labels) for labels in (ALL, CLEAN))
        for axes, labels in ((left, ALL), (right, CLEAN)):
            _ious(axes, one, labels)
            axes.set_xlim(max(-0.02, least - 0.03), 1.005)
            panel_words(axes, f"{one.tested.split}: {labels}")
    title(figure, "Agreement with hand-drawn labels: pooled IoU of network and image-blind constants")
    legend(figure, _iou_key(judged))
    return figure


def _ious(axes: Axes, judged: Judged, labels: str) -> None:
    rows = [judged.row(labels), *judged.of("lake", labels)]
    frame(axes, "x")
    for y, row in enumerate(rows):
        axes.axhspan(y - 0.5, y + 0.5, color="#f3f1ea" if y == 0 else "none", linewidth=0, zorder=0)
        if not row.scored:
            continue
        low, high = row.spread
        above, below = y - 0.13, y + 0.2  # apart, since they often agree
        gain = [row.best_scores.iou, row.mean.iou]
        axes.plot(gain, [below, above], color=_gain(row), linewidth=3, alpha=0.3, zorder=2)
        for k, one in enumerate(row.constants.values()):
            axes.plot(one.iou, below, **_blind_dot(k), zorder=3)
        axes.plot([low.iou, high.iou], [above, above], color=NETWORK, linewidth=1.6, zorder=4)
        axes.plot(row.mean.iou, above, "o", color=NETWORK, markersize=7, zorder=5)
        if len(row.seeds) > 1:
            axes.plot(row.ensemble.iou, above, "o", **hollow(NETWORK, 8), zorder=6)
    names = ["all lakes", *(row.scenes for row in rows[1:])]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.5, -0.5)


def _gain(row: Row) -> str:
    return NETWORK if row.skill > 0 else WARNING


def _least(judged: Judged, labels: str) -> float:
    rows = [row for row in (judged.row(labels), *judged.of("lake", labels)) if row.scored]
    ious = [one.iou for row in rows for one in (row.spread[0], *row.constants.values())]
    return min(ious, default=0.0)


def _iou_key(judged: Sequence[Judged]) -> Iterator[Line2D]:
    several = any(len(one.tested.probabilities) > 1 for one in judged)
    label = "network, mean and range of seeds" if several else "network"
    yield Line2D(
        [], [], marker="o", color=NETWORK, linewidth=1.4 if several else 0, markersize=8, label=label
    )
    if several:
        yield Line2D([], [], marker="o", **hollow(NETWORK, 8), label="mean probability of the seeds")
    for k, name in enumerate(judged[0].row().constants):
        yield Line2D([], [], **_blind_dot(k), label=name)
    yield Line2D([], [], color=NETWORK, linewidth=3, alpha=0.3, label="gain on the best constant")
    yield Line2D([], [], color=WARNING, linewidth=3, alpha=0.3, label="loss")


def _blind_dot(k: int) -> dict[str, Any]:
    colour, marker = BLIND[k % len(BLIND)], BLIND_MARKERS[k % len(BLIND_MARKERS)]
    return {"linestyle": "none", "marker": marker, "color": colour, "markersize": 6.5}


def hollow(colour: str, size: float) -> dict[str, Any]:
    """Look of a ring, size in points."""
    return {
        "linestyle": "none",
        "markersize": size,
        "markerfacecolor": "none",
        "markeredgecolor": colour,
        "markeredgewidth": 1.3,
    }


def reliability_figure(judged: Sequence[Judged]) -> Figure:
    """Draw the share of pixels that are labelled lake over their mean probability, and how many they are.

    Parameters
    ----------
    judged
        The splits; a column each.
    """
    across = min(ACROSS, len(judged))
    down = math.ceil(len(judged) / across)
    width, height = max(9.0, WIDTH_IN * across / ACROSS), 5.2 * down + 1.6
    figure = Figure(figsize=(width, height))
    bands = figure.subfigures(down + 2, across, squeeze=False, height_ratios=(0.95, *[5.2] * down, 0.65))
    for place, one in enumerate(judged):
        panel = bands[1 + place // across, place % across]
        over, below = panel.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
        panel.subplots_adjust(left=0.14, right=0.96, top=0.92, bottom=0.13, hspace=0.1)
        _reliability(over, below, one)
    title(figure, "Do probabilities mean what they say?")
    note = "On the grey line, eight in ten pixels at 0.8 are lake. Below: how many pixels. "
    note += "ECE (the best constant's)."
    figure.text(0.22 / width, 1 - 0.6 / height, note, size=10.5, color=MUTED, va="top")
    legend(figure, _reliability_key())
    return figure


def _reliability(over: Axes, below: Axes, judged: Judged) -> None:
    for axes in (over, below):
        frame(axes, "both")
    over.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, zorder=1)
    for labels, filled in ((CLEAN, False), (ALL, True)):
        for one in judged.calibrations[labels]:
            colour = NETWORK if one.pixels == ANYWHERE else BLIND[1]
            held = [each for each in one.bins if each.n]
            x, y = ([getattr(each, name) for each in held] for name in ("probability", "water"))
            if filled:
                over.plot(x, y, "o-", color=colour, markersize=5, linewidth=1.4, zorder=3)
                _counts(below, [each.n for each in one.bins], colour)
            else:
                over.plot(x, y, "--", color=colour, linewidth=1.0, zorder=2)
    over.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    below.set(yscale="log", xlabel="mean probability of water")
    ece = [f"{one.error:.3f} ({one.constant:.3f})" for one in judged.calibrations[ALL]]
    panel_words(over, judged.tested.split)
    over.text(0.03, 0.97, f"ECE {ece[0]}\nat the shore {ece[1]}", size=9.5, color=INK, va="top")


def _counts(axes: Axes, n: Sequence[int], colour: str) -> None:
    edges = np.arange(N_BINS + 1) / N_BINS
    axes.stairs(np.maximum(n, 0.5), edges, baseline=None, color=colour, linewidth=1.6)


def _reliability_key() -> Iterator[Line2D]:
    for colour, words in ((NETWORK, "all pixels with data"), (BLIND[1], "near a labelled shore")):
        yield Line2D([], [], marker="o", color=colour, linewidth=1.4, label=words)
    yield Line2D([], [], color=MUTED, linewidth=1.0, dashes=(4, 2), label="without suspected labels")


def frame(axes: Axes, grid: Any) -> None:
    """Leave of a frame the foot and a grid ("x", "y" or "both")."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.grid(axis=grid, color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelsize=10, labelcolor=MUTED)


def panel_words(axes: Axes, text: str) -> None:
    """Head a panel."""
    axes.set_title(text, loc="left", size=11, color=INK, weight="bold")


def title(figure: Figure, text: str) -> None:
    """Head a figure."""
    width, height = figure.get_size_inches()
    figure.text(0.22 / width, 1 - 0.18 / height, text, size=15, weight="bold", color=INK, va="top")


def legend(figure: Figure, key: Iterator[Line2D]) -> None:
    """Put the key below a figure."""
    handles = list(key)
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.01, 0.0), ncols=4, frameon=False, fontsize=10,
        labelcolor=INK,
    )  # fmt: skip
