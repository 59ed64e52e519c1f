"""Speckle filters: ours beside the usual NaN-aware forms over scipy and OpenCV, in the same run.

Run from the repository root: ``python -m benchmarks.bench_despeckle --rounds 9``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, uniform_filter

from benchmarks.interleave import copy_ms, interleaved, machine
from glaciolake.pipeline.despeckle import filter_slices
from glaciolake.pipeline.window import ENHANCED_LEE, LEE, Method

Float32 = NDArray[np.float32]
Box = Callable[[Float32], Float32]

WINDOW_PX = 7
LOOKS = 5.0


def scene(side_px: int, missing: str) -> Float32:
    """Water at 1e-3 beside land at 0.1, bright targets of 1e2, about 5 % no data."""
    rng = np.random.default_rng(0)
    power = rng.gamma(LOOKS, 0.1 / LOOKS, (side_px, side_px))
    power[:, : side_px // 2] *= 1e-2
    power[rng.random(power.shape) < 1e-3] = 100.0
    if missing == "scattered":
        power[rng.random(power.shape) < 0.05] = np.nan
    else:
        for top, left in rng.integers(0, side_px, (20, 2)):
            power[top : top + side_px // 20, left : left + side_px // 20] = np.nan
    return power.astype(np.float32)


def lee_over(box: Box, power: Float32) -> Float32:
    """Lee over any box mean of zero-filled slices, divided by the share of valid pixels, all in float32."""
    noise = np.float32(1 / LOOKS)
    valid = np.isfinite(power)
    filled = np.where(valid, power, np.float32(0))
    share = box(valid.astype(np.float32))
    with np.errstate(all="ignore"):
        mean = box(filled) / share
        variance = box(filled * filled) / share - mean * mean
        gain = np.maximum(0, (variance - mean * mean * noise) / ((1 + noise) * variance))
        out: Float32 = mean + gain * (power - mean)
    return out


def scipy_box(image: Float32) -> Float32:
    return np.asarray(uniform_filter(image, WINDOW_PX, mode="constant"), np.float32)


def opencv_box(image: Float32) -> Float32:
    found: Any = cv2.boxFilter(image, -1, (WINDOW_PX, WINDOW_PX), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(found, np.float32)


def in_strips(box: Box, power: Float32, threads: int) -> Float32:
    """Run a peer on horizontal strips with a halo, a thread each, so that all its arithmetic is threaded."""
    if threads == 1:
        return lee_over(box, power)
    halo, height = WINDOW_PX // 2, power.shape[0]
    edges = [height * part // threads for part in range(threads + 1)]

    def strip(part: int) -> Float32:
        first, last = edges[part], edges[part + 1]
        low = max(first - halo, 0)
        return lee_over(box, power[low : last + halo])[first - low : last - low]

    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(strip, range(threads))))


def exact(power: Float32) -> NDArray[np.float64]:
    """Lee in float64 by direct sums, no running ones."""
    valid = np.isfinite(power)
    filled = np.where(valid, power, 0).astype(np.float64)

    def total(image: NDArray[np.float64]) -> NDArray[np.float64]:
        ones = np.ones(WINDOW_PX)
        rows = correlate1d(image, ones, axis=0, mode="constant")
        return np.asarray(correlate1d(rows, ones, axis=1, mode="constant"))

    n_valid = total(valid.astype(np.float64))
    with np.errstate(all="ignore"):
        mean = total(filled) / n_valid
        variance = total(filled**2) / n_valid - mean**2
        gain = np.maximum(0, (variance - mean**2 / LOOKS) / ((1 + 1 / LOOKS) * variance))
        out = mean + gain * (filled - mean)
    return np.where(valid, out, np.nan)


def jobs(power: Float32, threads: int) -> dict[str, Callable[[], Float32]]:
    """Name what is compared; the first is ours."""
    return {
        "ours, Lee": partial(filter_slices, power, Method(LEE, WINDOW_PX, LOOKS), threads),
        "scipy uniform_filter": partial(in_strips, scipy_box, power, threads),
        "OpenCV boxFilter": partial(in_strips, opencv_box, power, threads),
        "ours, Enhanced Lee": partial(filter_slices, power, Method(ENHANCED_LEE, WINDOW_PX, LOOKS), threads),
    }


def worst_error(found: Float32, expected: NDArray[np.float64]) -> float:
    with np.errstate(all="ignore"):
        return float(np.nanmax(np.abs(found - expected) / np.abs(expected)))


def table(power: Float32, threads: int, rounds: int) -> None:
    cv2.setNumThreads(1)  # the strips are its threads: its own would leave numpy's part on one
    compared = jobs(power, threads)
    expected = exact(power)
    errors = {name: worst_error(job(), expected) for name, job in compared.items() if "Enhanced" not in name}
    times = interleaved(compared, rounds)
    bound_ms = copy_ms(power.nbytes)
    ours = times["ours, Lee"]
    for name, (wall_ms, cpu_ms) in times.items():
        against = f"{wall_ms / ours.wall_ms:.2f} | {cpu_ms / ours.cpu_ms:.2f}"
        error = f"{errors[name]:.1e}" if name in errors else "-"
        rate = power.size / wall_ms / 1e3
        print(f"| {name} | {threads} | {wall_ms:.2f} | {cpu_ms:.2f} | {rate:.0f} | {against} | {error} |")
    rate = power.size / bound_ms / 1e3
    against = f"{bound_ms / ours.wall_ms:.2f} | -"
    print(f"| copy of the slice (bound) | 1 | {bound_ms:.2f} | - | {rate:.0f} | {against} | - |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sides", type=int, nargs="+", default=[2048, 256])
    arguments = parser.parse_args()
    print(machine())
    for side_px in arguments.sides:
        for missing in ("scattered", "in blocks"):
            power = scene(side_px, missing)
            print(f"\n### {side_px} x {side_px}, float32, {np.isnan(power).mean():.1%} no data, {missing}\n")
            print(
                "| 7 x 7, NaN-aware | threads | wall ms | CPU ms | Mpx/s | wall / ours | CPU / ours | error |"
            )
            print("|---|---|---|---|---|---|---|---|")
            for threads in (1, 2):
                table(power, threads, arguments.rounds if side_px > 1000 else 10 * arguments.rounds)


if __name__ == "__main__":
    main()
