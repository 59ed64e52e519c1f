"""The figure of a lake: one panel a track, what was measured, how sure that is, what the slices look like."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, DateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glaciolake.catalog.lake import Lake
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.files import write_whole
from glaciolake.pipeline.plot_key import key_of
from glaciolake.pipeline.plot_map import draw_latest
from glaciolake.pipeline.plot_panel import Panel, draw_panel, limits_km2
from glaciolake.pipeline.plot_states import draw_states, state_keys
from glaciolake.pipeline.plot_style import FAINT, INK, MUTED, WARNING
from glaciolake.pipeline.series import area_table

FORMATS = ("png", "pdf", "svg")
WIDTH_IN = 13.33
LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN, GAP_IN = 0.8, 0.35, 1.5, 1.6, 0.62
PANEL_IN = {1: 3.6, 2: 2.7, 3: 2.2}
SMALLEST_PANEL_IN = 1.9
DPI = 150
KEY_COLUMNS = 5


@dataclass(frozen=True)
class _Sheet:
    """Sizes of the figure, inches."""

    tracks: int
    panel: float
    height: float

    @classmethod
    def of(cls, tracks: int) -> _Sheet:
        panel = PANEL_IN.get(tracks, SMALLEST_PANEL_IN)
        return cls(tracks, panel, TOP_IN + BOTTOM_IN + tracks * panel + (tracks - 1) * GAP_IN)

    def rectangle(self, row: int, left: float, width: float) -> tuple[float, float, float, float]:
        """Fractions of the figure for a box in a row, counted from the top."""
        bottom = self.height - TOP_IN - (row + 1) * self.panel - row * GAP_IN
        return left / WIDTH_IN, bottom / self.height, width / WIDTH_IN, self.panel / self.height


def plot_lake(datasets: Mapping[str, xr.Dataset], lake: Lake | None, out: Path, *, note: str = "") -> None:
    """Draw a lake's series, one panel a track, with its newest outline beside it.

    Parameters
    ----------
    datasets
        Track -> series as `glaciolake.open_lake` gives it: dims (time, y, x), areas in m2, NaN for unseen.
        Only the newest usable slice of each track is read in full.
    lake
        Registry entry, for the name and the published area; None where there is none.
    out
        ``.png``, ``.pdf`` or ``.svg``; written whole or not at all.
    note
        A sentence that readers must not miss, beside the name: that the scenes are simulated, say.

    Raises
    ------
    PipelineError
        Nothing is to be drawn, the format is another one, or the file cannot be written.
    """
    form = out.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise PipelineError(
            f"cannot draw {out.name}: end the name in {', '.join('.' + one for one in FORMATS)}"
        )
    if not any(series.sizes.get("time", 0) for series in datasets.values()):
        raise PipelineError("there are no slices to draw; run the chain first or give another lake")
    figure = lake_figure(datasets, lake, note)
    drawn = io.BytesIO()
    figure.savefig(drawn, format=form, dpi=DPI, facecolor="white")
    write_whole(out, drawn.getvalue())


def lake_figure(datasets: Mapping[str, xr.Dataset], lake: Lake | None, note: str = "") -> Figure:
    """Build the figure of `plot_lake`, for whoever wants to change it before it is saved."""
    table = area_table(datasets)
    panels = [Panel.of(track, table[table["track"] == track]) for track in sorted(datasets)]
    sheet = _Sheet.of(len(panels))
    figure = Figure(figsize=(WIDTH_IN, sheet.height))
    first: Axes | None = None
    for row, panel in enumerate(panels):
        width = WIDTH_IN - LEFT_IN - RIGHT_IN - sheet.panel - 0.25
        axes = figure.add_axes(sheet.rectangle(row, LEFT_IN, width), sharex=first, sharey=first)
        first = first or axes
        draw_panel(axes, panel, limits_km2(panels, lake), lake)
        draw_states(axes, datasets[panel.track])
        beside = figure.add_axes(sheet.rectangle(row, LEFT_IN + width + 0.25, sheet.panel))
        draw_latest(beside, datasets[panel.track], panel)
        if row < len(panels) - 1:
            axes.tick_params(labelbottom=False)
    if first is not None:
        _dates(first, table)
    _words(figure, sheet, [*key_of(panels, lake), *state_keys(datasets.values())], _caption(lake, note))
    name = lake.name if lake else str(next(iter(datasets.values())).attrs.get("lake_name", "Lake"))
    _heading(figure, sheet, name, note)
    return figure


def _dates(axes: Axes, table: pd.DataFrame) -> None:
    times = table["time"].dt.tz_localize(None)
    span = times.max() - times.min()
    margin = max(span * 0.015, pd.Timedelta(days=20 if span else 90))
    axes.set_xlim(times.min() - margin, times.max() + margin)
    many_years = span > pd.Timedelta(days=3 * 365)
    locator = AutoDateLocator(minticks=3, maxticks=12 if many_years else 8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, show_offset=False) if many_years else DateFormatter("%b %Y")
    )


def _heading(figure: Figure, sheet: _Sheet, name: str, note: str) -> None:
    _put(figure, sheet, 0.28, name, size=23, color=INK, weight="bold")
    subtitle = "Lake area at every Sentinel-1 pass, one panel per track (relative orbit)"
    _put(figure, sheet, 0.76, subtitle, size=12.5, color=MUTED)
    if note:
        right, at = 1 - RIGHT_IN / WIDTH_IN, 1 - 0.42 / sheet.height
        figure.text(right, at, note, size=13, color=WARNING, weight="bold", ha="right", va="top")


def _put(figure: Figure, sheet: _Sheet, inches_down: float, text: str, **style: Any) -> None:
    figure.text(LEFT_IN / WIDTH_IN, 1 - inches_down / sheet.height, text, va="top", **style)


def _words(figure: Figure, sheet: _Sheet, keys: list[Artist], caption: str) -> None:
    figure.legend(
        handles=keys,
        loc="lower left",
        bbox_to_anchor=((LEFT_IN - 0.12) / WIDTH_IN, 0.66 / sheet.height),
        ncols=KEY_COLUMNS,
        frameon=False,
        fontsize=9.5,
        labelcolor=INK,
        handletextpad=0.45,
        columnspacing=1.5,
        borderpad=0,
    )
    _put(figure, sheet, sheet.height - 0.52, textwrap.fill(caption, 205), size=8.5, color=MUTED)
    line = (LEFT_IN / WIDTH_IN, 1 - RIGHT_IN / WIDTH_IN)
    figure.add_artist(Line2D(line, [0.57 / sheet.height] * 2, color=FAINT, linewidth=0.8))


def _caption(lake: Lake | None, note: str) -> str:
    parts = [
        "Tracks see a lake from different sides and their levels differ by geometry: compare within a panel. "
        "A frozen or partly unseen lake is a state, not a loss of water."
    ]
    if lake is not None:
        parts.append(
            f"Published area {lake.area_km2:.3g} km2: {lake.area_source}.".replace("km2", "km\u00b2")
        )
    parts.append(f"{note}." if note else "Contains modified Copernicus Sentinel data.")
    return " ".join(parts)
