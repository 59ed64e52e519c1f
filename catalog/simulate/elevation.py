"""The ground of a simulated site as an elevation model, on the grids on which it is imaged."""

from __future__ import annotations

from pathlib import Path

import rasterio
from rasterio.transform import from_origin

from glaciolake.catalog.simulate.radar import Frame
from glaciolake.catalog.simulate.shore import SPACING_M, Float
from glaciolake.catalog.simulate.terrain import Ground

FOLDER = "truth/elevation"
SUFFIX = ".gtiff"
"""Not ``.tif``: a source that looks through the archive's folder would take it for a scene without a name."""


def heights_on(ground: Ground, frame: Frame) -> Float:
    """Height of the ground at the pixels of a burst's grid: (y, x), metres above sea, float32, no NaN."""
    return frame.sample(ground, ground.height_m)


def write_elevation(archive: Path, ground: Ground, frame: Frame, epsg: int) -> Path:
    """Write a site's elevation as a cloud-optimised GeoTIFF, lakes at their mean level; its path.

    It is the whole square of the site, also where an archive shows a nearer lake's ground: see `territory`.
    """
    path = archive / FOLDER / f"{ground.site.id}_EPSG{epsg}{SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "COG",
        "dtype": "float32",
        "count": 1,
        "height": frame.size_px,
        "width": frame.size_px,
        "crs": f"EPSG:{epsg}",
        "transform": from_origin(frame.left_m, frame.top_m, SPACING_M, SPACING_M),
        "compress": "DEFLATE",
        "predictor": "FLOATING_POINT",
        "overviews": "NONE",
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(heights_on(ground, frame), 1)
        file.set_band_description(1, "height above sea, metres, lakes at their mean level")
    return path
