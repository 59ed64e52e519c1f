"""The steps compose to a lazy chain of few tasks, and computing it gives what a run stores."""

from __future__ import annotations

from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
from dask.base import is_dask_collection, optimize, tokenize

from glaciolake.catalog.granule import Granule
from glaciolake.catalog.lakes import load_lakes
from glaciolake.models.spec import ModelRef
from glaciolake.models.weights import read_spec, resolve
from glaciolake.pipeline.despeckle import lee
from glaciolake.pipeline.grid import native_grid
from glaciolake.pipeline.lakes import LakeRules, Target, measure
from glaciolake.pipeline.load import open_cube
from glaciolake.pipeline.mask import hide_invalid
from glaciolake.pipeline.normalise import images_for
from glaciolake.pipeline.outline import outline_mask
from glaciolake.pipeline.passes import group_passes
from glaciolake.pipeline.segment import segment
from tests.pipeline.chain import true_area_m2, write_dates, write_network, write_registry

N_SLICES = 16


@pytest.fixture
def granules(tmp_path: Path) -> list[Granule]:
    return write_dates(tmp_path / "archive", N_SLICES)


@pytest.fixture
def ref(tmp_path: Path) -> ModelRef:
    return resolve(str(write_network(tmp_path / "dark.onnx")), engine="onnxruntime")


def chain(granules: list[Granule], ref: ModelRef, folder: Path) -> xr.Dataset:
    """Compose the whole chain as a notebook would."""
    lake = load_lakes(write_registry(folder / "lakes.geojson"))["test-tsho"]
    grid = native_grid(granules, lake.aoi)
    cube = hide_invalid(open_cube(group_passes(granules, lake.longitude_deg), grid, slices_per_chunk=8))
    images = images_for(cube[["vv"]].map(lee), read_spec(ref))
    target = Target(outline_mask(lake.outline, grid), 30.0, 0.5, LakeRules())
    return measure(segment(images, ref), xr.zeros_like(cube["vv"], dtype=bool), target)


def n_tasks(found: xr.Dataset) -> int:
    (optimised,) = optimize(found)
    return len(dict(optimised.__dask_graph__()))


def test_items_to_area_take_at_most_one_task_a_slice(
    granules: list[Granule], ref: ModelRef, tmp_path: Path
) -> None:
    areas = chain(granules, ref, tmp_path)[["area_m2"]]
    assert n_tasks(areas) <= N_SLICES


def test_building_the_chain_reads_and_computes_nothing(
    granules: list[Granule], ref: ModelRef, tmp_path: Path
) -> None:
    for granule in granules:
        Path(granule.href("vv") or "").unlink()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a step computed")

    with dask.config.set(scheduler=refuse):
        found = chain(granules, ref, tmp_path)
    assert is_dask_collection(found["area_m2"].data)


def test_the_chain_measures_the_lake(granules: list[Granule], ref: ModelRef, tmp_path: Path) -> None:
    areas = chain(granules, ref, tmp_path)["area_m2"].compute(scheduler="synchronous")
    np.testing.assert_allclose(areas, [true_area_m2(index) for index in range(N_SLICES)], rtol=0.02)


def test_the_same_request_builds_the_same_graph(
    granules: list[Granule], ref: ModelRef, tmp_path: Path
) -> None:
    one, other = (chain(granules, ref, tmp_path)["area_m2"].data for _ in range(2))
    assert tokenize(one) == tokenize(other)
