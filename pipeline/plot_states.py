"""States in the figure: a strip at the foot of each panel, a square a slice that is not plain open water."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from glaciolake.catalog.variables import LakeState
from glaciolake.pipeline.plot_style import STATE_COLOUR

AT_FOOT = 0.012
"""Share of the panel's height at which the squares lie."""


def states_in(series: xr.Dataset) -> list[LakeState]:
    """States (time,) of a series; empty for one from before they were stored."""
    return [LakeState(int(value)) for value in series["state"].values] if "state" in series else []


def draw_states(axes: Axes, series: xr.Dataset) -> None:
    """Draw the strip.

    Parameters
    ----------
    axes
        Panel of a track; x is time.
    series
        As `glaciolake.open_lake` gives it.
    """
    told = states_in(series)
    for state in set(told) - {LakeState.OPEN}:
        days = series["time"].values[np.array([one is state for one in told])]
        foot = np.full(len(days), AT_FOOT)
        axes.plot(days, foot, **_square(state), transform=axes.get_xaxis_transform(), zorder=6)


def state_keys(datasets: Iterable[xr.Dataset]) -> list[Line2D]:
    """Entries of the figure's key, for states that occur."""
    shown = {state for series in datasets for state in states_in(series)} - {LakeState.OPEN}
    return [Line2D([], [], **_square(state), label=f"state: {state.name.lower()}") for state in sorted(shown)]


def _square(state: LakeState) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": "s",
        "markersize": 4.0,
        "markeredgewidth": 0,
        "color": STATE_COLOUR[state],
    }
