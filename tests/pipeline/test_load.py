"""The cube: the right pixels, read lazily, whoever reads them."""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import dask.base
import numpy as np
import pytest
import rioxarray  # noqa: F401  registers the accessor
import xarray as xr
from distributed import Client
from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon

from glaciolake.catalog.granule import Band, Granule
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.grid import native_grid
from glaciolake.pipeline.load import Backend, empty_slices, open_cube
from glaciolake.pipeline.mask import hide_invalid
from glaciolake.pipeline.passes import Pass, group_passes
from tests.pipeline.range_server import serving
from tests.pipeline.scenes import ROLWALING_DEG, granule, power, write_granule

BACKENDS: tuple[Backend, ...] = ("native", "odc", "stackstac")
START = datetime(2024, 1, 3, 23, 59, 59, tzinfo=UTC)
EVERYWHERE = Polygon([(80, 20), (95, 20), (95, 35), (80, 35)])
HYP3_ORIGIN_M = (447023.37910129636, 3083214.0273821335)


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("a step computed")


def two_bursts(folder: Path, n_passes: int = 3) -> list[Granule]:
    """Passes over midnight UTC, of two overlapping bursts with borders, holes and zeros."""
    granules = []
    for number in range(n_passes):
        for burst in range(2):
            vv = power((90, 120), seed=10 * number + burst)
            vv[:9] = np.nan
            vv[40 + number, 50:60] = np.nan
            vv[60, 70] = 0.0
            mask = np.zeros((90, 120), np.uint8)
            mask[:9] = 255
            mask[70:75, 20:30] = 1 + burst
            granules.append(
                write_granule(
                    folder,
                    START + timedelta(days=12 * number, seconds=2.7 * burst),
                    {"vv": vv, "vh": vv / 5, "mask": mask},
                    shift_px=(60 * burst, 8 * burst),
                    burst=f"T121-25866{burst}-IW2",
                )
            )
    return granules


def opened(granules: Sequence[Granule], **options: Any) -> tuple[xr.Dataset, list[Pass], GeoBox]:
    """Cube of all granules, whole footprint."""
    passes = group_passes(granules, ROLWALING_DEG)
    grid = native_grid(granules, EVERYWHERE)
    return open_cube(passes, grid, **options), passes, grid


def mosaic(folder_pixels: Sequence[tuple[int, int, np.ndarray[Any, Any]]], shape: tuple[int, int]) -> Any:
    """First valid pixel wins, the slow way."""
    out = np.full(shape, np.nan, "float32")
    for row, col, pixels in folder_pixels:
        for r, c in np.ndindex(pixels.shape):
            if np.isnan(out[row + r, col + c]):
                out[row + r, col + c] = pixels[r, c]
    return out


@pytest.mark.parametrize("backend", BACKENDS)
def test_bursts_of_a_pass_are_mosaicked_first_valid_pixel_first(tmp_path: Path, backend: Backend) -> None:
    granules = two_bursts(tmp_path)
    cube, passes, grid = opened(random.Random(1).sample(granules, len(granules)), backend=backend)
    assert [one.id for one in passes] == ["T121_S1A_20240104", "T121_S1A_20240116", "T121_S1A_20240128"]
    assert grid.shape == (150, 128)
    computed = cube.compute()
    for number in range(3):
        parts = []
        for burst in range(2):
            vv = power((90, 120), seed=10 * number + burst)
            vv[:9] = np.nan
            vv[40 + number, 50:60] = np.nan
            vv[60, 70] = 0.0
            parts.append((60 * burst, 8 * burst, vv))
        truth = mosaic(parts, (150, 128))
        np.testing.assert_array_equal(computed["vv"][number], truth)
        np.testing.assert_array_equal(computed["vh"][number], truth / np.float32(5))
        assert (truth == 0).sum() == 2  # OPERA's zero is a measurement
    mask = computed["mask"].values
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 1, 2, 255}
    assert (mask[:, 70:75, 20:30] == 1).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_hyp3_zero_is_no_data_and_its_fractional_origin_shifts_nothing(
    tmp_path: Path, backend: Backend
) -> None:
    granules, planes = [], []
    for number in range(4):
        pixels = power((135, 144), seed=number)
        pixels[:, :17] = 0
        planes.append(np.where(pixels == 0, np.nan, pixels))
        granules.append(
            write_granule(
                tmp_path,
                START + timedelta(days=12 * number),
                {"vv": pixels},
                nodata=0.0,
                origin_m=HYP3_ORIGIN_M,
                spacing_m=20.0,
                burst=None,
            )
        )
    cube, _, _ = opened(granules, backend=backend, slices_per_chunk=3)
    assert list(cube.data_vars) == ["vv"]
    np.testing.assert_array_equal(cube["vv"].values, np.array(planes, "float32"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_band_or_burst_that_is_missing_leaves_no_data_and_no_fewer_slices(
    tmp_path: Path, backend: Backend
) -> None:
    both = write_granule(tmp_path, START, {"vv": power((40, 50), 1), "vh": power((40, 50), 2)})
    single = write_granule(tmp_path, START + timedelta(days=12), {"vv": power((40, 50), 3)})
    away = write_granule(
        tmp_path,
        START + timedelta(days=24),
        {"vv": power((40, 50), 4)},
        shift_px=(400, 400),
        burst="T121-1-IW1",
    )
    passes = group_passes([both, single, away], ROLWALING_DEG)
    cube = open_cube(passes, native_grid([both], EVERYWHERE), bands=("vv", "vh", "hh"), backend=backend)
    assert list(cube.data_vars) == ["vv", "vh"]
    missing = cube.compute().isnull().mean(("y", "x"))
    assert missing["vv"].values.tolist() == [0, 0, 1]
    assert missing["vh"].values.tolist() == [0, 1, 1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_first_wins_by_burst_not_by_time(tmp_path: Path, backend: Backend) -> None:
    second = write_granule(tmp_path, START, {"vv": np.full((20, 30), 2, "f4")}, burst="T121-000002-IW1")
    first = write_granule(
        tmp_path, START + timedelta(seconds=3), {"vv": np.full((20, 30), 1, "f4")}, burst="T121-000001-IW1"
    )
    cube, _, _ = opened([second, first], backend=backend)
    assert (cube["vv"] == 1).all()


def test_labels_tell_where_when_and_of_what(tmp_path: Path) -> None:
    cube, passes, grid = opened(two_bursts(tmp_path))
    assert cube["vv"].dims == ("time", "y", "x")
    assert cube["vv"].dtype == np.float32
    assert cube["time"].dtype == np.dtype("datetime64[ns]")
    assert cube["time"].values[0] == np.datetime64("2024-01-03T23:59:59")
    assert cube["pass_id"].values.tolist() == [one.id for one in passes]
    assert cube["granules"].values[0].split() == [one.name for one in passes[0].granules]
    assert set(cube["relative_orbit"].values) == {121}
    assert set(cube["orbit_state"].values) == {"descending"}
    assert cube["mask_complete"].all()
    assert cube["vv"].attrs["units"] == "1"
    assert cube.rio.crs.to_epsg() == 32645
    assert tuple(cube["vv"].rio.transform())[:6] == tuple(grid.affine)[:6]
    assert cube["x"].values[0] == grid.affine.c + 15
    assert cube["y"].values[0] == grid.affine.f - 15


def test_opening_reads_nothing_and_the_same_request_gives_the_same_graph() -> None:
    bare = [granule(START + timedelta(days=12 * number)) for number in range(5)]  # no such files
    with dask.config.set(scheduler=refuse):
        one, two = opened(bare)[0], opened(bare[::-1])[0]
        hidden = hide_invalid(one)
        empty = empty_slices(one)
    assert dask.base.tokenize(one) == dask.base.tokenize(two)
    assert one["vv"].data.name == two["vv"].data.name != opened(bare, slices_per_chunk=4)[0]["vv"].data.name
    assert dask.base.is_dask_collection(hidden)
    assert dask.base.is_dask_collection(empty)


@pytest.mark.parametrize("slices_per_chunk", [1, 2, 3, 7, 50])
def test_chunking_may_not_show(tmp_path: Path, slices_per_chunk: int) -> None:
    granules = two_bursts(tmp_path, n_passes=7)
    cube, _, grid = opened(granules, slices_per_chunk=slices_per_chunk)
    assert cube["vv"].data.chunks[1:] == ((grid.shape[0],), (grid.shape[1],))
    assert max(cube["vv"].data.chunks[0]) == min(slices_per_chunk, 7)
    xr.testing.assert_identical(cube.compute(), opened(granules)[0].compute())


def test_reading_fuses_with_the_steps_that_follow() -> None:
    hrefs: dict[Band, str] = {"vv": "vv.tif", "vh": "vh.tif", "mask": "mask.tif"}
    starts = [START + timedelta(days=12 * number) for number in range(80)]
    bursts = ("T121-258660-IW1", "T121-258661-IW1")
    bare = [granule(start, burst=burst, hrefs=hrefs) for start in starts for burst in bursts]
    cube, passes, _ = opened(bare)
    hidden = hide_invalid(cube)
    db = 10 * np.log10(hidden["vv"]) - 10 * np.log10(hidden["vh"])
    (water,) = dask.base.optimize((db.astype("float32") < -18).sum(("y", "x")))
    assert len(dict(water.__dask_graph__())) <= 1.0 * len(passes)
    one_band = open_cube(passes, native_grid(bare, EVERYWHERE), bands=("vv",)).drop_vars("mask")
    (area,) = dask.base.optimize((hide_invalid(one_band)["vv"] < 0.01).data.map_blocks(np.uint8, dtype="u1"))
    assert len(dict(area.__dask_graph__())) == 10


def test_tasks_carry_addresses_not_items_or_pixels() -> None:
    url = "https://cumulus.asf.earthdatacloud.nasa.gov/OPERA/OPERA_L2_RTC-S1"
    bare = []
    for number in range(200):
        start = START + timedelta(days=12 * number)
        name = granule(start).name
        bare.append(granule(start, hrefs={"vv": f"{url}/{name}/{name}_VV.tif"}))
    cube, passes, _ = opened(bare)
    pickled = pickle.dumps(cube["vv"].data.__dask_graph__())
    name_bytes = len(bare[0].name) + len(bare[0].hrefs[0][1])
    assert len(pickled) / len(passes) < name_bytes + 250


def test_reads_open_only_the_window_and_ask_for_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    scene = write_granule(tmp_path, START, {"vv": power((1500, 1500), 1)})
    content = Path(scene.hrefs[0][1]).read_bytes()
    with serving(content) as served:
        remote = granule(START, shape=(1500, 1500), hrefs={"vv": f"{served.url}/scene_VV.tif"})
        grid = native_grid([remote], EVERYWHERE)[300:364, 700:764]
        window = open_cube(group_passes([remote], ROLWALING_DEG), grid)["vv"].values
    np.testing.assert_array_equal(window[0], power((1500, 1500), 1)[300:364, 700:764])
    assert set(served.requests) == {("GET", "/scene_VV.tif")}
    assert served.n_bytes < 0.1 * len(content)


def test_empty_slices_are_those_of_no_data_or_of_zeros_only(tmp_path: Path) -> None:
    pixels = [
        power((30, 40), 1),
        np.full((30, 40), np.nan, "f4"),
        np.zeros((30, 40), "f4"),
        power((30, 40), 2),
    ]
    pixels[3][1:] = np.nan
    granules = [
        write_granule(tmp_path, START + timedelta(days=12 * number), {"vv": plane, "vh": plane})
        for number, plane in enumerate(pixels)
    ]
    assert empty_slices(opened(granules)[0]).values.tolist() == [False, True, True, False]


def test_a_worker_in_another_process_reads_the_same(tmp_path: Path) -> None:
    cube, _, _ = opened(two_bursts(tmp_path))
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
        there = client.compute(cube).result()
    xr.testing.assert_identical(there, cube.compute())


def test_requests_that_make_no_cube_are_refused() -> None:
    bare = granule(START)
    passes, grid = group_passes([bare], ROLWALING_DEG), native_grid([bare], EVERYWHERE)
    with pytest.raises(PipelineError, match="no passes"):
        open_cube([], grid)
    with pytest.raises(PipelineError, match=r"no granule has \['hh'\]; they have \['vv'\]"):
        open_cube(passes, grid, bands=("hh",))
    with pytest.raises(PipelineError, match="slices_per_chunk is 0"):
        open_cube(passes, grid, slices_per_chunk=0)
    with pytest.raises(PipelineError, match="unknown backend 'gdal'"):
        open_cube(passes, grid, backend="gdal")  # type: ignore[arg-type]
    other_zone = group_passes([granule(START, crs="EPSG:32644")], ROLWALING_DEG)
    with pytest.raises(PipelineError, match=f"{other_zone[0].granules[0].name} lies on EPSG:32644"):
        open_cube(other_zone, grid)


def test_the_cube_is_one_array_a_band() -> None:
    cube = opened([granule(START)])[0]
    assert isinstance(cube["vv"].data, da.Array)
