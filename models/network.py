"""The network itself: a U-Net on an EfficientNet-B3, built with torch where torch is installed."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from glaciolake.models.errors import ModelError
from glaciolake.models.spec import ModelSpec
from glaciolake.models.track.network import build_ensemble

if TYPE_CHECKING:
    import torch

ENCODER = "efficientnet-b3"
_HELD: list[object] = []  # torch drops an operator's schema with the Library object that defined it


def channels(spec: ModelSpec) -> int:
    """Input channels: those of the record, or the bands and the validity channel if there is one."""
    if spec.record:
        return len(spec.record)
    return len(spec.bands) + int(spec.validity_channel)


def build_network(spec: ModelSpec, *, encoder: str = ENCODER) -> torch.nn.Module:
    """Network with fresh weights, a U-Net or an ensemble of track networks; nothing is downloaded.

    Parameters
    ----------
    spec
        Decides the number of input channels.
    encoder
        Name that `segmentation_models_pytorch` knows, or of an ensemble of track networks.

    Returns
    -------
    torch.nn.Module
        (n, channel, y, x) float32 to logits (n, 1, y, x); y and x are multiples of its stride.
    """
    if spec.record:
        return build_ensemble(encoder, channels(spec))
    smp = segmentation_models()
    network: torch.nn.Module = smp.Unet(encoder, encoder_weights=None, in_channels=channels(spec), classes=1)
    return network


def on_device(network: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """Move a network to a device, its kernels in the order in which convolutions are quickest."""
    import torch

    moved: torch.nn.Module = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


@cache
def segmentation_models() -> ModuleType:
    """Import `segmentation_models_pytorch`, which imports torchvision on the way."""
    try:
        _import_torchvision()
        return importlib.import_module("segmentation_models_pytorch")
    except ModuleNotFoundError as error:
        raise ModelError(
            f"training and the torch engine need {error.name}; "
            "install it with: pip install 'glaciolake[torch]'"
        ) from error


def _import_torchvision() -> None:
    """Import torchvision also where its compiled operators do not fit the installed torch.

    The wheel on PyPI is linked to the CUDA build. Beside a CPU build of torch its operators do not load, and
    the import fails while it describes them. No network here uses them: with their schemas declared it
    succeeds. A matched pair imports at the first attempt and is left alone.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        import torch

        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define(
            "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        )
        _HELD.append(library)
        importlib.import_module("torchvision")
