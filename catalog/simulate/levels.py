"""How bright ground, water and ice are in OPERA RTC-S1, how grainy, and when lakes freeze, with sources.

"Chips" are 299 HyP3 scenes of five sites (20 m, VV, speckle filtered), "crops" 15 bursts of OPERA track 137
on 31 dates (30 m, VV and VH, unfiltered). ``docs/measure_levels.py`` prints every number that is said to be
measured. Decibels are of gamma nought in linear power, without noise and speckle. "Unverified" marks what no
source at hand gave: a plausible level and nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

REFERENCE_INCIDENCE_DEG = 39.0
"""Angle between ray and ground's normal at which `LEVELS` hold: on flat ground, the middle of IW2."""


class CoverClass(StrEnum):
    """What the radar looks at; `ROUGH_WATER` is that in the wind, `FRAZIL` frazil and slush."""

    ROCK = "rock"
    DEBRIS = "debris"
    MORAINE = "moraine"
    GLACIER_ICE = "glacier_ice"
    DRY_SNOW = "dry_snow"
    WET_SNOW = "wet_snow"
    CALM_WATER = "calm_water"
    ROUGH_WATER = "rough_water"
    LAKE_ICE = "lake_ice"
    FRAZIL = "frazil"


@dataclass(frozen=True)
class Level:
    """Brightness of one class.

    Attributes
    ----------
    vv_db, vh_db
        Mean gamma nought at `REFERENCE_INCIDENCE_DEG`, dB. With lognormal texture the median of an area lies
        0.115 ``texture_db`` squared below.
    texture_db
        Standard deviation of what varies slowly within the class, dB; see `TEXTURE_M`. Water has none of its
        own, but gusts: see `GUST_SHARE`.
    slope_db_per_deg_vv, slope_db_per_deg_vh
        Change with the local incidence angle that terrain correction leaves, dB per degree. On land, shores
        that face the radar are 1.5 to 3 dB brighter, 60 to 200 m inland, than those that look away; the
        number was set so that the spread of slopes agrees with the chips. Water and ice are level.
    source
        Where the numbers come from.
    """

    vv_db: float
    vh_db: float
    texture_db: float
    slope_db_per_deg_vv: float
    slope_db_per_deg_vh: float
    source: str


CALM_FLOOR_DB = -25.0
"""VV that water keeps whatever the wind: 152 scenes of lakes from May to September have medians of -22.7 dB
and more, their darkest 5 % of pixels lie at -18 to -27; dates of ocean crops go down to -30."""
CALM_M_PER_S = 0.3
"""Wind below which water gets no smoother."""
ROUGH_M_PER_S = 8.0
"""Wind for which the class table states rough water."""
GUST_SHARE = 0.25
"""Standard deviation of the wind over a lake, as a share of its mean, which is what water has for texture;
assumed."""
VH_RESIDUAL_DB = {"IW1": -30.2}
"""What VH keeps over calm water in one sub-swath: below 4 m/s ocean crops have -29.5 dB in IW1 (n=57), -36.7
in IW2 (n=12). Why is not known; it does not go with VV. IW3 was not measured."""
_FAR_EDGE_DEG = {"IW1": 36.5, "IW2": 41.8, "IW3": 90.0}


def subswath(incidence_deg: float) -> str:
    """Sub-swath that sees flat ground at an incidence angle (Sentinel-1 user handbook)."""
    return next(name for name, far_deg in _FAR_EDGE_DEG.items() if incidence_deg <= far_deg)


def water_db(
    band: str, wind_m_per_s: Any, incidence_deg: float, upwind_deg: Any = 45.0
) -> NDArray[np.float64]:
    """Gamma nought of open water, dB.

    VV is CMOD5.N (Hersbach 2010), as a least squares fit over 2 to 15 m/s and 31 to 46 degrees with a
    residual of 0.6 dB, on top of `CALM_FLOOR_DB`. VH is linear in the wind and knows no angle (Vachon and
    Wolfe 2011); its numbers are those of the ocean crops: -36.7 dB below 4 m/s, -34.9 at 5, -33.2 at 7, -29.9
    at 12.

    Parameters
    ----------
    band
        ``vv`` or ``vh``.
    wind_m_per_s
        10 m above the water; any shape.
    incidence_deg
        Between ray and vertical.
    upwind_deg
        Between look direction and wind: 0 and 180 along it, 90 across; 45 gives the mean of directions.
    """
    wind = np.maximum(np.asarray(wind_m_per_s, dtype=np.float64), CALM_M_PER_S)
    if band == "vh":
        return _sum_db(-38.0 + 0.67 * wind, VH_RESIDUAL_DB.get(subswath(incidence_deg), -np.inf))
    speed = np.log10(wind / 5.0)
    ocean_db = -18.37 + 14.22 * speed + 4.57 * speed**2 + 1.81 * np.cos(2 * np.radians(upwind_deg))
    ocean_db = ocean_db - 0.40 * (incidence_deg - REFERENCE_INCIDENCE_DEG)
    return _sum_db(ocean_db, CALM_FLOOR_DB)


def _sum_db(one_db: Any, other_db: Any) -> NDArray[np.float64]:
    """Sum of two powers, dB."""
    return np.asarray(10 * np.log10(10 ** (np.asarray(one_db) / 10) + 10 ** (np.asarray(other_db) / 10)))


def _water(wind_m_per_s: float, source: str) -> Level:
    """Level of open water in a wind: what `water_db` gives, so that the table cannot part from it."""
    at_deg = REFERENCE_INCIDENCE_DEG + np.array([-1.0, 0.0, 1.0])
    below, vv_db, above = (float(water_db("vv", wind_m_per_s, angle)) for angle in at_deg)
    vh_db = float(water_db("vh", wind_m_per_s, REFERENCE_INCIDENCE_DEG))
    return Level(round(vv_db, 1), round(vh_db, 1), 0.0, round((above - below) / 2, 2), 0.0, source)


_RATIO = (
    "VH: 8.75 dB less, as in published statistics of Sentinel-1 chips over glacial lakes of High Mountain "
    "Asia (CryoSentinel: -9.25 and -18.00 dB); the two driest land crops have 9.2 and 9.4"
)

LEVELS: Mapping[CoverClass, Level] = {
    CoverClass.ROCK: Level(
        -4.9, -13.7, 3.2, -0.08, -0.08,
        "VV: slopes over 150 m from Chamlang, medians from January to April -5.9 (T012, n=8) and -6.3 dB "
        f"(T121, n=9). {_RATIO}.",
    ),
    CoverClass.DEBRIS: Level(
        -7.8, -16.6, 3.4, -0.08, -0.08,
        "VV: the box around the pond on Ngozumpa Glacier, medians from January to April -8.9 (T012, n=8) "
        f"and -9.4 dB (T121, n=9) at 34 and 39 degrees, -10.9 at 46 (T085, n=8). {_RATIO}.",
    ),
    CoverClass.MORAINE: Level(
        -6.8, -15.5, 3.0, -0.08, -0.08,
        "VV: slopes of Tsho Rolpa, medians from January to April -8.1 (T085, n=8) and -7.5 dB (T121, "
        f"n=9); 60 to 200 m from its near shore, -7.0 to -7.9 in summer. {_RATIO}.",
    ),
    CoverClass.GLACIER_ICE: Level(
        -10.5, -17.5, 2.5, -0.08, -0.08,
        "Unverified: between dry ground and wet snow. No scene at hand shows clean ice; that ice is "
        "darkest in summer, when it melts, is published (ice aprons in C band: Frontiers in Remote "
        "Sensing 2022, 930021).",
    ),
    CoverClass.DRY_SNOW: Level(
        -5.8, -13.8, 3.0, -0.08, -0.08,
        "VV: dry snow is nearly transparent; slopes of Tilicho in March, medians -6.3 to -7.1 dB (T019, "
        "T092, T158, n=10). VH: nearer to VV than on bare ground, as it rises with depth (Jans et al. "
        "2024, Remote Sensing of Environment, 114477); by how much is unverified.",
    ),
    CoverClass.WET_SNOW: Level(
        -9.5, -17.5, 3.0, -0.08, -0.08,
        "VV: slopes of Tilicho, medians -11.0 dB in April on T158 (n=2) against -7.1 in March and -7.0 in "
        "July, -10.1 in May on T019 (n=4) against -7.1 in March: 3 to 4 dB less; maps of wet snow use a "
        "threshold of -2 to -3 dB (Nagler et al. 2016, Remote Sensing 8(4) 348, number unverified). VH: "
        "as far below dry snow.",
    ),
    CoverClass.CALM_WATER: _water(
        0.0,
        f"{CALM_M_PER_S} m/s and less, by `water_db`. VV: a floor of {CALM_FLOOR_DB} dB and last ripples. "
        "VH: linear to no wind; the IW2 ocean crop below 4 m/s, noise taken out, -36.7 dB (n=12).",
    ),
    CoverClass.ROUGH_WATER: _water(
        ROUGH_M_PER_S,
        f"{ROUGH_M_PER_S} m/s, 45 degrees off the look direction, by `water_db`. Dates of the ocean crops "
        "have VV medians of -12 to -17 dB in most cases and -13.5 at most in IW2.",
    ),
    CoverClass.LAKE_ICE: Level(
        -12.8, -21.2, 2.0, -0.25, -0.1,
        "VV: ice before it melts; brightest medians of March and April at Tsho Rolpa, Chamlang and "
        "Tilicho, -12.1 to -13.5 dB, but -19 to -20 on two of Gokyo's tracks. Slope: Tilicho in March, "
        "-13.0 dB at 32 degrees, -14.4 and -16.3 at 44 and 43. VH: unverified, 8.3 dB below.",
    ),
    CoverClass.FRAZIL: Level(
        -10.0, -17.5, 2.0, -0.2, -0.1,
        "VV: between smooth slush, -16, and rough wet snow, -6 dB (ERS-1 on thin sea ice, 'Effect of "
        "frost flowers, rough saline snow and slush on the ERS-1 SAR backscatter'); the brightest scenes "
        "of any lake, Tilicho in April and May on T019, have medians of -8.8 to -9.3 dB. VH: unverified.",
    ),
}  # fmt: skip
"""Class -> level."""

SUMMER_DB = {CoverClass.ROCK: -0.6, CoverClass.DEBRIS: 1.7, CoverClass.MORAINE: 1.0}
"""July to September less January to April, VV: Chamlang -1.0 and -0.3, Ngozumpa 1.3 to 2.1, Tsho Rolpa 0.4
and 1.6 dB; Gokyo with its grass, which is no class, 1.9 to 3.3. VH is taken to do the same; unverified."""
TEXTURE_M = 50.0
"""Where the correlation of texture has fallen to a third: in summer means of chips over 10 tracks, less their
mean over 400 m, it is 0.30 to 0.56 at 40 m and 0.00 to 0.15 at 100 m, with standard deviations of 1.8 to 3.4
dB. Levels have more, for the filter of the chips leaves about three quarters of it (simulated); what terrain
leaves is in it."""

NEW_ICE_DB = {"vv": -17.0, "vh": -26.3}
"""Lake ice when it forms; before it melts it has the level of `CoverClass.LAKE_ICE`. VV: scenes have medians
of -16.2 dB in January (n=18), -16.0 in February (16), -15.0 in March (44), and those above -15 in April,
which are not open, -12.9 (11 of 26). New ice, before the first scene of January, is extrapolated. Bubbles and
cracks brighten it (ERS-1 near Barrow, NTRS 19960003126). VH is unverified."""
MELTING_DB = -4.5
"""What water on the ice adds in its last days: May has medians of -17 to -20 dB where April had -13 (Tsho
Rolpa, Chamlang, Ngozumpa); how much of that is water between floes is not known."""
ICE_SPREAD_DB = 1.7
"""Standard deviation between the medians of lakes and tracks: 1.7, 1.6, 2.2, 1.8 dB from January to April."""

NOISE_DB = {"IW1": -26.6, "IW2": -26.4, "IW3": -26.4}
"""Noise-equivalent gamma nought of VV and VH, which the processor takes off each single look and cuts at 0,
see `speckle`: from the looks that VH loses in 7 ocean crops of IW1 (-26.1 to -26.9) and 1 ocean and 6 land
crops of IW2 (-24.9 to -27.5). IW3 was not measured. Specified is a sigma nought of -22 dB or better (ESA)."""
LOOKS = 8.5
"""Equivalent looks, squared mean over variance, of a pixel on even ground far above the noise. Pairs of VV
scenes more than 300 days apart give 7.5 to 9.3 for 6 land crops of IW2 and 7.6 for one of IW1; what changed
on the ground lowers that."""
SPECKLE_KERNEL = {"y": (0.0955, 0.809, 0.0955), "x": (0.05, 0.9, 0.05)}
"""Weights of neighbours down and across the grid. They correlate speckle by 0.23 and 0.11 one pixel away,
0.03 across the corner, 0.01 two away. Measured on logarithms of ratios of those pairs: 0.19 to 0.27, 0.08 to
0.20 (0.29 in IW1), 0.03 to 0.07, 0.00 to 0.03 (VV and VH, 7 land crops)."""

DOUBLE_BOUNCE_DB = {"vv": -5.0, "vh": -14.5}
DOUBLE_BOUNCE_WIDTH_M = 45.0
DOUBLE_BOUNCE_SLOPE_DEG = 22.0
"""Power that a steep shore facing the radar adds near the water, how far inland, and from which slope on. VV:
the ring 20 to 60 m from such shores is 2.9 (Tsho Rolpa T121), 3.2 (Chamlang T012) and 4.2 dB (T085) brighter
than at the opposite shore; its brightest tenth has -2.8 to 4.8 dB. The slope is assumed; VH is unverified,
9.5 dB below, as double bounce depolarises little."""

LAKE_WIND_M_PER_S = {"morning": (2.9, 7.0), "evening": (4.6, 7.0)}
"""Mean and Weibull shape of the wind for which `water_db` gives the medians of the lakes from June to
September: descending passes (n=39) and ascending ones (n=55). It is an equivalent wind: fetch, shelter, the
filter of the chips and light from the slopes are in it. The shape leaves room for the wind's direction:
medians of one track scatter by 0.3 to 1.5 dB (standard deviation), the direction alone makes about 1 dB."""


def noise_db(band: str, incidence_deg: float) -> float:
    """Noise-equivalent gamma nought of ``vv`` or ``vh``, dB: the same for both, as far as known."""
    return NOISE_DB[subswath(incidence_deg)]


@dataclass(frozen=True)
class Season:
    """When something happens to lakes each year.

    Attributes
    ----------
    mean_doy
        Day of the year at `reference_m`: 1 is January 1st, below 1 is the year before.
    std_days
        Standard deviation from year to year.
    days_per_100_m
        How much later it is 100 m higher.
    reference_m
        Height above sea.
    source
        Where the numbers come from.
    """

    mean_doy: float
    std_days: float
    days_per_100_m: float
    reference_m: float
    source: str

    def day_after_july(self, elevation_m: float) -> float:
        """Mean day at a height, counted from August 1st, which is 0."""
        return self.mean_doy + 152.0 + self.days_per_100_m * (elevation_m - self.reference_m) / 100


FREEZE_UP = Season(
    0.0, 14.0, -1.8, 4765.0,
    "Middle of freeze-up by MODIS, 2001 to 2024: medians by lake from December 11th (Lower Barun, 4530 m) "
    "to January 22nd (Tsho Rolpa, 4555 m). Within a lake the start has a robust standard deviation of 9 "
    "to 21 days, part of which is the method's, with gaps filled. The shift is that of the start over 5 "
    "lakes and weak: depth and wind matter more. Of the chips none is from October to December.",
)  # fmt: skip
BREAK_UP = Season(
    121.0, 13.0, 6.6, 4765.0,
    "Middle of break-up by MODIS, 2001 to 2024: medians by lake from April 13th (Tsho Rolpa, 4555 m) to "
    "May 20th (Tilicho, 4910 m), robust standard deviation 7 to 16 days at Lower Barun and Tilicho, 22 to "
    "30 elsewhere. The shift is that of the start over 5 lakes. The chips agree: ice in March, ice or "
    "water in April, water in May, at Tilicho either in May.",
)  # fmt: skip
