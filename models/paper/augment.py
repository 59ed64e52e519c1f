"""The paper's variations of a pair: mirrored, turned, bent and with noise, the same in every epoch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

UInt8 = NDArray[np.uint8]

BEND_PX = 3.0
"""Root mean square displacement, pixels."""
BEND_SCALE_PX = 16.0
"""Over which displacements are alike, pixels: lengths change by a fifth (root mean square)."""
NOISE_LEVELS = 8.0
"""Standard deviation of the noise, grey levels of 255."""


class Picture(NamedTuple):
    """A labelled picture.

    Attributes
    ----------
    grey
        (y, x), 0..255 (1), uint8; 0 is no data.
    water
        (y, x), 1 where lake, uint8.
    """

    grey: UInt8
    water: UInt8


class Copies:
    """Copies of pictures, made when first asked for and kept: 0.13 MB each.

    Parameters
    ----------
    pictures
        Of one size.
    copies
        Of each; the first is the picture itself.
    seed
        Copy `i` is the same whatever was asked for before.
    """

    def __init__(self, pictures: list[Picture], copies: int, seed: int) -> None:
        self.pictures, self.copies, self.seed = pictures, copies, seed
        self.made: dict[int, Picture] = {}

    def __len__(self) -> int:
        return len(self.pictures) * self.copies

    def __getitem__(self, index: int) -> Picture:
        if index not in self.made:
            which, copy = divmod(index, self.copies)
            picture = self.pictures[which]
            random = np.random.default_rng([self.seed, index])
            self.made[index] = vary(picture, random) if copy else picture
        return self.made[index]


def vary(picture: Picture, random: np.random.Generator) -> Picture:
    """Mirror, turn by a quarter, bend and add noise, each with a chance of one half.

    Padding stays 0, as it is for the network that is to be trained; grey levels of data stay above 0.
    """
    grey, water = picture
    if random.random() < 0.5:
        grey, water = grey[:, ::-1], water[:, ::-1]
    if random.random() < 0.5:
        turns = int(random.choice((1, 3)))
        grey, water = np.rot90(grey, turns), np.rot90(water, turns)
    if random.random() < 0.5:
        grey, water = bend(Picture(grey, water), random)
    if random.random() < 0.5:
        noisy = np.rint(grey + random.normal(0, NOISE_LEVELS, grey.shape)).clip(1, 255)
        grey = np.where(grey > 0, noisy, 0).astype(np.uint8)
    return Picture(np.ascontiguousarray(grey), np.ascontiguousarray(water))


def bend(picture: Picture, random: np.random.Generator) -> Picture:
    """Move pixels by a smooth random field (elastic deformation); grey levels and label move together."""
    shape = picture.grey.shape
    shifts = [ndimage.gaussian_filter(random.normal(size=shape), BEND_SCALE_PX) for _ in range(2)]
    rows, columns = np.indices(shape, np.float32)
    at = [
        axis + BEND_PX * shift / max(float(np.sqrt(np.mean(shift**2))), 1e-12)
        for axis, shift in zip((rows, columns), shifts, strict=True)
    ]
    # Nearest neighbour for both: a mean of data and padding would be a level that nothing has.
    grey, water = (
        np.asarray(ndimage.map_coordinates(part, at, order=0, mode="constant"), np.uint8) for part in picture
    )
    return Picture(grey, water)


def stacked(pictures: list[Picture]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Grey (n, 1, y, x), 0..1 (1), and label (n, y, x), 0 or 1, float32 both, of a batch."""
    grey = np.stack([one.grey for one in pictures])[:, None].astype(np.float32) / np.float32(255)
    return grey, np.stack([one.water for one in pictures]).astype(np.float32)
