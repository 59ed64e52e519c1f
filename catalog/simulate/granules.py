"""One granule on disk: name, lattice, tags, cloud-optimised GeoTIFFs."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.transform import from_origin

from glaciolake.catalog.simulate.bursts import Burst
from glaciolake.catalog.simulate.radar import FILL, Frame
from glaciolake.catalog.simulate.shore import SPACING_M, Float

Layer = NDArray[np.float32] | NDArray[np.uint8]

KEPT_BITS = 12
"""Bits of mantissa written, where real granules keep 23: steps of 0.001 dB, far below speckle."""
LOGIN_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Earthdata Login</title></head><body>Please log in</body></html>\n"
)
WRONG_EPSG = 32643
KEPT_OF_TRUNCATED = 0.6


@dataclass(frozen=True)
class Lattice:
    """A burst's fixed grid, cropped: outer edges of the upper left pixel, metres, and pixels of 30 m."""

    left_m: float
    top_m: float
    rows: int
    columns: int
    epsg: int

    def place(self, frame: Frame) -> tuple[slice, slice]:
        """Rows and columns of a site's square."""
        row = round((self.top_m - frame.top_m) / SPACING_M)
        column = round((frame.left_m - self.left_m) / SPACING_M)
        return slice(row, row + frame.size_px), slice(column, column + frame.size_px)


def lattice_of(burst: Burst, frames: Sequence[Frame]) -> Lattice:
    """Smallest grid of a burst around the squares of its sites; the same for every date."""
    left_m = min(frame.left_m for frame in frames)
    top_m = max(frame.top_m for frame in frames)
    right_m = max(frame.left_m + frame.size_px * SPACING_M for frame in frames)
    bottom_m = min(frame.top_m - frame.size_px * SPACING_M for frame in frames)
    rows, columns = round((top_m - bottom_m) / SPACING_M), round((right_m - left_m) / SPACING_M)
    return Lattice(left_m, top_m, rows, columns, burst.track.epsg)


def inside_footprint(burst: Burst, frame: Frame) -> NDArray[np.bool_]:
    """Where a burst has data on a site's square: (y, x) bool."""
    corners = np.array(burst.corners_deg)
    to_grid = Transformer.from_crs(4326, burst.track.epsg, always_xy=True)
    x, y = to_grid.transform(corners[:, 0], corners[:, 1])
    at_px = (np.arange(frame.size_px) + 0.5) * SPACING_M
    grid_x, grid_y = np.meshgrid(frame.left_m + at_px, frame.top_m - at_px)
    outline = shapely.Polygon(np.column_stack([x, y]))
    return np.asarray(shapely.contains_xy(outline, grid_x, grid_y), bool)


def granule_name(burst: Burst, sensor: str, start: datetime, made: datetime) -> str:
    """Name of an OPERA L2_RTC-S1 granule."""
    return f"OPERA_L2_RTC-S1_{burst.id}_{start:%Y%m%dT%H%M%SZ}_{made:%Y%m%dT%H%M%SZ}_{sensor}_30_v1.0"


def static_name(burst: Burst) -> str:
    """Name of a burst's static granule; its date is always that of the first acquisition of the mission."""
    return f"OPERA_L2_RTC-S1-STATIC_{burst.id}_20140403_S1A_30_v1.0"


def write_layers(
    folder: Path, name: str, lattice: Lattice, layers: Mapping[str, Layer], tags: Mapping[str, str]
) -> None:
    """Write a granule's layers as COGs.

    Parameters
    ----------
    folder
        Where to; made if it is not there, files of the same names are replaced.
    name
        Granule name; a layer's file adds ``_VV.tif`` and so on.
    lattice
        The burst's grid.
    layers
        Name -> (y, x): gamma nought, 0 and above (1, linear power), or an angle or factor, float32, NaN no
        data; ``mask``: uint8, 255 no data.
    tags
        GeoTIFF tags, the same for each layer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for layer, values in layers.items():
        is_mask = values.dtype == np.uint8
        profile: dict[str, Any] = {
            "driver": "COG",
            "dtype": values.dtype.name,
            "count": 1,
            "height": lattice.rows,
            "width": lattice.columns,
            "crs": f"EPSG:{lattice.epsg}",
            "transform": from_origin(lattice.left_m, lattice.top_m, SPACING_M, SPACING_M),
            "nodata": FILL if is_mask else np.nan,
            "compress": "DEFLATE",
            "level": 3,  # a fifth quicker than the usual 6, for files 2 % larger
            "predictor": "STANDARD" if is_mask else "FLOATING_POINT",
            "blocksize": 512,
            "overviews": "NONE",
            "sparse_ok": True,
        }
        described = f"RTC-S1 {layer} Backscatter" if len(layer) == 2 else f"RTC-S1 {layer}"
        path = folder / f"{name}_{layer}.tif"
        with _as_os_error(path), rasterio.open(path, "w", **profile) as file:
            file.write(values, 1)
            file.set_band_description(1, described)
            file.update_tags(**tags, LAYER_NAME=described)


@contextmanager
def _as_os_error(path: Path) -> Iterator[None]:
    """Tell what GDAL could not write as the system would; its own errors cannot travel between processes."""
    try:
        yield
    except (RasterioError, CPLE_BaseError) as error:
        raise OSError(errno.EIO, f"GDAL could not write it: {error}", str(path)) from None


def damage(folder: Path, name: str, kind: str) -> None:
    """Break a granule that is there, as archives and downloads do.

    Parameters
    ----------
    folder, name
        Where it lies, and what it is called.
    kind
        ``truncated`` cuts the end off VV, ``html`` puts a login page in its place, ``crs`` gives VV another
        UTM zone, ``nan`` takes all values from VV and VH.
    """
    path = folder / f"{name}_VV.tif"
    if kind == "truncated":
        content = path.read_bytes()
        path.write_bytes(content[: int(KEPT_OF_TRUNCATED * len(content))])
    elif kind == "html":
        path.write_text(LOGIN_PAGE, encoding="utf-8")
    elif kind == "crs":
        _rewritten(path, None, f"EPSG:{WRONG_EPSG}")
    else:
        for band in ("VV", "VH"):
            _rewritten(folder / f"{name}_{band}.tif", np.float32(np.nan), None)


def _rewritten(path: Path, value: np.float32 | None, crs: str | None) -> None:
    """Write a file anew with one value everywhere, or with another CRS."""
    with rasterio.open(path) as file:
        profile = {**file.profile, "driver": "COG", "overviews": "NONE", "blocksize": 512}
        values, tags = file.read(1), file.tags()
    for key in ("blockxsize", "blockysize", "tiled", "interleave"):
        profile.pop(key, None)
    if value is not None:
        values[:] = value
    part = path.with_suffix(".part")
    made = profile | ({"crs": crs} if crs else {})
    with _as_os_error(path), rasterio.open(part, "w", **made) as file:
        file.write(values, 1)
        file.update_tags(**tags)
    shutil.move(part, path)


def rounded(values: Layer) -> Float:
    """Round a float32 array to `KEPT_BITS` of mantissa; zeros and NaN stay."""
    step = np.uint32(1 << (23 - KEPT_BITS))
    bits = values.view(np.uint32)
    kept_bits = ((bits + step // 2) & ~np.uint32(step - 1)).view(np.float32)
    kept: Float = np.where(np.isnan(values), np.float32(np.nan), kept_bits)
    return kept
