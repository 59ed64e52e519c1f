"""From what a user typed to a source."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.request import Source

if TYPE_CHECKING:
    from glaciolake.catalog.burst_grids import BurstGrids
    from glaciolake.catalog.credentials import Credentials

FORMS = (
    "a folder of RTC GeoTIFFs; the path or address of a catalog.json or collection.json; the address of a "
    "STAC API (https://...); 'asf' for the archive by asf_search; 'cmr-stac' for the archive by CMR-STAC"
)


def open_source(where: str, *, credentials: Credentials | None = None) -> Source:
    """Open a source; nothing is read or searched yet.

    Parameters
    ----------
    where
        One of `FORMS`.
    credentials
        Earthdata login for the archive; None looks for one, see `credentials.find_credentials`.

    Returns
    -------
    Source
        Answers a `Request` with complete items.

    Raises
    ------
    CatalogError
        Where the text is none of these forms.
    """
    # Imported where they are needed: a folder needs no network library, and each of those takes a second.
    if where == "asf":
        from glaciolake.catalog.asf import AsfSource

        return AsfSource(_grids(credentials))
    if where == "cmr-stac":
        from glaciolake.catalog.stac import CMR_STAC, StacSource

        return StacSource(CMR_STAC, grids=_grids(credentials))
    if urlsplit(where).scheme in ("http", "https") or Path(where).suffix == ".json":
        from glaciolake.catalog.stac import StacSource

        return StacSource(_address(where), grids=_grids(credentials))
    if where and Path(where).expanduser().is_dir():
        from glaciolake.catalog.folder import FolderSource

        return FolderSource(Path(where).expanduser())
    raise CatalogError(f"{where!r} is no source that exists; give {FORMS}")


def _address(where: str) -> str:
    """Address, or path of a file that is there."""
    if "://" in where:
        return where
    path = Path(where).expanduser()
    if not path.is_file():
        raise CatalogError(f"{where!r} does not exist; give {FORMS}")
    return str(path)


def _grids(credentials: Credentials | None) -> BurstGrids:
    from glaciolake.catalog.burst_grids import BurstGrids
    from glaciolake.catalog.credentials import find_credentials

    return BurstGrids(credentials=credentials or find_credentials(os.environ, Path.home()))
