"""A folder of RTC GeoTIFFs, OPERA or HyP3, as a source."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pystac
from rasterio.errors import NotGeoreferencedWarning
from shapely.geometry import shape

from glaciolake.catalog.duplicates import newest
from glaciolake.catalog.errors import CatalogError, UnknownName
from glaciolake.catalog.granule import Band
from glaciolake.catalog.headers import Damaged, Header, read_header
from glaciolake.catalog.items import BandFile, Lattice, granule_of, make_item, multihash
from glaciolake.catalog.names import RtcName, parse_name
from glaciolake.catalog.request import Found, Refused, Request

logger = logging.getLogger("glaciolake.catalog.folder")

_THREADS = 8
_EXPECTED = (
    "OPERA RTC-S1 (OPERA_L2_RTC-S1_T012-023790-IW1_..._v1.0_VV.tif) or "
    "HyP3 RTC files (S1A_IW_..._RTC20_G_gpuned_..._VV.tif), at any depth"
)


@dataclass(frozen=True)
class FolderSource:
    """Every RTC GeoTIFF under a folder, at any depth.

    Only headers are read, and nothing is written. A granule of which any file is damaged is left out whole
    and the file is reported: a slice made without its mask or a polarisation would not be noticed later.

    Attributes
    ----------
    path
        The folder.
    """

    path: Path

    def find(self, request: Request) -> Found:
        """Return what lies there and was asked for; damage is reported where the name fits the request.

        Raises
        ------
        CatalogError
            Where the folder does not exist or holds no RTC file at all.
        """
        began_s = time.monotonic()
        groups, refused = _group_files(self.path)
        asked = [paths for name, paths in groups if may_match(name, request)]
        with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
            # A file without a transform is refused with a reason; the warning would say it a second time.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            answers = list(pool.map(_describe, asked))
        items, copies = _unique([answer for answer in answers if isinstance(answer, pystac.Item)])
        refused += [answer for answer in answers if isinstance(answer, Refused)] + copies
        kept, superseded = newest(item for item in items if matches(item, request))
        message = "scanned folder=%s items=%d superseded=%d refused=%d seconds=%.2f"
        logger.info(message, self.path, len(kept), len(superseded), len(refused), time.monotonic() - began_s)
        return Found(kept, superseded, tuple(sorted(_relative(one, self.path) for one in refused)))


def matches(item: pystac.Item, request: Request) -> bool:
    """Whether an item made by `make_item` is what a request asks for."""
    granule = granule_of(item)
    return (
        request.start <= granule.sensing_start < request.end
        and (not request.bursts or granule.burst in request.bursts)
        and (not request.tracks or granule.relative_orbit in request.tracks)
        and request.orbit_state in (None, granule.orbit_state)
        and (request.aoi is None or bool(shape(item.geometry or {}).intersects(request.aoi)))
    )


def may_match(name: RtcName, request: Request) -> bool:
    """Whether a granule can be what is asked for, as far as its name tells."""
    return (
        request.start <= name.sensing_start < request.end
        and (not request.bursts or name.burst in request.bursts)
        and (not request.tracks or name.relative_orbit is None or name.relative_orbit in request.tracks)
    )


def _group_files(folder: Path) -> tuple[list[tuple[RtcName, dict[Band, Path]]], list[Refused]]:
    """Return the granules by their files' names and folders, and the files whose names nobody knows."""
    if not folder.is_dir():
        raise CatalogError(f"{str(folder)!r} is no folder; give one that holds {_EXPECTED}")
    found: dict[tuple[Path, str], tuple[RtcName, dict[Band, Path]]] = {}
    refused: list[Refused] = []
    for path in _tiffs(folder, refused):
        try:
            name = parse_name(path.name)
        except UnknownName as error:
            refused.append(Refused(str(path), str(error)))
            continue
        if name.band is not None:
            found.setdefault((path.parent, name.granule), (name, {}))[1][name.band] = path
    if not found:
        seen = f"{len(refused)} .tif files of other names" if refused else "no image in .tif"
        raise CatalogError(f"{str(folder)!r} holds {seen}; expected {_EXPECTED}")
    return list(found.values()), refused


def _tiffs(folder: Path, refused: list[Refused]) -> Iterator[Path]:
    """Absolute paths of the TIFF files under a folder, sorted; folders that cannot be listed are refused."""

    def note(error: OSError) -> None:
        refused.append(
            Refused(str(error.filename), f"it cannot be listed ({error.strerror}); check permissions")
        )

    seen: set[Path] = set()
    for parent, folders, files in os.walk(folder.absolute(), onerror=note, followlinks=True):
        # A link may lead back up; without this the walk would go round until the path is too long.
        if (real := Path(parent).resolve()) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for file in sorted(files):
            if file.lower().endswith((".tif", ".tiff")):
                yield Path(parent, file)


def _describe(paths: dict[Band, Path]) -> pystac.Item | Refused:
    """Return the item of one granule, or the file for which there is none."""
    headers: dict[Band, Header] = {}
    path, name = next((path, parse_name(path.name)) for path in paths.values())
    try:
        for band, path in sorted(paths.items()):
            headers[band] = read_header(path, parse_name(path.name))
            _check_same(headers[band].lattice, headers[min(headers)].lattice)
        times = [header.processed for header in headers.values() if header.processed is not None]
        name = replace(name, created=name.created or max(times, default=None))
        files = {band: _band_file(paths[band], header) for band, header in headers.items()}
        item = make_item(name, headers[min(headers)].lattice, files)
        if any(header.simulated for header in headers.values()):
            item.properties["glaciolake:simulated"] = True
        return item
    except CatalogError as error:
        rest = "" if len(paths) == 1 else f" (the granule's {len(paths)} files are left out)"
        return Refused(str(path), f"{error}{rest}")


def _check_same(lattice: Lattice, other: Lattice) -> None:
    """Refuse bands of one granule that do not lie on one grid."""
    if lattice != other:
        raise Damaged(
            f"its grid ({lattice.crs} {lattice.transform} {lattice.shape}) is not that of its other files "
            f"({other.crs} {other.transform} {other.shape}); cut all files of a granule alike"
        )


def _band_file(path: Path, header: Header) -> BandFile:
    """Address of a file, with the checksum that its producer laid beside it."""
    try:
        words = path.with_name(path.name + ".md5").read_text(encoding="ascii", errors="replace").split()
    except OSError:
        words = []  # most archives lay none beside
    published = [word for word in words if len(word) == 32 and set(word.lower()) <= set("0123456789abcdef")]
    return BandFile(str(path), multihash("md5", published[0]) if published else None, header.size_bytes)


def _unique(items: Iterable[pystac.Item]) -> tuple[list[pystac.Item], list[Refused]]:
    """Give different crops of one granule ids of their own, and refuse second copies of one file."""
    named: dict[str, dict[Lattice, pystac.Item]] = defaultdict(dict)
    copies: list[Refused] = []
    for item in items:
        granule = granule_of(item)
        lattice = Lattice(granule.crs, granule.transform, granule.shape)
        first = named[item.id].setdefault(lattice, item)
        if first is not item:
            where, other = granule.hrefs[0][1], granule_of(first).hrefs[0][1]
            copies.append(
                Refused(where, f"it is the same granule on the same grid as {other}; remove one of them")
            )
    for crops in named.values():
        for lattice, item in crops.items() if len(crops) > 1 else ():
            item.id = f"{item.id}_{lattice.digest}"
    return [item for crops in named.values() for item in crops.values()], copies


def _relative(refused: Refused, folder: Path) -> Refused:
    """Name a file as the user sees it, from the folder that was given."""
    path = Path(refused.name)
    return replace(refused, name=path.relative_to(folder.absolute()).as_posix())
