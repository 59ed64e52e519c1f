"""The figure of a scored series: stored areas over true ones, states shaded, events marked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib.patheffects as effects
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from glaciolake.catalog.simulate.truth import State
from glaciolake.pipeline.plot_style import FAINT, INK, MUTED, TRACK_COLOUR, WARNING
from glaciolake.pipeline.score_events import DAM, FallScore, dams_near
from glaciolake.pipeline.score_truth import Matched

STATE_SHADE = {
    State.FREEZING: "#e6e0f0",
    State.FROZEN: "#d3dfee",
    State.THAWING: "#e0ecd9",
    State.DRAINED: "#f7e0d8",
}
EVENT_COLOUR = "#7a4b00"
MOST_PERCENT = 40.0
"""Errors beyond are drawn at the rim."""
MOST_TIMES = 1.5
"""Stored areas beyond this many times the largest true one are drawn at the rim."""
M2_PER_KM2 = 1e6


def series_figure(matched: Matched, events: pd.DataFrame, falls: list[FallScore]) -> Figure:
    """Draw a series over its truth.

    Parameters
    ----------
    matched
        What to draw.
    events
        Of the truth; those of other lakes are passed over, except for landslide dams nearby.
    falls
        Whose false ones are ringed.
    """
    figure = Figure(figsize=(13.33, 6.4))
    over, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.15))
    figure.subplots_adjust(left=0.065, right=0.975, top=0.865, bottom=0.16, hspace=0.09)
    own = events[(events["lake"] == matched.lake) & (events["kind"] != DAM)]
    mine = pd.concat([own, dams_near(matched, events)])
    for axes in (over, below):
        _frame(axes)
        _states(axes, matched.days)
        _spans(axes, mine)
    ringed = {one.pass_id for score in falls for one in score.falls}
    _areas(over, matched, ringed)
    _event_words(over, mine)
    _errors(below, matched, ringed)
    _dates(below, matched.slices)
    _words(figure, matched)
    figure.legend(
        handles=list(_key(matched, mine, ringed)),
        loc="lower left",
        bbox_to_anchor=(0.055, 0.0),
        ncols=6,
        frameon=False,
        fontsize=9.5,
        labelcolor=INK,
        columnspacing=1.5,
    )
    return figure


def _frame(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=10, labelcolor=MUTED)


def _states(axes: Axes, days: pd.DataFrame) -> None:
    """Shade the days on which the lake is not open."""
    run = (days["state"] != days["state"].shift()).cumsum()
    for _, some in days.groupby(run):
        shade = STATE_SHADE.get(State(some["state"].iloc[0]))
        if shade:
            end = some["date"].iloc[-1] + pd.Timedelta(days=1)
            axes.axvspan(some["date"].iloc[0], end, color=shade, linewidth=0, zorder=0)


def _spans(axes: Axes, events: pd.DataFrame) -> None:
    for row in events.itertuples():
        days = pd.Timestamp(str(row.first_day)), pd.Timestamp(str(row.last_day)) + pd.Timedelta(days=1)
        first, end = (float(date2num(day)) for day in days)
        axes.axvspan(first, end, color=EVENT_COLOUR, alpha=0.16, linewidth=0, zorder=1)
        axes.axvline(first, color=EVENT_COLOUR, linewidth=0.9, dashes=(2, 2), zorder=1)


def _event_words(axes: Axes, events: pd.DataFrame) -> None:
    for place, row in enumerate(events.sort_values("first_day").itertuples()):
        day = pd.Timestamp(str(row.first_day))
        words = str(row.kind).replace("_", " ") + ("" if row.is_lake_drainage else " (not a drainage)")
        axes.annotate(
            words,
            (float(date2num(day)), 1.0),
            (3, -24 - 13 * (place % 3)),
            axes.get_xaxis_transform(),
            "offset points",
            size=9,
            color=EVENT_COLOUR,
            zorder=7,
            path_effects=[effects.withStroke(linewidth=2.5, foreground="white", alpha=0.8)],
        )


def _areas(axes: Axes, matched: Matched, ringed: set[str]) -> None:
    slices, days = matched.slices, matched.days
    kept = days[days["date"].between(slices["time"].min().floor("D"), slices["time"].max())]
    axes.plot(
        kept["date"], kept["lake_area_m2"] / M2_PER_KM2, color=MUTED, linewidth=1.0, dashes=(4, 2), zorder=2
    )
    axes.plot(slices["time"], slices["visible_area_m2"] / M2_PER_KM2, color=INK, linewidth=1.5, zorder=3)
    blind = slices[slices["blind_area_m2"].notna()]
    axes.plot(blind["time"], blind["blind_area_m2"] / M2_PER_KM2, color="#009e73", linewidth=1.0, zorder=2.5)
    held = slices[slices["has_area"]]
    bottom, top = _limits_km2(slices)
    low, high = (held[name] / M2_PER_KM2 for name in ("area_lower_m2", "area_upper_m2"))
    axes.vlines(held["time"], low, high, color=_colour(matched), alpha=0.35, linewidth=1.2, zorder=3.5)
    inside = held["area_m2"] / M2_PER_KM2 <= top
    for usable in (False, True):
        some = held[(held["usable"] == usable) & inside]
        axes.plot(
            some["time"], some["area_m2"] / M2_PER_KM2, **_dot(_colour(matched), usable), zorder=4 + usable
        )
    beyond = held[~inside]
    axes.plot(
        beyond["time"], np.full(len(beyond), 0.975), **_beyond(matched), transform=axes.get_xaxis_transform()
    )
    rings = held[held["pass_id"].isin(ringed)]
    axes.plot(rings["time"], rings["area_m2"] / M2_PER_KM2, **_ring(), zorder=6)
    axes.set_ylim(bottom, top)
    _without_area(axes, slices)
    axes.annotate("km²", (0, 1), (-5, 5), axes.transAxes, "offset points", size=10, color=MUTED, ha="right")


def _without_area(axes: Axes, slices: pd.DataFrame) -> None:
    """Mark passes that gave no area at the foot of the panel."""
    floor = axes.get_xaxis_transform()
    none, gone = slices[slices["stored"] & ~slices["has_area"]], slices[slices["why"] != ""]
    axes.plot(none["time"], np.full(len(none), 0.02), "|", color=MUTED, markersize=8, transform=floor)
    axes.plot(gone["time"], np.full(len(gone), 0.02), "x", color=WARNING, markersize=6, transform=floor)


def _limits_km2(slices: pd.DataFrame) -> tuple[float, float]:
    """Range of the axis: all true areas, and stored ones up to `MOST_TIMES` the largest lake."""
    whole = slices["lake_area_m2"].max()
    stored = slices["area_m2"].clip(upper=MOST_TIMES * whole)
    low = float(np.nanmin([slices["visible_area_m2"].min(), stored.min()])) / M2_PER_KM2
    high = float(np.nanmax([whole, stored.max(), slices["blind_area_m2"].max()])) / M2_PER_KM2
    span = max(high - low, 0.05 * high)
    return max(-0.03 * high, low - 0.25 * span), high + 0.12 * span


def _errors(axes: Axes, matched: Matched, ringed: set[str]) -> None:
    """Draw stored over visible true area, in percent; of a lake that is gone there is none."""
    held = matched.slices[matched.slices["has_area"]]
    true = held["visible_area_m2"].where((held["visible_area_m2"] > 0) & ~held["gone"])
    percent, blind = (100 * (held[name] / true - 1) for name in ("area_m2", "blind_area_m2"))
    axes.axhline(0, color=INK, linewidth=1.0, zorder=2)
    most = float(np.nanmin([MOST_PERCENT, 1.1 * np.nanmax([10.0, percent.abs().max()])]))
    axes.set_ylim(-most, most)
    axes.plot(held["time"], blind.clip(-most, most), color="#009e73", linewidth=1.0, zorder=2.5)
    for usable in (False, True):
        some = held["usable"] == usable
        inner = percent[some].clip(-0.97 * most, 0.97 * most)
        axes.plot(held.loc[some, "time"], inner, **_dot(_colour(matched), usable), zorder=4 + usable)
    rings = held["pass_id"].isin(ringed)
    axes.plot(held.loc[rings, "time"], percent[rings].clip(-0.97 * most, 0.97 * most), **_ring(), zorder=6)
    axes.annotate(
        "error, % of the visible area", (0, 1), (2, 4), axes.transAxes, "offset points", size=9.5, color=MUTED
    )


def _colour(matched: Matched) -> str:
    return TRACK_COLOUR.get(matched.orbit_state, INK)


def _dot(colour: str, usable: bool) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": "o",
        "markersize": 4.2 if usable else 3.4,
        "markerfacecolor": colour if usable else "white",
        "markeredgecolor": "white" if usable else colour,
        "markeredgewidth": 0.5 if usable else 0.9,
    }


def _beyond(matched: Matched) -> dict[str, Any]:
    return {"linestyle": "none", "marker": "^", "color": _colour(matched), "markersize": 5}


def _ring() -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": "o",
        "markersize": 10,
        "markerfacecolor": "none",
        "markeredgecolor": WARNING,
        "markeredgewidth": 1.4,
    }


def _dates(axes: Axes, slices: pd.DataFrame) -> None:
    first, last = slices["time"].min(), slices["time"].max()
    margin = max(0.015 * (last - first), pd.Timedelta(days=10))
    axes.set_xlim(first - margin, last + margin)
    locator = AutoDateLocator(minticks=4, maxticks=12)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))


def _words(figure: Figure, matched: Matched) -> None:
    slices = matched.slices
    counts = (
        f"{len(slices)} passes due, {int(slices['acquired'].sum())} acquired, {int(slices['stored'].sum())} "
        f"stored, {int(slices['has_area'].sum())} with an area, {int(slices['usable'].sum())} unflagged"
    )
    title = f"{matched.lake_name}, {matched.track} {matched.orbit_state}"
    figure.text(0.065, 0.975, title, size=17, weight="bold", color=_colour(matched), va="top")
    figure.text(0.065, 0.922, counts, size=10.5, color=MUTED, va="top")
    note = "Simulated scenes with known truth, not the real lake"
    figure.text(0.975, 0.968, note, size=11.5, weight="bold", color=WARNING, va="top", ha="right")


def _key(matched: Matched, events: pd.DataFrame, ringed: set[str]) -> Iterator[Artist]:
    """Entries for what occurs in the figure."""
    slices, colour = matched.slices, _colour(matched)
    yield Line2D([], [], color=INK, linewidth=1.5, label="visible true area")
    yield Line2D([], [], color=MUTED, linewidth=1.0, dashes=(4, 2), label="whole true lake")
    yield Line2D([], [], color="#009e73", linewidth=1.0, label="constant, image-blind")
    yield Line2D([], [], **_dot(colour, True), label="stored, unflagged")
    if (slices["has_area"] & ~slices["usable"]).any():
        yield Line2D([], [], **_dot(colour, False), label="stored, flagged")
    yield Line2D([], [], color=colour, alpha=0.35, linewidth=1.2, label="stored bounds")
    if (slices["stored"] & ~slices["has_area"]).any():
        yield Line2D([], [], linestyle="none", marker="|", color=MUTED, markersize=8, label="too little seen")
    if (slices["why"] != "").any():
        yield Line2D([], [], linestyle="none", marker="x", color=WARNING, label="acquired, not stored")
    if (slices["area_m2"] / M2_PER_KM2 > _limits_km2(slices)[1]).any():
        yield Line2D([], [], **_beyond(matched), label="beyond the axis")
    if ringed:
        yield Line2D([], [], **_ring(), label="false fall")
    shown = set(matched.days["state"])
    yield from (
        Patch(facecolor=shade, label=str(state)) for state, shade in STATE_SHADE.items() if state in shown
    )
    if len(events):
        yield Patch(facecolor=EVENT_COLOUR, alpha=0.2, label="event")
