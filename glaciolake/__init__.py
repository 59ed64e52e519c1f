"""Glacial lakes of the Himalaya on Sentinel-1: every pass, per track, exactly once."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

READERS = ("open_store", "open_lake", "open_tracks", "area_series")

if TYPE_CHECKING:
    from glaciolake.catalog.readers import area_series as area_series
    from glaciolake.catalog.readers import open_lake as open_lake
    from glaciolake.catalog.readers import open_store as open_store
    from glaciolake.catalog.readers import open_tracks as open_tracks


def __getattr__(name: str) -> Any:
    """Load the readers when they are asked for: importing the package reads nothing."""
    if name in READERS:
        from glaciolake.catalog import readers

        return getattr(readers, name)
    raise AttributeError(f"module 'glaciolake' has no attribute {name!r}")
