"""Networks small enough to know their answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from glaciolake.models.spec import Engine, ModelRef, ModelSpec
from glaciolake.models.weights import SPEC_KEY, resolve

Save = Callable[..., ModelRef]


def one_kernel(spec: ModelSpec | None, *, weights: list[float], bias: float, side_px: int = 1) -> bytes:
    """ONNX of sigmoid(sum of box-filtered channels times weights + bias), with the specification in it."""
    kernel = np.array(weights, np.float32)[None, :, None, None] * np.full(
        (1, 1, side_px, side_px), 1 / side_px**2, np.float32
    )
    shapes = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", n_channels, "y", "x"])
        for name, n_channels in (("images", len(weights)), ("water", 1))
    ]
    nodes = [
        onnx.helper.make_node("Conv", ["images", "kernel", "bias"], ["logits"], pads=[side_px // 2] * 4),
        onnx.helper.make_node("Sigmoid", ["logits"], ["water"]),
    ]
    numbers = [
        onnx.numpy_helper.from_array(kernel, "kernel"),
        onnx.numpy_helper.from_array(np.array([bias], np.float32), "bias"),
    ]
    graph = onnx.helper.make_graph(nodes, "one-kernel", shapes[:1], shapes[1:], numbers)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    if spec is not None:
        onnx.helper.set_model_props(model, {SPEC_KEY: spec.model_dump_json()})
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture(scope="session")
def dark(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    """A network for which dark is water, one for all tests."""
    path = tmp_path_factory.mktemp("networks") / "dark.onnx"
    path.write_bytes(one_kernel(ModelSpec(name="dark"), weights=[-20.0, 0.0], bias=8.0))
    return resolve(str(path), engine="onnxruntime")


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write a one-kernel network: dark is water, unless other weights are given."""

    def write(
        spec: ModelSpec | None = None,
        *,
        weights: tuple[float, ...] = (-20.0, 0.0),
        bias: float = 8.0,
        side_px: int = 1,
        engine: Engine = "onnxruntime",
        name: str = "dark",
    ) -> ModelRef:
        path = tmp_path / f"{name}.onnx"
        spec = spec or ModelSpec(name=name)
        path.write_bytes(one_kernel(spec, weights=list(weights), bias=bias, side_px=side_px))
        return resolve(str(path), engine=engine)

    return write
