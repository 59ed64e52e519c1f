"""The report as Markdown, and its main rows for a console; what the numbers say, in words, comes first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from glaciolake.models.skill.calibration import N_BINS
from glaciolake.models.skill.intervals import LEVEL
from glaciolake.models.skill.rows import ALL, CLEAN, WAYS, Judged, Row
from glaciolake.models.skill.scores import BATCH, SEASONAL, skill
from glaciolake.models.skill.tables import (
    CONSOLE,
    MAIN,
    WHO,
    bin_table,
    console_cells,
    error_table,
    group_table,
    interval_table,
    main_cells,
    markdown_table,
    number,
    plain_table,
    safe,
    scene_table,
    who_cells,
)

CONSOLE_LINES = 25
ABOUT = {
    "random": "parted by file, as Adhikari & Regmi 2025 (arXiv 2512.24117) did. **This score leaks:** one "
    "acquisition shows several lakes, so scenes are in training and test at once. It is here to compare with "
    "theirs, and says nothing about new scenes",
    "scene": "parted by acquisition: no scene is in training and test. The lakes are the same in both",
    "forward": "the last year is the test, and all that was learned is older. The lakes are the same in both",
    "lake": "one lake is left out at a time: nothing of its labels is known. Other lakes of the same "
    "acquisition may be in training",
    "block": "one quarter of every frame is left out at a time, with a strip between that nobody uses. "
    "Scenes and lakes are the same in both, pixels are not",
    "pairs": "a folder of labelled pairs, scored by a finished model. **Where it has seen them in training, "
    "the score leaks**: what it says of that itself stands among the notes",
}
PENALTY = 2 / (1 - LEVEL)
READ = f"""
* **In brackets** stands the best image-blind constant on the same scenes and pixels: the mask with the
  highest pooled IoU that one gets from training labels and the calendar, without looking at any image.
  **Skill** is the share of its error (1 - IoU) that looking at the radar removes: 1 all, 0 none, below 0
  the constant is better.
* **IoU, precision, recall, F1** are pooled over all pixels that have data; padding does not count. A pixel
  that a network has not seen counts as land. **Batch IoU** is the mean over batches of {BATCH} scenes, as
  Adhikari & Regmi report it.
* Where no tested pixel is labelled lake, nothing is scored: `-`.
* **Bias and error** are medians over scenes of (found - labelled) / labelled area and of its absolute
  value, percent. **Anomaly r** is the correlation of found and labelled areas as departures from the mean
  of their lake and track: whether the changes are seen. A constant per lake has only what
  missing pixels make of it.
* **Suspected labels** are those that the label audit holds for wrong. Every score is given over all labels
  and without these; where none of a group is suspected, one line is both.
* **Scenes, pictures and mean probability:** of several seeds these show the mean of their probabilities.
  All other rows show the mean of the seeds' scores, unless they say otherwise.
* **ECE** is the expected calibration error: {N_BINS} ranges of equal width, how far mean probability and
  share of labelled lake are apart, weighted by pixels. Far land is right without effort, so look at the
  shore. In brackets the best constant, taken as a probability of 0 or 1.
* **Intervals of areas**, where they were asked for, are the found area plus and minus a multiple of the
  area that the network is unsure of, the sum of p (1 - p). The multiple is the conformal quantile of what
  networks within the training part of the fold missed on scenes that they had not learned from. **Held** is
  the share of labelled areas inside. The **interval score** is the width plus {PENALTY:.0f} times what is
  missed, a mean over scenes; lower is better. In brackets intervals of the constant per lake, pass and
  season, made by the same rule from the same scenes: plus and minus a share of its area.
""".strip()


def report_text(judged: Sequence[Judged], model: str, notes: Sequence[str], pictures: Sequence[str]) -> str:
    """Write the whole report.

    Parameters
    ----------
    judged
        The splits.
    model
        Name of what was scored, for people.
    notes
        Further sentences for its head.
    pictures
        Names of the files that were drawn.
    """
    parts = [
        f"# How well lake masks agree with hand-drawn labels: {model}",
        "\n".join(f"* {words}" for one in judged for words in verdict(one)),
        "\n".join(f"* {note}" for note in notes),
        "## Summary",
        markdown_table(MAIN, [main_cells(one, labels) for one in judged for labels in (ALL, CLEAN)]),
        "![Network and constants, by split and lake](iou.png)",
        "## How to read it",
        READ,
        "## Calibration",
        "![Probability against share of labelled lake](reliability.png)",
        "![Share of labelled areas that intervals hold](intervals.png)"
        if "intervals.png" in pictures
        else "",
        *(text for one in judged for text in _section(one, pictures)),
        *_suspected(judged),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(judged: Judged) -> Iterator[str]:
    """Say in words whether a split's networks beat the constants, by how much, and what to hold of it."""
    name, row, clean = judged.tested.split, judged.row(), judged.row(CLEAN)
    yield f"**{name}**: {_against(row)}"
    if row.n_suspected:
        yield (f"**{name}**, without {_count(row.n_suspected, 'suspected label')}: " + _against(clean))
    else:
        yield f"**{name}**: no label of it is suspected, so both ways of scoring are the same."
    if name == "lake":
        yield _lakes(judged)
    yield f"**{name}**: {ABOUT[name]}."
    yield from _intervals(judged)
    if judged.tested.where is not None:
        wet = sum(int((one.sample.water & one.sample.valid).sum()) for one in judged.scenes)
        share = sum(one.labelled_px for one in judged.scenes) / wet if wet else 0.0
        yield f"**{name}**: {100 * share:.0f} % of the labelled lake lies in pixels that are tested."
    if unseen := sum(one.unseen_px for one in judged.scenes):
        yield f"**{name}**: {unseen} pixels with data have no probability and count as land."
    for constant, scored in row.constants.items():
        if scored.iou == 1 and len(judged.scenes) > 1:
            yield (
                f"**{name}**: the constant '{constant}' equals every label. Either no lake changes, or it "
                "was made of the labels that it is to be compared with: check before using a skill of it."
            )


def _intervals(judged: Judged) -> Iterator[str]:
    """Say how many labelled areas the intervals hold, and how wide they are."""
    for one in judged.coverages:
        if one.labels == CLEAN and (one.way == "all" or " to " in one.scenes):
            own, blind = one.own, one.blind
            years = "" if one.way == "all" else f" {one.scenes}, each year by what is older,"
            yield (
                f"**{judged.tested.split}**, {100 * LEVEL:.0f} % intervals of areas,{years} {CLEAN}: "
                f"{100 * own.coverage:.0f} % of {_count(one.n, 'labelled area')} are held (the constant's "
                f"hold {100 * blind.coverage:.0f} %), median width {number(own.width_percent, 1)} % "
                f"({number(blind.width_percent, 1)} %), calibrated on {one.calibrated_on} scenes at least."
            )


def _against(row: Row) -> str:
    over = _count(row.n, "scene")
    if not row.scored:
        return f"no tested pixel of {over} is labelled lake, so there is nothing to score."
    own, blind, skill = number(row.mean.iou), row.best_scores.iou, row.skill
    low, high = row.spread
    n = len(row.seeds)
    own += f" [{number(low.iou)} to {number(high.iou)} of {n} seeds]" if n > 1 else ""
    if blind == 0:
        text = (
            f"no training label tells of these pixels, so the image-blind constants are empty and score 0; "
            f"the network gets IoU {own} over {over}. That is its skill too, and says nothing of how it does "
            "beside a known outline."
        )
    else:
        text = (
            f"the network {_beats(row)} the best image-blind constant ({row.best}): IoU {own} against "
            f"{number(blind)} over {over}, {abs(100 * skill):.0f} % of the constant's error "
            f"{'removed' if skill >= 0 else 'added'} (skill {number(skill, 2)})."
        )
        text += _without_season(row)
    if n > 1:
        both = row.ensemble
        text += (
            f" The seeds' mean probability: IoU {number(both.iou)}, skill {number(row.skill_of(both), 2)}."
        )
    return text


def _without_season(row: Row) -> str:
    """Say what is gained on constants as others draw them: one mask, whatever the day of the year."""
    others = {name: one for name, one in row.constants.items() if name != SEASONAL}
    if row.best != SEASONAL or not others:
        return ""
    name = max(others, key=lambda one: others[one].iou)
    gained = number(skill(row.mean.iou, others[name].iou), 2)
    return (
        f" Against the best one without seasons ({name}, {number(others[name].iou)}) its skill is {gained}."
    )


def _beats(row: Row) -> str:
    """Say whether all seeds are above the best constant, some or none."""
    low, high = (row.skill_of(one) for one in row.spread)
    return "beats" if low > 0 else "does not beat" if high <= 0 else "hardly beats"


def _lakes(judged: Judged) -> str:
    shown = []
    for labels in (ALL, CLEAN):
        rows = [one for one in judged.of("fold", labels) if one.scored]
        if rows:
            worst = min(rows, key=lambda one: one.mean.iou)
            mean, blind = (sum(values) / len(rows) for values in _ious(rows))
            shown.append(
                f"{labels} mean {number(mean)} (constant {number(blind)}), lowest {number(worst.mean.iou)} "
                f"({worst.scenes}, constant {number(worst.best_scores.iou)})"
            )
    return (
        f"**lake**: IoU of {len(judged.of('fold', ALL))} lakes, each by networks that know nothing of it: "
        + ("; ".join(shown) + ".")
    )


def _ious(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    return [one.mean.iou for one in rows], [one.best_scores.iou for one in rows]


def _section(judged: Judged, pictures: Sequence[str]) -> Iterator[str]:
    split = judged.tested.split
    yield f"## {split}"
    about = ABOUT[split][0].upper() + ABOUT[split][1:]
    yield f"{about}. A pixel is lake from a probability of {judged.tested.threshold:g} on."
    for labels in (ALL, CLEAN):
        row = judged.row(labels)
        suspects = _count(row.n_suspected, "suspected label")
        yield f"{'With' if labels == ALL else 'Without'} the {suspects}, {_count(row.n, 'scene')}:"
        yield markdown_table(WHO, who_cells(row))
    for way in WAYS[1:] if len(judged.of("fold", ALL)) > 1 else WAYS[1:-1]:
        yield f"### {split}: by {way}"
        yield group_table(judged, way)
    yield f"### {split}: calibration"
    yield error_table(judged)
    yield "Over all labels:"
    yield bin_table(judged.calibrations[ALL])
    if judged.coverages:
        yield f"### {split}: {100 * LEVEL:.0f} % intervals of areas"
        yield interval_table(judged)
    titles = {
        f"{split}-series.png": "Areas found and labelled, by lake and track",
        f"{split}-worst.png": "The scenes with the lowest IoU whose label is not suspected",
        f"{split}-suspected.png": "The scenes with the lowest IoU whose label is suspected",
    }
    yield f"### {split}: pictures"
    yield "\n\n".join(f"![{title}]({name})" for name, title in titles.items() if name in pictures)
    yield f"### {split}: every scene"
    yield scene_table(judged)


def _suspected(judged: Sequence[Judged]) -> Iterator[str]:
    yield "## Suspected labels"
    found = {
        (f"{one.sample.lake} {one.sample.track} {one.sample.start:%Y-%m-%d %H:%M}", safe(one.suspected))
        for split in judged
        for one in split.scenes
        if one.suspected
    }
    yield markdown_table(("label", "reason"), sorted(found)) if found else "None of the tested ones."


def console_lines(judged: Sequence[Judged]) -> str:
    """Write the main rows for a console, at most `CONSOLE_LINES` lines.

    Parameters
    ----------
    judged
        The splits; of a single one the lakes are shown as well.
    """
    rows = [console_cells(one.tested.split, one.row(labels)) for one in judged for labels in (ALL, CLEAN)]
    words = [_short(one) for one in judged]
    if len(judged) == 1:
        room = CONSOLE_LINES - len(rows) - len(words) - 3  # headings, a rule, and the words on brackets
        rows += [console_cells(row.scenes, row) for row in judged[0].of("lake", ALL)[:room]]
    foot = "In brackets the best image-blind constant on the same scenes; skill: share of its error removed."
    return "\n".join([plain_table(CONSOLE, rows), foot, *words])


def _short(judged: Judged) -> str:
    split, row = judged.tested.split, judged.row()
    if not row.scored or row.best_scores.iou == 0:
        return (
            f"{split}: {'the constants are empty: nothing is known to beat' if row.scored else _against(row)}"
        )
    warned = {
        "random": "; it leaks: scenes are in training and test",
    }
    return f"{split}: {_beats(row)} the best constant ({row.best}){warned.get(split, '')}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
