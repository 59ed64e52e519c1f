"""What a lake does on each day: the one place where level, glacier and ice come together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from zlib import crc32

from glaciolake.catalog.simulate.climate import Ice, ice_on
from glaciolake.catalog.simulate.hydrology import Levels, levels_of
from glaciolake.catalog.simulate.shore import Stand
from glaciolake.catalog.simulate.sites import Basin

DRAINED_SHARE = 0.35
"""A lake smaller than this share of its mean area is drained: another state than open or frozen."""


@dataclass(frozen=True)
class LakeDays:
    """One lake through an archive's years.

    Attributes
    ----------
    basin
        Which.
    levels
        Its levels from `sites.EPOCH` on.
    key
        Seed and lake as whole numbers.
    """

    basin: Basin
    levels: Levels
    key: tuple[int, int]

    def stand(self, day: date) -> Stand:
        """How high the water stands."""
        return self.levels.on(day)

    def ice(self, day: date) -> Ice:
        """How much of the lake is frozen."""
        return ice_on(day, self.basin.level_m, self.key)


@lru_cache(maxsize=64)
def lake_days(basin: Basin, last: date, seed: int) -> LakeDays:
    """Follow a lake up to a day; kept in memory, since many passes ask for the same one."""
    return LakeDays(basin, levels_of(basin, last, seed), (seed, number_of(basin.id)))


def number_of(name: str) -> int:
    """Whole number that stands for a name, the same on every machine."""
    return crc32(name.encode())
