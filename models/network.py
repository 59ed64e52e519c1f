"""The network itself: a U-Net on an EfficientNet-B3, built with torch where torch is installed."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from glaciolake.models.errors import ModelError
from glaciolake.models.spec import ModelSpec
from glaciolake.models.track.network import build_ensemble

if TYPE_CHECKING:
    import torch

ENCODER = "efficientnet-b3"
STANDARDISED = "standardised+"
"""Before the name of an encoder: each image is first brought to mean 0 and deviation 1, padding and all."""
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
        Name that `segmentation_models_pytorch` knows, after `STANDARDISED` or not, or of an ensemble of track
        networks.

    Returns
    -------
    torch.nn.Module
        (n, channel, y, x) float32 to logits (n, 1, y, x); y and x are multiples of its stride.
    """
    if spec.record:
        return build_ensemble(encoder, channels(spec))
    kind = _standardised() if encoder.startswith(STANDARDISED) else segmentation_models().Unet
    known = encoder.removeprefix(STANDARDISED)
    try:
        network: torch.nn.Module = kind(known, encoder_weights=None, in_channels=channels(spec), classes=1)
    except KeyError as error:
        raise ModelError(f"no encoder {known!r} in segmentation_models_pytorch: {error.args[0]}") from error
    return network


def device_of(wish: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """Device to compute on; "auto" is a GPU where torch sees one.

    Raises
    ------
    ModelError
        A GPU is asked for where there is none.
    """
    import torch

    there = torch.cuda.is_available()
    if wish == "cuda" and not there:
        built = f"torch {torch.__version__}" + ("" if torch.version.cuda else ", a build without CUDA")
        raise ModelError(f"a GPU is asked for, but {built} sees none here; take 'auto' or the CPU")
    return torch.device("cuda" if there and wish != "cpu" else "cpu")


def on_device(network: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """Move a network to a device, its kernels in the order in which convolutions are quickest."""
    import torch

    moved: torch.nn.Module = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def _standardised() -> type[torch.nn.Module]:
    """Class of U-Nets that see each image as its deviations from its own mean."""

    class Standardised(segmentation_models().Unet):  # type: ignore[misc]  # the library tells no types
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            away = images - images.mean((1, 2, 3), keepdim=True)
            spread = (away * away).mean((1, 2, 3), keepdim=True).sqrt()
            logits: torch.Tensor = super().forward(away / (spread + 1e-6))
            return logits

    return Standardised


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
