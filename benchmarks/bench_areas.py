"""Whether ascending and descending passes of one week give one area, on the published chips.

Run ``python benchmarks/bench_areas.py ../shared/data --probabilities NAME-folds --picture areas.png``, where
``NAME-folds`` is what ``glaciolake evaluate --pairs ... --split scene --out NAME`` leaves: labelled dates are
read by networks that have not learned from them, the others by the shipped one. Chips come without masks of
layover and shadow, so what a track does not see is learned from its own earlier dates. Tables for
docs/design/areas.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glaciolake.catalog.orbits import scene_orbit
from glaciolake.models.area_interval import interval_factor
from glaciolake.models.audit.labels import audit, probability_key, wrong
from glaciolake.models.audit.outlines import read_outlines
from glaciolake.models.data import Bool, Float32, Sample, cut_centre
from glaciolake.models.pairs import read_pairs
from glaciolake.models.skill.intervals import unsure_px
from glaciolake.models.skill.tables import markdown_table
from glaciolake.models.track.folds import read_predictions
from glaciolake.models.track.model import read_atlas, track_probability
from glaciolake.models.track.record import Record
from glaciolake.models.weights import read_spec, resolve
from glaciolake.pipeline.comparable import COMPARABLE, comparable
from glaciolake.pipeline.plot_style import INK, MUTED, TRACK_COLOUR

MODEL = "lake-track-2"
PIXEL_M2 = 400.0
OPEN_MONTHS = range(6, 12)
LEAST_DATA = 0.3
"""Chips with less data miss the lake."""
AREAS = {"network": "area_m2", "label": "labelled_m2"}
DAYS = (7, 12)


def main() -> None:
    """Print the tables, and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "data", type=Path, help="Folder with himalaya_pairs, himalaya_hyp3_rtc20 and vectors."
    )
    parser.add_argument("--probabilities", type=Path, required=True)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    chips = options.data / "himalaya_hyp3_rtc20"
    dates = read_dates(options.data, chips, read_predictions(options.probabilities))
    for whose, area in AREAS.items():
        print(f"\n{whose}\n")
        corrected = with_corrected(dates, area)
        print(markdown_table(("lake", "days", "pairs", *HEADINGS), list(rows_of(corrected, area))))
        if whose == "network" and options.picture:
            figure_of(corrected).savefig(options.picture, dpi=110)


HEADINGS = ("raw: median %", "90th %", "corrected: median %", "90th %", "constant: median %")


def read_dates(data: Path, chips: Path, out_of_fold: dict[str, Float32]) -> pd.DataFrame:
    """Every chip that shows its lake: what is found, labelled and inside the outline, m2."""
    ref = resolve(MODEL)
    atlas = read_atlas(ref)
    samples, images = read_pairs(data / "himalaya_pairs", chips, {}, read_spec(ref).clip_db)
    doubted = wrong(audit(samples))
    labels = {(one.lake, one.start): one for one in samples}
    outlines = read_outlines(data / "vectors" / "named_lakes.geojson", chips, samples)
    record, rows = Record(images, atlas=atlas), []
    for (lake, track), frames in images.items():
        frame = next(outline for (name, _), outline in outlines.items() if name == lake)
        place = next(page.place for (name, _), page in atlas.items() if name == lake)
        for start, power in frames:
            if np.isfinite(power).mean() < LEAST_DATA:
                continue
            nothing = np.zeros(power.shape, bool)
            one = Sample(lake, start, track, scene_orbit(start, *place).orbit_state, power, nothing)
            found = out_of_fold.get(probability_key(one))
            probability = track_probability([one], record, ref)[0] if found is None else found
            label = labels.get((lake, start)) if (lake, start) not in doubted else None
            rows.append(_row(one, probability, cut_centre(frame, power.shape), label))
    return pd.DataFrame(rows).sort_values(["lake", "track", "start"], ignore_index=True)


def _row(one: Sample, probability: Float32, outline: Bool, label: Sample | None) -> dict[str, object]:
    seen = np.where(one.valid, probability, np.float32(np.nan))
    lake = np.nan_to_num(seen, nan=-1.0) >= 0.5
    n = max(int(outline.sum()), 1)
    row: dict[str, object] = {
        "lake": one.lake,
        "track": one.track,
        "direction": one.direction,
        "start": one.start,
        "valid_fraction": float((outline & one.valid).sum() / n),
        "area_m2": lake.sum() * PIXEL_M2,
        "wet_area_m2": float((lake & outline).sum() / n),
        "area_unsure_m2": unsure_px(seen, lake | outline) * PIXEL_M2,
        "labelled_m2": np.nan,
        "wet_labelled_m2": np.nan,
    }
    if label is not None:
        row |= {
            "labelled_m2": label.water.sum() * PIXEL_M2,
            "wet_labelled_m2": float((label.water & outline).sum() / n),
        }
    return row


def with_corrected(dates: pd.DataFrame, area: str) -> pd.DataFrame:
    """Add `COMPARABLE` of every lake and track; its record are the dates from June to November."""
    found, factor = [], interval_factor(resolve(MODEL))
    for _, group in dates.groupby(["lake", "track"]):
        names = {"area_m2": area, "wet_fraction": f"wet_{area}"}
        values = {name: group[names.get(name, name)].to_numpy() for name in (*names, "valid_fraction")}
        values |= {"area_unsure_m2": group["area_unsure_m2"].to_numpy()}
        nothing = np.zeros(len(group), np.uint8)
        rows = xr.Dataset({name: ("time", one) for name, one in values.items()})
        rows = rows.assign(flags=("time", nothing), terrain_mask=("time", nothing))
        derived = comparable(rows, factor, open_water=_open(group))
        constant = _constant(group, values["area_m2"])
        found.append(group.assign(**{name: derived[name] for name in COMPARABLE}, constant_m2=constant))
    return pd.concat(found)


def _open(group: pd.DataFrame) -> NDArray[np.bool_]:
    return group["start"].dt.month.isin(list(OPEN_MONTHS)).to_numpy()


def _constant(group: pd.DataFrame, area_m2: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of the earlier open dates of the track, which looks at no image of the date."""
    known = _open(group) & np.isfinite(area_m2)
    earlier = [area_m2[:i][known[:i]] for i in range(len(area_m2))]
    return np.array([np.median(one) if len(one) else np.nan for one in earlier])


def rows_of(dates: pd.DataFrame, area: str) -> list[tuple[str, ...]]:
    """|ln(ascending / descending)| of raw, corrected and constant areas, by lake and days between."""
    names = sorted(dates["lake"].unique())
    rows = [(lake, dates[dates["lake"] == lake]) for lake in names] + [("all", dates)]
    found = []
    for name, some in rows:
        for days in DAYS:
            pairs = _pairs(some, area, days)
            if len(pairs):
                each = [pairs[f"{what}_ratio"].abs() for what in (area, "area_corrected_m2", "constant_m2")]
                cells = [f"{100 * one.quantile(q):.1f}" for one in each for q in (0.5, 0.9)]
                found.append((name, str(days), str(len(pairs)), *cells[:5]))
    return found


def _pairs(dates: pd.DataFrame, area: str, days: int) -> pd.DataFrame:
    told = dates[_open(dates) & (dates["area_corrected_m2"] > 0) & (dates[area] > 0)]
    up, down = (told[told["direction"] == one] for one in ("ascending", "descending"))
    pairs = up.merge(down, on="lake", suffixes=("", "_down"))
    pairs = pairs[(pairs["start"] - pairs["start_down"]).abs() <= pd.Timedelta(days=days)]
    names = (area, "area_corrected_m2", "constant_m2")
    return pairs.assign(**{f"{one}_ratio": np.log(pairs[one] / pairs[f"{one}_down"]) for one in names})


def figure_of(dates: pd.DataFrame) -> Figure:
    """Draw raw and corrected areas of the lakes whose tracks differ most."""
    lakes = ("tshoRolpa", "chamlangTsho")
    figure = Figure(figsize=(12.0, 7.4))
    axes = figure.subplots(2, 2, sharex=True, sharey="row")
    figure.subplots_adjust(left=0.06, right=0.985, top=0.88, bottom=0.12, wspace=0.05, hspace=0.22)
    for lake, (left, right) in zip(lakes, axes, strict=True):
        for track, group in dates[(dates["lake"] == lake) & dates["visible_fraction"].notna()].groupby(
            "track"
        ):
            colour = TRACK_COLOUR[group["direction"].iloc[0]]
            open_, day = _open(group), group["start"].dt.tz_localize(None)
            for panel, area in ((left, "area_m2"), (right, "area_corrected_m2")):
                km2 = group[area] / 1e6
                label = f"{track} {group['direction'].iloc[0]}" if panel is left else None
                panel.plot(day[open_], km2[open_], "o", color=colour, markersize=6, label=label)
                panel.plot(day[~open_], km2[~open_], "o", color=colour, markersize=5, fillstyle="none")
            bounds = [group[f"area_{one}_90_m2"] / 1e6 for one in ("lower", "upper")]
            right.vlines(day, *bounds, color=colour, linewidth=1.2, alpha=0.45)
        for panel, words in ((left, "as each pass sees it"), (right, "corrected, 90 % intervals")):
            panel.set_title(f"{lake}: {words}, km²", loc="left", size=11, color=INK, weight="bold")
            panel.grid(axis="y", color="#d9dce1", linewidth=0.6)
            panel.spines[["top", "right", "left"]].set_visible(False)
            locator = AutoDateLocator(minticks=4, maxticks=8)
            panel.xaxis.set_major_locator(locator)
            panel.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
        left.legend(frameon=False, fontsize=10, labelcolor=INK)
    figure.text(0.012, 0.965, "Two directions, one area", size=15, weight="bold", color=INK, va="top")
    words = "Filled: June to November. Hollow: under ice, as a rule. Hidden parts: from earlier dates alone."
    figure.text(0.012, 0.02, words, size=10, color=MUTED)
    return figure


if __name__ == "__main__":
    main()
