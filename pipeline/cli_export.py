"""The command that exports a store. Heavy imports wait until it is called."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer


def export(  # noqa: PLR0913  # a command has an option for everything that people set on the spot
    store: Annotated[str, typer.Argument(help="Address of the store.")],
    out: Annotated[
        str, typer.Option("--out", "-o", help="Folder: a path, or an address such as s3://bucket/prefix.")
    ],
    format: Annotated[
        str,
        typer.Option(help="zarr, netcdf, cog, csv, geojson, geoparquet, stac, comma-separated; or all."),
    ] = "zarr",
    lake: Annotated[str, typer.Option(help="Lake id, or all.")] = "all",
    track: Annotated[
        str | None, typer.Option(help="Track, such as T121; without it all, each by itself.")
    ] = None,
    start: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day, UTC.")] = None,
    end: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day, UTC.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace earlier exports of the same names.")] = False,
) -> None:
    """Write series for other programs: one file or folder a lake and track, never two tracks in one.

    STAC lists as assets what lies beside it, so ask for it together with the others. Example:
    glaciolake export lakes.icechunk --lake tsho-rolpa --format netcdf,cog,stac --out tsho-rolpa/
    """
    from glaciolake.pipeline.export.choice import Choice
    from glaciolake.pipeline.export.formats import checked_formats
    from glaciolake.pipeline.export.formats import export as export_store

    choice = Choice(lake, track, start.date() if start else None, end.date() if end else None)
    for made in export_store(store, out, checked_formats(format), choice, overwrite=overwrite):
        typer.echo(f"{out.rstrip('/')}/{made.name}: {made.n_slices} slices")
