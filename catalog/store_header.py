"""Header: what all slices of one generation of a series share, and when two ways may not be mixed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from pyproj import CRS

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.granule import OrbitState

SOURCE = "Sentinel-1 RTC gamma nought; contains modified Copernicus Sentinel data"
SIMULATED_SOURCE = "simulated scenes, not the real lake"


@dataclass(frozen=True)
class SeriesHeader:
    """What all slices of a series share.

    Attributes
    ----------
    lake, lake_name, track, orbit_state
        ``tsho-rolpa``, ``Tsho Rolpa``, ``T121``, ``descending``.
    crs, transform, shape
        Grid: ``EPSG:32645``, affine (a, b, c, d, e, f) in metres, (rows, columns).
    model_name, model_sha256
        Network that made the series.
    settings
        Processing settings as JSON with sorted keys.
    settings_digest
        Digest of everything that shapes a value: settings, outline, grid, network.
    simulated
        Whether the scenes are simulated; a series is one or the other.
    record
        What a network of records is told of all other dates, as text; drawn once, when a generation begins.
        Empty for a network of single images.
    """

    lake: str
    lake_name: str
    track: str
    orbit_state: OrbitState
    crs: str
    transform: tuple[float, float, float, float, float, float]
    shape: tuple[int, int]
    model_name: str
    model_sha256: str
    settings: str
    settings_digest: str
    simulated: bool = False
    record: str = ""

    @property
    def recipe(self) -> str:
        """Name of the generation: ``<settings digest>-<first of the network's SHA-256>``."""
        return f"{self.settings_digest}-{self.model_sha256[:8]}"

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> SeriesHeader:
        """Header out of its JSON form."""
        return cls(**{**stored, "transform": tuple(stored["transform"]), "shape": tuple(stored["shape"])})

    def stored(self) -> dict[str, Any]:
        """JSON form; without a record where there is none, so that earlier versions can read it."""
        found = dict(self.__dict__)
        if not self.record:
            del found["record"]
        return found

    def attributes(self) -> dict[str, Any]:
        """CF attributes of the series that readers get."""
        return {
            "Conventions": "CF-1.11",
            "title": f"{self.lake_name}, track {self.track} ({self.orbit_state})",
            "source": SIMULATED_SOURCE if self.simulated else SOURCE,
            "lake": self.lake,
            "lake_name": self.lake_name,
            "track": self.track,
            "orbit_state": self.orbit_state,
            "model": self.model_name,
            "model_sha256": self.model_sha256,
            "settings": self.settings,
            "generation": self.recipe,
            "header": json.dumps(self.stored(), sort_keys=True),
        }

    def coordinates(self) -> dict[str, xr.DataArray]:
        """CF coordinates of the grid: ``x``, ``y`` (pixel centres, metres) and ``spatial_ref``."""
        a, _, c, _, e, f = self.transform
        rows, columns = self.shape
        crs = CRS.from_user_input(self.crs)
        grid = crs.to_cf() | {"GeoTransform": f"{c} {a} 0 {f} 0 {e}", "spatial_ref": crs.to_wkt()}
        meta = {axis: {"standard_name": f"projection_{axis}_coordinate", "units": "m"} for axis in "xy"}
        return {
            "x": xr.DataArray(c + a * (np.arange(columns) + 0.5), dims="x", attrs=meta["x"]),
            "y": xr.DataArray(f + e * (np.arange(rows) + 0.5), dims="y", attrs=meta["y"]),
            "spatial_ref": xr.DataArray(np.int64(0), attrs=grid),
        }

    def check_same(self, stored: SeriesHeader, url: str) -> None:
        """Refuse to mix two ways of making a series.

        Raises
        ------
        StoreError
            Grid, network or settings differ from `stored`; the message names both.
        """
        self.check_grid(stored, url)
        where = f"series {self.lake}/{self.track} in store {url!r}"
        cure = (
            "Use the same one, give another store, or run with --new-generation (new_generation: true) to "
            "keep both apart in this one; series made in two ways are never mixed"
        )
        if self.model_sha256 != stored.model_sha256:
            raise StoreError(
                f"{where} was made with model {stored.model_name} ({stored.model_sha256[:12]}), this run "
                f"uses {self.model_name} ({self.model_sha256[:12]}). {cure}"
            )
        if self.settings_digest != stored.settings_digest:
            raise StoreError(f"{where} was made with {self._difference(stored)}. {cure}")

    def check_grid(self, stored: SeriesHeader, url: str) -> None:
        """Refuse what no two generations of a series may differ in.

        Raises
        ------
        StoreError
            The grid is another, or one of the two is simulated.
        """
        where = f"series {self.lake}/{self.track} in store {url!r}"
        cure = "Use the same one, or give another store; series made in two ways are never mixed"
        if (self.crs, self.shape) != (stored.crs, stored.shape) or not np.allclose(
            self.transform, stored.transform, atol=1e-3
        ):
            raise StoreError(
                f"{where} lies on grid {stored.crs} {stored.transform} {stored.shape}, the new slices on "
                f"{self.crs} {self.transform} {self.shape}. {cure}"
            )
        if self.simulated != stored.simulated:
            raise StoreError(f"{where}: one of the two is simulated, and the other is not. {cure}")

    def _difference(self, stored: SeriesHeader) -> str:
        """Put into words which settings differ, old and new."""
        old, new = _flat(stored.settings), _flat(self.settings)
        keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
        if not keys:
            return (
                f"settings equal to this run's, but code or inputs beside the settings differ (digest "
                f"{stored.settings_digest}, this run {self.settings_digest})"
            )
        was, now = (", ".join(f"{key} = {one.get(key, 'absent')}" for key in keys) for one in (old, new))
        return f"settings {was}, this run uses {now}"


def check_allowed(
    header: SeriesHeader, stored: Sequence[SeriesHeader], url: str, *, new_generation: bool
) -> bool:
    """Check that slices of `header` may enter a series; True where they begin a new generation of it.

    Parameters
    ----------
    header
        Of the slices.
    stored
        Generations of the series, oldest first.
    url
        Address of the store, for the message.
    new_generation
        Whether a further generation may begin.

    Raises
    ------
    StoreError
        They lie on another grid, or are made in another way, and no new generation was asked for.
    """
    if not stored:
        return False
    header.check_grid(stored[-1], url)
    if any(header.recipe == one.recipe for one in stored):
        return False
    if not new_generation:
        header.check_same(stored[-1], url)
    return True


def _flat(settings: str) -> dict[str, str]:
    """Open nested settings: dotted key -> JSON text of the value."""

    def opened(prefix: str, value: object) -> dict[str, str]:
        if not isinstance(value, dict) or not value:
            return {prefix: json.dumps(value, sort_keys=True)}
        parts = (opened(f"{prefix}.{key}" if prefix else str(key), one) for key, one in value.items())
        return {key: text for part in parts for key, text in part.items()}

    return opened("", json.loads(settings))
