"""Commit: results enter the store in time order, a series at a time, however their tasks finish."""

from __future__ import annotations

import heapq

import numpy as np
import xarray as xr

from glaciolake.catalog.store import Batch, Store
from glaciolake.pipeline.piece import Outcome
from glaciolake.pipeline.plan import Piece, SeriesPlan

LATE_SLICES = 128
"""Slices older than those stored that are gathered before a write, since each write moves all later ones."""


class SeriesWriter:
    """Writer of one series.

    Pieces come back in any order. Written as they come, the later would have to move each time; so a piece
    waits until those before it are there. A commit has a price of its own, so pieces are gathered; of those
    older than what is stored more, for they move all that is later. What has not been written when a run is
    killed is done again by the next one.

    Parameters
    ----------
    store
        Where to write.
    plan
        The series, and how many pieces it will have.
    """

    def __init__(self, store: Store, plan: SeriesPlan) -> None:
        self._store = store
        self._enough = plan.recipe.config.slices_per_commit
        self._header = plan.header
        self._last_time = store.last_time(plan.header.lake, plan.header.track)
        self._next = 0
        self._early: list[tuple[int, Outcome]] = []
        self._gathered: list[Outcome] = []

    def add(self, piece: Piece, outcome: Outcome) -> None:
        """Take a piece's result; write what can be written."""
        heapq.heappush(self._early, (piece.number, outcome))
        while self._early and self._early[0][0] == self._next:
            self._gathered.append(heapq.heappop(self._early)[1])
            self._next += 1
            enough = max(LATE_SLICES, self._enough) if self._is_late() else self._enough
            if sum(one.n_passes for one in self._gathered) >= enough:
                self.flush()

    def flush(self) -> None:
        """Write what has been gathered, in one transaction."""
        if not self._gathered:
            return
        slices = [one.slices for one in self._gathered if one.slices is not None]
        failed = {name: entry for one in self._gathered for name, entry in one.failed.items()}
        whole = xr.concat(slices, "time", join="exact") if slices else None
        self._store.commit(Batch(self._header, whole, failed))
        if whole is not None:
            newest = int(whole["time"].max())
            self._last_time = newest if self._last_time is None else max(newest, self._last_time)
        self._gathered = []

    def _is_late(self) -> bool:
        times = [one.slices["time"].values for one in self._gathered if one.slices is not None]
        return (
            bool(times) and self._last_time is not None and int(np.concatenate(times).min()) < self._last_time
        )
