"""Crops of training scenes, and how they are varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from glaciolake.models.data import Bool, Float32, Sample
from glaciolake.models.folds import Fold, blocks
from glaciolake.models.spec import ModelSpec
from glaciolake.models.track.change import change
from glaciolake.models.track.recipe import TrackRecipe
from glaciolake.models.track.record import (
    CHANNELS,
    UNKNOWN,
    Key,
    Record,
    channels_of,
    forget_place,
    outline_rows,
    registered,
)
from glaciolake.models.track.registry import elsewhere, moved

LISTED = 0.85
"""Of the crops of a lake without labels, those whose lake a registry knows."""
ELSEWHERE = 0.2
"""Of these, those that ask for a lake where none is: other dark patches of an image are not the lake."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A training scene as the network sees it.

    Attributes
    ----------
    channels
        (channel, y, x), see `record.channels_of`.
    water, counts
        (y, x), True where the label says lake and may be known, and where the loss looks.
    listed
        Outline (y, x) of the registry, 0 or 1, float32; None where it has none.
    """

    channels: Float32
    water: Bool
    counts: Bool
    listed: Float32 | None = None


def seen_of(sample: Sample, fold: Fold, record: Record, spec: ModelSpec) -> Seen:
    """Draw up a scene of a fold's training part; of a quartered one only what may be learned."""
    water, counts = sample.water, sample.valid
    if fold.quarter is not None:
        shape = (sample.water.shape[0], sample.water.shape[1])
        counts = counts & blocks(shape, fold.quarter, test=False)
        water = water & counts  # an event painted by the label's rest would show it to the network
    channels = channels_of(sample, record, spec)
    if fold.quarter is not None:
        rows = outline_rows()  # their pixels in the tested quarter are labels of the test
        channels[rows] = np.where(counts, channels[rows], UNKNOWN)
    return Seen(channels, water, counts, registered(sample, record))


def draw_crops(
    by_key: Mapping[Key, Sequence[Seen]],
    random: np.random.Generator,
    recipe: TrackRecipe,
    simulated: Mapping[Key, Sequence[Seen]] = MappingProxyType({}),
) -> tuple[Float32, Float32, Float32]:
    """Crops, each lake and track as often as any other.

    `TrackRecipe.forget` of them are as of a lake without labels, and `TrackRecipe.simulated` of these
    simulated ones: simulated outlines are so true that a network would learn to copy the outline it is told.
    """
    crops = []
    for _ in range(recipe.batch):
        forgets = random.random() < recipe.forget
        pool = simulated if forgets and simulated and random.random() < recipe.simulated else by_key
        keys = sorted(pool)
        of_key = pool[keys[random.integers(len(keys))]]
        crops.append(_crop(of_key[int(random.integers(len(of_key)))], random, recipe, forgets=forgets))
    images, water, counts = (np.stack(parts) for parts in zip(*crops, strict=True))
    return images, water, counts


def _crop(
    seen: Seen, random: np.random.Generator, recipe: TrackRecipe, *, forgets: bool
) -> tuple[Float32, Float32, Float32]:
    channels, water = seen.channels.copy(), seen.water
    if forgets:
        channels, water = _forgotten(seen, random)
    date, valid = CHANNELS.index("date"), CHANNELS.index("valid")
    if random.random() < recipe.change:
        water = _change(channels, water, seen.counts, random)
    shifted = np.clip(channels[date] + random.normal(0, 0.03), 0, 1)  # calibration drifts by a decibel
    channels[date] = np.where(channels[valid] > 0, shifted, 0)
    stacked = np.concatenate([channels, water[None], seen.counts[None]]).astype(np.float32)
    canvas = np.zeros((len(stacked), recipe.size_px, recipe.size_px), np.float32)
    canvas[outline_rows()] = UNKNOWN
    source, target = [], []
    for length in seen.water.shape:
        extent = min(length, recipe.size_px)
        start = int(random.integers(abs(length - recipe.size_px) + 1))
        cut, whole = slice(start, start + extent), slice(0, extent)
        source.append(cut if length > recipe.size_px else whole)
        target.append(whole if length > recipe.size_px else cut)
    canvas[:, target[0], target[1]] = stacked[:, source[0], source[1]]
    if forgets and recipe.turn:
        canvas = np.rot90(canvas, int(random.integers(4)), (1, 2))
        canvas = canvas[:, :, ::-1] if random.random() < 0.5 else canvas
    return canvas[: len(channels)], canvas[-2], canvas[-1]


def _forgotten(seen: Seen, random: np.random.Generator) -> tuple[Float32, Bool]:
    """Channels as of a lake without labels, and the lake; at times it is asked for where there is none."""
    if seen.listed is None or random.random() >= LISTED:
        return forget_place(seen.channels), seen.water
    told = moved(seen.listed, random)
    if random.random() < ELSEWHERE and (off := elsewhere(told, seen.water, random)) is not None:
        return forget_place(seen.channels, off), np.zeros_like(seen.water)
    return forget_place(seen.channels, told), seen.water


def _change(channels: Float32, water: Bool, counts: Bool, random: np.random.Generator) -> Bool:
    """Change the lake in the channels of the date, at times in those of its neighbours; returns the lake.

    Nothing is painted, or taken to paint with, where it does not count: what lies there is not known.
    """
    rows = [CHANNELS.index("date")]
    if random.random() < 0.5:  # images after an event show it too
        rows.append(CHANNELS.index("near"))
    valid = (channels[CHANNELS.index("valid")] > 0) & counts
    painted, changed = change(channels[rows], water, valid, random)
    channels[rows] = painted
    return changed
