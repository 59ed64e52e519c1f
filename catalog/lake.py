"""The lake, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from shapely.geometry import Polygon


@dataclass(frozen=True)
class Lake:
    """One lake of the registry.

    Attributes
    ----------
    id
        Short name used on the command line and in the store: ``tsho-rolpa``.
    name
        Common name.
    icimod_id
        ``GL086476E27861N`` where the ICIMOD inventory has it, else None.
    longitude_deg, latitude_deg
        Representative point on the water, WGS 84.
    elevation_m
        Water level above sea.
    area_km2
        Published area; what and when is in `area_source`.
    area_source
        Citation of the area.
    outline
        Reference outline, lon/lat degrees. It decides which water belongs to the lake and which share of it
        was seen; it does not enter the area.
    outline_source
        How the outline was made.
    aoi
        Area to read, lon/lat degrees; at least 1 km around the outline, so that growth is not cut.
    tracks
        Relative orbits that cover the whole outline; empty for "all that come".
    hidden_tracks
        Those of them from which terrain hides the lake; a run leaves them out unless they are asked for.
    bursts
        Canonical OPERA burst ids over the lake; empty for "all that come".
    notes
        What a reader of its areas must know.
    """

    id: str
    name: str
    icimod_id: str | None
    longitude_deg: float
    latitude_deg: float
    elevation_m: float
    area_km2: float
    area_source: str
    outline: Polygon
    outline_source: str
    aoi: Polygon
    tracks: tuple[int, ...] = ()
    bursts: tuple[str, ...] = ()
    notes: str = ""
    hidden_tracks: tuple[int, ...] = ()

    @property
    def seeing_tracks(self) -> tuple[int, ...]:
        """Tracks that see the lake; empty for "all that come"."""
        return tuple(track for track in self.tracks if track not in self.hidden_tracks)
