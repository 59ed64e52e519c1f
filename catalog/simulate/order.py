"""What an archive is asked to be, checked before anything is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from glaciolake.catalog.errors import CatalogError, UnknownLake
from glaciolake.catalog.simulate.generated import PLACES, site_of_number, sites_of
from glaciolake.catalog.simulate.sites import EPOCH, SITES, Site

RECIPE = "archive.json"
"""Says what an archive was made of."""
PROFILES = ("himalaya",)
DAMAGES = ("truncated", "crs", "nan", "html")
LAST = date(2040, 1, 1)


@dataclass(frozen=True)
class Order:
    """What an archive is made of: the same order gives the same bytes.

    Attributes
    ----------
    sites
        Ids of its sites, in order.
    start, end
        First day, and the day after the last, UTC.
    seed
        Of everything that is drawn.
    damage
        Kind -> share of the granules that are broken so, 0..1.
    profile
        Climate, satellites and sites: ``himalaya``.
    """

    sites: tuple[str, ...]
    start: date
    end: date
    seed: int = 0
    damage: tuple[tuple[str, float], ...] = ()
    profile: str = "himalaya"


def make_order(
    lakes: int | Sequence[str],
    span: tuple[date, date],
    *,
    seed: int = 0,
    profile: str = "himalaya",
    damage: Mapping[str, float] | None = None,
) -> Order:
    """Check what is asked for.

    Parameters
    ----------
    lakes
        Number of sites, or their ids; a site holds one lake, that of Thame two.
    span
        First day, and the day after the last, UTC; from 2016 to 2039.
    seed
        0 or above.
    profile
        One of `PROFILES`.
    damage
        Kind of damage -> share of the granules, see `Order`.

    Raises
    ------
    CatalogError
        Where sites, dates, seed or shares make no archive; says which would.
    """
    start, end = span
    if end <= start:
        raise CatalogError(f"end {end} is not after start {start}; swap them")
    if start < EPOCH or end > LAST:
        raise CatalogError(f"{start} to {end} is not within {EPOCH} to {LAST}, for which lakes are simulated")
    if profile not in PROFILES:
        raise CatalogError(f"profile {profile!r} is unknown; give one of {', '.join(PROFILES)}")
    if seed < 0:
        raise CatalogError(f"seed {seed} is negative; give 0 or above")
    shares = dict(damage or {})
    for kind, share in shares.items():
        if kind not in DAMAGES or not 0 <= share <= 1:
            raise CatalogError(
                f"damage {kind}={share}: give one of {', '.join(DAMAGES)} and a share from 0 to 1"
            )
    if sum(shares.values()) > 1:
        raise CatalogError(
            f"damage shares add up to {sum(shares.values()):g}; a granule is broken once, at most"
        )
    return Order(tuple(_sites(lakes)), start, end, seed, tuple(sorted(shares.items())), profile)


def _sites(lakes: int | Sequence[str]) -> list[str]:
    if isinstance(lakes, int):
        try:
            return [one.id for one in sites_of(lakes)]
        except ValueError as error:
            _, _, remedy = str(error).partition("; ")  # it counts them as lakes, of which a site may hold two
            raise CatalogError(f"{lakes} sites cannot be simulated; {remedy}") from error
    wanted = [find_site(one).id for one in dict.fromkeys(lakes)]
    if not wanted:
        raise CatalogError(f"no site is asked for; give a number of sites, or some of {', '.join(SITES)}")
    return wanted


def find_site(name: str) -> Site:
    """Look up a site by its id, or say which there are."""
    if name in SITES:
        return SITES[name]
    number = name.removeprefix("sim-")
    if name.startswith("sim-") and number.isdecimal() and 1 <= int(number) <= len(PLACES):
        return site_of_number(int(number))
    raise UnknownLake(
        f"the simulated archive has no site {name!r}; it has {', '.join(SITES)} and sim-01 to "
        f"sim-{len(PLACES)}"
    )


def write_recipe(folder: Path, order: Order, *, complete: bool) -> None:
    """Record what an archive is made of: before its first granule, and once more when it is whole."""
    recipe = {
        "seed": order.seed,
        "profile": order.profile,
        "lakes": list(order.sites),
        "start": order.start.isoformat(),
        "end": order.end.isoformat(),
        "damage": dict(order.damage),
        "complete": complete,
    }
    part = folder / f".{RECIPE}.part"
    part.write_text(json.dumps(recipe) + "\n", encoding="utf-8")
    part.replace(folder / RECIPE)


def read_recipe(folder: Path) -> tuple[Order, bool] | None:
    """Tell what the archive in a folder is made of, and whether it is whole; None where there is none.

    Raises
    ------
    CatalogError
        Where its ``archive.json`` cannot be read.
    """
    path = folder / RECIPE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        order = Order(
            tuple(told["lakes"]),
            date.fromisoformat(told["start"]),
            date.fromisoformat(told["end"]),
            int(told["seed"]),
            tuple(sorted(told["damage"].items())),
            told["profile"],
        )
        return order, bool(told["complete"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CatalogError(
            f"{str(path)!r} cannot be read ({type(error).__name__}: {error}); delete the folder if "
            "'glaciolake simulate' wrote it, or give another"
        ) from error
