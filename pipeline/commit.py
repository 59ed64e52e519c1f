"""Commit: results enter the store a series at a time, gathered, in whatever order their tasks finish."""

from __future__ import annotations

from functools import partial

import xarray as xr

from glaciolake.catalog.store import Batch, Store
from glaciolake.models.area_interval import interval_factor
from glaciolake.pipeline.derive import derive
from glaciolake.pipeline.piece import Outcome
from glaciolake.pipeline.plan import SeriesPlan


class SeriesWriter:
    """Writer of one series.

    A commit has a price of its own, so results are gathered. What has not been written when a run is killed
    is done again by the next one: at most ``slices_per_commit`` slices of a series and what is in flight.

    Parameters
    ----------
    store
        Where to write.
    plan
        The series.
    """

    def __init__(self, store: Store, plan: SeriesPlan) -> None:
        self._store = store
        self._config = plan.recipe.config
        self._header = plan.header
        self._derive = partial(
            derive,
            elevation_m=plan.recipe.lake.elevation_m,
            rules=self._config.rules,
            factor=interval_factor(plan.recipe.ref),
        )
        self._gathered: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        """Take a piece's result; write when enough has been gathered."""
        self._gathered.append(outcome)
        if sum(one.n_passes for one in self._gathered) >= self._config.slices_per_commit:
            self.flush()

    def flush(self) -> None:
        """Write what has been gathered, in one transaction."""
        if not self._gathered:
            return
        slices = [one.slices for one in self._gathered if one.slices is not None]
        failed = {name: entry for one in self._gathered for name, entry in one.failed.items()}
        whole = xr.concat(slices, "time", join="exact").sortby("time") if slices else None
        new = self._config.new_generation
        self._store.commit(Batch(self._header, whole, failed, self._derive, new_generation=new))
        self._gathered = []
