"""The table and the exports: nothing lost, nothing invented, everything loadable elsewhere."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pyproj import Geod
from shapely.geometry import shape

from glaciolake.catalog.variables import Flag, LakeState, Surface
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.series import COLUMNS, area_table, flag_words, outlines, write_series
from tests.pipeline.lake_series import days_of, lake_series


@pytest.fixture
def tracks() -> dict[str, xr.Dataset]:
    days = days_of("2023-05-01", "2023-12-31")
    return {
        "T121": lake_series(days, seed=1),
        "T085": lake_series(days[:7], track="T085", orbit_state="ascending", area_m2=1_200_000.0, seed=2),
    }


def test_flag_words_name_every_set_bit() -> None:
    assert flag_words(0) == ""
    assert flag_words(Flag.INCOMPLETE | Flag.FROZEN_SEASON) == "incomplete frozen_season"
    assert len(flag_words(sum(Flag)).split()) == len(Flag)


def test_table_has_a_row_a_slice_and_keeps_tracks_apart(tracks: dict[str, xr.Dataset]) -> None:
    table = area_table(tracks)
    assert tuple(table.columns) == COLUMNS
    assert table.groupby("track").size().to_dict() == {"T085": 7, "T121": tracks["T121"].sizes["time"]}
    assert set(table.loc[table["track"] == "T085", "orbit_state"]) == {"ascending"}
    np.testing.assert_array_equal(table.loc[table["track"] == "T121", "area_m2"], tracks["T121"]["area_m2"])
    assert str(table["time"].dt.tz) == "UTC"


def test_table_is_sorted_by_time_whatever_the_order_in_the_dataset(tracks: dict[str, xr.Dataset]) -> None:
    backwards = {track: series.isel(time=slice(None, None, -1)) for track, series in tracks.items()}
    pd.testing.assert_frame_equal(area_table(tracks), area_table(backwards))


def test_state_and_corrected_area_are_told_where_the_series_has_them(tracks: dict[str, xr.Dataset]) -> None:
    series = tracks["T085"]
    assert set(area_table({"T085": series})["state"]) == {""}
    states = np.array([*LakeState][: series.sizes["time"]], "uint8")
    told = series.assign(state=("time", states), area_corrected_m2=("time", np.full(len(states), 7e5)))
    table = area_table({"T085": told})
    assert list(table["state"]) == [state.name.lower() for state in LakeState][: len(table)]
    assert (table["area_corrected_m2"] == 7e5).all() and table["area_lower_90_m2"].isna().all()


def test_table_of_no_tracks_is_empty_and_has_its_columns() -> None:
    assert tuple(area_table({}).columns) == COLUMNS and area_table({}).empty


def test_unseen_area_stays_nan_and_never_becomes_zero(tracks: dict[str, xr.Dataset]) -> None:
    tracks["T121"]["area_m2"][3] = np.nan
    written = io.BytesIO()
    write_series({"T121": tracks["T121"]}, written, "csv")
    read = pd.read_csv(io.BytesIO(written.getvalue()))
    assert np.isnan(read["area_m2"][3]) and read["area_m2"].isna().sum() == 1


def test_csv_starts_with_its_header_and_writes_iso_times_in_utc(tracks: dict[str, xr.Dataset]) -> None:
    written = io.BytesIO()
    write_series(tracks, written, "csv")
    header, first, *_ = written.getvalue().decode().splitlines()
    assert header == ",".join(COLUMNS)
    assert first.split(",")[:4] == ["tsho-rolpa", "T085", "ascending", "2023-05-01T00:11:33Z"]


def test_parquet_gives_the_table_back(tracks: dict[str, xr.Dataset], tmp_path: Path) -> None:
    target = tmp_path / "deeper" / "series.parquet"
    write_series(tracks, target, "parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(target), area_table(tracks))
    assert [path.name for path in target.parent.iterdir()] == ["series.parquet"]


def test_geojson_outlines_enclose_the_pixels_that_are_lake(tracks: dict[str, xr.Dataset]) -> None:
    written = io.BytesIO()
    write_series({"T121": tracks["T121"]}, written, "geojson")
    features = json.loads(written.getvalue())["features"]
    assert len(features) == tracks["T121"].sizes["time"]
    geod = Geod(ellps="WGS84")
    pixels = (tracks["T121"]["surface"] == int(Surface.LAKE)).sum(("y", "x")).values
    for feature, count in zip(features, pixels, strict=True):
        outline = shape(feature["geometry"])
        area_m2, _ = geod.geometry_area_perimeter(outline)
        # positive means counter-clockwise; the UTM scale here makes an area 0.07 % too small
        assert area_m2 == pytest.approx(count * 900.0, rel=2e-3)
        assert outline.is_valid and 86.4 < outline.centroid.x < 86.6 and 27.8 < outline.centroid.y < 27.9
        assert feature["properties"]["time"].endswith("Z")


def test_slice_without_lake_pixels_has_a_null_outline(tracks: dict[str, xr.Dataset]) -> None:
    series = tracks["T085"]
    series["surface"][2] = np.nan
    series["area_m2"][2] = np.nan
    written = io.BytesIO()
    write_series({"T085": series}, written, "geojson")
    features = json.loads(written.getvalue())["features"]
    assert [feature["geometry"] is None for feature in features] == [row == 2 for row in range(7)]
    assert features[2]["properties"]["area_m2"] is None


def test_an_island_is_a_hole_and_two_ponds_are_two_polygons(tracks: dict[str, xr.Dataset]) -> None:
    series = tracks["T085"].isel(time=[0]).copy(deep=True)
    surface = np.zeros(series["surface"].shape, "float32")
    surface[0, 10:20, 10:20] = Surface.LAKE
    surface[0, 14:16, 14:16] = Surface.LAND
    surface[0, 40:50, 40:50] = Surface.LAKE
    surface[0, 50:60, 50:60] = Surface.OTHER_WATER
    series["surface"].values[:] = surface
    (outline,) = outlines(series)
    assert outline is not None and outline.geom_type == "MultiPolygon"
    assert sorted(len(part.interiors) for part in getattr(outline, "geoms", ())) == [0, 1]


def test_unknown_format_is_refused_with_those_that_exist(
    tracks: dict[str, xr.Dataset], tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match="'xlsx'; give csv, parquet or geojson"):
        write_series(tracks, tmp_path / "a.xlsx", "xlsx")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_named_and_leaves_nothing(
    tracks: dict[str, xr.Dataset], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(PipelineError, match=r"cannot write .*taken.*out\.csv"):
        write_series(tracks, tmp_path / "taken" / "out.csv", "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
