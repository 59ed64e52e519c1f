"""One track's panel: band, slices by state, summers, trend where it is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import date2num

from glaciolake.catalog.lake import Lake
from glaciolake.pipeline.plot_style import (
    FAINT,
    FLAG_MARKS,
    INK,
    MUTED,
    SUMMER_SHADE,
    TRACK_COLOUR,
    Mark,
)
from glaciolake.pipeline.series import is_open_water
from glaciolake.pipeline.trend import SUMMER_MONTHS, NoTrend, Trend, trend

M2_PER_KM2 = 1e6
LONGEST_LINE = pd.Timedelta(days=75)
"""Slices further apart are not joined: nobody saw the lake between them."""
LEAST_SPAN = 0.1
"""Least range of the y axis as a share of the area, so that noise does not fill the panel."""
LEAST_SHARE = 0.3
"""Where less than this share of the areas is open water, all of them set the y axis."""
FLAGGED_REACH = 1.0
"""Share of the axis that flagged slices may add below and above; those beyond are drawn at the edge."""

SIGNIFICANT = 0.05
"""Lines of a larger p are dotted: such a slope cannot be told from none."""
TREND_LABEL = "trend of the summers"
EDGE_GLYPH: dict[str, Any] = {
    "markerfacecolor": FAINT,
    "markeredgecolor": "#9aa0a8",
    "markersize": 4.5,
    "markeredgewidth": 0.9,
    "linestyle": "none",
}


@dataclass(frozen=True)
class Panel:
    """One track, ready to be drawn.

    Attributes
    ----------
    track, orbit_state
        ``T121``, ``descending``.
    slices
        Rows of `glaciolake.pipeline.series.area_table` with ``day`` (naive UTC), areas in km2 (``area``,
        ``low``, ``high``; NaN for unseen), ``good`` (open water), ``hidden`` (some shore behind terrain) and
        ``summer``.
    fit
        Trend of the track, or why there is none.
    """

    track: str
    orbit_state: str
    slices: pd.DataFrame
    fit: Trend | NoTrend

    @classmethod
    def of(cls, track: str, table: pd.DataFrame) -> Panel:
        """Prepare a track's rows of the area table."""
        area, sigma = table["area_m2"], table["area_sigma_m2"].fillna(0.0)
        slices = table.assign(
            day=table["time"].dt.tz_localize(None),
            area=area / M2_PER_KM2,
            low=np.minimum(table["area_lower_m2"].fillna(area), area - 2 * sigma) / M2_PER_KM2,
            high=np.maximum(table["area_upper_m2"].fillna(area), area + 2 * sigma) / M2_PER_KM2,
            good=is_open_water(table),
            hidden=table["flags"] != "",
            summer=table["time"].dt.month.isin(SUMMER_MONTHS),
        )
        state = str(table["orbit_state"].iloc[0]) if len(table) else ""
        return cls(track, state, slices, trend(table))

    @property
    def colour(self) -> str:
        """Colour of the flight direction."""
        return TRACK_COLOUR.get(self.orbit_state, INK)


def limits_km2(panels: list[Panel], lake: Lake | None) -> tuple[float, float]:
    """Range of the common y axis, km2: all open water with its band, a bounded share of the rest."""
    if not panels:
        return 0.0, 1.0
    rows = pd.concat([panel.slices for panel in panels])
    good = rows[rows["good"]]
    published = [lake.area_km2] if lake else []
    areas = rows["area"].dropna()
    mostly_good = len(good) >= LEAST_SHARE * len(areas) > 0
    core = [*good["low"], *good["high"], *published] + ([] if mostly_good else [*areas])
    if not core:
        return 0.0, 1.0
    low, high = float(np.min(core)), float(np.max(core))
    reach = FLAGGED_REACH * max(high - low, LEAST_SPAN * high)
    others = areas.clip(low - reach, high + reach)
    low, high = min([low, *others]), max([high, *others])
    margin = 0.08 * (high - low) if high - low > LEAST_SPAN * high else LEAST_SPAN * high
    return max(low - margin, 0.0), high + margin


def draw_panel(axes: Axes, panel: Panel, limits: tuple[float, float], lake: Lake | None) -> None:
    """Draw a track.

    Parameters
    ----------
    axes
        Where; x is time, y is km2.
    panel
        What.
    limits
        Range of the y axis, km2, common to all panels.
    lake
        For the published area; None draws none.
    """
    axes.set_ylim(*limits)
    _frame(axes, panel)
    _summers(axes, panel)
    if lake is not None:
        axes.axhline(lake.area_km2, color=MUTED, linewidth=0.9, dashes=(5, 3), zorder=1.5)
    _seen(axes, panel)
    _flagged(axes, panel, limits)
    _trend(axes, panel)
    _title(axes, panel)
    if not panel.slices["area"].notna().any():
        text = f"no area was measured in {len(panel.slices)} slices"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=MUTED, size=12)


def _frame(axes: Axes, panel: Panel) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=10, labelcolor=MUTED)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.2f}".rstrip("0").rstrip(".") or "0")
    axes.annotate(
        "km\u00b2", (0, 1), (-5, 7), axes.transAxes, "offset points", size=10, color=MUTED, ha="right"
    )


def _summers(axes: Axes, panel: Panel) -> None:
    days = panel.slices["day"]
    if days.empty:
        return
    for year in range(days.min().year, days.max().year + 1):
        summer = date2num([datetime(year, 7, 1), datetime(year, 10, 1)])
        axes.axvspan(summer[0], summer[1], color=SUMMER_SHADE, linewidth=0, zorder=0)


def _runs(slices: pd.DataFrame) -> list[pd.DataFrame]:
    """Split slices in stretches without a gap longer than `LONGEST_LINE`."""
    cuts = np.flatnonzero(slices["day"].diff() > LONGEST_LINE)
    edges = [0, *cuts.tolist(), len(slices)]
    return [slices.iloc[start:stop] for start, stop in pairwise(edges) if stop > start]


def _seen(axes: Axes, panel: Panel) -> None:
    good = panel.slices[panel.slices["good"]]
    for run in _runs(good):
        days = run["day"].to_numpy()
        if len(run) == 1:
            axes.vlines(days, run["low"], run["high"], color=panel.colour, alpha=0.25, linewidth=3, zorder=2)
            continue
        axes.fill_between(
            days, run["low"], run["high"], color=panel.colour, alpha=0.16, linewidth=0, zorder=2
        )
        axes.plot(days, run["area"], color=panel.colour, linewidth=0.8, alpha=0.55, zorder=3)
    for _, some in good.groupby(["summer", "hidden"]):
        summer, hidden = bool(some["summer"].iloc[0]), bool(some["hidden"].iloc[0])
        axes.plot(
            some["day"].to_numpy(),
            some["area"],
            zorder=5 if summer else 4,
            **dot(panel.colour, summer, hidden),
        )


def dot(colour: str, summer: bool, hidden: bool) -> dict[str, Any]:
    """Style of open water: larger in summer, hollow where some of the shore is hidden."""
    return {
        "linestyle": "none",
        "marker": "o",
        "markersize": 5.2 if summer else 3.0,
        "markerfacecolor": "white" if hidden else colour,
        "markeredgecolor": colour if hidden else "white",
        "markeredgewidth": 0.9 if hidden else 0.5,
    }


def mark_of(flags: str) -> Mark | None:
    """Return the mark of a slice by its flag words; None for open water."""
    words = flags.split()
    return next((mark for mark in FLAG_MARKS if str(mark.flag.name).lower() in words), None)


def _flagged(axes: Axes, panel: Panel, limits: tuple[float, float]) -> None:
    low, high = limits
    flagged = panel.slices[~panel.slices["good"]]
    seen = flagged[flagged["area"].between(low, high)]
    for mark in FLAG_MARKS:
        mine = seen[np.array([mark_of(words) == mark for words in seen["flags"]], dtype=bool)]
        axes.plot(mine["day"].to_numpy(), mine["area"], **glyph(mark), zorder=2.5)
    inset = 0.025 * (high - low)
    for some, level, marker in (
        (flagged[flagged["area"] > high], high - inset, "^"),
        (flagged[flagged["area"] < low], low + inset, "v"),
        (flagged[flagged["area"].isna()], low + inset, "|"),
    ):
        style: dict[str, Any] = {
            "color": MUTED,
            "markersize": 4.5,
            "markeredgewidth": 0.8,
            "linestyle": "none",
        }
        axes.plot(some["day"].to_numpy(), np.full(len(some), level), marker=marker, zorder=2.5, **style)


def glyph(mark: Mark) -> dict[str, Any]:
    """Style of a slice that is not open water."""
    return {
        "linestyle": "none",
        "marker": mark.marker,
        "markersize": 4.2,
        "markerfacecolor": "white",
        "markeredgecolor": "#9aa0a8",
        "markeredgewidth": 0.9,
    }


def _trend(axes: Axes, panel: Panel) -> None:
    fit = panel.fit
    if isinstance(fit, NoTrend):
        return
    ends = (fit.years[0], fit.years[-1])
    days = date2num([datetime(year, 8, 16) for year in ends])
    style = "-" if fit.p_value < SIGNIFICANT else ":"
    line = [fit.area_m2(year) / M2_PER_KM2 for year in ends]
    axes.plot(days, line, style, color=INK, linewidth=1.4, zorder=6, label=TREND_LABEL)


def _title(axes: Axes, panel: Panel) -> None:
    count = len(panel.slices)
    usable = int(panel.slices["good"].sum())
    head = f"{panel.track} {panel.orbit_state}"
    tail = f"{count} slice{'s' if count != 1 else ''}, {usable} of open water"
    at = axes.transAxes
    axes.annotate(head, (0, 1), (0, 7), at, "offset points", size=13, weight="bold", color=panel.colour)
    axes.annotate(tail, (0, 1), (len(head) * 8.6 + 8, 7), at, "offset points", size=10.5, color=MUTED)
    axes.annotate(fit_words(panel.fit), (1, 1), (0, 7), at, "offset points", size=10.5, color=INK, ha="right")


def fit_words(fit: Trend | NoTrend) -> str:
    """Say the trend, or why there is none, in one line."""
    if isinstance(fit, NoTrend):
        return fit.reason
    slope, low, high = (
        f"{value / 1e3:+.1f}".replace("-", "\u2212")
        for value in (fit.slope_m2_per_year, fit.low_m2_per_year, fit.high_m2_per_year)
    )
    p = "p < 0.001" if fit.p_value < 0.001 else f"p = {fit.p_value:.2g}"
    return f"{len(fit.years)} summers: {slope} ({low} to {high}) \u00d710\u00b3 m\u00b2/yr, {p}"
