"""What a store remembers of scenes it could not use: passes that failed, and files that were refused."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import zarr

from glaciolake.catalog.errors import UnknownName
from glaciolake.catalog.names import parse_name

Entries = Mapping[str, Mapping[str, str]]
"""Pass (lake/track/pass id) or name of a file -> kind, reason and what else is known."""


def read_quarantine(root: zarr.Group) -> dict[str, dict[str, str]]:
    """Entries that the root of a store holds."""
    return dict(json.loads(str(root.attrs.get("quarantine", "{}"))))


def write_quarantine(root: zarr.Group, entries: Entries) -> bool:
    """Put `entries` in place of those stored; False where they are the same and nothing was written."""
    text = json.dumps({key: dict(entries[key]) for key in sorted(entries)}, sort_keys=True)
    if text == root.attrs.get("quarantine", "{}"):
        return False
    root.attrs["quarantine"] = text
    return True


def with_refused(
    entries: Entries, refused: Mapping[str, str], source: str, used: Collection[str]
) -> dict[str, dict[str, str]]:
    """Entries after a run in which `source` refused some files (name -> reason) and used some granules.

    A run looks at a few lakes and days only: a refusal that it does not repeat still stands, unless its
    granule was used. A name that says nothing of place and time is listed by its source in every run.
    """
    used = set(used)
    kept = {}
    for key, entry in entries.items():
        granule = _granule(key)
        settled = (granule or Path(key).stem) in used
        gone = granule is None and entry.get("source", "") == source
        if entry["kind"] != "refused" or not (settled or gone):
            kept[key] = dict(entry)
    return kept | {
        name: {"kind": "refused", "reason": reason, "source": source} for name, reason in refused.items()
    }


def _granule(name: str) -> str | None:
    try:
        return parse_name(Path(name).name).granule
    except UnknownName:
        return None
