"""How wide the 90 % interval of an area is that a network found, as its card says."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from glaciolake.models.errors import ModelError
from glaciolake.models.spec import ModelRef
from glaciolake.models.weights import shipped

CARD_KEY = "area_interval"


def interval_factor(ref: ModelRef) -> float:
    """Factor of the unsure area, the sum of p(1 - p), that nine in ten areas err less than.

    Parameters
    ----------
    ref
        A network. Its card, the ``.json`` beside it or beside the shipped file of its name, is believed where
        it is of the same digest.

    Returns
    -------
    float
        NaN where no card says one: no interval is better than one of another network.

    Raises
    ------
    ModelError
        A card whose factor is none.
    """
    for path in (Path(ref.path), shipped().get(Path(ref.path).stem)):
        facts = _facts(path)
        if facts.get("sha256") == ref.sha256 and CARD_KEY in facts:
            about = facts[CARD_KEY]
            factor = about.get("factor") if isinstance(about, dict) else about
            if isinstance(factor, bool) or not isinstance(factor, int | float) or not factor > 0:
                raise ModelError(
                    f"the card of {ref.path} gives {factor!r} as factor of its area interval, which must be "
                    "above 0; correct the card"
                )
            return float(factor)
    return math.nan


def _facts(path: Path | None) -> dict[str, Any]:
    card = path.with_suffix(".json") if path is not None else None
    if card is None or not card.is_file():
        return {}
    try:
        found = json.loads(card.read_text(encoding="utf-8"))
    except ValueError:  # something else of the same name: no card
        return {}
    return found if isinstance(found, dict) else {}
