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
    preset: Annotated[
        str | None, typer.Option(help="'track' (the default), or 'paper': U-Net on single dates.")
    ] = None,
    members: Annotated[int | None, typer.Option(help="track: networks that answer together.")] = None,
    steps: Annotated[int | None, typer.Option(help="track: optimiser steps of each.")] = None,
    simulated: Annotated[
        Path | None, typer.Option(help="track: simulated archive to learn from too.", metavar="ARCHIVE")
    ] = None,
    store: Annotated[str | None, typer.Option(help="With --simulated: the store made from it.")] = None,
    epochs: Annotated[int | None, typer.Option(help="paper: epochs.")] = None,
    device: Annotated[str | None, typer.Option(help="paper: auto, cpu or cuda.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed (of the first network).")] = None,
) -> None:
    """Train a network: of the record of a lake and track, or by the paper's recipe.

    The default looks at a date beside the record of its lake and track; labels that 'glaciolake labels
    audit' holds for wrong are left out, and on two cores a network takes about two minutes. The preset
    'paper' (U-Net, EfficientNet-B3, 256 x 256 px, 40 epochs of 20 copies) needs a GPU or most of a day. A
    GPU is used where there is one. Writes NAME.onnx and NAME.json; score it with 'glaciolake evaluate
    --pairs OTHERS --model NAME.onnx'. Examples: glaciolake train --pairs pairs --raw chips --out run;
    glaciolake train --preset paper --pairs pairs --out paper
    """
    given = {"pairs": pairs, "raw": raw, "out": out, "name": name, "preset": preset, "members": members}
    found = _read(config) | {key: value for key, value in given.items() if value is not None}
    of_archive = {"archive": simulated, "store": store}
    if any(value is not None for value in of_archive.values()):
        found["simulated"] = {key: value for key, value in of_archive.items() if value is not None}
    asked = {"steps": steps, "epochs": epochs, "device": device, "seed": seed}
    of_recipe = {key: value for key, value in asked.items() if value is not None}
    if of_recipe or found.get("recipe") is not None:
        found["recipe"] = _settings(found.get("recipe"), config) | of_recipe
    typer.echo(f"Network: {_run(found, f'{config} and the options' if config else 'the options')}")


def _settings(recipe: Any, config: Path | None) -> dict[str, Any]:
    from glaciolake.models.errors import ModelError

    if recipe is not None and not isinstance(recipe, dict):
        raise ModelError(f"recipe in {config} is {recipe!r}; give settings, as 'recipe: {{seed: 1}}'")
    return dict(recipe or {})


def _run(found: dict[str, Any], where: str) -> Path:
    """Train what the settings say."""
    from pydantic import ValidationError

    from glaciolake.models.errors import ModelError
    from glaciolake.models.paper.recipe import PaperPlan
    from glaciolake.models.paper.train import train_paper
    from glaciolake.models.track.plan import TrackPlan, train_plan

    preset = found.pop("preset", "track")
    if preset not in ("paper", "track"):
        raise ModelError(f"no preset {preset!r}; take 'track', the default, or 'paper'")
    try:
        if preset == "paper":
            return _with_bar(train_paper, PaperPlan.model_validate(found))
        return _with_bar(train_plan, TrackPlan.model_validate(found))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ModelError(f"{where} are no training run of preset {preset!r}: {faults}") from error


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
        raise ModelError(f"{config} holds no settings; it needs at least pairs and out")
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
