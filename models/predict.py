"""Probability of water, from images as the network's specification describes them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from glaciolake.models.batches import in_batches, padded_px
from glaciolake.models.engines import Network, batch_px, load
from glaciolake.models.errors import ModelError
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.models.weights import read_spec

Float32 = NDArray[np.float32]

_LOADING = threading.Lock()


def water_probability(images: Float32, ref: ModelRef) -> Float32:
    """Probability that a pixel is lake.

    Parameters
    ----------
    images
        (n, channel, y, x), 0..1 (1), float32, channels as the bands of the specification; NaN is no data.
    ref
        The network; it is loaded once a process.

    Returns
    -------
    Float32
        (n, y, x), 0..1 (1), float32; NaN where no band has data.
    """
    if images.ndim != 4:
        raise ModelError(f"images of shape {images.shape} are no (n, channel, y, x)")
    water = np.empty((len(images), *images.shape[2:]), np.float32)
    for row, found in zip(water, water_probabilities(list(images), ref), strict=True):
        row[:] = found
    return water


def water_probabilities(images: Sequence[Float32], ref: ModelRef) -> list[Float32]:
    """Probability that a pixel is lake, for images of any sizes; those of one size go together.

    Parameters
    ----------
    images
        (channel, y, x) each, 0..1 (1), float32, channels as the bands of the specification; NaN is no data.
    ref
        The network; it is loaded once a process.

    Returns
    -------
    list[Float32]
        (y, x) each, 0..1 (1), float32; NaN where no band has data.

    Raises
    ------
    ModelError
        A network of records, or channels that are not its bands.
    """
    spec = read_spec(ref)
    if spec.record:
        raise ModelError(
            f"network {spec.name!r} looks at the record of a lake and track, not at single images; use it "
            "with 'glaciolake evaluate --pairs', and take a network of single images here"
        )
    wrong = [one.shape for one in images if one.ndim != 3 or len(one) != len(spec.bands)]
    if wrong:
        raise ModelError(
            f"images of shape {wrong[0]} do not fit network {spec.name!r}; "
            f"give ({len(spec.bands)}, y, x), the bands {spec.bands}"
        )
    found = [np.full(one.shape[1:], np.nan, np.float32) for one in images]
    held = [np.isfinite(one).any(axis=0) for one in images]
    seen = [number for number, where in enumerate(held) if where.any()]
    if not seen:
        return found
    answers = in_batches(
        [_filled(images[number], spec) for number in seen],
        network_of(ref),
        stride_px=spec.stride_px,
        padding=np.zeros(len(spec.bands) + int(spec.validity_channel), np.float32),
        batch_px=batch_px(ref),
    )
    for number, answer in zip(seen, answers, strict=True):
        np.copyto(found[number], answer, where=held[number])
    return found


def network_input(images: Float32, spec: ModelSpec) -> Float32:
    """Make what the bare network is fed: no NaN, the validity channel, sides padded to the stride.

    Parameters
    ----------
    images
        (n, channel, y, x), 0..1 (1), float32; NaN is no data.
    spec
        Says whether there is a validity channel, and the stride.

    Returns
    -------
    Float32
        (n, channel [+ 1], y, x), 0..1 (1), float32, no NaN; padding below and to the right is 0.
    """
    n, _, height, width = images.shape
    filled = [_filled(image, spec) for image in images]
    sides = (padded_px(side, spec.stride_px) for side in (height, width))
    padded = np.zeros((n, len(spec.bands) + int(spec.validity_channel), *sides), np.float32)
    for row, image in zip(padded, filled, strict=True):
        row[:, :height, :width] = image
    return padded


def _filled(image: Float32, spec: ModelSpec) -> Float32:
    """Put 0 where (channel, y, x) has NaN, and say so in a further channel where the network wants one."""
    finite = np.isfinite(image)
    filled = np.where(finite, image, np.float32(0))
    if not spec.validity_channel:
        return filled
    return np.concatenate([filled, finite.all(axis=0, keepdims=True).astype(np.float32)])


def network_of(ref: ModelRef) -> Network:
    """Network of a reference, loaded once a process however many threads ask for it."""
    with _LOADING:
        return _load_once(ref)


@lru_cache(maxsize=4)
def _load_once(ref: ModelRef) -> Network:
    return load(ref)
