"""Score states on a simulated archive: as stored, as known on the day, and from VV alone.

Usage: python docs/compare_states.py ARCHIVE STORE, with a store that `glaciolake run` made of the archive.
"As known on the day" tells every slice from those before it alone, as it was told when it was the newest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from measure_levels import say
from numpy.typing import NDArray

from glaciolake.catalog.lake import Lake
from glaciolake.catalog.lakes import load_lakes
from glaciolake.catalog.simulate.truth import Truth, read_truth
from glaciolake.catalog.store import Store
from glaciolake.catalog.variables import VARIABLES, LakeState
from glaciolake.models.skill.tables import markdown_table
from glaciolake.pipeline.derive import derive
from glaciolake.pipeline.lakes import LakeRules
from glaciolake.pipeline.score_span import naive
from glaciolake.pipeline.score_states import TOLD, Hits, state_scores, with_states
from glaciolake.pipeline.score_tables import number
from glaciolake.pipeline.series import texts_of

RULES = LakeRules()
States = NDArray[np.uint8]


def stored(rows: xr.Dataset, lake: Lake) -> States:
    """Tell the states of all slices together."""
    return np.asarray(derive(rows, lake.elevation_m, RULES)["state"])


def on_the_day(rows: xr.Dataset, lake: Lake) -> States:
    """Tell each state from the slices up to its own."""
    parts = (rows.isel(time=slice(0, n + 1)) for n in range(rows.sizes["time"]))
    return np.array([stored(part, lake)[-1] for part in parts])


def without_vh(rows: xr.Dataset, lake: Lake) -> States:
    """Tell the states as if VH had not been recorded."""
    names = ("lake_vh_db", "lake_vh_spread_db")
    return stored(rows.assign({name: rows[name] * np.nan for name in names}), lake)


def without_spread(rows: xr.Dataset, lake: Lake) -> States:
    """Tell the states from the medians alone."""
    names = ("lake_vv_spread_db", "lake_vh_spread_db")
    return stored(rows.assign({name: rows[name] * np.nan for name in names}), lake)


WAYS: dict[str, Callable[[xr.Dataset, Lake], States]] = {
    "VV, VH, all slices": stored,
    "as known on the day": on_the_day,
    "without spreads": without_spread,
    "without VH": without_vh,
}


def slices_of(truth: Truth, store: Store, lakes: dict[str, Lake]) -> Iterator[pd.DataFrame]:
    """Join the passes of every series with their truth, and what is told of them, a column a way."""
    derived = [one.name for one in VARIABLES if one.derived]
    for lake, tracks in store.series().items():
        for track in tracks:
            series = store.read(lake, track)
            rows = series.drop_dims(["y", "x"]).drop_vars(derived, errors="ignore")
            held = pd.DataFrame({"pass_id": texts_of(series, "pass_id"), "flags": series["flags"].values})
            held["at"], held["stored"] = np.arange(len(held)), True
            found = held.merge(truth.passes[truth.passes["lake"] == lake], on="pass_id").sort_values("at")
            found["time"] = naive(found["sensing_start"])
            days = truth.daily[truth.daily["lake"] == lake]
            found = with_states(found, series, days)
            for name, way in WAYS.items():
                words = [LakeState(int(one)).name.lower() for one in way(rows, lakes[lake])]
                found[name] = np.array(words)[found["at"].to_numpy()]
            yield found


def main(archive: Path, store: str) -> None:
    """Print F1 (precision, recall) of every state and way, and what is told of each true state."""
    lakes = dict(load_lakes(archive / "lakes.geojson"))
    slices = pd.concat(slices_of(read_truth(archive), Store.open(store), lakes), ignore_index=True)
    ways = {name: state_scores(slices.assign(**{TOLD: slices[name]})) for name in WAYS}
    first = next(iter(ways.values()))
    rows = [(name, *(cell(one.told) for one in scores)) for name, scores in ways.items()]
    rows += [("calendar (the flag)", *(cell(one.calendar) for one in first))]
    rows += [("the lake's other years", *(cell(one.other_years) for one in first))]
    say(markdown_table(("F1 (precision, recall)", *(f"{o.state}, n={o.told.n_true}" for o in first)), rows))
    say(pd.crosstab(slices["state"], slices[next(iter(WAYS))]).to_string())


def cell(hits: Hits) -> str:
    """Scores of one state: 0.94 (0.95, 0.93)."""
    return f"{number(hits.f1, 2)} ({number(hits.precision, 2)}, {number(hits.recall, 2)})"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
