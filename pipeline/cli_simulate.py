"""Commands on the simulated archive: write one, serve one. Heavy imports wait until a command needs them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from glaciolake.pipeline.cli_serve import serve

if TYPE_CHECKING:
    from distributed import Client

FIRST_DAY = date(2016, 4, 14)
"""Of the real archive: a simulated one begins no earlier."""
MAIN = "archive"
STOPPED = 130
"""Exit code of what Ctrl-C ended."""


class _ArchiveUnlessNamed(TyperGroup):
    """Takes ``simulate OUT`` for ``simulate archive OUT``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [MAIN, *args]
        rest: list[str] = super().parse_args(ctx, args)
        return rest


simulate_app = typer.Typer(
    name="simulate",
    help="Simulate an OPERA archive whose lakes are known exactly, and serve it like the real one.",
    cls=_ArchiveUnlessNamed,
    no_args_is_help=True,
)
simulate_app.command()(serve)


@simulate_app.command(MAIN)
def archive(  # noqa: PLR0913  # a command has an option for everything that people set on the spot
    out: Annotated[Path, typer.Argument(help="New or empty folder.")],
    lakes: Annotated[
        str,
        typer.Option(help="How many sites, or their ids: tsho-rolpa,chamlang. Thame's site holds two lakes."),
    ] = "2",
    years: Annotated[
        str, typer.Option(help="First and last year, 2016-2025, or one; 2016 begins on 14 April.")
    ] = "2023-2024",
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 0,
    profile: Annotated[str, typer.Option(help="Climate, satellites and sites: himalaya.")] = "himalaya",
    damage: Annotated[
        list[str] | None,
        typer.Option(help="Broken granules, KIND=SHARE with truncated, crs, nan or html; may be repeated."),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler, tcp://host:8786; without it workers start here.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Local workers; without it one a core.")] = None,
) -> None:
    """Write an archive of OPERA RTC-S1 granules with its truth; the word "archive" may be left out.

    Real names, grids, tracks and acquisition days; simulated ground, lakes, weather and speckle. Example:
    glaciolake simulate archive/ --lakes 4 --years 2022-2024
    """
    start, end = _span(years)
    shares = _shares(damage or [])
    with _one_line_if_stopped(out):
        order = _order(_lakes(lakes), (start, end), seed=seed, profile=profile, damage=shares)
        made = _write(out, order, scheduler, workers)
    note = f", {len(made.superseded)} superseded" + (f", {len(made.damaged)} damaged" if made.damaged else "")
    typer.echo(f"{len(made.granules)} granules{note}: {made.folder}")
    typer.echo(
        f"Run it: glaciolake run --source {made.catalog} --registry {made.registry} --start {start} "
        f"--end {end} --store {out.with_suffix('.icechunk').name}"
    )


@contextmanager
def _one_line_if_stopped(out: Path) -> Iterator[None]:
    """Say after Ctrl-C what became of the folder."""
    try:
        yield
    except KeyboardInterrupt:
        said = {
            None: "nothing was written",
            True: f"the archive in {str(out)!r} is whole",
            False: f"half an archive is in {str(out)!r}, and cannot be gone on with: delete it, begin anew",
        }
        typer.echo(f"glaciolake: stopped; {said[_is_whole(out)]}", err=True)
        raise typer.Exit(STOPPED) from None


def _order(lakes: int | list[str], span: tuple[date, date], **told: Any) -> Any:
    """Make the `Order`; a value that it refuses is wrong use, like one that cannot be read."""
    from glaciolake.catalog.errors import CatalogError
    from glaciolake.catalog.simulate.order import make_order

    try:
        return make_order(lakes, span, **told)
    except CatalogError as error:
        raise typer.BadParameter(str(error)) from error


def _write(out: Path, order: Any, scheduler: str | None, n_workers: int | None) -> Any:
    from glaciolake.catalog.simulate.archive import check_empty
    from glaciolake.cluster.config import ClusterConfig
    from glaciolake.cluster.connect import connect
    from glaciolake.cluster.plugins import WorkerSetup

    check_empty(out)
    with connect(ClusterConfig(scheduler=scheduler, n_workers=n_workers)) as client:
        client.register_plugin(WorkerSetup(cookies=False))  # above all: workers leave Ctrl-C to us
        return write_on(client, out, order)


def _is_whole(out: Path) -> bool | None:
    """Whether the archive in a folder is whole; None where there is none."""
    from glaciolake.catalog.errors import CatalogError
    from glaciolake.catalog.simulate.order import read_recipe

    try:
        found = read_recipe(out)
    except CatalogError:
        return None
    return found and found[1]


def write_on(client: Client, out: Path, order: Any) -> Any:
    """Write an archive on a Dask client's workers, with a bar; the `Archive`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from glaciolake.catalog.simulate.archive import write_archive

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:

        def mapper(work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
            shown = bar.add_task("simulating scenes", total=len(tasks))
            # Each task writes files of its own, so that one whose worker was lost is simply done again.
            futures = client.map(work, tasks, pure=False, retries=2)
            while futures:
                future = futures.pop(0)
                yield future.result()
                future.release()
                bar.advance(shown)

        return write_archive(out, order, mapper)


def _span(years: str) -> tuple[date, date]:
    """First day, and the day after the last, of "2016-2025" or "2020"."""
    found = re.fullmatch(r"\s*(\d{4})\s*(?:-\s*(\d{4})\s*)?", years)
    if found is None:
        raise typer.BadParameter(f"years {years!r}: give two, such as 2016-2025, or one, such as 2020")
    first, last = int(found[1]), int(found[2] or found[1])
    if not FIRST_DAY.year <= first <= last <= 2039:
        raise typer.BadParameter(
            f"years {years!r}: give years from {FIRST_DAY.year} to 2039, the earlier first"
        )
    return max(date(first, 1, 1), FIRST_DAY), date(last + 1, 1, 1)


def _lakes(text: str) -> int | list[str]:
    return int(text) if re.fullmatch(r"\s*-?\d+\s*", text) else _words(text)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _shares(entries: list[str]) -> dict[str, float]:
    """KIND=SHARE entries as numbers."""
    shares: dict[str, float] = {}
    for entry in entries:
        kind, _, share = (part.strip() for part in entry.partition("="))
        if kind in shares:
            raise typer.BadParameter(f"damage {kind!r} is given twice; give each kind once")
        try:
            shares[kind] = float(share)
        except ValueError as error:
            raise typer.BadParameter(
                f"damage {entry!r}: give a kind and a share, such as html=0.01"
            ) from error
    return shares
