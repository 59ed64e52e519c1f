"""The paper's equalisation: ours beside the plain numpy routine, in the same run, results equal.

Run from the repository root: ``python -m benchmarks.bench_normalise --rounds 9 [--chips FOLDER]``.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks.interleave import copy_ms, interleaved, machine
from glaciolake.pipeline.normalise import equalise_slices

Float32 = NDArray[np.float32]


def plain(power: Float32) -> NDArray[np.uint8]:
    """One slice with `numpy.histogram` and `numpy.interp`, as the paper's authors do."""
    valid = np.isfinite(power)
    counts, edges = np.histogram(power[valid], 256)
    below = counts.cumsum()
    levels = (below - below.min()) * 255 / (below.max() - below.min())
    shaded = np.interp(power.ravel(), edges[:-1], levels).reshape(power.shape)
    shaded[~valid] = 0
    return np.asarray(shaded, np.uint8)


def scene(side_px: int, brightest: float) -> Float32:
    """Speckled power with 5 % no data, cut at `brightest`: the higher, the fewer bins hold most pixels."""
    rng = np.random.default_rng(0)
    power = rng.gamma(2.0, 0.05, (side_px, side_px)).astype(np.float32)
    power[rng.random(power.shape) < 1e-4] = brightest
    power = np.minimum(power, np.float32(brightest))
    power[rng.random(power.shape) < 0.05] = np.nan
    return power


def chip(path: Path, side_px: int = 256) -> Float32:
    """Read a chip whose 0 is no data, centred on no data."""
    with rasterio.open(path) as file:
        power = file.read(1)
    out = np.full((side_px, side_px), np.nan, np.float32)
    top, left = ((side_px - size) // 2 for size in power.shape)
    out[top : top + power.shape[0], left : left + power.shape[1]] = np.where(power == 0, np.nan, power)
    return out


def row(label: str, slices: list[Float32], rounds: int) -> None:
    """Time all slices together and print a line per slice."""

    def ours() -> None:
        for power in slices:
            equalise_slices(power)

    def numpys() -> None:
        for power in slices:
            plain(power)

    different = sum(int((equalise_slices(power) != plain(power)).sum()) for power in slices)
    times = interleaved({"ours": ours, "numpy": numpys}, rounds)
    bound_ms = copy_ms(slices[0].nbytes)
    wall, cpu = (np.array([times["ours"][k], times["numpy"][k]]) / len(slices) for k in range(2))
    print(
        f"| {label} | {wall[0]:.3f} | {wall[1]:.3f} | **{wall[1] / wall[0]:.1f}** | {cpu[1] / cpu[0]:.1f} "
        f"| {bound_ms:.3f} | {different} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--chips", type=Path, help="Folder of chips, one folder a lake, with 0 as no data.")
    arguments = parser.parse_args()
    print(machine())
    print(
        "\n| slice, one thread | ours ms | numpy ms | wall ratio | CPU ratio | copy ms | pixels that differ |"
    )
    print("|---|---|---|---|---|---|---|")
    line = partial(row, rounds=arguments.rounds)
    for side_px, n_slices in ((256, 40), (2048, 1)):
        for label, brightest in (("even histogram", 0.5), ("bright tail: 3 bins hold most pixels", 30.0)):
            line(f"{side_px} x {side_px}, {label}", [scene(side_px, brightest)] * n_slices)
    if arguments.chips:
        chips = [chip(path) for path in sorted(arguments.chips.glob("*/*_VV.tif"))]
        chips = [power for power in chips if np.isfinite(power).any()]
        line(f"256 x 256, {len(chips)} real chips, each once: out of memory", chips)
        again = [power for power in chips[::10] for _ in range(10)]
        line(f"256 x 256, {len(chips[::10])} real chips, ten times each: out of the cache", again)


if __name__ == "__main__":
    main()
