"""Loading a cube: our reader beside odc-stac and stackstac used plainly, and a bare rasterio loop.

Run from the repository root: ``python -m benchmarks.bench_load --passes 30 --repeats 9``.
"""

from __future__ import annotations

import argparse
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

import dask.array as da
import dask.base
import numpy as np
import odc.stac
import pystac
import rasterio
import shapely
import stackstac
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.geom import box
from rasterio.windows import Window

from glaciolake.catalog.granule import Granule
from glaciolake.pipeline.grid import native_grid, position_px
from glaciolake.pipeline.load import open_cube
from glaciolake.pipeline.load_odc import bare_items
from glaciolake.pipeline.passes import Pass, group_passes
from tests.pipeline.scenes import CRS, ORIGIN_M, ROLWALING_DEG, SPACING_M, granule, power, write_granule

SHAPE = (1200, 2400)
SEAM_ROW = 1000  # the second burst starts here, so two bursts overlap by 200 rows
SIDE_PX = 256


def archive(folder: Path, n_passes: int) -> list[Granule]:
    """Write two bursts a pass as OPERA does, 512 x 512 tiles, deflate, predictor 3, around midnight UTC."""
    first = datetime(2022, 1, 1, 23, 59, 59, tzinfo=UTC)
    granules = []
    for number in range(n_passes):
        for burst in range(2):
            start = first + timedelta(days=12 * number, seconds=2.7 * burst)
            pixels = power(SHAPE, seed=2 * number + burst)
            pixels[:40] = np.nan  # the border of a burst
            pixels[-40:] = np.nan
            granules.append(
                write_granule(
                    folder,
                    start,
                    {"vv": pixels},
                    shift_px=(SEAM_ROW * burst, 0),
                    burst=f"T121-25866{burst}-IW2",
                    tile_px=512,
                )
            )
    return granules


def seam_grid(granules: Sequence[Granule]) -> GeoBox:
    """256 x 256 pixels across the seam of the two bursts."""
    left = ORIGIN_M[0] + 900 * SPACING_M
    top = ORIGIN_M[1] - (SHAPE[0] - 40 - SIDE_PX // 2) * SPACING_M
    side_m = SIDE_PX * SPACING_M
    square = box(left, top - side_m, left + side_m, top, CRS).to_crs("EPSG:4326")
    grid = native_grid(granules, shapely.Polygon(square.exterior.coords))
    return grid[:SIDE_PX, :SIDE_PX]


def full_items(passes: Sequence[Pass]) -> list[pystac.Item]:
    """Items as a catalogue has them, with bounding boxes."""
    items = bare_items(passes)
    granules = [here for one in passes for here in one.granules]
    for item, here in zip(items, granules, strict=True):
        footprint = GeoBox(here.shape, Affine(*here.transform), here.crs).extent.to_crs("EPSG:4326")
        item.geometry, item.bbox = footprint.json, list(footprint.boundingbox)
    return items


def ours(passes: Sequence[Pass], grid: GeoBox, backend: str, slices_per_chunk: int) -> da.Array:
    return open_cube(passes, grid, backend=backend, slices_per_chunk=slices_per_chunk)["vv"].data  # type: ignore


def plain_odc(items: Sequence[pystac.Item], grid: GeoBox, slices_per_chunk: int) -> da.Array:
    chunks: dict[str, int | Literal["auto"]] = {"time": slices_per_chunk}
    cube = odc.stac.load(items, bands=["vv"], geobox=grid, groupby="slice", chunks=chunks)
    plain: da.Array = cube["vv"].data
    return plain


def plain_stackstac(items: Sequence[pystac.Item], grid: GeoBox) -> da.Array:
    bounds = tuple(grid.boundingbox)
    stack = stackstac.stack(
        items, assets=["vv"], epsg=int(CRS[5:]), resolution=SPACING_M, bounds=bounds, snap_bounds=False,
        dtype="float32", fill_value=np.float32("nan"), rescale=False,
    )  # fmt: skip
    stack = stack.isel(band=0).assign_coords(slice=("time", [item.properties["slice"] for item in items]))
    cube = stack.groupby("slice").map(stackstac.mosaic, dim="time", axis=None, reverse=True)
    plain: da.Array = cube.data
    return plain


def raw_plane(one: Pass, grid: GeoBox) -> NDArray[np.float32]:
    """Open every burst, read its part of the window, first valid pixel wins."""
    plane = np.full(grid.shape, np.nan, "float32")
    for here in one.granules:
        row_px, col_px = position_px(here, grid)
        top, bottom = max(0, row_px), min(grid.shape[0], row_px + here.shape[0])
        with rasterio.open(here.href("vv")) as file:
            window = Window(-col_px, top - row_px, grid.shape[1], bottom - top)
            part = plane[top:bottom]
            np.copyto(part, file.read(1, window=window), where=np.isnan(part))
    return plane


def raw_serial(passes: Sequence[Pass], grid: GeoBox) -> NDArray[np.float32]:
    return np.stack([raw_plane(one, grid) for one in passes])


class Times:
    """Seconds of one reader's repeats."""

    def __init__(self) -> None:
        self.build: list[float] = []
        self.two_threads: list[float] = []
        self.one_thread: list[float] = []
        self.cpu: list[float] = []
        self.n_tasks = 0

    def add_serial(self, work: Callable[[], object]) -> None:
        """Time one run on one thread, on the wall and in the processor."""
        wall, processor = time.perf_counter(), time.process_time()
        work()
        self.one_thread.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - processor)


def measure(
    builders: dict[str, Callable[[], da.Array]], raw: Callable[[], NDArray[np.float32]], repeats: int
) -> None:
    """Print medians (best) of interleaved repeats, and check every result against the raw loop."""
    truth = raw()
    times = {name: Times() for name in (*builders, "raw rasterio loop")}
    for number in range(repeats):
        order = list(builders.items())
        for name, build in order if number % 2 else reversed(order):
            start_s = time.perf_counter()
            cube = build()
            times[name].build.append(time.perf_counter() - start_s)
            times[name].n_tasks = len(dict(dask.base.optimize(cube)[0].dask))
            with ThreadPoolExecutor(2) as pool:
                start_s = time.perf_counter()
                result = cube.compute(scheduler="threads", pool=pool)
                times[name].two_threads.append(time.perf_counter() - start_s)
            np.testing.assert_array_equal(result, truth, err_msg=name)
            times[name].add_serial(partial(cube.compute, scheduler="synchronous"))
        times["raw rasterio loop"].add_serial(raw)
    print("| reader | build ms | tasks | 2 threads s | 1 thread s | CPU s |\n|---|---|---|---|---|---|")
    for name, one in times.items():
        build_ms = f"{1e3 * statistics.median(one.build):.0f}" if one.build else "-"
        print(
            f"| {name} | {build_ms} | {one.n_tasks or '-'} | {shown(one.two_threads)} | "
            f"{shown(one.one_thread)} | {shown(one.cpu)} |"
        )


def shown(seconds: Sequence[float]) -> str:
    """Median and best."""
    return f"{statistics.median(seconds):.3f} ({min(seconds):.3f})" if seconds else "-"


def graphs(n_passes: int) -> None:
    """Print what a long series costs before a pixel is read; no files are needed for that."""
    first = datetime(2014, 10, 3, 23, 59, 59, tzinfo=UTC)
    url = "https://cumulus.asf.earthdatacloud.nasa.gov/OPERA/OPERA_L2_RTC-S1"
    granules = []
    for number in range(n_passes):
        for burst in range(2):
            start = first + timedelta(days=6 * number, seconds=2.7 * burst)
            x_m, y_m = ORIGIN_M[0], ORIGIN_M[1] - burst * SEAM_ROW * SPACING_M
            bare = granule(
                start,
                burst=f"T121-25866{burst}-IW2",
                shape=SHAPE,
                transform=Affine(SPACING_M, 0, x_m, 0, -SPACING_M, y_m),
            )
            granules.append(replace(bare, hrefs=(("vv", f"{url}/{bare.name}/{bare.name}_VV.tif"),)))
    passes, grid = group_passes(granules, ROLWALING_DEG), seam_grid(granules)
    items = full_items(passes)
    print(f"\n{len(items)} files -> {len(passes)} passes, graph only")
    print("| reader | build s | tasks before, after optimising | pickled MB |\n|---|---|---|---|")
    for name, build in readers(passes, grid, items).items():
        start_s = time.perf_counter()
        cube = build()
        took_s = time.perf_counter() - start_s
        before, after = len(dict(cube.dask)), len(dict(dask.base.optimize(cube)[0].dask))
        print(f"| {name} | {took_s:.2f} | {before}, {after} | {len(pickle.dumps(cube.dask)) / 1e6:.2f} |")


def readers(
    passes: Sequence[Pass], grid: GeoBox, items: Sequence[pystac.Item]
) -> dict[str, Callable[[], da.Array]]:
    """All that are compared."""
    return {
        "native, 1 slice a chunk": lambda: ours(passes, grid, "native", 1),
        "native, 4 slices a chunk": lambda: ours(passes, grid, "native", 4),
        "native, 8 slices a chunk": lambda: ours(passes, grid, "native", 8),
        "backend odc, 8 slices a chunk": lambda: ours(passes, grid, "odc", 8),
        "backend stackstac, 8 slices a chunk": lambda: ours(passes, grid, "stackstac", 8),
        "plain odc-stac, time=1": lambda: plain_odc(items, grid, 1),
        "plain odc-stac, time=10": lambda: plain_odc(items, grid, 10),
        "plain stackstac + mosaic": lambda: plain_stackstac(items, grid),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--graph-passes", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        granules = archive(Path(folder), options.passes)
        passes = group_passes(granules, ROLWALING_DEG)
        grid = seam_grid(granules)
        items = full_items(passes)
        print(f"{len(items)} files of {SHAPE} px -> {len(passes)} passes of {tuple(grid.shape)} px")
        measure(readers(passes, grid, items), lambda: raw_serial(passes, grid), options.repeats)
    graphs(options.graph_passes)


if __name__ == "__main__":
    main()
