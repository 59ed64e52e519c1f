"""Picture of the intervals of areas: what share of the labels they hold, and where they fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glaciolake.models.skill.figures import (
    BLIND,
    INK,
    MUTED,
    NETWORK,
    WARNING,
    WIDTH_IN,
    frame,
    legend,
    panel_words,
    title,
)
from glaciolake.models.skill.intervals import LEVEL, Interval
from glaciolake.models.skill.rows import CLEAN, Judged

REACH_PERCENT = 45.0
"""Of the right panels, both ways: wider intervals are cut."""


def intervals_figure(judged: Sequence[Judged]) -> Figure | None:
    """Draw intervals, a row a split: left the share held at every level, right those of each scene.

    Parameters
    ----------
    judged
        Splits that have intervals; None comes of none.
    """
    if not judged:
        return None
    height = 3.6 * len(judged) + 1.3
    figure = Figure(figsize=(WIDTH_IN, height))
    grid = figure.subplots(len(judged), 2, squeeze=False, width_ratios=(1, 2.9))
    figure.subplots_adjust(
        left=0.055, right=0.985, top=1 - 0.85 / height, bottom=0.95 / height, wspace=0.11, hspace=0.42
    )
    for one, (left, right) in zip(judged, grid, strict=True):
        _levels(left, one)
        _scenes(right, one)
    title(
        figure,
        f"Do the intervals hold the labelled areas? Right: at {100 * LEVEL:.0f} %, percent of the label",
    )
    legend(figure, _key())
    return figure


def _clean(judged: Judged) -> list[tuple[float, Interval]]:
    """Labelled area and intervals of the scenes that count, by lake, track and time."""
    assert judged.tested.intervals is not None
    intervals = judged.tested.intervals.each
    rows = zip(judged.scenes, judged.order, strict=True)
    return [
        (float(scene.labelled_px), intervals[i])
        for scene, i in rows
        if not scene.suspected and scene.labelled_px
    ]


def _levels(axes: Axes, judged: Judged) -> None:
    frame(axes, "both")
    levels = np.linspace(0, 1, 101)
    rows = [one for _, one in _clean(judged)]
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0)
    for name, colour in (("blind_rank", BLIND[0]), ("rank", NETWORK)):
        ranks = np.array([getattr(one, name) for one in rows])
        axes.plot(levels, [(ranks <= level).mean() for level in levels], color=colour, linewidth=1.8)
    axes.axvline(LEVEL, color=INK, linewidth=0.8, dashes=(4, 2))
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01), xlabel="level of the interval")
    panel_words(axes, f"{judged.tested.split}: share of labels held")


def _scenes(axes: Axes, judged: Judged) -> None:
    frame(axes, "y")
    rows = _clean(judged)
    x = np.arange(len(rows))
    labelled = np.array([area for area, _ in rows])
    axes.axhline(0, color=INK, linewidth=0.8, zorder=1)
    for low, high, shift, usual in (
        ("blind_low", "blind_high", 0.2, BLIND[0]),
        ("low", "high", -0.2, NETWORK),
    ):
        least, most = (
            100 * np.array([getattr(one, name) for _, one in rows]) / labelled - 100 for name in (low, high)
        )
        held = (least <= 0) & (most >= 0)
        colours = [usual if one else WARNING for one in held]
        axes.vlines(x + shift, least, np.minimum(most, 1e3), color=colours, linewidth=1.3, zorder=2)
    axes.set_ylim(-REACH_PERCENT, REACH_PERCENT)
    axes.set_xlim(-1, len(rows))
    _lakes(axes, judged)
    (own,) = (one for one in judged.coverages if one.way == "all" and one.labels == CLEAN)
    words = f"{judged.tested.split}, {CLEAN}: {100 * own.own.coverage:.0f} % held"
    panel_words(axes, f"{words} (constant {100 * own.blind.coverage:.0f} %)")


def _lakes(axes: Axes, judged: Judged) -> None:
    """Name the lakes below their scenes."""
    keys = [one.sample.lake for one in judged.scenes if not one.suspected and one.labelled_px]
    names = list(dict.fromkeys(keys))
    axes.set_xticks(
        [float(np.mean([i for i, key in enumerate(keys) if key == name])) for name in names], names
    )
    for name in names[1:]:
        axes.axvline(keys.index(name) - 0.5, color=MUTED, linewidth=0.6)


def _key() -> Iterator[Line2D]:
    yield Line2D([], [], color=NETWORK, linewidth=1.8, label="network")
    yield Line2D([], [], color=BLIND[0], linewidth=1.8, label="constant per lake, pass and season")
    yield Line2D([], [], color=WARNING, linewidth=1.8, label="the label lies outside")
