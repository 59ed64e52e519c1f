"""Probability of water, from images as the network's specification describes them."""

from __future__ import annotations

import threading
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from glaciolake.models.engines import Network, load
from glaciolake.models.errors import ModelError
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.models.weights import read_spec

Float32 = NDArray[np.float32]

BATCH_PX = 8 * 256 * 256  # 0.3 GB of activations on the CPU (measured); more at once is hardly faster
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
    spec = read_spec(ref)
    if spec.record:
        raise ModelError(
            f"network {spec.name!r} looks at the record of a lake and track, not at single images; use it "
            "with 'glaciolake evaluate --pairs', and take a network of single images here"
        )
    if images.ndim != 4 or images.shape[1] != len(spec.bands):
        raise ModelError(
            f"images of shape {images.shape} do not fit network {spec.name!r}; "
            f"give (n, {len(spec.bands)}, y, x), the bands {spec.bands}"
        )
    n, _, height, width = images.shape
    water = np.full((n, height, width), np.nan, np.float32)
    if not water.size:
        return water
    padded_px = _padded(height, spec) * _padded(width, spec)
    n_batches = -(-n // max(1, BATCH_PX // padded_px))
    network = network_of(ref)
    for indices in np.array_split(np.arange(n), n_batches):
        batch = images[indices[0] : indices[-1] + 1]
        seen = np.isfinite(batch).any(axis=1)
        if seen.any():
            found = network(network_input(batch, spec))[:, :height, :width]
            water[indices[0] : indices[-1] + 1] = np.where(seen, found, np.float32(np.nan))
    return water


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
    n, bands, height, width = images.shape
    shape = (n, bands + int(spec.validity_channel), _padded(height, spec), _padded(width, spec))
    padded = np.zeros(shape, np.float32)
    finite = np.isfinite(images)
    padded[:, :bands, :height, :width] = np.where(finite, images, np.float32(0))
    if spec.validity_channel:
        padded[:, bands, :height, :width] = finite.all(axis=1)
    return padded


def network_of(ref: ModelRef) -> Network:
    """Network of a reference, loaded once a process however many threads ask for it."""
    with _LOADING:
        return _load_once(ref)


@lru_cache(maxsize=4)
def _load_once(ref: ModelRef) -> Network:
    return load(ref)


def _padded(length_px: int, spec: ModelSpec) -> int:
    return -(-length_px // spec.stride_px) * spec.stride_px
