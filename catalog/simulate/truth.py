"""What a perfect reading of a simulated archive would find: per lake and day, pass, granule and event.

Four tables as Parquet and the outlines as GeoJSON, in the archive's folder ``truth``. The tables are tidy: a
row an observation, a column a variable, units in the names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd
import shapely

from glaciolake.catalog.errors import CatalogError

FOLDER = "truth"
OUTLINES = "outlines.geojson"


class State(StrEnum):
    """What the surface of a lake is on a day; `DRY` is ground where a landslide has a pool at other times."""

    OPEN = "open"
    FREEZING = "freezing"
    FROZEN = "frozen"
    THAWING = "thawing"
    DRAINED = "drained"
    DRY = "dry"


@dataclass(frozen=True, order=True)
class Day:
    """One lake on one day (UTC), whether a satellite passes or not.

    Attributes
    ----------
    lake, date
        Which lake, which day.
    state
        A `State`.
    ice_fraction
        Share of the lake under ice, 0..1.
    level_m
        Water level above sea.
    lake_area_m2
        Area of the lake, open or frozen, seen or not.
    open_water_m2
        Part of it without ice.
    volume_m3
        Water above the lake's bed.
    outline_id
        The outline of the day, in `OUTLINES`; its area is that of the day within 0.5 % or 500 m2.
    event
        Kinds of the events under way, separated by spaces; empty on most days.
    """

    lake: str
    date: date
    state: str
    ice_fraction: float
    level_m: float
    lake_area_m2: float
    open_water_m2: float
    volume_m3: float
    outline_id: int
    event: str


@dataclass(frozen=True, order=True)
class Pass:
    """One pass over one lake that was due, acquired or not.

    Attributes
    ----------
    lake, track, pass_id
        ``tsho-rolpa``, ``T121``, ``T121_S1A_20240916``: those of the store's slices.
    sensor
        ``S1A``, ``S1B`` or ``S1C``.
    sensing_start
        Of the pass's first burst that holds the lake, UTC.
    acquired
        False where the satellite took no image; then there are no granules.
    state, ice_fraction, lake_area_m2, open_water_m2, outline_id, event
        Those of the day.
    wind_m_per_s
        Mean wind over the lake at the time of the pass, 10 m above the water.
    visible_fraction
        Share of the lake's area outside layover, shadow and the edge of the data.
    visible_area_m2
        The same as an area: what a perfect mask of this pass holds.
    granules
        Names of the current ones, sorted, separated by spaces.
    """

    lake: str
    track: str
    pass_id: str
    sensor: str
    sensing_start: datetime
    acquired: bool
    state: str
    ice_fraction: float
    lake_area_m2: float
    open_water_m2: float
    outline_id: int
    event: str
    wind_m_per_s: float
    visible_fraction: float
    visible_area_m2: float
    granules: str


@dataclass(frozen=True, order=True)
class Made:
    """One granule that lies in the archive.

    Attributes
    ----------
    granule
        Its name.
    burst, sensor, sensing_start, created
        What the name says; UTC.
    latency_h
        From acquisition to product, hours.
    superseded
        Whether a newer processing of the same acquisition lies beside it.
    damage
        ``truncated``, ``crs``, ``nan`` or ``html``; empty for a sound one.
    """

    granule: str
    burst: str
    sensor: str
    sensing_start: datetime
    created: datetime
    latency_h: float
    superseded: bool
    damage: str


@dataclass(frozen=True, order=True)
class Happening:
    """One event of a lake.

    Attributes
    ----------
    lake, kind
        Which lake; ``partial_drainage``, ``full_drainage``, ``slow_leak``, ``refilling``, ``lowering`` or
        ``landslide_dam``.
    first_day, last_day
        Last day on the old level and first day on the new one; for a landslide dam, how long its pool stands.
    area_before_m2, area_after_m2
        Of the lake, on the first day and on the last; of a landslide's pool, before and on its last day.
    is_lake_drainage
        False for what must raise no drainage alarm.
    note
        What happens, in words.
    """

    lake: str
    kind: str
    first_day: date
    last_day: date
    area_before_m2: float
    area_after_m2: float
    is_lake_drainage: bool
    note: str


TABLES: Mapping[str, type] = {"daily": Day, "passes": Pass, "granules": Made, "events": Happening}
"""Table -> its row; the file is the table's name with ``.parquet``."""


@dataclass(frozen=True)
class Outline:
    """A lake's shore from one day to another.

    Attributes
    ----------
    lake, outline_id
        Which; ids count from 0 per lake, a shore that comes back keeps its id.
    area_m2
        Area of the polygon.
    shore
        (Multi)Polygon, longitude/latitude, degrees WGS 84; empty for a lake that is gone.
    """

    lake: str
    outline_id: int
    area_m2: float
    shore: shapely.Geometry


@dataclass(frozen=True)
class Truth:
    """The truth of an archive, as read by `read_truth`.

    Attributes
    ----------
    daily, passes, granules, events
        Tables with the columns of `Day`, `Pass`, `Made` and `Happening`; times are timezone-aware UTC.
    outlines
        (lake, outline_id) -> shore, longitude/latitude, degrees WGS 84.
    """

    daily: pd.DataFrame
    passes: pd.DataFrame
    granules: pd.DataFrame
    events: pd.DataFrame
    outlines: Mapping[tuple[str, int], shapely.Geometry]


def write_table(archive: Path, name: str, rows: Iterable[Any]) -> Path:
    """Write one of `TABLES` into an archive's truth folder, sorted; its path."""
    path = archive / FOLDER / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [field.name for field in fields(TABLES[name])]
    ordered = sorted(rows)
    frame = pd.DataFrame(
        {column: [getattr(row, column) for row in ordered] for column in columns}, columns=columns
    )
    for column in columns:
        if column == "date" or column.endswith("_day"):
            frame[column] = pd.to_datetime(frame[column])
    frame.to_parquet(path, index=False, compression="zstd")
    return path


def write_outlines(archive: Path, outlines: Iterable[Outline]) -> Path:
    """Write the shores as GeoJSON, coordinates to 1e-6 degree (0.1 m); its path."""
    path = archive / FOLDER / OUTLINES
    path.parent.mkdir(parents=True, exist_ok=True)
    features = [
        {
            "type": "Feature",
            "properties": {
                "lake": one.lake,
                "outline_id": one.outline_id,
                "area_m2": round(one.area_m2, 1),
            },
            "geometry": json.loads(shapely.to_geojson(shapely.set_precision(one.shore, 1e-6))),
        }
        for one in sorted(outlines, key=lambda one: (one.lake, one.outline_id))
    ]
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in features)
    path.write_text(f'{{"type":"FeatureCollection","features":[\n{lines}\n]}}\n', encoding="utf-8")
    return path


def read_truth(archive: Path) -> Truth:
    """Read the truth of a simulated archive.

    Parameters
    ----------
    archive
        Folder that `glaciolake simulate` wrote.

    Raises
    ------
    CatalogError
        Where the folder holds no truth, or only a part of it.
    """
    folder = archive / FOLDER
    try:
        tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}
        content = json.loads((folder / OUTLINES).read_text(encoding="utf-8"))
        outlines = {
            (one["properties"]["lake"], int(one["properties"]["outline_id"])): shapely.from_geojson(
                json.dumps(one["geometry"])
            )
            for one in content["features"]
        }
    except (OSError, ValueError, KeyError, TypeError, shapely.errors.ShapelyError) as error:
        raise CatalogError(
            f"{str(archive)!r} holds no whole truth of a simulated archive ({type(error).__name__}: "
            f"{error}); give a folder that 'glaciolake simulate' wrote"
        ) from error
    for name, row in TABLES.items():
        lacking = [field.name for field in fields(row) if field.name not in tables[name]]
        if lacking:
            raise CatalogError(
                f"{folder / name!s}.parquet has no {', '.join(lacking)}; give a folder that this version of "
                "'glaciolake simulate' wrote"
            )
    named = set(zip(tables["passes"]["lake"], tables["passes"]["outline_id"], strict=True))
    if lost := named - set(outlines):
        lake, number = sorted(lost)[0]
        raise CatalogError(
            f"{folder / OUTLINES!s} lacks {len(lost)} outlines, such as {number} of {lake}; simulate the "
            "archive anew"
        )
    return Truth(outlines=outlines, **tables)
