"""Outlines of a series as GeoParquet: the lake's water of every slice, along the pixels' edges."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.series import area_table, crs_of, outlines_m


def write_geoparquet(series: xr.Dataset, path: Path) -> None:
    """Write one row a slice: the outline, and what `glaciolake.pipeline.series.area_table` says of it.

    Parameters
    ----------
    series
        As of `glaciolake.open_lake`: dims (time, y, x), with ``surface``.
    path
        New file. Its geometry is in metres, in the reference system of the series, so that areas can
        be computed as they are; null where a slice has no lake pixel. Nothing is smoothed.

    Raises
    ------
    PipelineError
        geopandas is not installed.
    """
    try:
        from geopandas import GeoDataFrame
    except ImportError as error:
        raise PipelineError(
            f"GeoParquet needs geopandas ({error}); pip install 'glaciolake[export]'"
        ) from error
    table = area_table({str(series.attrs["track"]): series})
    GeoDataFrame(table, geometry=list(outlines_m(series)), crs=crs_of(series)).to_parquet(path, index=False)
