"""Series out of a store: a tidy table, and the exports that people load elsewhere."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np
import pandas as pd
import rasterio.features
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely import transform as map_coordinates
from shapely import unary_union
from shapely.geometry import MultiPolygon, Polygon, mapping, shape
from shapely.geometry.polygon import orient

from glaciolake.catalog.variables import Flag, LakeState, Surface
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.files import write_whole

SeriesFormat = Literal["csv", "parquet", "geojson"]

NUMBERS = (
    "area_m2",
    "area_lower_m2",
    "area_upper_m2",
    "area_sigma_m2",
    "valid_fraction",
    "shadow_fraction",
)
CORRECTED = ("area_corrected_m2", "area_lower_90_m2", "area_upper_90_m2")
"""Area of the whole lake, told from the whole series, and its 90 % bounds: comparable between tracks."""
COLUMNS = (
    *("lake", "track", "orbit_state", "time", *NUMBERS, "flags"),
    *("state", *CORRECTED, "pass_id", "version", "granules"),
)
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
NOT_OPEN_WATER = Flag.INCOMPLETE | Flag.FROZEN_SEASON
"""States that come and go: such a slice says little about the lake's size. A shore behind terrain is so at
every pass of the track, so those slices can be compared with each other."""
SLICES_AT_ONCE = 16
"""Slices whose pixels are in memory together while outlines are drawn."""
DEGREE_DIGITS = 6
"""Decimals of exported coordinates: 0.1 m on the ground."""


def flag_words(flags: int) -> str:
    """Names of the set flags: 5 gives ``incomplete frozen_season``; "" for none."""
    return " ".join(str(flag.name).lower() for flag in Flag if flag & int(flags))


def area_table(datasets: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Gather the series of a lake's tracks in one tidy table, a row a slice.

    Parameters
    ----------
    datasets
        Track -> series as `glaciolake.open_lake` gives it: dims (time, y, x), areas in m2, NaN for unseen.

    Returns
    -------
    pandas.DataFrame
        Columns `COLUMNS`, sorted by (track, time). ``time`` is UTC; areas are m2, float64, NaN where no area
        was measured; fractions are 0 to 1; ``flags`` are words joined by a space, "" for an unflagged slice;
        ``state`` is a word. States and corrected areas are "" and NaN in a series from before they were told.
        Tracks stay apart: rows of two tracks are not comparable, but by `CORRECTED`.
    """
    rows = [_rows_of(track, datasets[track]) for track in sorted(datasets)]
    if not rows:
        return pd.DataFrame({column: pd.Series(dtype=object) for column in COLUMNS})
    return pd.concat(rows, ignore_index=True)


def _rows_of(track: str, series: xr.Dataset) -> pd.DataFrame:
    texts = {name: texts_of(series, name) for name in ("pass_id", "version", "granules")}
    table = pd.DataFrame(
        {
            "lake": str(series.attrs["lake"]),
            "track": track,
            "orbit_state": str(series.attrs["orbit_state"]),
            "time": pd.to_datetime(series["time"].values, utc=True),
            **{name: series[name].values.astype("float64") for name in NUMBERS},
            "flags": [flag_words(value) for value in series["flags"].values],
            "state": _state_words(series),
            **{name: _areas(series, name) for name in CORRECTED},
            **texts,
        }
    )
    return table.sort_values("time", kind="stable", ignore_index=True)[list(COLUMNS)]


def _state_words(series: xr.Dataset) -> list[str]:
    if "state" not in series:
        return [""] * series.sizes["time"]
    return [LakeState(int(code)).name.lower() for code in series["state"].values]


def _areas(series: xr.Dataset, name: str) -> NDArray[np.float64]:
    if name not in series:
        return np.full(series.sizes["time"], np.nan)
    return series[name].values.astype("float64")


def texts_of(series: xr.Dataset, name: str) -> list[str]:
    """Values (time,) of a text variable, whichever of numpy's text types the store's reader chose."""
    return [str(text) for text in series[name].values]


def is_open_water(table: pd.DataFrame) -> pd.Series[bool]:
    """Tell the slices that measure the size of the lake: an area, the lake seen, not of the frozen season.

    Parameters
    ----------
    table
        Rows as `area_table` makes them.

    Returns
    -------
    pandas.Series
        (row,) bool.
    """
    states = set(flag_words(NOT_OPEN_WATER).split())
    return table["area_m2"].notna() & np.array([states.isdisjoint(f.split()) for f in table["flags"]], bool)


def write_series(
    datasets: Mapping[str, xr.Dataset], target: Path | BinaryIO, form: SeriesFormat = "csv"
) -> None:
    """Write the series of a lake's tracks as a table or as outlines.

    Parameters
    ----------
    datasets
        Track -> series as `glaciolake.open_lake` gives it.
    target
        A file, written whole or not at all, or an open binary stream such as ``sys.stdout.buffer``.
    form
        ``csv``: a header row, ISO times in UTC, empty fields for NaN. ``parquet``: the table of `area_table`.
        ``geojson``: one feature a slice with the lake's outline in longitude/latitude, null geometry where no
        lake pixel was seen, and the row as properties.

    Raises
    ------
    PipelineError
        The format is another one, or the file cannot be written.
    """
    if form == "csv":
        content = _as_csv(area_table(datasets))
    elif form == "parquet":
        content = _as_parquet(area_table(datasets))
    elif form == "geojson":
        content = _as_geojson(datasets)
    else:
        raise PipelineError(f"no export format {form!r}; give csv, parquet or geojson")
    if isinstance(target, Path):
        write_whole(target, content)
    else:
        target.write(content)


def _for_people(table: pd.DataFrame) -> pd.DataFrame:
    """Give times as ISO text, and fractions without the noise digits that float32 leaves behind."""
    fractions = {name: table[name].astype("float64").round(6) for name in NUMBERS if "fraction" in name}
    areas = {
        name: table[name].astype("float64").round(1) for name in (*NUMBERS, *CORRECTED) if "area" in name
    }
    times = [time.strftime(TIME_FORMAT) for time in pd.to_datetime(table["time"], utc=True)]
    return table.assign(time=times, **fractions, **areas)


def _as_csv(table: pd.DataFrame) -> bytes:
    return _for_people(table).to_csv(index=False, lineterminator="\n").encode()


def _as_parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _as_geojson(datasets: Mapping[str, xr.Dataset]) -> bytes:
    features = []
    for track in sorted(datasets):
        series = datasets[track].sortby("time")
        rows = json.loads(_for_people(_rows_of(track, series)).to_json(orient="records"))
        for row, outline in zip(rows, outlines(series), strict=True):
            geometry = mapping(outline) if outline is not None else None
            features.append({"type": "Feature", "geometry": geometry, "properties": row})
    return json.dumps({"type": "FeatureCollection", "features": features}, allow_nan=False).encode()


def outlines(series: xr.Dataset) -> Iterator[Polygon | MultiPolygon | None]:
    """Draw the lake's outline of every slice, one after the other.

    Parameters
    ----------
    series
        One track's series, dims (time, y, x), with ``surface`` (time, y, x), classes of
        `glaciolake.catalog.variables.Surface`, NaN or 255 for unknown.

    Yields
    ------
    Polygon, MultiPolygon or None
        Edges of the pixels classed as lake, longitude/latitude degrees (WGS 84), outer rings
        counter-clockwise; None where a slice has no lake pixel.
    """
    to_degrees = Transformer.from_crs(crs_of(series), "EPSG:4326", always_xy=True)
    for outline in outlines_m(series):
        yield None if outline is None else _in_degrees(outline, to_degrees)


def outlines_m(series: xr.Dataset) -> Iterator[Polygon | MultiPolygon | None]:
    """Draw the lake's outline of every slice on the series' own grid, exactly along the pixels' edges.

    Parameters
    ----------
    series
        As of `outlines`.

    Yields
    ------
    Polygon, MultiPolygon or None
        Metres in the reference system of the series; its area is that of the lake pixels. None where a slice
        has no lake pixel.
    """
    grid = pixel_transform(series)
    for start in range(0, series.sizes["time"], SLICES_AT_ONCE):
        block = series["surface"].isel(time=slice(start, start + SLICES_AT_ONCE)).values
        for surface in block:
            yield _outline(surface == int(Surface.LAKE), grid)


def _outline(lake: NDArray[np.bool_], grid: Affine) -> Polygon | MultiPolygon | None:
    if not lake.any():
        return None
    found = rasterio.features.shapes(lake.astype("uint8"), mask=lake, connectivity=4, transform=grid)
    return cast("Polygon | MultiPolygon", unary_union([shape(one) for one, _ in found]))


def _in_degrees(outline: Polygon | MultiPolygon, to_degrees: Transformer) -> Polygon | MultiPolygon:
    degrees = map_coordinates(
        outline, lambda metres: np.column_stack(to_degrees.transform(metres[:, 0], metres[:, 1]))
    )
    parts = degrees.geoms if isinstance(degrees, MultiPolygon) else [degrees]
    rounded = [_rounded(orient(part)) for part in parts if isinstance(part, Polygon)]
    return rounded[0] if len(rounded) == 1 else MultiPolygon(rounded)


def _rounded(polygon: Polygon) -> Polygon:
    def ring(coordinates: Any) -> list[tuple[float, float]]:
        return [(round(x, DEGREE_DIGITS), round(y, DEGREE_DIGITS)) for x, y in coordinates]

    return Polygon(ring(polygon.exterior.coords), [ring(hole.coords) for hole in polygon.interiors])


def crs_of(series: xr.Dataset) -> CRS:
    """Coordinate reference system of a series, from its ``spatial_ref``."""
    return CRS.from_wkt(str(series["spatial_ref"].attrs["crs_wkt"]))


def pixel_transform(series: xr.Dataset) -> Affine:
    """Affine from (column, row) of a pixel's corner to (x, y) in metres, out of the centres in the series."""
    x, y = series["x"].values, series["y"].values
    if len(x) < 2 or len(y) < 2:
        raise PipelineError(f"a grid of {len(y)} x {len(x)} pixels has no spacing; it needs 2 x 2 at least")
    dx, dy = float(x[1] - x[0]), float(y[1] - y[0])
    return Affine(dx, 0.0, float(x[0]) - dx / 2, 0.0, dy, float(y[0]) - dy / 2)
