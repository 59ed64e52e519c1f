"""Slices of a store beside the truth of the simulated archive that they were made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from shapely import box, is_empty

from glaciolake.catalog.simulate.truth import State, Truth
from glaciolake.catalog.store import Store
from glaciolake.catalog.store_layout import SIMULATED_SOURCE
from glaciolake.catalog.variables import Surface
from glaciolake.pipeline.comparable import CORRECTED
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.score import count_pixels
from glaciolake.pipeline.score_masks import Constant, OpenPass, Shores
from glaciolake.pipeline.score_span import Span, during, failures, naive, span_of, within
from glaciolake.pipeline.score_states import with_states
from glaciolake.pipeline.series import NOT_OPEN_WATER, SLICES_AT_ONCE, crs_of, pixel_transform, texts_of

OF_STORE = ("area_m2", "area_lower_m2", "area_upper_m2", "area_sigma_m2", "valid_fraction", *CORRECTED)
OF_PIXELS = (
    *("both", "missed", "false"),
    *("blind_both", "blind_missed", "blind_false", "blind_area_m2", "blind_lake_m2"),
)
GONE = 0.25
"""Share of its largest area below which a lake counts as gone: errors are given in m2, not in percent."""
NEVER_WRITTEN = "not in the store, and the store says no reason"

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Matched:
    """One lake and track: every pass that was due, what is true of it, what the store holds of it.

    Attributes
    ----------
    lake, lake_name, track, orbit_state, model
        Which series, and the network that made it.
    slices
        A row a due pass, in order of time: the columns of `glaciolake.catalog.simulate.truth.Pass`, ``time``
        (naive UTC), what the store holds (`OF_STORE`, ``flags``, ``stored``; NaN where it holds nothing), the
        states ``has_area``, ``usable`` (an area and unflagged) and ``gone``, the pixel counts ``both``,
        ``missed``, ``false``, the same of the image-blind constant (``blind_both`` ...), its area on the
        pixels that the slice knows (``blind_area_m2``) and as a whole (``blind_lake_m2``), ``why`` a pass is
        missing, and `with_states`.
    days
        Truth of every day, columns of `glaciolake.catalog.simulate.truth.Day`, ``date`` naive.
    basis
        What the constant is drawn from.
    span
        From when to when passes count; the same for all series of a store.
    unexpected
        Pass ids that the store holds and the truth does not know, or of which nothing was acquired.
    partial
        Pass ids of slices made without some granule that is damaged in the archive.
    other_granules
        Pass ids of slices that differ otherwise from the granules that are current in the archive.
    nearby
        Other waters of the truth on this series' grid, such as a pool behind a landslide.
    """

    lake: str
    lake_name: str
    track: str
    orbit_state: str
    model: str
    slices: pd.DataFrame
    days: pd.DataFrame
    basis: str
    span: Span
    unexpected: tuple[str, ...]
    partial: tuple[str, ...]
    other_granules: tuple[str, ...]
    nearby: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``tsho-rolpa/T121``."""
        return f"{self.lake}/{self.track}"


def match_store(
    truth: Truth, store: Store, report: Report = lambda done, total: None
) -> Iterator[tuple[Matched, xr.Dataset]]:
    """Join all series of a store with the truth, one lake and track after the other.

    Parameters
    ----------
    truth
        As `glaciolake.catalog.simulate.truth.read_truth` gives it.
    store
        What is scored; pixels are read in blocks.
    report
        Called with (series done, series in all).

    Yields
    ------
    Matched, xarray.Dataset
        The join, and the stored series with its pixels still unread.

    Raises
    ------
    PipelineError
        Store and truth have no series in common, or the store's scenes are not those of the archive.
    """
    pairs = common_series(truth, store)
    failed = failures(truth, store.quarantine())
    held = [within(truth, store.read(lake, track)) for lake, track in pairs]
    span = span_of(truth, held, failed)
    truth = during(truth, span)
    for done, series in enumerate(held):
        report(done, len(pairs))
        yield match_series(truth, series, failed, span), series
    report(len(pairs), len(pairs))


def common_series(truth: Truth, store: Store) -> list[tuple[str, str]]:
    """Lakes and tracks that truth and store share, sorted."""
    known = set(zip(truth.passes["lake"], truth.passes["track"], strict=True))
    held = {(lake, track) for lake, tracks in store.series().items() for track in tracks}
    if not known & held:
        there, true = (", ".join("/".join(pair) for pair in sorted(some)) for some in (held, known))
        raise PipelineError(
            f"store {store.url!r} holds {there or 'nothing yet'}, the truth is of {true or 'nothing'}: "
            "there is nothing to compare. Run 'glaciolake run' on the archive of this truth, or give that "
            "archive"
        )
    return sorted(known & held)


def series_beyond(truth: Truth, store: Store) -> dict[str, int]:
    """``lake/track`` of the truth that the store does not hold at all -> how many passes of it failed."""
    known = set(zip(truth.passes["lake"], truth.passes["track"], strict=True))
    names = sorted("/".join(pair) for pair in known - set(common_series(truth, store)))
    tried = Counter(key.rpartition("/")[0] for key in failures(truth, store.quarantine()))
    return {name: tried[name] for name in names}


def match_series(truth: Truth, series: xr.Dataset, failed: Mapping[str, str], span: Span) -> Matched:
    """Join one series with its truth.

    Parameters
    ----------
    truth
        Of the archive, with the passes of `span`.
    series
        As `glaciolake.open_lake` gives it: dims (time, y, x).
    failed
        ``lake/track/pass id`` -> why a pass could not be stored, see `failures`.
    span
        From when to when passes count.
    """
    lake, track = str(series.attrs["lake"]), str(series.attrs["track"])
    if series.attrs["source"] != SIMULATED_SOURCE:
        raise PipelineError(
            f"series {lake}/{track} was made of {series.attrs['source']!r}, not of simulated scenes: the "
            "truth of a simulated archive says nothing about it. Give the store that was made from this "
            "archive"
        )
    passes = truth.passes[(truth.passes["lake"] == lake) & (truth.passes["track"] == track)]
    slices = _joined(passes, series)
    _check_same_scenes(slices, f"{lake}/{track}")
    damage = dict(zip(truth.granules["granule"], truth.granules["damage"], strict=True))
    damage = {name: kind for name, kind in damage.items() if kind}
    slices["why"] = _reasons(slices, damage, failed)
    partial, other = _by_granules(slices, damage)
    shores = shores_of(truth, series)
    constant = Constant(_open_passes(slices), shores)
    days = truth.daily[truth.daily["lake"] == lake]
    expected = set(slices.loc[slices["acquired"], "pass_id"])
    return Matched(
        lake=lake,
        lake_name=str(series.attrs["lake_name"]),
        track=track,
        orbit_state=str(series.attrs["orbit_state"]),
        model=str(series.attrs.get("model", "")),
        slices=with_states(_with_pixels(slices, series, shores, constant), series, days),
        days=days.assign(date=naive(days["date"])).sort_values("date", ignore_index=True),
        basis=constant.basis,
        span=span,
        unexpected=tuple(sorted(set(texts_of(series, "pass_id")) - expected)),
        partial=partial,
        other_granules=other,
        nearby=_nearby(truth, shores, lake),
    )


def shores_of(truth: Truth, series: xr.Dataset) -> Shores:
    """Put the true outlines of a series' lake on its grid."""
    lake = str(series.attrs["lake"])
    here = {number: shore for (name, number), shore in truth.outlines.items() if name == lake}
    return Shores(here, crs_of(series), pixel_transform(series), (series.sizes["y"], series.sizes["x"]))


def _joined(passes: pd.DataFrame, series: xr.Dataset) -> pd.DataFrame:
    """Rows of the truth with what the store holds of them; ``at`` is the slice's place, -1 for none."""
    nothing = np.full(series.sizes["time"], np.nan)  # a store from before a variable was there
    held = pd.DataFrame({name: np.asarray(series.get(name, nothing), "float64") for name in OF_STORE})
    held["flags"] = series["flags"].values.astype("int64")
    held["pass_id"] = texts_of(series, "pass_id")
    held["made_of"] = texts_of(series, "granules")
    held["at"] = np.arange(len(held))
    slices = passes.merge(held, on="pass_id", how="left")
    slices["time"] = naive(slices["sensing_start"])
    slices = slices.sort_values(["time", "pass_id"], kind="stable", ignore_index=True)
    slices = slices.fillna({"at": -1, "flags": 0, "made_of": ""}).astype({"at": "int64", "flags": "int64"})
    slices["stored"] = slices["at"] >= 0
    slices["has_area"] = slices["area_m2"].notna()
    slices["usable"] = slices["has_area"] & ((slices["flags"] & int(NOT_OPEN_WATER)) == 0)
    slices["gone"] = slices["lake_area_m2"] < GONE * slices["lake_area_m2"].max()
    return slices


def _by_granules(slices: pd.DataFrame, damaged: Container[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Pass ids made without a damaged granule only, and those that differ otherwise from the current ones."""
    partial, other = [], []
    for row in slices[slices["stored"]].itertuples():
        made, current = set(str(row.made_of).split()), set(str(row.granules).split())
        if made < current and all(name in damaged for name in current - made):
            partial.append(str(row.pass_id))
        elif made != current:
            other.append(str(row.pass_id))
    return tuple(partial), tuple(other)


def _check_same_scenes(slices: pd.DataFrame, name: str) -> None:
    stored = slices[slices["stored"]]
    pairs = zip(stored["made_of"], stored["granules"], strict=True)
    shared = [bool(set(made.split()) & set(current.split())) for made, current in pairs]
    if not any(shared):
        raise PipelineError(
            f"series {name}: none of its {len(stored)} slices that the truth knows was made of granules of "
            "this archive; give the archive that the store was made from"
        )


def _nearby(truth: Truth, shores: Shores, lake: str) -> tuple[str, ...]:
    """Ids of other waters whose first outline that is not empty touches the grid, sorted."""
    others: dict[str, Any] = {}
    for (name, _), shore in sorted(truth.outlines.items(), key=lambda one: one[0]):
        if name != lake and not is_empty(shore):
            others.setdefault(name, shore)
    rows, columns = shores.shape
    grid = box(0, 0, columns, rows)
    return tuple(name for name, shore in others.items() if shores.place(shore).intersects(grid))


def _reasons(slices: pd.DataFrame, damage: Mapping[str, str], failed: Mapping[str, str]) -> list[str]:
    """Say why acquired passes are not stored, "" for all others."""
    found = []
    for row in slices.itertuples():
        if row.stored or not row.acquired:
            found.append("")
            continue
        broken = sorted({damage.get(name, "") for name in str(row.granules).split()} - {""})
        said = failed.get(f"{row.lake}/{row.track}/{row.pass_id}", "")
        damaged = f"damaged in the archive ({', '.join(broken)})" if broken else ""
        found.append("; ".join(part for part in (damaged, said) if part) or NEVER_WRITTEN)
    return found


def _open_passes(slices: pd.DataFrame) -> list[OpenPass]:
    chosen = slices[slices["acquired"] & (slices["state"] == State.OPEN)]
    return [
        OpenPass(str(row["pass_id"]), row["time"].to_pydatetime(), int(row["outline_id"]))
        for _, row in chosen.iterrows()
    ]


def _with_pixels(
    slices: pd.DataFrame, series: xr.Dataset, shores: Shores, constant: Constant
) -> pd.DataFrame:
    """Count the pixels of every slice that has an area, block by block in the store's order.

    A slice without a constant beside it gets no counts: no score stands alone.
    """
    counts = np.full((len(slices), len(OF_PIXELS)), np.nan)
    pixel_m2 = abs(shores.grid.determinant)
    wanted = slices[slices["has_area"]].sort_values("at")
    for _, rows in wanted.groupby(wanted["at"] // SLICES_AT_ONCE):
        first, last = int(rows["at"].min()), int(rows["at"].max())
        surfaces = series["surface"].isel(time=slice(first, last + 1)).values
        for index, row in rows.iterrows():
            surface = surfaces[int(row["at"]) - first]
            known = np.isfinite(surface) & (surface != int(Surface.UNKNOWN))
            truth = shores.mask(int(row["outline_id"]))
            blind = constant.mask(str(row["pass_id"]), row["time"].to_pydatetime())
            if blind is not None:
                areas_m2 = pixel_m2 * float((blind & known).sum()), pixel_m2 * float(blind.sum())
                own = count_pixels(surface == int(Surface.LAKE), truth, known)
                counts[slices.index.get_loc(index)] = (*own, *count_pixels(blind, truth, known), *areas_m2)
    return slices.assign(**{name: counts[:, column] for column, name in enumerate(OF_PIXELS)})
