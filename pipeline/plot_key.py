"""The key of the figure: one entry for everything that occurs in it, and nothing else."""

from __future__ import annotations

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from glaciolake.catalog.lake import Lake
from glaciolake.pipeline.plot_panel import EDGE_GLYPH, TREND_LABEL, Panel, dot, glyph, limits_km2, mark_of
from glaciolake.pipeline.plot_style import FLAG_MARKS, INK, MUTED
from glaciolake.pipeline.trend import Trend


def key_of(panels: list[Panel], lake: Lake | None) -> list[Artist]:
    """Entries of the figure's key: only what occurs in it."""
    rows = pd.concat([panel.slices for panel in panels])
    colours = {panel.colour for panel in panels}
    colour = colours.pop() if len(colours) == 1 else MUTED
    good = rows[rows["good"]]
    found: list[Artist] = []
    if len(good):
        found = [
            Line2D([], [], label="July to September", **dot(colour, True, False)),
            Line2D([], [], label="other months", **dot(colour, False, False)),
            Patch(facecolor=colour, alpha=0.2, label="2\u03c3 of the outline and unseen pixels"),
        ]
    if good["hidden"].any():
        found.append(Line2D([], [], label="shore partly behind terrain", **dot(colour, True, True)))
    marks = {mark_of(flags) for flags in rows.loc[rows["area"].notna(), "flags"]}
    found += [Line2D([], [], **glyph(mark), label=mark.label) for mark in FLAG_MARKS if mark in marks]
    low, high = limits_km2(panels, lake)
    if (rows["area"] > high).any() or (rows["area"] < low).any():
        found.append(
            Line2D([], [], linestyle="none", marker="^", color=MUTED, markersize=4.5, label="beyond the axis")
        )
    if rows["area"].isna().any():
        found.append(Line2D([], [], marker="|", label="pass without an area", **EDGE_GLYPH))
    if any(isinstance(panel.fit, Trend) for panel in panels):
        found.append(Line2D([], [], color=INK, linewidth=1.4, label=TREND_LABEL))
    if lake is not None:
        found.append(Line2D([], [], color=MUTED, linewidth=0.9, dashes=(5, 3), label="published area"))
    return found
