"""Independent outlines of lakes in the frames of the labels, and whether masks say where they lie."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import shapely

from glaciolake.models.chips import stamp_time
from glaciolake.models.data import Bool, Sample, majority
from glaciolake.models.errors import ModelError
from glaciolake.models.placing import Grid, drawn, grid_of
from glaciolake.models.track.record import Key

LAST_BYTES_LIMIT = 1 << 28
"""A file of outlines above 256 MiB is refused: it is read whole."""


def read_outlines(path: Path, chips: Path, samples: Sequence[Sample]) -> dict[Key, Bool]:
    """Draw, for every lake and track, the outline that its labels most overlap with.

    Parameters
    ----------
    path
        GeoJSON of polygons in longitude and latitude. TopoJSON is refused: no library at hand decodes it.
    chips
        Folder with a folder a lake of HyP3 RTC chips: they say where the pixels lie.
    samples
        Labels; those of a lake and track share a grid.

    Returns
    -------
    dict[tuple[str, str], Bool]
        (256, 256), True inside; a lake and track without any outline in its chip is left out.

    Raises
    ------
    ModelError
        The file is no such GeoJSON, or chips say not where they lie.
    """
    polygons = _polygons(path)
    found: dict[Key, Bool] = {}
    for key in sorted({one.key for one in samples}):
        mine = [one for one in samples if one.key == key]
        grid = _grid(chips / key[0], (mine[0].power.shape[0], mine[0].power.shape[1]))
        if grid is None:
            continue
        frames = drawn(polygons, grid)
        labels = majority(mine)
        if frames:
            found[key] = max(frames, key=lambda frame: (int((frame & labels).sum()), int(frame.sum())))
    return found


def georeference_faults(pairs: Path) -> dict[tuple[str, datetime], str]:
    """Say of which pairs image and mask lie at different places, or the mask at none.

    Where most masks have no georeference it is the custom of the data set, and nothing is said.

    Parameters
    ----------
    pairs
        Folder with ``images`` and ``masks``.

    Returns
    -------
    dict[tuple[str, datetime], str]
        (lake, start) to what is wrong, in words.

    Raises
    ------
    ModelError
        No pairs, a mask is missing, or image and mask differ in size.
    """
    images = sorted((pairs / "images").glob("*_*_*.tif"))
    if not images:
        raise ModelError(f"no labelled image *.tif in {pairs / 'images'}; check the folder of the pairs")
    faults, without = {}, []
    for path in images:
        lake, stamp, _ = path.stem.rsplit("_", 2)
        image, mask = grid_of(path), grid_of(pairs / "masks" / path.name)
        if image.shape != mask.shape:
            raise ModelError(
                f"{path.name}: mask of {mask.shape} px and image of {image.shape} px; they must be equal"
            )
        fault = _fault(image, mask)
        if fault is not None:
            faults[lake, stamp_time(stamp)] = fault
        if mask.crs is None:
            without.append((lake, stamp_time(stamp)))
    custom = set(without) if len(without) * 2 > len(images) else set()
    return {key: fault for key, fault in faults.items() if key not in custom}


def _fault(image: Grid, mask: Grid) -> str | None:
    if image.crs is None:
        return None
    if mask.crs is None:
        return "its file has no georeference"
    if mask.crs != image.crs:
        return f"its georeference is in {mask.crs}, that of its image in {image.crs}"
    pixel_m = math.hypot(image.transform.a, image.transform.d)
    if not math.isclose(math.hypot(mask.transform.a, mask.transform.d), pixel_m, rel_tol=1e-3):
        return "its georeference has pixels of another size than its image"
    off_m = math.hypot(mask.transform.c - image.transform.c, mask.transform.f - image.transform.f)
    return f"its georeference is {off_m:.0f} m off that of its image" if off_m > pixel_m / 2 else None


def _polygons(path: Path) -> list[shapely.geometry.base.BaseGeometry]:
    try:
        if path.stat().st_size > LAST_BYTES_LIMIT:
            raise ModelError(f"{path} has {path.stat().st_size} bytes; give the outlines of the lakes alone")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read outlines from {path}: {error}; give GeoJSON") from error
    kind = content.get("type") if isinstance(content, dict) else None
    if kind == "Topology":
        raise ModelError(f"{path} is TopoJSON; turn it into GeoJSON: ogr2ogr outlines.geojson {path.name}")
    if kind != "FeatureCollection":
        raise ModelError(f"{path} is {kind!r}, no GeoJSON FeatureCollection of polygons")
    crs = content.get("crs", {}).get("properties", {}).get("name", "CRS84")
    if not crs.endswith(("CRS84", "EPSG::4326", "EPSG:4326")):
        raise ModelError(f"{path} is in {crs}; give longitude and latitude, as GeoJSON has them")
    try:
        shapes = [shapely.geometry.shape(one["geometry"]) for one in content["features"] if one["geometry"]]
    except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError) as error:
        raise ModelError(f"{path} holds a feature that is no GeoJSON: {error!r}") from error
    polygons = [one for one in shapes if one.geom_type in ("Polygon", "MultiPolygon")]
    if not polygons:
        raise ModelError(f"{path} holds no polygon; give the outlines of the lakes")
    return polygons


def _grid(folder: Path, shape: tuple[int, int]) -> Grid | None:
    """Grid of the first chip of a lake that has this shape; None where it has none."""
    for path in sorted(folder.glob("*_VV.tif")):
        grid = grid_of(path)
        if grid.shape == shape:
            if grid.crs is None:
                raise ModelError(f"{path} has no georeference, so outlines cannot be placed; leave them out")
            return grid
    return None
