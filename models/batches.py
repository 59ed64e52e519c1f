"""Images of any sizes through a network: those of one padded size together.

Lakes are small and of many sizes. On one canvas of 256 x 256 px a network looks at padding for two thirds of
its time, and a small image by itself takes two to three times as long a pixel as sixteen of its size at once
(`benchmarks/RESULTS-inference.md`). So every image is padded to the network's stride and no further, and goes
with others of that size. Several lakes on one canvas would be no quicker, and would tell of each other: the
shipped U-Net weighs its channels by means over the whole canvas.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

BATCH_PX = 8 * 256 * 256
"""Of one call on a CPU: 0.3 GB of activations (measured); more at once is hardly faster."""


def in_batches(
    images: Sequence[Float32],
    network: Callable[[Float32], Float32],
    *,
    stride_px: int,
    padding: Float32,
    batch_px: int = BATCH_PX,
) -> list[Float32]:
    """Answer images, each padded below and to the right to multiples of the stride.

    Parameters
    ----------
    images
        (channel, y, x) each, sizes may differ, channels may not; float32 without NaN.
    network
        (n, channel, y, x) to (n, y, x).
    stride_px
        Sides that the network is given are multiples of this.
    padding
        (channel,), what is put where an image ends.
    batch_px
        Most pixels of a call, unless a single image has more.

    Returns
    -------
    list[Float32]
        (y, x) each, in the order given; what lies beyond an image is cut off.
    """
    of_size: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, image in enumerate(images):
        of_size[padded_px(image.shape[1], stride_px), padded_px(image.shape[2], stride_px)].append(number)
    answers: list[Float32] = [np.empty(image.shape[1:], np.float32) for image in images]
    for (height, width), numbers in of_size.items():
        if not height * width:
            continue
        most = max(1, batch_px // (height * width))
        for part in np.array_split(numbers, -(-len(numbers) // most)):
            batch = np.empty((len(part), len(padding), height, width), np.float32)
            batch[:] = padding[:, None, None]
            for row, number in zip(batch, part, strict=True):
                image = images[number]
                row[:, : image.shape[1], : image.shape[2]] = image
            for answer, number in zip(network(batch), part, strict=True):
                answers[number][:] = answer[tuple(slice(side) for side in answers[number].shape)]
    return answers


def padded_px(length_px: int, stride_px: int) -> int:
    """Smallest multiple of the stride that holds a length."""
    return -(-length_px // stride_px) * stride_px
