"""The worst slices as pictures: what the radar saw, the true shore, the stored one, and where they part."""

from __future__ import annotations

import math

import matplotlib.patheffects as effects
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from glaciolake.catalog.simulate.truth import State
from glaciolake.catalog.variables import Surface
from glaciolake.pipeline.plot_style import INK, OUTLINE_COLOUR, WARNING
from glaciolake.pipeline.score_masks import Bool, Shores
from glaciolake.pipeline.score_truth import Matched

MISSED, FALSE, UNKNOWN = "#0072b2", "#d55e00", "#b6a6d8"
TRUTH_COLOUR = "#00e0c0"
STRENGTH = 0.6
PANELS = 4
MARGIN_PX = 12
LOOKS_PER_PANEL_IN = 3.25


def error_share(slices: pd.DataFrame) -> pd.Series[float]:
    """Missed and false pixels as a share of the true lake; NaN where nothing was counted."""
    true = slices["both"] + slices["missed"]
    return ((slices["missed"] + slices["false"]) / true.where(true > 0)).astype("float64")


def worst_open(slices: pd.DataFrame, n: int) -> pd.DataFrame:
    """Find the n open-water slices with the most wrong pixels, worst first, with their ``error_share``."""
    opened = slices[(slices["state"] == State.OPEN) & slices["both"].notna()]
    return opened.assign(error_share=error_share(opened)).nlargest(n, "error_share")


def worst_figure(matched: Matched, series: xr.Dataset, shores: Shores) -> Figure | None:
    """Draw the worst open-water slices of a series; None where there is none.

    Parameters
    ----------
    matched, series, shores
        The scored series, its pixels (only those slices are read), its true outlines.
    """
    worst = worst_open(matched.slices, PANELS)
    if worst.empty:
        return None
    window = _window(worst, series, shores)
    columns = window[1].stop - window[1].start
    rows = window[0].stop - window[0].start
    height = LOOKS_PER_PANEL_IN * rows / columns
    figure = Figure(figsize=(13.33, height + 1.55))
    bottom, top = 0.55 / (height + 1.55), 1 - 0.95 / (height + 1.55)
    for place, (_, row) in enumerate(worst.iterrows()):
        axes = figure.add_axes((0.02 + 0.245 * place, bottom, 0.235, top - bottom))
        _picture(axes, series.isel(time=int(row["at"])), shores, row, window)
    title = f"{matched.lake_name}, {matched.track}: the open-water slices with most wrong pixels"
    figure.text(0.02, 1 - 0.12 / (height + 1.55), title, size=15, weight="bold", color=INK, va="top")
    note = "Simulated scenes"
    figure.text(
        0.99, 1 - 0.15 / (height + 1.55), note, size=11.5, weight="bold", color=WARNING, va="top", ha="right"
    )
    figure.legend(
        handles=_key(), loc="lower left", bbox_to_anchor=(0.012, 0), ncols=5, frameon=False, fontsize=10
    )
    return figure


def _window(worst: pd.DataFrame, series: xr.Dataset, shores: Shores) -> tuple[slice, slice]:
    """Rows and columns around all true and stored lakes that are drawn."""
    boxes = [shores.pixels(int(number)).bounds for number in worst["outline_id"]]
    for at in worst["at"]:
        rows, columns = np.nonzero(series["surface"].isel(time=int(at)).values == int(Surface.LAKE))
        if rows.size:
            boxes.append((columns.min(), rows.min(), columns.max(), rows.max()))
    left, top = np.nanmin(boxes, axis=0)[:2] - MARGIN_PX
    right, bottom = np.nanmax(boxes, axis=0)[2:] + MARGIN_PX
    height, width = shores.shape
    return (
        slice(max(0, math.floor(top)), min(height, math.ceil(bottom))),
        slice(max(0, math.floor(left)), min(width, math.ceil(right))),
    )


def _picture(
    axes: Axes, one: xr.Dataset, shores: Shores, row: pd.Series[float], window: tuple[slice, slice]
) -> None:
    db = one["gamma0_vv_db"].values.astype("float64")[window]
    surface = one["surface"].values[window]
    known = np.isfinite(surface) & (surface != int(Surface.UNKNOWN))
    lake, truth = surface == int(Surface.LAKE), shores.mask(int(row["outline_id"]))[window]
    left, right, top, bottom = window[1].start, window[1].stop, window[0].start, window[0].stop
    extent = (left, right, bottom, top)
    finite = db[np.isfinite(db)]
    low, high = np.percentile(finite, (2, 98)) if finite.size else (-25.0, 0.0)
    axes.imshow(db, cmap="gray", vmin=low, vmax=max(high, low + 1), extent=extent, interpolation="nearest")
    axes.imshow(_coloured(lake, truth, known), extent=extent, interpolation="nearest")
    _outline(axes, shores.pixels(int(row["outline_id"])))
    if 0 < lake.sum() < lake.size:
        rows, columns = np.arange(top, bottom) + 0.5, np.arange(left, right) + 0.5
        axes.contour(
            columns, rows, lake.astype("float64"), levels=[0.5], colors=OUTLINE_COLOUR, linewidths=1.1
        )
    axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    flagged = "" if row["usable"] else ", flagged"
    says = (
        f"{row['time']:%Y-%m-%d}  {str(row['pass_id']).split('_')[1]}{flagged}\n"
        f"IoU {row['both'] / (row['both'] + row['missed'] + row['false']):.2f}, constant "
        f"{row['blind_both'] / (row['blind_both'] + row['blind_missed'] + row['blind_false']):.2f}"
        f", wind {row['wind_m_per_s']:.0f} m/s"
    )
    axes.set_title(says, size=10, color=INK, loc="left")


def _coloured(lake: Bool, truth: Bool, known: Bool) -> NDArray[np.float64]:
    """Colours (y, x, 4) of what is wrong or unknown; transparent elsewhere."""
    shades = np.zeros((*lake.shape, 4))
    shades[known & truth & ~lake] = to_rgba(MISSED, STRENGTH)
    shades[known & lake & ~truth] = to_rgba(FALSE, STRENGTH)
    shades[~known] = to_rgba(UNKNOWN, 0.45)
    return shades


def _outline(axes: Axes, shore: shapely.Geometry) -> None:
    halo = [effects.withStroke(linewidth=2.4, foreground="black", alpha=0.6)]
    for part in shapely.get_parts(shore):
        rings = [part.exterior, *part.interiors]
        for ring in rings:
            x, y = np.asarray(ring.coords)[:, :2].T
            axes.plot(x, y, color=TRUTH_COLOUR, linewidth=1.1, path_effects=halo)


def _key() -> list[Artist]:
    return [
        Line2D([], [], color=TRUTH_COLOUR, linewidth=2, label="true shore"),
        Line2D([], [], color=OUTLINE_COLOUR, linewidth=2, label="stored lake"),
        Patch(facecolor=MISSED, alpha=0.8, label="missed water"),
        Patch(facecolor=FALSE, alpha=0.8, label="false water"),
        Patch(facecolor=UNKNOWN, alpha=0.6, label="not seen: counted neither way"),
    ]
