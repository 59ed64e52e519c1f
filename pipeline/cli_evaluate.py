"""The command that scores: evaluate. Heavy imports wait until it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glaciolake.pipeline.score_words import Evaluation


def evaluate(
    truth: Annotated[
        Path | None, typer.Option(help="Folder of a simulated archive, with its truth.", metavar="ARCHIVE")
    ] = None,
    store: Annotated[str | None, typer.Option(help="Address of the store made from it.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the report.")] = Path("evaluation"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the numbers as JSON instead of the table.")
    ] = False,
) -> None:
    """Score a store against the truth of the simulated archive that it was made from.

    Prints, per lake, track and true state, bias and RMSE of the area, missed and false water, IoU and the
    share of the lake seen, each beside an image-blind constant in brackets, and what falls short. Writes
    report.md with pictures, and scores.json. Example: glaciolake evaluate --truth archive --store
    lakes.icechunk --out evaluation
    """
    if truth is None:
        raise typer.BadParameter("give --truth, the folder that 'glaciolake simulate' wrote")
    if store is None:
        raise typer.BadParameter("give --store, the address of the store to score")
    _against_truth(truth, store, out, as_json)


def _against_truth(truth: Path, store: str, out: Path, as_json: bool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from glaciolake.pipeline.score_report import NUMBERS, TEXT, evaluate_truth

    columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TextColumn("lakes and tracks"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("scoring", total=None)
        found = evaluate_truth(
            truth, store, out, lambda done, total: bar.update(task, completed=done, total=total)
        )
    if as_json:
        typer.echo((out / NUMBERS).read_text(encoding="utf-8"), nl=False)
    else:
        _print(found)
        typer.echo(f"Report: {out / TEXT}")


def _print(found: Evaluation) -> None:
    from glaciolake.pipeline.score_tables import SUMMARY, plain_table, summary_cells
    from glaciolake.pipeline.score_words import shortcomings

    cells = [summary_cells(row) for rows in found.rows.values() for row in rows]
    typer.echo(plain_table(SUMMARY, cells))
    drawn = " or ".join(sorted({one.basis for one in found.series}))
    typer.echo(
        f"In brackets: the image-blind constant, drawn from the true masks of {drawn}; in square brackets: "
        "the share truly visible.\n"
    )
    for words in shortcomings(found):
        typer.echo(words.replace("**", ""))
    missing = [
        f"not stored: {one.name}/{row.pass_id}: {row.why}"
        for one in found.series
        for row in one.slices[one.slices["why"] != ""].itertuples()
    ]
    for line in missing:
        typer.echo(line)
