"""Comparing stores: everything that was measured, nothing of when it was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glaciolake.catalog.store import Store

WRITTEN_WHEN = {"created", "updated", "date_created", "date_modified", "history"}
"""Attributes that tell of the writing."""


def differences(url: str, other: str) -> list[str]:
    """Name every series, variable, coordinate and attribute in which two stores differ; empty: none."""
    one, two = Store.open(url), Store.open(other)
    if one.series() != two.series():
        return [f"series {one.series()} and {two.series()}"]
    return [
        f"{lake}/{track}: {what}"
        for lake, tracks in one.series().items()
        for track in tracks
        for what in _of_series(one, two, lake, track)
    ]


def _of_series(one: Store, two: Store, lake: str, track: str) -> Iterator[str]:
    here, there = (store.read(lake, track).load() for store in (one, two))
    if set(here.variables) != set(there.variables):
        yield f"variables {sorted(map(str, here.variables))} and {sorted(map(str, there.variables))}"
        return
    for name in here.variables:
        left, right = here[name], there[name]
        if left.dtype != right.dtype or left.dims != right.dims or left.shape != right.shape:
            yield f"{name} is {left.dtype} {left.sizes} and {right.dtype} {right.sizes}"
        elif not _same(left.values, right.values):
            yield f"values of {name}"
        elif str(left.attrs) != str(right.attrs):
            yield f"attributes of {name}"
    keys = (set(here.attrs) | set(there.attrs)) - WRITTEN_WHEN
    yield from (f"attribute {key}" for key in sorted(keys) if here.attrs.get(key) != there.attrs.get(key))


def _same(left: NDArray[Any], right: NDArray[Any]) -> bool:
    if left.dtype.kind in "fcmM":
        return bool(np.array_equal(left, right, equal_nan=True))
    return bool(np.array_equal(left, right))
