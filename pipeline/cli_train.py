"""The command that trains: train. Heavy imports wait until it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable


def train(  # noqa: PLR0913  # a command has an option for everything that people set on the spot
    config: Annotated[
        Path | None, typer.Argument(help="YAML file; options below win over it.", metavar="[CONFIG]")
    ] = None,
    pairs: Annotated[Path | None, typer.Option(help="Labelled pairs: images/ and masks/.")] = None,
    raw: Annotated[Path | None, typer.Option(help="Radar chips, a folder a lake.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the run; a stopped one goes on.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the network.")] = None,
    members: Annotated[int | None, typer.Option(help="Networks that answer together.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps of each.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the first.")] = None,
) -> None:
    """Train the network that looks at a date beside the record of its lake and track.

    Labels that 'glaciolake labels audit' holds for wrong are left out. On two cores a network takes about two
    minutes; a GPU is used where there is one. Writes NAME.onnx and NAME.json; score it with
    'glaciolake evaluate --pairs OTHERS --model NAME.onnx'. Example: glaciolake train --pairs pairs
    --raw chips --out run
    """
    from pydantic import ValidationError

    from glaciolake.models.errors import ModelError
    from glaciolake.models.track.plan import TrackPlan, train_plan

    given: dict[str, Any] = {"pairs": pairs, "raw": raw, "out": out, "name": name, "members": members}
    found = _read(config) | {key: value for key, value in given.items() if value is not None}
    recipe = {key: value for key, value in (("steps", steps), ("seed", seed)) if value is not None}
    found["recipe"] = dict(found.get("recipe") or {}) | recipe
    try:
        plan = TrackPlan.model_validate(found)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        where = f"{config} and the options" if config else "the options"
        raise ModelError(f"{where} are no training run: {faults}") from error
    typer.echo(f"Network: {_with_bar(train_plan, plan)}")


def _read(config: Path | None) -> dict[str, Any]:
    import yaml

    from glaciolake.models.errors import ModelError

    if config is None:
        return {}
    try:
        found = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(f"cannot read {config}: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{config} holds no settings; it needs at least pairs, raw and out")
    return found


def _with_bar(work: Callable[..., Path], plan: Any) -> Path:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=None)

        def begin(name: str) -> Callable[[int, int, float], None]:
            bar.reset(task, description=f"training {name}")
            return lambda step, steps, loss: bar.update(
                task, completed=step, total=steps, description=f"training {name}, loss {loss:.2f}"
            )

        return work(plan, begin)
