"""Replies of archives, cut from recorded ones in ``data/`` and given other granules' names."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shapely.geometry import Polygon, box, mapping

from glaciolake.catalog.items import Lattice

DATA = Path(__file__).parent / "data"
BURST = "T121-258662-IW2"
GRID = Lattice("EPSG:32645", (30.0, 0.0, 418350.0, 0.0, -30.0, 3106440.0), (1600, 3100))
FOOTPRINT = box(86.2, 27.7, 87.0, 28.0)
"""Around Tsho Rolpa; not the burst's own, which is not needed."""


def granule(start: str, created: str = "20240101T000000Z", burst: str = BURST, sensor: str = "S1A") -> str:
    """Name of an OPERA granule."""
    return f"OPERA_L2_RTC-S1_{burst}_{start}_{created}_{sensor}_30_v1.0"


def stac_item(name: str, footprint: Polygon = FOOTPRINT) -> dict[str, Any]:
    """Item as bare as CMR-STAC gives it."""
    item: dict[str, Any] = _renamed("cmr_stac_item.json", name)
    start = name.split("_")[4]
    time = f"{start[:4]}-{start[4:6]}-{start[6:8]}T{start[9:11]}:{start[11:13]}:{start[13:15]}.000Z"
    item["properties"] |= {"datetime": time, "start_datetime": time, "end_datetime": time}
    return item | {"geometry": mapping(footprint), "bbox": list(footprint.bounds)}


def umm_granule(name: str, footprint: Polygon = FOOTPRINT) -> dict[str, Any]:
    """Granule as CMR's own search gives it."""
    found: dict[str, Any] = _renamed("cmr_umm_granule.json", name)
    start, burst = name.split("_")[4], name.split("_")[3].replace("-", "_")
    time = f"{start[:4]}-{start[4:6]}-{start[6:8]}T{start[9:11]}:{start[11:13]}:{start[13:15]}Z"
    points = [{"Longitude": x, "Latitude": y} for x, y in footprint.exterior.coords]
    umm = found["umm"]
    umm["TemporalExtent"] = {"RangeDateTime": {"BeginningDateTime": time, "EndingDateTime": time}}
    umm["SpatialExtent"]["HorizontalSpatialDomain"]["Geometry"]["GPolygons"] = [
        {"Boundary": {"Points": points}}
    ]
    told = {"OPERA_BURST_ID": burst, "PATH_NUMBER": str(int(burst[1:4])), "SUBSWATH_NAME": burst[-3:]}
    for attribute in umm["AdditionalAttributes"]:
        if attribute["Name"] in told:
            attribute["Values"] = [told[attribute["Name"]]]
    return found


def _renamed(file: str, name: str) -> Any:
    text = (DATA / file).read_text(encoding="utf-8")
    content = json.loads(text)
    recorded = content.get("id") or content["umm"]["GranuleUR"]
    return json.loads(text.replace(recorded, name))


def seed_grids(folder: Path, bursts: Iterable[str] = (BURST,)) -> Path:
    """Cache of burst grids as an earlier search left it."""
    known = {burst: {"crs": GRID.crs, "transform": GRID.transform, "shape": GRID.shape} for burst in bursts}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "burst_grids.json").write_text(json.dumps({"format": 1, "bursts": known}))
    return folder
