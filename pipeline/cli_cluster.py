"""Commands that look after a cluster that is there: who works in it, and taking workers out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glaciolake.cluster.config import ClusterConfig

cluster_app = typer.Typer(
    name="cluster", help="Look after a Dask cluster: its workers, and taking some out.", no_args_is_help=True
)
Scheduler = Annotated[str, typer.Option(help="Dask scheduler, tcp://host:8786 or tls://host:8786.")]


@cluster_app.command()
def status(scheduler: Scheduler) -> None:
    """List the workers of a scheduler: name, kind, threads, tasks at hand, memory."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from glaciolake.cluster.connect import connect
    from glaciolake.cluster.place import by_kind, workers_of

    with connect(_config(scheduler)) as client:
        kinds = {address: kind for kind, addresses in by_kind(client).items() for address in addresses}
        workers = workers_of(client)
        at_hand = {address: len(tasks) for address, tasks in client.processing().items()}
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("worker", "kind", "state", "threads", "tasks", "MiB"):
        table.add_column(heading, justify="left" if heading in ("worker", "kind", "state") else "right")
    for address, about in sorted(workers.items(), key=lambda pair: str(pair[1]["name"])):
        numbers = (about["nthreads"], at_hand.get(address, 0), about["metrics"]["memory"] // 2**20)
        table.add_row(str(about["name"]), kinds[address], about["status"], *map(str, numbers))
    Console().print(table)


@cluster_app.command()
def retire(
    names: Annotated[list[str], typer.Argument(help="Names or addresses of workers.")],
    scheduler: Scheduler,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds that a task may still run.")] = 60.0,
) -> None:
    """Take workers out: each finishes the task it is at, hands over its results, and closes."""
    from glaciolake.cluster.connect import connect
    from glaciolake.cluster.retire import retire as take_out

    with connect(_config(scheduler)) as client:
        for name, how in take_out(client, names, timeout_s=timeout).items():
            typer.echo(f"{name}: {how}")


def _config(scheduler: str) -> ClusterConfig:
    from pydantic import ValidationError

    from glaciolake.cluster.config import ClusterConfig

    try:
        return ClusterConfig(scheduler=scheduler, workers_timeout_s=1.0)  # those that are there, or none
    except ValidationError as error:
        raise typer.BadParameter(str(error.errors()[0]["msg"])) from error
