"""Training by the paper's recipe: `glaciolake train --preset paper` calls it."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from glaciolake.models.export import export
from glaciolake.models.network import STANDARDISED
from glaciolake.models.paper.augment import Copies
from glaciolake.models.paper.data import Parts, read_parts
from glaciolake.models.paper.fit import THRESHOLD, Fit
from glaciolake.models.paper.recipe import PaperPlan
from glaciolake.models.spec import ModelSpec
from glaciolake.models.track.log import Log
from glaciolake.models.track.model import LEARNED_KEY, STAMP
from glaciolake.models.track.train import Say
from glaciolake.models.weights import digest

logger = logging.getLogger("glaciolake.models.paper")

KEEP_EVERY = 50
"""Steps between checkpoints, beside one after each epoch."""
HEAD = "epoch,loss,validation_loss,validation_iou,learning_rate\n"
PAPER_SPEC = ModelSpec(
    name="paper", normalisation="paper", validity_channel=False, stride_px=256, threshold=THRESHOLD
)
"""Squares of 256 px, padded with zeros: the mean that each image is freed of depends on its padding."""


def train_paper(
    plan: PaperPlan, begin: Callable[[str], Say] = lambda name: lambda step, steps, loss: None
) -> Path:
    """Train, and write ``<name>.onnx`` and ``<name>.json``.

    Parameters
    ----------
    plan
        What to train on, and where to. A folder that holds a stopped run of the same plan is gone on with.
    begin
        Called with the name of the network; answers what is told of each step.

    Returns
    -------
    Path
        The network's file, with the weights of the epoch that validation liked best.

    Raises
    ------
    ModelError
        No pairs; a GPU or pretrained weights that cannot be had; a folder that holds another run.
    """
    recipe, parts = plan.recipe, read_parts(plan)
    spec = PAPER_SPEC.model_copy(update={"name": plan.name})
    fit = Fit(recipe, spec, parts.digest)
    plan.out.mkdir(parents=True, exist_ok=True)
    checkpoint = plan.out / "checkpoint.pt"
    fit.restore(checkpoint)
    copies = Copies(parts.train, recipe.copies, recipe.seed)
    an_epoch = math.ceil(len(copies) / recipe.batch)
    logger.info("train=%d validation=%d steps=%d", len(parts.train), len(parts.validation), an_epoch)
    with Log(plan.out / "steps.csv", begin(plan.name)) as log:
        for step in range(fit.done + 1, recipe.epochs * an_epoch + 1):
            epoch, number = divmod(step - 1, an_epoch)
            order = np.random.default_rng([recipe.seed, epoch]).permutation(len(copies))
            batch = order[number * recipe.batch : (number + 1) * recipe.batch]
            loss = fit.step(step, [copies[int(one)] for one in batch])
            log.note(step, recipe.epochs * an_epoch, loss)
            if number + 1 == an_epoch:
                _end_epoch(fit, epoch + 1, parts, plan.out, log)
            if number + 1 == an_epoch or step % KEEP_EVERY == 0:
                fit.keep(checkpoint)
    path = plan.out / f"{plan.name}.onnx"
    learned = json.dumps([f"{lake} {start:{STAMP}}" for lake, start in parts.seen])
    encoder = STANDARDISED + recipe.encoder
    export(fit.take(plan.out / "best.pt"), spec, path, encoder=encoder, more={LEARNED_KEY: learned})
    facts = _facts(plan, spec, path, (fit, parts))
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return path


def _end_epoch(fit: Fit, epoch: int, parts: Parts, out: Path, log: Log) -> None:
    """Validate, and write a line of the epochs' table."""
    rate, checked = fit.rate, fit.check(parts.validation)
    loss = fit.end_epoch(epoch, checked, out / "best.pt")
    table = out / "epochs.csv"
    if not table.is_file():
        table.write_text(HEAD, encoding="utf-8")
    with table.open("a", encoding="utf-8") as file:
        file.write(f"{epoch},{loss:.6f},{checked.loss:.6f},{checked.iou:.6f},{rate:g}\n")
    log.chart(epoch, {"validation/loss": checked.loss, "validation/iou": checked.iou, "rate": rate})
    logger.info("epoch=%d loss=%.4f validation=%.4f iou=%.4f", epoch, loss, *checked)


def _facts(plan: PaperPlan, spec: ModelSpec, path: Path, run: tuple[Fit, Parts]) -> dict[str, Any]:
    """Collect what is true of the file whoever scores it."""
    fit, parts = run
    return {
        "name": plan.name,
        "preset": plan.preset,
        "sha256": digest(path),
        "spec": spec.model_dump(mode="json"),
        "training": plan.recipe.model_dump(mode="json", exclude={"encoder_weights"})
        | {"pretrained": plan.recipe.encoder_weights is not None},
        "epoch": fit.best_epoch,
        "validation_iou": round(fit.best_iou, 4),
        "validation": "a random share by file: scenes are in both parts, so it flatters"
        if plan.validation is None
        else "a folder of its own",
        "labels": {"train": len(parts.train), "validation": len(parts.validation)},
        "lakes": sorted({lake for lake, _ in parts.seen}),
    }
