"""Segment: images to the probability of water, slice by slice."""

from __future__ import annotations

import numpy as np
import xarray as xr

from glaciolake.models.predict import water_probability
from glaciolake.models.spec import ModelRef


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
        water_probability,
        images,
        kwargs={"ref": ref},
        input_core_dims=[["channel", "y", "x"]],
        output_core_dims=[["y", "x"]],
        dask="parallelized",
        output_dtypes=[np.float32],
    )
    return found.rename("water_probability").assign_attrs(units="1", long_name="probability of water")
