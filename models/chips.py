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
        with rasterio.open(path) as file:
            band: Float32 = file.read(1)
            centre = file.transform @ (file.width / 2, file.height / 2)
            (longitude,), (latitude,) = transform(file.crs, "EPSG:4326", [centre[0]], [centre[1]])
        if band.any():
            power = np.where(band > 0, band, np.float32(np.nan))
            lake = path.parent.name
            published[match["start"], match["id"], lake] = Chip(lake, power, (longitude, latitude))
    if not published:
        raise ModelError(
            f"no chip <lake>/S1?_IW_*_VV.tif with data in {chips}; check the folder of the chips"
        )
    return published


def median_power(images: Sequence[Float32]) -> Float32:
    """Median over images (y, x) of one shape; NaN where none has data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a pixel without data on every date stays NaN
        return np.asarray(np.nanmedian(np.stack(images), axis=0), np.float32)
