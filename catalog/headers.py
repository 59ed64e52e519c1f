"""What the header of one RTC raster says, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import rasterio
from pyproj import Geod
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.items import Lattice
from glaciolake.catalog.names import RtcName
from glaciolake.catalog.orbits import burst_place

GDAL_OPTIONS = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO"}
"""No listing of the folder at every open, and no ``.aux.xml`` left behind or believed."""

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_LARGEST_PX = 100_000
"""A whole scene at 10 m has 30,000 pixels a side."""

_BURST_REACH_M = 150_000.0
"""A burst is 95 km by 21 km, and its place is known to 55 km; a wrong zone is 600 km off."""


class Damaged(CatalogError):
    """A file that cannot be used; the text is the reason, without the file's name."""


@dataclass(frozen=True)
class Header:
    """What the catalogue keeps of a file's header.

    Attributes
    ----------
    lattice
        Pixel grid.
    size_bytes
        Length of the file.
    processed
        Processing time by the TIFF's own tag, UTC; None where there is none.
    simulated
        Whether the file says that no satellite has seen it.
    """

    lattice: Lattice
    size_bytes: int
    processed: datetime | None
    simulated: bool = False


def read_header(path: Path, name: RtcName) -> Header:
    """Open a file, reading no pixel, and check that it can be what its name says.

    A file of unchanged length and time is not opened again: every lake of a run searches the same folder.

    Raises
    ------
    Damaged
        With the reason and the remedy.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise Damaged(f"it cannot be read ({error.strerror}); check the disk and the permissions") from error
    return _read_header(path, name, (status.st_size, status.st_mtime_ns, status.st_ino))


@lru_cache(maxsize=100_000)
def _read_header(path: Path, name: RtcName, _state: tuple[int, int, int]) -> Header:
    size_bytes = _check_bytes(path)
    try:
        with rasterio.Env(**GDAL_OPTIONS), rasterio.open(path, driver="GTiff") as file:
            _check_complete(file, size_bytes)
            _check_values(file, name)
            lattice = _lattice(file, name)
            processed = _processed(file)
            simulated = "simulated" in file.tags().get("INSTITUTION", "")
    except (RasterioError, ValueError) as error:  # projections and tags that are no text raise the latter
        raise Damaged(f"its header cannot be read ({error}); fetch the file again") from error
    if name.burst is not None:
        _check_place(lattice, name.burst)
    return Header(lattice, size_bytes, processed, simulated)


def _check_bytes(path: Path) -> int:
    """Return the length of a file that begins as a TIFF does."""
    try:
        with path.open("rb") as file:
            start = file.read(512)
        size_bytes = path.stat().st_size
    except OSError as error:
        raise Damaged(f"it cannot be read ({error.strerror}); check the disk and the permissions") from error
    if not start:
        raise Damaged("it is empty (0 bytes); fetch the file again")
    if start.lstrip()[:1] == b"<":
        raise Damaged("it is a web page saved as .tif; log in to Earthdata and fetch the file again")
    if not start.startswith(_TIFF_STARTS):
        raise Damaged(f"it is no TIFF (it begins with {start[:4]!r}); fetch the file again")
    return size_bytes


def _check_complete(file: DatasetReader, size_bytes: int) -> None:
    """Refuse a file that ends before its last row of blocks does: an interrupted download."""
    if max(file.shape) > _LARGEST_PX:
        raise Damaged(f"its header claims {file.height} x {file.width} pixels; fetch the file again")
    block_rows, block_columns = file.block_shapes[0]
    last_row = (file.height - 1) // block_rows
    for column in range(-(-file.width // block_columns)):
        offset, length = (
            file.get_tag_item(f"BLOCK_{what}_{column}_{last_row}", dm="TIFF", bidx=1)
            for what in ("OFFSET", "SIZE")
        )
        if offset is not None and length is not None and int(offset) + int(length) > size_bytes:
            missing = int(offset) + int(length) - size_bytes
            raise Damaged(f"it is cut off ({missing} of its bytes are missing); fetch the file again")


def _check_values(file: DatasetReader, name: RtcName) -> None:
    """Refuse pictures and composites under the name of a measurement."""
    if file.count != 1:
        raise Damaged(f"it has {file.count} bands where a layer has one; fetch the original file")
    dtype = file.dtypes[0]
    if name.band == "mask" and dtype != "uint8":
        raise Damaged(f"its values are {dtype}, a mask has uint8; fetch the original file")
    if name.band != "mask" and dtype not in ("float32", "float64"):
        raise Damaged(f"its values are {dtype}, power has float32; fetch the original file")


def _lattice(file: DatasetReader, name: RtcName) -> Lattice:
    """Return a lattice that is projected, north up and of the spacing that the name says."""
    if file.crs is None:
        raise Damaged("it has no coordinate reference system; fetch the original file")
    code = file.crs.to_epsg()
    if code is None or not file.crs.is_projected:
        raise Damaged(
            f"its coordinates ({file.crs.to_string()[:60]}) are no EPSG map projection; fetch the original"
        )
    a, b, c, d, e, f = (float(value) for value in file.transform[:6])
    if (b, d) != (0.0, 0.0) or (a, e) != (name.spacing_m, -name.spacing_m):
        raise Damaged(
            f"its pixels ({a:g}, {b:g}, {d:g}, {e:g}) are not {name.spacing_m} m, north up, as named; "
            "use the file as it was delivered, not resampled"
        )
    return Lattice(f"EPSG:{code}", (a, b, c, d, e, f), (file.height, file.width))


def _processed(file: DatasetReader) -> datetime | None:
    """Return the processing time by the TIFF tag; the processors that write it run on UTC."""
    text = file.tags().get("TIFFTAG_DATETIME", "")
    try:
        return datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _check_place(lattice: Lattice, burst: str) -> None:
    """Refuse a file that lies where its burst cannot be: its projection or its name is wrong."""
    centre = lattice.footprint().representative_point()
    longitude_deg, latitude_deg = burst_place(burst)
    _, _, distance_m = Geod(ellps="WGS84").inv(longitude_deg, latitude_deg, centre.x, centre.y)
    if distance_m > _BURST_REACH_M:
        raise Damaged(
            f"it lies at {centre.y:.2f} N {centre.x:.2f} E in {lattice.crs}, {distance_m / 1000:.0f} km from "
            f"burst {burst}; its projection or its name is wrong, fetch the original file"
        )
