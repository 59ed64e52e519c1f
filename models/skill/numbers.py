"""Everything a report says, for machines."""

from __future__ import annotations

import math
from typing import Any

from glaciolake.models.skill.rows import Judged, Row, SceneRow
from glaciolake.models.skill.scores import Scores

M2_PER_KM2 = 1e6
DIGITS = 6
"""Of a stored number; further ones depend on the order of a sum."""


def numbers_of(one: Judged) -> dict[str, Any]:
    """Flatten a split: shares 0..1, percentages, pixels and km2 where named so, NaN as it is.

    Parameters
    ----------
    one
        The split.
    """
    tested = one.tested
    return {
        "scenes": len(tested.samples),
        "seeds": len(tested.probabilities),
        "threshold": tested.threshold,
        "spacing_m": tested.spacing_m,
        "best_constant": one.row().best,
        "rows": [row_numbers(row) for row in one.rows],
        "calibration": {
            labels: [each._asdict() | {"bins": [b._asdict() for b in each.bins]} for each in found]
            for labels, found in one.calibrations.items()
        },
        "interval_factor": None if tested.intervals is None else tested.intervals.factor,
        "interval_scenes": None if tested.intervals is None else tested.intervals.n,
        "intervals": [
            each._asdict() | {"own": each.own._asdict(), "blind": each.blind._asdict()}
            for each in one.coverages
        ],
        "each_scene": [scene_numbers(scene, tested.spacing_m) for scene in one.scenes],
    }


def row_numbers(row: Row) -> dict[str, Any]:
    """Flatten a row: every score with its skill against the best constant."""
    low, high = row.spread

    def scored(one: Scores) -> dict[str, float]:
        return one._asdict() | {"skill": row.skill_of(one)}

    return {
        "group": row.way,
        "name": row.scenes,
        "labels": row.labels,
        "scenes": row.n,
        "suspected": row.n_suspected,
        "seeds": [scored(one) for one in row.seeds],
        "mean": scored(row.mean),
        "lowest": scored(low),
        "highest": scored(high),
        "mean_probability": scored(row.ensemble),
        "constants": {name: scored(one) for name, one in row.constants.items()},
        "best_constant": row.best if row.scored else None,
    }


def scene_numbers(scene: SceneRow, spacing_m: float | None) -> dict[str, Any]:
    """Flatten a scene; areas in km2 only where the size of a pixel is known."""
    areas = {
        "found": scene.found_px,
        "labelled": scene.labelled_px,
        "probability": scene.probability_px,
        "constant": scene.constant_px,
    }
    km2 = math.nan if spacing_m is None else spacing_m**2 / M2_PER_KM2
    return {
        "lake": scene.sample.lake,
        "track": scene.sample.track,
        "start": f"{scene.sample.start:%Y-%m-%dT%H:%M:%SZ}",
        "fold": scene.fold,
        "iou": scene.iou,
        "constant_iou": scene.constant_iou,
        **{f"{name}_px": px for name, px in areas.items()},
        **{f"{name}_km2": px * km2 for name, px in areas.items()},
        "unseen_px": scene.unseen_px,
        "suspected": scene.suspected or None,
    }


def plain(value: Any) -> Any:
    """Turn what JSON lacks into what it has: NaN into null, tuples into lists; cut digits that are noise."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    return value
