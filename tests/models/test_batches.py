"""Images of any sizes get the answers that each would get alone."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glaciolake.models.augment import scale_db
from glaciolake.models.batches import Float32, in_batches
from glaciolake.models.engines import computes_bfloat16
from glaciolake.models.predict import water_probabilities
from glaciolake.models.spec import Engine
from glaciolake.models.track.model import read_atlas, track_probabilities
from glaciolake.models.weights import read_spec, resolve
from tests.models.test_predict import dark_lake

SIZES = [(53, 57), (64, 111), (50, 60), (33, 64)]
NO_PADDING = np.zeros(2, np.float32)


class Spy:
    """A network that answers the first channel, and remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[Float32] = []

    def __call__(self, images: Float32) -> Float32:
        self.given.append(images)
        return images[:, 0]


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8),
    stride=st.sampled_from([1, 16, 32]),
    most=st.integers(1, 5000),
)
def test_every_image_gets_its_own_answer_back(sizes: list[tuple[int, int]], stride: int, most: int) -> None:
    images = [np.full((2, *size), number, np.float32) for number, size in enumerate(sizes)]
    spy = Spy()
    found = in_batches(images, spy, stride_px=stride, padding=NO_PADDING, batch_px=most)
    for image, answer in zip(images, found, strict=True):
        np.testing.assert_array_equal(answer, image[0])
    for given_images in spy.given:
        n, _, height, width = given_images.shape
        assert height % stride == 0 and width % stride == 0
        assert n == 1 or n * height * width <= most


def test_sizes_that_pad_to_one_go_together_and_padding_is_what_was_asked_for() -> None:
    images = [np.ones((2, *size), np.float32) for size in SIZES]
    spy = Spy()
    in_batches(images, spy, stride_px=32, padding=np.array([0.25, -1], np.float32))
    assert [one.shape for one in spy.given] == [(3, 2, 64, 64), (1, 2, 64, 128)]
    first = spy.given[0][0]
    assert (first[:, :53, :57] == 1).all()
    assert (first[0, 53:] == 0.25).all() and (first[1, :, 57:] == -1).all()


@pytest.mark.parametrize("engine", ["openvino-bf16", "onnxruntime"])
def test_a_lake_is_drawn_alike_alone_and_among_others(engine: Engine) -> None:
    if engine != "onnxruntime":
        pytest.importorskip("openvino", reason="install glaciolake[openvino] to run it")
    ref = resolve(engine=engine)
    spec = read_spec(ref)
    images = [scale_db(dark_lake(size, seed=seed)[0], spec)[None] for seed, size in enumerate(SIZES)]
    images[1][0, 5, 5] = np.nan
    together = water_probabilities(images, ref)
    for image, found in zip(images, together, strict=True):
        (alone,) = water_probabilities([image], ref)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(image[0]))
        np.testing.assert_allclose(found, alone, atol=1e-4 if engine == "onnxruntime" else 0.05)
        changed = ((found >= spec.threshold) != (alone >= spec.threshold)).sum()
        assert changed <= 0.001 * (alone >= spec.threshold).sum()


@pytest.mark.parametrize("package", ["openvino", "torch"])
def test_small_images_are_computed_in_float32_where_bfloat16_is_asked_for(package: str) -> None:
    pytest.importorskip(package, reason=f"install glaciolake[{package}] to run it")
    whole, short = (resolve(engine=cast(Engine, name)) for name in (package, f"{package}-bf16"))
    spec = read_spec(whole)
    small, large = (scale_db(dark_lake(size)[0], spec)[None] for size in ((64, 111), (135, 144)))
    alike = [water_probabilities([small], ref)[0] for ref in (whole, short)]
    np.testing.assert_array_equal(alike[0], alike[1])
    if computes_bfloat16():
        moved = [water_probabilities([large], ref)[0] for ref in (whole, short)]
        assert np.abs(moved[0] - moved[1]).max() > 1e-4


@pytest.mark.parametrize("engine", ["openvino", "openvino-bf16", "torch", "torch-bf16"])
def test_engines_draw_what_the_track_network_draws(engine: Engine) -> None:
    package = engine.partition("-")[0]
    pytest.importorskip(package, reason=f"install glaciolake[{package}] to run it")
    seen = remembered()
    one = track_probabilities(seen, resolve("lake-track-2", engine="onnxruntime"))
    other = track_probabilities(seen, resolve("lake-track-2", engine=engine))
    lake = sum(int((a >= 0.5).sum()) for a in one)
    differ = sum(int(((a >= 0.5) != (b >= 0.5)).sum()) for a, b in zip(one, other, strict=True))
    assert lake > 10000
    assert differ <= 0.001 * lake


def remembered() -> list[Float32]:
    """Channels of the mean image of every lake and track that the shipped track network knows."""
    ref = resolve("lake-track-2", engine="onnxruntime")
    spec, found = read_spec(ref), []
    for page in read_atlas(ref).values():
        known: dict[str, Float32] = {
            "date": page.mean,
            "valid": (page.mean > 0) * np.float32(1),
            "mean": page.mean,
            "near": page.mean,
        }
        known |= {"std": page.std, "min": page.low, "outline": page.outline}
        known |= {"season_outline": page.season_outlines[5]}
        nothing = np.zeros_like(page.mean)
        seen = np.stack([known.get(name, nothing) for name in spec.record])
        rows, columns = (np.flatnonzero((page.mean > 0).any(axis=axis)) for axis in (1, 0))
        found.append(seen[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return found


def test_no_image_needs_no_network() -> None:
    assert water_probabilities([], resolve()) == []
    empty = np.full((1, 9, 7), np.nan, np.float32)
    assert np.isnan(water_probabilities([empty], resolve())[0]).all()
