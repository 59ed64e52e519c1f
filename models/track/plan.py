"""Training of a track network that is to be used: every sound label, several networks, one file.

`glaciolake train` calls it. The run's folder holds checkpoints and a log for each network, so that a stopped
run goes on where it was.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from glaciolake.models.audit.labels import audit, wrong
from glaciolake.models.chips import read_chips
from glaciolake.models.data import Sample
from glaciolake.models.errors import ModelError
from glaciolake.models.folds import Fold
from glaciolake.models.pairs import read_pairs
from glaciolake.models.spec import ModelSpec
from glaciolake.models.track.log import Log
from glaciolake.models.track.model import Memory, draw_atlas, save_track_model
from glaciolake.models.track.recipe import TrackRecipe
from glaciolake.models.track.record import CHANNELS, Record
from glaciolake.models.track.registry import registry_frames
from glaciolake.models.track.simulated import Simulated, SimulatedSource, read_simulated
from glaciolake.models.track.train import Say, train_track
from glaciolake.models.weights import digest

logger = logging.getLogger("glaciolake.models.track")

TRACK_SPEC = ModelSpec(name="track", validity_channel=False, record=CHANNELS, stride_px=16)


class TrackPlan(BaseModel):
    """One training run; repeated on the same machine, it gives the same file.

    The labels that `glaciolake labels audit` holds for wrong are left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: Path = Field(description="Folder of labelled pairs, with `images` and `masks`.")
    raw: Path = Field(description="Folder of the radar chips that the pairs were made of, a folder a lake.")
    out: Path = Field(description="Folder for the network, its facts, checkpoints and logs.")
    name: str = Field(default="track", pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Name of the network.")
    members: int = Field(default=3, ge=1, le=16, description="Networks that answer together.")
    simulated: SimulatedSource | None = Field(
        default=None, description="Simulated archive and its store, to learn from beside the pairs."
    )
    recipe: TrackRecipe = Field(default=TrackRecipe(), description="How each is trained.")


def train_plan(
    plan: TrackPlan, begin: Callable[[str], Say] = lambda name: lambda step, steps, loss: None
) -> Path:
    """Train, and write ``<name>.onnx`` and ``<name>.json``.

    Parameters
    ----------
    plan
        What to train on, and where to.
    begin
        Called with the name of each network; answers what is told of each step.

    Returns
    -------
    Path
        The network's file.

    Raises
    ------
    ModelError
        No pairs or chips, or a folder that holds the run of another recipe.
    """
    samples, images = read_pairs(plan.pairs, plan.raw, {}, TRACK_SPEC.clip_db)
    doubted = wrong(audit(samples))
    kept = [one for one in samples if (one.lake, one.start) not in doubted]
    places = {chip.lake: chip.place for chip in read_chips(plan.raw).values()}
    if lost := sorted({lake for lake, _ in images} - set(places)):
        raise ModelError(f"no chip of {', '.join(lost)} in {plan.raw}, so their place is unknown; add them")
    plan.out.mkdir(parents=True, exist_ok=True)
    record = Record(images, labels=kept, registry=registry_frames(plan.raw))
    fold = Fold("all", kept, [])
    beside = Simulated() if plan.simulated is None else read_simulated(plan.simulated, places)
    networks = []
    for number in range(plan.members):
        recipe = plan.recipe.model_copy(update={"seed": plan.recipe.seed + number})
        name = f"{plan.name}, {number + 1} of {plan.members}"
        with Log(plan.out / f"member-{number}.csv", begin(name)) as log:
            checkpoint = plan.out / f"member-{number}.pt"
            networks.append(
                train_track(fold, record, TRACK_SPEC, recipe, log.note, checkpoint, beside.seen(TRACK_SPEC))
            )
    spec = TRACK_SPEC.model_copy(update={"name": plan.name})
    atlas = draw_atlas(kept, images, places, spec)
    path = plan.out / f"{plan.name}.onnx"
    learned = [(one.lake, one.start) for one in kept]
    save_track_model(networks, spec, path, memory=Memory(atlas, learned))
    facts = _facts(plan, spec, path, samples, doubted) | {"simulated": beside.counts()}
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    logger.info("trained %s members=%d scenes=%d wrong=%d", path, plan.members, len(kept), len(doubted))
    return path


def _facts(
    plan: TrackPlan, spec: ModelSpec, path: Path, samples: list[Sample], doubted: dict[Any, str]
) -> dict[str, Any]:
    """Collect what is true of the file whoever scores it."""
    days = sorted(f"{one.start:%Y-%m-%d}" for one in samples)
    return {
        "name": plan.name,
        "sha256": digest(path),
        "spec": spec.model_dump(mode="json"),
        "training": {"members": plan.members} | plan.recipe.model_dump(),
        "labels": {
            "pairs": len(samples),
            "left_out": {f"{lake} {start:%Y-%m-%d}": why for (lake, start), why in sorted(doubted.items())},
            "rebuilt_chips": sum(one.rebuilt for one in samples),
        },
        "lakes": sorted({one.lake for one in samples}),
        "tracks": sorted({" ".join(one.key) for one in samples}),
        "span": [days[0], days[-1]],
    }
