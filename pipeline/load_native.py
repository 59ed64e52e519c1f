"""Our own reader of windows: a file is what the catalogue says, or the read fails; nothing is resampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import rasterio
from dask.base import tokenize
from dask.layers import ArrayValuesDep
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError
from rasterio.windows import Window

from glaciolake.catalog.addresses import hide_secrets_in_logs
from glaciolake.catalog.credentials import gdal_options, login_for
from glaciolake.catalog.granule import Band
from glaciolake.catalog.read_again import check_header, password_of, read_again, status_of
from glaciolake.pipeline.errors import LOGIN_REFUSED, UnreadableGranule
from glaciolake.pipeline.grid import LATTICE_TOLERANCE_PX, position_px
from glaciolake.pipeline.passes import Pass

MASK_FILL = 255

Box = tuple[int, int, int, int]  # top, left, bottom, right, grid pixels

HTTP_REASONS = {
    "401": f"{LOGIN_REFUSED}; try 'glaciolake doctor'",
    "403": f"{LOGIN_REFUSED}, or the archive's terms are not accepted; try 'glaciolake doctor'",
    "404": "no such file there; build the catalogue anew",
    "429": "the server is busy; run again later",
    "5": "the server fails; run again later",
}


class Lattice(NamedTuple):
    """What the catalogue says of a file's pixels; shared by all files of a burst, so pickled once."""

    crs: str
    transform: tuple[float, float, float, float, float, float]
    shape: tuple[int, int]
    row_px: int
    col_px: int


class Source(NamedTuple):
    """One file of a slice and where its first pixel lies on the grid."""

    name: str
    href: str
    lattice: Lattice


@dataclass(frozen=True)
class Block:
    """What one task reads: slices, each a stack of sources of which the first valid pixel wins."""

    slices: tuple[tuple[Source, ...], ...]


def read_native(passes: Sequence[Pass], grid: GeoBox, band: Band, slices_per_chunk: int) -> da.Array:
    """Lay out the lazy reading of one band: one task a chunk, which fuses with the steps that follow.

    Parameters
    ----------
    passes
        One slice each.
    grid
        The cube's grid.
    band
        Power or ``mask``.
    slices_per_chunk
        At least 1.

    Returns
    -------
    dask.array.Array
        (time, y, x), chunks of whole slices. Power: linear (1), float32, NaN is no data. Mask: uint8, 255 is
        no data.
    """
    height, width = grid.shape
    lattices: dict[Lattice, Lattice] = {}
    slices = [_sources(one, grid, band, lattices) for one in passes]
    starts = range(0, len(slices), slices_per_chunk)
    lengths = tuple(min(slices_per_chunk, len(slices) - start) for start in starts)
    blocks = {
        (number, 0, 0): Block(tuple(slices[start : start + slices_per_chunk]))
        for number, start in enumerate(starts)
    }
    dtype = np.dtype("uint8" if band == "mask" else "float32")
    sources = ArrayValuesDep((lengths, (height,), (width,)), blocks)
    layers: da.Array = da.blockwise(
        read_block,
        "tyx",
        sources,
        "tyx",
        shape=(height, width),
        dtype_name=dtype.name,
        name=f"read-{band}-{tokenize(slices, grid.shape, slices_per_chunk)}",
        dtype=dtype,
        meta=np.empty((0, 0, 0), dtype),
        align_arrays=False,
    )
    return layers


def _sources(one: Pass, grid: GeoBox, band: Band, lattices: dict[Lattice, Lattice]) -> tuple[Source, ...]:
    """List the files of one band that touch the grid, in the order in which they fill it."""
    found = []
    for granule in one.granules:
        href = granule.href(band)
        if href is None:
            continue
        row_px, col_px = position_px(granule, grid)
        lattice = Lattice(granule.crs, granule.transform, granule.shape, row_px, col_px)
        if _overlap(lattice, tuple(grid.shape)):
            found.append(Source(granule.name, href, lattices.setdefault(lattice, lattice)))
    return tuple(found)


def read_block(block: Block, *, shape: tuple[int, int], dtype_name: str) -> NDArray[Any]:
    """Read the slices of one task.

    Parameters
    ----------
    block
        What to read.
    shape
        (rows, columns) of the grid.
    dtype_name
        ``float32`` for power, ``uint8`` for a mask.

    Returns
    -------
    numpy.ndarray
        (time, y, x) of that dtype; NaN or 255 where no source is valid.
    """
    fill = MASK_FILL if dtype_name == "uint8" else np.nan
    planes = np.full((len(block.slices), *shape), fill, dtype_name)
    hide_secrets_in_logs()
    with rasterio.Env(**gdal_options(None, Path())):
        for plane, sources in zip(planes, block.slices, strict=True):
            _fill_plane(plane, sources)
    return planes


def _fill_plane(plane: NDArray[Any], sources: Sequence[Source]) -> None:
    """Mosaic sources into a plane (y, x) that holds only fill; of each, only the box still empty is read."""
    for source in sources:
        box = _empty_box(plane, source.lattice)
        if box is not None:
            top, left, bottom, right = box
            part = plane[top:bottom, left:right]
            np.copyto(part, _read_window(source, box, plane.dtype), where=_empty(part))


def _empty(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where nothing valid has been read yet."""
    empty: NDArray[np.bool_] = values == MASK_FILL if values.dtype == np.uint8 else np.isnan(values)
    return empty


def _empty_box(plane: NDArray[Any], lattice: Lattice) -> Box | None:
    """Smallest box around the pixels of a file that the plane still lacks; None where it lacks none."""
    overlap = _overlap(lattice, plane.shape)
    if overlap is None:
        return None
    top, left, bottom, right = overlap
    empty = _empty(plane[top:bottom, left:right])
    rows = np.flatnonzero(empty.any(axis=1))
    if rows.size == 0:
        return None
    cols = np.flatnonzero(empty.any(axis=0))
    return top + int(rows[0]), left + int(cols[0]), top + int(rows[-1]) + 1, left + int(cols[-1]) + 1


def _overlap(lattice: Lattice, shape: tuple[int, ...]) -> Box | None:
    """Part of a grid of that shape which a file covers; None where it covers none."""
    top, left = max(0, lattice.row_px), max(0, lattice.col_px)
    bottom = min(shape[0], lattice.row_px + lattice.shape[0])
    right = min(shape[1], lattice.col_px + lattice.shape[1])
    return (top, left, bottom, right) if top < bottom and left < right else None


def _read_window(source: Source, box: Box, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read one window of one file; a remote one again where the failure may pass."""
    login = login_for(source.href)

    def read(more: dict[str, str]) -> NDArray[Any]:
        with rasterio.Env(**login, **more):
            return _read_once(source, box, dtype)

    try:
        if _local_path(source.href):
            return _read_once(source, box, dtype)
        return read_again(read, source.href, password=password_of(login))
    except RasterioError as error:
        raise UnreadableGranule(source.name, source.href, _reason(source.href, error)) from None


def _read_once(source: Source, box: Box, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read one window of one file; its own nodata value becomes the cube's."""
    top, left, bottom, right = box
    lattice = source.lattice
    window = Window(left - lattice.col_px, top - lattice.row_px, right - left, bottom - top)
    with rasterio.open(source.href) as file:
        if _local_path(source.href) is None:
            check_header(file)
        _check(file, source)
        piece: NDArray[Any] = file.read(1, window=window, out_dtype=dtype.name)
        nodata = file.nodata
    if nodata is not None and nodata == nodata:
        piece[piece == dtype.type(nodata)] = MASK_FILL if dtype == np.uint8 else np.nan
    return piece


def _check(file: Any, source: Source) -> None:
    """Refuse a file whose pixels lie elsewhere than the catalogue says: warping it would hide the error."""
    lattice = source.lattice
    transform = tuple(file.transform)[:6]
    off_px = max(
        abs(there - said) / lattice.transform[0]
        for there, said in zip(transform, lattice.transform, strict=True)
    )
    said: object
    there: object
    if file.shape != lattice.shape:
        what, there, said = "shape", file.shape, lattice.shape
    elif not _same_crs(file.crs.to_wkt() if file.crs else "", lattice.crs):
        what, there, said = "CRS", file.crs, lattice.crs
    elif off_px > LATTICE_TOLERANCE_PX:
        what, there, said = "transform", transform, lattice.transform
    else:
        return
    raise UnreadableGranule(
        source.name,
        source.href,
        f"{what} of the file is {there}, of the catalogue {said}; fetch the file or build the catalogue anew",
    )


@lru_cache(maxsize=64)
def _same_crs(wkt: str, name: str) -> bool:
    """Compare reference systems; cached, because parsing one takes longer than reading a window."""
    return bool(wkt) and bool(rasterio.CRS.from_wkt(wkt) == rasterio.CRS.from_user_input(name))


def _local_path(href: str) -> Path | None:
    """Path of a file on this machine; None for an address."""
    bare = href.removeprefix("file://")
    return None if "://" in bare or bare.startswith("/vsi") else Path(bare)


def _reason(href: str, error: RasterioError) -> str:
    """Say why a file cannot be read, in words that tell what to do."""
    text = str(error.__cause__ or error)
    path = _local_path(href)
    if path is not None and not path.is_file():
        return "no such file; it was moved or never fetched"
    if path is not None and path.stat().st_size == 0:
        return "the file is empty; fetch it again"
    if path is not None and _starts_like_html(path):
        return "holds HTML or XML, not a GeoTIFF: a login page saved under its name? fetch it again"
    status = status_of(error)
    for start, reason in HTTP_REASONS.items():
        if status is not None and str(status).startswith(start):
            return f"{reason} (HTTP {status})"
    if status is None and "HTTP response code: 30" in text:
        return f"the archive's signed address did not answer; run again later: {text}"
    if "not recognized" in text:
        return f"not a GeoTIFF (a login page under its name?); fetch it again: {text}"
    return f"damaged or cut short, fetch it again: {text}"


def _starts_like_html(path: Path) -> bool:
    """Look at a file's first bytes."""
    with path.open("rb") as file:
        return file.read(256).lstrip().startswith(b"<")
