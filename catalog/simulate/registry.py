"""The lakes of an archive as a registry that `glaciolake run --registry` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import shapely

from glaciolake.catalog.simulate.shore import FineShore, Stand
from glaciolake.catalog.simulate.terrain import Ground


def write_registry(path: Path, lakes: Iterable[dict[str, Any]]) -> None:
    """Write lakes made by `lake_feature` as one GeoJSON collection."""
    lines = ",\n".join(json.dumps(one) for one in lakes)
    path.write_text(f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n', encoding="utf-8")


def lake_feature(ground: Ground, fine: FineShore) -> dict[str, Any]:
    """One lake as the registry lists it: the shore of its mean level, and what images it."""
    basin, site = fine.shore.basin, ground.site
    outline = ground.in_degrees(fine.outline(Stand(0.0, 0.0)))
    return {
        "type": "Feature",
        "properties": {
            "id": basin.id,
            "name": site.name if basin is site.basins[0] else basin.id.replace("-", " ").title(),
            "elevation_m": basin.level_m,
            "area_km2": round(basin.area_m2 / 1e6, 4),
            "area_source": "the simulated archive's truth at the mean level",
            "outline_source": "the simulated archive's truth at the mean level",
            "tracks": list(site.tracks),
        },
        "geometry": json.loads(shapely.to_geojson(shapely.set_precision(outline, 1e-6))),
    }
