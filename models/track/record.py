"""What a lake's own record says about one date: other images of the track, earlier outlines, the season.

A single radar image cannot tell a lake from radar shadow or dark ground; the same pass on other dates can,
since geometry stays and water moves. Everything here is per (lake, relative orbit).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from glaciolake.catalog.granule import track_name
from glaciolake.catalog.orbits import scene_orbit
from glaciolake.models.augment import scale_db
from glaciolake.models.chips import Chip, read_chips, stamp_time
from glaciolake.models.data import Bool, Float32, Sample, cut_centre
from glaciolake.models.season import SEASON_DAYS, day_angle, of_pass, share_of
from glaciolake.models.spec import ModelSpec

Channel = Literal[
    "date", "valid", "mean", "std", "min", "near",
    "outline", "season_outline", "season_sin", "season_cos", "north", "east",
]  # fmt: skip
CHANNELS: tuple[Channel, ...] = get_args(Channel)
OUTLINES: tuple[Channel, ...] = ("outline", "season_outline")
UNKNOWN = -1.0
"""Value of the channels of outlines where no outline is known; a share of lake is 0..1."""
NEAR_DAYS = 24.0
"""An image counts as much as e times one that is so much nearer in time, in the channel ``near``."""
STD_FACTOR = 3.0
"""Brings the standard deviation over dates, in units of the decibel range, to about 0..1."""
LEAST_DATES = 3
Key = tuple[str, str]
Images = Mapping[Key, Sequence[tuple[datetime, Float32]]]
"""(lake, track) to (start, power (y, x)) of its chips, by time."""


@dataclass(frozen=True, eq=False)
class Page:
    """What a trained network remembers of one lake and track; each (256, 256), float32, 0..1 (1).

    Attributes
    ----------
    outline
        Share of the labels it learned from that are lake; all `UNKNOWN` where it had none.
    season_outlines
        (12, 256, 256), the same for the middle of each month, as the channel ``season_outline``.
    mean, std, low
        Statistics over dates, as the channels ``mean``, ``std`` and ``min``.
    place
        Longitude and latitude of the frame's centre, degrees.
    """

    outline: Float32
    season_outlines: Float32
    mean: Float32
    std: Float32
    low: Float32
    place: tuple[float, float]

    def outline_of(self, when: datetime, days: float) -> Float32:
        """Outline of a season, of all where `days`, its width, is infinite."""
        return self.outline if math.isinf(days) else self.season_outlines[when.month - 1]


@dataclass(frozen=True, eq=False)
class Record:
    """Images and outlines of lakes and tracks that a date may be compared with.

    Attributes
    ----------
    images
        (lake, track) to (start, power (y, x)) of every published chip, by time.
    labels
        Labelled scenes whose outlines may be known: of a training part, never of a test.
    atlas
        (lake, track) to what a trained network remembers, for where `images` or `labels` have too little.
    registry
        Lake to the outline (256, 256) that a registry has of it, for where no label of it may be known; see
        `registry.registry_frames`.
    causal
        Whether only images older than the date count, as for an hour-old scene.
    """

    images: Images
    labels: Sequence[Sample] = ()
    atlas: Mapping[Key, Page] = field(default_factory=dict)
    registry: Mapping[str, Bool] = field(default_factory=dict)
    causal: bool = False

    def outline_of(self, sample: Sample) -> Bool:
        """Outline (y, x) of the registry in the frame of a scene; nowhere True where it has none."""
        frame = self.registry.get(sample.lake)
        if frame is None:
            return np.zeros(sample.water.shape, bool)
        return cut_centre(frame, sample.water.shape)


def read_images(chips: Path) -> Images:
    """Read every published chip of a folder, labelled or not; see `images_of`."""
    return images_of(read_chips(chips))


def images_of(published: Mapping[tuple[str, str, str], Chip]) -> Images:
    """Sort chips by lake and track, in order of time.

    Parameters
    ----------
    published
        As `data.read_chips` gives them.
    """
    images: dict[Key, list[tuple[datetime, Float32]]] = {}
    for (stamp, _, lake), chip in published.items():
        start = stamp_time(stamp)
        track = track_name(scene_orbit(start, *chip.place).relative_orbit)
        images.setdefault((lake, track), []).append((start, chip.power))
    return {key: sorted(rows, key=lambda row: row[0]) for key, rows in images.items()}


def with_samples(images: Images, samples: Sequence[Sample]) -> Images:
    """Add the images of scenes whose chips are not among those published."""
    found = {key: list(rows) for key, rows in images.items()}
    for one in samples:
        if one.rebuilt:
            found.setdefault(one.key, []).append((one.start, one.power))
    return {key: sorted(rows, key=lambda row: row[0]) for key, rows in found.items()}


def older_than(images: Images, when: datetime) -> Images:
    """Leave out the images from a time on."""
    return {key: [row for row in rows if row[0] < when] for key, rows in images.items()}


def channels_of(
    sample: Sample, record: Record, spec: ModelSpec, *, channels: Sequence[Channel] = CHANNELS
) -> Float32:
    """Draw up what the network sees of one date.

    Parameters
    ----------
    sample
        The date; its label is not looked at.
    record
        What is known beside it. The date itself is left out of every statistic and outline.
    spec
        Gives the range of decibels.

    Returns
    -------
    Float32
        (channel, y, x), no NaN: backscatter and its statistics 0..1 (1) over the decibel range, standard
        deviation times `STD_FACTOR`, share of known labels that are lake (where none is known the registry's
        outline, which has no season) or `UNKNOWN`, sine and cosine of the day of the year, and the place in
        the frame from -1 to 1, northern and western edges at -1.
    """
    height, width = sample.power.shape
    season_sin, season_cos = day_angle(sample.start)
    north, east = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    mean, std, low, near = _statistics(sample, record, spec)
    made: dict[str, Float32 | float] = {
        "date": np.where(sample.valid, scale_db(sample.power, spec), np.float32(0)),
        "valid": sample.valid.astype(np.float32),
        "mean": mean,
        "std": std,
        "min": low,
        "near": near,
        "outline": _outline(sample, record, math.inf),
        "season_outline": _outline(sample, record, SEASON_DAYS),
        "season_sin": season_sin,
        "season_cos": season_cos,
        "north": north.astype(np.float32),
        "east": east.astype(np.float32),
    }
    return np.stack(
        [np.broadcast_to(np.asarray(made[name], np.float32), (height, width)) for name in channels]
    )


def outline_rows(channels: Sequence[Channel] = CHANNELS) -> list[int]:
    """Give the numbers of the channels that hold outlines."""
    return [number for number, name in enumerate(channels) if name in OUTLINES]


def forget_place(
    seen: Float32, instead: Float32 | None = None, channels: Sequence[Channel] = CHANNELS
) -> Float32:
    """Take from what a network sees what only a known lake has, outlines of labels and place.

    Parameters
    ----------
    seen
        (channel, y, x), see `channels_of`.
    instead
        Outline (y, x) of a registry, 0..1 (1), float32; None where there is none.
    channels
        Those of `seen`.
    """
    blind = seen.copy()
    for number, name in enumerate(channels):
        if name == "outline" and instead is not None:
            blind[number] = instead
        elif name in OUTLINES:
            blind[number] = UNKNOWN
        elif name in ("north", "east"):
            blind[number] = 0
    return blind


def _statistics(sample: Sample, record: Record, spec: ModelSpec) -> tuple[Float32, Float32, Float32, Float32]:
    """Mean, deviation, minimum and mean of the nearest (y, x) over the other dates; 0 where none has data."""
    others = [
        (abs((start - sample.start).total_seconds()) / 86400, fitted(power, sample.power.shape))
        for start, power in record.images.get(sample.key, ())
        if start != sample.start and (not record.causal or start < sample.start)
    ]
    if len(others) >= LEAST_DATES:
        days, power = np.array([age for age, _ in others]), np.stack([image for _, image in others])
        return *statistics_of(power, spec), near_mean(power, days, spec)
    if (page := record.atlas.get(sample.key)) is not None:
        mean, std, low = (cut_centre(frame, sample.power.shape) for frame in (page.mean, page.std, page.low))
        return mean, std, low, mean
    nothing = np.zeros(sample.power.shape, np.float32)
    return nothing, nothing, nothing, nothing


def near_mean(power: Float32, days: NDArray[np.float64], spec: ModelSpec) -> Float32:
    """Mean (y, x) over dates that weigh the less the further they are away, scaled; 0 where none has data.

    Parameters
    ----------
    power
        (date, y, x), above 0 (1, linear power), float32; NaN is no data.
    days
        (date,), distance in time, at least 0.
    spec
        Gives the range of decibels.
    """
    weight = np.exp(-(days - days.min()) / NEAR_DAYS).astype(np.float32)[:, None, None]
    weight = weight * np.isfinite(power)
    total = weight.sum(axis=0)
    mean = (weight * np.where(weight > 0, scale_db(power, spec), 0)).sum(axis=0)
    return np.where(total > 0, mean / np.where(total > 0, total, 1), 0).astype(np.float32)


def statistics_of(power: Float32, spec: ModelSpec) -> tuple[Float32, Float32, Float32]:
    """Mean, deviation and minimum (y, x) over dates, scaled as the channels are; 0 where none has data.

    Parameters
    ----------
    power
        (date, y, x), above 0 (1, linear power), float32; NaN is no data.
    spec
        Gives the range of decibels.
    """
    return spread_of(scale_db(power, spec), np.isfinite(power))


def spread_of(scaled: Float32, seen: Bool) -> tuple[Float32, Float32, Float32]:
    """Do `statistics_of` on scaled images (date, y, x), 0..1 (1), that have data where `seen`."""
    count = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, scaled, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(seen, scaled - mean, 0) ** 2).sum(axis=0) / count)
    low = np.where(seen.any(axis=0), np.where(seen, scaled, 1).min(axis=0), 0)
    return mean.astype(np.float32), (STD_FACTOR * spread).astype(np.float32), low.astype(np.float32)


def _outline(sample: Sample, record: Record, days: float) -> Float32 | float:
    """Share (y, x) of the known labels of the lake and pass that are lake, without the date's own."""
    of_lake = of_pass(record.labels, sample.lake, sample.direction)
    known = [one for one in of_lake if one.start != sample.start]
    if len(known) > 1:
        return cut_centre(share_of(known, sample.track, sample.start, days), sample.water.shape)
    page = record.atlas.get(sample.key)
    frame = None if page is None else page.outline_of(sample.start, days)
    if frame is not None and frame.max() >= 0:
        return cut_centre(frame, sample.water.shape)
    listed = registered(sample, record)
    return UNKNOWN if listed is None or not math.isinf(days) else listed


def registered(sample: Sample, record: Record) -> Float32 | None:
    """Outline (y, x) of the registry, 0 or 1, in the frame of a scene; None where it has none."""
    return record.outline_of(sample).astype(np.float32) if sample.lake in record.registry else None


def fitted(power: Float32, shape: tuple[int, ...]) -> Float32:
    """Image in the frame of another of the same lake, whose grid may have a row or column more."""
    if power.shape == shape:
        return power
    side = max(*power.shape, *shape)
    frame = np.full((side, side), np.nan, np.float32)
    cut_centre(frame, power.shape)[...] = power
    return cut_centre(frame, shape)
