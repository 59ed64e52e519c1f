"""The card of a network, written from what was measured."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

_CARD = """# {name}

Finds open water of glacial lakes in one Sentinel-1 VV backscatter image (U-Net, {encoder} encoder,
trained from scratch). File: `{name}.onnx`, SHA-256 `{sha256}`; all facts below are also in
`{name}.json`.

## Use

For the area series of named lakes, one series per relative orbit, each slice with its uncertainty,
looked at by a person. Not for warnings without one, nor for lakes unlike those it learned from: compare
with a known outline first.

Input: {bands}, linear power mapped by {normalisation} {clip} to 0..1, and a channel that is 1 where
there are data. Output: probability of water; a pixel is water from {threshold}.

## Data

* Images: HyP3 RTC (GAMMA) gamma nought, 20 m, speckle filtered, VV, of five sites in Nepal, 2021 to
  2025, and hand-drawn masks, from npsar-nasa/npSAR-dl, which states no licence. Neither is part of this
  package; the weights were trained on them for research. Contains modified Copernicus Sentinel data
  2021-2025, processed by ASF with HyP3.
* {pairs} pairs. {n_dropped} masks contradict the majority of their lake and track (intersection over
  union below 0.5) and were left out of every part: {dropped}.
* For {rebuilt} Tilicho dates, all of June to September, the radar chip is not published. Power was
  rebuilt from the equalised picture by matching the land's quantiles to other dates of the track. On
  pairs whose chip is known this errs by 1.0 dB (land, root mean square, median scene) and makes lakes
  1.8 dB too bright.

## Split

By date, hence by scene, within each track: no date is in two parts. {n_train} scenes train,
{n_validation} choose checkpoint and threshold, {n_test} test. The shipped weights have seen the
training part only. The lakes are the same in all parts: the test says how well other dates of known
lakes are read, not other lakes.

## Scores of this file on the test part

Pixels that have data, pooled. Constants never look at the radar: they are the majority mask of the same
training part. Skill is the share of the best constant's error that the network removes; below 0 the
constant is better.

{verdict}

{table}

{area}
Training: {steps} steps of {batch} scenes of {size_px} px, {seconds} s on a shared CPU;
validation IoU {validation}.

{notes}## Limits

* VV only; OPERA RTC-S1 (30 m, unfiltered, other terrain correction) was not in training, only imitated
  by zoom and speckle. No labelled OPERA scene of a glacial lake was at hand to score it.
* Masks show January to September. Frozen lakes were labelled as lakes; wind and melting ice make lakes
  bright.
* The site called `imjaTsho` in the data is a pond of 0.08 km2 near Ngozumpa, not Imja Tsho.
* Radar shadow and wet snow look like water. Layover hides shores: areas differ between ascending and
  descending passes by up to 30 %, so values of two tracks must not be mixed.
* The masks are drawn on the same images by one group; their own error is not known.
"""

_BLIND = ("constant per lake", "constant per lake and direction", "constant per lake and track")


def write_card(facts: dict[str, Any], path: Path) -> None:
    """Write the card of a network from its facts, as `glaciolake.models.release` collects them."""
    spec, training, labels = facts["spec"], facts["training"], facts["labels"]
    text = _CARD.format(
        name=facts["name"],
        sha256=facts["sha256"],
        encoder=training["encoder"],
        bands=" and ".join(spec["bands"]).upper(),
        normalisation=spec["normalisation"],
        clip="{:g}..{:g} dB".format(*spec["clip_db"]),
        threshold=spec["threshold"],
        pairs=labels["pairs"],
        n_dropped=len(labels["dropped"]),
        dropped=", ".join(labels["dropped"]),
        rebuilt=labels["rebuilt_chips"],
        n_train=facts["scenes"]["train"],
        n_validation=facts["scenes"]["validation"],
        n_test=facts["scenes"]["test"],
        verdict=_verdict(facts["scores"][0]),
        table=_table(facts["scores"]),
        area=_area(facts["scores"][0]),
        notes=_notes(facts.get("notes", [])),
        steps=round(training["step"]),
        batch=training["batch"],
        size_px=training["size_px"],
        seconds=round(training["seconds"]),
        validation=round(training["validation_iou"], 3),
    )
    path.write_text(text)


def _verdict(row: dict[str, Any]) -> str:
    network, best = row["network"]["iou"], max(row[name]["iou"] for name in _BLIND)
    scores = f"{network:.3f} beside {best:.3f} for the best constant"
    if row["skill"] > 0:
        return f"**Better than remembering the outline: {scores}.**"
    return (
        f"**Not yet better than remembering the outline: {scores}.**\n"
        "These lakes hardly change, which is what a constant is best at; how well the network follows a\n"
        "change is not measured here. Take its areas as provisional."
    )


def _table(rows: list[dict[str, Any]]) -> str:
    head = "| scenes | n | network IoU | per lake | + direction | + track | skill | area error |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        blind = " | ".join(f"{row[name]['iou']:.3f}" for name in _BLIND)
        network = row["network"]
        lines.append(
            f"| {row['scenes']} | {row['n']} | {network['iou']:.3f} | {blind} | {row['skill']:.2f} | "
            f"{network['area_error_percent']:.1f} % |"
        )
    return "\n".join(lines)


def _notes(notes: list[str]) -> str:
    """Measurements that were made by hand, one item each; nothing where there are none."""
    items = [fill(f"* {note}", 104, subsequent_indent="  ", break_on_hyphens=False) for note in notes]
    return "## Also measured\n\n" + "\n".join(items) + "\n\n" if items else ""


def _area(row: dict[str, Any]) -> str:
    blind = ", ".join(f"{row[name]['area_error_percent']:.1f} % ({name})" for name in _BLIND)
    return (
        f"Area error is the median of |area - labelled area| / labelled area. Over all scenes it is\n"
        f"{row['network']['area_error_percent']:.1f} % for the network;\nfor the constants {blind}.\n"
    )
