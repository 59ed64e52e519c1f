"""What lakes do: hypsometry, events, ice, and the truth that tells of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Geod

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.simulate.archive import Archive
from glaciolake.catalog.simulate.backscatter import ice_share, rank_of_the_day
from glaciolake.catalog.simulate.climate import ice_on
from glaciolake.catalog.simulate.generated import sites_of
from glaciolake.catalog.simulate.hydrology import levels_of
from glaciolake.catalog.simulate.lake_days import lake_days
from glaciolake.catalog.simulate.order import find_site, make_order
from glaciolake.catalog.simulate.shore import FineShore, Stand, coverage, distance_m
from glaciolake.catalog.simulate.sites import EPOCH, SITES
from glaciolake.catalog.simulate.terrain import Ground
from glaciolake.catalog.simulate.truth import Day, read_truth
from glaciolake.catalog.simulate.truth_rows import SiteTask, SiteTruth, truth_of_site

Grounds = Callable[[str], Ground]


def truth_of(site: str, start: date, end: date) -> SiteTruth:
    with TemporaryDirectory() as folder:
        return truth_of_site(SiteTask(make_order([site], (start, end)), site, folder))


@pytest.mark.parametrize("name", ["tsho-rolpa", "thame", "purepu", "tilicho", "south-lhonak"])
def test_area_is_what_the_volume_grows_by_and_what_the_table_says(ground: Grounds, name: str) -> None:
    fine = FineShore(ground(name).shores[0])
    depth_m = fine.shore.basin.depth_m
    levels_m = np.linspace(-0.95 * depth_m, 2.0, 160)
    area_m2, volume_m3 = np.array([fine.measure(Stand(float(level), 0.0)) for level in levels_m]).T
    assert (np.diff(area_m2) >= 0).all() and (np.diff(volume_m3) >= 0).all() and volume_m3[-1] > 1e5
    assert fine.measure(Stand(0.0, 0.0))[0] == pytest.approx(fine.shore.basin.area_m2, rel=0.01)
    # the volume between two levels is the area integrated over them
    gained = np.concatenate([[0], np.cumsum(np.diff(levels_m) * (area_m2[1:] + area_m2[:-1]) / 2)])
    np.testing.assert_allclose(volume_m3 - volume_m3[0], gained, atol=0.01 * float(gained[-1]))


def test_a_lake_that_drains_and_fills_again_is_the_same_lake(ground: Grounds) -> None:
    fine = FineShore(ground("thame").shores[0])
    before = fine.measure(Stand(0.0, 0.0))
    assert fine.measure(Stand(-14.0, 0.0))[0] < 0.35 * before[0]
    assert fine.measure(Stand(0.0, 0.0)) == before
    assert fine.outline(Stand(-15.0, 0.0)).is_empty


def test_the_lake_grows_towards_the_glacier_only(ground: Grounds) -> None:
    place = ground("south-lhonak")
    fine = FineShore(place.shores[0])
    early, late = (fine.outline(Stand(0.0, front)) for front in (0.0, 300.0))
    assert late.area > early.area * 1.08
    assert early.difference(late).area < 0.002 * early.area
    grown, middle = late.difference(early).centroid, early.centroid
    towards = np.degrees(np.arctan2(grown.x - middle.x, middle.y - grown.y)) % 360
    assert towards == pytest.approx(place.shores[0].basin.axis_deg, abs=12)


def test_there_are_lakes_of_every_kind() -> None:
    sites = sites_of(14)
    assert len(sites) >= 10 and sites == tuple(SITES.values())
    lakes = [basin for site in sites for basin in site.basins if basin.registered]
    slender = [lake.length_m / lake.width_m for lake in lakes]
    assert max(slender) > 4 and min(slender) < 1.3
    assert min(lake.area_m2 for lake in lakes) < 0.1e6
    assert any(len([one for one in site.basins if one.registered]) == 2 for site in sites)  # a cascade
    assert sum(site.on_glacier for site in sites) == 2
    kinds = {event.kind for lake in lakes for event in lake.events}
    assert {"partial_drainage", "full_drainage", "slow_leak", "refilling", "lowering"} <= kinds
    assert sites_of(20)[14].id == "sim-01" and len({site.id for site in sites_of(30)}) == 30


def test_walls_are_steep_and_valleys_are_not_flat(ground: Grounds) -> None:
    for name in ("tsho-rolpa", "chamlang", "tilicho"):
        height_m = ground(name).height_m[80:-80, 80:-80]  # what is imaged
        down, east = np.gradient(height_m, 30.0)
        slope_deg = np.degrees(np.arctan(np.hypot(down, east)))
        assert 15 < np.median(slope_deg) < 40, name
        assert 45 < np.percentile(slope_deg, 99) < 75, name
        assert -700 < height_m.min() - ground(name).site.basins[0].level_m <= 0


def test_a_day_is_the_same_whichever_days_are_asked_for() -> None:
    basin = find_site("tsho-rolpa").basins[0]
    short, long = levels_of(basin, date(2018, 1, 1), 5), levels_of(basin, date(2025, 1, 1), 5)
    np.testing.assert_array_equal(long.level_m[: len(short.level_m)], short.level_m)
    june = truth_of("thame", date(2024, 6, 1), date(2024, 7, 1)).days
    year = truth_of("thame", date(2024, 1, 1), date(2025, 1, 1)).days

    def told(days: list[Day]) -> dict[tuple[str, date], tuple[str, float, float]]:
        return {(one.lake, one.date): (one.state, one.lake_area_m2, one.level_m) for one in days}

    assert told(june).items() <= told(year).items()


def test_a_sudden_drainage_is_in_levels_areas_states_and_events() -> None:
    found = truth_of("south-lhonak", date(2023, 9, 1), date(2023, 11, 1))
    area = {one.date: one.lake_area_m2 for one in found.days}
    lost = 1 - area[date(2023, 10, 6)] / area[date(2023, 10, 2)]
    assert 0.10 < lost < 0.20  # published: 1.69 to 1.46 km2, 14 %
    (event,) = found.events
    assert (event.kind, event.is_lake_drainage) == ("partial_drainage", True)
    assert event.area_before_m2 > event.area_after_m2 > 0
    assert {one.event for one in found.days if one.date == date(2023, 10, 3)} == {"partial_drainage"}

    thame = truth_of("thame", date(2024, 8, 1), date(2024, 9, 10))
    lower = {one.date: one for one in thame.days if one.lake == "thame"}
    assert lower[date(2024, 8, 15)].state == "open"
    assert lower[date(2024, 8, 18)].state == "drained"
    assert lower[date(2024, 8, 18)].lake_area_m2 < 0.35 * lower[date(2024, 8, 15)].lake_area_m2
    assert {one.lake for one in thame.events} == {"thame", "thame-upper"}


def test_ponds_refill_and_leaks_are_slow() -> None:
    pond = truth_of("ngozumpa-pond", date(2022, 8, 1), date(2023, 8, 15))
    area = {one.date: one.lake_area_m2 for one in pond.days}
    assert area[date(2022, 10, 1)] < 0.35 * area[date(2022, 9, 1)]
    assert area[date(2023, 8, 1)] == pytest.approx(area[date(2022, 9, 1)], rel=0.05)
    assert [one.kind for one in pond.events] == ["full_drainage", "refilling"]
    leak = truth_of("lumding", date(2021, 5, 1), date(2022, 12, 1))
    steps = np.diff([one.lake_area_m2 for one in leak.days])
    assert leak.days[-1].lake_area_m2 < 0.95 * leak.days[0].lake_area_m2
    assert np.abs(steps).max() < 0.01 * leak.days[0].lake_area_m2


def test_events_that_began_before_the_archive_are_told() -> None:
    (event,) = truth_of("lumding", date(2022, 1, 1), date(2022, 3, 1)).events
    assert (event.kind, event.first_day) == ("slow_leak", date(2021, 6, 1))
    assert event.area_before_m2 > event.area_after_m2


@pytest.mark.parametrize(
    ("name", "stand"),
    [("lumding", Stand(-30.0, 0.0)), ("lower-barun", Stand(0.0, 300.0)), ("purepu", Stand(-4.0, 0.0))],
)
def test_ice_covers_the_share_of_the_day_s_water_that_the_truth_says(
    ground: Grounds, name: str, stand: Stand
) -> None:
    shore = ground(name).shores[0]
    water = coverage(distance_m(shore, stand), 30.0)
    for fraction in (0.2, 0.5, 0.8):
        sheet = ice_share(rank_of_the_day(shore.freeze_rank, water, fraction), fraction)
        assert (water * sheet).sum() / water.sum() == pytest.approx(fraction, abs=0.05)


def test_new_water_lies_where_the_radar_s_ground_has_water(ground: Grounds) -> None:
    for name in ("lower-barun", "tsho-rolpa", "chamlang", "south-lhonak"):
        shore = ground(name).shores[0]
        front_m = 9 * shore.basin.growth_m_per_year
        before, after = (coverage(distance_m(shore, Stand(0.0, front)), 30.0) for front in (0.0, front_m))
        new = (after > 0.9) & (before < 0.1)
        assert new.any()
        assert np.abs(ground(name).height_m[new] - shore.basin.level_m).max() < 20, name


def test_a_landslide_pool_is_water_but_no_lake_that_drains() -> None:
    found = truth_of("thulagi", date(2021, 5, 1), date(2021, 10, 1))
    lake = pd.DataFrame([one for one in found.days if one.lake == "thulagi"])
    pool = pd.DataFrame([one for one in found.days if one.lake == "thulagi-landslide-pool"])
    assert pool.lake_area_m2.max() > 5e4 and pool.lake_area_m2.iloc[-1] == 0
    assert set(pool.state) == {"dry", "open"} and "dry" not in set(lake.state)
    assert lake.lake_area_m2.min() > 0.95 * lake.lake_area_m2.max()
    (event,) = found.events
    assert (event.kind, event.is_lake_drainage) == ("landslide_dam", False)
    assert event.area_before_m2 == 0
    assert event.area_after_m2 == pytest.approx(pool.lake_area_m2.max(), rel=0.01)
    assert {row.lake for row, _ in found.passes} == {"thulagi"}
    assert [one["properties"]["id"] for one in found.lakes] == ["thulagi"]


def test_a_winter_turns_over_once_and_its_dates_vary() -> None:
    basin = find_site("chamlang").basins[0]
    lake = lake_days(basin, date(2026, 1, 1), 0)
    middles, thaws = [], []
    for year in range(2016, 2025):
        days = [date(year, 8, 1) + timedelta(days=n) for n in range(360)]
        states = [lake.ice(day).state().value for day in days]
        turns = [state for state, _ in groupby(states)]
        assert turns[0] == turns[-1] == "open" and "frozen" in turns, (year, turns)
        assert "thawing" in turns and turns.index("frozen") < turns.index("thawing")
        middles.append(states.index("frozen"))
        thaws.append(len(states) - states[::-1].index("frozen"))
    assert np.std(middles) > 4 and np.std(thaws) > 4
    assert 120 < np.mean(middles) < 190 and 220 < np.mean(thaws) < 300  # December to February, March to May


def test_higher_lakes_open_later() -> None:
    day = date(2021, 6, 5)
    low, high = (
        np.mean([ice_on(day, z, (seed, 1)).fraction for seed in range(60)]) for z in (4400.0, 5400.0)
    )
    assert high > low + 0.2


def test_the_truth_that_was_written_is_tidy_and_consistent(summer: Archive) -> None:
    truth = read_truth(summer.folder)
    assert set(truth.daily.lake) == {"tsho-rolpa", "chamlang", "tilicho"}
    assert truth.daily.groupby("lake").date.nunique().eq((date(2023, 8, 5) - date(2023, 6, 9)).days).all()
    assert str(truth.passes.sensing_start.dt.tz) == "UTC"
    geod = Geod(ellps="WGS84")
    for row in truth.daily.to_dict("records"):
        outline: Any = truth.outlines[row["lake"], row["outline_id"]]
        area_m2 = abs(geod.geometry_area_perimeter(outline)[0])
        assert area_m2 == pytest.approx(row["lake_area_m2"], rel=0.006, abs=600)
        assert outline.contains(
            shapely.Point(SITES[row["lake"]].longitude_deg, SITES[row["lake"]].latitude_deg)
        )
    acquired = truth.passes[truth.passes.acquired]
    assert (acquired.granules != "").all() and (truth.passes[~truth.passes.acquired].granules == "").all()
    named = {name for names in acquired.granules for name in names.split()}
    assert named == set(summer.granules) - set(summer.superseded)
    assert (truth.passes.visible_area_m2 <= truth.passes.lake_area_m2 + 0.1).all()
    seam = acquired[(acquired.lake == "tilicho") & (acquired.track == "T019")]
    assert seam.granules.str.count(" ").eq(1).all() and (seam.visible_fraction > 0.95).all()


def test_a_folder_without_truth_is_refused(summer: Archive, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="holds no whole truth of a simulated archive"):
        read_truth(tmp_path)
    assert date(2016, 4, 14) > EPOCH
