"""Draw the states of a real lake: levels of its tracks by state, and the scenes of January to May.

Usage: python docs/draw_states.py STORE LAKE ICE [FIGURE], with a store that `glaciolake run` made of real
scenes and a CSV of ice fractions seen from above (``date`` as 20210322, ``ice_fraction`` 0 to 1). Without
FIGURE it is docs/figures/states-LAKE.png.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from glaciolake.catalog.store import Store
from glaciolake.catalog.variables import LakeState, Surface
from glaciolake.pipeline.plot_style import FAINT, INK, MUTED, STATE_COLOUR

FIRST = np.datetime64("2020-07-01")
MONTHS = (1, 2, 3, 4, 5)
AS_DARK_DB, AS_BRIGHT_DB = -24.0, -4.0
COLUMNS = 10


def main(store: str, lake: str, ice: Path, out: Path) -> None:
    """Draw the figure."""
    matplotlib.use("agg")
    opened = Store.open(store)
    tracks = {track: opened.read(lake, track) for track in opened.series()[lake]}
    seen = pd.read_csv(ice)
    seen = seen.assign(day=pd.to_datetime(seen["date"].astype(str))).query("day >= @FIRST")
    scenes = [
        (track, series.isel(time=at))
        for track, series in tracks.items()
        for at in np.flatnonzero(series["time"].dt.month.isin(MONTHS) & (series["time"] >= FIRST))
    ]
    rows = -(-len(scenes) // COLUMNS)
    figure = plt.figure(figsize=(13.3, 2.1 * len(tracks) + 1.75 * rows + 0.6))
    grid = figure.add_gridspec(len(tracks) + rows, COLUMNS, hspace=0.42, wspace=0.04)
    shown: set[int] = set()
    for row, (track, series) in enumerate(tracks.items()):
        axes = figure.add_subplot(grid[row, :])
        shown |= draw_series(axes, track, series.sel(time=series["time"] >= FIRST), seen)
    for number, (track, scene) in enumerate(scenes):
        draw_scene(figure.add_subplot(grid[len(tracks) + number // COLUMNS, number % COLUMNS]), track, scene)
    handles = [
        plt.Line2D([], [], **mark(state), label=LakeState(state).name.lower()) for state in sorted(shown)
    ]
    handles.append(plt.Line2D([], [], color=MUTED, linewidth=1, label="ice seen from above, right axis"))
    figure.legend(handles=handles, loc="lower center", ncols=8, frameon=False, fontsize=9)
    figure.savefig(out, dpi=80, bbox_inches="tight", pil_kwargs={"optimize": True})


def mark(state: int) -> dict[str, Any]:
    """Style of a state's dot."""
    return {"marker": "o", "markersize": 7, "linestyle": "none", "color": STATE_COLOUR[LakeState(state)]}


def draw_series(axes: Axes, track: str, series: xr.Dataset, seen: pd.DataFrame) -> set[int]:
    """Draw a track's lake and land in VV, and the ice seen from above; the states that occur."""
    days = series["time"].values
    axes.plot(days, series["land_vv_db"], color=FAINT, linewidth=1)
    axes.plot(days, series["lake_vv_db"], color=FAINT, linewidth=1)
    states = set(map(int, series["state"].values))
    for state in states:
        mine = series["state"].values == state
        axes.plot(days[mine], series["lake_vv_db"].values[mine], **mark(state))
    axes.set_ylabel(f"{track}\nlake VV, dB", color=INK)
    beside = axes.twinx()
    beside.vlines(seen["day"], 0, seen["ice_fraction"], color=MUTED, linewidth=2, alpha=0.5)
    beside.set_ylim(0, 3)
    beside.set_yticks([0, 1])
    return states


def draw_scene(axes: Axes, track: str, scene: xr.Dataset) -> None:
    """Draw one scene in VV with the lake's outline as it was segmented."""
    axes.imshow(scene["gamma0_vv_db"].values, cmap="gray", vmin=AS_DARK_DB, vmax=AS_BRIGHT_DB)
    axes.contour(scene["surface"].values == int(Surface.LAKE), [0.5], colors="#f0e442", linewidths=0.7)
    state = LakeState(int(scene["state"]))
    words = f"{track} {str(scene['time'].values)[:10]}\n{state.name.lower()}"
    axes.set_title(f"{words}, ice {float(scene['ice_probability']):.2f}", size=7.5, color=STATE_COLOUR[state])
    axes.set_axis_off()


if __name__ == "__main__":
    given = sys.argv[1:]
    figure_at = (
        Path(given[3]) if len(given) > 3 else Path(__file__).parent / "figures" / f"states-{given[1]}.png"
    )
    main(given[0], given[1], Path(given[2]), figure_at)
