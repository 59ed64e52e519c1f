"""What is asked of a source, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pystac
from shapely.geometry.base import BaseGeometry

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.granule import OrbitState


@dataclass(frozen=True)
class Request:
    """A search: where, when, and which passes.

    Attributes
    ----------
    aoi
        Longitude/latitude polygon, degrees WGS 84; None asks for everywhere.
    start, end
        Sensing start is at or after `start` and before `end`; UTC, timezone-aware.
    bursts
        Canonical burst ids; empty asks for all.
    tracks
        Relative orbits; empty asks for all.
    orbit_state
        Flight direction; None asks for both.
    """

    aoi: BaseGeometry | None
    start: datetime
    end: datetime
    bursts: tuple[str, ...] = ()
    tracks: tuple[int, ...] = ()
    orbit_state: OrbitState | None = None

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise CatalogError(f"start {self.start} and end {self.end} need a time zone; give UTC")
        if self.end <= self.start:
            raise CatalogError(f"end {self.end:%Y-%m-%d} is not after start {self.start:%Y-%m-%d}; swap them")


@dataclass(frozen=True, order=True)
class Refused:
    """Something a source holds and cannot use: the file or granule, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Found:
    """A complete answer: a search that could not be finished raises instead.

    Attributes
    ----------
    items
        Current items, one per (footprint, sensing start, sensor), sorted by (sensing start, id).
    superseded
        Items that a newer processing of the same acquisition replaces; same order.
    refused
        What lies there and cannot be used; sorted.
    """

    items: tuple[pystac.Item, ...]
    superseded: tuple[pystac.Item, ...] = ()
    refused: tuple[Refused, ...] = ()


class Source(Protocol):
    """Anything that can be searched for scenes."""

    def find(self, request: Request) -> Found:
        """Answer a request completely, or raise `SearchFailed`."""
        ...
