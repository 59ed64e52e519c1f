"""The cube read by odc-stac: the second opinion on our own reader."""

from __future__ import annotations

from collections.abc import Sequence

import dask.array as da
import odc.stac
import pystac
from odc.geo.geobox import GeoBox

from glaciolake.catalog.addresses import hide_secrets_in_logs
from glaciolake.catalog.granule import Band, Granule
from glaciolake.pipeline.passes import Pass


def bare_items(passes: Sequence[Pass]) -> list[pystac.Item]:
    """Rebuild STAC items from granules, with what a loader needs: place, time, addresses.

    Parameters
    ----------
    passes
        One slice each.

    Returns
    -------
    list of pystac.Item
        In the order of mosaicking; the property ``slice`` counts the passes.
    """
    return [_bare_item(granule, number) for number, one in enumerate(passes) for granule in one.granules]


def _bare_item(granule: Granule, number: int) -> pystac.Item:
    """One granule as an item. It carries no geometry: loaders go by projection, shape and transform."""
    item = pystac.Item(
        id=granule.name,
        geometry=None,
        bbox=None,
        datetime=granule.sensing_start,
        properties={
            "slice": number,
            "proj:code": granule.crs,
            "proj:shape": list(granule.shape),
            "proj:transform": list(granule.transform),
        },
        stac_extensions=["https://stac-extensions.github.io/projection/v2.0.0/schema.json"],
    )
    for band, href in granule.hrefs:
        item.add_asset(band, pystac.Asset(href, media_type=pystac.MediaType.COG, roles=["data"]))
    return item


def read_odc(passes: Sequence[Pass], grid: GeoBox, band: Band, slices_per_chunk: int) -> da.Array:
    """Lay out the lazy reading of one band through odc-stac; same contract as `read_native`.

    It trusts the catalogue: a file in another reference system is warped, not refused.

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
    hide_secrets_in_logs()
    cube = odc.stac.load(
        bare_items(passes),
        bands=[band],
        geobox=grid,
        groupby="slice",
        preserve_original_order=True,
        chunks={"time": slices_per_chunk, "y": grid.shape[0], "x": grid.shape[1]},
        dtype="uint8" if band == "mask" else "float32",
        nodata=255 if band == "mask" else float("nan"),
    )
    layers: da.Array = cube[band].data
    return layers
