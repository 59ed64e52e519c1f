"""Commands on catalogues: build, search. Heavy imports wait until a command needs them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

catalog_app = typer.Typer(
    name="catalog", help="Find scenes, and catalogue those you have.", no_args_is_help=True
)


@catalog_app.command()
def build(
    folder: Annotated[
        Path, typer.Argument(help="Folder of OPERA RTC-S1 or HyP3 RTC GeoTIFFs, searched through.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the catalogue.")],
) -> None:
    """Write a static STAC catalogue of a folder of RTC GeoTIFFs; the files stay where they are."""
    from glaciolake.catalog.folder import FolderSource
    from glaciolake.catalog.static_catalog import build as build_catalog

    found = build_catalog(FolderSource(folder), out)
    typer.echo(f"{found.items} items, {found.superseded} superseded: {found.path}")
    for one in found.refused:
        typer.echo(f"not used: {one.name}: {one.reason}", err=True)
    if found.refused:
        raise typer.Exit(3)


@catalog_app.command()
def search(  # noqa: PLR0913  # a command has an option for everything that people ask for
    source: Annotated[str, typer.Option(help="Folder, catalog.json, STAC API address, or asf.")],
    lake: Annotated[str, typer.Option(help="Lake id.")],
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day, UTC.")],
    end: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day, UTC.")],
    registry: Annotated[Path | None, typer.Option(help="Your own lakes as GeoJSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the STAC items.")] = False,
) -> None:
    """List the scenes of a lake that a source offers, one line a scene, in order of time."""
    from glaciolake.catalog.granule import track_name
    from glaciolake.catalog.items import granule_of
    from glaciolake.catalog.lakes import find_lakes, load_lakes
    from glaciolake.catalog.request import Request
    from glaciolake.catalog.sources import open_source

    wanted = find_lakes(lake, load_lakes(registry))
    if len(wanted) > 1:
        raise typer.BadParameter(f"--lake {lake!r} names {len(wanted)} lakes; search for one at a time")
    last = end.replace(tzinfo=UTC) + timedelta(days=1)
    request = Request(wanted[0].aoi, start.replace(tzinfo=UTC), last, tracks=wanted[0].tracks)
    found = open_source(source).find(request)
    for item in found.items:
        if as_json:
            typer.echo(json.dumps(item.to_dict(include_self_link=False)))
            continue
        one = granule_of(item)
        bands = ",".join(one.bands)
        typer.echo(
            f"{one.sensing_start:%Y-%m-%dT%H:%M:%SZ} {track_name(one.relative_orbit)} {one.name} {bands}"
        )
    for refused in found.refused:
        typer.echo(f"not used: {refused.name}: {refused.reason}", err=True)
    note = f"{len(found.items)} scenes, {len(found.superseded)} superseded, {len(found.refused)} refused"
    typer.echo(note, err=True)
    if found.refused:
        raise typer.Exit(3)
