"""Compare a simulated archive with real scenes: a Markdown table, and a figure of quantiles.

Usage: python docs/compare_simulated.py ARCHIVE DATA [FIGURE], with an archive of Tsho Rolpa, Chamlang, Gokyo
and Tilicho, and the folder that `measure_levels` reads. Without FIGURE it is
docs/figures/simulated-vs-real.png.
"""

from __future__ import annotations

import itertools
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import rasterio
import shapely
import xarray as xr
from measure_levels import (
    OCEAN,
    QUANTILES,
    Image,
    chips_of,
    say,
    stack,
    to_db,
    zones_of,
)
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.windows import from_bounds

from glaciolake.catalog.simulate.levels import LEVELS
from glaciolake.catalog.simulate.truth import Truth, read_truth
from glaciolake.pipeline.despeckle import enhanced_lee

BOXES = {
    "tsho-rolpa": "tshoRolpa",
    "chamlang": "chamlangTsho",
    "gokyo": "gokyoTsho",
    "tilicho": "tilichoTsho",
}
"""Simulated lake -> folder of its chips."""
SEASONS = {"January to April": (1, 2, 3, 4), "July to September": (7, 8, 9)}
ZONES = ("lake", "shore", "slope")
INWARD_M, SHORE_M, SLOPE_M = 40.0, 60.0, 150.0
"""Lake pixels lie so far inside the outline, shore pixels so far outside at most, slope pixels at least."""
FILTER_PX, FILTER_LOOKS = 5, 60.0
"""Enhanced Lee over 150 m with the looks that HyP3 gives it for 7 x 7 pixels of 20 m, in radar geometry."""
STATES = ((-99.0, -20.0, "calm"), (-20.0, -16.0, "breeze"), (-16.0, 0.0, "wind"))
"""Median of VV in a scene, dB, between which water counts as calm, in a breeze, in the wind."""


@dataclass
class Pixels:
    """Linear power by lake, track, season and zone, pooled over scenes."""

    values: dict[tuple[str, str, str, str], list[Image]] = field(default_factory=lambda: defaultdict(list))
    scenes: dict[tuple[str, str, str], int] = field(default_factory=lambda: defaultdict(int))
    zeros: dict[tuple[str, str, str], int] = field(default_factory=lambda: defaultdict(int))

    def add(self, key: tuple[str, str, str], zones: Mapping[str, NDArray[np.bool_]], power: Image) -> None:
        """Add one scene; only above 0 and not NaN counts."""
        self.scenes[key] += 1
        for zone, where in zones.items():
            self.values[*key, zone].append(power[where & (power > 0)])
            self.zeros[key] += int((power[where] == 0).sum())

    def quantiles(self, key: tuple[str, str, str, str]) -> NDArray[np.float64]:
        """Quantiles in dB; NaN where there are no pixels."""
        pooled = np.concatenate(self.values.get(key, [np.empty(0)]))
        return np.asarray(to_db(np.quantile(pooled, QUANTILES)) if pooled.size > 20 else np.full(5, np.nan))


def real_pixels(data: Path) -> tuple[Pixels, dict[str, tuple[float, float, float, float]]]:
    """Pool the chips; also the box of each lake's chips, west, south, east, north, degrees."""
    pixels, boxes = Pixels(), {}
    for (folder, track), chips in chips_of(data).items():
        lake = next((one for one, name in BOXES.items() if name == folder), None)
        zones = zones_of(chips)
        if lake is None or zones is None:
            continue
        boxes[lake] = _box(data, folder)
        parts = {"lake": zones.lake, "shore": zones.shore, "slope": zones.slope}
        for chip in chips:
            for season, months in SEASONS.items():
                if chip.start.month in months and (chip.power[zones.lake] > 0).mean() > 0.5:
                    pixels.add((lake, track, season), parts, chip.power)
    return pixels, boxes


def _box(data: Path, folder: str) -> tuple[float, float, float, float]:
    path = next(iter(sorted((data / "himalaya_hyp3_rtc20" / folder).glob("*.tif"))))
    with rasterio.open(path) as source:
        to_degrees = Transformer.from_crs(source.crs, 4326, always_xy=True)
        return to_degrees.transform_bounds(*source.bounds)


@dataclass(frozen=True)
class Look:
    """One simulated pass over a lake's box, (y, x): linear power, what the mask leaves, metres outside."""

    vv: Image
    vh: Image
    valid: NDArray[np.bool_]
    out_m: Image


def looks_at(
    archive: Path, truth: Truth, lake: str, box: tuple[float, float, float, float]
) -> Iterator[tuple[Any, Look]]:
    """Read every acquired pass of a lake, from the granule that shows most of its box."""
    known: dict[Any, Image] = {}
    passes = truth.passes[(truth.passes["lake"] == lake) & truth.passes["acquired"]]
    for row in passes.itertuples():
        best: Look | None = None
        for granule in row.granules.split():
            found = _read(archive, granule, box, truth.outlines[lake, row.outline_id], known, row.outline_id)
            if found is not None and (best is None or found.valid.sum() > best.valid.sum()):
                best = found
        if best is not None and best.valid.any():
            yield row, best


def _read(  # noqa: PLR0913
    archive: Path, granule: str, box: Any, shore: shapely.Geometry, known: dict[Any, Image], outline_id: int
) -> Look | None:
    burst = granule.split("_")[3]
    bands = {}
    for band in ("VV", "VH", "mask"):
        path = archive / "scenes" / burst / f"{granule}_{band}.tif"
        if not path.exists():
            return None
        with rasterio.open(path) as source:
            to_grid = Transformer.from_crs(4326, source.crs, always_xy=True)
            window = (
                from_bounds(*to_grid.transform_bounds(*box), source.transform).round_offsets().round_lengths()
            )
            bands[band] = source.read(
                1, window=window, boundless=True, fill_value=255 if band == "mask" else np.nan
            )
            transform = source.window_transform(window)
    key = (burst, outline_id, bands["VV"].shape)
    if key not in known:
        known[key] = _out_m(shore, transform, bands["VV"].shape, to_grid)
    return Look(bands["VV"], bands["VH"], (bands["mask"] == 0) & np.isfinite(bands["VV"]), known[key])


def _out_m(shore: shapely.Geometry, transform: Any, shape: tuple[int, int], to_grid: Transformer) -> Image:
    """Distance of pixel centres from an outline, metres, below 0 inside."""
    outline = shapely.transform(shore, lambda xy: np.column_stack(to_grid.transform(xy[:, 0], xy[:, 1])))
    column, row = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    points = shapely.points(transform.c + column * transform.a, transform.f + row * transform.e)
    inside = shapely.contains(outline, points)
    return np.where(inside, -1.0, 1.0) * shapely.distance(shapely.boundary(outline), points)


def simulated_pixels(
    archive: Path, boxes: Mapping[str, tuple[float, float, float, float]]
) -> tuple[Pixels, Pixels, dict[str, Pixels]]:
    """Pool the simulated lakes, as they are and filtered; and VV and VH of open water and of summer land."""
    truth = read_truth(archive)
    plain, filtered = Pixels(), Pixels()
    others = {band: Pixels() for band in ("VV", "VH")}
    for lake, box in boxes.items():
        for row, look in looks_at(archive, truth, lake, box):
            zones = {
                "lake": look.valid & (look.out_m < -INWARD_M),
                "shore": look.valid & (look.out_m > 0) & (look.out_m <= SHORE_M),
                "slope": look.valid & (look.out_m > SLOPE_M),
            }
            season = next(
                (name for name, months in SEASONS.items() if row.sensing_start.month in months), None
            )
            if season is not None:
                plain.add((lake, row.track, season), zones, look.vv)
                smooth = enhanced_lee(
                    xr.DataArray(look.vv, dims=("y", "x")), window_px=FILTER_PX, looks=FILTER_LOOKS
                ).to_numpy()
                filtered.add((lake, row.track, season), zones, smooth)
            _add_others(others, row, look, zones)
    return plain, filtered, others


def _add_others(
    others: Mapping[str, Pixels], row: Any, look: Look, zones: Mapping[str, NDArray[np.bool_]]
) -> None:
    """Add open water by its state, and summer land, of one pass."""
    subswath = row.granules.split()[0].split("_")[3][-3:]
    for band, power in (("VV", look.vv), ("VH", look.vh)):
        if row.state == "open" and zones["lake"].sum() > 100:
            state = state_of(look.vv[zones["lake"]])
            others[band].add(("water", subswath, state), {"all": zones["lake"]}, power)
        if row.sensing_start.month in SEASONS["July to September"]:
            others[band].add(("land", subswath, "summer"), {"all": zones["slope"]}, power)


def state_of(vv: Image) -> str:
    """State of water from the median of its VV, linear power."""
    level = float(to_db(np.median(vv[vv > 0])))
    return next(name for low, high, name in STATES if low <= level < high)


def opera_pixels(data: Path) -> dict[str, Pixels]:
    """VV and VH of the real crops: ocean by its state, land on all dates."""
    found = {band: Pixels() for band in ("VV", "VH")}
    folder = data / "opera_rtc_t137"
    for burst in sorted({path.name.split("_")[3] for path in folder.glob("*_VV.tif")}):
        stacks = {band: stack(folder, burst, band)[0] for band in ("VV", "VH")}
        for number, vv in enumerate(stacks["VV"]):
            kind = ("water", burst[-3:], state_of(vv)) if burst in OCEAN else ("land", burst[-3:], "summer")
            for band, powers in stacks.items():
                found[band].add(kind, {"all": np.ones(vv.shape, bool)}, powers[number])
    return found


def print_levels() -> None:
    """Write the table of classes as the simulation holds it."""
    say("| class | VV dB | VH dB | texture dB | dB per degree, VV, VH | source |", "|" + "---|" * 6)
    for cover, level in LEVELS.items():
        texture = level.texture_db or "gusts"
        say(
            f"| {cover.value.replace('_', ' ')} | {level.vv_db} | {level.vh_db} | {texture} | "
            f"{level.slope_db_per_deg_vv}, {level.slope_db_per_deg_vh} | {level.source} |"
        )
    say("")


def _cells(values: NDArray[np.float64]) -> str:
    return "-" if np.isnan(values).all() else ", ".join(f"{one:.1f}" for one in values)


def print_lakes(real: Pixels, plain: Pixels, filtered: Pixels) -> None:
    """Write the table of lake, shore and slope."""
    say("| lake, track | season | zone | scenes | real | simulated | simulated, filtered |", "|" + "---|" * 7)
    for key in sorted(real.scenes):
        for zone in ZONES:
            parts = (_cells(pixels.quantiles((*key, zone))) for pixels in (real, plain, filtered))
            counts = f"{real.scenes[key]}, {plain.scenes.get(key, 0)}"
            say(f"| {key[0]} {key[1]} | {key[2]} | {zone} | {counts} | {' | '.join(parts)} |")


def print_others(real: Mapping[str, Pixels], simulated: Mapping[str, Pixels]) -> None:
    """Write the table of water and land against the real OPERA crops, with the share of exact zeros."""
    say("", "| surface | band | scenes | real | zeros | simulated | zeros |", "|" + "---|" * 7)
    for band in ("VV", "VH"):
        for key in sorted({*real[band].scenes, *simulated[band].scenes}):
            name = ", ".join((key[0], key[2], key[1])) if key[0] == "water" else f"land, {key[1]}"
            cells = [f"{real[band].scenes.get(key, 0)}, {simulated[band].scenes.get(key, 0)}"]
            for pixels in (real[band], simulated[band]):
                count = sum(one.size for one in pixels.values.get((*key, "all"), []))
                share = pixels.zeros[key] / count if count else np.nan
                cells += [_cells(pixels.quantiles((*key, "all"))), f"{share:.0e}" if count else "-"]
            say(f"| {name} | {band} | {' | '.join(cells)} |")


def print_differences(real: Pixels, filtered: Pixels) -> None:
    """Summarise filtered simulation less real, dB: with Gokyo's grassy slopes, and without."""
    say(
        "",
        "| season | zone | medians, mean | smallest, largest | without Gokyo | 5 to 95 % spread, mean |",
        "|" + "---|" * 6,
    )
    for season in SEASONS:
        for zone in ZONES:
            keys = [key for key in sorted(real.scenes) if key[2] == season]
            both = np.array(
                [(real.quantiles((*key, zone)), filtered.quantiles((*key, zone))) for key in keys]
            )
            keep = np.isfinite(both[:, :, 2]).all(axis=1)
            off = both[keep, 1, 2] - both[keep, 0, 2]
            other = np.array([key[0] != "gokyo" for key in keys])[keep]
            wide = np.diff(both[keep][:, :, [0, 4]], axis=2)[..., 0]
            say(
                f"| {season} | {zone} | {off.mean():+.1f} | {off.min():+.1f}, {off.max():+.1f} | "
                f"{off[other].mean():+.1f} | {(wide[:, 1] - wide[:, 0]).mean():+.1f} |"
            )


def _bar(axis: Any, place: float, values: NDArray[np.float64], colour: str) -> None:
    """Draw quantiles: a thin line from 5 to 95 %, a thick one from 25 to 75, a dot at the median."""
    axis.plot([place] * 2, values[[0, 4]], color=colour, lw=1)
    axis.plot([place] * 2, values[[1, 3]], color=colour, lw=4, solid_capstyle="butt")
    axis.plot(place, values[2], "o", color="white", mec=colour, ms=4)


COLOURS = {"real": "#222222", "simulated": "#e08214", "simulated, filtered": "#2166ac"}


def draw_lakes(axes: Any, real: Pixels, plain: Pixels, filtered: Pixels) -> None:
    """Draw the chips' zones, a row of axes a season."""
    bars = tuple(zip((-0.25, 0, 0.25), (real, plain, filtered), COLOURS.values(), strict=True))
    for (season, zone), axis in zip(itertools.product(SEASONS, ZONES), axes.ravel(), strict=True):
        keys = [key for key in sorted(real.scenes) if key[2] == season]
        for number, key in enumerate(keys):
            for shift, pixels, colour in bars:
                _bar(axis, number + shift, pixels.quantiles((*key, zone)), colour)
        names = [f"{key[0].removeprefix('tsho-')[:6]}\n{key[1]}" for key in keys]
        axis.set_xticks(range(len(keys)), names, fontsize=7)
        axis.set_title(f"{zone}, {season}, VV", fontsize=9)


def draw_others(axes: Any, crops: Mapping[str, Pixels], water: Mapping[str, Pixels]) -> None:
    """Draw open water and land, a band an axis."""
    for axis, band in zip(axes, ("VV", "VH"), strict=True):
        keys = [key for key in sorted(crops[band].scenes) if key in water[band].scenes]
        for number, key in enumerate(keys):
            _bar(axis, number - 0.15, crops[band].quantiles((*key, "all")), COLOURS["real"])
            _bar(axis, number + 0.15, water[band].quantiles((*key, "all")), COLOURS["simulated"])
        names = [f"{a}\n{c}\n{b}" if a == "water" else f"{a}\n\n{b}" for a, b, c in keys]
        axis.set_xticks(range(len(keys)), names, fontsize=7)
        axis.set_title(f"OPERA: open water and land, {band}", fontsize=9)


def legend(axis: Any) -> None:
    """Say what is what on an axis of its own."""
    for name, colour in COLOURS.items():
        axis.plot([], [], color=colour, lw=4, label=name)
    axis.legend(loc="upper left", frameon=False)
    text = (
        "Real: HyP3 chips above (20 m, speckle filtered),\nOPERA crops of California below (30 m).\n"
        "Thin 5 to 95 %, thick 25 to 75 %, dot median."
    )
    axis.text(0, 0.45, text, va="top", fontsize=9, transform=axis.transAxes)
    axis.axis("off")


def main(archive: Path, data: Path, figure: Path) -> None:
    """Print the tables and draw the figure."""
    real, boxes = real_pixels(data)
    plain, filtered, water = simulated_pixels(archive, boxes)
    crops = opera_pixels(data)
    print_levels()
    print_lakes(real, plain, filtered)
    print_others(crops, water)
    print_differences(real, filtered)
    matplotlib.use("Agg")
    drawing, axes = plt.subplots(3, 3, figsize=(13, 10.5))
    draw_lakes(axes[:2], real, plain, filtered)
    draw_others(axes[2, :2], crops, water)
    legend(axes[2, 2])
    for axis in axes.ravel()[:8]:
        axis.set_ylabel("gamma nought, dB", fontsize=8)
        axis.grid(axis="y", lw=0.3)
        axis.tick_params(axis="y", labelsize=8)
    drawing.tight_layout()
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=80, metadata={"Software": None})


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        Path(sys.argv[3])
        if len(sys.argv) > 3
        else Path(__file__).parent / "figures" / "simulated-vs-real.png",
    )
