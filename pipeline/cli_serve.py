"""The command that serves a simulated archive like the real one, by itself or around another command."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glaciolake.pipeline.child import Ended, code_of, ending_is_raised, run_command
from glaciolake.pipeline.errors import PipelineError

if TYPE_CHECKING:
    from glaciolake.catalog.simulate.serve.options import Options
    from glaciolake.catalog.simulate.serve.server import Served


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

    Prints the variables under which any program finds it: NASA's host names are played behind a proxy, which
    refuses all others; only a program that ignores proxy variables still gets out. Or runs a command under
    them and ends with its exit code:
    glaciolake simulate serve demo/archive --fault all=0.1 -- glaciolake run --source asf ...

    126: the command cannot be executed; 127: it is not there. Ctrl-C is the command's to answer. SIGTERM and
    SIGHUP end it too, after ten seconds by force, with 143 and 129.
    """
    told: dict[str, Any] = {"port": port, "seed": seed, "stall_s": stall_s, "now": _moment(now)}
    if token is not None:
        told["token"] = token
    options = _options(fault or (), broken or (), told)
    try:
        with ending_is_raised(), _served(archive, options) as running:
            try:
                code = _run(command, running) if command else _wait(running)
            finally:
                with suppress(OSError):  # after SIGHUP the terminal may be gone
                    typer.echo("\n".join(_account(running)), err=True)
    except Ended as ended:
        code = ended.code
    raise typer.Exit(code)


def _options(faults: Sequence[str], broken: Sequence[str], told: Mapping[str, Any]) -> Options:
    """Make the `Options`; a value that they refuse is wrong use, like one that cannot be read."""
    from glaciolake.catalog.errors import CatalogError
    from glaciolake.catalog.simulate.serve.options import Options, parse_broken, parse_faults

    try:
        return Options(faults=parse_faults(faults), broken=parse_broken(broken), **told)
    except CatalogError as error:
        raise typer.BadParameter(str(error)) from error


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
        return run_command(command, os.environ | running.environment)
    except OSError as error:
        typer.echo(f"glaciolake: cannot run {command[0]!r}: {error.strerror}", err=True)
        return code_of(error)


def _account(running: Served) -> list[str]:
    """Say in one line what was asked and what went wrong, and in one each which fault could not."""
    asked = " ".join(f"{kind}={count}" for kind, count in sorted(running.requests.items()))
    sent = " ".join(f"{kind}={count}" for kind, count in sorted(running.faults.sent.items()))
    told = {
        "faults": sent or "none",
        "other hosts refused": ", ".join(sorted(set(running.refused))) or "none",
        "logins refused": running.files.refused_logins or "none",
        "logins shown to the signed host": len(running.leaked) or "none",
    }
    if running.crashes:
        told["errors of this server"] = running.crashes
    said = "; ".join(f"{what}: {how}" for what, how in told.items())
    return [
        f"Served: {asked or 'nothing'}; {said}",
        *(f"glaciolake: {one}" for one in running.faults.unmet()),
    ]


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"--now {text!r} is no time; write 2024-06-04T12:00:00Z") from error
