"""States in the report: how well each is told, beside two calendars, and what is told instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from glaciolake.catalog.simulate.truth import State
from glaciolake.catalog.variables import LakeState
from glaciolake.models.skill.tables import markdown_table
from glaciolake.pipeline.score_states import TOLD, WINDY_M_PER_S, StateScore, state_scores
from glaciolake.pipeline.score_tables import number, percent

READ_STATES = """
Told by the store from the radar; behind it two constants that look at no image: the frozen-season flag, and the
commonest *true* state of the lake on the same day of the archive's other years, which is the strongest such constant
and needs the truth. `open` counts windy water in, `windy` is open water in a wind of {windy:g} m/s and more, `any ice` is
freezing, frozen or thawing. Slices without an answer (shadowed, incomplete, unknown) count as missed.
""".strip()  # noqa: E501  # one paragraph a line and a half: Markdown


def state_section(together: pd.DataFrame, each: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """Write the report's section on states.

    Parameters
    ----------
    together
        Slices of all series, of `with_states`.
    each
        ``lake/track`` -> its slices.
    """
    scores = state_scores(together)
    yield "## States"
    if not scores:
        yield "The store tells no states: it was made before they were, or without them."
        return
    yield READ_STATES.format(windy=WINDY_M_PER_S)
    headings = ("state", "true", "told", "precision %", "recall %", "F1", "F1 calendar", "F1 other years")
    yield markdown_table(headings, [_cells(one) for one in scores])
    yield "Slices by true state (down) and told state (across):"
    yield _confusion(together[together["stored"]])
    yield "F1 of frozen by series:"
    frozen = {name: _score(state_scores(slices), "frozen") for name, slices in each.items()}
    rows = [(name, *_cells(one)[1:]) for name, one in frozen.items() if one is not None]
    yield markdown_table(("series", *headings[1:]), rows)


def _score(scores: Sequence[StateScore], state: str) -> StateScore | None:
    return next((one for one in scores if one.state == state), None)


def _cells(one: StateScore) -> tuple[str, ...]:
    return (
        one.state,
        str(one.told.n_true),
        str(one.told.n_told),
        percent(one.told.precision, 0),
        percent(one.told.recall, 0),
        number(one.told.f1, 2),
        number(one.calendar.f1, 2),
        number(one.other_years.f1, 2),
    )


def _confusion(stored: pd.DataFrame) -> str:
    counts = pd.crosstab(stored["state"], stored[TOLD].replace("", "none"))
    order = [state.value for state in State if state.value in counts.index]
    across = [name for name in (*(one.name.lower() for one in LakeState), "none") if name in counts]
    rows = [(state, *(str(counts.loc[state, name]) for name in across)) for state in order]
    return markdown_table(("true", *across), rows)


def state_sentence(together: pd.DataFrame) -> Iterator[str]:
    """Say how well a frozen lake is told, beside the constants; nothing where the store tells no states."""
    one = _score(state_scores(together), "frozen")
    if one is not None:
        yield (
            f"**States.** Frozen lakes are told with a precision of {percent(one.told.precision, 0)} % and a "
            f"recall of {percent(one.told.recall, 0)} %, F1 {number(one.told.f1, 2)} (calendar "
            f"{number(one.calendar.f1, 2)}, the lake's other years {number(one.other_years.f1, 2)})."
        )
