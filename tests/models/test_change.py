"""Painted events: the label follows what is painted, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest

from glaciolake.models.data import Float32
from glaciolake.models.track.change import LEAST_LAKE_PX, SHORE_PX, WIDEST_PX, change
from tests.models.scenes import ellipse, scene

SHAPE = (90, 110)
LAKE = ellipse(SHAPE)


def db(seed: int = 0) -> Float32:
    power = scene(LAKE, seed=seed)
    return np.asarray(10 * np.log10(np.nan_to_num(power, nan=1.0)), np.float32)[None]


VALID = np.isfinite(scene(LAKE))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(4))
def test_what_drains_looks_like_land_and_what_is_left_like_water(share: float, seed: int) -> None:
    image, left = change(db(seed), LAKE, VALID, np.random.default_rng(seed), kind="drain", share=share)
    assert left.sum() == pytest.approx((1 - share) * LAKE.sum(), rel=0.1) and not (left & ~LAKE).any()
    assert image[0][LAKE & ~left].mean() == pytest.approx(-7, abs=0.5)
    np.testing.assert_array_equal(image[0][left], db(seed)[0][left])
    far = np.ones(SHAPE, bool)
    far[LAKE] = False
    reach = np.argwhere((image != db(seed))[0] & far)
    rim = np.argwhere(LAKE)
    assert all(np.abs(rim - one).sum(axis=1).min() <= SHORE_PX for one in reach), "only the shore beside it"


def test_a_lake_may_go_altogether() -> None:
    image, left = change(db(), LAKE, VALID, np.random.default_rng(0), kind="drain", share=1.0)
    assert not left.any() and image[0][LAKE].max() < 0 and image[0][LAKE].mean() == pytest.approx(-7, abs=0.5)


def test_what_grows_looks_like_water() -> None:
    for seed in range(4):
        image, grown = change(db(), LAKE, VALID, np.random.default_rng(seed), kind="grow")
        most = np.pi * (10 + WIDEST_PX) * (12 + WIDEST_PX)
        assert (grown | ~LAKE).all() and LAKE.sum() < grown.sum() <= most
        assert image[0][grown & ~LAKE].mean() == pytest.approx(-18, abs=0.5)


def test_all_images_of_a_change_get_the_same_pieces() -> None:
    both = np.concatenate([db(), db() + 3])
    painted, _ = change(both, LAKE, VALID, np.random.default_rng(1), kind="drain", share=0.5)
    np.testing.assert_allclose(painted[1], painted[0] + 3, atol=1e-5)


def test_a_puddle_and_an_image_without_land_stay_as_they_are() -> None:
    small = np.zeros(SHAPE, bool)
    small.flat[: LEAST_LAKE_PX - 1] = True
    image, water = change(db(), small, VALID, np.random.default_rng(0), kind="drain", share=0.5)
    assert image is not None and water is small
    np.testing.assert_array_equal(image, db())
    image, water = change(db(), LAKE, LAKE, np.random.default_rng(0), kind="drain", share=0.5)
    assert water is LAKE
    np.testing.assert_array_equal(image, db())
