"""Records: what a network of records is told of a series, drawn on the workers when it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from distributed import Client, Future

from glaciolake.cluster.crew import Crew
from glaciolake.cluster.flow import flow
from glaciolake.cluster.place import submit_off_gpu
from glaciolake.models.errors import ModelError
from glaciolake.models.track.reference import draw_reference
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.passes import Pass
from glaciolake.pipeline.piece import prepare
from glaciolake.pipeline.plan import Piece, Plan, SeriesPlan

N_PASSES = 24
"""Passes that a record is drawn from: two years of one satellite's every second pass."""
Name = tuple[str, str]


def draw_record(piece: Piece) -> str:
    """Draw the record of a series from the passes of a piece; those that cannot be used are left out.

    Raises
    ------
    PipelineError
        Too few of them can be used.
    """
    prepared, failed, _ = prepare(piece)
    images = np.empty((0, *piece.header.shape), np.float32)
    if prepared is not None:
        images = prepared.images.values[:, 0]
    try:
        return draw_reference(images, piece.recipe.spec, abs(piece.header.transform[0])).text()
    except ModelError as error:  # of this series alone: others have passes enough
        reasons = "".join(f"; {name}: {entry['reason']}" for name, entry in sorted(failed.items())[:3])
        raise PipelineError(f"{error}{reasons}") from error


def settle_records(client: Client, plan: Plan) -> tuple[Plan, dict[Name, str]]:
    """Draw the records that a plan still wants.

    Parameters
    ----------
    client
        Dask client with at least one worker.
    plan
        What is to be done.

    Returns
    -------
    plan : Plan
        The same, with the records settled. A series whose record cannot be drawn has nothing to do.
    failed : dict
        (lake, track) -> reason, of these.
    """
    wanting = [one for one in plan.series if one.wants_record and one.pending]
    if not wanting:
        return plan, {}
    drawn, failed = _draw(client, wanting)
    series = [_settled(one, drawn.get(_name(one))) for one in plan.series]
    return replace(plan, series=series), failed


def spread(passes: Sequence[Pass], n: int = N_PASSES) -> tuple[Pass, ...]:
    """Pick some passes, evenly over their number, first and last among them."""
    if len(passes) <= n:
        return tuple(passes)
    return tuple(passes[round(at)] for at in np.linspace(0, len(passes) - 1, n))


def _draw(client: Client, wanting: Sequence[SeriesPlan]) -> tuple[dict[Name, str], dict[Name, str]]:
    drawn: dict[Name, str] = {}
    failed: dict[Name, str] = {}
    crew = Crew(client, wanting[0].recipe.config.cluster)
    pieces = (Piece(one.header, spread(one.pending), one.recipe) for one in wanting)
    for piece, record, error in flow(crew, pieces, _hand_out):
        name = piece.header.lake, piece.header.track
        if error is None:
            drawn[name] = record
        elif isinstance(error, ModelError):
            raise error
        else:
            failed[name] = (
                str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
            )
    return drawn, failed


def _hand_out(crew: Crew, piece: Piece) -> Future[str]:
    return submit_off_gpu(crew.client, crew.kinds.get("cpu", ()), draw_record, piece)


def _settled(one: SeriesPlan, record: str | None) -> SeriesPlan:
    if not one.wants_record:
        return one
    return replace(one, pending=()) if record is None else one.with_record(record)


def _name(one: SeriesPlan) -> Name:
    return one.header.lake, one.header.track


def unsettled(plan: Plan, failed: Mapping[Name, str]) -> dict[str, str]:
    """Give the passes of series without a record, ``lake/track/pass`` -> reason."""
    return {
        f"{one.header.lake}/{one.header.track}/{each.id}": f"no record: {failed[_name(one)]}"
        for one in plan.series
        if _name(one) in failed
        for each in one.pending
    }
