"""Events: slices that are withdrawn or lost. Nothing is removed: an event is a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.store_layout import append_slices, group_of, read_headers
from glaciolake.catalog.store_merge import Derive, Known, Moment, stamped, write_derived
from glaciolake.catalog.store_snapshot import Snapshot
from glaciolake.catalog.store_table import Rows, Status, current, read_rows
from glaciolake.catalog.variables import BY_NAME


def withdraw_from(
    store: Any, path: str, reasons: Mapping[str, str], moment: Moment, derive: Derive | None
) -> bool:
    """Withdraw passes of a series, in every generation that shows them; False where none does.

    Parameters
    ----------
    store
        Writable Zarr store.
    path
        ``lake/track``.
    reasons
        Pass id -> why.
    moment
        When, and on top of what.
    derive
        Makes derived variables anew.

    Raises
    ------
    StoreError
        The series has never held such a pass, or has derived variables and `derive` is None.
    """
    group = group_of(zarr.open_group(store, mode="r+"), path)
    rows, headers = read_rows(group), read_headers(group)
    unknown = sorted(set(reasons) - set(map(str, rows.texts["pass_id"])))
    if unknown:
        raise StoreError(
            f"{path} never held {', '.join(unknown)}; 'glaciolake store history' lists its passes"
        )
    if derive is None and any(name in BY_NAME and BY_NAME[name].derived for name in rows.numbers):
        raise StoreError(f"{path} has derived variables, which a withdrawal changes; give derive")
    shown = np.concatenate([current(rows, header.recipe) for header in headers])
    hit = shown[np.isin(rows.texts["pass_id"][shown].astype(str), sorted(reasons))]
    if not hit.size:
        return False
    append_events(group, rows.take(hit), Status.WITHDRAWN, reasons, moment)
    if derive is not None:
        for header in headers:
            write_derived(group, header, derive)
    return True


def append_events(
    group: zarr.Group, of: Rows, status: Status, reasons: Mapping[str, str], moment: Moment
) -> None:
    """Append a row for each of the rows `of`, with a status and, by pass, a reason; it has no pixels."""
    known = Known()
    known.update(group)
    numbers = {name: of.numbers[name] for name in ("time", "granules_created")}
    texts = {name: of.texts[name] for name in ("recipe", "pass_id", "version", "granules")}
    texts["reason"] = np.array([reasons[str(one)] for one in of.texts["pass_id"]], dtype=object)
    rows = stamped(Rows(numbers, texts), group, "", moment, known)
    rows.numbers["status"][:] = float(status)
    append_slices(group, rows, None)


def slices_made_of(state: Snapshot, granule: str) -> dict[tuple[str, str], list[str]]:
    """Find the slices that readers see, in any generation, and that a granule is part of.

    Returns
    -------
    dict
        (lake, track) -> pass ids, sorted.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for lake, tracks in state.series().items():
        for track in tracks:
            _, rows, headers = state.require(lake, track)
            shown = np.concatenate([current(rows, header.recipe) for header in headers])
            made = [at for at in shown if granule in rows.texts["granules"][at].split()]
            if made:
                found[lake, track] = sorted({str(rows.texts["pass_id"][at]) for at in made})
    return found
