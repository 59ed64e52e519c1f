"""Corrected areas beside the whole lake's true one, and areas of two directions of the same week."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glaciolake.catalog.simulate.truth import State
from glaciolake.models.skill.tables import markdown_table
from glaciolake.pipeline.score import AreaErrors, area_errors, share
from glaciolake.pipeline.score_states import TOLD
from glaciolake.pipeline.score_tables import number, pair, percent

Float64 = NDArray[np.float64]

WEEK = pd.Timedelta("7D")
POOLED, TOLD_OPEN = "all series", "all series, told open"
READ_CORRECTED = """
`area_corrected_m2` against the whole lake's true area, in open water; `area_m2` and, in brackets, the image-blind
constant's whole lake on the same slices. `given`: slices that have a corrected area; the others are the first of a
track, or of a track that does not find the lake. `held`: the true area lies in the 90 % interval.
""".strip()  # noqa: E501  # one paragraph: Markdown
READ_WEEKS = """
Slices of an ascending and a descending track of one lake, both in open water and at most seven days apart:
|ln(ascending / descending)|. The constant's whole lake is the same for both, so it cannot be beaten here: it is shown
to say what the lake itself did in that time.
""".strip()  # noqa: E501  # one paragraph: Markdown


class Scored(Protocol):
    """One lake and track, as `glaciolake.pipeline.score_truth.Matched`."""

    @property
    def lake(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def orbit_state(self) -> str: ...  # noqa: D102
    @property
    def slices(self) -> pd.DataFrame: ...  # noqa: D102


@dataclass(frozen=True)
class CorrectedRow:
    """Scores of open-water slices.

    Attributes
    ----------
    series
        ``lake/track``, `POOLED`, or `TOLD_OPEN`: of all series those that the store too calls open.
    n_open, n_given
        Stored slices of a lake that is there; of these with a corrected area, on which all scores are.
    corrected, raw, blind
        Against the whole lake's true area.
    held, width_percent
        Share of 90 % intervals, 0..1, that hold it, and their median width, percent of it; NaN of none.
    """

    series: str
    n_open: int
    n_given: int
    corrected: AreaErrors
    raw: AreaErrors
    blind: AreaErrors
    held: float
    width_percent: float


@dataclass(frozen=True)
class Weeks:
    """Areas of both directions of a lake within a week: median and 90th percentile of |ln ratio|."""

    lake: str
    n: int
    raw: tuple[float, float]
    corrected: tuple[float, float]
    blind: tuple[float, float]


def corrected_rows(series: Sequence[Scored]) -> list[CorrectedRow]:
    """Score corrected areas, a row a series, then all; empty where the store holds none."""
    together = pd.concat([one.slices for one in series], ignore_index=True)
    if not together["area_corrected_m2"].notna().any():
        return []
    rows = [_row(one.name, one.slices) for one in series]
    return [*rows, _row(POOLED, together), _row(TOLD_OPEN, together[together[TOLD] == "open"])]


def _row(name: str, slices: pd.DataFrame) -> CorrectedRow:
    stored = slices[_open(slices)]
    given = stored[stored["area_corrected_m2"].notna() & stored["blind_lake_m2"].notna()]
    true = _of(given, "lake_area_m2")
    every = np.ones(len(given), bool)
    low, high = (_of(given, f"area_{which}_90_m2") for which in ("lower", "upper"))
    told = np.isfinite(low) & np.isfinite(high)
    inside = (low <= true) & (true <= high)
    width = 100 * (high - low)[told] / true[told]
    corrected, raw, blind = (
        area_errors(_of(given, area), true, every)
        for area in ("area_corrected_m2", "area_m2", "blind_lake_m2")
    )
    return CorrectedRow(
        name,
        len(stored),
        len(given),
        corrected,
        raw,
        blind,
        share(inside[told]),
        float(np.median(width)) if width.size else math.nan,
    )


def _open(slices: pd.DataFrame) -> pd.Series[bool]:
    there: pd.Series[bool] = slices["stored"] & (slices["state"] == State.OPEN) & ~slices["gone"]
    return there


def _of(slices: pd.DataFrame, name: str) -> Float64:
    return slices[name].to_numpy(dtype="float64")


def weeks(series: Sequence[Scored]) -> list[Weeks]:
    """Compare the directions, a row a lake that has both, then all."""
    found: list[tuple[str, pd.DataFrame]] = []
    for lake in sorted({one.lake for one in series}):
        both = [one for one in series if one.lake == lake]
        up = [one.slices for one in both if one.orbit_state == "ascending"]
        down = [one.slices for one in both if one.orbit_state == "descending"]
        pairs = [_pairs(one, other) for one in up for other in down]
        if pairs and sum(map(len, pairs)):
            found.append((lake, pd.concat(pairs)))
    if not found:
        return []
    return [_weeks(lake, pairs) for lake, pairs in (*found, (POOLED, pd.concat([one for _, one in found])))]


def _pairs(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """|ln ratio| of raw, corrected and blind areas of slices of two tracks, a week apart at most."""
    usable = [
        some[_open(some) & (some["area_corrected_m2"] > 0) & some["blind_lake_m2"].notna()]
        for some in (one, other)
    ]
    both = usable[0].merge(usable[1], how="cross", suffixes=("", "_other"))
    both = both[(both["time"] - both["time_other"]).abs() <= WEEK]
    areas = {"raw": "area_m2", "corrected": "area_corrected_m2", "blind": "blind_lake_m2"}
    return pd.DataFrame(
        {what: np.abs(np.log(_of(both, name) / _of(both, f"{name}_other"))) for what, name in areas.items()}
    )


def _weeks(lake: str, pairs: pd.DataFrame) -> Weeks:
    def both(what: str) -> tuple[float, float]:
        return float(pairs[what].median()), float(pairs[what].quantile(0.9))

    return Weeks(lake, len(pairs), both("raw"), both("corrected"), both("blind"))


def corrected_numbers(series: Sequence[Scored]) -> dict[str, Any]:
    """Everything that is said of corrected areas, for machines."""
    return {
        "open_water": [asdict(one) for one in corrected_rows(series)],
        "same_week": [asdict(one) for one in weeks(series)],
    }


def corrected_section(series: Sequence[Scored]) -> Iterator[str]:
    """Write the report's section on corrected areas."""
    rows = corrected_rows(series)
    yield "## Corrected areas"
    if not rows:
        yield "The store holds no corrected areas: it is older than they are, or no track has a record yet."
        return
    yield READ_CORRECTED
    headings = ("series", "open", "given", "bias %", "RMSE %", "raw: bias %", "RMSE %", "held %", "width %")
    yield markdown_table(headings, [_cells(one) for one in rows])
    yield READ_WEEKS
    of_weeks = (
        "lake",
        "pairs",
        "raw: median %",
        "90th %",
        "corrected: median %",
        "90th %",
        "constant: median %",
    )
    yield markdown_table(of_weeks, [_week_cells(one) for one in weeks(series)])


def _cells(one: CorrectedRow) -> tuple[str, ...]:
    return (
        one.series,
        str(one.n_open),
        str(one.n_given),
        pair(number(one.corrected.bias_percent), number(one.blind.bias_percent)),
        pair(number(one.corrected.rmse_percent), number(one.blind.rmse_percent)),
        number(one.raw.bias_percent),
        number(one.raw.rmse_percent),
        percent(one.held, 0),
        number(one.width_percent),
    )


def _week_cells(one: Weeks) -> tuple[str, ...]:
    return (
        one.lake,
        str(one.n),
        *(percent(value) for value in (*one.raw, *one.corrected)),
        percent(one.blind[0]),
    )


def corrected_sentence(series: Sequence[Scored]) -> Iterator[str]:
    """Say in a sentence how near corrected areas come; nothing where there are none."""
    rows, pairs = corrected_rows(series), weeks(series)
    if not rows:
        return
    one = rows[-2]
    text = (
        f"**Corrected areas.** Given for {one.n_given} of {one.n_open} open-water slices; against the whole "
        f"lake the bias is {number(one.corrected.bias_percent)} % (constant "
        f"{number(one.blind.bias_percent)} %, `area_m2` {number(one.raw.bias_percent)} %), and the 90 % "
        f"interval holds it in {percent(one.held, 0)} %."
    )
    if pairs:
        last = pairs[-1]
        text += (
            f" Within a week ascending and descending differ by {percent(last.corrected[0])} % (median), "
            f"90th percentile {percent(last.corrected[1])} % (`area_m2`: {percent(last.raw[0])} %, "
            f"{percent(last.raw[1])} %)."
        )
    yield text
