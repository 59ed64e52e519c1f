"""Windows cover everything once faded, and do not show in the answer."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glaciolake.models.predict import water_probability
from glaciolake.models.weights import resolve
from glaciolake.pipeline import segment as segment_module
from glaciolake.pipeline.patches import blend, windows
from glaciolake.pipeline.segment import segment_slices
from tests.pipeline.chain import write_network


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 90), width=st.integers(1, 90), size=st.integers(8, 40), overlap=st.integers(0, 7)
)
def test_windows_cover_every_pixel_and_overlap_as_asked(
    height: int, width: int, size: int, overlap: int
) -> None:
    found = windows(height, width, size_px=size, overlap_px=overlap)
    seen = np.zeros((height, width), int)
    for window in found:
        seen[window.slices] += 1
        assert window.bottom - window.top == min(size, height) and window.right - window.left == min(
            size, width
        )
    assert (seen > 0).all()
    tops = sorted({window.top for window in found})
    assert all(below - above <= size - overlap for above, below in itertools.pairwise(tops))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), size=st.integers(8, 40))
def test_blending_pieces_of_an_image_gives_the_image(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.random((61, 47), dtype=np.float32)
    image[rng.random(image.shape) < 0.2] = np.nan
    cut = windows(61, 47, size_px=size, overlap_px=5)
    back = blend(((window, image[window.slices]) for window in cut), (61, 47))
    np.testing.assert_allclose(back, image, rtol=1e-5)


def test_a_large_scene_in_windows_is_the_scene_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = resolve(str(write_network(tmp_path / "dark.onnx")), engine="onnxruntime")
    rng = np.random.default_rng(0)
    images = rng.random((2, 1, 150, 130), dtype=np.float32)
    images[:, :, :, 100:] = np.nan
    whole = water_probability(images, ref)
    monkeypatch.setattr(segment_module, "WINDOW_PX", 64)
    monkeypatch.setattr(segment_module, "OVERLAP_PX", 16)
    np.testing.assert_allclose(segment_slices(images, ref=ref), whole, atol=1e-5)


def test_windows_without_data_are_not_given_to_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = resolve(str(write_network(tmp_path / "dark.onnx")), engine="onnxruntime")
    images = np.full((1, 1, 300, 300), np.nan, np.float32)
    images[..., :40, :40] = 0.5
    calls: list[tuple[int, ...]] = []

    def count(parts: list[np.ndarray], ref: object) -> list[np.ndarray]:
        calls.extend(part.shape for part in parts)
        return [np.zeros(part.shape[1:], np.float32) for part in parts]

    monkeypatch.setattr(segment_module, "WINDOW_PX", 64)
    monkeypatch.setattr(segment_module, "OVERLAP_PX", 16)
    monkeypatch.setattr(segment_module, "water_probabilities", count)
    water = segment_slices(images, ref=ref)
    assert len(calls) == 1
    assert np.isnan(water[0, 100:, 100:]).all() and (water[0, :40, :40] == 0).all()


def test_an_image_is_answered_alike_whatever_lies_beside_it(tmp_path: Path) -> None:
    ref = resolve(engine="onnxruntime")
    rng = np.random.default_rng(3)
    island = rng.normal(0.35, 0.05, (1, 1, 60, 70)).astype(np.float32)
    alone = segment_slices(island, ref=ref)
    sea = np.full((2, 1, 200, 220), np.nan, np.float32)
    sea[0, 0, 30:90, 40:110] = island[0, 0]
    sea[1] = rng.normal(0.5, 0.05, sea[1].shape)
    among = segment_slices(sea, ref=ref)
    np.testing.assert_allclose(among[0, 30:90, 40:110], alone[0], atol=1e-5)
    assert np.isnan(among[0, :30]).all() and np.isfinite(among[1]).all()
