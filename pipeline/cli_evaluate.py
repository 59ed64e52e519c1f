"""The command that scores: evaluate. Heavy imports wait until it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from glaciolake.models.pairs_evaluation import Verdict
    from glaciolake.models.track.simulated import SimulatedSource
    from glaciolake.pipeline.score_words import Evaluation

TRACK_MODEL = "lake-track-2"
"""Scored where no model is named: the network that looks at a date beside its track's record."""

Truth = Annotated[
    Path | None, typer.Option(help="Folder of a simulated archive, with its truth.", metavar="ARCHIVE")
]
OfArchive = Annotated[
    str | None,
    typer.Option(help="With --truth or --simulated: address of the store made from the archive."),
]
Pairs = Annotated[
    Path | None, typer.Option(help="Folder of labelled pairs: images/ and masks/.", metavar="FOLDER")
]
Raw = Annotated[Path | None, typer.Option(help="With --pairs: folder of the radar chips, a folder a lake.")]
Model = Annotated[str | None, typer.Option(help="With --pairs: shipped name or path of an .onnx file.")]
Train = Annotated[Path | None, typer.Option(help="With --model: pairs that the constants are drawn from.")]
ByParts = Annotated[
    str | None,
    typer.Option(help="With --pairs: train and test out of fold: random,scene,forward,lake,block."),
]
Intervals = Annotated[
    bool,
    typer.Option(
        "--intervals",
        help="With --split: also 90 % intervals of areas; trains 10 more networks a split (forward: 3).",
    ),
]
FromSimulated = Annotated[
    Path | None, typer.Option(help="With --split: simulated archive to learn from too.", metavar="ARCHIVE")
]


def evaluate(  # noqa: PLR0913  # a command has an option for everything that people set on the spot
    truth: Truth = None,
    store: OfArchive = None,
    pairs: Pairs = None,
    raw: Raw = None,
    model: Model = None,
    train: Train = None,
    split: ByParts = None,
    seeds: Annotated[int, typer.Option(min=1, help="With --split: networks per fold.")] = 1,
    intervals: Intervals = False,
    simulated: FromSimulated = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the report.")] = Path("evaluation"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the numbers as JSON instead of the table.")
    ] = False,
) -> None:
    """Score a store against simulated truth (--truth), or a network on hand-drawn labels (--pairs).

    Every score comes beside what image-blind constants reach on the same scenes and pixels. Writes report.md
    with pictures, and scores.json. Examples: glaciolake evaluate --truth archive --store lakes.icechunk;
    glaciolake evaluate --pairs pairs --raw chips; glaciolake evaluate --pairs pairs --raw chips
    --split scene,forward,lake --seeds 3
    """
    _check(truth, store, pairs, split, (model, train))
    if split is None and (seeds > 1 or intervals):
        raise typer.BadParameter("--seeds and --intervals are of networks trained here: give --split as well")
    _check_simulated(simulated, store, split)
    if truth is not None and any(one is not None for one in (raw, model, train, split, simulated)):
        raise typer.BadParameter(
            "--truth scores a store: --raw, --model, --train, --split and --simulated go with --pairs"
        )
    if truth is not None and store is not None:
        _against_truth(truth, store, out, as_json)
    if pairs is None:
        return
    if split is None:
        _tell([_of_model(pairs, raw, model, train)], out, model or TRACK_MODEL, as_json)
    else:
        folders = pairs, raw, _simulated(simulated, store)
        found = _of_splits(folders, split.split(","), seeds, out, intervals=intervals)
        _tell(found, out, f"track network, trained {seeds} times a fold", as_json)


def _check(
    truth: Path | None, store: str | None, pairs: Path | None, split: str | None, of_model: tuple[object, ...]
) -> None:
    """Refuse options that do not go together."""
    if (truth is None) == (pairs is None):
        raise typer.BadParameter(
            "give --truth, the folder that 'glaciolake simulate' wrote, or --pairs, a folder of labelled "
            "pairs"
        )
    if truth is not None and store is None:
        raise typer.BadParameter("give --store, the address of the store to score")
    if split is not None and any(one is not None for one in of_model):
        raise typer.BadParameter("--split trains its own networks: give it without --model and --train")


def _check_simulated(simulated: Path | None, store: str | None, split: str | None) -> None:
    """Refuse a simulated archive without its store, or where nothing is trained."""
    if simulated is not None and (store is None or split is None):
        raise typer.BadParameter("--simulated goes with --split, and needs --store, the store made from it")


def _simulated(archive: Path | None, store: str | None) -> SimulatedSource | None:
    from glaciolake.models.track.simulated import SimulatedSource

    return None if archive is None or store is None else SimulatedSource(archive=archive, store=store)


def _of_model(pairs: Path, raw: Path | None, model: str | None, train: Path | None) -> Verdict:
    from glaciolake.models.pairs_evaluation import judge_model
    from glaciolake.models.weights import resolve

    return judge_model(pairs, resolve(model or TRACK_MODEL), chips=raw, train=train)


def _of_splits(
    folders: tuple[Path, Path | None, SimulatedSource | None],
    splits: list[str],
    seeds: int,
    out: Path,
    *,
    intervals: bool,
) -> list[Verdict]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from glaciolake.models.folds import check_split
    from glaciolake.models.pairs_evaluation import judge_recipe, read_data
    from glaciolake.models.skill.report import FOLDER
    from glaciolake.models.track.recipe import TrackRecipe

    names = [check_split(name.strip()) for name in splits]
    FOLDER.earlier(out)  # before hours of training, not after them
    data = read_data(*folders)
    recipes = [TrackRecipe(seed=seed) for seed in range(seeds)]
    cache = out.with_name(f"{out.name}-folds")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=None)

        def begin(name: str) -> Callable[[int, int, float], None]:
            bar.reset(task, description=f"training {name}")
            return lambda step, steps, loss: bar.update(task, completed=step, total=steps)

        return [judge_recipe(data, name, recipes, cache, begin, intervals=intervals) for name in names]


def _tell(found: list[Verdict], out: Path, model: str, as_json: bool) -> None:
    from glaciolake.models.skill.report import console_text, write_report

    suspected = {key: why for one in found for key, why in one.suspected.items()}
    notes = [note for one in found for note in one.notes]
    tested = [one.tested for one in found]
    numbers = write_report(tested, out, model=model, suspected=suspected, notes=notes)
    if as_json:
        typer.echo(json.dumps(numbers, indent=1))
        return
    typer.echo(console_text(tested, suspected))
    for note in notes:
        typer.echo(note.replace("**", ""))
    typer.echo(f"Report: {out / 'report.md'}")


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
    from glaciolake.models.skill.tables import plain_table
    from glaciolake.pipeline.score_tables import SUMMARY, summary_cells
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
