"""Track and direction: from burst numbers, and from place and time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import rasterio
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st
from pyproj import Geod
from rasterio.warp import transform_bounds

from glaciolake.catalog.errors import CatalogError, UnknownName
from glaciolake.catalog.names import parse_name
from glaciolake.catalog.orbits import BURST_S, ORBIT_S, Orbit, burst_orbit, burst_place, scene_orbit

TSHO_ROLPA = (86.476, 27.861)
TILICHO = (83.853, 28.692)
PHASES = {3: (121, "descending"), 8: (19, "descending"), 1: (92, "descending")} | {
    7: (12, "ascending"),
    0: (85, "ascending"),
    5: (158, "ascending"),
}
"""Days since 2020-01-01 modulo 12 on which S1A flies the tracks of the five lakes."""


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("burst", "state"),
    [
        ("T012-023790-IW1", "ascending"),
        ("T085-180586-IW3", "ascending"),
        ("T158-337390-IW3", "ascending"),
        ("T121-258662-IW2", "descending"),
        ("T019-039568-IW3", "descending"),
        ("t092_196366_iw1", "descending"),
        ("T131-279916-IW1", "descending"),  # as the recorded search reply of this burst says
        ("T035-073251-IW2", "ascending"),  # as the tags of a real file say
    ],
)
def test_burst_number_tells_the_direction(burst: str, state: str) -> None:
    assert burst_orbit(burst) == Orbit(int(burst[1:4]), state)  # type: ignore[arg-type]


def test_what_is_no_burst_has_no_orbit() -> None:
    with pytest.raises(UnknownName, match="no burst id"):
        burst_orbit("T999-000001-IW1")


@pytest.mark.parametrize(
    ("time", "place", "orbit"),
    [
        ("2015-07-21T12:13:36", TSHO_ROLPA, Orbit(12, "ascending")),
        ("2015-07-26T12:21:48", TSHO_ROLPA, Orbit(85, "ascending")),
        ("2025-09-22T00:11:25", TSHO_ROLPA, Orbit(121, "descending")),
        ("2021-03-28T00:19:23", TILICHO, Orbit(19, "descending")),
    ],
)
def test_s1a_over_the_lakes_comes_out_on_its_known_tracks(
    time: str, place: tuple[float, float], orbit: Orbit
) -> None:
    assert scene_orbit(utc(time), *place) == orbit


def test_other_satellites_come_out_on_the_track_that_the_archive_states() -> None:
    # ASF's reply for S1D_IW_SLC__1SDV_20260824T001843: path 19, descending, centre 28.4271 N 84.6486 E.
    assert scene_orbit(utc("2026-08-24T00:18:43"), 84.6486, 28.4271) == Orbit(19, "descending")
    # S1B_IW_RAW__0SDV_20210810T044826, absolute orbit 28179, whose track is (28179 - 27) mod 175 + 1 = 153.
    assert scene_orbit(utc("2021-08-10T04:48:26"), 18.2, 35.0) == Orbit(153, "descending")


def test_track_repeats_after_twelve_days_and_after_no_fewer() -> None:
    start = utc("2020-01-08T12:14:00")  # day 7 of the cycle
    assert scene_orbit(start, *TSHO_ROLPA).relative_orbit == 12
    assert scene_orbit(start + timedelta(days=12 * 150), *TSHO_ROLPA).relative_orbit == 12
    # Another Sentinel-1 flies the same track on any other day: the day alone says nothing, place and time do.
    assert scene_orbit(start + timedelta(days=5), *TSHO_ROLPA).relative_orbit == 12


@given(
    number=st.integers(1, 375_887),
    swath=st.integers(1, 3),
    phase_days=st.integers(0, 11),
    cycle=st.integers(-170, 200),
    early_s=st.floats(0, 80),
)
def test_burst_number_place_and_time_agree_for_every_satellite_of_the_family(
    number: int, swath: int, phase_days: int, cycle: int, early_s: float
) -> None:
    since_cycle_s = (number - 1) * BURST_S
    since_node_s = since_cycle_s % ORBIT_S
    # A second from the node or from the turning points, track and direction are a matter of definition.
    assume(min(abs(since_node_s - quarter * ORBIT_S / 4) for quarter in range(5)) > 30)
    burst = f"T{int(since_cycle_s // ORBIT_S) + 1:03d}-{number:06d}-IW{swath}"
    day = timedelta(days=12 * cycle + phase_days)
    start = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=583250 + since_cycle_s - early_s) + day
    assert scene_orbit(start, *burst_place(burst)) == burst_orbit(burst)


@pytest.mark.parametrize(
    ("burst", "longitude_deg", "latitude_deg"),
    [("T012-023790-IW1", 86.56, 27.80), ("T121-258662-IW2", 86.48, 27.86), ("T019-039569-IW3", 83.85, 28.69)],
)
def test_burst_lies_where_the_lake_is_that_it_shows(
    burst: str, longitude_deg: float, latitude_deg: float
) -> None:
    east_deg, north_deg = burst_place(burst)
    assert abs(east_deg - longitude_deg) < 0.6 and abs(north_deg - latitude_deg) < 0.3


def test_every_recorded_burst_lies_within_55_km_of_where_its_number_puts_it(shared_data: Path) -> None:
    table = pd.read_parquet(sorted((shared_data / "api" / "opera_granule_tables").glob("*.parquet"))[0])
    table = table.drop_duplicates("jpl_burst_id")
    assert len(table) > 10
    for burst, outline in zip(
        table["jpl_burst_id"], shapely.from_wkb(table["geometry"].to_numpy()), strict=True
    ):
        centre = outline.centroid
        assert Geod(ellps="WGS84").inv(*burst_place(burst), centre.x, centre.y)[2] < 55_000


@pytest.mark.parametrize("hours", [1, 3, 6, 9])
def test_time_at_which_no_satellite_sees_the_place_is_refused(hours: int) -> None:
    with pytest.raises(
        CatalogError, match=r"no Sentinel-1 track shows 27\.861 N 86\.476 E at 2015-07-21T.*give rel"
    ):
        scene_orbit(utc("2015-07-21T12:13:36") + timedelta(hours=hours), *TSHO_ROLPA)


def test_every_recorded_burst_is_found_from_its_time_and_outline(shared_data: Path) -> None:
    tables = sorted((shared_data / "api" / "opera_granule_tables").glob("*.parquet"))
    table = pd.concat([pd.read_parquet(path) for path in tables]).drop_duplicates("opera_id")[::7]
    assert len(table) > 1000
    for row, outline in zip(table.itertuples(), shapely.from_wkb(table["geometry"].to_numpy()), strict=True):
        part = outline.geoms[0] if outline.geom_type == "MultiPolygon" else outline
        orbit = scene_orbit(pd.Timestamp(str(row.acq_dt)).to_pydatetime(), part.centroid.x, part.centroid.y)
        assert orbit == burst_orbit(str(row.jpl_burst_id))
        assert orbit.relative_orbit == row.track_number


def test_every_real_hyp3_scene_comes_out_on_the_track_of_its_day(shared_data: Path) -> None:
    tracks: Counter[Orbit] = Counter()
    for path in sorted(shared_data.glob("himalaya_hyp3_rtc20/*/*.tif")):
        start = parse_name(path.name).sensing_start
        with rasterio.open(path) as file:
            west, south, east, north = transform_bounds(file.crs, "OGC:CRS84", *file.bounds)
        orbit = scene_orbit(start, (west + east) / 2, (south + north) / 2)
        assert orbit == PHASES[(start.date() - date(2020, 1, 1)).days % 12]
        tracks[orbit] += 1
    assert sum(tracks.values()) == 299
    assert {orbit.relative_orbit for orbit in tracks} == {121, 19, 92, 12, 85, 158}
