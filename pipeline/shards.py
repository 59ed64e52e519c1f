"""Shards: the lakes of one store shared out among several runs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from glaciolake.catalog.lake import Lake
from glaciolake.pipeline.errors import PipelineError

FORM = re.compile(r"(\d+)/(\d+)")


def parse_shard(text: str) -> tuple[int, int]:
    """Read ``i/n``: the i-th of n shares, counted from 0.

    Raises
    ------
    ValueError
        It is of another form, or there is no such share.
    """
    match = FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"shard {text!r} is not of the form i/n, such as 0/8")
    index, n = int(match[1]), int(match[2])
    if index >= n:
        last = f"0/{n} to {n - 1}/{n}" if n else "0/1"
        raise ValueError(f"shard {text!r}: i counts from 0 and is less than n; give {last}")
    return index, n


def shard_of(lakes: Iterable[Lake], text: str) -> list[Lake]:
    """Lakes of one share: every n-th by id, so that the shares differ by one lake at most.

    Parameters
    ----------
    lakes
        All lakes, in any order.
    text
        ``i/n``; the n shares of the same lakes are disjoint and together complete.

    Raises
    ------
    PipelineError
        There are more shares than lakes, so that this one is empty.
    """
    index, n = parse_shard(text)
    ordered = sorted(lakes, key=lambda lake: lake.id)
    if index >= len(ordered):
        raise PipelineError(f"shard {text} of {len(ordered)} lakes is empty; take fewer shards")
    return ordered[index::n]
