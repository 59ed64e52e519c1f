"""Commands that read a store: series, plot. Heavy imports wait until a command needs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer


def series(
    store: Annotated[str, typer.Argument(help="Address of the store.")],
    lake: Annotated[str, typer.Option(help="Lake id.")],
    track: Annotated[
        str | None, typer.Option(help="Track, such as T121; without it all, one after another.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File; without it standard output.")] = None,
    format: Annotated[Literal["csv", "parquet", "geojson"], typer.Option(help="Form of the table.")] = "csv",
) -> None:
    """Write the area series of a lake: one row a slice, per track, with bounds, flags and granules.

    Areas of different tracks are not comparable: the same lake looks 20 to 30 % smaller where its shore lies
    in layover. Rows without an area are passes that saw too little of the lake.
    """
    from glaciolake.pipeline.overview import open_tracks
    from glaciolake.pipeline.series import write_series

    write_series(open_tracks(store, lake, track), out or sys.stdout.buffer, format)


def plot(
    store: Annotated[str, typer.Argument(help="Address of the store.")],
    lake: Annotated[str, typer.Option(help="Lake id.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG, PDF or SVG file.")] = Path("lake.png"),
    registry: Annotated[Path | None, typer.Option(help="Your own lakes as GeoJSON.")] = None,
) -> None:
    """Draw the area series of a lake: one panel a track, with uncertainty, flags and trend if allowed."""
    from glaciolake.pipeline.overview import draw_lake

    typer.echo(f"Figure: {draw_lake(store, lake, out, registry)}")
