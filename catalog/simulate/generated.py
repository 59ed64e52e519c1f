"""Further sites, drawn by number: for archives that are to be large rather than true to a place."""

from __future__ import annotations

from datetime import date

import numpy as np

from glaciolake.catalog.simulate.sites import SITES, Basin, Event, Site, Wall

PLACES = tuple(
    (round(86.30 + 0.115 * column, 4), round(27.66 + 0.085 * row, 4))
    for row in range(6)
    for column in range(8)
)
"""Centres (lon, lat), degrees: a lattice of 11 km by 9 km over Khumbu and Rolwaling, under three tracks."""
TRACKS = (12, 85, 121)
STEEPEST_LOOK_DEG = 31.0
HIDDEN_SHARE = 0.3
"""A wall is so high that even the steepest look folds it over this share of the lake's width, at most."""
SCENARIOS = ("none", "none", "full_drainage", "slow_leak", "partial_drainage")


def site_of_number(number: int) -> Site:
    """Draw the `number`-th generated site, counted from 1: the same whichever the archive's seed.

    Parameters
    ----------
    number
        1 to the number of `PLACES`.
    """
    rng = np.random.default_rng([20160414, number])
    longitude_deg, latitude_deg = PLACES[number - 1]
    area_m2 = float(np.round(np.exp(rng.uniform(np.log(0.08e6), np.log(2.0e6))), -3))
    slenderness = rng.uniform(1.2, 5.0)
    width_m = float(np.sqrt(area_m2 / slenderness))
    axis_deg = float(rng.uniform(0, 360))
    name = f"sim-{number:02d}"
    basin = Basin(
        name,
        area_m2,
        width_m * slenderness,
        width_m,
        axis_deg,
        level_m=float(np.round(rng.uniform(4400, 5200))),
        depth_m=float(np.round(0.12 * np.sqrt(area_m2))),
        bank=float(rng.uniform(0.3, 0.6)),
        growth_m_per_year=float(rng.choice([0, 0, 10, 25])),
        events=_events(SCENARIOS[number % len(SCENARIOS)], 0.12 * np.sqrt(area_m2), rng),
    )
    slope_deg = float(rng.uniform(36, 58))
    folded = 1 / np.tan(np.radians(STEEPEST_LOOK_DEG)) - 1 / np.tan(np.radians(slope_deg))
    height_m = float(min(rng.uniform(250, 550), HIDDEN_SHARE * width_m / max(folded, 0.05)))
    wall = Wall(float(rng.uniform(0, 360)), slope_deg, height_m)
    size_px = int(np.ceil((width_m * slenderness + 2600) / 30 / 8)) * 8
    return Site(
        name, f"Simulated lake {number}", longitude_deg, latitude_deg, size_px, TRACKS, (basin,), (wall,)
    )


def _events(kind: str, depth_m: float, rng: np.random.Generator) -> tuple[Event, ...]:
    """Scenario of a site: one event in the years 2018 to 2024, in the season in which such things happen."""
    day = date(int(rng.integers(2018, 2025)), int(rng.integers(6, 11)), int(rng.integers(1, 28)))
    if kind == "full_drainage":
        later = date(day.year + 1, 6, 1)
        return (
            Event(kind, day, 1, -0.97 * depth_m, "the dam breaks to its foot"),
            Event("refilling", later, 80, -0.3 * depth_m, "a smaller lake forms again"),
        )
    if kind == "slow_leak":
        return (Event(kind, day, 400, -0.12 * depth_m, "water seeps through the dam"),)
    if kind == "partial_drainage":
        return (Event(kind, day, 1, -0.2 * depth_m, "the dam is cut by an overflow"),)
    return ()


def sites_of(n_sites: int) -> tuple[Site, ...]:
    """First sites of the archive: those with names, then generated ones, none of them near a named one.

    Raises
    ------
    ValueError
        Where there are not so many.
    """
    named = tuple(SITES.values())
    free = [number for number in range(1, len(PLACES) + 1) if _far_from(named, PLACES[number - 1])]
    if not 1 <= n_sites <= len(named) + len(free):
        raise ValueError(f"{n_sites} sites cannot be simulated; give 1 to {len(named) + len(free)}")
    further = free[: max(0, n_sites - len(named))]
    return named[:n_sites] + tuple(site_of_number(number) for number in further)


def _far_from(sites: tuple[Site, ...], place: tuple[float, float]) -> bool:
    """Whether a place lies more than 0.07 degrees from all sites, so that their squares do not meet."""
    return all(
        max(abs(place[0] - one.longitude_deg), abs(place[1] - one.latitude_deg)) > 0.07 for one in sites
    )
