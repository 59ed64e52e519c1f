"""Commands on hand-drawn labels: audit. Heavy imports wait until it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from glaciolake.models.data import Bool, Float32, Sample
    from glaciolake.models.track.record import Key

labels_app = typer.Typer(name="labels", help="Hand-drawn labels of lakes.", no_args_is_help=True)


@labels_app.callback()
def labels() -> None:
    """Hand-drawn labels of lakes."""


@labels_app.command()
def audit(  # noqa: PLR0913  # a command has an option for everything that people set on the spot
    pairs: Annotated[
        Path, typer.Argument(help="Folder of labelled pairs: images/ and masks/.", metavar="PAIRS")
    ],
    raw: Annotated[Path, typer.Option(help="Folder of the radar chips, a folder a lake.", metavar="CHIPS")],
    outlines: Annotated[
        Path | None,
        typer.Option(help="Independent lake outlines, GeoJSON in longitude and latitude.", metavar="FILE"),
    ] = None,
    probabilities: Annotated[
        Path | None,
        typer.Option(
            help="Out-of-fold predictions: the NAME-folds that 'evaluate --split scene --out NAME' keeps.",
            metavar="FOLDER",
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the report.")] = Path("label-audit"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the numbers as JSON instead of the table.")
    ] = False,
) -> None:
    """Find masks that are wrong: another lake's, far too small or large, shifted, misplaced.

    Each label is held against the other dates of its lake and track, its image, other tracks and, where
    given, independent outlines and a network that has not learned from it. No list of known bad ones is
    needed. Writes report.md with pictures, labels.csv and audit.json. Example: glaciolake labels audit pairs
    --raw chips --outlines lakes.geojson
    """
    from glaciolake.models.audit.labels import audit as audit_labels
    from glaciolake.models.audit.outlines import georeference_faults
    from glaciolake.models.audit.report import Beside, console_text, write_report
    from glaciolake.models.data import read_samples

    samples = read_samples(pairs, raw)
    faults = georeference_faults(pairs)
    beside = Beside(
        {} if outlines is None else _outlines(outlines, raw, samples),
        {} if probabilities is None else _predictions(probabilities, samples),
    )
    found = audit_labels(samples, **beside._asdict(), georeferences=faults)
    numbers = write_report(samples, found, out, beside=beside, notes=_notes(samples, len(faults)))
    if as_json:
        typer.echo(json.dumps(numbers, indent=1))
        return
    typer.echo(console_text(found))
    typer.echo(f"Report: {out / 'report.md'}")


def _outlines(path: Path, raw: Path, samples: Sequence[Sample]) -> Mapping[Key, Bool]:
    from glaciolake.models.audit.outlines import read_outlines
    from glaciolake.models.errors import ModelError

    found = read_outlines(path, raw, samples)
    if not found:
        raise ModelError(f"no outline of {path} touches a chip of the labelled lakes in {raw}; check both")
    return found


def _predictions(folder: Path, samples: Sequence[Sample]) -> Mapping[str, Float32]:
    from glaciolake.models.audit.labels import probability_key
    from glaciolake.models.errors import ModelError
    from glaciolake.models.track.folds import read_predictions

    found = read_predictions(folder)
    if not found.keys() & {probability_key(one) for one in samples}:
        raise ModelError(
            f"none of the {len(found)} scenes predicted in {folder} is labelled; check the folder"
        )
    return found


def _notes(samples: Sequence[Sample], n_faults: int) -> list[str]:
    said = [
        "Masks whose georeference contradicts that of their image, or is missing though most have one: "
        f"{n_faults}."
    ]
    rebuilt = sum(one.rebuilt for one in samples)
    if rebuilt:
        said.append(
            f"The power of {rebuilt} of {len(samples)} images was rebuilt from the equalised picture, since "
            "there is no chip of theirs: their decibels are rough."
        )
    return said
