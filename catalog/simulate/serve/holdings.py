"""What a served archive holds: its products, found by place, time and burst, newest first."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from glaciolake.catalog.granule import OrbitState
from glaciolake.catalog.names import Family, RtcName
from glaciolake.catalog.orbits import burst_orbit

Key = tuple[float, str]
"""Place of a product in the order of every answer: minus its time, its name."""
Span = tuple[datetime | None, datetime | None]
"""First and last moment, both included; None is open."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BURST_S = 3
"""How long a burst lasts in the words of the archive, seconds."""


@dataclass(frozen=True)
class Product:
    """One granule, of images or of static layers.

    Attributes
    ----------
    name
        What its name says.
    files
        File name -> where it lies; sorted.
    outline
        Footprint, lon/lat degrees.
    item
        Gives the JSON object of its STAC item, anew each time; None for static layers, which have none.
    """

    name: RtcName
    files: Mapping[str, Path]
    outline: BaseGeometry
    item: Callable[[], dict[str, Any]] | None = None

    @property
    def burst(self) -> str:
        """Canonical burst id."""
        return str(self.name.burst)

    @property
    def orbit_state(self) -> OrbitState:
        """Flight direction."""
        return _orbit_state(self.burst)

    @property
    def sensing_end(self) -> datetime:
        """When the sensing ended; static layers have one moment only."""
        lasts_s = 0 if self.name.family == "opera-static" else BURST_S
        return self.name.sensing_start + timedelta(seconds=lasts_s)

    @property
    def key(self) -> Key:
        """Place in the order of every answer."""
        return -self.name.sensing_start.timestamp(), self.name.granule

    @functools.cached_property
    def start_ms(self) -> int:
        """Sensing start, milliseconds since 1970."""
        return round(self.name.sensing_start.timestamp() * 1000)

    @functools.cached_property
    def end_ms(self) -> int:
        """Sensing end, milliseconds since 1970."""
        return round(self.sensing_end.timestamp() * 1000)

    @property
    def polarizations(self) -> list[str]:
        """``VV`` and the like, in the archive's order: VV, VH, HH, HV."""
        held = {name.removesuffix(".tif").rpartition("_")[2] for name in self.files}
        return [one for one in ("VV", "VH", "HH", "HV") if one in held]


@dataclass(frozen=True)
class Asked:
    """A question; whatever is empty leaves nothing out.

    Attributes
    ----------
    families
        ``opera``, ``opera-static``.
    areas
        Lon/lat degrees; products that touch each of them.
    times
        Products in one of the spans of each entry.
    lasting
        True counts a product from its first to its last moment, False its sensing start alone.
    bursts
        Canonical ids; products of one of them.
    tests
        What else a product has to pass.
    """

    families: tuple[Family, ...] = ("opera",)
    areas: tuple[BaseGeometry, ...] = ()
    times: tuple[tuple[Span, ...], ...] = ()
    lasting: bool = False
    bursts: tuple[str, ...] = ()
    tests: tuple[Callable[[Product], bool], ...] = ()


@dataclass(frozen=True)
class Page:
    """Part of an answer: its products, how many there are in all, and where the next page begins."""

    products: list[Product]
    total: int
    after: Key | None


class Holdings:
    """Products of an archive.

    Parameters
    ----------
    products
        In any order.
    now
        Moment after which nothing was made yet; None shows everything. May be set at any time.
    """

    def __init__(self, products: Iterable[Product], now: datetime | None = None) -> None:
        self.now = now
        self.products = sorted(products, key=lambda one: one.key)
        self.by_name = {one.name.granule: one for one in self.products}
        self._by_file = {file: one for one in self.products for file in one.files}
        self._start_s = np.array([-one.key[0] for one in self.products])
        self._made_s = np.array([_seconds(one.name.created) for one in self.products])
        self._family = np.array([one.name.family for one in self.products])
        self._burst = np.array([one.burst for one in self.products])
        self._end_s = np.array([one.sensing_end.timestamp() for one in self.products])
        self._static = {one.burst: one for one in self.products if one.name.family == "opera-static"}
        self._tree = shapely.STRtree([one.outline for one in self.products])

    def page(self, asked: Asked, limit: int, after: Key | None = None) -> Page:
        """Answer a question, one page of it."""
        found = self.search(asked)
        first = 0 if after is None else bisect.bisect_right(found, after, key=lambda one: one.key)
        shown = found[first : first + limit]
        more = first + limit < len(found)
        return Page(shown, len(found), shown[-1].key if more and shown else None)

    def search(self, asked: Asked) -> list[Product]:
        """Return every product that fits, newest first, as far as it is out yet."""
        fits = self._out() & np.isin(self._family, asked.families)
        for area in asked.areas:
            near = np.zeros(len(self.products), bool)
            near[self._tree.query(area, predicate="intersects")] = True
            fits &= near
        ends_s = self._end_s if asked.lasting else self._start_s
        for spans in asked.times:
            inside = np.zeros(len(self.products), bool)
            for start, end in spans:
                inside |= (ends_s >= _seconds(start)) & (self._start_s <= _seconds(end, np.inf))
            fits &= inside
        if asked.bursts:
            fits &= np.isin(self._burst, asked.bursts)
        found = (self.products[index] for index in np.flatnonzero(fits))
        return [one for one in found if all(test(one) for test in asked.tests)]

    def file(self, name: str) -> Path | None:
        """Where a file lies; None where it is none of the archive's, or not out yet."""
        product = self._by_file.get(name)
        if product is None or not self.is_out(product):
            return None
        return product.files[name]

    def is_out(self, product: Product) -> bool:
        """Whether a product has been made by now."""
        return self.now is None or product.name.created is None or product.name.created <= self.now

    def static_of(self, burst: str) -> Product | None:
        """Return the static layers of a burst."""
        return self._static.get(burst)

    def _out(self) -> NDArray[np.bool_]:
        out: NDArray[np.bool_] = self._made_s <= (np.inf if self.now is None else self.now.timestamp())
        return out


@functools.cache
def _orbit_state(burst: str) -> OrbitState:
    return burst_orbit(burst).orbit_state


def _seconds(moment: datetime | None, missing: float = -np.inf) -> float:
    return missing if moment is None else (moment - _EPOCH).total_seconds()
