"""True lakes on pixels, and the constant that is drawn without looking."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import rasterio.features
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from shapely import intersection
from shapely.geometry import MultiPolygon, Polygon, box

from glaciolake.pipeline.score_masks import (
    HALF_YEARS,
    PASSES,
    YEARS,
    Constant,
    OpenPass,
    Shores,
    basis_of,
    water_share,
)
from tests.pipeline.score_data import COLUMNS, HEADER, ROWS, TEN, in_degrees, mask

SHAPE = (ROWS, COLUMNS)
SMALL = (15, 10, 20, 20)


def shores(*corners: tuple[int, int, int, int]) -> Shores:
    outlines = {number: in_degrees(box(*one)) for number, one in enumerate(corners)}
    return Shores(outlines, CRS.from_user_input(HEADER.crs), Affine(*HEADER.transform), SHAPE)


def exact_share(shore: Polygon) -> NDArray[np.float64]:
    """Share of every pixel inside a polygon, cut pixel by pixel."""
    found = np.zeros(SHAPE)
    for row, column in np.ndindex(SHAPE):
        found[row, column] = intersection(shore, box(column, row, column + 1, row + 1)).area
    return found


@pytest.mark.parametrize("seed", range(4))
def test_the_share_of_water_is_that_of_cutting_every_pixel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = rng.uniform(6, 14, angles.size)
    ring = np.column_stack([25 + radius * np.cos(angles), 20 + radius * np.sin(angles)])
    shore = Polygon(ring)
    share, exact = water_share(shore, SHAPE), exact_share(shore)
    assert np.abs(share - exact).max() < 0.08
    assert share.sum() == pytest.approx(exact.sum(), rel=0.003)
    sure = np.abs(exact - 0.5) > 0.08
    assert np.array_equal(share[sure] >= 0.5, exact[sure] >= 0.5)


def test_half_a_pixel_is_half_a_pixel_and_holes_are_land() -> None:
    share = water_share(box(10.5, 10, 12, 11), SHAPE)
    assert share[10, 10] == 0.5 and share[10, 11] == 1 and share.sum() == 1.5
    holed = Polygon(box(10, 10, 20, 20).exterior, [box(12, 12, 14, 14).exterior])
    assert water_share(holed, SHAPE).sum() == 96
    parts = MultiPolygon([box(1, 1, 2, 2), box(30, 30, 32, 31)])
    assert water_share(parts, SHAPE).sum() == 3


def test_what_lies_beyond_the_grid_is_cut_and_nothing_gives_nothing() -> None:
    assert water_share(box(-5, -5, 2, 3), SHAPE).sum() == 6
    assert water_share(box(COLUMNS - 1, ROWS - 2, COLUMNS + 9, ROWS + 9), SHAPE).sum() == 2
    assert water_share(box(-50, -50, -40, -40), SHAPE).sum() == 0
    assert water_share(Polygon(), SHAPE).sum() == 0


def test_an_outline_in_degrees_falls_on_its_pixels_and_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    rasterize = rasterio.features.rasterize

    def counted(*args: Any, **kwargs: Any) -> Any:
        drawn.append(1)
        return rasterize(*args, **kwargs)

    monkeypatch.setattr(rasterio.features, "rasterize", counted)
    one = shores(TEN, SMALL)
    for _ in range(3):
        assert np.array_equal(one.mask(0), mask(TEN)) and np.array_equal(one.mask(1), mask(SMALL))
    assert len(drawn) == 2


def passes(*looks: tuple[date, int]) -> list[OpenPass]:
    return [
        OpenPass(f"T121_S1A_{day:%Y%m%d}", datetime(day.year, day.month, day.day), number)
        for day, number in looks
    ]


def drawn(constant: Constant, one: OpenPass) -> NDArray[np.bool_]:
    found = constant.mask(one.pass_id, one.time)
    assert found is not None
    return found


def test_the_constant_does_not_know_the_year_that_it_is_compared_on() -> None:
    looks = passes(
        (date(2022, 6, 1), 0), (date(2022, 7, 1), 0), (date(2023, 6, 1), 1), (date(2023, 12, 1), 1)
    )
    constant = Constant(looks, shores(TEN, SMALL))
    assert constant.basis == YEARS
    assert np.array_equal(drawn(constant, looks[0]), mask(SMALL))
    assert np.array_equal(drawn(constant, looks[2]), mask(TEN))
    other_year = OpenPass("T121_S1A_20240101", datetime(2024, 1, 1), 0)
    assert np.array_equal(drawn(constant, other_year), mask(TEN)), "half of the others is enough"


def test_the_constant_is_what_most_others_have() -> None:
    looks = passes(
        *((date(2022, 6, 1) + timedelta(days=one), int(one < 2)) for one in range(5)), (date(2023, 6, 1), 0)
    )
    constant = Constant(looks, shores(TEN, SMALL))
    assert np.array_equal(drawn(constant, looks[-1]), mask(TEN)), "3 of 5"
    looks[2] = passes((date(2022, 6, 3), 1))[0]
    assert np.array_equal(drawn(Constant(looks, shores(TEN, SMALL)), looks[-1]), mask(SMALL)), "2 of 5"


def test_within_one_year_the_other_half_is_taken_and_within_one_half_the_other_passes() -> None:
    halves = passes((date(2022, 5, 1), 0), (date(2022, 6, 30), 0), (date(2022, 7, 1), 1))
    constant = Constant(halves, shores(TEN, SMALL))
    assert constant.basis == HALF_YEARS
    assert np.array_equal(drawn(constant, halves[0]), mask(SMALL))
    assert np.array_equal(drawn(constant, halves[2]), mask(TEN))
    near = passes((date(2022, 5, 1), 0), (date(2022, 5, 13), 1))
    constant = Constant(near, shores(TEN, SMALL))
    assert constant.basis == PASSES
    assert np.array_equal(drawn(constant, near[0]), mask(SMALL)), "its own mask is left out"
    assert np.array_equal(drawn(constant, near[1]), mask(TEN))


def test_without_other_open_water_there_is_no_constant() -> None:
    only = passes((date(2022, 5, 1), 0))
    assert Constant(only, shores(TEN)).mask(only[0].pass_id, only[0].time) is None
    assert Constant([], shores(TEN)).mask("T121_S1A_20220501", datetime(2022, 5, 1)) is None
    assert basis_of([]) == PASSES
