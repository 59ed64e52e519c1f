"""Normalisations: the paper's bit for bit, causality, no data, chunks, laziness."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import rasterio
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from glaciolake.models.spec import ModelSpec
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.normalise import (
    FLOOR_DB,
    MIN_DEVIATION_DB,
    equalise,
    equalise_slices,
    images_for,
    scale,
    to_db,
    zscore,
)

Float32 = NDArray[np.float32]

STEPS: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "to_db": to_db,
    "scale": lambda power: scale(to_db(power), (-30.0, 5.0)),
    "equalise": equalise,
    "zscore": zscore,
}
NORMALISATIONS = ("paper", "db", "zscore")


def scene(*shape: int, seed: int = 0) -> Float32:
    """Speckle with a bright tail, exact zeros and 5 % no data."""
    rng = np.random.default_rng(seed)
    power = rng.gamma(4.4, 0.05 / 4.4, shape)
    power[rng.random(shape) < 0.01] = 3.0
    power[rng.random(shape) < 0.01] = 0.0
    power[rng.random(shape) < 0.05] = np.nan
    return power.astype(np.float32)


def cube(power: Float32) -> xr.DataArray:
    """(time, y, x) with a name and attributes."""
    return xr.DataArray(power, dims=("time", "y", "x"), name="vv", attrs={"units": "1", "long_name": "g"})


def dual(power: Float32) -> xr.Dataset:
    """Two bands of one shape."""
    return xr.Dataset({"vv": cube(power), "vh": cube(power[::-1] * np.float32(0.2))})


def spec(normalisation: str, bands: tuple[str, ...] = ("vv", "vh")) -> ModelSpec:
    return ModelSpec.model_validate({"name": "net-1", "bands": bands, "normalisation": normalisation})


def papers_way(power: Float32) -> NDArray[np.uint8]:
    """One slice, with numpy's own routines."""
    valid = np.isfinite(power)
    counts, edges = np.histogram(power[valid], 256)
    below = counts.cumsum()
    levels = (below - below.min()) * 255 / (below.max() - below.min())
    out = np.where(valid, np.interp(power, edges[:-1], levels), 0)
    return out.astype(np.uint8)


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("a step computed")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    side=st.integers(2, 90),
    shape=st.floats(0.2, 20),
    level=st.sampled_from([1e-6, 1e-2, 1.0, 1e4]),
    rounded=st.booleans(),
    shift=st.sampled_from([0.0, -3.0]),
)
def test_equalisation_is_numpys_bit_for_bit(
    seed: int, side: int, shape: float, level: float, rounded: bool, shift: float
) -> None:
    rng = np.random.default_rng(seed)
    power = ((rng.gamma(shape, 1 / shape, (side, side)) + shift) * level).astype(np.float32)
    if rounded:  # many values on, or one unit beside, an edge
        edges = np.linspace(power.min(), power.max(), 257, dtype=np.float32)
        power = rng.choice(np.concatenate([edges, np.nextafter(edges, np.float32(0))]), power.shape)
    power[rng.random(power.shape) < 0.1] = np.nan
    power[0, :2] = (0.0, level)
    np.testing.assert_array_equal(equalise_slices(power), papers_way(power))


def test_equalisation_equals_the_golden_vector(shared_data: Path) -> None:
    golden = json.loads((shared_data / "reference" / "golden_vectors.json").read_text())["hist_eq"]
    power = np.array(golden["in"])
    found = equalise_slices(np.where(power == 0, np.nan, power))
    np.testing.assert_array_equal(found, np.array(golden["out"]))
    assert int(((found == 0) & (power != 0)).sum()) == golden["valid_pixels_that_became_0"]


def padded(chip: Float32, side_px: int = 256) -> Float32:
    """Centre a chip on no data; its own 0 is no data."""
    out = np.full((side_px, side_px), np.nan, np.float32)
    top, left = ((side_px - size) // 2 for size in chip.shape)
    out[top : top + chip.shape[0], left : left + chip.shape[1]] = np.where(chip == 0, np.nan, chip)
    return out


def test_equalisation_makes_the_papers_images_from_its_chips(shared_data: Path) -> None:
    chips = {}
    for path in (shared_data / "himalaya_hyp3_rtc20").glob("*/*_VV.tif"):
        start, identity = re.findall(r"_(\d{8}T\d{6})_.*_([0-9A-F]{4})_VV", path.name)[0]
        chips[f"{path.parent.name}_{start}_{identity}"] = path
    differences = []
    for path in sorted((shared_data / "himalaya_pairs" / "images").glob("*.tif")):
        if path.stem in chips:  # the chips of 18 Tilicho images are not published
            with rasterio.open(chips[path.stem]) as chip, rasterio.open(path) as image:
                ours = equalise_slices(padded(chip.read(1)))
                differences.append(np.abs(ours.astype(int) - image.read(1)))
    worst = [int(one.max()) for one in differences]
    assert len(worst) == 177 and max(worst) <= 1
    assert worst.count(0) == 175 and sum(int((one > 0).sum()) for one in differences) == 2


def test_a_slice_without_contrast_or_data_is_equalised_to_one_level() -> None:
    power = np.full((4, 3, 3), np.nan, np.float32)
    power[1], power[2, 0, 0] = 0.02, 0.02
    power[3] = np.nextafter(np.float32(1), np.float32(2))
    power[3, 0, 0] = 1  # two neighbours of float32 have no 256 bins between them
    found = equalise_slices(power)
    assert found[0].max() == 0 and found[1].min() == 255 and found[3].min() == 255
    assert found[2].tolist() == [[255, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_infinite_power_is_no_data_for_the_histogram() -> None:
    power = scene(20, 20)
    holed = power.copy()
    power[3, 3:5], holed[3, 3:5] = (np.inf, -np.inf), np.nan
    np.testing.assert_array_equal(equalise_slices(power), equalise_slices(holed))


def test_decibels_are_ten_logarithms_and_zero_has_a_floor() -> None:
    power = cube(np.array([[[1.0, 0.1, 1e-3, 0.0, np.nan, 100.0]]], np.float32))
    found = to_db(power)
    assert found.dtype == np.float32 and found.attrs == {"units": "dB", "long_name": "g"}
    np.testing.assert_allclose(found.values.ravel(), [0, -10, -30, FLOOR_DB, np.nan, 20], atol=1e-5)


def test_scaling_clips_and_keeps_no_data() -> None:
    gamma0_db = cube(np.array([[[-40.0, -30.0, -12.5, 5.0, 20.0, np.nan]]], np.float32))
    found = scale(gamma0_db, (-30.0, 5.0))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.values.ravel(), [0, 0, 0.5, 1, 1, np.nan], atol=1e-6)


def test_zscore_is_the_deviation_from_earlier_dates() -> None:
    power = scene(12, 5, 6)
    found = zscore(cube(power), min_history=3).values
    gamma0_db = np.where(np.isnan(power), np.nan, 10 * np.log10(np.maximum(power.astype(float), 1e-5)))
    for date, y, x in np.ndindex(power.shape):
        past = gamma0_db[:date, y, x]
        past = past[~np.isnan(past)]
        if past.size < 3 or np.isnan(power[date, y, x]):
            assert np.isnan(found[date, y, x])
            continue
        spread_db = max(past.std(ddof=1), MIN_DEVIATION_DB)
        assert found[date, y, x] == pytest.approx((gamma0_db[date, y, x] - past.mean()) / spread_db, abs=1e-4)


def test_zscore_of_the_past_never_changes_and_a_steady_past_gives_no_infinity() -> None:
    power = scene(12, 5, 6)
    power[:, 0, 0] = 0.02
    power[9, 0, 0] = 0.2
    whole = zscore(cube(power)).values
    np.testing.assert_array_equal(whole[:9], zscore(cube(power[:9])).values)
    assert whole[8, 0, 0] == 0 and whole[9, 0, 0] == pytest.approx(10 / MIN_DEVIATION_DB, rel=1e-4)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_images_are_the_bands_normalised_in_order(normalisation: str) -> None:
    power = dual(scene(9, 12, 15))
    images = images_for(power, spec(normalisation, ("vh", "vv")))
    assert images.dims == ("time", "channel", "y", "x") and images.dtype == np.float32
    assert images.channel.values.tolist() == ["vh", "vv"]
    for band in ("vh", "vv"):
        expected = {
            "paper": (equalise(power[band]) / 255.0).where(power[band].notnull()),
            "db": scale(to_db(power[band]), (-30.0, 5.0)),
            "zscore": zscore(power[band]),
        }[normalisation]
        np.testing.assert_allclose(images.sel(channel=band).values, expected.values, atol=1e-6)


@pytest.mark.parametrize("normalisation", ["paper", "db"])
def test_no_data_stays_and_nothing_else_becomes_no_data(normalisation: str) -> None:
    power = dual(scene(3, 12, 15))
    images = images_for(power, spec(normalisation, ("vv",)))
    np.testing.assert_array_equal(np.isnan(images.values[:, 0]), np.isnan(power.vv.values))
    assert float(images.min()) >= 0 and float(images.max()) <= 1


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from([*STEPS, *NORMALISATIONS]),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 30), st.integers(1, 30)),
    chunk=st.tuples(st.integers(1, 9), st.integers(1, 30), st.integers(1, 30)),
)
def test_chunks_do_not_show(name: str, shape: tuple[int, int, int], chunk: tuple[int, int, int]) -> None:
    power = dual(scene(*shape, seed=sum(shape)))
    cut = power.chunk(dict(zip(("time", "y", "x"), chunk, strict=True)))
    if name in STEPS:
        whole, lazy = STEPS[name](power.vv), STEPS[name](cut.vv)
    else:
        whole, lazy = images_for(power, spec(name)), images_for(cut, spec(name))
    np.testing.assert_array_equal(lazy.compute(scheduler="sync").values, whole.values)


@pytest.mark.parametrize("name", [*STEPS, *NORMALISATIONS])
@pytest.mark.parametrize("chunk", [{"time": 1}, {"time": 2, "y": 9, "x": 11}])
def test_building_the_graph_computes_nothing(
    name: str, chunk: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for core in ("decibels", "equalise_slices", "deviations", "stack_images"):
        monkeypatch.setattr(f"glaciolake.pipeline.normalise.{core}", refuse)
    power = dual(scene(4, 20, 30)).chunk(chunk)
    with dask.config.set(scheduler=refuse):
        out = STEPS[name](power.vv) if name in STEPS else images_for(power, spec(name))
    assert isinstance(out.data, da.Array)
    assert out.dtype == (np.uint8 if name == "equalise" else np.float32)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda p: images_for(p, spec("db")),
            r"needs .* the cube has \['vv'\]; load \['vh'\]",
        ),
        (lambda p: scale(p.vv, (5.0, -30.0)), "clip_db is 5.0..-30.0; give the lower bound first"),
        (lambda p: equalise(p.vv.rename(x="column")), "needs y and x; dims are"),
        (lambda p: zscore(p.vv.rename(time="date")), "needs dates; dims are"),
        (lambda p: zscore(p.vv, min_history=1), "min_history is 1"),
    ],
)
def test_what_cannot_be_done_is_refused(call: Callable[[xr.Dataset], xr.DataArray], says: str) -> None:
    with pytest.raises(PipelineError, match=says):
        call(dual(scene(2, 5, 5))[["vv"]])
