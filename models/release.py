"""From a checkpoint to what is shipped: the file, its digest, its scores and its card.

`python -m glaciolake.models.release --config train.yaml --folder models/weights`
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import yaml

from glaciolake.models.card import write_card
from glaciolake.models.data import drop_wrong_labels, read_samples, split
from glaciolake.models.evaluate import Row, evaluate
from glaciolake.models.export import export
from glaciolake.models.network import build_network
from glaciolake.models.train import TrainConfig
from glaciolake.models.weights import resolve

logger = logging.getLogger(__name__)

NOT_FACTS = {"pairs", "chips", "out", "start_from"}  # folders of the machine that trained


def release(config: TrainConfig, folder: Path) -> dict[str, Any]:
    """Export the checkpoint of a run, score the file on the test part and write its card.

    Parameters
    ----------
    config
        Of the run, whose checkpoint lies in `config.out`.
    folder
        Gets ``<name>.onnx``, ``<name>.json`` and ``<name>.md``.

    Returns
    -------
    dict[str, Any]
        What ``<name>.json`` says.
    """
    import torch

    checkpoint = torch.load(config.out / "best.pt", weights_only=True)
    weights = checkpoint.pop("weights")
    spec = config.spec.model_copy(update={"threshold": checkpoint["threshold"]})
    network = build_network(spec, encoder=config.encoder)
    network.load_state_dict(weights)
    path = folder / f"{spec.name}.onnx"
    export(network, spec, path, encoder=config.encoder)

    samples = read_samples(config.pairs, config.chips)
    kept, dropped = drop_wrong_labels(samples)
    parts = split(kept, seed=config.seed)
    ref = resolve(str(path))
    rows = evaluate(ref, parts["train"], parts["test"])
    facts: dict[str, Any] = {
        "name": spec.name,
        "sha256": ref.sha256,
        "spec": spec.model_dump(mode="json"),
        "training": config.model_dump(mode="json", exclude=NOT_FACTS | {"spec"}) | checkpoint,
        "labels": {
            "pairs": len(samples),
            "dropped": [f"{one.lake} {one.start:%Y-%m-%d}" for one in dropped],
            "rebuilt_chips": sum(one.rebuilt for one in samples),
        },
        "split": {name: sorted({f"{one.start:%Y-%m-%d}" for one in part}) for name, part in parts.items()},
        "scenes": {name: len(part) for name, part in parts.items()},
        "scores": [_row(row) for row in rows],
    }
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
    write_card(facts, path.with_suffix(".md"))
    logger.info("released %s sha256=%s iou=%.4f", path.name, ref.sha256, rows[0].network.iou)
    return facts


def _row(row: Row) -> dict[str, Any]:
    """Scores as JSON, rounded to what a few thousand pixels can tell."""
    scores = {"network": row.network} | row.blind
    rounded = {
        name: {"iou": round(score.iou, 4), "area_error_percent": round(score.area_error_percent, 1)}
        for name, score in scores.items()
    }
    return {"scenes": row.scenes, "n": row.network.n, "skill": round(row.skill, 3)} | rounded


def main() -> None:
    """Release the checkpoint of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="YAML file of TrainConfig")
    parser.add_argument("--folder", type=Path, required=True, help="where file and card go")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    release(TrainConfig.model_validate(yaml.safe_load(options.config.read_text())), options.folder)


if __name__ == "__main__":
    main()
