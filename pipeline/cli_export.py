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
    version: Annotated[
        str | None,
        typer.Option(help="Generation or network, such as lake-unet-b3-db-1; else the current one."),
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="State at a time, UTC, or of a snapshot's id.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace earlier exports of the same names.")] = False,
) -> None:
    """Write series for other programs: one file or folder a lake and track, never two tracks in one.

    STAC lists as assets what is written with it, so ask for it together with the others. Example:
    glaciolake export lakes.icechunk --lake tsho-rolpa --format netcdf,cog,stac --out tsho-rolpa/
    """
    from glaciolake.pipeline.export.choice import Choice
    from glaciolake.pipeline.export.formats import checked_formats
    from glaciolake.pipeline.export.formats import export as export_store

    days = (start.date() if start else None, end.date() if end else None)
    choice = Choice(lake, track, *days, version=version, as_of=as_of)
    for made in export_store(store, out, checked_formats(format), choice, overwrite=overwrite):
        typer.echo(f"{out.rstrip('/')}/{made.name}: {made.n_slices} slices")


def restore(
    exports: Annotated[list[str], typer.Argument(help="Zarr exports, folders or addresses.")],
    store: Annotated[str, typer.Option(help="Store to fill; made where there is none.")],
    new_generation: Annotated[
        bool,
        typer.Option(help="Let a series of another network or settings stand beside those in the store."),
    ] = False,
) -> None:
    """Fill a store from Zarr exports of it: what it holds already stays as it is.

    Example: glaciolake restore exported/*.zarr --store again.icechunk
    """
    from glaciolake.pipeline.export.back import restore as restore_store

    for name, n_slices, written in restore_store(exports, store, new_generation=new_generation):
        typer.echo(f"{name}: {n_slices} slices, {'added what was missing' if written else 'nothing was new'}")
