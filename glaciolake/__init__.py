"""Glacial lakes of the Himalaya on Sentinel-1: every pass, per track, exactly once."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from glaciolake.catalog.store import open_lake as open_lake


def __getattr__(name: str) -> Any:
    """Load `open_lake` when it is asked for: importing the package reads nothing."""
    if name == "open_lake":
        from glaciolake.catalog.store import open_lake

        return open_lake
    raise AttributeError(f"module 'glaciolake' has no attribute {name!r}")
