"""The command line: ``glaciolake`` and ``python -m glaciolake.pipeline``."""

from __future__ import annotations

import logging
import sys
from typing import Annotated, TextIO

import typer

from glaciolake.pipeline.child import Ended, ending_is_raised
from glaciolake.pipeline.cli_catalog import catalog_app
from glaciolake.pipeline.cli_cluster import cluster_app
from glaciolake.pipeline.cli_evaluate import evaluate
from glaciolake.pipeline.cli_export import export, restore
from glaciolake.pipeline.cli_labels import labels_app
from glaciolake.pipeline.cli_read import plot, series
from glaciolake.pipeline.cli_run import config, demo, doctor, run
from glaciolake.pipeline.cli_simulate import simulate_app
from glaciolake.pipeline.cli_store import store_app
from glaciolake.pipeline.cli_train import train

EXIT_CODES = """Exit codes: 0 all done; 1 stopped, nothing stored was harmed; 2 wrong use; 3 done, but some
scenes could not be used: they are listed with reasons, and the same command tries them again; 130
stopped by Ctrl-C, 143 by SIGTERM."""

app = typer.Typer(
    name="glaciolake",
    help="Glacial lakes of the Himalaya on Sentinel-1: every pass, per track, exactly once.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(run)
app.add_typer(catalog_app)
app.add_typer(simulate_app)
app.command()(series)
app.command()(plot)
app.command()(export)
app.add_typer(store_app)
app.command()(restore)
app.add_typer(store_app)
app.command()(evaluate)
app.add_typer(labels_app)
app.command()(train)
app.command()(config)
app.command()(doctor)
app.add_typer(cluster_app)


def _version(wanted: bool) -> None:
    if wanted:
        from glaciolake import __version__

        typer.echo(f"glaciolake {__version__}")
        raise typer.Exit


class _Spoken(logging.StreamHandler[TextIO]):
    """Our log on stderr: one of a process, however often a command is called in it."""


@app.callback()
def options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every piece of work.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Apply what holds for every command."""
    handler = _Spoken(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    # Our own logger, not the root: Dask's scheduler and nannies would speak through the root's handler too.
    ours = logging.getLogger("glaciolake")
    for earlier in [one for one in ours.handlers if isinstance(one, _Spoken)]:
        ours.removeHandler(earlier)
    ours.addHandler(handler)
    ours.setLevel(logging.INFO if verbose else logging.ERROR)
    # what a cluster waits for is said at once: whoever sees no progress asks why
    logging.getLogger("glaciolake.cluster").setLevel(logging.INFO if verbose else logging.WARNING)


def main() -> None:
    """Run the command line; errors we know become one line and exit code 1."""
    from glaciolake.catalog.addresses import without_secrets
    from glaciolake.catalog.errors import CatalogError
    from glaciolake.cluster.errors import ClusterError
    from glaciolake.models.errors import ModelError
    from glaciolake.pipeline.errors import PipelineError

    try:
        with ending_is_raised():  # as process 1 of a container, SIGTERM would otherwise be ignored
            app()
    except Ended as ended:
        typer.echo(
            f"glaciolake: ended by {ended}; what is committed stays. Run the same command again.", err=True
        )
        sys.exit(ended.code)
    except (CatalogError, ClusterError, ModelError, PipelineError) as error:
        typer.echo(f"glaciolake: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        said = f"{error.filename or 'the system'}: {error.strerror or error}"
        typer.echo(f"glaciolake: {without_secrets(said)}", err=True)
        sys.exit(1)
    except SystemExit as end:
        # typer makes an exit of Ctrl-C, and says nothing
        if isinstance(getattr(end.__context__, "__cause__", None), KeyboardInterrupt):
            typer.echo("glaciolake: stopped; what is committed stays. Run the same command again.", err=True)
        raise


if __name__ == "__main__":
    main()
