"""What falls short, in words: every sentence is made of the numbers, the unwelcome ones first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glaciolake.catalog.simulate.truth import State
from glaciolake.pipeline.score import FALL, share
from glaciolake.pipeline.score_corrected import corrected_sentence
from glaciolake.pipeline.score_events import Change, FallScore
from glaciolake.pipeline.score_rows import FlagScore, Row
from glaciolake.pipeline.score_states_text import state_sentence
from glaciolake.pipeline.score_tables import number, percent
from glaciolake.pipeline.score_truth import NEVER_WRITTEN, Matched
from glaciolake.pipeline.score_worst import worst_open

WORST = 5
TWO_SIGMA_PERCENT = 95


@dataclass(frozen=True)
class Evaluation:
    """Everything that a report says.

    Attributes
    ----------
    archive, store
        Folder of the truth, address of the store.
    series
        Scored lakes and tracks.
    rows
        ``lake/track`` -> its rows; under ``all series`` the pooled ones.
    falls, changes, flags
        Falls of the stored area by kind, events, and the frozen flag, of every series.
    flags_pooled
        The frozen flag over all series.
    beyond
        ``lake/track`` of the truth that the store does not hold at all -> how many passes of it the store
        lists as failed.
    """

    archive: str
    store: str
    series: tuple[Matched, ...]
    rows: dict[str, list[Row]]
    falls: tuple[FallScore, ...]
    changes: tuple[Change, ...]
    flags: tuple[tuple[str, FlagScore], ...]
    flags_pooled: FlagScore
    beyond: Mapping[str, int]

    def row(self, series: str, slices: str) -> Row | None:
        """Row of a series for some slices; None where there is none."""
        return next((row for row in self.rows[series] if row.slices == slices), None)

    @property
    def open_rows(self) -> list[Row]:
        """Open water of every series, scored ones only."""
        found = [self.row(one.name, State.OPEN) for one in self.series]
        return [row for row in found if row is not None and row.visible.n]

    @property
    def together(self) -> pd.DataFrame:
        """Slices of all series."""
        return pd.concat([one.slices for one in self.series], ignore_index=True)

    @property
    def each(self) -> dict[str, pd.DataFrame]:
        """``lake/track`` -> its slices."""
        return {one.name: one.slices for one in self.series}

    def worst(self, n: int = WORST) -> pd.DataFrame:
        """Find the n open-water slices with most wrong pixels, worst first, with the column ``series``."""
        each = [worst_open(one.slices, n).assign(series=one.name) for one in self.series]
        return pd.concat(each).nlargest(n, "error_share")


def shortcomings(found: Evaluation) -> Iterator[str]:
    """Say what falls short, a sentence or two each."""
    yield from _open_water(found)
    yield from _uncertainty(found)
    yield from _passes(found.series)
    yield from _failed_series(found.beyond)
    yield from _falls(found.falls)
    yield from _drainages(found.changes)
    yield from _ice(found)
    yield from state_sentence(found.together)
    yield from corrected_sentence(found.series)


def _open_water(found: Evaluation) -> Iterator[str]:
    rows, pooled = found.open_rows, found.row("all series", State.OPEN)
    if not rows or pooled is None:
        yield "No open-water slice could be scored."
        return
    worse = [row.series for row in rows if not row.skill > 0]
    least = min(rows, key=lambda row: row.pixels.iou if np.isfinite(row.pixels.iou) else 2)
    yield (
        f"**Pixels.** In open water the store's IoU is {number(pooled.pixels.iou, 3)}, that of the "
        f"image-blind constant {number(pooled.blind_pixels.iou, 3)} (skill {number(pooled.skill, 2)}). On "
        f"{len(worse)} of {len(rows)} lakes and tracks the store is no better than the constant. Lowest: "
        f"{least.series}, {number(least.pixels.iou, 3)}."
    )
    far = max(rows, key=lambda row: np.nan_to_num(abs(row.visible.bias_percent)))
    less = sum(not row.area_skill > 0 for row in rows)
    yield (
        "**Areas.** In open water the RMSE against the visible true area is "
        f"{number(pooled.visible.rmse_percent)} % (constant {number(pooled.blind_visible.rmse_percent)} %), "
        f"the bias {number(pooled.visible.bias_percent)} % (constant "
        f"{number(pooled.blind_visible.bias_percent)} %). On {less} of {len(rows)} lakes and tracks the "
        f"constant's area is as near or nearer. Largest bias: {far.series}, "
        f"{number(far.visible.bias_percent)} %."
    )


def _uncertainty(found: Evaluation) -> Iterator[str]:
    pooled = found.row("all series", State.OPEN)
    if pooled is None or not pooled.visible.n:
        return
    yield (
        f"**Uncertainty.** Of open-water areas {percent(pooled.within_sigma, 0)} % lie within two stored "
        f"sigma of the visible true area; {TWO_SIGMA_PERCENT} % would be right for errors of a normal "
        "distribution. The whole lake's true area lies between the stored bounds in "
        f"{percent(pooled.within_bounds, 0)} %: they count what was not seen, and no error of what was. The "
        "stored valid fraction is off by "
        f"{percent(pooled.valid_error)} points on average."
    )


def _passes(series: Sequence[Matched]) -> Iterator[str]:
    slices = pd.concat([one.slices for one in series])
    missing = slices[slices["why"] != ""]
    damaged = int(missing["why"].str.startswith("damaged").sum())
    silent = int((missing["why"] == NEVER_WRITTEN).sum())
    empty = int((slices["stored"] & ~slices["has_area"]).sum())
    span = series[0].span
    yield (
        f"**Passes.** From {span.first} (the first that the store knows, {span.first_is}) to {span.last} "
        f"(the last, {span.last_is}) {len(slices)} were due and {int(slices['acquired'].sum())} acquired; "
        f"{int(slices['stored'].sum())} are stored, {empty} of them without an area because too little of "
        f"the lake was seen. {len(missing)} acquired passes are not stored: {damaged} of them have a "
        f"damaged granule, {silent} are missing without a reason."
    )
    partial = sum(len(one.partial) for one in series)
    if partial:
        yield f"**Granules.** {partial} slices were made without a granule that is damaged in the archive."
    other = sum(len(one.other_granules) for one in series)
    if other:
        yield f"**Granules.** {other} slices were made of other granules than the archive's current ones."
    strange = sum(len(one.unexpected) for one in series)
    if strange:
        yield f"**Unexpected.** {strange} stored slices are of passes that were not acquired in this archive."


def _failed_series(beyond: Mapping[str, int]) -> Iterator[str]:
    tried = {name: n_failed for name, n_failed in beyond.items() if n_failed}
    if tried:
        named = ", ".join(f"{name} ({n_failed})" for name, n_failed in tried.items())
        yield (
            f"**Series.** {len(tried)} lakes and tracks are not in the store at all, though it lists failed "
            f"passes of theirs: {named}. No figure counts them."
        )


def _falls(falls: Sequence[FallScore]) -> Iterator[str]:
    sums = {kind: _sum(falls, kind) for kind in ("open water", "ice", "landslide dam")}
    n, false, blind = sums["open water"]
    yield (
        f"**False losses.** {false} of {n} unflagged open-water slices lie more than {100 * FALL:.0f} % and "
        f"two sigma below the running median of their track while the lake does not (constant: {blind})."
    )
    n, false, blind = sums["ice"]
    yield (
        f"**Freeze-up and break-up.** {false} of {n} slices that are unflagged though the lake freezes, is "
        f"frozen or thaws look like a loss by the same rule (constant: {blind})."
        if n
        else "**Freeze-up and break-up.** No judged slice is unflagged while the lake freezes, is frozen or "
        "thaws: nothing is known of false losses by ice."
    )
    n, false, blind = sums["landslide dam"]
    if n:
        yield (
            f"**Landslide dams.** {false} of {n} unflagged slices taken while a dam stood look like a loss "
            f"of the lake (constant: {blind})."
        )


def _sum(falls: Sequence[FallScore], kind: str) -> tuple[int, int, int]:
    mine = [one for one in falls if one.kind == kind]
    return sum(one.n for one in mine), sum(one.n_false for one in mine), sum(one.n_blind for one in mine)


def _drainages(changes: Sequence[Change]) -> Iterator[str]:
    drained = [one for one in changes if one.is_lake_drainage]
    if not drained:
        yield "**Drainages.** The truth holds none for these series: nothing is known of how they are seen."
        return
    pairs = [one for one in drained if one.before and one.after]
    large = [one for one in pairs if one.true_percent < -100 * FALL]
    seen = [one for one in large if one.seen]
    recovered = [one.recovered for one in large if np.isfinite(one.recovered)]
    blind = sum(one.blind_percent < -100 * FALL for one in large)
    delays = [one.delay_days for one in pairs]
    yield (
        f"**Drainages.** {len(drained)} pairs of a drainage and a track; {len(drained) - len(pairs)} of "
        "them have no open, unflagged slice on one side. Between the two slices the true lake fell by more "
        f"than {100 * FALL:.0f} % in {len(large)}, and {len(seen)} of these are seen (constant: {blind}). "
        f"Median share of the true fall that is recovered: {percent(_median(recovered), 0)} %. Median delay "
        f"{number(_median(delays), 0)} days, longest {number(max(delays, default=np.nan), 0)}."
    )


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else float("nan")


def _ice(found: Evaluation) -> Iterator[str]:
    flag = found.flags_pooled
    yield (
        "**Frozen season.** The flag is a calendar, no observation. Of flagged slices "
        f"{percent(flag.precision, 0)} % are of a frozen lake ({percent(flag.precision_ice, 0)} % with "
        f"freezing and thawing); of slices of a frozen lake {percent(flag.recall, 0)} % are flagged."
    )
    row = found.row("all series", State.FROZEN)
    if row is not None and row.visible.n:
        slices = pd.concat([one.slices for one in found.series])
        frozen = slices[(slices["state"] == State.FROZEN) & slices["both"].notna()]
        low = frozen["area_m2"] < (1 - FALL) * frozen["visible_area_m2"]
        yield (
            f"**Ice.** Of areas of frozen lakes {percent(share(low.to_numpy(dtype=bool)), 0)} % are more "
            f"than {100 * FALL:.0f} % too small; their RMSE is {number(row.visible.rmse_percent)} % "
            f"(constant {number(row.blind_visible.rmse_percent)} %)."
        )
