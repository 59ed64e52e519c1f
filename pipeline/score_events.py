"""Falls of the stored area: those that happened, those that did not, and what no alarm may be raised for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glaciolake.catalog.simulate.truth import State
from glaciolake.pipeline.score import FALL, FALL_SIGMAS, Falls, running_falls
from glaciolake.pipeline.score_truth import Matched

Bool = NDArray[np.bool_]

DAM = "landslide_dam"
WATER = (State.OPEN, State.DRAINED)
"""True states in which a lake's size shows."""
ICY = (State.FREEZING, State.FROZEN, State.THAWING)


@dataclass(frozen=True)
class FalseFall:
    """An unflagged slice whose stored area fell below its track's running median, while the lake did not.

    Attributes
    ----------
    series, pass_id, state
        Which slice; its true state.
    drop_percent, true_drop_percent
        By how much the stored and the visible true area lie below the medians of the same earlier slices.
    wind_m_per_s, ice_fraction
        What may explain it.
    """

    series: str
    pass_id: str
    state: str
    drop_percent: float
    true_drop_percent: float
    wind_m_per_s: float
    ice_fraction: float


@dataclass(frozen=True)
class FallScore:
    """False falls of a series in one kind of weather, beside those of the constant by the same rule.

    Attributes
    ----------
    series, kind
        Which; ``open water`` (a false loss), ``ice`` (negative control: freeze-up and break-up) or
        ``landslide dam`` (negative control).
    n
        Unflagged slices with enough before them to be judged.
    n_false, n_blind
        Of these fell without the lake; fell by the image-blind constant.
    n_true
        Of these fell with the lake.
    n_true_missed
        Did not fall though the lake did.
    falls
        The false ones.
    """

    series: str
    kind: str
    n: int
    n_false: int
    n_blind: int
    n_true: int
    n_true_missed: int
    falls: tuple[FalseFall, ...]


@dataclass(frozen=True)
class Change:
    """How the store shows an event of a lake on one track.

    Attributes
    ----------
    series, kind, first_day, last_day, is_lake_drainage
        Which event; days are ISO.
    event_percent
        True change of the lake's area by the event, percent of the area before.
    before, after
        Pass ids of the last open, unflagged slice before the first day and the first after the last day;
        "" where there is none.
    stored_percent, true_percent, blind_percent
        Change between the two slices: of the stored area, of the visible true area, of the constant.
    recovered
        Stored over true change; NaN where the true one is below 1 percent.
    delay_days
        From the end of the event's last day to the slice after it.
    seen
        Whether the stored area fell by more than a tenth and two sigma of the outline.
    """

    series: str
    kind: str
    first_day: str
    last_day: str
    is_lake_drainage: bool
    event_percent: float
    before: str
    after: str
    stored_percent: float
    true_percent: float
    blind_percent: float
    recovered: float
    delay_days: float
    seen: bool


def fall_scores(matched: Matched, events: pd.DataFrame) -> list[FallScore]:
    """Judge every unflagged slice of a series against those before it.

    Parameters
    ----------
    matched
        The series.
    events
        Events of the truth, columns of `glaciolake.catalog.simulate.truth.Happening`.
    """
    slices = matched.slices
    stored, true, blind = (_falls(slices, name) for name in ("area_m2", "visible_area_m2", "blind_area_m2"))
    dammed = _during(slices, dams_near(matched, events))
    kinds = {
        "open water": slices["state"].isin(WATER).to_numpy(),
        "ice": slices["state"].isin(ICY).to_numpy(),
        "landslide dam": dammed,
    }
    found = []
    for kind, here in kinds.items():
        judged = here & stored.judged
        fell, lost = judged & stored.fell, judged & true.fell
        at = np.flatnonzero(fell & ~lost).tolist()
        falls = tuple(_false_fall(matched.name, slices, one, (stored, true)) for one in at)
        found.append(
            FallScore(
                matched.name,
                kind,
                n=int(judged.sum()),
                n_false=len(falls),
                n_blind=int((judged & blind.fell & ~true.fell).sum()),
                n_true=int((fell & lost).sum()),
                n_true_missed=int((lost & ~stored.fell).sum()),
                falls=falls,
            )
        )
    return found


def dams_near(matched: Matched, events: pd.DataFrame) -> pd.DataFrame:
    """Landslide dams whose pool lies on the grid of a series: its lake's area must not fall by them."""
    return events[(events["kind"] == DAM) & events["lake"].isin([matched.lake, *matched.nearby])]


def _falls(slices: pd.DataFrame, name: str) -> Falls:
    """Judge an area by the slices that the store offers; the true area has no sigma of a pixel size."""
    sigma = slices["area_sigma_m2"] if name == "area_m2" else 0.0 * slices["area_sigma_m2"]
    usable = slices["usable"].to_numpy(dtype=bool) & slices[name].notna().to_numpy()
    return running_falls(slices[name].to_numpy("float64"), sigma.fillna(0.0).to_numpy("float64"), usable)


def _during(slices: pd.DataFrame, events: pd.DataFrame) -> Bool:
    """Which passes (row,) fall between the first and the last day of any of the events."""
    found = np.zeros(len(slices), dtype=bool)
    for first, last in zip(_days(events["first_day"]), _days(events["last_day"]), strict=True):
        found |= slices["time"].between(first, last + pd.Timedelta(days=1), inclusive="left").to_numpy()
    return found


def _days(days: pd.Series[pd.Timestamp]) -> list[pd.Timestamp]:
    return list(pd.to_datetime(days, utc=True).dt.tz_localize(None))


def _false_fall(name: str, slices: pd.DataFrame, at: int, falls: tuple[Falls, Falls]) -> FalseFall:
    row = slices.iloc[at]
    areas = (float(row["area_m2"]), float(row["visible_area_m2"]))
    drops = [-change(float(fall.median_m2[at]), area) for fall, area in zip(falls, areas, strict=True)]
    return FalseFall(
        name,
        str(row["pass_id"]),
        str(row["state"]),
        drops[0],
        drops[1],
        float(row["wind_m_per_s"]),
        float(row["ice_fraction"]),
    )


def change(before: float, after: float) -> float:
    """Change in percent of what was before; NaN where that is nothing."""
    return 100 * (after - before) / before if before > 0 else math.nan


def changes(matched: Matched, events: pd.DataFrame) -> Iterator[Change]:
    """Compare the last look at open water before each event of the lake with the first after it.

    Parameters
    ----------
    matched
        The series.
    events
        Events of the truth; those of other lakes are passed over, and landslide dams, which are not of the
        lake.
    """
    mine = events[(events["lake"] == matched.lake) & (events["kind"] != DAM)].sort_values("first_day")
    slices = matched.slices
    looks = slices[slices["usable"] & slices["state"].isin(WATER)]
    for (_, event), first, last in zip(
        mine.iterrows(), _days(mine["first_day"]), _days(mine["last_day"]), strict=True
    ):
        # the first day is the last one on the old level, the last day the first one on the new
        before = looks[looks["time"] < first + pd.Timedelta(days=1)]
        after = looks[looks["time"] >= last]
        pair = before.iloc[-1] if len(before) else None, after.iloc[0] if len(after) else None
        yield _change(matched.name, event, (first, last), pair)


def _change(
    name: str,
    event: pd.Series[Any],
    span: tuple[pd.Timestamp, pd.Timestamp],
    pair: tuple[pd.Series[Any] | None, pd.Series[Any] | None],
) -> Change:
    before, after = pair
    stored = true = blind = delay = math.nan
    seen = False
    if after is not None:
        delay = (pd.Timestamp(after["time"]) - span[1]) / pd.Timedelta(days=1)
    if before is not None and after is not None:
        columns = ("area_m2", "visible_area_m2", "blind_area_m2")
        stored, true, blind = (change(float(before[one]), float(after[one])) for one in columns)
        lost = float(before["area_m2"]) - float(after["area_m2"])
        seen = lost > FALL * float(before["area_m2"]) and lost > FALL_SIGMAS * float(before["area_sigma_m2"])
    return Change(
        series=name,
        kind=str(event["kind"]),
        first_day=f"{span[0]:%Y-%m-%d}",
        last_day=f"{span[1]:%Y-%m-%d}",
        is_lake_drainage=bool(event["is_lake_drainage"]),
        event_percent=change(float(event["area_before_m2"]), float(event["area_after_m2"])),
        before="" if before is None else str(before["pass_id"]),
        after="" if after is None else str(after["pass_id"]),
        stored_percent=stored,
        true_percent=true,
        blind_percent=blind,
        recovered=stored / true if abs(true) >= 1 else math.nan,
        delay_days=float(delay),
        seen=seen,
    )
