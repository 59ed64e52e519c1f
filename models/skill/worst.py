"""The worst scenes as pictures: what the radar saw, the label, and what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import shorten

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from glaciolake.models.data import Bool
from glaciolake.models.skill.figures import ACROSS, INK, WIDTH_IN
from glaciolake.models.skill.rows import Judged

PANELS = 6
MARGIN_PX = 10
LEAST_SIDE_PX = 40
NO_DATA, UNCOUNTED = "#e9e4f2", "#5b3f8c"
LABEL_COLOUR, FOUND_COLOUR, BLIND_COLOUR = "#00e0c0", "#f0e442", "#ff9bd2"


def worst_figure(judged: Judged, *, suspected: bool) -> Figure | None:
    """Draw the scenes with the lowest IoU; None where there is none.

    Parameters
    ----------
    judged
        The split.
    suspected
        Whether of those with a suspected label, or of the others. They are drawn apart, since a wrong label
        says nothing of the network.
    """
    rows = [
        k
        for k, one in enumerate(judged.scenes)
        if bool(one.suspected) == suspected and math.isfinite(one.iou)
    ]
    worst = sorted(rows, key=lambda k: judged.scenes[k].iou)[:PANELS]
    if not worst:
        return None
    down = math.ceil(len(worst) / ACROSS)
    height = 4.75 * down + 1.15
    figure = Figure(figsize=(WIDTH_IN, height))
    for place, k in enumerate(worst):
        bottom = 1 - (0.75 + 4.75 * (place // ACROSS) + 4.6) / height
        axes = figure.add_axes((0.012 + 0.33 * (place % ACROSS), bottom, 0.315, 3.95 / height))
        _picture(axes, judged, k)
    whose = "whose label is suspected" if suspected else "whose label is not suspected"
    title = f"{judged.tested.split}: the scenes with the lowest IoU, {whose}"
    figure.text(0.012, 1 - 0.15 / height, title, size=15, weight="bold", color=INK, va="top")
    figure.legend(
        handles=_key(judged),
        loc="lower left",
        bbox_to_anchor=(0.005, 0.0),
        ncols=5,
        frameon=False,
        fontsize=10.5,
    )
    return figure


def _picture(axes: Axes, judged: Judged, k: int) -> None:
    row, i = judged.scenes[k], judged.order[k]
    found, blind, counted = judged.masks[i], judged.constant[i], judged.tested.counted[i]
    power = row.sample.power
    db = 10 * np.log10(np.where(power > 0, power, np.nan))
    found, blind = found & counted, blind & counted
    shown = [(blind, BLIND_COLOUR, ":"), (row.sample.water, LABEL_COLOUR, "-"), (found, FOUND_COLOUR, "-")]
    rows, columns = _window(row.sample.water | found)
    seen = db[rows, columns][np.isfinite(db[rows, columns])]
    low, high = np.percentile(seen, (2, 98)) if seen.size else (-25.0, 0.0)
    axes.set_facecolor(NO_DATA)
    axes.imshow(db, cmap="gray", vmin=low, vmax=max(high, low + 1), interpolation="nearest")
    shade = np.where((row.sample.valid & ~counted)[..., None], to_rgba(UNCOUNTED, 0.45), 0.0)
    axes.imshow(shade, interpolation="nearest")
    for mask, colour, style in shown:
        _outline(axes, mask, colour, style)
    axes.set(
        xlim=(columns.start - 0.5, columns.stop - 0.5),
        ylim=(rows.stop - 0.5, rows.start - 0.5),
        xticks=[],
        yticks=[],
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
    says = f"{row.sample.lake} {row.sample.track} {row.sample.start:%Y-%m-%d}\nIoU {row.iou:.2f}, constant "
    says += f"{row.constant_iou:.2f}; {row.found_px} px found, {row.labelled_px} labelled"
    if row.suspected:
        says += "\n" + shorten(row.suspected, 62, placeholder=" ...")
    axes.set_title(says, size=10, color=INK, loc="left")


def _window(mask: Bool) -> tuple[slice, slice]:
    """Rows and columns around a mask, a square where there is room for one; all of it where it is empty."""
    if not mask.any():
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    held = np.nonzero(mask)
    side = max(LEAST_SIDE_PX, *(int(np.ptp(at)) + 1 + 2 * MARGIN_PX for at in held))
    found = []
    for at, length in zip(held, mask.shape, strict=True):
        middle = (int(at.min()) + int(at.max()) + 1) // 2
        start = min(max(0, middle - side // 2), max(0, length - side))
        found.append(slice(start, min(length, start + side)))
    return found[0], found[1]


def _outline(axes: Axes, mask: Bool, colour: str, style: str) -> None:
    """Draw the shore of a mask (y, x), closed at the rim of the frame."""
    if not mask.any():  # there is no line, and matplotlib warns
        return
    y, x = (np.arange(-1, length + 1) for length in mask.shape)
    lines = axes.contour(
        x, y, np.pad(mask, 1).astype(float), levels=[0.5], colors=colour, linewidths=1.3, linestyles=style
    )
    lines.set_path_effects([effects.withStroke(linewidth=2.2, foreground="black", alpha=0.55)])


def _key(judged: Judged) -> Sequence[Artist]:
    halo = [effects.withStroke(linewidth=3, foreground="black", alpha=0.45)]
    constant = f"best constant of the split: {judged.row().best}"
    names = {LABEL_COLOUR: "label", FOUND_COLOUR: "found", BLIND_COLOUR: constant}
    key: list[Artist] = [
        Line2D([], [], color=colour, linewidth=2, path_effects=halo, label=label)
        for colour, label in names.items()
    ]
    key.append(Patch(facecolor=NO_DATA, label="no data"))
    if judged.tested.where is not None:
        key.append(Patch(facecolor=UNCOUNTED, alpha=0.45, label="not tested"))
    return key
