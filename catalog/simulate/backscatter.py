"""What the ground returns on a day: gamma nought of land, snow, water and ice, before noise and speckle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from glaciolake.catalog.simulate import levels
from glaciolake.catalog.simulate.climate import Ice, Weather
from glaciolake.catalog.simulate.lake_days import LakeDays
from glaciolake.catalog.simulate.levels import LEVELS, CoverClass, Level
from glaciolake.catalog.simulate.radar import FACET_M, View
from glaciolake.catalog.simulate.shore import Float, Shore, coverage, distance_m
from glaciolake.catalog.simulate.terrain import Ground

BANDS = ("vv", "vh")
REACH_M = 150.0
"""Water never comes further beyond the mean shore than this."""
SUMMER_DOY = 227
"""Middle of July to September, for which `levels.SUMMER_DB` is given; January to April lies opposite."""
SNOW_SOFTNESS_M = 130.0
ICE_EDGE = 0.03
"""How soft the edge of a growing ice sheet is, as a share of the lake."""
SLUSH_REACH = 0.22
"""How far frazil and slush reach, as a share of the lake: before the edge of growing ice, or on thawing ice.
They thin out on the way and are never alone: they are two thirds of a pixel at most."""


class _Lake(NamedTuple):
    """One shore at the facets near it: positions among all facets, the shore's fields there, the ice."""

    at: NDArray[np.int64]
    shore: Shore
    gusts: Float
    texture: Float
    echo: Float
    rank: Float


class Surface:
    """The reflectivity of one site in one view; made once, asked for every pass.

    Parameters
    ----------
    ground, view
        The ground and how it is seen.
    look_azimuth_deg
        Direction in which the radar looks, clockwise from grid north.
    """

    def __init__(self, ground: Ground, view: View, look_azimuth_deg: float) -> None:
        self.ground = ground
        self.view = view
        self._look_deg = look_azimuth_deg
        self._height_m = view.at_facets(ground.height_m)
        texture = view.at_facets(ground.texture)
        self._texture = (texture / texture.std()).astype(np.float32)  # interpolation has smoothed it
        covers = {cover: view.at_facets(share) for cover, share in ground.covers.items()}
        self._bare = {
            (band, season): self._mixed(covers, band, season) for band in BANDS for season in (0.0, 1.0)
        }
        self._snow = {
            (cover, band): self._level(cover, band)
            for cover in (CoverClass.DRY_SNOW, CoverClass.WET_SNOW) for band in BANDS
        }  # fmt: skip
        gusts = view.at_facets(ground.gusts)
        self._lakes = [self._lake(shore, gusts) for shore in ground.shores]

    def _mixed(self, covers: dict[CoverClass, Float], band: str, season: float) -> Float:
        """Linear power (1) of dry, snow-free ground at every facet; `season`: 0 in spring, 1 in summer."""
        whole = np.zeros(self._texture.shape, np.float32)
        for cover, share in covers.items():
            whole += share * self._level(cover, band) * from_db(season * levels.SUMMER_DB.get(cover, 0.0))
        return whole

    def _level(self, cover: CoverClass, band: str) -> Float:
        """Linear power (1) of a class at every facet: its level, its texture, and what its slope leaves."""
        level = LEVELS[cover]
        local_deg = self.view.incidence_deg - self.view.steepness_deg
        tilt_deg = np.clip(local_deg - levels.REFERENCE_INCIDENCE_DEG, -30, 30)
        inclined_db = _mean_db(level, band) + _slope(level, band) * tilt_deg
        varied = from_db(inclined_db) * texture_factor(self._texture, level.texture_db)
        return varied.astype(np.float32)

    def _lake(self, shore: Shore, gusts: Float) -> _Lake:
        view = self.view
        offshore_m = view.at_facets(shore.offshore_m)
        at = np.flatnonzero(offshore_m < REACH_M)
        calving_m, bank = (view.at_facets(field)[at] for field in (shore.calving_m, shore.bank))
        near = Shore(shore.basin, offshore_m[at], calving_m, bank, view.at_facets(shore.freeze_rank)[at])
        steep = expit((view.steepness_deg[at] - levels.DOUBLE_BOUNCE_SLOPE_DEG) / 3)
        return _Lake(at, near, gusts[at], self._texture[at], steep.astype(np.float32), near.freeze_rank)

    def look(self, day: date, lakes: Sequence[LakeDays], weather: Weather) -> dict[str, Float]:
        """Image of one pass, as an ideal radar would see it.

        Parameters
        ----------
        day
            UTC.
        lakes
            One for each shore of the ground.
        weather
            Of the pass.

        Returns
        -------
        dict[str, Float]
            ``VV`` and ``VH`` -> (y, x), above 0 (1, linear power), float32; NaN in shadow.
        """
        snow = expit((self._height_m - weather.snow_line_m) / SNOW_SOFTNESS_M + self._texture)
        wet = expit((weather.melt_line_m - self._height_m) / SNOW_SOFTNESS_M)
        season = float(np.clip(0.5 + 0.7 * np.cos(2 * np.pi * (_doy(day) - SUMMER_DOY) / 365.25), 0, 1))
        facets = {}
        for band in BANDS:
            white = wet * self._snow[CoverClass.WET_SNOW, band]
            white += (1 - wet) * self._snow[CoverClass.DRY_SNOW, band]
            bare = (1 - season) * self._bare[band, 0.0] + season * self._bare[band, 1.0]
            facets[band] = (1 - snow) * bare * from_db(weather.moisture_db) + snow * white
        for lake, days in zip(self._lakes, lakes, strict=True):
            stand, ice = days.stand(day), days.ice(day)
            away_m = distance_m(lake.shore, stand)
            water = coverage(away_m, 2 * FACET_M)
            lake = lake._replace(rank=rank_of_the_day(lake.shore.freeze_rank, water, ice.fraction))
            # Wall and water answer together within some metres of the edge; ice on the lake ends it.
            edge = lake.echo * np.exp(-((away_m / levels.DOUBLE_BOUNCE_WIDTH_M) ** 2)) * (1 - ice.fraction)
            for band in BANDS:
                land = facets[band][lake.at] + edge * from_db(levels.DOUBLE_BOUNCE_DB[band])
                facets[band][lake.at] = (1 - water) * land + water * self._wet(lake, ice, weather, band)
        return {band.upper(): self.view.image(power.astype(np.float32)) for band, power in facets.items()}

    def _wet(self, lake: _Lake, ice: Ice, weather: Weather, band: str) -> Float:
        """Linear power (1) of water and ice at the facets of a lake."""
        wind = weather.wind_m_per_s * np.maximum(0.05, 1 + levels.GUST_SHARE * lake.gusts)
        upwind_deg = self._look_deg - weather.wind_to_deg
        open_water = from_db(levels.water_db(band, wind, self.view.incidence_deg, upwind_deg))
        if ice.fraction <= 0:
            return open_water
        sheet = ice_share(lake.rank, ice.fraction)
        older_db = ice.age * (_mean_db(LEVELS[CoverClass.LAKE_ICE], band) - levels.NEW_ICE_DB[band])
        frozen_db = levels.NEW_ICE_DB[band] + older_db + ice.offset_db + levels.MELTING_DB * ice.is_thawing
        frozen = self._floating(lake, CoverClass.LAKE_ICE, band, frozen_db)
        frazil = self._floating(lake, CoverClass.FRAZIL, band, _mean_db(LEVELS[CoverClass.FRAZIL], band))
        near_edge = np.clip(1 - np.abs(lake.rank) / SLUSH_REACH, 0, 1) * (ice.fraction < 1)
        slush = near_edge * (sheet if ice.is_thawing else 1 - sheet)
        mixed = sheet * frozen + (1 - sheet) * open_water
        found: Float = ((1 - slush) * mixed + slush * frazil).astype(np.float32)
        return found

    def _floating(self, lake: _Lake, cover: CoverClass, band: str, mean_db: float) -> Float:
        """Linear power (1) of a cover of a mean level at the facets of a lake, with slope and texture."""
        level = LEVELS[cover]
        tilt_db = _slope(level, band) * (self.view.incidence_deg - levels.REFERENCE_INCIDENCE_DEG)
        floating: Float = from_db(mean_db + tilt_db) * texture_factor(lake.texture, level.texture_db)
        return floating


def ice_share(rank: Float, fraction: float) -> Float:
    """Share of each facet or cell under ice, 0..1, from the `rank_of_the_day` and the lake's ice fraction."""
    return np.asarray(expit(-rank / ICE_EDGE) if fraction < 1 else np.ones_like(rank), np.float32)


def _mean_db(level: Level, band: str) -> float:
    """Mean gamma nought at the reference incidence, dB."""
    return level.vv_db if band == "vv" else level.vh_db


def _slope(level: Level, band: str) -> float:
    """Change with the incidence angle, dB per degree."""
    return level.slope_db_per_deg_vv if band == "vv" else level.slope_db_per_deg_vh


def _doy(day: date) -> int:
    return day.timetuple().tm_yday


def rank_of_the_day(rank: Float, water: Float, fraction: float) -> Float:
    """Rank the day's water by when it freezes, below 0 where there is ice: a shrunken lake has a rim too.

    Parameters
    ----------
    rank, water
        Same shape: `Shore.freeze_rank`, and the share of each facet or cell that is water.
    fraction
        Share of the water under ice, 0..1.

    Returns
    -------
    NDArray[np.float32]
        Of that shape; over the water it spans 1.
    """
    wet = rank[water > 0.5]
    if not wet.size:
        return rank - np.float32(fraction)
    at = float(np.quantile(wet, fraction))
    return np.asarray((rank - at) / max(1e-3, float(np.ptp(wet))), np.float32)


def from_db(value_db: NDArray[np.floating[Any]] | float) -> Float:
    """Linear power (1) of decibels, float32."""
    return np.asarray(10 ** (np.asarray(value_db) / 10), dtype=np.float32)


def texture_factor(unit: Float, texture_db: float) -> Float:
    """Lognormal factor of mean 1 and a standard deviation in dB, from a unit normal field of any shape."""
    spread = np.log(10) / 10 * texture_db
    factor: Float = np.exp(spread * unit - spread**2 / 2).astype(np.float32)
    return factor
