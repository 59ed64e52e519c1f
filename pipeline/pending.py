"""Pending: what is left to do of one lake and track, and what must not be done now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from glaciolake.catalog.addresses import without_secrets
from glaciolake.catalog.errors import UnknownName
from glaciolake.catalog.granule import Granule, track_name
from glaciolake.catalog.names import RtcName, parse_name
from glaciolake.catalog.request import Refused
from glaciolake.catalog.store_header import SeriesHeader
from glaciolake.catalog.store_snapshot import Snapshot
from glaciolake.pipeline.config import digest
from glaciolake.pipeline.passes import Pass, solar_day

LATTICE_SUFFIX = 9
"""Characters that an item of a crop has beyond its product's name: ``_`` and eight hex digits."""

Failure = dict[str, str]


@dataclass(frozen=True)
class Held:
    """What the store holds of a series.

    Attributes
    ----------
    versions
        Pass id -> digests of all its versions, superseded and withdrawn ones too: none is made again.
    granules
        Pass id -> names of the granules of the current one, separated by spaces.
    failed
        Pass id -> entry of the quarantine.
    """

    versions: Mapping[str, Collection[str]]
    granules: Mapping[str, str]
    failed: Mapping[str, Mapping[str, str]]


def held_of(state: Snapshot, header: SeriesHeader) -> Held:
    """Look up what a store holds of the generation that `header` describes."""
    prefix = f"{header.lake}/{header.track}/"
    failed = {
        key.removeprefix(prefix): entry for key, entry in state.quarantine().items() if key.startswith(prefix)
    }
    return Held(*state.held(header), failed)


@dataclass
class Sorted:
    """Passes, by what is to be done with them.

    Attributes
    ----------
    pending
        To be made, in time order.
    stored
        Number that the store holds in this version.
    withheld
        Pass id -> entry of the quarantine, for passes of which the source offers less than there is.
    known_empty
        Passes among the pending that held no data the last time; they are read again, and raise no alarm.
    """

    pending: list[Pass] = field(default_factory=list)
    stored: int = 0
    withheld: dict[str, Failure] = field(default_factory=dict)
    known_empty: set[str] = field(default_factory=set)


def slice_version(one: Pass, header: SeriesHeader) -> str:
    """Version of a slice: changes when a granule is added, removed or reprocessed, or the recipe changes."""
    return digest(one.version_digest, header.settings_digest)


def failure(kind: str, reason: str, version: str) -> Failure:
    """Entry of the quarantine; the version lets a later run see whether anything has changed."""
    return {"kind": kind, "reason": without_secrets(reason), "version": version}


def sort_passes(
    passes: Sequence[Pass], header: SeriesHeader, held: Held, broken: Mapping[str, Refused]
) -> Sorted:
    """Decide what is to be done with every pass.

    A pass is withheld where a granule of it is known and cannot be used, or where the store has seen more of
    it than the source offers now: half a view never replaces a whole one.

    Parameters
    ----------
    passes
        Of one lake and track, in time order.
    header
        The series they belong to.
    held
        What the store holds of it.
    broken
        Pass id -> a granule of it that had to be refused; see `broken_passes`.
    """
    found = Sorted()
    for one in passes:
        version = slice_version(one, header)
        lost = [
            name for name in held.granules.get(one.id, "").split() if not _still_there(name, one.granules)
        ]
        if version in held.versions.get(one.id, ()):
            found.stored += 1
        elif one.id in broken:
            reason = f"{broken[one.id].name}: {broken[one.id].reason}"
            found.withheld[one.id] = failure("refused", reason, version)
        elif lost:
            reason = (
                f"stored with {', '.join(lost)}, which the source no longer offers; the slice stays as it is"
            )
            found.withheld[one.id] = failure("less", reason, version)
        else:
            found.pending.append(one)
            entry = held.failed.get(one.id, {})
            if entry.get("kind") == "empty" and entry.get("version") == version:
                found.known_empty.add(one.id)
    return found


def broken_passes(
    refused: Iterable[Refused], passes: Sequence[Pass], bursts: Iterable[str], longitude_deg: float
) -> dict[str, Refused]:
    """Find the passes that lack a granule because its file had to be refused.

    Parameters
    ----------
    refused
        What the source could not offer.
    passes
        Of one lake and track.
    bursts
        Canonical ids of the bursts over the lake; others are none of its business.
    longitude_deg
        The lake's longitude, which tells the day of a pass.

    Returns
    -------
    dict
        Pass id -> the refused file; none where another processing of the same granule is at hand.
    """
    known, over = {one.id: one for one in passes}, set(bursts)
    found: dict[str, Refused] = {}
    for one in refused:
        name = _parsed(Path(one.name).name)
        if name is None or name.burst not in over or name.relative_orbit is None:
            continue
        day = solar_day(name.sensing_start, longitude_deg)
        owner = known.get(f"{track_name(name.relative_orbit)}_{name.sensor}_{day:%Y%m%d}")
        if owner is not None and not any(_same_place(granule, name) for granule in owner.granules):
            found.setdefault(owner.id, one)
    return found


def _still_there(stored: str, granules: Sequence[Granule]) -> bool:
    """Whether a stored granule, or a later processing of it, is among those offered."""
    if any(granule.name == stored for granule in granules):
        return True
    name = _parsed(stored) or _parsed(stored[:-LATTICE_SUFFIX])
    if name is None:
        return False
    return any(
        _same_place(granule, name)
        and not (name.created and granule.created and granule.created < name.created)
        for granule in granules
    )


def _same_place(granule: Granule, name: RtcName) -> bool:
    return (granule.burst, granule.sensor, granule.sensing_start) == (
        name.burst,
        name.sensor,
        name.sensing_start,
    )


def _parsed(text: str) -> RtcName | None:
    try:
        return parse_name(text)
    except UnknownName:
        return None
