"""The composite loss of the paper: cross entropy, Dice and focal loss, on pixels that count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import torch


class LossWeights(BaseModel):
    """Share of each part; what is 0 is left out. As given, the paper's code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bce: float = Field(default=0.4, ge=0, description="Binary cross entropy.")
    dice: float = Field(default=0.3, ge=0, description="Dice loss, one image at a time.")
    focal: float = Field(default=0.3, ge=0, description="Focal loss.")
    focal_alpha: float = Field(default=0.8, ge=0, le=1, description="Weight of water in the focal loss.")
    focal_gamma: float = Field(default=2.0, ge=0, description="How little the focal loss heeds what is sure.")


PAPER_LOSS = LossWeights()


def loss_on_valid(
    logits: torch.Tensor, water: torch.Tensor, valid: torch.Tensor, weights: LossWeights = PAPER_LOSS
) -> torch.Tensor:
    """Weigh cross entropy, Dice and focal loss on pixels that have data.

    Parameters
    ----------
    logits, water, valid
        (n, y, x) float32; logits any value, the others 0 or 1.
    weights
        By default 0.4, 0.3 and 0.3, alpha 0.8, gamma 2.

    Returns
    -------
    torch.Tensor
        A scalar, at least 0.
    """
    import torch

    n_valid = valid.sum().clamp(min=1)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, water, reduction="none")
    share = torch.sigmoid(logits)
    right = share * water + (1 - share) * (1 - water)
    alpha = weights.focal_alpha * water + (1 - weights.focal_alpha) * (1 - water)
    focal = (alpha * (1 - right) ** weights.focal_gamma * entropy * valid).sum() / n_valid
    found, both = share * valid, (share * water * valid).sum((1, 2))
    dice = 1 - (2 * both + 1) / (found.sum((1, 2)) + (water * valid).sum((1, 2)) + 1)
    bce = (entropy * valid).sum() / n_valid
    return weights.bce * bce + weights.dice * dice.mean() + weights.focal * focal
