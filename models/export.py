"""From a torch network to the one file that is shipped, and back."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glaciolake.models.errors import ModelError
from glaciolake.models.network import ENCODER, build_network, channels
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.models.weights import ENCODER_KEY, SPEC_KEY, locate, metadata, read_spec

if TYPE_CHECKING:
    import torch

OPSET = 17
# An encoder's classification layers take no part in a U-Net, so the traced graph has none of them.
UNUSED = ("encoder._conv_head.", "encoder._bn1.")


def export(
    network: torch.nn.Module,
    spec: ModelSpec,
    path: Path,
    *,
    encoder: str = ENCODER,
    more: Mapping[str, str] | None = None,
) -> None:
    """Write a network as ONNX: float16 kernels under their torch names, batch, height and width free.

    Parameters
    ----------
    network
        (n, channel, y, x) float32 to logits (n, 1, y, x).
    spec
        Travels in the file's metadata.
    path
        File to write; its output is the probability of water, (n, 1, y, x) float32.
    encoder
        Encoder the network was built with; `load_network` builds it again.
    more
        Further metadata, by key.
    """
    import onnx

    model = onnx.load_from_string(_trace(network.cpu().float().eval(), channels(spec)))
    _part_twins(model)
    _append_sigmoid(model)
    _halve_kernels(model)
    onnx.helper.set_model_props(
        model, {SPEC_KEY: spec.model_dump_json(), ENCODER_KEY: encoder, **(more or {})}
    )
    onnx.checker.check_model(model)
    part = path.with_suffix(".part")
    part.write_bytes(model.SerializeToString())
    part.replace(path)


def load_network(ref: ModelRef) -> torch.nn.Module:
    """Build the torch network again from the exported file; its output are logits."""
    try:
        import onnx
        import torch
    except ModuleNotFoundError as error:
        raise ModelError(
            f"the torch engine needs {error.name}; install it with: pip install 'glaciolake[torch]', "
            "or choose the engine 'onnxruntime'"
        ) from error
    initialisers = onnx.load(str(locate(ref))).graph.initializer
    stored = {item.name: onnx.numpy_helper.to_array(item) for item in initialisers}
    network = build_network(read_spec(ref), encoder=metadata(ref).get(ENCODER_KEY, ENCODER))
    state = network.state_dict()
    weights = {name: torch.from_numpy(stored[name].astype(np.float32)) for name in state if name in stored}
    missing = [name for name in _used(state) if name not in weights]
    if missing:
        raise ModelError(
            f"{ref.path} lacks {len(missing)} weights of its encoder, first {missing[0]!r}; it was not "
            "exported by glaciolake: choose the engine 'onnxruntime'"
        )
    network.load_state_dict(weights, strict=False)
    return network.eval()


def _trace(network: torch.nn.Module, n_channels: int) -> bytes:
    """ONNX of a network with nothing folded, so that every weight keeps its name and value."""
    import torch

    free = {0: "n", 2: "y", 3: "x"}
    with warnings.catch_warnings(), torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        # The newer exporter folds normalisation into kernels, takes three times as long, and warns as well.
        warnings.filterwarnings("ignore", "You are using the legacy TorchScript", DeprecationWarning)
        warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
        warnings.filterwarnings("ignore", "Constant folding - Only steps=1", UserWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        torch.onnx.export(
            network,
            (torch.zeros(1, n_channels, 64, 64),),
            file,
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={"images": free, "logits": free},
            opset_version=OPSET,
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
        return file.read_bytes()


def _used(names: Iterable[str]) -> list[str]:
    """Names of the weights a network computes with."""
    return [
        name for name in names if not name.startswith(UNUSED) and not name.endswith("num_batches_tracked")
    ]


def _part_twins(model: Any) -> None:
    """Give every weight its own numbers again: the exporter merges equal ones into one and its copies."""
    import onnx

    stored = {item.name: item for item in model.graph.initializer}
    for node in list(model.graph.node):
        if node.op_type == "Identity" and node.input[0] in stored:
            twin = onnx.TensorProto()
            twin.CopyFrom(stored[node.input[0]])
            twin.name = node.output[0]
            model.graph.initializer.append(twin)
            model.graph.node.remove(node)


def _append_sigmoid(model: Any) -> None:
    """Let the graph answer probabilities instead of logits."""
    import onnx

    output = model.graph.output[0]
    model.graph.node.append(onnx.helper.make_node("Sigmoid", [output.name], ["water"]))
    output.name = "water"


def _halve_kernels(model: Any) -> None:
    """Store kernels as float16 and cast them when the network is loaded; vectors stay float32.

    A kernel keeps its name, so that `load_network` finds it; what used it reads the cast.
    """
    import onnx

    casts, renamed = [], {}
    for item in model.graph.initializer:
        if item.data_type != onnx.TensorProto.FLOAT or len(item.dims) < 2:
            continue
        item.CopyFrom(
            onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(item).astype(np.float16), item.name)
        )
        renamed[item.name] = f"{item.name}.float32"
        casts.append(
            onnx.helper.make_node("Cast", [item.name], [renamed[item.name]], to=onnx.TensorProto.FLOAT)
        )
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)
