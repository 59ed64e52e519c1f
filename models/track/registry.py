"""Outlines of the registry in the frames of the chips: what is known of a lake that has no label.

They come from an inventory and none of them was fitted to a label. They tell a network which of the dark
patches of an image is the lake that is asked for, and roughly how large it is; not where its shore is today.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy import ndimage

from glaciolake.catalog.lake import Lake
from glaciolake.catalog.lakes import load_lakes
from glaciolake.models.data import PAIR_SIDE_PX, Bool, Float32
from glaciolake.models.placing import drawn, grid_of

SHIFT_PX, TURN_RAD, LOG_SIZE, LOG_STRETCH = 2.5, 0.2, 0.12, 0.08
"""One sigma of how an outline is moved in training: inventories are some pixels and percent off."""

TRIES, LEAST_LEFT, APART_PX = 8, 0.7, 2
"""Places tried for an outline where no lake is, share of it that stays in the frame, and distance kept."""


def registry_frames(chips: Path, lakes: Mapping[str, Lake] | None = None) -> dict[str, Bool]:
    """Draw, for every lake of a folder of chips, the outline that the registry has of it.

    Parameters
    ----------
    chips
        Folder with a folder a lake of HyP3 RTC chips: they say where the pixels lie.
    lakes
        The registry; None reads the one shipped with the package.

    Returns
    -------
    dict[str, Bool]
        Folder name to frame (256, 256), True inside: of the outlines that touch the chip, the one nearest to
        its centre. A lake that the registry does not know is left out.
    """
    outlines = [lake.outline for lake in (load_lakes() if lakes is None else lakes).values()]
    found = {}
    for folder in sorted(path for path in chips.iterdir() if path.is_dir()):
        path = next(iter(sorted(folder.glob("*_VV.tif"))), None)
        grid = None if path is None else grid_of(path)
        if grid is not None and grid.crs is not None and (frames := drawn(outlines, grid)):
            found[folder.name] = min(frames, key=_off_centre)
    return found


def moved(frame: Float32, random: np.random.Generator) -> Float32:
    """Shift, turn, scale and stretch an outline (y, x), 0..1 (1), as if another inventory had drawn it."""
    size, turn = math.exp(random.normal(0, LOG_SIZE)), random.normal(0, TURN_RAD)
    stretch, shift = math.exp(random.normal(0, LOG_STRETCH)), random.normal(0, SHIFT_PX, 2)
    if not frame.any():
        return frame
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    inverse = np.linalg.inv(rotation @ np.diag([size * stretch, size / stretch]))
    centre = np.array(ndimage.center_of_mass(frame))
    offset = centre - inverse @ (centre + shift)
    return np.clip(ndimage.affine_transform(frame, inverse, offset, order=1), 0, 1).astype(np.float32)


def elsewhere(frame: Float32, water: Bool, random: np.random.Generator) -> Float32 | None:
    """Put an outline (y, x), 0..1 (1), where the label (y, x) has no lake; None where there is no room."""
    far = ~ndimage.binary_dilation(water, iterations=APART_PX)
    for _ in range(TRIES):
        offset = [int(random.integers(-length // 2, length // 2 + 1)) for length in frame.shape]
        there = np.asarray(ndimage.shift(frame, offset, order=0), np.float32)
        if there.sum() > LEAST_LEFT * frame.sum() and far[there >= 0.5].all():
            return there
    return None


def _off_centre(frame: Bool) -> float:
    """Distance of an outline from the centre of its frame, px."""
    rows, columns = np.nonzero(frame)
    half = (PAIR_SIDE_PX - 1) / 2
    return math.hypot(float(rows.mean()) - half, float(columns.mean()) - half)
