"""The newest usable slice of a track as a picture: what the radar saw, and the outline read from it."""

from __future__ import annotations

import matplotlib.patheffects as effects
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from glaciolake.catalog.variables import Surface
from glaciolake.pipeline.plot_panel import Panel
from glaciolake.pipeline.plot_style import FAINT, MUTED, OUTLINE_COLOUR
from glaciolake.pipeline.series import texts_of

STRETCH = (2.0, 98.0)
"""Percentiles of the decibels that become black and white."""


def draw_latest(axes: Axes, series: xr.Dataset, panel: Panel) -> None:
    """Draw VV decibels and the lake's outline of the newest open water, else the newest area.

    Parameters
    ----------
    axes
        Where; gets no ticks.
    series
        The track's series, dims (time, y, x), in metres; only one slice of it is read.
    panel
        The same track's rows.
    """
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(FAINT)
    pass_id = newest_pass(panel)
    if pass_id is None or "gamma0_vv_db" not in series:
        axes.text(0.5, 0.5, "no picture", transform=axes.transAxes, ha="center", va="center", color=MUTED)
        return
    one = series.isel(time=texts_of(series, "pass_id").index(pass_id))
    _picture(axes, one["gamma0_vv_db"].values.astype("float64"), one["surface"].values, one)
    day = np.datetime_as_string(one["time"].values, unit="D")
    axes.annotate(
        f"VV, {day}", (1, 1), (0, 7), axes.transAxes, "offset points", size=10.5, color=MUTED, ha="right"
    )


def newest_pass(panel: Panel) -> str | None:
    """Pass id of the newest open water, else of the newest area; None where there is neither."""
    slices = panel.slices
    for some in (slices[slices["good"]], slices[slices["area"].notna()]):
        if len(some):
            return str(some["pass_id"].iloc[-1])
    return None


def _picture(axes: Axes, db: NDArray[np.float64], surface: NDArray[np.generic], one: xr.Dataset) -> None:
    finite = db[np.isfinite(db)]
    low, high = np.percentile(finite, STRETCH) if finite.size else (-25.0, 0.0)
    axes.set_facecolor("#e8eaee")
    axes.imshow(db, cmap="gray", vmin=low, vmax=max(high, low + 1.0), interpolation="nearest", aspect="equal")
    lake = (surface == int(Surface.LAKE)).astype("float64")
    if 0 < lake.sum() < lake.size:
        axes.contour(lake, levels=[0.5], colors=OUTLINE_COLOUR, linewidths=1.3)
    axes.set_anchor("NE")
    spacing_m = abs(float(one["x"][1] - one["x"][0]))
    _scale_bar(axes, spacing_m, db.shape)


def _scale_bar(axes: Axes, spacing_m: float, shape: tuple[int, ...]) -> None:
    rows, columns = shape
    length_m = next(
        (step for step in (1000.0, 500.0, 200.0, 100.0) if step / spacing_m < 0.45 * columns), 100.0
    )
    x0, y = 0.06 * columns, 0.94 * rows
    halo = [effects.withStroke(linewidth=2.5, foreground="black")]
    axes.plot([x0, x0 + length_m / spacing_m], [y, y], color="black", linewidth=4, solid_capstyle="butt")
    axes.plot([x0, x0 + length_m / spacing_m], [y, y], color="white", linewidth=2, solid_capstyle="butt")
    text = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    axes.text(
        x0, y - 0.025 * rows, text, color="white", size=9.5, weight="bold", va="bottom", path_effects=halo
    )
