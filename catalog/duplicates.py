"""Several processings of one acquisition: the newest wins, the loser stays known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime

import pystac
from shapely.geometry import shape

from glaciolake.catalog.granule import Granule
from glaciolake.catalog.items import granule_of

_SAME_FOOTPRINT = 0.99
"""Share of an older footprint that a newer one must cover to replace it. Less than one, because a burst grid
moved by a pixel is the same burst; so much, because crops around two lakes are not one footprint."""

_NEVER = datetime.min.replace(tzinfo=UTC)


def newest(items: Iterable[pystac.Item]) -> tuple[tuple[pystac.Item, ...], tuple[pystac.Item, ...]]:
    """Split items into those to use and those that a newer processing of the same acquisition replaces.

    Same acquisition means the same sensor, sensing start and footprint: of the same burst or of none, and the
    newer lattice covers the older. The latest `created` wins; equal or unknown times are settled by the id
    that sorts last, so that the answer does not depend on the order of the search.

    Parameters
    ----------
    items
        Items that `granule_of` can read, in any order.

    Returns
    -------
    kept, superseded
        Both sorted by (sensing start, id).
    """
    passes: dict[tuple[object, ...], list[tuple[Granule, pystac.Item]]] = defaultdict(list)
    for granule, item in _once(items):
        passes[granule.sensor, granule.sensing_start, granule.burst].append((granule, item))
    kept: list[pystac.Item] = []
    superseded: list[pystac.Item] = []
    for group in passes.values():
        winners: list[pystac.Item] = []
        for _, item in sorted(
            group, key=lambda pair: (pair[0].created or _NEVER, pair[0].name), reverse=True
        ):
            replaced = any(replaces(winner, item) for winner in winners)
            (superseded if replaced else winners).append(item)
        kept.extend(winners)
    return tuple(sorted(kept, key=_order)), tuple(sorted(superseded, key=_order))


def _once(items: Iterable[pystac.Item]) -> list[tuple[Granule, pystac.Item]]:
    """Drop repetitions of an item; of copies at two addresses the one that sorts first stays."""
    found: dict[str, tuple[Granule, pystac.Item]] = {}
    for item in items:
        granule = granule_of(item)
        if item.id not in found or granule.hrefs < found[item.id][0].hrefs:
            found[item.id] = granule, item
    return list(found.values())


def replaces(newer: pystac.Item, older: pystac.Item) -> bool:
    """Whether, of two items of one pass, the newer shows the older's ground; crops of one product do not."""
    if _product(newer) == _product(older):
        return False
    old, new = shape(older.geometry or {}), shape(newer.geometry or {})
    return bool(old.intersection(new).area >= _SAME_FOOTPRINT * old.area)


def _product(item: pystac.Item) -> str:
    """Return the producer's name of the granule, which crops of it share."""
    return str(item.properties.get("glaciolake:granule", item.id))


def _order(item: pystac.Item) -> tuple[datetime, str]:
    """Sort key; `newest` has already seen that the datetime is there."""
    return item.datetime or _NEVER, item.id
