"""Variations of labelled scenes, so that a network trained on one product reads another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glaciolake.models.data import Bool, Float32, Sample
from glaciolake.models.spec import ModelSpec

ZOOM = (0.55, 1.2)  # 20 m pixels seen as 36 m to 17 m; OPERA's 30 m is 0.67


class Batch(NamedTuple):
    """What one training step sees.

    Attributes
    ----------
    images
        (n, channel, y, x), 0..1 (1), float32; no NaN, the last channel says where there are data.
    water
        (n, y, x), 1 lake and 0 not, float32.
    valid
        (n, y, x), 1 data and 0 none, float32.
    """

    images: Float32
    water: Float32
    valid: Float32


def draw_batch(
    samples: list[Sample], random: np.random.Generator, spec: ModelSpec, *, count: int, size_px: int
) -> Batch:
    """Draw scenes, each lake and track as often as any other, and vary every one of them."""
    keys = sorted({sample.key for sample in samples})
    crops = []
    for key in random.integers(len(keys), size=count):
        of_key = [sample for sample in samples if sample.key == keys[key]]
        crops.append(vary(of_key[random.integers(len(of_key))], random, size_px=size_px))
    power = np.stack([power for power, _ in crops])
    valid = np.isfinite(power)
    images = np.stack([scale_db(power, spec), valid], axis=1).astype(np.float32)
    return Batch(images, np.stack([water for _, water in crops]).astype(np.float32), valid.astype(np.float32))


def scale_db(power: Float32, spec: ModelSpec) -> Float32:
    """Linear power to 0..1 over the decibels of the specification; no data becomes 0.

    Parameters
    ----------
    power
        (..., y, x), at least 0 (1, linear power), float32; NaN is no data.
    spec
        Gives the range in decibels.

    Returns
    -------
    Float32
        (..., y, x), 0..1 (1), no NaN.
    """
    low_db, high_db = spec.clip_db
    floor, ceiling = 10 ** (low_db / 10), 10 ** (high_db / 10)
    gamma0_db = 10 * np.log10(np.clip(np.nan_to_num(power, nan=floor), floor, ceiling))
    return np.clip((gamma0_db - low_db) / (high_db - low_db), 0, 1).astype(np.float32)


def vary(sample: Sample, random: np.random.Generator, *, size_px: int) -> tuple[Float32, Bool]:
    """One variation: zoomed, turned, its brightness and speckle changed, cut or padded to a square.

    Returns
    -------
    tuple[Float32, Bool]
        Power (size_px, size_px), NaN where there are no data, and the lake on the same pixels.
    """
    power, water = zoom(sample.power, sample.water, random.uniform(*ZOOM))
    power = change_brightness(power, water, random)
    if random.random() < 0.5:
        power = change_speckle(power, random)
    power, water = place(power, water, random, size_px=size_px)
    turns = int(random.integers(4))
    power, water = np.rot90(power, turns), np.rot90(water, turns)
    if random.random() < 0.5:
        power, water = power[:, ::-1], water[:, ::-1]
    return power, water


def zoom(power: Float32, water: Bool, factor: float) -> tuple[Float32, Bool]:
    """Resample to another pixel size; a new pixel has data where at least half of what it covers has."""
    share = ndimage.zoom(np.isfinite(power).astype(np.float32), factor, order=1)
    filled = ndimage.zoom(np.nan_to_num(power, nan=0.0), factor, order=1)
    lake = ndimage.zoom(water.astype(np.float32), factor, order=1) >= 0.5
    valid = share >= 0.5
    result = np.where(valid, filled / np.maximum(share, 0.5), np.nan).astype(np.float32)
    return result, lake & valid


def change_brightness(power: Float32, water: Bool, random: np.random.Generator) -> Float32:
    """Shift the scene by up to 1.5 dB, and at times the lake alone by -6 to +2 dB (calm or windy)."""
    shift_db = np.full(power.shape, random.uniform(-1.5, 1.5), np.float32)
    if random.random() < 0.33:
        shift_db += random.uniform(-6, 2) * ndimage.uniform_filter(water.astype(np.float32), 3)
    return (power * 10 ** (shift_db / 10)).astype(np.float32)


def change_speckle(power: Float32, random: np.random.Generator) -> Float32:
    """Multiply by gamma noise of 6 to 60 looks; half of the time smooth it as a despeckling filter would."""
    looks = float(np.exp(random.uniform(np.log(6), np.log(60))))
    noise: NDArray[np.float64] = random.gamma(looks, 1 / looks, power.shape)
    if random.random() < 0.5:
        noise = ndimage.uniform_filter(noise, 3)
    return (power * noise).astype(np.float32)


def place(power: Float32, water: Bool, random: np.random.Generator, *, size_px: int) -> tuple[Float32, Bool]:
    """Cut a random window, or put a smaller scene anywhere on a square without data."""
    canvas = np.full((size_px, size_px), np.nan, np.float32)
    lake = np.zeros((size_px, size_px), bool)
    source, target = [], []
    for length in power.shape:
        slack, extent = length - size_px, min(length, size_px)
        start = int(random.integers(abs(slack) + 1))
        source.append(slice(start, start + extent) if slack > 0 else slice(0, extent))
        target.append(slice(0, extent) if slack > 0 else slice(start, start + extent))
    canvas[tuple(target)] = power[tuple(source)]
    lake[tuple(target)] = water[tuple(source)]
    return canvas, lake
