"""Variations keep what they must keep."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from glaciolake.models.augment import (
    change_brightness,
    change_speckle,
    draw_batch,
    place,
    scale_db,
    vary,
    zoom,
)
from glaciolake.pipeline.normalise import scale, to_db
from tests.models.scenes import SPEC, ellipse, sample, scene


def test_decibels_of_the_specification_become_0_and_1() -> None:
    power = (10 ** (np.array([-40.0, -30.0, -12.5, 5.0, 20.0]) / 10)).astype(np.float32)
    np.testing.assert_allclose(scale_db(power, SPEC), np.array([0, 0, 0.5, 1, 1]), atol=1e-6)
    assert scale_db(np.array([np.nan, 0.0], np.float32), SPEC).tolist() == [0.0, 0.0]


def test_training_sees_what_the_pipeline_makes() -> None:
    power = scene(ellipse())
    made = scale(to_db(xr.DataArray(power, dims=("y", "x"))), SPEC.clip_db).values
    np.testing.assert_allclose(scale_db(power, SPEC), np.nan_to_num(made), atol=1e-6)


@pytest.mark.parametrize("factor", [0.55, 0.67, 1.2])
def test_zoom_keeps_backscatter_and_scales_the_area(factor: float) -> None:
    water = ellipse()
    power, lake = zoom(scene(water), water, factor)
    assert lake.sum() == pytest.approx(water.sum() * factor**2, rel=0.12)
    assert 10 * np.log10(np.median(power[lake])) == pytest.approx(-18, abs=0.7)
    assert np.isnan(power).any()
    assert not lake[np.isnan(power)].any()


def test_brightness_shifts_land_by_at_most_one_and_a_half_decibels() -> None:
    water, random = ellipse(), np.random.default_rng(0)
    power = scene(water)
    far = ~water & np.isfinite(power)
    far &= np.hypot(*(np.indices(water.shape).T - [20, 26]).T) > 15
    shifts_db = [
        10 * np.log10(change_brightness(power, water, random)[far] / power[far]).mean() for _ in range(30)
    ]
    assert max(np.abs(shifts_db)) <= 1.51
    assert np.ptp(shifts_db) > 1


def test_speckle_keeps_the_mean_and_no_data() -> None:
    power = np.full((200, 200), 0.1, np.float32)
    power[0] = np.nan
    noisy = change_speckle(power, np.random.default_rng(0))
    assert np.nanmean(noisy) == pytest.approx(0.1, rel=0.02)
    np.testing.assert_array_equal(np.isnan(noisy), np.isnan(power))


@settings(max_examples=30, deadline=None)
@given(height=st.integers(3, 60), width=st.integers(3, 60), seed=st.integers(0, 99))
def test_placing_cuts_or_pads_and_invents_nothing(height: int, width: int, seed: int) -> None:
    power = np.arange(1, height * width + 1, dtype=np.float32).reshape(height, width)
    canvas, lake = place(power, power > 5, np.random.default_rng(seed), size_px=32)
    assert canvas.shape == lake.shape == (32, 32)
    assert np.isfinite(canvas).sum() == min(height, 32) * min(width, 32)
    values = canvas[np.isfinite(canvas)]
    assert np.isin(values, power).all()
    assert len(np.unique(values)) == values.size
    np.testing.assert_array_equal(lake, np.nan_to_num(canvas) > 5)


def test_lake_and_radar_turn_together() -> None:
    for seed in range(8):
        power, lake = vary(sample(), np.random.default_rng(seed), size_px=64)
        assert np.nanmedian(power[lake]) < 0.5 * np.nanmedian(power[~lake])


def test_a_batch_is_what_the_network_expects_and_repeats_with_its_seed() -> None:
    samples = [sample(cycle=0), sample(cycle=1), sample(lake="lower")]
    batch = draw_batch(samples, np.random.default_rng(5), SPEC, count=6, size_px=64)
    assert batch.images.shape == (6, 2, 64, 64)
    assert batch.images.dtype == batch.water.dtype == batch.valid.dtype == np.float32
    assert ((batch.images >= 0) & (batch.images <= 1)).all()
    np.testing.assert_array_equal(batch.images[:, 1], batch.valid)
    assert not batch.water[batch.valid == 0].any()
    again = draw_batch(samples, np.random.default_rng(5), SPEC, count=6, size_px=64)
    np.testing.assert_array_equal(batch.images, again.images)
