"""Told labels as pictures: what the radar saw, bare and with every outline that is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Literal, NamedTuple

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glaciolake.models.audit.dates import SPACING_M
from glaciolake.models.audit.labels import Finding
from glaciolake.models.data import Bool, Sample
from glaciolake.models.skill.figures import INK, MUTED, WARNING, WIDTH_IN, title

ACROSS, DOWN = 2, 3
PER_PAGE = ACROSS * DOWN
ROW_IN, PANEL_IN, HEAD_IN, FOOT_IN = 4.3, 3.15, 0.55, 0.5
MARGIN_PX, LEAST_SIDE_PX = 10, 40
LINE_CHARACTERS, LINES = 88, 3
NO_DATA = "#e9e4f2"
LABEL, OTHERS, OUTLINE, NETWORK = "#00e0c0", "#f0e442", "#ff9bd2", "#ff9f1c"
STYLES: dict[str, Literal["-", "--", ":"]] = {LABEL: "-", OTHERS: "-", OUTLINE: "--", NETWORK: ":"}


class Told(NamedTuple):
    """One told label with the outlines that are known beside it.

    Attributes
    ----------
    finding
        What is told of it.
    sample
        The label and its image.
    others
        (y, x), True where at least half of the other labels of its lake and track have lake.
    outline, network
        (y, x), True inside the independent outline, and where a network finds lake; None where unknown.
    """

    finding: Finding
    sample: Sample
    others: Bool
    outline: Bool | None
    network: Bool | None

    def drawn(self) -> Mapping[str, Bool]:
        """Colour to mask; the label last, on top."""
        masks = {OTHERS: self.others, OUTLINE: self.outline, NETWORK: self.network, LABEL: self.sample.water}
        return {colour: mask for colour, mask in masks.items() if mask is not None}


def pages(told: Sequence[Told]) -> list[Figure]:
    """Draw told labels, `PER_PAGE` a figure, each twice: bare and with its outlines.

    Parameters
    ----------
    told
        In the order of the report's table.
    """
    starts = range(0, len(told), PER_PAGE)
    return [
        _page(told[start : start + PER_PAGE], f"{number} of {len(starts)}")
        for number, start in enumerate(starts, 1)
    ]


def _page(told: Sequence[Told], number: str) -> Figure:
    down = math.ceil(len(told) / ACROSS)
    height = HEAD_IN + ROW_IN * down + FOOT_IN
    figure = Figure(figsize=(WIDTH_IN, height))
    for place, one in enumerate(told):
        top = HEAD_IN + ROW_IN * (place // ACROSS)
        left = 0.16 + (WIDTH_IN / ACROSS) * (place % ACROSS)
        _words(figure, one.finding, left, top)
        for panel, outlined in enumerate((False, True)):
            left_in, bottom_in = left + panel * (PANEL_IN + 0.08), height - top - 1.0 - PANEL_IN
            box = (left_in / WIDTH_IN, bottom_in / height, PANEL_IN / WIDTH_IN, PANEL_IN / height)
            _picture(figure.add_axes(box), one, outlined=outlined)
    title(figure, f"Told labels, {number}: backscatter, and the same with outlines")
    _key(figure, told)
    return figure


def _words(figure: Figure, finding: Finding, left_in: float, top_in: float) -> None:
    width, height = figure.get_size_inches()
    says = f"{finding.lake} {finding.track} {finding.start:%Y-%m-%d}: {finding.verdict}"
    colour = WARNING if finding.verdict == "wrong" else INK
    figure.text(left_in / width, 1 - top_in / height, says, size=11, weight="bold", color=colour, va="top")
    lines = wrap("; ".join(finding.reasons), LINE_CHARACTERS)
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], lines[LINES - 1][: LINE_CHARACTERS - 4] + " ..."]
    reasons = "\n".join(lines)
    figure.text(left_in / width, 1 - (top_in + 0.25) / height, reasons, size=9, color=MUTED, va="top")


def _picture(axes: Axes, one: Told, *, outlined: bool) -> None:
    power, drawn = one.sample.power, one.drawn()
    db = 10 * np.log10(np.where(power > 0, power, np.nan))
    rows, columns = _window(np.logical_or.reduce(list(drawn.values())))
    seen = db[rows, columns][np.isfinite(db[rows, columns])]
    low, high = np.percentile(seen, (2, 98)) if seen.size else (-25.0, 0.0)
    axes.set_facecolor(NO_DATA)
    axes.imshow(db, cmap="gray", vmin=low, vmax=max(high, low + 1), interpolation="nearest", aspect="equal")
    if outlined:
        for colour, mask in drawn.items():
            _outline(axes, mask, colour)
    else:
        # Decibels of the grey levels, and how wide it is: a wrong mask is often one of another scale.
        width_m = SPACING_M * (columns.stop - columns.start)
        note = f"{low:.0f} to {max(high, low + 1):.0f} dB; {width_m / 1000:.1f} km wide"
        halo = [effects.withStroke(linewidth=2.5, foreground="white")]
        axes.text(
            0.02, 0.02, note, transform=axes.transAxes, size=8.5, color=INK, va="bottom", path_effects=halo
        )
    axes.set(xlim=(columns.start - 0.5, columns.stop - 0.5), ylim=(rows.stop - 0.5, rows.start - 0.5))
    axes.set(xticks=[], yticks=[], anchor="NW")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _window(mask: Bool) -> tuple[slice, slice]:
    """Rows and columns around a mask, a square where there is room for one; all of it where it is empty."""
    if not mask.any():
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    held = [np.flatnonzero(mask.any(axis=1 - axis)) for axis in (0, 1)]
    side = max(LEAST_SIDE_PX, *(int(at[-1] - at[0]) + 1 + 2 * MARGIN_PX for at in held))
    found = []
    for at, length in zip(held, mask.shape, strict=True):
        start = min(max(0, int(at[0] + at[-1] + 1) // 2 - side // 2), max(0, length - side))
        found.append(slice(start, min(length, start + side)))
    return found[0], found[1]


def _outline(axes: Axes, mask: Bool, colour: str) -> None:
    """Draw the shore of a mask (y, x), closed at the rim of the frame."""
    if not mask.any():  # there is no line, and matplotlib warns
        return
    y, x = (np.arange(-1, length + 1) for length in mask.shape)
    edges = np.pad(mask, 1).astype(float)
    lines = axes.contour(x, y, edges, levels=[0.5], colors=colour, linewidths=1.4, linestyles=STYLES[colour])
    lines.set_path_effects([effects.withStroke(linewidth=2.3, foreground="black", alpha=0.55)])


def _key(figure: Figure, told: Sequence[Told]) -> None:
    names = {
        LABEL: "label",
        OTHERS: "at least half of its other dates",
        OUTLINE: "independent outline",
        NETWORK: "network that has not learned from it",
    }
    known = {colour for one in told for colour in one.drawn()}
    halo = [effects.withStroke(linewidth=3, foreground="black", alpha=0.45)]
    handles = [
        Line2D([], [], color=colour, linestyle=STYLES[colour], linewidth=2, path_effects=halo, label=name)
        for colour, name in names.items()
        if colour in known
    ]
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.005, 0.0), ncols=4, frameon=False, fontsize=10.5
    )
