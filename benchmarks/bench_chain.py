"""The whole chain against the plain script that a scientist would write.

    python -m benchmarks.bench_chain [--passes 96] [--rounds 3]

Plain: rasterio window, NaN-aware Lee with scipy, 256-bin equalisation with numpy, zero padding to 256x256,
the same network in eager torch at batch 1, labels and area with skimage, one slice after another.
Ours: plan, run on a LocalCluster, commit to the store. Timed with the workers warm (a back-fill's rate) and
once as a whole, start of the cluster included. Both use all cores and read the same files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
import skimage.measure
import torch
from numpy.typing import NDArray
from rasterio.windows import from_bounds
from scipy.ndimage import uniform_filter

from benchmarks.archive import write_archive
from glaciolake.catalog.lakes import load_lakes
from glaciolake.catalog.store import Store
from glaciolake.cluster.connect import connect
from glaciolake.models.engines import choose
from glaciolake.models.export import load_network
from glaciolake.models.weights import read_spec, resolve
from glaciolake.pipeline.config import RunConfig, load_config
from glaciolake.pipeline.recipe import grid_of
from glaciolake.pipeline.run import plan_run, run, work_off

Float32 = NDArray[np.float32]
LOOKS = 10.0


def plain_lee(power: Float32) -> Float32:
    """NaN-aware Lee, 7x7, as it is usually written with scipy; (y, x) linear power."""
    valid = np.isfinite(power)
    filled = np.where(valid, power, 0)
    share = np.maximum(uniform_filter(valid.astype(np.float32), 7), 1e-6)
    mean = uniform_filter(filled, 7) / share
    variance = uniform_filter(filled**2, 7) / share - mean**2
    noise = mean**2 / LOOKS
    weight = np.maximum(0, (variance - noise) / (1 + 1 / LOOKS)) / np.maximum(variance, 1e-12)
    return np.where(valid, mean + weight * (power - mean), np.nan).astype(np.float32)


def plain_equalise(power: Float32) -> Float32:
    """256-bin equalisation, 0..1; (y, x)."""
    valid = power[np.isfinite(power)]
    histogram, edges = np.histogram(valid, 256, (valid.min(), valid.max()))
    cdf = histogram.cumsum()
    cdf = (cdf - cdf.min()) * 255 / (cdf.max() - cdf.min())
    return np.where(np.isfinite(power), np.interp(power, edges[:-1], cdf).astype(np.uint8) / 255, 0).astype(
        "f4"
    )


def plain_script(
    paths: list[Path], bounds: tuple[float, float, float, float], network: torch.nn.Module
) -> None:
    """Measure the lake on every file, one after another."""
    areas = []
    for path in paths:
        with rasterio.open(path) as file:
            power = file.read(1, window=from_bounds(*bounds, file.transform).round_offsets().round_lengths())
        image = plain_equalise(plain_lee(power))
        padded = np.zeros((2, 256, 256), np.float32)
        height, width = image.shape
        padded[0, :height, :width] = image
        padded[1, :height, :width] = np.isfinite(power)
        with torch.no_grad():
            water = torch.sigmoid(network(torch.from_numpy(padded[None])))[0, 0].numpy() > 0.5
        labels = skimage.measure.label(water[:height, :width])
        regions = skimage.measure.regionprops(labels)
        areas.append(max((region.area for region in regions), default=0) * 900.0)


def timed(work: object, *given: object) -> float:
    """Wall seconds of a call."""
    begun = time.perf_counter()
    work(*given)  # type: ignore[operator]
    return time.perf_counter() - begun


def warm_run(config: RunConfig, folder: Path) -> float:
    """Seconds from plan to last commit, on workers that have loaded the network."""
    with connect(config.cluster) as client:
        work_off(client, config.model_copy(update={"store": str(folder / "warm-up")}))
        seconds = timed(work_off, client, config)
    shutil.rmtree(folder / "warm-up")
    return seconds


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--passes", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    lake = load_lakes()["tsho-rolpa"]
    ref = resolve()
    network = load_network(ref)
    plain, warm, whole = [], [], []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        write_archive(folder / "archive", asked.passes)
        paths = sorted((folder / "archive").glob("*.tif"))
        given = {"source": str(folder / "archive"), "lakes": [lake.id], "store": str(folder / "plan")}
        config = load_config(None, given)
        bounds = grid_of(
            plan_run(config, Store.create(config.store)).series[0].header
        ).extent.boundingbox.bbox
        plain_script(paths[:4], bounds, network)
        for _ in range(asked.rounds):
            shutil.rmtree(folder / "store", ignore_errors=True)
            ours = config.model_copy(update={"store": str(folder / "store")})
            plain.append(timed(plain_script, paths, bounds, network))
            warm.append(warm_run(ours, folder))
            shutil.rmtree(folder / "store")
            whole.append(timed(run, ours))
    print(f"{os.cpu_count()} cores, load at the end {os.getloadavg()[0]:.1f}, engine {choose('auto')}")
    print(
        f"{asked.passes} passes of {lake.name}, {asked.rounds} rounds in turn, model {read_spec(ref).name}\n"
    )
    print("| | ms a slice, median (min to max) | times the plain script |\n|---|---|---|")
    for name, seconds in (
        ("plain script", plain),
        ("ours, workers warm", warm),
        ("ours, start included", whole),
    ):
        ms = sorted(1000 * one / asked.passes for one in seconds)
        ratio = statistics.median(p / s for p, s in zip(plain, seconds, strict=True))
        print(f"| {name} | {statistics.median(ms):.1f} ({ms[0]:.1f} to {ms[-1]:.1f}) | {ratio:.1f} |")


if __name__ == "__main__":
    main()
