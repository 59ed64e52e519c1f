"""The report as Markdown: summary, what falls short, events, and a section a series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from glaciolake.catalog.simulate.truth import State
from glaciolake.models.skill.tables import markdown_table
from glaciolake.pipeline.score import FALL, FALL_SIGMAS, FEWEST, MEDIAN_OF
from glaciolake.pipeline.score_corrected import corrected_section
from glaciolake.pipeline.score_masks import YEARS
from glaciolake.pipeline.score_states_text import state_section
from glaciolake.pipeline.score_tables import (
    AREAS,
    PIXELS,
    SUMMARY,
    area_cells,
    number,
    pair,
    percent,
    pixel_cells,
    summary_cells,
)
from glaciolake.pipeline.score_truth import GONE, Matched
from glaciolake.pipeline.score_words import Evaluation, shortcomings

READ = f"""
* **In brackets** stands the image-blind constant on the same slices and pixels: per lake and track, what at least half of
  the *true* masks of open-water passes of other calendar years call lake. It knows the true shore, so it is the strongest
  such baseline. **Skill** is the share of the constant's error (1 - IoU) that looking at the radar removes; below 0 the
  constant is better.
* **Bias, RMSE and median** (of the size) are of stored minus visible true area, which is what a perfect mask of that
  pass holds. Against the whole lake the constant gives its whole area. Slices of a lake that has shrunk below
  {100 * GONE:.0f} % of its largest area count in m2, not in percent.
* **Missed and false water** are pixels, as shares of the true lake, over the pixels that the slice knows: what was not
  seen counts neither way. A pixel is lake from half of its area on.
* **Seen** is the stored valid fraction, of the registry's outline; in square brackets the true visible fraction of the
  true lake.
* **Unflagged** slices are those that the store offers: with an area, neither incomplete nor frozen season.
* **A fall** is an unflagged area more than {100 * FALL:.0f} % and {FALL_SIGMAS:.0f} sigma of the outline below the median of up to
  {MEDIAN_OF} unflagged ones before it ({FEWEST} at least). It is false where the visible true area, by the same rule without the
  sigma, did not fall.
* **Passes count** from the first to the last day of which the store knows a pass, stored or failed, of any lake and track.
  It does not record for which days a run was asked: passes before and after, if they were asked for and never found or
  never tried, are not counted.
* Pooled rows count each slice once in percent and each pixel once in IoU, so large lakes weigh more in IoU.
""".strip()  # noqa: E501  # one paragraph a line and a half: Markdown


def report_text(found: Evaluation) -> str:
    """Write the whole report.

    Parameters
    ----------
    found
        Everything it says; pictures are named as `glaciolake.pipeline.score_report` writes them.
    """
    models = ", ".join(sorted({one.model for one in found.series}))
    parts = [
        "# Stored lake areas against the truth of a simulated archive",
        f"Store `{found.store}`, archive `{found.archive}`, network {models or 'not named'}. **The scenes "
        "are simulated: these figures say how the chain does on them, not on the real lakes.**",
        "## Summary",
        "All lakes and tracks, by true state; then open water by lake and track. In brackets the "
        "image-blind constant, without which no score is to be read.",
        markdown_table(SUMMARY, [summary_cells(row) for row in found.rows["all series"]]),
        markdown_table(SUMMARY, [summary_cells(row) for row in found.open_rows]),
        "![Error of every stored area](bias.png)",
        "## What falls short",
        "\n".join(f"* {words}" for words in shortcomings(found)),
        "The open-water slices with the most wrong pixels:",
        _worst(found),
        "## How to read it",
        "\n".join([READ, *_bases(found.series)]),
        *_events(found),
        *_frozen(found),
        *state_section(found.together, found.each),
        *corrected_section(found.series),
        *_missing(found),
        "## Lakes",
        *(text for one in found.series for text in _section(found, one)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _worst(found: Evaluation) -> str:
    headings = ("slice", "IoU", "missed px", "false px", "stored km2", "visible km2", "wind m/s", "flagged")
    rows = []
    for _, row in found.worst().iterrows():
        own = row["both"] / (row["both"] + row["missed"] + row["false"])
        blind = row["blind_both"] / (row["blind_both"] + row["blind_missed"] + row["blind_false"])
        rows.append(
            (
                f"{row['series']}/{row['pass_id']}",
                pair(number(own, 3), number(blind, 3)),
                pair(number(row["missed"], 0), number(row["blind_missed"], 0)),
                pair(number(row["false"], 0), number(row["blind_false"], 0)),
                pair(number(row["area_m2"] / 1e6, 3), number(row["blind_area_m2"] / 1e6, 3)),
                number(row["visible_area_m2"] / 1e6, 3),
                number(row["wind_m_per_s"]),
                "no" if row["usable"] else "yes",
            )
        )
    return markdown_table(headings, rows)


def _bases(series: Sequence[Matched]) -> Iterator[str]:
    """Say where a constant could not be drawn from other years."""
    for one in series:
        if one.basis != YEARS:
            yield (
                f"* The constant of {one.name} is drawn from {one.basis}: there is no open water of two "
                "calendar years."
            )


def _events(found: Evaluation) -> Iterator[str]:
    yield "## Falls and events"
    yield markdown_table(
        ("series", "slices", "judged", "false falls (constant)", "true falls seen", "true falls missed"),
        [
            (
                one.series,
                one.kind,
                str(one.n),
                f"{one.n_false} ({one.n_blind})",
                str(one.n_true),
                str(one.n_true_missed),
            )
            for one in found.falls
            if one.n
        ],
    )
    false = [one for score in found.falls if score.kind != "landslide dam" for one in score.falls]
    if false:
        yield "False falls by name:"
        yield markdown_table(
            ("slice", "state", "stored below median %", "true below median %", "wind m/s", "ice %"),
            [
                (
                    f"{one.series}/{one.pass_id}",
                    one.state,
                    number(one.drop_percent),
                    number(one.true_drop_percent),
                    number(one.wind_m_per_s),
                    percent(one.ice_fraction, 0),
                )
                for one in false
            ],
        )
    if found.changes:
        yield "Changes between the last open, unflagged slice before an event and the first after it:"
        yield _change_table(found)


def _change_table(found: Evaluation) -> str:
    headings = (
        "series",
        "event",
        "days",
        "lake %",
        "true %",
        "stored %",
        "recovered %",
        "delay d",
        "fall seen",
    )
    rows = []
    for one in found.changes:
        kind = one.kind.replace("_", " ") + ("" if one.is_lake_drainage else " (no drainage)")
        rows.append(
            (
                one.series,
                kind,
                f"{one.first_day} to {one.last_day}",
                number(one.event_percent),
                number(one.true_percent),
                pair(number(one.stored_percent), number(one.blind_percent)),
                percent(one.recovered, 0),
                number(one.delay_days, 0),
                "yes" if one.seen else "no" if one.before and one.after else "no slices",
            )
        )
    return markdown_table(headings, rows)


def _frozen(found: Evaluation) -> Iterator[str]:
    yield "## Frozen season"
    yield (
        "The flag comes from the calendar and the elevation alone: it is its own image-blind baseline. "
        "Stored slices by true state, how many are flagged, and the median of stored over visible true "
        "area."
    )
    headings = ("series", "state", "stored", "flagged", "ratio, flagged", "ratio, unflagged")
    both = [*(flag for _, flag in found.flags), found.flags_pooled]
    yield markdown_table(
        headings,
        [
            (
                one.series,
                one.state,
                str(one.n),
                str(one.n_flagged),
                number(one.ratio_flagged, 2),
                number(one.ratio_unflagged, 2),
            )
            for flag in both
            for one in flag.states
        ],
    )
    yield markdown_table(
        ("series", "precision %", "with freezing, thawing %", "recall %"),
        [
            (name, percent(flag.precision, 0), percent(flag.precision_ice, 0), percent(flag.recall, 0))
            for name, flag in [*found.flags, ("all series", found.flags_pooled)]
        ],
    )


def _missing(found: Evaluation) -> Iterator[str]:
    yield "## Passes that are not in the store"
    rows = [
        (f"{one.name}/{row.pass_id}", str(row.state), str(row.why).replace("|", "/").replace("\n", " "))
        for one in found.series
        for row in one.slices[one.slices["why"] != ""].itertuples()
    ]
    yield markdown_table(("pass", "state", "why"), rows) if rows else "None that was acquired."
    for words, names in (
        ("Series of the truth that the store does not hold at all", list(found.beyond)),
        (
            "Slices made without a damaged granule",
            [f"{s.lake}/{n}" for s in found.series for n in s.partial],
        ),
        (
            "Slices made of other granules than the current ones",
            [f"{s.lake}/{n}" for s in found.series for n in s.other_granules],
        ),
        (
            "Stored slices of passes that no satellite acquired",
            [f"{s.lake}/{n}" for s in found.series for n in s.unexpected],
        ),
    ):
        if names:
            yield f"{words}: {', '.join(names)}."


def _section(found: Evaluation, one: Matched) -> Iterator[str]:
    rows = found.rows[one.name]
    yield f"### {one.lake_name}, {one.track} {one.orbit_state} (`{one.name}`)"
    yield markdown_table(AREAS, [area_cells(row) for row in rows])
    yield markdown_table(PIXELS, [pixel_cells(row) for row in rows])
    yield f"![Series of {one.name}]({picture(one, 'series')})"
    if any(row.slices == State.OPEN and row.visible.n for row in rows):
        yield f"![Worst open-water slices of {one.name}]({picture(one, 'worst')})"


def picture(one: Matched, what: str) -> str:
    """Name of a picture: ``tsho-rolpa-T121-series.png``."""
    return f"{one.lake}-{one.track}-{what}.png"
