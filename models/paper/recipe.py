"""How the paper trains its network; every number may be set otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from glaciolake.models.loss import LossWeights
from glaciolake.models.network import ENCODER

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]


class PaperRecipe(BaseModel):
    """How a network is trained; repeated on the same machine, it gives the same network up to rounding.

    What the paper leaves open is taken from its authors' settings as they are known: weights of the losses,
    weight decay, the plateau, the augmentation and that the best epoch is chosen on a random fifth. Not as
    in the paper: the encoder starts from fresh weights unless `encoder_weights` says otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=42, ge=0, description="Seed of the split, weights, order and augmentation.")
    encoder: str = Field(default=ENCODER, description="Encoder that segmentation_models_pytorch knows.")
    encoder_weights: str | None = Field(
        default=None,
        description="Pretrained weights of the encoder: 'imagenet' is fetched from the Hugging Face Hub, a "
        "path ending in .pt, .pth or .safetensors is a state dict; without, fresh weights.",
    )
    epochs: int = Field(default=40, ge=1, description="Times that all copies are seen.")
    batch: int = Field(default=32, ge=1, description="Pictures a step.")
    copies: int = Field(default=20, ge=1, description="Copies of each pair: itself and its variations.")
    learning_rate: float = Field(default=1e-4, gt=0, description="Of AdamW, at the start.")
    weight_decay: float = Field(default=1e-5, ge=0, description="Of AdamW.")
    plateau_factor: float = Field(
        default=0.5, gt=0, lt=1, description="Learning rate is multiplied by this on a plateau."
    )
    plateau_patience: int = Field(
        default=5, ge=0, description="Epochs whose validation loss may fail to fall before that."
    )
    validation_share: float = Field(
        default=0.2, gt=0, lt=1, description="Share of the pairs, drawn by file, that choose the epoch."
    )
    loss: LossWeights = Field(default=LossWeights(), description="Weights of the three losses.")
    device: Device = Field(default="auto", description="Where it runs; auto takes a GPU where there is one.")
    precision: Precision = Field(
        default="auto", description="Of the forward pass; auto is bfloat16 on a GPU and float32 on a CPU."
    )
    compile: bool = Field(
        default=False, description="Let torch.compile fuse kernels: pays on a GPU, over a minute on a CPU."
    )


class PaperPlan(BaseModel):
    """One training run by the paper's recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Literal["paper"] = Field(default="paper", description="Which recipe.")
    pairs: Path = Field(description="Folder of labelled pairs, with `images` (equalised) and `masks`.")
    out: Path = Field(description="Folder for the network, its facts, checkpoint and logs.")
    name: str = Field(default="paper", pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Name of the network.")
    validation: Path | None = Field(
        default=None,
        description="Folder of pairs that choose the epoch; without, a random share of `pairs`.",
    )
    recipe: PaperRecipe = Field(default=PaperRecipe(), description="How it is trained.")
