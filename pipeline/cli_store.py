"""Commands that look after a store. Heavy imports wait until a command needs them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glaciolake.catalog.store_verify import Damage

store_app = typer.Typer(
    name="store",
    help="Look after a store: what it holds, whether it is whole, what it was.",
    no_args_is_help=True,
)

Address = Annotated[str, typer.Argument(metavar="STORE", help="Address of the store.")]
LakeOption = Annotated[str, typer.Option(help="Lake id.")]
TrackOption = Annotated[str, typer.Option(help="Track, such as T121.")]
DAMAGED = 1
"""Exit code of a store that is not whole."""


@store_app.command()
def info(store: Address) -> None:
    """List lakes, tracks, spans and generations, and the snapshot that is current."""
    from glaciolake.catalog.readers import open_store

    typer.echo(repr(open_store(store)))


@store_app.command()
def digest(store: Address) -> None:
    """Print one digest of everything that readers see; equal stores have equal digests."""
    from glaciolake.catalog.store import Store

    typer.echo(Store.open(store).digest())


@store_app.command()
def history(
    store: Address,
    lake: LakeOption,
    track: TrackOption,
    pass_id: Annotated[
        str | None, typer.Option("--pass", help="One pass, such as T121_S1A_20240916.")
    ] = None,
) -> None:
    """Print every version that was ever stored, or those of a pass: when, of what, and why it went."""
    from glaciolake.catalog.readers import open_store

    table = open_store(store).history(lake, track, pass_id)
    typer.echo(table.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ", lineterminator="\n"), nl=False)


@store_app.command()
def withdraw(
    store: Address,
    what: Annotated[str, typer.Argument(help="Name of a granule, or one slice as lake/track/pass.")],
    reason: Annotated[str, typer.Option(help="Why, for the history.")],
) -> None:
    """Withdraw a slice, or every slice made of a granule: readers no longer see it, its history stays.

    What is withdrawn is not made again; a slice of newer granules takes its place. Example: glaciolake store
    withdraw lakes.icechunk tsho-rolpa/T121/T121_S1A_20240916 --reason "withdrawn by ASF: wrong orbit file"
    """
    from glaciolake.catalog.store import Store
    from glaciolake.catalog.store_events import slices_made_of
    from glaciolake.pipeline.derive import derive_as_made

    opened = Store.open(store)
    lake, _, rest = what.partition("/")
    track, _, pass_id = rest.partition("/")
    hit = {(lake, track): [pass_id]} if pass_id else slices_made_of(opened.snapshot(), what)
    if not hit:
        raise typer.BadParameter(f"no slice in {store} is made of {what!r}, and it is no lake/track/pass")
    for (name, of), passes in hit.items():
        done = opened.withdraw(name, of, dict.fromkeys(passes, reason), derive_as_made)
        for one in passes:
            typer.echo(f"{name}/{of}/{one}: {'withdrawn' if done else 'was not to be seen'}")


@store_app.command()
def verify(store: Address) -> None:
    """Read everything that is stored and list what is damaged; exit code 1 where something is."""
    from glaciolake.catalog.store import Store
    from glaciolake.catalog.store_verify import verify as read_all

    found = read_all(Store.open(store))
    _tell(found)
    if found:
        typer.echo(f"'glaciolake store repair {store}' marks them as lost, to be made again", err=True)
        raise typer.Exit(DAMAGED)
    typer.echo("every stored chunk can be read")


@store_app.command()
def repair(store: Address) -> None:
    """Mark damaged slices as lost, so that the same run as before makes them again; all else stays."""
    from glaciolake.catalog.store import Store
    from glaciolake.catalog.store_verify import repair as mark

    found = mark(Store.open(store))
    _tell(found)
    typer.echo("marked as lost; run again" if found else "every stored chunk can be read; nothing to do")


@store_app.command()
def compact(
    store: Address,
    rows: Annotated[int, typer.Option(help="Slices a stored chunk of pixels, from now on.")] = 16,
) -> None:
    """Bring the slices of every series into order of time; at a season's end, for quicker reading.

    With more rows a chunk, a place through many years is read from fewer objects; a date, and each later
    append, handles so many more slices.
    """
    from glaciolake.catalog.store import Store
    from glaciolake.catalog.store_compact import compact as bring_in_order

    moved = bring_in_order(Store.open(store), rows)
    for path, n in moved.items():
        typer.echo(f"{path}: {n} slices and events laid out anew, {rows} a chunk")
    if not moved:
        typer.echo(f"every series lies in order, {rows} slices a chunk; nothing to do")


@store_app.command()
def expire(
    store: Address,
    keep_days: Annotated[float, typer.Option(help="Snapshots younger than so many days stay.")] = 30.0,
) -> None:
    """Give up old snapshots and delete what only they, or killed writers, hold.

    Every version of every slice stays, with its history, --version and as_of a time; what goes is opening the
    store by an old snapshot's id.
    """
    from glaciolake.catalog.store import Store
    from glaciolake.catalog.store_compact import expire as give_up

    done = give_up(Store.open(store), timedelta(days=keep_days))
    typer.echo(
        f"{done.snapshots} snapshots given up, {done.files} files deleted, {done.bytes / 1e6:.1f} MB freed"
    )


def _tell(damages: Sequence[Damage]) -> None:
    for one in damages:
        hit = ", ".join(one.passes) or "passes whose names are lost with it"
        typer.echo(
            f"{one.lake}/{one.track} {one.array} rows {one.rows[0]}-{one.rows[1] - 1}: {hit}: {one.reason}"
        )
