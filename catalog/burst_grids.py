"""The pixel grid of each OPERA burst: read once from a file's header, remembered in the user's cache folder.

OPERA fixes the grid of a burst once for all dates. Archive replies do not tell it, so that the header of one
file has to be opened; after that, searches complete their items without opening anything.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from glaciolake.catalog.credentials import HOW_TO, Credentials, gdal_options, is_earthdata
from glaciolake.catalog.errors import CatalogError, CredentialsMissing, SearchFailed
from glaciolake.catalog.items import Lattice
from glaciolake.catalog.names import canonical_burst

SPACING_M = 30.0
TRIES = 3
"""Files of one burst that are opened before its grid counts as unreadable."""
_FORMAT = 1
_LARGEST_PX = 20_000
_LOG = logging.getLogger(__name__)


def cache_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Folder for what can be fetched again: GLACIOLAKE_CACHE, or the system's place for caches."""
    if named := environ.get("GLACIOLAKE_CACHE"):
        return Path(named)
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "glaciolake" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "glaciolake"
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "glaciolake"


def is_archive(href: str) -> bool:
    """Whether an address is of the archive itself, whose files all have their burst's own grid, uncropped."""
    parts = urlsplit(href)
    return is_earthdata(href) or (parts.scheme == "s3" and parts.netloc.startswith("asf-cumulus-prod-opera"))


class BurstGrids:
    """Grids of bursts, from the cache or from a file's header.

    Parameters
    ----------
    folder
        Where ``burst_grids.json`` lies; made when first written. None takes `cache_folder`.
    credentials
        Login for headers in the archive; None where there is none.
    shared
        Tells addresses whose grid may be remembered for the burst. Cropped copies elsewhere have grids of
        their own, are read each time, and never enter the cache.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        credentials: Credentials | None = None,
        shared: Callable[[str], bool] = is_archive,
    ) -> None:
        self.path = (folder or cache_folder(os.environ, Path.home())) / "burst_grids.json"
        self._credentials = credentials
        self._shared = shared
        self._known: dict[str, Lattice] | None = None
        self._lock = threading.Lock()

    def lattice(self, burst: str, hrefs: Sequence[str]) -> Lattice:
        """Grid that all files of a burst share.

        Parameters
        ----------
        burst
            Canonical burst id.
        hrefs
            Addresses of rasters of that burst, of any date; opened in this order until one can be read.

        Raises
        ------
        SearchFailed
            Where none of the first few can be read; an item cannot be completed then.
        CredentialsMissing
            Where the archive has to be asked and there is no login.
        """
        if not all(self._shared(href) for href in hrefs[:TRIES]):
            return self._read(burst, hrefs)
        with self._lock:
            if self._known is None:
                self._known = _load(self.path)
            if burst in self._known:
                return self._known[burst]
        lattice = self._read(burst, hrefs)  # outside the lock: other bursts are read meanwhile
        with self._lock:
            # Another process may have learnt other bursts meanwhile; keep those too.
            self._known = _load(self.path) | self._known | {burst: lattice}
            _save(self.path, self._known)
        return lattice

    def _read(self, burst: str, hrefs: Sequence[str]) -> Lattice:
        reasons = []
        for href in hrefs[:TRIES]:
            try:
                return read_lattice(href, self._credentials)
            except SearchFailed as error:
                _LOG.warning("%s", error)
                reasons.append(str(error))
        last = reasons[-1] if reasons else "no file is known"
        raise SearchFailed(
            f"the grid of burst {burst} cannot be read, {len(reasons)} files tried; last: {last}"
        )


def read_lattice(href: str, credentials: Credentials | None = None) -> Lattice:
    """Read the grid in a raster's header, and nothing else of the file.

    Raises
    ------
    SearchFailed
        Where the file cannot be opened or its grid is none of OPERA's.
    CredentialsMissing
        Where the address is the archive's and there is no login.
    """
    import rasterio
    from rasterio.errors import RasterioError

    from glaciolake.catalog.read_again import check_header, password_of, read_again

    login, remote = is_earthdata(href), urlsplit(href).scheme not in ("", "file")
    if login and credentials is None:
        raise CredentialsMissing(f"{href} needs an Earthdata login; {HOW_TO}")
    with tempfile.TemporaryDirectory(prefix="glaciolake-") as cookies:
        options = gdal_options(credentials if login else None, Path(cookies))

        def read(more: dict[str, str]) -> Lattice:
            with rasterio.Env(**options, **more), rasterio.open(href) as raster:
                if remote:
                    check_header(raster)
                code = raster.crs.to_epsg() if raster.crs else None
                return Lattice(f"EPSG:{code}", tuple(raster.transform)[:6], tuple(raster.shape))

        try:
            found = read_again(read, href, password=password_of(options)) if remote else read({})
        except RasterioError as error:
            hint = f" (a login that is not accepted looks like this too; {HOW_TO})" if login else ""
            raise SearchFailed(f"cannot read the header of {href}: {error}{hint}") from error
    if problem := _problem(found):
        raise SearchFailed(f"{href} has no grid of OPERA's: {problem}")
    return found


def _problem(lattice: Lattice) -> str | None:
    """Say what keeps a lattice from being a burst's grid; None where nothing does."""
    a, b, c, d, e, f = lattice.transform
    if not lattice.crs.removeprefix("EPSG:").isdigit():
        return "it has no EPSG code"
    if (a, b, d, e) != (SPACING_M, 0.0, 0.0, -SPACING_M):
        return (
            f"its pixels are {a:g} x {-e:g} m, turned by ({b:g}, {d:g}); {SPACING_M:g} m, north up, is wanted"
        )
    if c % SPACING_M or f % SPACING_M:
        return f"its corner ({c}, {f}) is no multiple of {SPACING_M:g} m"
    if not all(1 <= side <= _LARGEST_PX for side in lattice.shape):
        return f"its shape is {lattice.shape}"
    return None


def _load(path: Path) -> dict[str, Lattice]:
    """Read the cache; what is damaged is dropped with a warning and will be fetched again."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']!r} is not {_FORMAT}")
        entries = dict(content["bursts"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        _LOG.warning("the cache %s is damaged (%s); it is built anew", path, error)
        return {}
    known: dict[str, Lattice] = {}
    for burst, entry in entries.items():
        try:
            known[canonical_burst(burst)] = _entry(entry)
        except (CatalogError, ValueError, KeyError, TypeError) as error:
            _LOG.warning(
                "the cache %s holds a damaged entry for %s (%s); it is fetched again", path, burst, error
            )
    return known


def _entry(entry: Mapping[str, Any]) -> Lattice:
    a, b, c, d, e, f = (float(value) for value in entry["transform"])
    rows, columns = (int(value) for value in entry["shape"])
    lattice = Lattice(str(entry["crs"]), (a, b, c, d, e, f), (rows, columns))
    if problem := _problem(lattice):
        raise ValueError(problem)
    return lattice


def _save(path: Path, known: Mapping[str, Lattice]) -> None:
    """Write the cache whole or not at all; a folder that cannot be written costs time, not the search."""
    bursts = {
        burst: {"crs": grid.crs, "transform": grid.transform, "shape": grid.shape}
        for burst, grid in sorted(known.items())
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=path.name, delete=False, encoding="utf-8"
        ) as file:
            json.dump({"format": _FORMAT, "bursts": bursts}, file, indent=1)
        Path(file.name).replace(path)
    except OSError as error:
        _LOG.warning(
            "the cache %s cannot be written (%s); grids will be fetched again next time", path, error
        )
