"""Published radar chips: HyP3 RTC images cut out around lakes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.warp import transform

from glaciolake.models.errors import ModelError

Float32 = NDArray[np.float32]
_CHIP = re.compile(r"S1[A-D]_IW_(?P<start>\d{8}T\d{6})_.*_(?P<id>[0-9A-F]{4})_VV\.tif")


class Chip(NamedTuple):
    """A published radar chip.

    Attributes
    ----------
    lake
        Name of its folder.
    power
        (y, x), above 0 (1, linear power), float32; NaN is no data.
    place
        Longitude and latitude of its centre, degrees.
    """

    lake: str
    power: Float32
    place: tuple[float, float]


def stamp_time(text: str) -> datetime:
    """Time of a scene from the stamp in its name, UTC."""
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def read_chips(chips: Path) -> dict[tuple[str, str, str], Chip]:
    """(start, id, lake) to chip, NaN where the file has 0; chips without any data are left out."""
    published: dict[tuple[str, str, str], Chip] = {}
    for path in sorted(chips.glob("*/*_VV.tif")):
        match = _CHIP.fullmatch(path.name)
        if match is None:
            continue
        band, place = _read(path)
        if band.any():
            power = np.where(band > 0, band, np.float32(np.nan))
            lake = path.parent.name
            published[match["start"], match["id"], lake] = Chip(lake, power, place)
    if not published:
        raise ModelError(
            f"no chip <lake>/S1?_IW_*_VV.tif with data in {chips}; check the folder of the chips"
        )
    return published


def _read(path: Path) -> tuple[Float32, tuple[float, float]]:
    """Band (y, x) of a chip, and longitude and latitude of its centre."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as file:
                band: Float32 = file.read(1)
                crs, centre = file.crs, file.transform @ (file.width / 2, file.height / 2)
    except RasterioIOError as error:
        raise ModelError(f"cannot read the chip {path}: {error}; restore or remove it") from error
    if crs is None:
        raise ModelError(f"the chip {path} does not say where it lies (no CRS); restore or remove it")
    (longitude,), (latitude,) = transform(crs, "EPSG:4326", [centre[0]], [centre[1]])
    return band, (longitude, latitude)


def check_fits(name: str, picture: NDArray[np.uint8], chip: Chip | None) -> None:
    """Refuse a chip that is not cut as the picture (256, 256) made of it, with padding all around.

    Raises
    ------
    ModelError
        The picture holds data where the chip has no pixels, or the chip is larger than the picture.
    """
    if chip is None:
        return
    top, left = ((side - length) // 2 for side, length in zip(picture.shape, chip.power.shape, strict=True))
    height, width = chip.power.shape
    beyond = picture > 0
    beyond[max(0, top) : top + height, max(0, left) : left + width] = False
    if min(top, left) < 0 or beyond.any():
        raise ModelError(
            f"the chip of {name} is {height} x {width} px and not cut as the picture, which holds data on "
            f"{int((picture > 0).any(1).sum())} x {int((picture > 0).any(0).sum())} px; give the chips that "
            "the pairs were made of"
        )


def median_power(images: Sequence[Float32]) -> Float32:
    """Median over images (y, x) of one shape; NaN where none has data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a pixel without data on every date stays NaN
        return np.asarray(np.nanmedian(np.stack(images), axis=0), np.float32)
