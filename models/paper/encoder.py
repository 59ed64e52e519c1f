"""Pretrained weights of an encoder: by name, fetched from their hub, or from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from glaciolake.models.errors import ModelError
from glaciolake.models.network import segmentation_models

if TYPE_CHECKING:
    import torch

FILES = {".pt", ".pth", ".safetensors"}


def give_weights(network: torch.nn.Module, encoder: str, weights: str) -> None:
    """Load pretrained weights into the encoder of a U-Net.

    Parameters
    ----------
    network
        As `network.build_network` makes it.
    encoder
        Name of its encoder.
    weights
        Name that `segmentation_models_pytorch` knows for it, which is fetched from the Hugging Face Hub, or
        the path of a state dict (.pt, .pth, .safetensors). Kernels for three colours are added up to one.

    Raises
    ------
    ModelError
        They cannot be had, or are of another architecture.
    """
    own = cast(Any, network).encoder
    found = _read(Path(weights)) if Path(weights).suffix in FILES else _fetch(encoder, weights)
    state = own.state_dict()
    fitted = {name: _of_depth(found[name], state[name]) for name in state if name in found}
    wrong = [
        name
        for name, value in state.items()
        if not name.endswith("num_batches_tracked")
        and (name not in fitted or fitted[name].shape != value.shape)
    ]
    if wrong:
        raise ModelError(
            f"{weights} holds weights of another architecture: {len(wrong)} of {len(state)} parts of the "
            f"encoder {encoder!r} are missing or of another size, first {wrong[0]!r}"
        )
    own.load_state_dict(fitted, strict=False)


def _read(path: Path) -> Mapping[str, torch.Tensor]:
    import torch

    if not path.is_file():
        raise ModelError(f"no file {path} of encoder_weights; give the path of a state dict, or leave it out")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return cast(Mapping[str, "torch.Tensor"], load_file(path))
        found = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch and safetensors raise what pickle, zip and their own readers raise
        raise ModelError(f"{path} is no state dict that torch can read: {error}") from error
    if not isinstance(found, Mapping):
        raise ModelError(f"{path} holds {type(found).__name__}, no state dict; save encoder.state_dict()")
    return found


def _fetch(encoder: str, weights: str) -> Mapping[str, torch.Tensor]:
    smp = segmentation_models()
    try:
        pretrained: torch.nn.Module = smp.encoders.get_encoder(encoder, in_channels=3, weights=weights)
    except KeyError as error:
        raise ModelError(f"no weights {weights!r} of {encoder!r}: {error.args[0]}") from error
    except Exception as error:  # the hub's client raises those of two HTTP libraries and its own
        raise ModelError(
            f"the weights {weights!r} of {encoder!r} cannot be fetched ({type(error).__name__}: {error}); "
            "give the path of a file as encoder_weights, or leave it out to start from fresh weights"
        ) from error
    return pretrained.state_dict()


def _of_depth(value: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Add up the first kernel's colours where the network sees one band."""
    if value.ndim == 4 and value.shape[1] == 3 and wanted.ndim == 4 and wanted.shape[1] == 1:
        return value.sum(1, keepdim=True)
    return value
