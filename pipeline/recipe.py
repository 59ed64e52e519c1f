"""Recipe: how the slices of a series are made, and the header that says so in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from affine import Affine
from odc.geo.geobox import GeoBox

from glaciolake.catalog.granule import Granule, track_name
from glaciolake.catalog.lake import Lake
from glaciolake.catalog.store_header import SeriesHeader
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.pipeline.config import RunConfig, digest
from glaciolake.pipeline.grid import series_grid


@dataclass(frozen=True)
class Recipe:
    """How the slices of a lake are made: settings, network, lake; the same for all its pieces."""

    config: RunConfig
    ref: ModelRef
    spec: ModelSpec
    lake: Lake


def grid_of(header: SeriesHeader) -> GeoBox:
    """Grid of a series as a GeoBox."""
    return GeoBox(header.shape, Affine(*header.transform), header.crs)


def header_of(granules: Sequence[Granule], recipe: Recipe, stored: Sequence[SeriesHeader]) -> SeriesHeader:
    """Say what all slices of a series share.

    Parameters
    ----------
    granules
        Of one lake and track, on one lattice.
    recipe
        How they are made.
    stored
        Generations of the series, oldest first: the grid is theirs, and the record is that of the one that
        is made in the same way.
    """
    lake, spec, first = recipe.lake, recipe.spec, granules[0]
    grid = grid_of(stored[-1]) if stored else series_grid(granules, lake.aoi)
    shaping = json.loads(recipe.config.processing)
    shaping |= {"outline": digest(lake.outline.wkt), "elevation_m": str(lake.elevation_m)}
    shaping |= {"model": spec.model_dump(mode="json")}
    settings = json.dumps(shaping, sort_keys=True)
    header = SeriesHeader(
        lake=lake.id,
        lake_name=lake.name,
        track=track_name(first.relative_orbit),
        orbit_state=first.orbit_state,
        crs=str(grid.crs),
        transform=(grid.affine.a, 0.0, grid.affine.c, 0.0, grid.affine.e, grid.affine.f),
        shape=(int(grid.shape[0]), int(grid.shape[1])),
        model_name=spec.name,
        model_sha256=recipe.ref.sha256,
        settings=settings,
        simulated=any(granule.simulated for granule in granules),
        settings_digest=digest(settings, recipe.ref.sha256),
    )
    return _with_stored_record(header, stored)


def with_record(header: SeriesHeader, record: str) -> SeriesHeader:
    """Make a record a setting of a series."""
    settings = json.dumps(json.loads(header.settings) | {"record": digest(record)}, sort_keys=True)
    return replace(
        header, record=record, settings=settings, settings_digest=digest(settings, header.model_sha256)
    )


def _with_stored_record(header: SeriesHeader, stored: Sequence[SeriesHeader]) -> SeriesHeader:
    """Go on with the record of the generation that is made in the same way, where there is one."""
    known = (with_record(header, one.record) for one in stored if one.record)
    recipes = {one.recipe for one in stored}
    return next((one for one in known if one.recipe in recipes), header)
