"""Segment: images to the probability of water, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from glaciolake.catalog.store_header import SeriesHeader
from glaciolake.models.predict import water_probabilities
from glaciolake.models.spec import ModelRef
from glaciolake.models.track.reference import Reference, probabilities_beside
from glaciolake.pipeline.outline import outline_mask
from glaciolake.pipeline.patches import Window, blend, windows
from glaciolake.pipeline.recipe import Recipe, grid_of

Float32 = NDArray[np.float32]

WINDOW_PX = 640
"""Largest side that is given to the network at once: a lake with its surroundings at 20 m fits whole."""
OVERLAP_PX = 96
"""More than the network's deepest stride of 32 px on either side of a seam."""


def segment(images: xr.DataArray, ref: ModelRef) -> xr.DataArray:
    """Map the network over the slices.

    Parameters
    ----------
    images
        (time, channel, y, x), 0 to 1 (1), float32; NaN is no data. Chunks hold whole slices.
    ref
        The network: address and digest; each worker process loads it once.

    Returns
    -------
    xr.DataArray
        ``water_probability`` (time, y, x), 0 to 1 (1), float32; NaN where no band has data.
    """
    found: xr.DataArray = xr.apply_ufunc(
        segment_slices,
        images,
        kwargs={"ref": ref},
        input_core_dims=[["channel", "y", "x"]],
        output_core_dims=[["y", "x"]],
        dask="parallelized",
        output_dtypes=[np.float32],
    )
    return found.rename("water_probability").assign_attrs(units="1", long_name="probability of water")


def segment_series(
    images: xr.DataArray, starts: Sequence[datetime], recipe: Recipe, header: SeriesHeader
) -> xr.DataArray:
    """Map the network of a series over loaded slices, beside the series' record where it wants one.

    Parameters
    ----------
    images
        (time, channel, y, x), 0 to 1 (1), float32, NaN is no data.
    starts
        When each slice was sensed, UTC.
    recipe
        Network and outline.
    header
        Grid and record.

    Returns
    -------
    xr.DataArray
        As of `segment`.
    """
    if not recipe.spec.record:
        return segment(images, recipe.ref)
    told = Reference.of(header.record), outline_mask(recipe.lake.outline, grid_of(header))
    water = probabilities_beside(images.values[:, 0], starts, told, abs(header.transform[0]), recipe.ref)
    found = images.isel(channel=0, drop=True).copy(data=water)
    return found.rename("water_probability").assign_attrs(units="1", long_name="probability of water")


def segment_slices(images: Float32, *, ref: ModelRef) -> Float32:
    """Run the network over bare slices, in windows where they are large.

    Parameters
    ----------
    images
        (n, channel, y, x), 0 to 1 (1), float32; NaN is no data.
    ref
        The network.

    Returns
    -------
    numpy.ndarray
        (n, y, x), 0 to 1 (1), float32; NaN where no band has data.
    """
    height_px, width_px = images.shape[-2:]
    if max(height_px, width_px) <= WINDOW_PX:
        return np.stack(_where_seen(list(images), ref)) if len(images) else images[:, 0]
    cut = windows(height_px, width_px, size_px=WINDOW_PX, overlap_px=OVERLAP_PX)
    water = np.empty((len(images), height_px, width_px), np.float32)
    for index, image in enumerate(images):
        parts = [image[(slice(None), *window.slices)] for window in cut]
        answers = zip(cut, _where_seen(parts, ref), strict=True)
        water[index] = blend(answers, (height_px, width_px))
    return water


def _where_seen(images: Sequence[Float32], ref: ModelRef) -> list[Float32]:
    """Give the network the box of each image that holds data, and nothing to an image without.

    An island of data in a sea of nothing is not what it learned on: of ocean crops in a wide mosaic it called
    less than a hundredth water, of the same crops by themselves four fifths.
    """
    water = [np.full(image.shape[1:], np.nan, np.float32) for image in images]
    held: list[NDArray[np.bool_]] = [np.asarray(np.isfinite(image).any(axis=0)) for image in images]
    boxes = {number: _box(seen) for number, seen in enumerate(held) if seen.any()}
    parts = [images[number][(slice(None), *box.slices)] for number, box in boxes.items()]
    for (number, box), answer in zip(boxes.items(), water_probabilities(parts, ref), strict=True):
        water[number][box.slices] = answer
    return water


def _box(seen: NDArray[np.bool_]) -> Window:
    """Smallest window around the true pixels of (y, x)."""
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    return Window(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
