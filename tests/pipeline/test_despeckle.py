"""Speckle filters: the formulae, no data, chunks, laziness, looks, and kernels without a cache."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from dask.base import optimize, tokenize
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from glaciolake.pipeline.despeckle import enhanced_lee, filter_slices, lee, multitemporal
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.looks import estimate_looks
from glaciolake.pipeline.window import ENHANCED_LEE, LEE, Method
from tests.pipeline import reference_filters as reference

Float32 = NDArray[np.float32]
Step = Callable[[xr.DataArray], xr.DataArray]

STEPS: dict[str, Step] = {
    "lee": lambda power: lee(power, looks=4.4),
    "enhanced_lee": lambda power: enhanced_lee(power, looks=4.4, damping=1.0),
    "multitemporal": multitemporal,
    "multitemporal causal": lambda power: multitemporal(power, causal=True),
}


def scene(*shape: int, seed: int = 0, looks: float = 4.4) -> Float32:
    """Water at 1e-3 beside land at 0.1 with bright targets of 1e2, exact zeros and 5 % no data."""
    rng = np.random.default_rng(seed)
    power = rng.gamma(looks, 0.1 / looks, shape)
    power[..., : shape[-1] // 2] *= 1e-2
    power[rng.random(shape) < 0.01] = 100.0
    power[rng.random(shape) < 0.01] = 0.0
    power[rng.random(shape) < 0.05] = np.nan
    return power.astype(np.float32)


def cube(power: Float32) -> xr.DataArray:
    """(time, y, x) with a name and attributes."""
    return xr.DataArray(power, dims=("time", "y", "x"), name="vv", attrs={"units": "1"})


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("a step computed")


@pytest.mark.parametrize("window_px", [3, 5, 7, 9, 11, 15, 31])
@pytest.mark.parametrize("looks", [1.0, 4.4, 60.0])
def test_lee_is_the_formula(window_px: int, looks: float) -> None:
    power = scene(1, 33, 41)
    expected = reference.filtered(power[0], window_px, reference.lee(looks))
    found = lee(cube(power), window_px=window_px, looks=looks).values[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("window_px", [3, 7, 15])
@pytest.mark.parametrize(("looks", "damping"), [(1.0, 1.0), (4.4, 0.5), (10.0, 0.0), (60.0, 1.0)])
def test_enhanced_lee_is_the_formula(window_px: int, looks: float, damping: float) -> None:
    power = scene(1, 33, 41, looks=looks)
    expected = reference.filtered(power[0], window_px, reference.enhanced_lee(looks, damping))
    found = enhanced_lee(cube(power), window_px=window_px, looks=looks, damping=damping).values[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_multitemporal_is_the_formula(causal: bool) -> None:
    power = scene(4, 17, 19)
    expected = reference.mean_ratio(power, 5, causal=causal)
    found = multitemporal(cube(power), window_px=5, causal=causal).values
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_filters_equal_the_golden_vectors(shared_data: Path) -> None:
    golden = json.loads((shared_data / "reference" / "golden_vectors.json").read_text())["filters"]
    power = xr.DataArray(np.array(golden["I"], dtype=np.float32), dims=("y", "x"))
    for name, step in (("lee_mmse", lee), ("enhanced_lee_K1", enhanced_lee)):
        found = step(power, window_px=3, looks=10).values
        np.testing.assert_allclose(found, np.array(golden[name], dtype=np.float64), rtol=2e-7, err_msg=name)


def test_water_beside_bright_targets_keeps_its_digits() -> None:
    power = scene(1, 24, 300)
    power[0, 4, 20:280:9] = 1e4
    expected = reference.filtered(power[0], 7, reference.lee(4.4))
    np.testing.assert_allclose(lee(cube(power), looks=4.4).values[0], expected, rtol=1e-6)


@pytest.mark.parametrize("name", STEPS)
def test_no_data_stays_and_nothing_else_becomes_no_data(name: str) -> None:
    power = scene(3, 20, 30)
    power[:, 5:15, 5:15] = np.nan
    power[0, 10, 10] = 0.02  # alone in its window
    found = STEPS[name](cube(power)).values
    np.testing.assert_array_equal(np.isnan(found), np.isnan(power))
    assert found[0, 10, 10] == np.float32(0.02)


def test_infinite_power_is_no_data() -> None:
    power = scene(1, 12, 12)
    holed = power.copy()
    power[0, 6, 6], holed[0, 6, 6] = np.inf, np.nan
    np.testing.assert_array_equal(lee(cube(power)).values, lee(cube(holed)).values)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("level", [0.0, 0.02])
def test_what_does_not_vary_is_kept(name: str, level: float) -> None:
    flat = np.full((2, 9, 9), level, np.float32)
    np.testing.assert_allclose(STEPS[name](cube(flat)).values, flat, rtol=2e-7)


def test_no_data_everywhere_and_no_pixels_at_all_pass() -> None:
    for shape in ((2, 5, 5), (0, 5, 5), (2, 0, 5)):
        power = np.full(shape, np.nan, np.float32)
        for step in STEPS.values():
            np.testing.assert_array_equal(step(cube(power)).values, power)


def test_a_thin_window_is_blanked_only_on_request() -> None:
    power = scene(1, 20, 20)
    share = np.full((20, 20), np.nan)
    for row, column, values in reference.windows(power[0].astype(np.float64), 7):
        share[row, column] = values.size / 49
    found = lee(cube(power), min_valid_share=0.8).values[0]
    np.testing.assert_array_equal(np.isfinite(found), share >= 0.8)


def test_past_results_of_the_causal_filter_never_change() -> None:
    power = scene(5, 20, 20)
    whole = multitemporal(cube(power), causal=True).values
    early = multitemporal(cube(power[:3]), causal=True).values
    np.testing.assert_array_equal(whole[:3], early)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(sorted(STEPS)),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40)),
    chunk=st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40)),
)
def test_chunks_do_not_show(name: str, shape: tuple[int, int, int], chunk: tuple[int, int, int]) -> None:
    power = cube(scene(*shape, seed=sum(shape)))
    whole = STEPS[name](power)
    lazy = STEPS[name](power.chunk(dict(zip(("time", "y", "x"), chunk, strict=True))))
    np.testing.assert_array_equal(lazy.compute(scheduler="sync").values, whole.values)


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_and_tiles_do_not_show(threads: int) -> None:
    power = scene(3, 9, 1100)
    for kind in (LEE, ENHANCED_LEE):
        method = Method(kind, 7, 4.4)
        whole = filter_slices(power, method)
        np.testing.assert_array_equal(filter_slices(power, method, threads), whole)
        narrow = filter_slices(power[..., 900:], method)
        np.testing.assert_array_equal(narrow[..., 3:], whole[..., 903:])


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("chunk", [{"time": 1}, {"time": 2, "y": 9, "x": 11}])
def test_building_the_graph_computes_nothing(
    name: str, chunk: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = cube(scene(3, 20, 30)).chunk(chunk)
    monkeypatch.setattr("glaciolake.pipeline.despeckle.filter_slices", refuse)
    monkeypatch.setattr("glaciolake.pipeline.despeckle.mean_ratio", refuse)
    with dask.config.set(scheduler=refuse):
        out = STEPS[name](lazy)
    assert out.dtype == np.float32 and isinstance(out.data._meta, np.ndarray)
    assert (out.name, out.attrs, out.dims) == ("vv", {"units": "1"}, ("time", "y", "x"))


def test_whole_slices_cost_one_task_a_chunk_and_the_same_graph_twice() -> None:
    lazy = cube(scene(6, 20, 30)).chunk(time=2)
    out = lee(lazy)
    tasks = optimize(out.data)[0].__dask_graph__()
    assert len(tasks) == 3 + len(lazy.data.dask)
    assert tokenize(out) == tokenize(lee(lazy))
    assert len(pickle.dumps(out.data.dask)) < 20_000 + lazy.nbytes


def test_read_only_and_foreign_arrays_are_taken() -> None:
    power = scene(2, 20, 30)
    expected = lee(cube(power)).values
    power.flags.writeable = False
    np.testing.assert_array_equal(lee(cube(power)).values, expected)
    np.testing.assert_array_equal(lee(cube(power.astype(">f4"))).values, expected)
    np.testing.assert_array_equal(
        lee(cube(power).transpose("y", "x", "time")).values, expected.transpose(0, 1, 2)
    )


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda p: lee(p, window_px=6), "window_px is 6; give an odd number"),
        (lambda p: lee(p, looks=0), "looks is 0; give a positive number"),
        (lambda p: lee(p, min_valid_share=1.5), "min_valid_share is 1.5; give a share"),
        (lambda p: enhanced_lee(p, damping=-1.0), "damping is -1.0; give 0 or more"),
        (lambda p: lee(p.rename(y="row")), "needs y and x; dims are"),
        (lambda p: multitemporal(p.rename(time="date")), "needs dates; dims are"),
        (lambda p: estimate_looks(p, window_px=4), "window_px is 4"),
    ],
)
def test_what_cannot_be_done_is_refused(call: Step, says: str) -> None:
    with pytest.raises(PipelineError, match=says):
        call(cube(scene(1, 9, 9)))


@pytest.mark.parametrize("looks", [2.0, 4.4, 10.0, 60.0])
def test_looks_of_speckle_are_found_within_five_percent(looks: float) -> None:
    power = np.random.default_rng(3).gamma(looks, 0.05 / looks, (2, 200, 200)).astype(np.float32)
    assert float(estimate_looks(cube(power))) == pytest.approx(looks, rel=0.05)


def test_texture_on_half_the_scene_does_not_move_the_looks() -> None:
    rng = np.random.default_rng(4)
    power = rng.gamma(4.4, 0.05 / 4.4, (2, 200, 200))
    power[:, :, :100] *= rng.gamma(1.0, 1.0, (200, 100))
    assert float(estimate_looks(cube(power.astype(np.float32)))) == pytest.approx(4.4, rel=0.05)


def test_looks_stay_lazy_ignore_chunks_and_say_when_there_is_too_little() -> None:
    power = cube(scene(3, 60, 60))
    with dask.config.set(scheduler=refuse):
        lazy = estimate_looks(power.chunk(time=1, y=20))
    assert isinstance(lazy.data, da.Array)
    assert float(lazy.compute(scheduler="sync")) == float(estimate_looks(power))
    assert np.isnan(float(estimate_looks(power[:, :8, :8])))


def test_looks_of_opera_over_the_sea_are_near_the_default(shared_data: Path) -> None:
    import rasterio

    files = sorted((shared_data / "opera_rtc_t137").glob("*T137-292321-IW1*_VV.tif"))
    power = np.stack([rasterio.open(file).read(1) for file in files])
    assert 4.0 < float(estimate_looks(cube(power))) < 6.5


MODULE = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
import numba
import numba.core.caching as caching
if sys.argv[1] == "nowhere":
    caching.CacheImpl._locator_classes = []
from glaciolake.pipeline.compiled import Kernel

def twice(number):
    return 2 * number

print(Kernel(twice, numba.int64(numba.int64))(81))
"""


@pytest.mark.parametrize("place", ["nowhere", "folder"])
def test_kernels_run_with_a_cache_of_the_users_and_with_none(tmp_path: Path, place: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(MODULE)
    said = subprocess.run(
        [sys.executable, str(script), place],
        capture_output=True,
        text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
        check=True,
    ).stdout
    assert "162" in said
    assert ("kernel twice is not cached" in said) == (place == "nowhere")
    assert bool(list(tmp_path.rglob("*.nbc"))) == (place == "folder")
