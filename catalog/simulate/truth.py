"""What a perfect reading of the simulated archive would find."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path


@dataclass(frozen=True, order=True)
class Truth:
    """What one pass could have seen of one lake.

    Attributes
    ----------
    lake, track, pass_id
        ``tsho-rolpa``, ``T121``, ``T121_S1A_20240916``.
    sensing_start
        Of the pass's first burst, ISO 8601 UTC.
    state
        ``open``, ``mixed`` or ``frozen``.
    ice
        Share of the lake under ice, 0..1.
    lake_area_m2
        Area of the lake, open or frozen, seen or not.
    seen_area_m2
        Part of it outside layover, shadow and the edge of the data in this pass: what a perfect mask holds.
    """

    lake: str
    track: str
    pass_id: str
    sensing_start: str
    state: str
    ice: float
    lake_area_m2: float
    seen_area_m2: float


def write_truth(path: Path, rows: Sequence[Truth]) -> Path:
    """Write a CSV table with a row per lake and pass, columns as `Truth` names them; its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Truth)])
        writer.writerows(astuple(row) for row in rows)
    return path
