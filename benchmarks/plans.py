"""Plans of any length for benchmarks: made-up passes of made-up lakes, planned by the planner itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shapely.affinity import translate

from glaciolake.catalog.granule import Granule
from glaciolake.catalog.lake import Lake
from glaciolake.catalog.lakes import load_lakes
from glaciolake.catalog.store_header import SeriesHeader
from glaciolake.models.weights import read_spec, resolve
from glaciolake.pipeline.config import RunConfig
from glaciolake.pipeline.passes import group_passes
from glaciolake.pipeline.pending import Held, sort_passes
from glaciolake.pipeline.plan import Plan, SeriesPlan
from glaciolake.pipeline.recipe import Recipe

FIRST = datetime(2016, 5, 3, 0, 11, 30, tzinfo=UTC)
PASSES = 609
"""Of one track in ten years with two satellites, each every 12 days."""
HOST = "https://cumulus.asf.earthdatacloud.nasa.gov/OPERA/OPERA_L2_RTC-S1"
LATTICE = ("EPSG:32645", (30.0, 0.0, 430_020.0, 0.0, -30.0, 3_102_000.0), (1200, 1500))


def granules(track: int, n: int) -> Iterator[Granule]:
    """Granules of one burst, 6 days apart, S1A and S1C in turn, with the addresses that the archive gives."""
    crs, transform, shape = LATTICE
    for index in range(n):
        start, sensor = FIRST + timedelta(days=6 * index), ("S1A", "S1C")[index % 2]
        burst = f"T{track:03d}-258662-IW2"
        name = f"OPERA_L2_RTC-S1_{burst}_{start:%Y%m%dT%H%M%SZ}_{start:%Y%m%d}T093000Z_{sensor}_30_v1.0"
        hrefs = tuple((band, f"{HOST}/{name}/{name}_{band}.tif") for band in ("mask", "vh", "vv"))
        made = start + timedelta(hours=9)
        yield Granule(
            start, name, sensor, track, "descending", burst, made, "v1.0", False, crs, transform, shape, hrefs
        )


def made_up_lakes(n: int) -> list[Lake]:
    """Lakes of the registry again and again, each under a name and at a place of its own."""
    known = list(load_lakes().values())
    return [
        replace(
            known[index % len(known)],
            id=f"lake-{index:05d}",
            aoi=translate(known[index % len(known)].aoi, index * 1e-4),
        )
        for index in range(n)
    ]


def made_up_plan(n_slices: int, tracks: tuple[int, ...] = (12, 85, 121)) -> Plan:
    """Plan so many slices, nothing of which is stored."""
    ref = resolve("lake-unet-b3-db-1")
    spec, config = read_spec(ref), RunConfig(source="asf", store=str(Path("nowhere")))
    plan = Plan()
    n_lakes = -(-n_slices // (PASSES * len(tracks)))
    left = n_slices
    for lake in made_up_lakes(n_lakes):
        recipe = Recipe(config, ref, spec, lake)
        for track in tracks:
            passes = group_passes(list(granules(track, min(PASSES, left))), lake.longitude_deg)
            left -= len(passes)
            if not passes:
                return plan
            crs, transform, _ = LATTICE
            header = SeriesHeader(
                lake=lake.id,
                lake_name=lake.name,
                track=f"T{track:03d}",
                orbit_state="descending",
                crs=crs,
                transform=transform,
                shape=(169, 175),
                model_name=spec.name,
                model_sha256=ref.sha256,
                settings=config.processing,
                settings_digest="made-up",
            )
            done = sort_passes(passes, header, Held({}, {}, {}), {})
            plan.series.append(SeriesPlan(header, recipe, tuple(done.pending), 0))
    return plan
