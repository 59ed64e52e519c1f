"""Training of the shipped network: `python -m glaciolake.models.train --config train.yaml`."""

from __future__ import annotations

import argparse
import logging
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field

from glaciolake.models.augment import Batch, draw_batch
from glaciolake.models.data import Float32, Sample, drop_wrong_labels, read_samples, split
from glaciolake.models.errors import ModelError
from glaciolake.models.evaluate import best_threshold, predict_samples
from glaciolake.models.loss import loss_on_valid
from glaciolake.models.network import ENCODER, build_network, on_device
from glaciolake.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


class TrainConfig(BaseModel):
    """One training run; repeated, it gives the same network up to rounding where `max_s` does not bind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: Path = Field(description="Folder of labelled pairs, with `images` and `masks`.")
    chips: Path = Field(description="Folder of the HyP3 RTC chips the pairs were made of.")
    out: Path = Field(description="Folder for the checkpoint and the log of the run.")
    spec: ModelSpec = Field(description="What the network sees, and its name.")
    start_from: Path | None = Field(
        default=None, description="Checkpoint to go on from; without, fresh weights."
    )
    encoder: str = Field(default=ENCODER, description="Encoder of the U-Net.")
    seed: int = Field(default=0, description="Seed of split, weights and variations.")
    steps: int = Field(default=1500, ge=1, description="Optimiser steps.")
    batch: int = Field(default=16, ge=1, description="Scenes a step.")
    size_px: int = Field(default=128, ge=32, multiple_of=32, description="Side of a training square.")
    learning_rate: float = Field(
        default=1e-3, gt=0, description="Highest learning rate; warm-up, then cosine."
    )
    average: float = Field(default=0.99, ge=0, lt=1, description="Share the averaged weights keep each step.")
    check_every: int = Field(default=100, ge=1, description="Steps between looks at the validation part.")
    max_s: float = Field(
        default=3600, gt=0, description="The run ends after so many seconds, if steps last longer."
    )


def train(config: TrainConfig) -> Path:
    """Train on the training part; keep the averaged weights that serve the validation part best.

    Returns
    -------
    Path
        The checkpoint: a torch file of ``weights`` (state dict), ``threshold``, ``validation_iou``, ``step``
        and ``seconds``.
    """
    import torch

    torch.manual_seed(config.seed)
    random = np.random.default_rng(config.seed)
    kept, dropped = drop_wrong_labels(read_samples(config.pairs, config.chips))
    parts = split(kept, seed=config.seed)
    logger.info("labels dropped=%d %s", len(dropped), {name: len(part) for name, part in parts.items()})
    config.out.mkdir(parents=True, exist_ok=True)
    network, before = _begin(config)
    run, best, spent_s, start = _Run(config, network), -1.0, 0.0, time.monotonic()
    for step in range(config.steps):
        batch = draw_batch(parts["train"], random, config.spec, count=config.batch, size_px=config.size_px)
        loss = run.step(batch, rate=_rate(step, spent_s, config))
        spent_s = time.monotonic() - start
        last = step + 1 == config.steps or spent_s > config.max_s
        if (step + 1) % config.check_every == 0 or last:
            network, threshold, iou = _check(run, parts["train"], parts["validation"])
            logger.info(
                "step=%d loss=%.3f threshold=%.2f iou=%.4f s=%.0f", step + 1, loss, threshold, iou, spent_s
            )
            if iou > best:
                best = iou
                facts = {"threshold": threshold, "validation_iou": iou}
                facts |= {"step": before["step"] + step + 1, "seconds": before["seconds"] + spent_s}
                torch.save({"weights": network.state_dict(), **facts}, config.out / "best.pt")
        if last:
            break
    return config.out / "best.pt"


def _begin(config: TrainConfig) -> tuple[torch.nn.Module, dict[str, float]]:
    """Network with fresh weights, or those of a checkpoint with the steps and seconds that went into it."""
    import torch

    network, before = build_network(config.spec, encoder=config.encoder), {"step": 0.0, "seconds": 0.0}
    if config.start_from is None:
        return network, before
    if not config.start_from.is_file():
        raise ModelError(
            f"no checkpoint {config.start_from}; give the best.pt of an earlier run as start_from"
        )
    checkpoint = torch.load(config.start_from, weights_only=True)
    network.load_state_dict(checkpoint["weights"])
    return network, {name: checkpoint[name] for name in before}


def _rate(step: int, spent_s: float, config: TrainConfig) -> float:
    """Learning rate: up over the first twentieth, then down a cosine as steps or seconds are used up."""
    warm = max(1, config.steps // 20)
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    done = min(1.0, max((step - warm) / max(1, config.steps - warm), spent_s / config.max_s))
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


class _Run:
    """Network, its running average and the optimiser."""

    def __init__(self, config: TrainConfig, network: torch.nn.Module) -> None:
        import torch

        self.config = config
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = on_device(network, self.device)
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=1e-4
        )

    def step(self, batch: Batch, *, rate: float) -> float:
        """One optimiser step; returns the loss."""
        import torch

        self.network.train()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        water, valid = (torch.from_numpy(array).to(self.device) for array in batch[1:])
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.network(self._images(batch.images))
        loss = loss_on_valid(logits[:, 0].float(), water, valid)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - self.config.average)
                else:
                    self.average[name].copy_(value)
        return float(loss.detach())

    def averaged(self, batches: Iterable[Batch]) -> torch.nn.Module:
        """Network with the averaged weights, its normalisation measured on training batches.

        Averaged weights have never seen a batch: with the running statistics of other weights a network of
        100 steps scored 0.46 on the validation part, with its own 0.76.
        """
        import torch

        network = build_network(self.config.spec, encoder=self.config.encoder)
        network.load_state_dict(self.average)
        network = on_device(network, self.device).train()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None  # a plain mean over the batches
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16):
            for batch in batches:
                network(self._images(batch.images))
        return network.eval()

    def predict(self, network: torch.nn.Module, samples: list[Sample]) -> list[Float32]:
        """Water probability of whole scenes."""
        import torch

        def water_of(images: Float32) -> Float32:
            with torch.inference_mode():
                return np.asarray(torch.sigmoid(network(self._images(images)))[:, 0].cpu().numpy())

        return predict_samples(samples, self.config.spec, water_of)

    def _images(self, images: Float32) -> torch.Tensor:
        import torch

        return torch.from_numpy(images).to(self.device).contiguous(memory_format=torch.channels_last)


def _check(run: _Run, train: list[Sample], validation: list[Sample]) -> tuple[torch.nn.Module, float, float]:
    """Network as it would be shipped now, the threshold that serves validation best, and the score there."""
    config, random = run.config, np.random.default_rng(run.config.seed + 1)
    batches = (
        draw_batch(train, random, config.spec, count=config.batch, size_px=config.size_px) for _ in range(12)
    )
    network = run.averaged(batches)
    threshold, iou = best_threshold(validation, run.predict(network, validation))
    return network, threshold, iou


def main() -> None:
    """Train from a YAML file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="YAML file of TrainConfig")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    train(TrainConfig.model_validate(yaml.safe_load(parser.parse_args().config.read_text())))


if __name__ == "__main__":
    main()
