"""The figure says what was measured and nothing more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from shapely.geometry import box

from glaciolake.catalog.lake import Lake
from glaciolake.catalog.variables import Flag, LakeState
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.plot import lake_figure, plot_lake
from glaciolake.pipeline.plot_panel import TREND_LABEL, limits_km2, mark_of
from glaciolake.pipeline.plot_style import FLAG_MARKS
from glaciolake.pipeline.series import NOT_OPEN_WATER, flag_words
from tests.pipeline.lake_series import days_of, lake_series

LAKE = Lake(
    id="tsho-rolpa",
    name="Tsho Rolpa",
    icimod_id="GL086476E27861N",
    longitude_deg=86.476,
    latitude_deg=27.861,
    elevation_m=4560.0,
    area_km2=1.54,
    area_source="some inventory, 2015.",
    outline=box(86.46, 27.85, 86.49, 27.87),
    outline_source="a box",
    aoi=box(86.45, 27.84, 86.5, 27.88),
)


def series(start: str = "2022-05-01", end: str = "2023-12-31", **options: object) -> xr.Dataset:
    return lake_series(days_of(start, end), size_px=64, **options)  # type: ignore[arg-type]


def panels(figure: Figure) -> list[Axes]:
    return figure.axes[::2]


def words(figure: Figure) -> str:
    texts = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        texts += [text.get_text() for text in axes.texts]
    for legend in figure.legends:
        texts += [text.get_text() for text in legend.get_texts()]
    return "\n".join(texts)


def trend_lines(axes: Axes) -> list[object]:
    return [line for line in axes.lines if line.get_label() == TREND_LABEL]


@pytest.mark.parametrize("tracks", [1, 2, 3, 4])
def test_every_track_has_its_own_panel_on_common_axes(tracks: int) -> None:
    names = ["T012", "T019", "T085", "T121"][:tracks]
    figure = lake_figure({name: series(track=name, area_m2=1.2e6 + 1e5 * len(name)) for name in names}, LAKE)
    assert len(panels(figure)) == tracks
    assert len({axes.get_ylim() for axes in panels(figure)}) == 1
    assert len({axes.get_xlim() for axes in panels(figure)}) == 1
    for name in names:
        assert f"{name} descending" in words(figure)


def test_number_of_slices_and_source_of_the_published_area_are_written() -> None:
    one = series()
    figure = lake_figure({"T121": one}, LAKE)
    unflagged = int((one["flags"] == 0).sum())
    assert f"{one.sizes['time']} slices, {unflagged} of open water" in words(figure)
    assert "1.54 km\u00b2: some inventory, 2015." in words(figure).replace("\n", " ")
    assert "published" not in words(lake_figure({"T121": one}, None)).lower()


def test_a_note_stands_in_the_figure_and_only_where_one_is_given() -> None:
    one = series()
    assert "Simulated scenes" in words(
        lake_figure({"T121": one}, LAKE, "Simulated scenes, not the real lake")
    )
    assert "Simulated" not in words(lake_figure({"T121": one}, LAKE))


def test_trend_is_drawn_only_where_it_is_allowed() -> None:
    long = series("2016-05-01", "2025-12-31", growth_m2_per_year=30_000.0)
    short = series("2023-05-01", "2025-12-31", track="T085")
    figure = lake_figure({"T121": long, "T085": short}, LAKE)
    assert [len(trend_lines(axes)) for axes in panels(figure)] == [0, 1]
    assert "slices needed, 3 there" in words(figure) and "10 summers: +" in words(figure)


def test_all_open_water_is_inside_the_axis_and_all_others_are_drawn() -> None:
    one = series()
    one["area_m2"][np.flatnonzero(one["flags"] == Flag.FROZEN_SEASON)[0]] = 9e7
    figure = lake_figure({"T121": one}, LAKE)
    low, high = panels(figure)[0].get_ylim()
    good = one["area_m2"].values[one["flags"].values == 0] / 1e6
    assert low < good.min() and good.max() < high < 10
    assert "beyond the axis" in words(figure)
    drawn = sum(
        len(np.asarray(line.get_xdata())) for line in panels(figure)[0].lines if line.get_marker() != "None"
    )
    assert drawn == one.sizes["time"]


def test_each_state_has_its_own_marker_and_a_key_only_where_it_occurs() -> None:
    assert len({mark.marker for mark in FLAG_MARKS}) == len(FLAG_MARKS)
    assert {mark.flag for mark in FLAG_MARKS} == set(NOT_OPEN_WATER)
    assert mark_of("") is None and mark_of("shadowed touches_edge") is None
    for mark in FLAG_MARKS:
        assert mark_of(flag_words(mark.flag | Flag.SHADOWED)) == mark
    thawed = series("2022-05-01", "2022-11-30")
    thawed["flags"][:] = 0
    assert "frozen season" not in words(lake_figure({"T121": thawed}, None))
    assert "frozen season" in words(lake_figure({"T121": series()}, None))


def test_a_shore_behind_terrain_is_drawn_hollow_and_still_counts() -> None:
    one = series()
    before = lake_figure({"T121": one}, None)
    assert "behind terrain" not in words(before)
    one["flags"] = one["flags"] | np.uint8(Flag.SHADOWED)
    after = lake_figure({"T121": one}, None)
    assert "shore partly behind terrain" in words(after)
    assert panels(before)[0].get_ylim() == panels(after)[0].get_ylim()
    faces = [line.get_markerfacecolor() for line in panels(after)[0].lines if line.get_marker() == "o"]
    assert faces == ["white", "white"]


def test_one_slice_is_drawn_as_one_point(tmp_path: Path) -> None:
    plot_lake({"T121": series().isel(time=[3])}, LAKE, tmp_path / "one.png")
    assert imread(tmp_path / "one.png").shape[1] == 1999


def test_a_series_without_any_area_says_so(tmp_path: Path) -> None:
    empty = series().copy(deep=True)
    for name in ("area_m2", "area_lower_m2", "area_upper_m2", "area_sigma_m2", "gamma0_vv_db", "surface"):
        empty[name] = empty[name] * np.nan
    figure = lake_figure({"T121": empty}, None)
    assert f"no area was measured in {empty.sizes['time']} slices" in words(figure)
    assert "no picture" in words(figure) and "pass without an area" in words(figure)
    plot_lake({"T121": empty}, LAKE, tmp_path / "none.svg")
    assert (tmp_path / "none.svg").read_text().startswith("<?xml")


def test_the_picture_is_of_the_newest_open_water_slice_and_no_other_is_read() -> None:
    one = series().chunk(time=1)
    reads: list[int] = []

    def count(block: np.ndarray, number: np.ndarray) -> np.ndarray:
        reads.append(int(number.ravel()[0]))
        return block

    numbers = xr.DataArray(np.arange(one.sizes["time"]), dims="time").chunk(time=1)
    one["gamma0_vv_db"] = xr.apply_ufunc(
        count, one["gamma0_vv_db"], numbers, dask="parallelized", output_dtypes=["float32"]
    )
    with dask.config.set(scheduler="synchronous"):
        figure = lake_figure({"T121": one}, LAKE)
    newest = int(np.flatnonzero(one["flags"].values == 0)[-1])
    assert set(reads) == {newest}
    assert f"VV, {pd.Timestamp(one['time'].values[newest]):%Y-%m-%d}" in words(figure)


def test_a_name_with_another_ending_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"end the name in \.png, \.pdf, \.svg"):
        plot_lake({"T121": series()}, LAKE, tmp_path / "lake.bmp")
    with pytest.raises(PipelineError, match="no slices to draw"):
        plot_lake({}, LAKE, tmp_path / "lake.png")
    assert not list(tmp_path.iterdir())


def test_a_series_that_is_mostly_frozen_is_drawn_whole() -> None:
    winter = series("2022-11-20", "2023-04-15")
    assert (winter["flags"] == 0).sum() <= 3
    assert "beyond the axis" not in words(lake_figure({"T121": winter}, LAKE))


def test_limits_hold_where_there_is_nothing() -> None:
    assert limits_km2([], None) == (0.0, 1.0)


def test_drawing_leaves_pyplot_alone() -> None:
    code = "import sys, glaciolake.pipeline.plot; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_states_lie_at_the_foot_of_the_panel_and_in_the_key_where_they_occur() -> None:
    one = series()
    told = np.zeros(one.sizes["time"], "uint8")
    told[:3] = int(LakeState.FROZEN)
    figure = lake_figure({"T121": one.assign(state=("time", told))}, None)
    strip = [line for line in figure.axes[0].lines if line.get_marker() == "s"]
    assert [np.asarray(line.get_xdata()).size for line in strip] == [3]
    assert "state: frozen" in words(figure) and "state: thawing" not in words(figure)
    assert "state:" not in words(lake_figure({"T121": one}, None))
