"""Images in, probabilities out: padding, no data, batches, engines."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from glaciolake.models import engines, predict
from glaciolake.models.augment import scale_db
from glaciolake.models.engines import Network
from glaciolake.models.errors import ModelError
from glaciolake.models.predict import network_input, network_of, water_probability
from glaciolake.models.spec import Engine, ModelRef, ModelSpec
from glaciolake.models.weights import read_spec, resolve, shipped
from tests.models.conftest import Save

ENGINES: list[Engine] = ["onnxruntime", "openvino", "openvino-bf16", "torch", "torch-bf16"]


def dark_lake(shape: tuple[int, int], *, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Power (y, x) of a calm lake at -18 dB in land at -7 dB under speckle of 20 looks, and the lake."""
    random = np.random.default_rng(seed)
    y, x = np.indices(shape)
    lake = ((y / shape[0] - 0.5) / 0.3) ** 2 + ((x / shape[1] - 0.5) / 0.2) ** 2 < 1
    relief_db = 2 * np.sin(y / 9) * np.cos(x / 13)
    gamma0_db = np.where(lake, -18.0, -7.0 + relief_db)
    speckle = random.gamma(20, 1 / 20, shape)
    return (10 ** (gamma0_db / 10) * speckle).astype(np.float32), lake


def test_a_kernel_of_known_weights_gives_the_number_computed_by_hand(save: Save) -> None:
    images = np.array([0.1, 0.4, 0.9], np.float32).reshape(1, 1, 1, 3)
    found = water_probability(images, save())
    expected = 1 / (1 + np.exp(-(8 - 20 * images[:, 0])))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 3), height=st.integers(1, 70), width=st.integers(1, 70), data=st.data())
def test_shape_is_kept_and_nan_stays_where_no_band_has_data(
    dark: ModelRef, n: int, height: int, width: int, data: st.DataObject
) -> None:
    images = np.random.default_rng(data.draw(st.integers(0, 99))).random((n, 1, height, width), np.float32)
    hole = np.random.default_rng(1).random(images.shape) < data.draw(st.sampled_from([0.0, 0.3, 1.0]))
    images[hole] = np.nan
    found = water_probability(images, dark)
    assert found.shape == (n, height, width)
    np.testing.assert_array_equal(np.isnan(found), hole[:, 0])
    assert ((found >= 0) & (found <= 1))[~hole[:, 0]].all()


def test_what_one_band_lacks_the_other_still_tells(save: Save) -> None:
    ref = save(ModelSpec(name="two", bands=("vv", "vh")), weights=(-20.0, 0.0, 0.0), name="two")
    images = np.full((1, 2, 4, 4), 0.1, np.float32)
    images[0, 1, 0, 0] = np.nan
    images[0, :, 1, 1] = np.nan
    found = water_probability(images, ref)
    assert np.isfinite(found[0, 0, 0])
    assert np.isnan(found[0, 1, 1])
    assert np.isnan(found).sum() == 1


def test_validity_is_1_where_every_band_has_data_and_0_on_padding() -> None:
    spec = ModelSpec(name="two", bands=("vv", "vh"), stride_px=8)
    images = np.full((1, 2, 5, 9), 0.5, np.float32)
    images[0, 1, 2, 3] = np.nan
    padded = network_input(images, spec)
    assert padded.shape == (1, 3, 8, 16)
    assert padded[0, 2].sum() == 5 * 9 - 1
    assert padded[0, 1, 2, 3] == 0
    assert not padded[0, :, 5:].any()
    assert not padded[0, :, :, 9:].any()


def test_batches_do_not_show(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).random((7, 1, 40, 33), np.float32)
    whole = water_probability(images, save(side_px=5))
    monkeypatch.setattr(predict, "batch_px", lambda ref: 2 * 64 * 64)
    np.testing.assert_array_equal(water_probability(images, save(side_px=5)), whole)


def test_no_image_and_no_pixel_give_none(save: Save) -> None:
    assert water_probability(np.empty((0, 1, 8, 8), np.float32), save()).shape == (0, 8, 8)
    assert water_probability(np.empty((2, 1, 0, 8), np.float32), save()).shape == (2, 0, 8)


def test_images_of_other_channels_are_refused_with_the_bands_wanted(save: Save) -> None:
    with pytest.raises(ModelError, match=r"\(2, 8, 8\).*give \(1, y, x\), the bands \('vv',\)"):
        water_probability(np.zeros((1, 2, 8, 8), np.float32), save())
    with pytest.raises(ModelError, match=r"\(8, 8\)"):
        water_probability(np.zeros((8, 8), np.float32), save())


def test_the_network_is_loaded_once_however_many_threads_ask(
    save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[ModelRef] = []

    def counting(ref: ModelRef) -> Network:
        loaded.append(ref)
        return engines.load(ref)

    monkeypatch.setattr(predict, "load", counting)
    ref = save(name="once")
    with ThreadPoolExecutor(8) as pool:
        networks = list(pool.map(lambda _: network_of(ref), range(32)))
    assert len(loaded) == 1
    assert all(network is networks[0] for network in networks)


def test_threads_at_the_same_time_get_their_own_answers() -> None:
    ref = resolve()
    images = np.random.default_rng(0).random((6, 1, 32, 32), np.float32)
    alone = [water_probability(image[None], ref) for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda image: water_probability(image[None], ref), images))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_shipped_network_finds_a_dark_lake_in_bright_land(engine: Engine) -> None:
    if find_spec(engine.partition("-")[0]) is None:
        pytest.skip(f"install glaciolake[{engine.removesuffix('-bf16')}] to run it")
    ref = resolve(engine=engine)
    spec = read_spec(ref)
    for shape in ((120, 150), (97, 83)):
        power, lake = dark_lake(shape)
        found = water_probability(scale_db(power, spec)[None, None], ref)[0] >= spec.threshold
        assert (found & lake).sum() / (found | lake).sum() > 0.8


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_engines_draw_the_same_lake(engine: Engine) -> None:
    if find_spec(engine) is None:
        pytest.skip(f"install glaciolake[{engine}] to run it")
    spec = read_spec(resolve())
    scenes = np.stack([scale_db(dark_lake((130, 111), seed=seed)[0], spec) for seed in range(3)])[:, None]
    one = water_probability(scenes, resolve(engine="onnxruntime"))
    other = water_probability(scenes, resolve(engine=engine))
    assert ((one >= spec.threshold) != (other >= spec.threshold)).mean() <= 0.001
    np.testing.assert_allclose(one, other, atol=1e-3)


WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "onnx", "openvino"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

import numpy as np
from glaciolake.models.predict import water_probability
from glaciolake.models.weights import resolve
assert "onnxruntime" not in sys.modules and "torch" not in sys.modules
sys.meta_path.insert(0, Absent())
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "openvino" else find(name)
found = water_probability(np.full((1, 1, 40, 40), 0.3, np.float32), resolve())
assert found.shape == (1, 40, 40) and np.isfinite(found).all()
"""


def test_prediction_needs_neither_torch_nor_openvino_and_imports_nothing_early() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_networks_are_shipped() -> None:
    assert "lake-unet-b3-db-1" in shipped()
