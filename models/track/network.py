"""A small U-Net that looks at one date beside its track's record: a quarter of a million weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from glaciolake.models.errors import ModelError

if TYPE_CHECKING:
    import torch

ENSEMBLE = re.compile(r"track-(?P<width>[0-9]+)x(?P<members>[0-9]+)")
"""Names an ensemble in the file of a network: width, times members."""
STRIDE_PX = 16
"""Height and width are multiples of this."""


def track_network(n_channels: int, *, width: int = 16) -> torch.nn.Module:
    """Build the network with fresh weights.

    Four neighbouring pixels become four times the channels, so that the widest convolutions run at half
    resolution: on a CPU a step takes half of one at full resolution with as many weights. Three halvings
    follow, of residual blocks of two 3 x 3 convolutions with `width` to four times as many channels.

    Parameters
    ----------
    n_channels
        Channels of `record.channels_of`.
    width
        Channels at half resolution.

    Returns
    -------
    torch.nn.Module
        (n, channel, y, x) float32 to logits (n, 1, y, x); y and x are multiples of `STRIDE_PX`.
    """
    import torch
    from torch import nn

    block_of = _block()

    class TrackNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = [width, 2 * width, 3 * width, 4 * width]
            inputs = [4 * n_channels, *widths[:-1]]
            self.fold = nn.PixelUnshuffle(2)
            self.down = nn.ModuleList([block_of(*pair) for pair in zip(inputs, widths, strict=True)])
            self.up = nn.ModuleList(
                [block_of(widths[i] + widths[i - 1], widths[i - 1]) for i in range(len(widths) - 1, 0, -1)]
            )
            self.head = nn.Conv2d(width, 4, 1)
            self.unfold = nn.PixelShuffle(2)

        def forward(self, seen: torch.Tensor) -> torch.Tensor:
            levels: list[torch.Tensor] = []
            for depth, block in enumerate(self.down):
                source = self.fold(seen) if depth == 0 else nn.functional.max_pool2d(levels[-1], 2)
                levels.append(block(source))
            found = levels.pop()
            for block in self.up:
                finer: Any = nn.functional.interpolate(found, scale_factor=2, mode="nearest")
                found = block(torch.cat([finer, levels.pop()], 1))
            logits: torch.Tensor = self.unfold(self.head(found))
            return logits

    return TrackNet()


def _block() -> type[torch.nn.Module]:
    """Class of residual blocks: two 3 x 3 convolutions beside one of 1 x 1."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, n_in: int, n_out: int) -> None:
            super().__init__()
            self.first = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
            self.first_norm = nn.BatchNorm2d(n_out)
            self.second = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
            self.second_norm = nn.BatchNorm2d(n_out)
            self.past = nn.Conv2d(n_in, n_out, 1)

        def forward(self, seen: torch.Tensor) -> torch.Tensor:
            found = torch.relu(self.first_norm(self.first(seen)))
            return torch.relu(self.second_norm(self.second(found)) + self.past(seen))

    return Block


def track_ensemble(members: Sequence[torch.nn.Module]) -> torch.nn.Module:
    """Join networks into one whose probability is the mean of theirs.

    Returns
    -------
    torch.nn.Module
        (n, channel, y, x) float32 to logits (n, 1, y, x).
    """
    import torch
    from torch import nn

    class Ensemble(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.members = nn.ModuleList(members)

        def forward(self, seen: torch.Tensor) -> torch.Tensor:
            share = torch.stack([torch.sigmoid(member(seen)) for member in self.members]).mean(0)
            share = share.clamp(1e-6, 1 - 1e-6)
            return torch.log(share) - torch.log1p(-share)

    return Ensemble()


def build_ensemble(name: str, n_channels: int) -> torch.nn.Module:
    """Build an ensemble with fresh weights from its name, as ``track-16x3``: three networks of width 16."""
    match = ENSEMBLE.fullmatch(name)
    if match is None:
        raise ModelError(f"{name!r} names no ensemble of track networks; names are like 'track-16x3'")
    width, members = int(match["width"]), int(match["members"])
    return track_ensemble([track_network(n_channels, width=width) for _ in range(members)])
