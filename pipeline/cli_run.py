"""Commands that work: demo, run, config, doctor. Heavy imports wait until a command needs them."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from distributed import Client

    from glaciolake.cluster.doctor import Check
    from glaciolake.pipeline.config import RunConfig
    from glaciolake.pipeline.run import Summary

File = Annotated[
    Path | None, typer.Argument(help="Configuration, YAML; options given here win.", show_default=False)
]
Scheduler = Annotated[
    str | None, typer.Option(help="Dask scheduler, tcp://host:8786; without it workers start here.")
]
LastDays = Annotated[
    int | None, typer.Option(min=1, help="Only the last N days up to today, UTC: for a run every hour.")
]
Source = Annotated[
    str | None, typer.Option(help="Folder of GeoTIFFs, catalog.json, STAC API address, or asf.")
]
NewGeneration = Annotated[
    bool,
    typer.Option(
        "--new-generation",
        help="Let a series of another network or settings stand beside those in the store.",
    ),
]
DEMO_LAKES = "tsho-rolpa,chamlang"
DEMO_SPAN = (datetime(2022, 10, 1), datetime(2024, 10, 1))
INCOMPLETE = 3
"""Exit code of a run that finished but could not use everything."""
TABLE_CAPTION = "used: of all stored slices those with an area that are neither incomplete nor frozen season"
SHOWN = 20
"""Failures printed in full; the store holds all of them."""


def demo(
    out: Annotated[Path, typer.Option(help="Folder for archive, store and figure.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the simulated archive.")] = 0,
    lakes: Annotated[str, typer.Option(help="Lake ids, comma-separated.")] = DEMO_LAKES,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day.")] = DEMO_SPAN[0],
    end: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Day after the last.")] = DEMO_SPAN[1],
) -> None:
    """Make a small simulated archive, run the whole chain on it, and draw the result.

    Needs no network, no account and no GPU. The archive has real OPERA names, cloud-optimised GeoTIFFs and a
    STAC catalogue; the scenes are simulated and the true lake areas are known.
    """
    from glaciolake.cluster.connect import connect
    from glaciolake.cluster.plugins import WorkerSetup
    from glaciolake.pipeline.config import load_config
    from glaciolake.pipeline.overview import draw_lake

    archive, store, ids = out / "archive", out / "lakes.icechunk", lakes.split(",")
    settings = load_config(
        None, {"source": str(archive / "catalog" / "catalog.json"), "store": str(store), "lakes": ids}
    )
    with connect(settings.cluster) as client:
        client.register_plugin(WorkerSetup())
        _simulate_once(client, archive, ids, (start.date(), end.date()), seed)
        summary = _run_with_bar(settings, client)
    for lake in ids:
        figure = draw_lake(str(store), lake, out / f"{lake}.png")
        typer.echo(f"Figure: {figure}")
    typer.echo(f'Open it: glaciolake.open_tracks("{store}", "{ids[0]}")')
    typer.echo(f"Score it: glaciolake evaluate --truth {archive} --store {store} --out {out / 'scores'}")
    _finish(settings, summary)


def _simulate_once(
    client: Client, archive: Path, lakes: list[str], span: tuple[date, date], seed: int
) -> None:
    """Write the demo's archive, unless it is there already; one that was broken off is begun anew."""
    from glaciolake.catalog.simulate.order import make_order, read_recipe
    from glaciolake.pipeline.cli_simulate import write_on

    order = make_order(lakes, span, seed=seed)
    found = read_recipe(archive)
    if found is not None and found[0] != order:
        raise typer.BadParameter(
            f"{archive} was made with other settings ({', '.join(found[0].sites)}, {found[0].start} to "
            f"{found[0].end}, seed {found[0].seed}); give those, or another --out folder"
        )
    if found is not None and not found[1]:
        shutil.rmtree(archive)  # ours, and half made: a killed demo
    if found is None or not found[1]:
        typer.echo(f"Writing a simulated OPERA archive to {archive}")
        write_on(client, archive, order)


def run(  # noqa: PLR0913  # a command has an option for everything that people set on the spot
    file: File = None,
    source: Source = None,
    lakes: Annotated[str | None, typer.Option(help="Lake ids, comma-separated; without it all.")] = None,
    start: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day, UTC.")] = None,
    end: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day, UTC.")] = None,
    last_days: LastDays = None,
    shard: Annotated[str | None, typer.Option(help="Share of the lakes, i/n with i from 0.")] = None,
    store: Annotated[str | None, typer.Option(help="Path, or s3://bucket/prefix, gs://, az://.")] = None,
    tracks: Annotated[str | None, typer.Option(help="Tracks, such as T012,T121; without it all.")] = None,
    registry: Annotated[Path | None, typer.Option(help="Your own lakes as GeoJSON.")] = None,
    model: Annotated[str | None, typer.Option(help="Shipped name or path of an .onnx file.")] = None,
    scheduler: Scheduler = None,
    workers: Annotated[int | None, typer.Option(help="Local workers; without it one a core.")] = None,
    new_generation: NewGeneration = False,
    config: Annotated[Path | None, typer.Option(help="The same as the argument.")] = None,
) -> None:
    """Bring a store up to date: find scenes, map the lakes, commit their areas per track.

    Run it again at any time: what is stored is left alone, late scenes are filled in, and what failed is
    tried again. Example: glaciolake run --source archive/ --lakes tsho-rolpa --start 2021-01-01
    --end 2025-12-31 --store lakes.icechunk
    """
    from glaciolake.pipeline.config import load_config

    if file is not None and config is not None:
        raise typer.BadParameter(f"two configurations, {file} and {config}; give one")
    first, last = _span(start, end, last_days)
    overrides: dict[str, Any] = {
        "source": source,
        "lakes": lakes.split(",") if lakes is not None else None,
        "shard": shard,
        "start": first,
        "end": last,
        "quiet_gaps": True if last_days is not None else None,
        "store": store,
        "tracks": _track_numbers(tracks),
        "registry": registry,
        "model": model,
        "cluster.scheduler": scheduler,
        "cluster.n_workers": workers,
        "new_generation": new_generation or None,
    }
    settings = load_config(file or config, overrides)
    _finish(settings, _run_with_bar(settings))


def config(
    file: Annotated[Path | None, typer.Argument(help="YAML file to check and complete.")] = None,
) -> None:
    """Print the configuration with every key's meaning; given a file, check it and fill in the defaults."""
    from glaciolake.pipeline.config import commented_yaml, load_config

    given = None if file else {"source": "archive/", "store": "lakes.icechunk"}
    typer.echo(commented_yaml(load_config(file, given or {})), nl=False)


def doctor(
    store: Annotated[str, typer.Option(help="Where results are to go.")] = ".",
    scheduler: Annotated[str | None, typer.Option(help="Dask scheduler to try.")] = None,
    job: Annotated[
        bool, typer.Option("--job", help="Have a worker of each kind measure a drawn lake, and check it.")
    ] = False,
) -> None:
    """Check packages, GDAL, disk, credentials, network and scheduler, and name the fix of what is wrong."""
    from glaciolake.cluster.doctor import examine

    checks = examine(store, scheduler)
    if job and checks[-1].state == "ok":  # the scheduler's
        checks += _tried(scheduler)
    for check in checks:
        typer.echo(f"{check.state:<5} {check.name}: {check.found}")
        if check.fix and check.state != "ok":
            typer.echo(f"      fix: {check.fix}")
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(1)


def _tried(scheduler: str | None) -> list[Check]:
    """Do the tiny job on a scheduler's workers, or on one of this machine."""
    from glaciolake.cluster.config import ClusterConfig
    from glaciolake.cluster.connect import connect
    from glaciolake.cluster.doctor import failed
    from glaciolake.cluster.errors import ClusterError
    from glaciolake.cluster.trial import try_workers
    from glaciolake.pipeline.trial import judge, measured_area_m2

    try:
        with connect(ClusterConfig(scheduler=scheduler, n_workers=1)) as client:
            return try_workers(client, measured_area_m2, judge)
    except (ClusterError, ValueError) as error:  # an address that is none is a ValueError
        return [failed("job", str(error))]


def _span(
    start: datetime | None, end: datetime | None, last_days: int | None
) -> tuple[date | None, date | None]:
    """First and last day that the options ask for, UTC; None leaves it to the configuration."""
    if last_days is None:
        return start.date() if start else None, end.date() if end else None
    if start or end:
        raise typer.BadParameter("--last-days sets the first and the last day; leave --start and --end out")
    today = datetime.now(UTC).date()
    return today - timedelta(days=last_days), today


def _track_numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part.strip().upper().removeprefix("T")) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"tracks {text!r}: give numbers such as T012,T121") from error


def _run_with_bar(settings: RunConfig, client: Client | None = None) -> Summary:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from glaciolake.pipeline.run import run as run_pipeline
    from glaciolake.pipeline.run import work_off

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("slices, {task.fields[rate]:.1f}/s,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("searching", total=None, rate=0.0)

        def show(done: int, total: int) -> None:
            seconds = bar.tasks[0].elapsed or 1.0
            bar.update(task, description="mapping", completed=done, total=total, rate=done / seconds)

        return run_pipeline(settings, show) if client is None else work_off(client, settings, show)


def _finish(settings: RunConfig, summary: Summary) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from glaciolake.pipeline.overview import NOTHING, store_overview

    console = Console()
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, caption=TABLE_CAPTION)
    table.caption_justify = "left"
    for heading in ("lake", "track", "new", "kept", "empty", "failed", "used", "km2"):
        table.add_column(heading, justify="left" if heading in ("lake", "track") else "right", no_wrap=True)
    overview = store_overview(settings.store)
    for one in summary.counts:
        stored = overview.get((one.lake, one.track), NOTHING)
        counts = (one.n_new, one.n_kept, one.n_empty, one.n_failed)
        table.add_row(one.lake, one.track, *map(str, counts), *stored)
    console.print(f"Store {settings.store}")
    console.print(table)
    if summary.n_superseded:
        console.print(f"{summary.n_superseded} granule(s) left aside: a newer processing of each was used")
    problems = summary.failed | summary.refused
    for name, reason in sorted(problems.items())[:SHOWN]:
        typer.echo(f"not used: {name}: {reason}", err=True)
    if len(problems) > SHOWN:
        typer.echo(f"... and {len(problems) - SHOWN} more; the store's quarantine lists all", err=True)
    if not summary.complete:
        raise typer.Exit(INCOMPLETE)
