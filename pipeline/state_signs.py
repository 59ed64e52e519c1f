"""How well a slice's brightness agrees with open water, wind, ice and what lies between, on its own track."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

DARKER_THAN_LAND_DB = 4.0
"""Open water is darker than the land around by more: 5.5 to 14 dB on every real and simulated track that sees
its lake. Where layover hides the lake (Tsho Rolpa on T012) the two are equal."""
SEEN_SHARE = 0.25
"""Share of the open-season slices that must be so, or the track does not see the lake's water; a lake that
has drained is seen before."""
OF_SPREAD = 0.25
"""Least scatter of a spread as a share of it: a lake with layover in it has a wide and unsteady one."""
OF_SCATTER = 0.5
"""Share of the open water's scatter that ice has too, in VV."""


class Sign(NamedTuple):
    """One number that tells ice from water.

    Attributes
    ----------
    usual_db, usual_sigma_db
        Level of open water on tracks in general, and how much tracks differ.
    scatter_db, least_db, most_db
        How much open water varies on one track: usual, and the limits of what is learned.
    odd_db
        Range of whatever is neither water nor ice.
    """

    usual_db: float
    usual_sigma_db: float
    scatter_db: float
    least_db: float
    most_db: float
    odd_db: float


SIGNS: Mapping[str, Sign] = {
    "lake_vv_db": Sign(-18.5, 2.0, 1.2, 0.7, 2.5, 25.0),
    "lake_vh_db": Sign(-29.0, 1.2, 0.6, 0.4, 1.5, 20.0),
    "lake_vv_spread_db": Sign(2.0, 0.8, 0.5, 0.3, 2.0, 6.0),
    "lake_vh_spread_db": Sign(2.7, 0.5, 0.5, 0.4, 1.5, 6.0),
}
USUAL_SLICES, USUAL_SCATTERS = 2.0, 6.0
"""How many slices the usual level and scatter count for beside the track's own."""


class Look(NamedTuple):
    """What a kind of surface adds to open water's level on the track: (mean, sigma) of each sign, dB."""

    lake_vv_db: tuple[float, float]
    lake_vh_db: tuple[float, float]
    lake_vv_spread_db: tuple[float, float]
    lake_vh_spread_db: tuple[float, float]


WINDY = Look((4.5, 2.2), (1.2, 1.2), (0.0, 0.8), (0.0, 0.8))
FREEZING = Look((1.8, 2.2), (3.2, 1.9), (1.0, 0.8), (1.3, 0.8))
FROZEN = Look((3.5, 2.5), (5.5, 2.2), (0.2, 0.6), (-0.1, 0.6))
THAWING = Look((1.6, 2.6), (3.0, 2.0), (0.9, 0.8), (1.2, 0.8))
"""Rounded from simulated slices of other sites, seeds and years than those that are scored, and widened; VV
by what real tracks show. Ice returns more VH as a volume, wind hardly; a partly frozen lake is uneven."""
WINDY_SHARE, ODD_SHARE = 0.05, 0.005
"""Of open-water slices: in a strong wind, and like neither (ground that fell dry)."""


class Agreement(NamedTuple):
    """Likelihoods of every slice.

    Attributes
    ----------
    surface
        (time, 4) float64, above 0, up to a factor per slice: open, freezing, frozen, thawing.
    calm, windy, odd
        (time,) the parts of `surface`'s open water.
    sees_lake
        Whether the track sees the water of the lake at all.
    """

    surface: Float64
    calm: Float64
    windy: Float64
    odd: Float64
    sees_lake: bool


def agreement(rows: xr.Dataset, in_open_season: Bool) -> Agreement:
    """Compare every slice of a track with the track's own open water.

    Parameters
    ----------
    rows
        One series: `SIGNS` and ``land_vv_db`` (time), dB, NaN where nothing was seen or recorded.
    in_open_season
        (time,) bool: slices from which the level of open water is learned. Few of them, and the usual level
        takes over.
    """
    lake_db, land_db = (rows[name].values.astype(np.float64) for name in ("lake_vv_db", "land_vv_db"))
    known = in_open_season & np.isfinite(lake_db) & np.isfinite(land_db)
    dark = known & (lake_db < land_db - DARKER_THAN_LAND_DB)
    sees_lake = not known.any() or bool(dark.sum() >= SEEN_SHARE * known.sum())
    parts = {name: _Part.of(rows[name].values.astype(np.float64), dark, sign) for name, sign in SIGNS.items()}
    n = len(lake_db)
    calm = (1 - WINDY_SHARE - ODD_SHARE) * _product(n, [part.calm() for part in parts.values()])
    odd = ODD_SHARE * _product(n, [part.odd(SIGNS[name].odd_db) for name, part in parts.items()])
    windy, *iced = (
        _product(n, [part.like(*getattr(look, name), is_vv="vv" in name) for name, part in parts.items()])
        for look in (WINDY, FREEZING, FROZEN, THAWING)
    )
    windy = WINDY_SHARE * windy
    surface = np.stack([calm + windy + odd, *iced], axis=1) + np.finfo(np.float64).tiny
    return Agreement(surface, calm, windy, odd, sees_lake)


def _product(n_slices: int, factors: list[Float64]) -> Float64:
    return np.asarray(np.prod([np.ones(n_slices), *factors], axis=0))


class _Part(NamedTuple):
    """One sign of a series: how far above open water (time,), dB, how it scatters, how sure its level is."""

    above_db: Float64
    scatter_db: float
    level_sigma_db: float

    @classmethod
    def of(cls, values_db: Float64, of_open_water: Bool, sign: Sign) -> _Part:
        own = values_db[of_open_water & np.isfinite(values_db)]
        n = own.size
        middle = float(np.median(own)) if n else sign.usual_db
        weight = n / (n + USUAL_SLICES)
        level_db = weight * middle + (1 - weight) * sign.usual_db
        own_scatter = 1.4826 * float(np.median(np.abs(own - middle))) if n > 2 else sign.scatter_db
        weight = n / (n + USUAL_SCATTERS)
        scatter_db = float(np.sqrt(weight * own_scatter**2 + (1 - weight) * sign.scatter_db**2))
        return cls(
            values_db - level_db,
            float(np.clip(scatter_db, sign.least_db, sign.most_db)),
            sign.usual_sigma_db / np.sqrt(1 + 2 * n / USUAL_SLICES),
        )

    def calm(self) -> Float64:
        return self._normal(0.0, self.scatter_db)

    def like(self, mean_db: float, sigma_db: float, *, is_vv: bool) -> Float64:
        return self._normal(mean_db, float(np.hypot(sigma_db, OF_SCATTER * self.scatter_db * is_vv)))

    def odd(self, range_db: float) -> Float64:
        return np.where(np.isfinite(self.above_db), 1 / range_db, 1.0)

    def _normal(self, mean_db: float, sigma_db: float) -> Float64:
        sigma_db = float(np.hypot(sigma_db, self.level_sigma_db))
        density = np.exp(-0.5 * ((self.above_db - mean_db) / sigma_db) ** 2) / (sigma_db * np.sqrt(2 * np.pi))
        return np.where(np.isfinite(self.above_db), density, 1.0)  # what was not seen speaks for nothing
