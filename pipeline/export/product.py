"""What a writer of an export is given: one series, and what lies beside it."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr


@dataclass(frozen=True)
class Product:
    """One series that is being exported.

    Attributes
    ----------
    series
        As of `glaciolake.open_lake`, cut to the days that were asked for.
    beside
        Format -> name of what is written beside it, from the same state and days.
    models
        Name of the network -> folder beside it that holds its item; empty where it is not one of ours.
    """

    series: xr.Dataset
    beside: dict[str, str]
    models: dict[str, str]

    @property
    def lake(self) -> str:
        """Lake id, ``tsho-rolpa``."""
        return str(self.series.attrs["lake"])

    @property
    def track(self) -> str:
        """Relative orbit, ``T121``."""
        return str(self.series.attrs["track"])

    @property
    def stem(self) -> str:
        """What all names of its exports begin with: tracks are never mixed."""
        return f"{self.lake}_{self.track}"
