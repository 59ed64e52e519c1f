"""States are told from the radar, its history and the season, and only where they can be told."""

from __future__ import annotations

import json
from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.typing import NDArray

from glaciolake.catalog.variables import LakeState
from glaciolake.pipeline.derive import derive, derive_as_made
from glaciolake.pipeline.lakes import LakeRules
from glaciolake.pipeline.state import smoothed
from glaciolake.pipeline.state_levels import FEWEST_PX, LEVELS, surface_levels, zones_of
from glaciolake.pipeline.state_season import daily_steps, open_months, steps_over

HEIGHT_M = 4765.0
RULES = LakeRules()
WATER = {"lake_vv_db": -19.0, "lake_vh_db": -29.5, "lake_vv_spread_db": 2.0, "lake_vh_spread_db": 2.7}
ICE = {"lake_vv_db": -14.5, "lake_vh_db": -24.0, "lake_vv_spread_db": 2.3, "lake_vh_spread_db": 2.6}
FLOES = {"lake_vv_db": -17.0, "lake_vh_db": -26.5, "lake_vv_spread_db": 3.2, "lake_vh_spread_db": 4.2}
SCATTER = {"lake_vv_db": 1.0, "lake_vh_db": 0.4, "lake_vv_spread_db": 0.2, "lake_vh_spread_db": 0.3}


def series(start: str, end: str, seed: int = 0) -> xr.Dataset:
    """Two winters' lake of open water, every 12 days; nothing hidden, nothing lacking."""
    times = pd.date_range(start, end, freq="12D").to_numpy().astype("datetime64[s]")
    rng = np.random.default_rng(seed)
    drawn = {
        name: ("time", (level + SCATTER[name] * rng.standard_normal(len(times))).astype("float32"))
        for name, level in WATER.items()
    }
    whole, none = np.ones(len(times), "float32"), np.zeros(len(times), "float32")
    return xr.Dataset(
        {
            **drawn,
            "land_vv_db": ("time", -7.0 * whole),
            "valid_fraction": ("time", whole),
            "shadow_fraction": ("time", none),
        },
        coords={"time": times},
    )


def between(rows: xr.Dataset, start: str, end: str) -> NDArray[np.bool_]:
    return np.asarray((rows["time"] >= np.datetime64(start)) & (rows["time"] < np.datetime64(end)))


def turned(rows: xr.Dataset, start: str, end: str, into: dict[str, float]) -> xr.Dataset:
    """The same series with other levels between two days."""
    which = xr.DataArray(between(rows, start, end), dims="time")
    return rows.assign(
        {
            name: rows[name].where(~which, rows[name] - WATER[name] + level).astype("float32")
            for name, level in into.items()
        }
    )


def words(rows: xr.Dataset, rules: LakeRules = RULES) -> list[str]:
    return [LakeState(int(one)).name.lower() for one in derive(rows, HEIGHT_M, rules)["state"]]


def winter(rows: xr.Dataset) -> xr.Dataset:
    """Freezes in the first half of January 2023, breaks up in the second half of April."""
    rows = turned(rows, "2023-01-01", "2023-01-14", FLOES)
    rows = turned(rows, "2023-01-14", "2023-04-14", ICE)
    return turned(rows, "2023-04-14", "2023-05-02", FLOES)


@pytest.fixture(scope="module")
def year() -> xr.Dataset:
    return winter(series("2022-06-01", "2023-10-01"))


def test_a_winter_goes_through_its_states_in_order(year: xr.Dataset) -> None:
    found = [first for first, second in pairwise([*words(year), ""]) if first != second]
    assert found == ["open", "freezing", "frozen", "thawing", "open"]


def test_radar_overrules_the_calendar_both_ways() -> None:
    rows = series("2022-06-01", "2023-10-01")
    assert set(words(rows)) == {"open"}  # a winter without ice, in the middle of the frozen season
    late = turned(winter(rows), "2023-05-02", "2023-06-12", ICE)
    assert {
        word for word, is_june in zip(words(late), between(late, "2023-06-01", "2023-06-12"), strict=True)
        if is_june
    } == {"frozen"}  # fmt: skip


def test_what_a_single_slice_cannot_tell_its_history_does(year: xr.Dataset) -> None:
    at = int(np.flatnonzero(between(year, "2023-02-20", "2023-03-04"))[0])
    calm = {name: np.float32(value) for name, value in WATER.items()} | {"lake_vv_db": np.float32(-16.0)}
    doubtful = year.copy(deep=True)
    for name in ("lake_vh_db", "lake_vh_spread_db"):
        doubtful[name][:] = np.nan
    doubtful["lake_vv_db"][at] = calm["lake_vv_db"]  # 3 dB over water: wind, or ice
    assert words(doubtful)[at] == "frozen"
    summer = doubtful.isel(time=slice(at, at + 1)).assign_coords(time=[np.datetime64("2023-08-01", "s")])
    assert words(xr.concat([doubtful.isel(time=slice(0, 10)), summer], "time"))[-1] == "open"


def test_a_storm_is_wind_and_no_ice() -> None:
    rows = series("2022-06-01", "2023-01-20")
    rows["lake_vv_db"][8] = -13.0
    rows["lake_vh_db"][8] = -28.3
    assert words(rows)[8] == "windy" and set(words(rows)) == {"open", "windy"}


def test_a_bed_that_fell_dry_is_neither_water_nor_ice() -> None:
    rows = turned(series("2022-06-01", "2022-10-30"), "2022-09-01", "2022-11-01", {
        "lake_vv_db": -7.0, "lake_vh_db": -16.0, "lake_vv_spread_db": 3.5, "lake_vh_spread_db": 3.5,
    })  # fmt: skip
    assert set(np.array(words(rows))[between(rows, "2022-09-01", "2022-11-01")]) == {"unknown"}


def test_a_series_without_vh_still_tells_a_frozen_lake(year: xr.Dataset) -> None:
    bare = year.assign(lake_vh_db=year.lake_vh_db * np.nan, lake_vh_spread_db=year.lake_vh_spread_db * np.nan)
    told = np.array(words(bare))
    assert set(told[between(bare, "2023-02-01", "2023-04-01")]) == {"frozen"}
    assert set(told[between(bare, "2023-07-01", "2023-10-01")]) == {"open"}


def test_a_first_slice_leans_on_usual_levels_and_the_season() -> None:
    july, february = series("2023-07-10", "2023-07-15"), series("2023-02-10", "2023-02-15")
    assert words(july) == ["open"]
    assert words(turned(february, "2023-02-01", "2023-03-01", ICE)) == ["frozen"]
    assert words(february) == ["open"]


def test_too_little_seen_is_no_state_of_the_water_and_hides_no_history(year: xr.Dataset) -> None:
    rows = year.copy(deep=True)
    at = int(np.flatnonzero(between(year, "2023-02-20", "2023-03-04"))[0])
    for name in LEVELS:
        rows[name][at] = np.nan
    rows["valid_fraction"][at] = 0.2
    found = derive(rows, HEIGHT_M, RULES)
    assert LakeState(int(found["state"][at])) is LakeState.INCOMPLETE
    assert found["ice_probability"][at] > 0.9  # its neighbours are frozen
    rows["shadow_fraction"][at] = 0.8
    assert words(rows)[at] == "shadowed"


def test_a_track_whose_lake_is_as_bright_as_land_sees_no_lake(year: xr.Dataset) -> None:
    hidden = year.assign(lake_vv_db=year.lake_vv_db * 0 - 7.0)
    assert set(words(hidden)) == {"shadowed"}
    assert np.isnan(derive(hidden, HEIGHT_M, RULES)["ice_probability"]).all()


def test_the_newest_slice_knows_its_past_only_and_may_be_told_anew(year: xr.Dataset) -> None:
    storm = year.copy(deep=True)
    at = int(np.flatnonzero(between(year, "2023-01-01", "2023-01-14"))[0])
    then = derive(storm.isel(time=slice(0, at + 1)), HEIGHT_M, RULES)
    now = derive(storm, HEIGHT_M, RULES)
    assert then["ice_probability"][-1] != now["ice_probability"][at]


def test_level_of_water_is_the_tracks_own(year: xr.Dataset) -> None:
    bright = year.assign(lake_vv_db=year.lake_vv_db + 3, lake_vh_db=year.lake_vh_db + 2)
    told = np.array(words(bright))
    assert set(told[between(bright, "2023-07-01", "2023-10-01")]) == {"open"}
    assert set(told[between(bright, "2022-07-01", "2022-12-01")]) == {"open"}


def test_seconds_and_dates_give_the_same(year: xr.Dataset) -> None:
    seconds = year.assign_coords(time=year.time.values.astype("datetime64[s]").astype("int64"))
    assert words(seconds) == words(year)
    assert derive(year.drop_vars("lake_vh_db"), HEIGHT_M, RULES) == {}


def test_chances_of_the_season_sum_to_one_for_any_calendar() -> None:
    for months in ((12, 1, 2, 3, 4, 5), (), tuple(range(1, 13)), (6, 7, 8)):
        for elevation_m in (None, 3000.0, 5200.0):
            steps = daily_steps(elevation_m, LakeRules(frozen_months=months))
            assert (steps >= 0).all() and np.allclose(steps.sum(axis=2), 1)
    assert open_months(RULES) == (7, 8, 9, 10)
    assert daily_steps(3000.0, RULES)[0, 0, 1] < daily_steps(5000.0, RULES)[0, 0, 1] / 10


def test_levels_are_of_the_lake_away_from_its_shore_and_of_the_land_around() -> None:
    outline = np.zeros((60, 60), bool)
    outline[20:40, 20:40] = True
    zones = zones_of(outline, 30.0)
    power = np.full((2, 60, 60), 0.1, np.float32)  # -10 dB
    power[:, outline] = 0.01
    power[:, 20:22, 20:40] = 1.0  # a bright shore is not looked at
    power[1, zones.lake] = np.nan
    vh = np.where(outline, np.float32(0.001), np.float32(0.0))[None].repeat(2, 0)
    found = surface_levels(xr.Dataset({"vv": (("time", "y", "x"), power)}), zones)
    assert found.lake_vv_db.values == pytest.approx([-20, np.nan], nan_ok=True)
    assert found.land_vv_db.values == pytest.approx([-10, -10]) and np.isnan(found.lake_vh_db).all()
    both = surface_levels(
        xr.Dataset({b: (("time", "y", "x"), p) for b, p in (("vv", power), ("vh", vh))}), zones
    )
    assert both.lake_vh_db.values == pytest.approx([-30, -30])
    assert both.lake_vh_spread_db.values == pytest.approx([0, 0], abs=1e-4)


def test_a_pond_is_looked_at_up_to_its_shore() -> None:
    outline = np.zeros((30, 30), bool)
    outline[10:14, 10:14] = True
    assert zones_of(outline, 30.0).lake.sum() == 16 >= FEWEST_PX
    assert not zones_of(np.zeros((30, 30), bool), 30.0).lake.any()


def test_chances_over_some_days_are_the_days_one_after_the_other() -> None:
    steps = daily_steps(4765.0, RULES)
    found = np.eye(4)
    for day in range(340, 357):
        found = found @ steps[day]
    np.testing.assert_allclose(steps_over(17, 4765.0, RULES)[340], found, atol=1e-12)
    np.testing.assert_array_equal(steps_over(0, 4765.0, RULES)[5], np.eye(4))


@pytest.mark.parametrize("gap_days", [801, 983, 1300])
def test_after_years_without_a_slice_the_season_is_that_of_the_slice(gap_days: int) -> None:
    daily, found = daily_steps(4765.0, RULES), np.eye(4)
    for day in range(gap_days):
        found = found @ daily[(5 + day) % len(daily)]
    np.testing.assert_allclose(steps_over(gap_days, 4765.0, RULES)[5], found, atol=0.01)


def test_probabilities_are_those_of_all_paths_together() -> None:
    rng = np.random.default_rng(4)
    fits, moves, start = rng.random((4, 4)), rng.random((3, 4, 4)), rng.random(4)
    weights = np.zeros((4, 4))
    for path in product(range(4), repeat=4):
        weight = start[path[0]] * np.prod([fits[i, state] for i, state in enumerate(path)])
        weight *= np.prod([moves[i][path[i], path[i + 1]] for i in range(3)])
        for i, state in enumerate(path):
            weights[i, state] += weight
    expected = weights / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(smoothed(fits, list(moves), start), expected, atol=1e-12)


def test_a_stored_series_is_derived_anew_as_it_was_made(year: xr.Dataset) -> None:
    rules = LakeRules(frozen_months=(6, 7, 8), min_valid_fraction=0.9)
    settings = json.dumps({"rules": rules.model_dump(mode="json"), "elevation_m": str(HEIGHT_M)})
    held = year.assign_attrs(settings=settings, model="none", model_sha256="ab" * 32)
    again, first = derive_as_made(held), derive(year, HEIGHT_M, rules)
    np.testing.assert_array_equal(again["ice_probability"], first["ice_probability"])
    assert (again["ice_probability"] != derive(year, HEIGHT_M, RULES)["ice_probability"]).any()
