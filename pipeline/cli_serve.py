"""The command that serves a simulated archive like the real one, by itself or around another command."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from glaciolake.pipeline.errors import PipelineError

if TYPE_CHECKING:
    from glaciolake.catalog.simulate.serve.options import Options
    from glaciolake.catalog.simulate.serve.server import Served

NOT_FOUND = 127
"""Exit code of shells for a command that is not there."""


def serve(  # noqa: PLR0913  # a command has an option for everything that people set on the spot
    archive: Annotated[Path, typer.Argument(help="Folder of an archive, such as demo/archive.")],
    command: Annotated[
        list[str] | None, typer.Argument(help="After --: command to run; without one, serve until Ctrl-C.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the STAC API; 0 takes a free one.")] = 0,
    token: Annotated[str | None, typer.Option(help="Bearer token that the archive accepts.")] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=SHARE",
            help="Share of requests that fail: 401, 403-head, 429, 500, stall, truncate, expired, or all.",
        ),
    ] = None,
    broken: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN=KIND", help="Files that fail every time.")
    ] = None,
    stall_s: Annotated[float, typer.Option(min=0, help="Seconds that a stalled answer hangs.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Seed of the random faults.")] = 0,
    now: Annotated[
        str | None, typer.Option(metavar="ISO", help="Serve what was made by then: 2024-06-04T12:00:00Z.")
    ] = None,
) -> None:
    """Serve an archive on this machine as NASA serves the real one, with faults if you like.

    Prints the variables under which any program finds it: NASA's host names are played behind a proxy, and no
    byte leaves the machine. Or runs a command under them and ends with its exit code:
    glaciolake simulate serve demo/archive --fault all=0.1 -- glaciolake run --source asf ...
    """
    from glaciolake.catalog.simulate.serve.options import Options, parse_broken, parse_faults

    told: dict[str, Any] = {"port": port, "seed": seed, "stall_s": stall_s, "now": _moment(now)}
    if token is not None:
        told["token"] = token
    options = Options(faults=parse_faults(fault or ()), broken=parse_broken(broken or ()), **told)
    signal.signal(signal.SIGTERM, _stop)
    with _served(archive, options) as running:
        try:
            code = _run(command, running) if command else _wait(running)
        finally:
            typer.echo(_account(running), err=True)
    raise typer.Exit(code)


def _served(archive: Path, options: Options) -> AbstractContextManager[Served]:
    try:
        from glaciolake.catalog.simulate.serve.server import served
    except ModuleNotFoundError as error:
        raise PipelineError(
            f"serving needs {error.name}, which is not installed; get it by pip install 'glaciolake[serve]'"
        ) from error
    return served(archive, options)


def _wait(running: Served) -> int:
    """Print how to get there, and serve until somebody stops it."""
    for name, value in running.environment.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    typer.echo(f"Serving {len(running.holdings.products)} granules; Ctrl-C stops", err=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    return 0


def _run(command: list[str], running: Served) -> int:
    """Run a command under the archive's variables; its exit code, as a shell would tell it."""
    try:
        process = subprocess.Popen(command, env=os.environ | running.environment)
    except OSError as error:
        typer.echo(f"glaciolake: cannot run {command[0]!r}: {error.strerror}", err=True)
        return NOT_FOUND
    while True:
        try:
            code = process.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:  # the command has heard it too; it may need a moment to end
            process.send_signal(signal.SIGINT)


def _account(running: Served) -> str:
    """Say in one line what was asked and what went wrong."""
    asked = " ".join(f"{kind}={count}" for kind, count in sorted(running.requests.items()))
    sent = " ".join(f"{kind}={count}" for kind, count in sorted(running.faults.sent.items()))
    refused = ", ".join(sorted(set(running.refused)))
    return f"Served: {asked or 'nothing'}; faults: {sent or 'none'}; other hosts refused: {refused or 'none'}"


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"--now {text!r} is no time; write 2024-06-04T12:00:00Z") from error


def _stop(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
