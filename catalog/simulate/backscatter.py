"""What the ground returns: gamma nought of land, water and ice, speckle and noise.

Levels are those of the labelled scenes of Tsho Rolpa and Chamlang: water -20 to -17 dB in VV from May to
November, lake ice from -17 dB in January to -13 dB in March, land -8 dB.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, gaussian_filter

from glaciolake.catalog.simulate.calendar import Season
from glaciolake.catalog.simulate.radar import FACET_M, View
from glaciolake.catalog.simulate.sites import Site
from glaciolake.catalog.simulate.terrain import Float, Scene

LOOKS = 10.0
"""Equivalent number of looks, mean squared over variance on even ground; the real one is not published."""
KERNEL = np.array([0.15, 0.7, 0.15])
"""Point response across pixels: neighbours share speckle with a correlation of 0.39."""
NOISE = 10 ** (-29.0 / 10)
"""Thermal noise that the processor subtracts (1, linear power); what falls below 0 is cut to exactly 0."""

LAND_DB = {"vv": -8.0, "vh": -15.5}
WATER_DB = {"vv": -18.7, "vh": -26.5}
ICE_DB = {"vv": (-16.8, -13.4), "vh": (-23.5, -19.5)}
"""New ice, old ice."""
WET_SNOW_DB = -1.2
FORESLOPE_DB_PER_DEG = 0.09
"""What terrain correction leaves: slopes that face the radar stay brighter."""


@dataclass(frozen=True)
class Weather:
    """One day at one lake, the same for all bursts that pass.

    Attributes
    ----------
    wind_db
        What wind adds to open water, dB.
    moisture_db
        What the day adds to the land, dB.
    """

    wind_db: float
    moisture_db: float


def weather_of(site: Site, day: date, seed: int) -> Weather:
    """Draw the day's weather: calm water is darker, a windy day brings it 2 dB nearer to the land."""
    rng = np.random.default_rng([seed, day.toordinal(), *site.id.encode()])
    return Weather(float(rng.normal(0.0, 0.8)), float(rng.normal(0.0, 0.4)))


def shore_m(site_front: Float, season: Season) -> Float:
    """How far the shore stands beyond its mean line, metres, for each point of `site_front` (any shape)."""
    return (season.shore_m + season.front_m * site_front).astype(np.float32)


def coverage(offshore_m: Float, beyond_m: Float, spacing_m: float) -> Float:
    """Share of each cell under water, 0..1: cells of `spacing_m` with a straight shore through them."""
    share: Float = np.clip(0.5 - (offshore_m - beyond_m) / spacing_m, 0, 1)
    return share


class Ground:
    """The reflectivity of one scene in one view; made once, asked for every pass.

    Parameters
    ----------
    scene, view
        The ground and how it is seen.
    """

    def __init__(self, scene: Scene, view: View) -> None:
        self.view = view
        self._offshore_m = view.at_facets(scene.offshore_m)
        self._front = view.at_facets(scene.front)
        residual_db = np.clip(view.steepness_deg * FORESLOPE_DB_PER_DEG, -3.5, 4.0)
        self._land = from_db(view.at_facets(scene.texture) + residual_db)

    def look(self, season: Season, weather: Weather, rng: np.random.Generator) -> dict[str, Float]:
        """Image of one pass.

        Returns
        -------
        dict[str, Float]
            Band to (y, x), 0 and above (1, linear power), float32; NaN in shadow.
        """
        water = coverage(self._offshore_m, shore_m(self._front, season), 2 * FACET_M)
        wet = self.view.image(water)
        dry = self.view.image((1 - water) * self._land)
        cracks = gaussian_filter(rng.standard_normal(self.view.shape), 1.5) * 3.5
        land_db = WET_SNOW_DB * season.wet_snow + weather.moisture_db
        image = {}
        for band in ("vv", "vh"):
            new_db, old_db = ICE_DB[band]
            ice = from_db(new_db + (old_db - new_db) * season.ice_age + 1.5 * cracks)
            open_water = from_db(WATER_DB[band] + weather.wind_db)
            lake = season.ice * ice + (1 - season.ice) * open_water
            truth = wet * lake + dry * from_db(LAND_DB[band] + land_db)
            image[band] = measured(truth, rng)
        return image


def from_db(value_db: NDArray[np.floating[Any]] | float) -> Float:
    """Linear power (1) of decibels, float32."""
    return np.asarray(10 ** (np.asarray(value_db) / 10), dtype=np.float32)


def measured(truth: Float, rng: np.random.Generator) -> Float:
    """Speckle, and thermal noise that was subtracted on average only; NaN stays."""
    signal = (truth + NOISE) * speckle((truth.shape[0], truth.shape[1]), rng) - NOISE
    clipped: Float = np.maximum(signal, 0).astype(np.float32)
    return clipped


def speckle(shape: tuple[int, int], rng: np.random.Generator) -> Float:
    """Gamma-distributed factor of mean 1 and variance 1/`LOOKS`, correlated between neighbours."""
    looks = LOOKS * float((KERNEL**2).sum()) ** 2
    fine = rng.standard_gamma(looks, shape, dtype=np.float32) / np.float32(looks)
    smooth: Float = correlate1d(correlate1d(fine, KERNEL, axis=0, mode="wrap"), KERNEL, axis=1, mode="wrap")
    return smooth
