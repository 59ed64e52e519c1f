"""Ways into a store for people: its series by track, a line of numbers each, the figure of a lake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from glaciolake.catalog.lakes import load_lakes
from glaciolake.catalog.store import Store
from glaciolake.catalog.store_layout import SIMULATED_SOURCE
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.plot import plot_lake
from glaciolake.pipeline.series import NOT_OPEN_WATER

NOTHING = ("0 of 0", "-")
FEWEST = 5
"""Slices from which a spread is told."""
MAD_TO_SIGMA = 1.4826


def open_tracks(url: str, lake: str, track: str | None = None) -> dict[str, xr.Dataset]:
    """Open the series of a lake.

    Parameters
    ----------
    url
        Address of the store.
    lake
        Lake id.
    track
        One track, ``T121``; None opens all.

    Returns
    -------
    dict
        Track -> series as of `Store.read`, sorted by track.

    Raises
    ------
    PipelineError
        The store has no series of this lake; the message names those it has.
    StoreError
        The store cannot be opened, or has no such track.
    """
    store = Store.open(url)
    held = store.series()
    if lake not in held:
        raise PipelineError(
            f"store {url!r} has no lake {lake!r}; it holds {', '.join(held) or 'nothing yet'}"
        )
    return {name: store.read(lake, name) for name in (held[lake] if track is None else [track.upper()])}


def store_overview(url: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Sum up number of slices, median area and scatter of every series, as text.

    Returns
    -------
    dict
        (lake, track) -> (slices used of those stored, median km2 and its scatter). Used are slices that are
        neither incomplete nor of the frozen season; scatter is 1.4826 MAD over the median.
    """
    store = Store.open(url)
    found = {}
    for lake, tracks in store.series().items():
        for track in tracks:
            series = store.read(lake, track)
            open_water = (series["flags"].values & int(NOT_OPEN_WATER)) == 0
            area_km2 = series["area_m2"].values[open_water] / 1e6
            used = area_km2[np.isfinite(area_km2)]
            found[lake, track] = (f"{used.size} of {series.sizes['time']}", _spread(used))
    return found


def _spread(area_km2: NDArray[np.float64]) -> str:
    if not area_km2.size:
        return "-"
    median = float(np.median(area_km2))
    mad = float(np.median(np.abs(area_km2 - median)))
    told = median > 0 and area_km2.size >= FEWEST
    return f"{median:.3f} ±{100 * MAD_TO_SIGMA * mad / median:.1f} %" if told else f"{median:.3f}"


def draw_lake(url: str, lake: str, out: Path, registry: Path | None = None) -> Path:
    """Draw all series of a lake and return the figure's path.

    Parameters
    ----------
    url
        Address of the store.
    lake
        Lake id; the published area is drawn where the registry knows the lake.
    out
        PNG, PDF or SVG file.
    registry
        Your own lakes; None takes those shipped.
    """
    tracks = open_tracks(url, lake)
    simulated = any(series.attrs["source"] == SIMULATED_SOURCE for series in tracks.values())
    note = SIMULATED_SOURCE[0].upper() + SIMULATED_SOURCE[1:] if simulated else ""
    plot_lake(tracks, load_lakes(registry).get(lake), out, note=note)
    return out
