"""Training of track networks: on a fold's training part alone, for a set number of steps.

No checkpoint is chosen and no threshold is tuned, so nothing but the training part is ever looked at. On two
cores a fold takes two to three minutes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from glaciolake.models.data import Float32
from glaciolake.models.engines import computes_bfloat16
from glaciolake.models.errors import ModelError
from glaciolake.models.folds import Fold
from glaciolake.models.network import on_device
from glaciolake.models.spec import ModelSpec
from glaciolake.models.track.crops import Seen, draw_crops, seen_of
from glaciolake.models.track.network import STRIDE_PX, track_network
from glaciolake.models.track.recipe import TrackRecipe
from glaciolake.models.track.record import CHANNELS, UNKNOWN, Key, Record, outline_rows

if TYPE_CHECKING:
    import torch

Say = Callable[[int, int, float], None]
KEEP_EVERY = 50
"""Steps between checkpoints: less than ten seconds of work on two cores."""


def train_track(  # noqa: PLR0913  # what to learn, from what, how, and where to tell and keep it
    fold: Fold,
    record: Record,
    spec: ModelSpec,
    recipe: TrackRecipe,
    say: Say = lambda step, steps, loss: None,
    checkpoint: Path | None = None,
    simulated: Mapping[Key, Sequence[Seen]] = MappingProxyType({}),
) -> torch.nn.Module:
    """Train on a fold's training part, on a GPU where there is one.

    Parameters
    ----------
    fold
        Only `Fold.train` is looked at, and of a quartered one only the pixels that may be learned.
    record
        Images of all dates; `Record.labels` must be (part of) the training part.
    spec
        Gives the range of decibels.
    recipe
        See `TrackRecipe`.
    say
        Called with (step, steps, loss) after each step.
    checkpoint
        File that keeps the state every `KEEP_EVERY` steps; one of the same recipe and scenes is gone on from,
        and gives the network that a run without a stop would have given.
    simulated
        Scenes to learn from beside the fold's, by lake and track; see `simulated.Simulated.seen`.

    Returns
    -------
    torch.nn.Module
        The averaged weights on the CPU, ready to predict.
    """
    by_key: dict[tuple[str, str], list[Seen]] = {}
    for one in fold.train:
        by_key.setdefault(one.key, []).append(seen_of(one, fold, record, spec))
    run = _Run(recipe)
    if checkpoint is not None:
        run.data = _digest(by_key, simulated)
        run.restore(checkpoint)
    for step in range(run.done + 1, recipe.steps + 1):
        loss = run.step(step, draw_crops(by_key, run.random, recipe, simulated))
        say(step, recipe.steps, loss)
        if checkpoint is not None and (step % KEEP_EVERY == 0 or step == recipe.steps):
            run.keep(checkpoint)
    return run.averaged.cpu().eval()


class _Run:
    """Network, its running average, the optimiser and the state of chance."""

    def __init__(self, recipe: TrackRecipe) -> None:
        import torch

        torch.manual_seed(recipe.seed)
        self.recipe, self.done, self.data = recipe, 0, ""
        self.random = np.random.default_rng(recipe.seed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # A step takes half as long where the processor multiplies bfloat16, and longer where it does not.
        self.bfloat16 = self.device.type == "cuda" or computes_bfloat16()
        self.network = on_device(track_network(len(CHANNELS), width=recipe.width), self.device)
        self.averaged = on_device(track_network(len(CHANNELS), width=recipe.width), self.device)
        self.averaged.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.AdamW(self.network.parameters(), recipe.learning_rate, weight_decay=1e-2)

    def step(self, step: int, batch: tuple[Float32, Float32, Float32]) -> float:
        """One optimiser step; returns the loss."""
        import torch

        for group in self.optimiser.param_groups:
            group["lr"] = _rate(step, self.recipe)
        images, water, counts = (torch.from_numpy(part).to(self.device) for part in batch)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            logits = self.network(images.contiguous(memory_format=torch.channels_last))[:, 0]
        loss = track_loss(logits.float(), water, counts)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        _average(self.averaged, self.network, min(self.recipe.average, step / (step + 10)))
        self.done = step
        return float(loss.detach())

    def keep(self, path: Path) -> None:
        """Write the state, whole or not at all."""
        import torch

        state = {
            "recipe": self.recipe.model_dump_json(),
            "data": self.data,
            "done": self.done,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": json.dumps(self.random.bit_generator.state),
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def restore(self, path: Path) -> None:
        """Go on from a state, if there is one."""
        import torch

        if not path.is_file():
            return
        try:
            state = torch.load(path, weights_only=True, map_location=self.device)
            recipe = state["recipe"]
        except Exception as error:  # torch raises what pickle, zip and its own reader raise
            raise ModelError(
                f"{path} is no checkpoint of a track network ({error}); delete it to begin anew"
            ) from error
        if recipe != self.recipe.model_dump_json():
            raise ModelError(
                f"{path} was trained by another recipe: {recipe}; give the run another folder, or delete it"
            )
        if state.get("data") != self.data:
            raise ModelError(
                f"{path} was trained on other scenes, labels or outlines than those given now; give the run "
                "another folder, or delete it"
            )
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.random.bit_generator.state = json.loads(state["random"])
        self.done = int(state["done"])


def _digest(*pools: Mapping[Key, Sequence[Seen]]) -> str:
    """Digest of everything that is learned from: with it a stopped run is not gone on with on other data."""
    found = hashlib.sha256()
    for pool in pools:
        for key, rows in sorted(pool.items()):
            found.update(f"{key} {len(rows)} ".encode())
            for one in rows:
                for part in (one.channels, one.water, one.counts, one.listed):
                    found.update(b"-" if part is None else part.tobytes())
    return found.hexdigest()[:16]


def track_loss(logits: torch.Tensor, water: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Twice the cross entropy plus half of Dice, over the pixels that count; (n, y, x) each."""
    import torch

    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, water, reduction="none")
    share = torch.sigmoid(logits) * counts
    both, all_of = (share * water).sum((1, 2)), share.sum((1, 2)) + (water * counts).sum((1, 2))
    dice = 1 - (2 * both + 1) / (all_of + 1)
    return 2 * (entropy * counts).sum() / counts.sum().clamp(min=1) + 0.5 * dice.mean()


def predict_track(networks: Sequence[Callable[[Float32], Float32]], seen: Float32) -> Float32:
    """Mean probability (y, x) of several networks for one date, channels (channel, y, x)."""
    _, height, width = seen.shape
    padded = np.zeros((1, seen.shape[0], _up(height), _up(width)), np.float32)
    padded[0, outline_rows()] = UNKNOWN
    padded[0, :, :height, :width] = seen
    found = np.mean([network(padded)[0] for network in networks], axis=0)
    return np.asarray(found[:height, :width], np.float32)


def as_function(network: torch.nn.Module) -> Callable[[Float32], Float32]:
    """Wrap a torch network: (n, channel, y, x) to probability (n, y, x), arrays of NumPy."""
    import torch

    def predict(images: Float32) -> Float32:
        with torch.inference_mode():
            found: Float32 = torch.sigmoid(network(torch.from_numpy(images)))[:, 0].numpy()
        return found

    return predict


def _rate(step: int, recipe: TrackRecipe) -> float:
    warm = min(1.0, step / 30)
    return recipe.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / recipe.steps)))


def _average(averaged: torch.nn.Module, network: torch.nn.Module, keep: float) -> None:
    import torch

    with torch.no_grad():
        for kept, new in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.mul_(keep).add_(new, alpha=1 - keep)
            else:
                kept.copy_(new)


def _up(length_px: int) -> int:
    return -(-length_px // STRIDE_PX) * STRIDE_PX
