"""The card of a track network, written from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import Any

from glaciolake.models.skill.scores import LISTED, SEASONAL, skill

PER_PASS = "constant per lake and pass"
_CARD = """# {name}

Finds glacial lakes on one date of Sentinel-1 VV backscatter beside the record of the same lake and
relative orbit: mean, deviation and minimum of its other images, the mean of those nearest in time, and
the outlines it had, by season. {members} small U-Nets (width {width}, four levels, trained from
scratch) whose probabilities are averaged. File: `{name}.onnx`, SHA-256 `{sha256}`; all facts below are
also in `{name}.json`.

## Use

For area series of lakes that it knows, one series per relative orbit, looked at by a person. It knows
{lakes}. Of another lake it is told the outline
that a registry has: expect what the split `lake` below says. Not for warnings without a person, nor for
images of another processing without a test: it has learned from HyP3 RTC at 20 m only.

`glaciolake evaluate --pairs FOLDER --raw CHIPS --model {name}` runs it; the file holds the record of
the lakes it knows, so that one image is enough. `glaciolake run --model {name}` runs it in the chain,
where every lake is one without labels: told the registry's outline, beside a record drawn from up to 24
passes when the series begins.

Input: {channels}; linear power as {low:g} to {high:g} dB, mapped to 0..1; sides are multiples of
{stride} px. Output: probability of lake; a pixel is lake from {threshold:g}.

## Data

* Images: HyP3 RTC (GAMMA) gamma nought, 20 m, speckle filtered, VV, of five sites in Nepal, and
  hand-drawn masks of {first} to {last}, from npsar-nasa/npSAR-dl, which states no licence. Neither is
  part of this package, but the file holds, for each of {n_tracks} lakes and tracks, statistics of the
  images and the share of masks that are lake. Contains modified Copernicus Sentinel data 2015-2025,
  processed by ASF with HyP3.
* {pairs} pairs. {n_left_out} masks that the label audit holds for wrong were left out: {left_out}.
* For {rebuilt} dates the radar chip is not published; power was rebuilt from the equalised picture.
{unknown}
* {change:.0%} of the training crops show an event that never was: the lake drains in part or
  altogether, or grows. Without them networks repeat the outline they are told and miss a lake that is
  gone.

## Scores

Of networks of the same recipe, **one, not {members}**, on scenes they have not learned from; the file
itself has learned from all {n_learned} scenes, so these tell nothing new when it is scored on them.
Pixels that have data, pooled; "clean" leaves out the suspected labels. In brackets two constants that
never look at the radar: the majority mask of lake and pass, and the same for the season, which is the
best there is; where nothing is known of the lake or the corner, the registry's outline. Skill is the
share of a constant's error that the network removes, against each of them.

{table}

{lake_words}

Splits: `random` by file, as Adhikari & Regmi 2025 (it leaks: an acquisition shows several lakes),
`scene` by acquisition, `forward` the last year, `lake` one lake left out at a time, `block` a quarter
of every frame.

{notes}
{intervals}
## Limits

* VV only, 20 m. No labelled OPERA scene of a glacial lake was at hand.
* Labels show January to September of lakes that hardly change. That events are followed was tested with
  painted ones only, made as in training.
* Frozen lakes were labelled as lakes, or their open part alone; wind and melting ice make lakes bright.
* The site called `imjaTsho` in the data is a pond of 0.08 km2 near Ngozumpa, not Imja Tsho.
* Layover hides shores: areas differ between ascending and descending passes by up to 30 %, so values of
  two tracks must not be mixed.
* The masks are drawn on the same images by one group; their own error is not known.
"""


def card_text(facts: Mapping[str, Any]) -> str:
    """Write the card of a network from its facts, as `track.release` collects them."""
    spec, training, labels = facts["spec"], facts["training"], facts["labels"]
    low, high = spec["clip_db"]
    left_out = sorted(labels["left_out"])
    rows = [row for row in facts["scores"] if row["scenes"] == "all"]
    return _CARD.format(
        name=facts["name"],
        sha256=facts["sha256"],
        members=training["members"],
        width=training["width"],
        lakes=", ".join(facts["lakes"]),
        channels=", ".join(spec["record"]),
        low=low,
        high=high,
        stride=spec["stride_px"],
        threshold=spec["threshold"],
        first=facts["span"][0],
        last=facts["span"][1],
        n_tracks=len(facts["tracks"]),
        pairs=labels["pairs"],
        n_left_out=len(left_out),
        left_out=_wrapped(", ".join(left_out)),
        rebuilt=labels["rebuilt_chips"],
        change=training["change"],
        unknown=_unknown(training, facts.get("simulated", {})),
        n_learned=labels["pairs"] - len(left_out),
        table=_table(rows),
        lake_words=_lakes(facts["scores"]),
        intervals=_intervals(facts.get("area_interval")),
        notes="\n".join(fill(f"* {note}", 108, subsequent_indent="  ") for note in facts["notes"]),
    )


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| split | labels | scenes | IoU (constants) | skill | area error | anomaly r | ECE |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        told = row["constants"]
        known = [told[name] for name in (PER_PASS, SEASONAL) if told.get(name)] or [told[LISTED]]
        skills = " / ".join(f"{skill(row['iou'], one):.2f}" for one in known)
        blind = ", ".join(f"{one:.3f}" for one in known)
        error = row["calibration_error"]["all pixels"]
        correlation = row["anomaly_correlation"]
        lines.append(
            f"| {row['split']} | {row['labels']} | {row['n']} | {row['iou']:.3f} "
            f"({blind}) | {skills} | {row['area_error_percent']:.1f} % | "
            f"{'-' if correlation is None else f'{correlation:.2f}'} | {error:.3f} |"
        )
    return "\n".join(lines)


def _lakes(rows: list[dict[str, Any]]) -> str:
    """Scores of the lakes that were left out, one by one, over the labels that are not suspected."""
    found = [
        row for row in rows if row["split"] == "lake" and row["scenes"] != "all" and row["labels"] == "clean"
    ]
    if not found:
        return "No lake was left out."
    words = ", ".join(f"{row['scenes']} {row['iou']:.3f}" for row in found)
    mean = sum(row["iou"] for row in found) / len(found)
    return fill(f"Lakes left out, clean labels: {words}; mean {mean:.3f}.", 108)


def _unknown(training: Mapping[str, Any], simulated: Mapping[str, int]) -> str:
    """Item on the crops of lakes without labels, simulated ones among them."""
    text = (
        f"* {training['forget']:.0%} of the training crops are as of a lake without labels, most of them "
        "told its outline in the registry, which was fitted to no label."
    )
    if simulated.get("scenes"):
        text += (
            f" {training['simulated']:.0%} of these show lakes of the simulated archive "
            f"({simulated['scenes']} scenes of {simulated['lakes']}), whose levels of backscatter were "
            "measured on the chips of all five sites."
        )
    return _wrapped(text)


def _intervals(about: Mapping[str, Any] | None) -> str:
    """Section on the intervals of areas; empty where none were calibrated."""
    if about is None:
        return ""
    words = "; ".join(
        f"{name} labels of {one['years']}: {100 * one['own_coverage']:.0f} % of {one['n']} held, median "
        f"width {one['own_width_percent']:.1f} % (the season's constant: "
        f"{100 * one['blind_coverage']:.0f} %, {one['blind_width_percent']:.1f} %)"
        for name, one in about["held_forward"].items()
    )
    text = (
        f"{100 * about['level']:.0f} % interval of an area: found area plus and minus {about['factor']:.2f} "
        "times the sum of p(1 - p) over the pixels of the lake and around it. The factor is the conformal "
        f"quantile over {about['scenes']} scenes, each read by a network that had learned from older ones "
        f"alone. Forward in time, each year calibrated on older ones: {words}."
    )
    return "\n## Intervals\n\n" + fill(text, 108) + "\n"


def _wrapped(text: str) -> str:
    return fill(text, 104, subsequent_indent="  ", break_on_hyphens=False, initial_indent="").lstrip()
