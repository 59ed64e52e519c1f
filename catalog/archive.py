"""Granules as archives list them, completed to items.

Replies lack the pixel grid, the track or the direction; the name and the grid of the burst tell them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pystac
from shapely.geometry.base import BaseGeometry

from glaciolake.catalog.burst_grids import TRIES, BurstGrids
from glaciolake.catalog.errors import CatalogError, UnknownName
from glaciolake.catalog.granule import Band
from glaciolake.catalog.items import BandFile, make_item
from glaciolake.catalog.lattice import Lattice
from glaciolake.catalog.names import RtcName, parse_url
from glaciolake.catalog.request import Refused, Request

_THREADS = 8


@dataclass(frozen=True)
class Listed:
    """One OPERA granule as an archive lists it.

    Attributes
    ----------
    name
        What the granule's name says.
    files
        Its rasters.
    footprint
        Outline of the data, lon/lat degrees; None where the reply has none.
    simulated
        Whether the reply says that no satellite has seen it.
    """

    name: RtcName
    files: Mapping[Band, BandFile]
    footprint: BaseGeometry | None
    simulated: bool = False

    @property
    def outline(self) -> BaseGeometry | None:
        """The footprint where it can be trusted: at the antimeridian, archives draw some around the Earth."""
        if self.footprint is None or self.footprint.is_empty:
            return None
        west, _, east, _ = self.footprint.bounds
        return self.footprint if east - west < 180 else None


def band_files(name: RtcName, files: Iterable[BandFile]) -> dict[Band, BandFile]:
    """Rasters of one granule among all the files that a reply holds.

    Parameters
    ----------
    name
        The granule.
    files
        Any of its files, in any order: images, masks, metadata, browse images, checksums.

    Returns
    -------
    dict[Band, BandFile]
        Sorted by band; an https address is preferred to s3, which can be read inside one cloud region only.
    """
    found: dict[Band, BandFile] = {}
    rasters = (file for file in files if ".tif" in file.href)  # most are not, and reading names takes time
    for file in sorted(rasters, key=lambda file: (file.href.startswith("s3:"), file.href)):
        try:
            read = parse_url(file.href)
        except UnknownName:
            continue
        if read.granule == name.granule and read.band is not None:
            found.setdefault(read.band, file)
    return dict(sorted(found.items()))


def is_asked(listed: Listed, request: Request) -> bool:
    """Whether a granule can be what a request asks for, so that its burst's grid is worth fetching."""
    name = listed.name
    return (
        request.start <= name.sensing_start < request.end
        and (not request.bursts or name.burst in request.bursts)
        and (not request.tracks or name.relative_orbit in request.tracks)
        and (
            request.aoi is None or listed.footprint is None or bool(listed.footprint.intersects(request.aoi))
        )
    )


def completed(listed: Iterable[Listed], grids: BurstGrids) -> tuple[list[pystac.Item], list[Refused]]:
    """Complete items of granules, and the granules of which none can be made.

    Raises
    ------
    SearchFailed
        Where the grid of a burst cannot be fetched: its granules exist, and leaving them out would say that
        they do not.
    CredentialsMissing
        Where fetching it needs a login.
    """
    by_burst: dict[str, list[Listed]] = defaultdict(list)
    refused: list[Refused] = []
    for one in listed:
        if one.name.family != "opera" or one.name.burst is None:
            refused.append(
                Refused(one.name.granule, f"it is no image of an acquisition but {one.name.family}")
            )
        elif set(one.files) <= {"mask"}:
            refused.append(Refused(one.name.granule, "it lists no VV, VH, HH or HV raster"))
        else:
            by_burst[one.name.burst].append(one)
    items: list[pystac.Item] = []
    for burst, lattice in _lattices(by_burst, grids).items():
        for one in by_burst[burst]:
            try:
                item = make_item(one.name, lattice, one.files, footprint=one.outline)
                if one.simulated:
                    item.properties["glaciolake:simulated"] = True
                items.append(item)
            except CatalogError as error:
                refused.append(Refused(one.name.granule, str(error)))
    return items, refused


def _lattices(by_burst: Mapping[str, list[Listed]], grids: BurstGrids) -> dict[str, Lattice]:
    """Grids of bursts, sorted by burst; those not known yet are fetched side by side."""
    bursts = sorted(by_burst)
    # The newest first: the oldest addresses are the likeliest to be gone.
    newest = (sorted(by_burst[burst], key=lambda one: one.name, reverse=True)[:TRIES] for burst in bursts)
    hrefs = [[_image(one.files) for one in granules] for granules in newest]
    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip(bursts, pool.map(grids.lattice, bursts, hrefs), strict=True))


def _image(files: Mapping[Band, BandFile]) -> str:
    return next(file.href for band, file in sorted(files.items(), reverse=True) if band != "mask")
