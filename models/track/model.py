"""A finished track network: one file with its weights and what it remembers of the lakes it learned from.

The file is ONNX like any other network's. Its metadata hold, besides the specification, one page of frames
per lake and track: mean, deviation and minimum of the radar images, and the share of labels that are lake. So
a single image of a known lake can be read without the archive beside it; of an unknown one the record of its
own images is taken, and nothing is known of its outline.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from glaciolake.catalog.orbits import scene_orbit
from glaciolake.models.batches import in_batches
from glaciolake.models.chips import stamp_time
from glaciolake.models.data import PAIR_SIDE_PX, Float32, Sample
from glaciolake.models.engines import batch_px
from glaciolake.models.errors import ModelError
from glaciolake.models.export import export
from glaciolake.models.pieces import own_lake
from glaciolake.models.predict import network_of
from glaciolake.models.season import SEASON_DAYS, of_pass, share_of
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.models.track.network import track_ensemble
from glaciolake.models.track.record import (
    CHANNELS,
    LEAST_DATES,
    STD_FACTOR,
    UNKNOWN,
    Channel,
    Images,
    Key,
    Page,
    Record,
    channels_of,
    fitted,
    outline_rows,
    statistics_of,
)
from glaciolake.models.weights import metadata, read_spec

if TYPE_CHECKING:
    import torch

ATLAS_KEY = "glaciolake.atlas"
LOGIT_KEY = "glaciolake.logit"
LEARNED_KEY = "glaciolake.learned"
STEPS = 200
"""Levels of a stored frame: a half percent, finer than any of them is known."""
MONTHS = 12
STAMP = "%Y%m%dT%H%M%S"


@dataclass(frozen=True)
class Memory:
    """What a network carries beside its weights.

    Attributes
    ----------
    atlas
        (lake, track) to frames.
    learned
        (lake, start) of the labelled scenes it learned from, so that nobody tests it on them unawares.
    logit
        Factor and offset that make the logit of the mean a calibrated one.
    """

    atlas: Mapping[Key, Page]
    learned: Sequence[tuple[str, datetime]]
    logit: tuple[float, float] = (1.0, 0.0)


def draw_atlas(labels: Sequence[Sample], images: Images, places: Mapping[str, tuple[float, float]],
               spec: ModelSpec) -> dict[Key, Page]:  # fmt: skip
    """Draw what a network shall remember of every lake and track that has images enough.

    Parameters
    ----------
    labels
        Scenes it learned from.
    images
        Chips by lake and track.
    places
        Lake to longitude and latitude of its frame's centre, degrees.
    spec
        Gives the range of decibels.
    """
    atlas = {}
    for key, rows in images.items():
        if len(rows) < LEAST_DATES:
            continue
        power = np.stack([fitted(image, (PAIR_SIDE_PX, PAIR_SIDE_PX)) for _, image in rows])
        mean, std, low = statistics_of(power, spec)
        direction = scene_orbit(rows[0][0], *places[key[0]]).orbit_state
        known = of_pass(labels, key[0], direction)
        outlines = np.full((1 + MONTHS, PAIR_SIDE_PX, PAIR_SIDE_PX), UNKNOWN, np.float32)
        if known:
            outlines[0] = share_of(known, key[1], known[0].start)
            for month in range(1, 1 + MONTHS):
                outlines[month] = share_of(known, key[1], middle_of(month), SEASON_DAYS)
        atlas[key] = Page(outlines[0], outlines[1:], mean, std, low, places[key[0]])
    return atlas


def middle_of(month: int) -> datetime:
    """Middle of a month of any year: the season that a page's outline stands for."""
    return datetime(2001, month, 15, tzinfo=UTC)


def save_track_model(
    networks: Sequence[torch.nn.Module],
    spec: ModelSpec,
    path: Path,
    *,
    memory: Memory,
) -> None:
    """Write networks, which answer together with their mean, as one file.

    Parameters
    ----------
    networks
        Of one width, as of `train.train_track`.
    spec
        With `ModelSpec.record` set to the channels.
    path
        File to write.
    memory
        What it shall remember.
    """
    width = cast(Any, networks[0]).head.in_channels
    learned = [f"{lake} {start:{STAMP}}" for lake, start in memory.learned]
    more = {
        ATLAS_KEY: _packed(memory.atlas),
        LOGIT_KEY: json.dumps(list(memory.logit)),
        LEARNED_KEY: json.dumps(learned),
    }
    name = f"track-{width}x{len(networks)}"
    export(track_ensemble(networks), spec, path, encoder=name, more=more)


def read_atlas(ref: ModelRef) -> dict[Key, Page]:
    """Read what the network of a file remembers; nothing where it looks at single images."""
    text = metadata(ref).get(ATLAS_KEY)
    return {} if text is None else _unpacked(text)


def learned_from(ref: ModelRef) -> set[tuple[str, datetime]]:
    """Labelled scenes, (lake, start), that a network says it learned from; empty where it does not say."""
    texts: list[str] = json.loads(metadata(ref).get(LEARNED_KEY, "[]"))
    return {(text.split()[0], stamp_time(text.split()[1])) for text in texts}


def track_probability(samples: Sequence[Sample], record: Record, ref: ModelRef) -> list[Float32]:
    """Calibrated probability of water for dates beside their record.

    Parameters
    ----------
    samples
        Dates; their labels are not looked at.
    record
        Images and outlines that may be known; with the atlas of `ref`, as a rule.
    ref
        A track network; it is loaded once a process.

    Returns
    -------
    list[Float32]
        (y, x) each, 0..1 (1), float32; NaN where the date has no data, 0 in water that does not reach the
        outline of the registry, where there is one.
    """
    spec = read_spec(ref)
    seen = [channels_of(one, record, spec, channels=channels_wanted(spec)) for one in samples]
    shares = track_probabilities(seen, ref)
    return [
        np.where(one.valid, own_lake(share, record.outline_of(one), spec.threshold), np.float32(np.nan))
        for one, share in zip(samples, shares, strict=True)
    ]


def track_probabilities(seen: Sequence[Float32], ref: ModelRef) -> list[Float32]:
    """Calibrated probability of water (y, x), 0..1 (1), from channels (channel, y, x) of any sizes."""
    spec = read_spec(ref)
    padding = np.zeros(len(spec.record), np.float32)
    padding[outline_rows(channels_wanted(spec))] = UNKNOWN
    factor, offset = json.loads(metadata(ref).get(LOGIT_KEY, "[1.0, 0.0]"))
    shares = in_batches(
        seen, network_of(ref), stride_px=spec.stride_px, padding=padding, batch_px=batch_px(ref)
    )
    return [calibrated(share, factor, offset) for share in shares]


def track_function(ref: ModelRef) -> Callable[[Float32], Float32]:
    """Load a track network: from channels (channel, y, x) to the probability of water (y, x), 0..1 (1)."""
    channels_wanted(read_spec(ref))
    return lambda seen: track_probabilities([seen], ref)[0]


def calibrated(share: Float32, factor: float, offset: float) -> Float32:
    """Move probabilities by a line in their logit."""
    if (factor, offset) == (1.0, 0.0):
        return share
    inside = np.clip(share, 1e-6, 1 - 1e-6)
    moved = factor * np.log(inside / (1 - inside)) + offset
    return np.asarray(1 / (1 + np.exp(-moved)), np.float32)


def channels_wanted(spec: ModelSpec) -> tuple[Channel, ...]:
    """Channels that a network of records looks at, in order; a `ModelError` where one is not known here."""
    unknown = [name for name in spec.record if name not in CHANNELS]
    if unknown or not spec.record:
        raise ModelError(
            f"network {spec.name!r} wants the channels {list(spec.record)} of a record, of which this "
            f"version does not know {unknown}; it knows {list(CHANNELS)}: install the version it is for"
        )
    return cast(tuple[Channel, ...], spec.record)


def _packed(atlas: Mapping[Key, Page]) -> str:
    """Frames as levels of one byte, deflated, in text: metadata hold nothing else."""
    pages = []
    for (lake, track), page in sorted(atlas.items()):
        frames = [page.outline, *page.season_outlines, page.mean, page.std / STD_FACTOR, page.low]
        levels = np.stack(frames)
        steps = np.where(levels < 0, 255, np.rint(np.clip(levels, 0, 1) * STEPS)).astype(np.uint8)
        text = base64.b64encode(zlib.compress(steps.tobytes(), 9)).decode()
        pages.append({"lake": lake, "track": track, "place": page.place, "frames": text})
    return json.dumps(pages)


def _unpacked(text: str) -> dict[Key, Page]:
    atlas = {}
    for page in json.loads(text):
        raw = np.frombuffer(zlib.decompress(base64.b64decode(page["frames"])), np.uint8)
        steps = raw.reshape(-1, PAIR_SIDE_PX, PAIR_SIDE_PX)
        frames = np.where(steps == 255, UNKNOWN, steps / STEPS).astype(np.float32)
        outline, season_outlines = frames[0], frames[1 : 1 + MONTHS]
        mean, std, low = frames[1 + MONTHS :]
        place = (float(page["place"][0]), float(page["place"][1]))
        atlas[page["lake"], page["track"]] = Page(
            outline, season_outlines, mean, std * STD_FACTOR, low, place
        )
    return atlas
