"""Packing: values as small integers, unknown kept apart from every value."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

LOWEST_POWER = 1e-6
"""-60 dB, far below the noise floor; an exact zero has no logarithm."""


def pack_probability(probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Probability (..., 0 to 1, float32, NaN is unknown) in steps of 1/250; 255 is unknown."""
    scaled = np.rint(np.nan_to_num(probability) * 250).astype(np.uint8)
    return np.where(np.isnan(probability), np.uint8(255), scaled)


def pack_db(power: NDArray[np.float32]) -> NDArray[np.int16]:
    """Linear power (..., at least 0, float32, NaN is unknown) in hundredths of a dB; -32768 is unknown."""
    safe = np.maximum(np.nan_to_num(power, nan=1.0), LOWEST_POWER)
    centi_db = np.rint(1000 * np.log10(safe)).clip(-32767, 32767).astype(np.int16)
    return np.where(np.isnan(power), np.int16(-32768), centi_db)


def pack_seconds(moment: datetime) -> int:
    """Whole seconds since 1970, UTC."""
    return int(moment.timestamp())


def pack_text(values: Iterable[str]) -> NDArray[np.object_]:
    """(n,), texts as the store takes them."""
    return np.array(list(values), dtype=np.object_)
