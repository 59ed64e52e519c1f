"""The one file that is shipped, and the torch network out of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest

from glaciolake.models.engines import load
from glaciolake.models.errors import ModelError
from glaciolake.models.export import export, load_network
from glaciolake.models.network import build_network
from glaciolake.models.predict import water_probability
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.models.weights import read_spec, resolve
from tests.models.conftest import Save

torch = pytest.importorskip("torch")

ENCODER = "efficientnet-b0"
SPEC = ModelSpec(name="untrained", bands=("vv", "vh"))


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(0)
    return build_network(SPEC, encoder=ENCODER).eval()


@pytest.fixture(scope="module")
def exported(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelRef]:
    path = tmp_path_factory.mktemp("export") / "untrained.onnx"
    export(network, SPEC, path, encoder=ENCODER)
    assert not list(path.parent.glob("*.part"))
    yield resolve(str(path), engine="onnxruntime")


def test_specification_travels_in_the_file(exported: ModelRef) -> None:
    assert read_spec(exported) == SPEC


def test_kernels_are_half_and_everything_else_is_float32_under_their_torch_names(
    exported: ModelRef, network: Any
) -> None:
    stored = {item.name: item for item in onnx.load(exported.path).graph.initializer}
    for name, value in network.state_dict().items():
        if name in stored and value.ndim >= 2:
            assert stored[name].data_type == onnx.TensorProto.FLOAT16
            np.testing.assert_allclose(onnx.numpy_helper.to_array(stored[name]), value, atol=1e-3, rtol=1e-3)
        elif name in stored:
            np.testing.assert_array_equal(onnx.numpy_helper.to_array(stored[name]), value)
    n_kernels = sum(value.ndim >= 2 for value in network.state_dict().values())
    assert sum(item.data_type == onnx.TensorProto.FLOAT16 for item in stored.values()) >= n_kernels - 1


def test_torch_network_out_of_the_file_is_the_one_that_went_in(exported: ModelRef, network: Any) -> None:
    again = load_network(exported)
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        one, other = network(images), again(images)
    assert float((one - other).abs().max()) < 0.01 * float(one.abs().max())


def test_engines_agree_on_any_size(exported: ModelRef) -> None:
    random = np.random.default_rng(2)
    for shape in ((1, 2, 33, 64), (3, 2, 50, 70)):
        images = random.random(shape, np.float32)
        ort = water_probability(images, exported)
        for engine in ("openvino", "torch"):
            other = water_probability(images, exported._replace(engine=engine))
            np.testing.assert_allclose(other, ort, atol=1e-4)


def test_torch_engine_refuses_a_network_whose_weights_it_cannot_place(save: Save) -> None:
    pytest.importorskip("onnx")
    with pytest.raises(ModelError, match=r"lacks \d+ weights of its encoder"):
        load(save(engine="torch", name="foreign"))
