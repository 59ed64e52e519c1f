"""Loading a cube: our reader beside odc-stac and stackstac used plainly, and a bare rasterio loop.

Run from the repository root: ``python -m benchmarks.bench_load --passes 30 --repeats 9``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
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
from tests.pipeline.scenes import CRS, ORIGIN_M, ROLWALING_DEG, SPACING_M, power, write_granule

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
    granules = [granule for one in passes for granule in one.granules]
    for item, granule in zip(items, granules, strict=True):
        footprint = GeoBox(granule.shape, Affine(*granule.transform), granule.crs).extent.to_crs("EPSG:4326")
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
    for granule in one.granules:
        row_px, col_px = position_px(granule, grid)
        top, bottom = max(0, row_px), min(grid.shape[0], row_px + granule.shape[0])
        with rasterio.open(granule.href("vv")) as file:
            window = Window(-col_px, top - row_px, grid.shape[1], bottom - top)
            part = plane[top:bottom]
            np.copyto(part, file.read(1, window=window), where=np.isnan(part))
    return plane


def raw_serial(passes: Sequence[Pass], grid: GeoBox) -> NDArray[np.float32]:
    return np.stack([raw_plane(one, grid) for one in passes])


def measure(
    builders: dict[str, Callable[[], da.Array]], raw: Callable[[], NDArray[np.float32]], repeats: int
) -> None:
    """Print medians of interleaved repeats, and check every result against the raw loop."""
    truth = raw()
    build_s: dict[str, list[float]] = {name: [] for name in builders}
    threads_s: dict[str, list[float]] = {name: [] for name in builders}
    serial_s: dict[str, list[float]] = {name: [] for name in (*builders, "raw rasterio loop")}
    tasks: dict[str, int] = {}
    for _ in range(repeats):
        for name, build in builders.items():
            start = time.perf_counter()
            cube = build()
            build_s[name].append(time.perf_counter() - start)
            tasks[name] = len(dict(dask.base.optimize(cube)[0].__dask_graph__()))
            with ThreadPoolExecutor(2) as pool:
                start = time.perf_counter()
                result = cube.compute(scheduler="threads", pool=pool)
                threads_s[name].append(time.perf_counter() - start)
            np.testing.assert_array_equal(result, truth, err_msg=name)
            start = time.perf_counter()
            cube.compute(scheduler="synchronous")
            serial_s[name].append(time.perf_counter() - start)
        start = time.perf_counter()
        raw()
        serial_s["raw rasterio loop"].append(time.perf_counter() - start)
    print("| reader | build ms | tasks | 2 threads s | 1 thread s |\n|---|---|---|---|---|")
    for name in builders:
        print(
            f"| {name} | {1e3 * statistics.median(build_s[name]):.0f} | {tasks[name]} | "
            f"{statistics.median(threads_s[name]):.3f} | {statistics.median(serial_s[name]):.3f} |"
        )
    print(f"| raw rasterio loop | - | - | - | {statistics.median(serial_s['raw rasterio loop']):.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        granules = archive(Path(folder), options.passes)
        passes = group_passes(granules, ROLWALING_DEG)
        grid = seam_grid(granules)
        items = full_items(passes)
        builders: dict[str, Callable[[], da.Array]] = {
            "native, 1 slice a chunk": lambda: ours(passes, grid, "native", 1),
            "native, 4 slices a chunk": lambda: ours(passes, grid, "native", 4),
            "native, 8 slices a chunk": lambda: ours(passes, grid, "native", 8),
            "backend odc, 8 slices a chunk": lambda: ours(passes, grid, "odc", 8),
            "backend stackstac, 8 slices a chunk": lambda: ours(passes, grid, "stackstac", 8),
            "plain odc-stac, time=1": lambda: plain_odc(items, grid, 1),
            "plain odc-stac, time=10": lambda: plain_odc(items, grid, 10),
            "plain stackstac + mosaic": lambda: plain_stackstac(items, grid),
        }
        print(f"{len(items)} files of {SHAPE} px -> {len(passes)} passes of {tuple(grid.shape)} px")
        measure(builders, lambda: raw_serial(passes, grid), options.repeats)


if __name__ == "__main__":
    main()
