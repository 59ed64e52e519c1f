"""The record of a lake and track as the chain keeps it: frames drawn once, when a series begins.

A stored slice follows from its own scenes, the network and the settings alone; were it to follow from all
dates that happen to be stored, a late one would change the others. So what a network of records is told of
the other dates is drawn from some of them, spread over the span of the first run, and is a setting of the
series from then on.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from scipy import ndimage

from glaciolake.models.data import Bool, Float32
from glaciolake.models.errors import ModelError
from glaciolake.models.season import day_angle
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.models.track.model import channels_wanted, track_probabilities
from glaciolake.models.track.record import LEAST_DATES, STD_FACTOR, UNKNOWN, Channel, spread_of
from glaciolake.models.weights import read_spec

SPACING_M = 20.0
"""Pixels of the chips that networks of records have learned from."""
ALIKE = 0.02
"""Pixels that differ by less than this share of their size are not drawn anew."""
FILLED_DB = -10.0
"""Stands for no data while a frame is drawn anew; pixels that touch it are no data again."""
STEPS = 200
"""Levels of a stored frame: a half percent of the range of decibels."""


@dataclass(frozen=True, eq=False)
class Reference:
    """What is told of the other dates; each (y, x), float32, 0..1 (1), on pixels of `SPACING_M`.

    Attributes
    ----------
    mean, std, low
        As the channels ``mean``, ``std`` and ``min`` of `record.channels_of`.
    """

    mean: Float32
    std: Float32
    low: Float32

    def text(self) -> str:
        """Text form: sides, and the frames in levels of a half percent, deflated."""
        levels = np.stack([self.mean, self.std / STD_FACTOR, self.low])
        steps = np.rint(np.clip(levels, 0, 1) * STEPS).astype(np.uint8)
        height, width = self.mean.shape
        return f"{height}x{width}:" + base64.b64encode(zlib.compress(steps.tobytes(), 9)).decode()

    @classmethod
    def of(cls, text: str) -> Reference:
        """Read the text form; a `ModelError` where it is none."""
        try:
            sides, _, packed = text.partition(":")
            height, width = map(int, sides.split("x"))
            steps = np.frombuffer(zlib.decompress(base64.b64decode(packed, validate=True)), np.uint8)
            mean, std, low = (steps.reshape(3, height, width) / STEPS).astype(np.float32)
        except (ValueError, zlib.error) as error:
            raise ModelError(
                f"the record of a series, {text[:20]!r}..., cannot be read ({error}); begin a new generation"
            ) from error
        return cls(mean, std * STD_FACTOR, low)


def draw_reference(images: Float32, spec: ModelSpec, spacing_m: float) -> Reference:
    """Draw the record out of some dates.

    Parameters
    ----------
    images
        (date, y, x), 0..1 (1) over the decibels of `spec`, float32; NaN is no data.
    spec
        Of the network.
    spacing_m
        Side of a pixel, metres.

    Raises
    ------
    ModelError
        Less than `record.LEAST_DATES` dates.
    """
    if len(images) < LEAST_DATES:
        raise ModelError(
            f"{len(images)} date(s) make no record for network {spec.name!r}, which wants {LEAST_DATES} or "
            "more; widen the dates, or take a network of single images"
        )
    drawn = np.stack([_drawn(image, spec, spacing_m) for image in images])
    # Through its text form, so that the run that draws it sees what all later ones will.
    return Reference.of(Reference(*spread_of(np.nan_to_num(drawn), np.isfinite(drawn))).text())


def probabilities_beside(
    images: Float32, starts: Sequence[datetime], told: tuple[Reference, Bool], spacing_m: float, ref: ModelRef
) -> Float32:
    """Give the probability of water in dates, beside the record of their series.

    The place in the frame and outlines of labels are unknown, as of any lake without labels.

    Parameters
    ----------
    images
        (date, y, x), 0..1 (1) over the network's decibels, float32; NaN is no data.
    starts
        When each was sensed, UTC.
    told
        The record, and the outline (y, x) that a registry has of the lake, bool, on the pixels of `images`.
    spacing_m
        Side of a pixel, metres.
    ref
        A network of records.

    Returns
    -------
    Float32
        (date, y, x), 0..1 (1), float32; NaN where a date has no data.
    """
    spec, (reference, outline) = read_spec(ref), told
    channels = channels_wanted(spec)
    listed = _zoomed(outline.astype(np.float32), spacing_m / SPACING_M)
    if listed.shape != reference.mean.shape:
        raise ModelError(
            f"the record of the series has {reference.mean.shape} pixels, its outline {listed.shape}; "
            "begin a new generation"
        )
    known: dict[Channel, Float32 | float] = {
        "mean": reference.mean,
        "std": reference.std,
        "min": reference.low,
        "near": reference.mean,
        "outline": listed,
        "season_outline": UNKNOWN,
        "north": 0.0,
        "east": 0.0,
    }
    seen = []
    for image, start in zip(images, starts, strict=True):
        drawn = _drawn(image, spec, spacing_m)
        known |= {"date": np.nan_to_num(drawn), "valid": np.isfinite(drawn).astype(np.float32)}
        known["season_sin"], known["season_cos"] = day_angle(start)
        seen.append(
            np.stack(
                [np.broadcast_to(np.asarray(known[name], np.float32), listed.shape) for name in channels]
            )
        )
    water = np.full(images.shape, np.nan, np.float32)
    for row, image, share in zip(water, images, track_probabilities(seen, ref), strict=True):
        np.copyto(row, np.clip(_resized(share, row.shape), 0, 1), where=np.isfinite(image))
    return water


def _drawn(image: Float32, spec: ModelSpec, spacing_m: float) -> Float32:
    """Bring a date to pixels of `SPACING_M`, edges on edges."""
    zoom = spacing_m / SPACING_M
    low_db, high_db = spec.clip_db
    seen = np.isfinite(image)
    filled = np.where(seen, image, np.float32((FILLED_DB - low_db) / (high_db - low_db)))
    whole = _zoomed(seen.astype(np.float32), zoom) > 0.99
    return np.where(whole, _zoomed(filled, zoom), np.float32(np.nan))


def _zoomed(frame: Float32, zoom: float) -> Float32:
    if abs(zoom - 1) < ALIKE:
        return frame
    height, width = (round(length * zoom) for length in frame.shape)
    return _resized(frame, (height, width))


def _resized(frame: Float32, shape: tuple[int, ...]) -> Float32:
    if frame.shape == shape:
        return frame
    zoom = [new / old for new, old in zip(shape, frame.shape, strict=True)]
    return np.asarray(ndimage.zoom(frame, zoom, np.float32, order=1, mode="nearest", grid_mode=True))
