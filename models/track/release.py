"""From a training run to what is shipped: weights, facts with their scores, card, STAC item.

`python -m glaciolake.models.track.release --run run/NAME.onnx --scores scores.json --folder models/weights`

Without `--run` the file that is there stays, and only the factor of its area intervals is renewed:
`python -m glaciolake.models.track.release --name NAME --scores scores.json --folder models/weights`
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glaciolake.models.area_interval import CARD_KEY
from glaciolake.models.errors import ModelError
from glaciolake.models.mlm import model_item, write_item
from glaciolake.models.skill.intervals import LEVEL
from glaciolake.models.skill.rows import ALL, CLEAN
from glaciolake.models.track.card import card_text
from glaciolake.models.track.model import read_atlas
from glaciolake.models.weights import digest, resolve

METHOD = "normalised split conformal prediction: |labelled - found area| / sum of p(1 - p)"
MARGIN_DEGREES = 0.05
DIGITS = 4


def release(run: Path, scores: Path, folder: Path) -> dict[str, Any]:
    """Put a trained network where it is shipped from, with its card.

    Parameters
    ----------
    run
        ``<name>.onnx`` of `plan.train_plan`, with its ``.json``.
    scores
        ``scores.json`` of ``glaciolake evaluate --split`` with the recipe of the run: what is true of such
        networks on scenes that they have not learned from.
    folder
        Gets ``<name>.onnx``, ``.json``, ``.md`` and ``.stac.json``.

    Returns
    -------
    dict[str, Any]
        What ``<name>.json`` says.

    Raises
    ------
    ModelError
        Where the file is not the one that its facts describe.
    """
    facts: dict[str, Any] = json.loads(run.with_suffix(".json").read_text(encoding="utf-8"))
    if (found := digest(run)) != facts["sha256"]:
        raise ModelError(
            f"{run} has sha256 {found}, but its facts are of {facts['sha256']}: train it again with "
            "'glaciolake train'"
        )
    told = json.loads(scores.read_text(encoding="utf-8"))
    facts |= {"scores": [row for name, split in told["splits"].items() for row in _rows(name, split)]}
    facts |= {"notes": told["notes"]} | _intervals(told)
    path = folder / run.name
    shutil.copyfile(run, path)
    _tell(path, facts)
    places = [page.place for page in read_atlas(resolve(str(path))).values()]
    west, east = min(x for x, _ in places), max(x for x, _ in places)
    south, north = min(y for _, y in places), max(y for _, y in places)
    bounds = (
        round(west - MARGIN_DEGREES, 2),
        round(south - MARGIN_DEGREES, 2),
        round(east + MARGIN_DEGREES, 2),
        round(north + MARGIN_DEGREES, 2),
    )
    write_item(path, model_item(path, facts, bounds=bounds))
    return facts


def add_intervals(path: Path, scores: Path) -> dict[str, Any]:
    """Write the factor of area intervals into the facts and the card of a network that is shipped already.

    Parameters
    ----------
    path
        ``<name>.onnx`` with its ``.json``; the file itself is not touched.
    scores
        ``scores.json`` of ``glaciolake evaluate --split forward --intervals`` with the network's recipe.

    Returns
    -------
    dict[str, Any]
        What ``<name>.json`` says then.

    Raises
    ------
    ModelError
        Where the file is not the one that its facts describe, or the scores hold no intervals.
    """
    facts: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    if (found := digest(path)) != facts["sha256"]:
        raise ModelError(f"{path} has sha256 {found}, but its facts are of {facts['sha256']}")
    added = _intervals(json.loads(scores.read_text(encoding="utf-8")))
    if not added:
        raise ModelError(
            f"{scores} holds no intervals of the split forward; run 'glaciolake evaluate --pairs ... --split "
            "forward --intervals'"
        )
    _tell(path, facts | added)
    return facts | added


def _tell(path: Path, facts: Mapping[str, Any]) -> None:
    """Write facts and card beside a network."""
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(card_text(facts), encoding="utf-8")


def _intervals(told: Mapping[str, Any]) -> dict[str, Any]:
    """Pick what the split forward says of area intervals; nothing where they were not asked for."""
    split = told["splits"].get("forward", {})
    if split.get("interval_factor") is None:
        return {}
    years = [row for row in split["intervals"] if row["way"] == "year"]
    whole = years[-2:] or [row for row in split["intervals"] if row["way"] == "all"]
    held = {
        {ALL: "all", CLEAN: "clean"}[row["labels"]]: {
            "n": row["n"],
            "years": row["scenes"],
            **{f"{who}_{what}": _round(row[who][what]) for who in ("own", "blind") for what in row[who]},
        }
        for row in whole
    }
    about = {
        "method": METHOD,
        "level": LEVEL,
        "factor": _round(split["interval_factor"]),
        "scenes": split["interval_scenes"],
        "held_forward": held,
    }
    return {CARD_KEY: about}


def _rows(name: str, split: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Pick the scores of a split, with and without the suspected labels, and those of each lake left out."""
    found = []
    for row in split["rows"]:
        of_lakes = name == "lake" and row["group"] == "fold"
        if row["group"] != "all" and not of_lakes:
            continue
        error = {each["pixels"]: each["error"] for each in split["calibration"][row["labels"]]}
        found.append(
            {
                "split": name,
                "scenes": row["name"],
                "labels": {ALL: "all", CLEAN: "clean"}[row["labels"]],
                "n": row["scenes"],
                "seeds": split["seeds"],
                "iou": _round(row["mean"]["iou"]),
                "lowest_iou": _round(row["lowest"]["iou"]),
                "highest_iou": _round(row["highest"]["iou"]),
                "constants": {who: _round(one["iou"]) for who, one in row["constants"].items()},
                "best_constant": row["best_constant"],
                "skill": _round(row["mean"]["skill"]),
                "area_error_percent": _round(row["mean"]["area_error_percent"], 1),
                "anomaly_correlation": _round(row["mean"]["anomaly_correlation"], 2),
                "calibration_error": None if of_lakes else {who: _round(one) for who, one in error.items()},
            }
        )
    return found


def _round(value: float | None, digits: int = DIGITS) -> float | None:
    return None if value is None else round(value, digits)


def main() -> None:
    """Release a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--run", type=Path, help="NAME.onnx of 'glaciolake train'")
    what.add_argument("--name", help="of a network in --folder that only gets the factor of its intervals")
    parser.add_argument("--scores", type=Path, required=True, help="scores.json of 'glaciolake evaluate'")
    parser.add_argument("--folder", type=Path, required=True, help="where file and card go")
    options = parser.parse_args()
    if options.run is None:
        add_intervals(options.folder / f"{options.name}.onnx", options.scores)
    else:
        release(options.run, options.scores, options.folder)


if __name__ == "__main__":
    main()
