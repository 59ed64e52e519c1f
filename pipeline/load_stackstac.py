"""The cube read by stackstac (optional extra ``stackstac``): the third opinion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from glaciolake.catalog.granule import Band
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.load_odc import bare_items
from glaciolake.pipeline.passes import Pass


def read_stackstac(passes: Sequence[Pass], grid: GeoBox, band: Band, slices_per_chunk: int) -> da.Array:
    """Lay out the lazy reading of one band through stackstac; same contract as `read_native`.

    It ignores ``proj:code``, so reference system, spacing and bounds are given every time, and it knows no
    passes, so each is mosaicked here.

    Parameters
    ----------
    passes
        One slice each.
    grid
        The cube's grid.
    band
        Power or ``mask``.
    slices_per_chunk
        At least 1.

    Returns
    -------
    dask.array.Array
        (time, y, x), chunks of whole slices. Power: linear (1), float32, NaN is no data. Mask: uint8, 255 is
        no data.
    """
    try:
        import stackstac
    except ImportError:
        raise PipelineError(
            "backend 'stackstac' is not installed; pip install 'glaciolake[stackstac]'"
        ) from None
    fill = np.uint8(255) if band == "mask" else np.float32("nan")
    box = grid.boundingbox
    epsg = grid.crs.epsg if grid.crs else None
    stack = stackstac.stack(
        [_with_epsg(item.to_dict(transform_hrefs=False), epsg) for item in bare_items(passes)],
        assets=[band],
        epsg=epsg,
        resolution=(grid.affine.a, -grid.affine.e),
        bounds=(box.left, box.bottom, box.right, box.top),
        snap_bounds=False,
        sortby_date=False,
        rescale=False,
        dtype=fill.dtype,
        fill_value=fill,
        chunksize=(1, 1, *grid.shape),
    )
    index = {name: number for number, name in enumerate(stack["id"].values.tolist())}
    bare = xr.DataArray(stack.data, dims=stack.dims)  # its many labels would be sliced with every pass
    slices = []
    for one in passes:
        # It drops what lies outside the grid or lacks the band; what it keeps of a pass lies together.
        kept = [index[granule.name] for granule in one.granules if granule.name in index]
        if kept:
            part = bare[kept[0] : kept[-1] + 1, 0]
            slices.append(stackstac.mosaic(part, axis=0, reverse=True, nodata=fill).data)
        else:
            slices.append(da.full(tuple(grid.shape), fill, dtype=fill.dtype, chunks=-1))
    cube: da.Array = da.stack(slices).rechunk({0: slices_per_chunk})
    return cube


def _with_epsg(item: dict[str, Any], epsg: int | None) -> dict[str, Any]:
    """Add the one field of the projection it knows; granules on the lattice have the grid's system."""
    item["properties"]["proj:epsg"] = epsg
    return item
