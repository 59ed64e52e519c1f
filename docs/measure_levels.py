"""Print what the levels of the simulated archive were read from: tables measured on real scenes.

Usage: python docs/measure_levels.py DATA, a folder with himalaya_hyp3_rtc20, himalaya_pairs, opera_rtc_t137
and multimodal as their authors publish them. Nothing of it is copied; what is printed are statistics.
"""

from __future__ import annotations

import re
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt, gaussian_filter, uniform_filter
from scipy.optimize import brentq
from scipy.special import polygamma

from glaciolake.catalog.simulate.levels import CALM_FLOOR_DB

Image = NDArray[np.floating[Any]]

OCEAN = frozenset({"T137-292318-IW2", *(f"T137-{number}-IW1" for number in range(292318, 292325))})
MINUTE_TO_TRACK = {
    minute: track
    for track, minutes in (
        ("T121", ("0011", "0012")),
        ("T019", ("0019", "0020")),
        ("T092", ("0027", "0028")),
        ("T012", ("1213", "1214")),
        ("T085", ("1221", "1222")),
        ("T158", ("1229", "1230", "1231")),
    )
    for minute in minutes
}
"""Start of a scene's UTC time of day to its track."""
ASCENDING = frozenset({"T012", "T085", "T158"})
INCIDENCE_DEG = {("tshoRolpa", "T085"): 44.8, ("tshoRolpa", "T121"): 40.0, ("chamlangTsho", "T012"): 35.8,
                 ("chamlangTsho", "T121"): 37.1, ("gokyoTsho", "T012"): 34.3, ("gokyoTsho", "T085"): 45.9,
                 ("gokyoTsho", "T121"): 38.9, ("tilichoTsho", "T019"): 44.0, ("tilichoTsho", "T092"): 32.0,
                 ("tilichoTsho", "T158"): 42.7}  # fmt: skip
"""From the place of the lake in its burst's footprint, near and far edge of the sub-swaths as published."""
SUMMER, WINTER = (7, 8, 9), (1, 2, 3, 4)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CHIP_M = 20.0
FAR_DAYS = 300
"""Between two scenes of a pair after which speckle shares nothing, even on dry ground."""
CMOD5N = (
    0, -0.6878, -0.7957, 0.3380, -0.1728, 0.0, 0.0040, 0.1103, 0.0159, 6.7329, 2.7713, -2.2885, 0.4971,
    -0.7250, 0.0450, 0.0066, 0.3222, 0.0120, 22.7, 2.0813, 3.0, 8.3659, -3.3428, 1.3236, 6.2437, 2.3893,
    0.3249, 4.1590, 1.6930,
)  # fmt: skip
"""Hersbach 2010, table 1 (J. Atmos. Oceanic Technol. 27), from 1 on; public implementations agree on them."""


@dataclass(frozen=True)
class Chip:
    """One scene of a lake: linear power (y, x), 0 where there is no data, and the hand-drawn mask or None."""

    lake: str
    track: str
    start: datetime
    power: Image
    mask: NDArray[np.bool_] | None


@dataclass(frozen=True)
class Zones:
    """Parts of a track's chips, (y, x) bool: open lake, ring of 60 m outside, slopes beyond 150 m."""

    lake: NDArray[np.bool_]
    shore: NDArray[np.bool_]
    slope: NDArray[np.bool_]


def say(*lines: object) -> None:
    """Print."""
    sys.stdout.write("\n".join(map(str, lines)) + "\n")


def to_db(power: Any) -> Any:
    """Decibels of linear power."""
    return 10 * np.log10(power)


def read(path: Path) -> Image:
    """First band of a GeoTIFF."""
    with rasterio.open(path) as source:
        band: Image = source.read(1)
    return band


def chips_of(data: Path) -> dict[tuple[str, str], list[Chip]]:
    """All HyP3 chips by lake and track, each with its mask where one matches lake, start and hex id."""
    masks = {path.stem: path for path in sorted((data / "himalaya_pairs" / "masks").glob("*.tif"))}
    found = defaultdict(list)
    for path in sorted((data / "himalaya_hyp3_rtc20").glob("*/*.tif")):
        parts, lake = path.stem.split("_"), path.parent.name
        track = MINUTE_TO_TRACK[parts[2][9:13]]
        power, mask = read(path), None
        if (key := f"{lake}_{parts[2]}_{parts[7]}") in masks:
            rows, columns = power.shape
            top, left = (256 - rows) // 2, (256 - columns) // 2
            mask = read(masks[key])[top : top + rows, left : left + columns] > 0
        start = datetime.strptime(parts[2], "%Y%m%dT%H%M%S")
        found[lake, track].append(Chip(lake, track, start, power, mask))
    return dict(sorted(found.items()))


def zones_of(chips: Iterable[Chip], *, inward_px: int = 2) -> Zones | None:
    """Zones from the hand masks of summer, else of any month: a majority outvotes wrong ones."""
    drawn = [chip for chip in chips if chip.mask is not None]
    drawn = [chip for chip in drawn if chip.start.month in SUMMER] or drawn
    if not drawn:
        return None
    share = np.mean([chip.mask for chip in drawn], axis=0)
    out_m = distance_transform_edt(share <= 0.1) * CHIP_M
    lake = binary_erosion(share > 0.5, iterations=inward_px)
    return Zones(lake, (out_m > 0) & (out_m <= 60), out_m > 150)


def row_of(values: Image) -> list[float]:
    """Quantiles in dB of the pixels with data, linear power."""
    seen = values[values > 0]
    return (
        [round(float(one), 1) for one in to_db(np.quantile(seen, QUANTILES))] if seen.size else [np.nan] * 5
    )


def print_lakes(data: Path) -> None:
    """Print medians of lake, shore and slope per lake, track and month."""
    say(
        "\n## HyP3 chips, VV dB: median over the scenes of a month",
        "| lake | track | month | n | lake 5, 50, 95 % |"
        " min, max of the medians | spread dB | shore | slope 5, 50, 95 % |",
        "|---|---|---|---|---|---|---|---|---|",
    )
    for (lake, track), chips in chips_of(data).items():
        zones = zones_of(chips)
        if zones is None:
            say(f"| {lake} | {track} | - | {len(chips)} | no mask, the lake is not seen | | | | |")
            continue
        by_month = defaultdict(list)
        for chip in chips:
            if (chip.power[zones.lake] > 0).mean() > 0.5:
                by_month[chip.start.month].append(
                    [row_of(chip.power[z]) for z in (zones.lake, zones.shore, zones.slope)]
                )
        for month, rows in sorted(by_month.items()):
            table = np.array(rows)
            water, shore, slope = np.median(table, axis=0).round(1)
            half = np.median((table[:, 0, 3] - table[:, 0, 1]) / 1.349).round(1)
            say(
                f"| {lake} | {track} | {month} | {len(rows)} | {water[0]}, {water[2]}, {water[4]} | "
                f"{table[:, 0, 2].min()}, {table[:, 0, 2].max()} | {half} | {shore[2]} | "
                f"{slope[0]}, {slope[2]}, {slope[4]} |"
            )


def stack(folder: Path, burst: str, band: str) -> tuple[Image, list[datetime]]:
    """All dates of one crop: linear power (time, y, x)."""
    paths = sorted(folder.glob(f"*_{burst}_*_{band}.tif"))
    days = [datetime.strptime(path.name.split("_")[4], "%Y%m%dT%H%M%SZ") for path in paths]
    return np.stack([read(path) for path in paths]), days


def pair_speckle(
    power: Image, days: list[datetime], gap_days: tuple[int, int] = (FAR_DAYS, 9999)
) -> tuple[float, dict[tuple[int, int], float]]:
    """Measure looks and lag correlations of speckle alone, on ratios of scenes far apart in time.

    The ratio of two scenes holds no texture that stays, so that its variance is that of speckle: twice the
    trigamma function of the looks. What changed on the ground adds to it, the looks are a lower bound.
    """
    log = np.log(np.maximum(power, 1e-6))
    spread, correlation = [], defaultdict(list)
    for late in range(len(days)):
        for early in range(late):
            if not gap_days[0] <= (days[late] - days[early]).days <= gap_days[1]:
                continue
            ratio = log[late] - log[early]
            ratio = (ratio - uniform_filter(ratio, 15))[8:-8, 8:-8]
            sigma = 1.4826 * np.median(np.abs(ratio - np.median(ratio)))
            spread.append(sigma**2 * 225 / 224)
            ratio = np.clip(ratio, -3 * sigma, 3 * sigma)
            for down, right in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (0, 3), (3, 0)):
                shifted = ratio[down:, right:] * ratio[: ratio.shape[0] - down, : ratio.shape[1] - right]
                correlation[down, right].append(shifted.mean() / (ratio**2).mean())
    looks = brentq(lambda number: 2 * polygamma(1, number) - np.median(spread), 0.5, 100)
    return float(looks), {lag: float(np.median(values)) for lag, values in correlation.items()}


def window_looks(power: Image, window_px: int = 7) -> float:
    """Find the looks of the most even windows: mode over each scene, median of scenes."""
    mean = uniform_filter(power, (0, window_px, window_px))
    spread = uniform_filter(power**2, (0, window_px, window_px)) - mean**2
    inner = slice(window_px, -window_px)
    variation = np.log2(
        (spread / mean**2)[:, inner, inner].reshape(len(power), -1) * window_px**2 / (window_px**2 - 1)
    )
    edges = np.linspace(-8, 2, 101)
    peaks = [
        edges[np.argmax(gaussian_filter(np.histogram(one, edges)[0].astype(float), 2))] + 0.05
        for one in variation
    ]
    return float(2.0 ** -np.median(peaks))


def print_opera(data: Path) -> None:
    """Levels, zeros, looks and correlation of the real product."""
    folder = data / "opera_rtc_t137"
    bursts = sorted({path.name.split("_")[3] for path in folder.glob("*_VV.tif")})
    say(
        "\n## OPERA crops, 31 dates each",
        "| burst | | band | dB 5, 25, 50, 75, 95 % | dates' medians: min, max | zeros |"
        " looks, windows | looks, far pairs | looks, near pairs | noise dB | lag x 1, y 1, xy 1, x 2, y 2 |",
        "|" + "---|" * 11,
    )
    for burst in bursts:
        clean = None
        for band in ("VV", "VH"):
            power, days = stack(folder, burst, band)
            medians = to_db(np.median(power, axis=(1, 2)))
            is_land = burst not in OCEAN
            looks, lags = pair_speckle(power, days) if is_land else (np.nan, {})
            near = pair_speckle(power, days, (6, 13))[0] if is_land else np.nan
            noise = ""
            if band == "VV":
                clean = looks if burst not in OCEAN else 8.5
            else:
                loss = clean / (looks if burst not in OCEAN else window_looks(power))
                noise = f"{noise_db(float(np.median(power)), loss):.1f}" if loss > 1.1 else ""
            shown = ", ".join(
                f"{lags[one]:.2f}" for one in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0)) if one in lags
            )
            say(
                f"| {burst} | {'ocean' if burst in OCEAN else 'land'} | {band} | {row_of(power)} | "
                f"{medians.min():.1f}, {medians.max():.1f} | {(power == 0).mean():.1e} | "
                f"{window_looks(power):.1f} | {looks:.1f} | {near:.1f} | {noise} | {shown} |"
            )


def noise_db(level: float, loss: float) -> float:
    """Noise (gamma nought, dB) that costs a factor of `loss` in looks at a measured mean `level`.

    The processor subtracts the noise N from each single look and cuts it at 0 before it averages. Of a single
    look of mean M (signal and noise) remains exp(-N/M) M in the mean, and its looks fall from 1 to
    1 / (2 exp(N/M) - 1).
    """
    ratio = np.log((loss + 1) / 2)
    return float(to_db(level * ratio * np.exp(ratio)))


def print_wind(data: Path) -> None:
    """VH of the ocean by VV, and how CMOD5.N's gamma nought goes with wind, incidence and direction."""
    say(
        "\n## Ocean crops by date: VH dB (means) for VV dB (means)",
        "| VV | n | VH IW1 | VH IW2 |",
        "|---|---|---|---|",
    )
    means = defaultdict(list)
    for burst in sorted(OCEAN):
        pair = [
            to_db(stack(data / "opera_rtc_t137", burst, band)[0].mean(axis=(1, 2))) for band in ("VV", "VH")
        ]
        means[burst[-3:]] += list(zip(*pair, strict=True))
    for low in range(-31, -10, 2):
        held = {sub: [vh for vv, vh in means[sub] if low <= vv < low + 2] for sub in ("IW1", "IW2")}
        cells = [f"{np.mean(held[sub]):.1f}" if held[sub] else "-" for sub in ("IW1", "IW2")]
        say(f"| {low} to {low + 2} | {sum(map(len, held.values()))} | {cells[0]} | {cells[1]} |")
    wind, theta, phi = np.meshgrid(np.arange(2, 15.1, 0.5), np.arange(31, 46.1, 1), np.arange(0, 181, 10.0))
    gamma = to_db(cmod5n(wind, theta, phi) / np.cos(np.radians(theta))).ravel()
    speed = np.log10(wind.ravel() / 5)
    terms = np.stack(
        [np.ones_like(speed), speed, speed**2, theta.ravel() - 39, np.cos(2 * np.radians(phi.ravel()))]
    )
    fit, *_ = np.linalg.lstsq(terms.T, gamma, rcond=None)
    say(
        "\n## CMOD5.N as gamma nought VV, 2 to 15 m/s, 31 to 46 degrees: least squares",
        "dB = a + b s + c s^2 + d (incidence - 39) + e cos(2 phi), s = log10(U10 / 5): "
        + ", ".join(f"{x:.2f}" for x in fit),
        f"standard deviation of the residual {np.std(gamma - fit @ terms):.2f} dB",
    )
    say("by wind 1, 2, 3, 5, 7, 10, 15 m/s, mean of directions; upwind less crosswind at 2, 5, 10 m/s:")
    for angle in (34.0, 39.0, 44.0):
        mean = [
            to_db(np.mean([cmod5n(u, angle, p) for p in range(0, 181, 10)]) / np.cos(np.radians(angle)))
            for u in (1, 2, 3, 5, 7, 10, 15)
        ]
        side = [to_db(cmod5n(u, angle, 0.0) / cmod5n(u, angle, 90.0)) for u in (2, 5, 10)]
        say(f"{angle}: {np.round(mean, 1).tolist()}; {np.round(side, 1).tolist()}")


def cmod5n(wind_m_per_s: Any, incidence_deg: Any, upwind_deg: Any) -> Any:
    """Sigma nought VV of the ocean (1, linear) by CMOD5.N; `upwind_deg` is 0 for a look into the wind."""
    c, v = CMOD5N, np.asarray(wind_m_per_s, float)
    x = (np.asarray(incidence_deg, float) - 40) / 25
    cosine = np.cos(np.radians(upwind_deg))
    s0, s = c[12] + c[13] * x, (c[7] + c[8] * x) * v
    rising = 1 / (1 + np.exp(-np.maximum(s, s0)))
    rising = np.where(s < s0, rising * (s / s0) ** (s0 * (1 - rising)), rising)
    b0 = rising ** (c[9] + c[10] * x + c[11] * x**2) * 10 ** (
        c[1] + c[2] * x + c[3] * x**2 + c[4] * x**3 + (c[5] + c[6] * x) * v
    )
    b1 = c[14] * (1 + x) - c[15] * v * (0.5 + x - np.tanh(4 * (x + c[16] + c[17] * v)))
    b1 = b1 / (np.exp(0.34 * (v - c[18])) + 1)
    y0, power = c[19], c[20]
    a, b = y0 - (y0 - 1) / power, 1 / (power * (y0 - 1) ** (power - 1))
    v0 = c[21] + c[22] * x + c[23] * x**2
    d1, d2 = c[24] + c[25] * x + c[26] * x**2, c[27] + c[28] * x
    v2 = v / v0 + 1
    v2 = np.where(v2 < y0, a + b * (v2 - 1) ** power, v2)
    b2 = (-d1 + d2 * v2) * np.exp(-v2)
    return b0 * (1 + b1 * cosine + b2 * (2 * cosine**2 - 1)) ** 1.6


def print_seasons(data: Path) -> None:
    """Print what the table of months comes to: ice, open water, and land in summer less spring."""
    say("\n## Seasons: medians of lakes by month, all lakes and tracks; land in summer less January to April")
    by_month: dict[int, list[float]] = defaultdict(list)
    scatter: dict[int, list[float]] = defaultdict(list)
    dark = []
    for (lake, track), chips in chips_of(data).items():
        zones = zones_of(chips)
        if zones is None:
            continue
        levels, slopes = defaultdict(list), defaultdict(list)
        for chip in chips:
            if (chip.power[zones.lake] > 0).mean() > 0.5:
                levels[chip.start.month].append(row_of(chip.power[zones.lake])[2])
                slopes[chip.start.month].append(row_of(chip.power[zones.slope])[2])
        for month, values in levels.items():
            by_month[month] += values
            scatter[month].append(float(np.median(values)))
        dark += [level for month in (5, 6, *SUMMER) for level in levels[month]]
        summer, spring = ([one for month in months for one in slopes[month]] for months in (SUMMER, WINTER))
        if summer and spring:
            say(
                f"{lake} {track}: spring {np.median(spring):.1f} (n={len(spring)}), "
                f"summer {np.median(summer) - np.median(spring):+.1f} dB"
            )
    for month, values in sorted(by_month.items()):
        ice = [one for one in values if one > -15]
        spread = np.std(scatter[month])
        say(
            f"month {month}: median {np.median(values):.1f} dB, n={len(values)}; deviation of medians "
            f"by lake and track {spread:.1f}; above -15 dB {np.median(ice or [np.nan]):.1f}, n={len(ice)}"
        )
    say(f"May to September: n={len(dark)}, darkest median {min(dark):.1f} dB")


def print_texture(data: Path) -> None:
    """Texture of slopes that stays over a summer, and the brightness of far shores, which face the radar."""
    say(
        "\n## Texture of slopes: summer means of a track, dB less their mean over 400 m",
        "| lake | track | scenes | sd dB | correlation at 40, 100, 200, 400 m |",
        "|---|---|---|---|---|",
    )
    for (lake, track), chips in chips_of(data).items():
        zones = zones_of(chips)
        summer = [chip.power for chip in chips if chip.start.month in SUMMER]
        if zones is None or len(summer) < 5 or lake == "tilichoTsho":
            continue
        mean = np.mean(summer, axis=0)
        level = np.where(zones.slope & (mean > 0), to_db(np.maximum(mean, 1e-6)), 0.0)
        weight = (zones.slope & (mean > 0)).astype(float)
        local = gaussian_filter(level, 10) / np.maximum(gaussian_filter(weight, 10), 1e-3)
        rest = np.where(weight > 0, level - local, 0.0)
        variance = (rest**2).sum() / weight.sum()
        lags = []
        for lag in (2, 5, 10, 20):
            pair = (rest[:, lag:] * rest[:, :-lag]).sum() + (rest[lag:] * rest[:-lag]).sum()
            count = (weight[:, lag:] * weight[:, :-lag]).sum() + (weight[lag:] * weight[:-lag]).sum()
            lags.append(f"{pair / count / variance:.2f}")
        say(f"| {lake} | {track} | {len(summer)} | {np.sqrt(variance):.1f} | {', '.join(lags)} |")


def print_shores(data: Path) -> None:
    """How VV goes outwards from the shore that faces the radar, and from the one that looks away from it."""
    say(
        "\n## Across the shore, summer, VV dB: median and 90 % of rings of 20 m, outwards",
        "| lake | track | side | 0-20 | 20-40 | 40-60 | 60-80 | 80-120 | 120-200 |",
        "|---|---|---|---|---|---|---|---|---|",
    )
    for (lake, track), chips in chips_of(data).items():
        drawn = [chip.mask for chip in chips if chip.mask is not None and chip.start.month in SUMMER]
        if not drawn or lake == "tilichoTsho":
            continue
        out_m = distance_transform_edt(np.mean(drawn, axis=0) <= 0.5) * CHIP_M
        down, right = np.gradient(gaussian_filter(out_m, 2))
        azimuth = np.radians(80 if track in ASCENDING else 280)
        facing = (right * np.sin(azimuth) - down * np.cos(azimuth)) / np.maximum(np.hypot(down, right), 1e-6)
        mean = np.mean([chip.power for chip in chips if chip.start.month in SUMMER], axis=0)
        for name, side in (("far", facing > 0.7), ("near", facing < -0.7)):
            cells = []
            for low, high in ((0, 20), (20, 40), (40, 60), (60, 80), (80, 120), (120, 200)):
                ring = mean[side & (out_m > low) & (out_m <= high) & (mean > 0)]
                cells.append(
                    ", ".join(f"{to_db(one):.1f}" for one in np.quantile(ring, (0.5, 0.9)))
                    if ring.size > 8
                    else "-"
                )
            say(f"| {lake} | {track} | {name} | {' | '.join(cells)} |")


def wind_of(level_db: float, incidence_deg: float) -> float:
    """Wind for which CMOD5.N, mean of directions, gives a gamma nought."""
    speeds = np.arange(0.3, 20, 0.05)
    sigma = np.mean([cmod5n(speeds, incidence_deg, one) for one in range(0, 181, 10)], axis=0)
    return float(np.interp(level_db, to_db(sigma / np.cos(np.radians(incidence_deg))), speeds))


def print_lake_wind(data: Path) -> None:
    """Print the wind that CMOD5.N needs for the real lakes, alone and on top of calm water."""
    say(
        "\n## Wind for which CMOD5.N gives the lakes' medians, June to September, m/s",
        "| lake | track | incidence | n | VV dB min, median, max | sd | wind 10, 50, 90 % | on calm water |",
        "|" + "---|" * 8,
    )
    pooled = defaultdict(list)
    for (lake, track), chips in chips_of(data).items():
        zones, incidence_deg = zones_of(chips), INCIDENCE_DEG.get((lake, track))
        if zones is None or incidence_deg is None:
            continue
        levels = [row_of(one.power[zones.lake])[2] for one in chips if one.start.month in (6, *SUMMER)]
        if not levels:
            continue
        alone = [wind_of(level, incidence_deg) for level in levels]
        calm = 10 ** (CALM_FLOOR_DB / 10)
        above = [wind_of(to_db(10 ** (one / 10) - calm), incidence_deg) for one in levels]
        pooled["evening" if track in ASCENDING else "morning"] += above
        cells = [str(np.quantile(one, (0.1, 0.5, 0.9)).round(1).tolist()) for one in (alone, above)]
        say(
            f"| {lake} | {track} | {incidence_deg} | {len(levels)} | {min(levels)}, {np.median(levels):.1f}, "
            f"{max(levels)} | {np.std(levels):.1f} | {' | '.join(cells)} |"
        )
    for name, winds in pooled.items():
        say(
            f"{name}, on calm water: n={len(winds)}, mean {np.mean(winds):.1f}, sd {np.std(winds):.1f} m/s, "
            f"10, 50, 90 % {np.quantile(winds, (0.1, 0.5, 0.9)).round(1).tolist()}"
        )


def signal_of(level: float, noise: float) -> float:
    """Signal (1, linear) of which `level` is left after `noise` was subtracted and cut look by look."""
    total = brentq(lambda one: one * np.exp(-noise / one) - level, 1e-7, 1.0)
    return float(total - noise)


def print_vh(data: Path, noise: float = 10**-2.65, incidence_deg: float = 39.0) -> None:
    """Print the VH without noise of the ocean crops of IW2 and IW1, by the wind of their VV."""
    say(
        f"\n## VH signal of the ocean by wind, noise of {to_db(noise):.1f} dB taken out",
        "| crops | wind m/s | n | VH dB |",
        "|---|---|---|---|",
    )
    for name, angle in (("IW2", incidence_deg), ("IW1", 33.7)):
        winds, signals = [], []
        for burst in sorted(one for one in OCEAN if one.endswith(name)):
            vv, vh = (
                stack(data / "opera_rtc_t137", burst, band)[0].mean(axis=(1, 2)) for band in ("VV", "VH")
            )
            winds += [wind_of(float(to_db(one)), angle) for one in vv]
            signals += [signal_of(float(one), noise) for one in vh]
        speed, signal = np.array(winds), np.array(signals)
        for low, high in ((0.3, 2), (2, 4), (4, 6), (6, 8), (8, 10), (10, 14)):
            held = (speed >= low) & (speed < high)
            if held.any():
                level = to_db(max(signal[held].mean(), 1e-5))
                say(f"| {name} | {low} to {high} | {held.sum()} | {level:.1f} |")
        fast = speed > 4
        slope, level = np.polyfit(speed[fast], to_db(np.maximum(signal[fast], 1e-5)), 1)
        say(f"{name}: VH dB = {level:.1f} + {slope:.2f} U10 above 4 m/s")


def sheet_rows(path: Path) -> list[dict[str, str]]:
    """Cells of the first sheet of a workbook by column letter."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as book:
        words = [
            "".join(text.text or "" for text in one.iter(f"{space}t"))
            for one in ElementTree.fromstring(book.read("xl/sharedStrings.xml")).iter(f"{space}si")
        ]
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    rows = []
    for row in sheet.iter(f"{space}row"):
        cells = {}
        for cell in row.iter(f"{space}c"):
            if (value := cell.find(f"{space}v")) is not None and value.text:
                text = words[int(value.text)] if cell.get("t") == "s" else value.text
                cells[re.sub(r"\d", "", cell.get("r", ""))] = text
        rows.append(cells)
    return rows


ELEVATION_M = {"TshoRolpa": 4555, "Lumding": 4829, "LowerBarun": 4530, "Imja": 5002, "Tilicho": 4910}


def _summary(days: pd.Series) -> str:
    """Write median, mean, standard deviation and its robust value."""
    if days.size < 5:
        return "-"
    robust = 1.4826 * (days - days.median()).abs().median()
    return f"{days.median():.0f} ({days.mean():.0f} ± {days.std():.0f}, robust {robust:.0f}, n={days.size})"


def print_phenology(data: Path) -> None:
    """First and last day of freeze-up and break-up by lake, from MODIS: mean, standard deviation, years."""
    say(
        "\n## Ice by MODIS, day of the year (below 0: of the year before), 2001 to 2024",
        "| lake | m | freeze-up starts | ends | break-up starts | ends | years |",
        "|---|---|---|---|---|---|---|",
    )
    table = []
    for lake, height_m in ELEVATION_M.items():
        path = data / "multimodal" / "modis_nepal_lakes_katel" / "LIP" / f"{lake}.xlsx"
        rows = sheet_rows(path)
        names = {text: letter for letter, text in rows[0].items()}
        years = [row for row in rows[1:] if re.fullmatch(r"20\d\d", row.get("A", ""))]
        columns = []
        for name in ("fus", "fue", "bus", "bue"):
            values = pd.to_numeric(
                pd.Series([row.get(names[name]) for row in years]), errors="coerce"
            ).dropna()
            columns.append(values)
        cells = [_summary(one) for one in columns]
        table.append((height_m, *(one.median() if one.size > 4 else np.nan for one in columns)))
        say(f"| {lake} | {height_m} | {' | '.join(cells)} | {len(years)} |")
    numbers = np.array(table)
    for column, name in (
        (1, "freeze-up starts"),
        (2, "freeze-up ends"),
        (3, "break-up starts"),
        (4, "break-up ends"),
    ):
        held = np.isfinite(numbers[:, column])
        if held.sum() > 2:
            slope, _ = np.polyfit(numbers[held, 0] / 100, numbers[held, column], 1)
            say(f"{name}: {slope:+.1f} days per 100 m over {held.sum()} lakes")


def main(data: Path) -> None:
    """Print all tables."""
    print_lakes(data)
    print_seasons(data)
    print_texture(data)
    print_shores(data)
    print_lake_wind(data)
    print_opera(data)
    print_wind(data)
    print_vh(data)
    print_phenology(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
