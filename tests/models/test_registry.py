"""The outline a registry has of a lake: where it lies in a chip, how it is moved, when a network is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from shapely.geometry import box

from glaciolake.catalog.lakes import load_lakes
from glaciolake.models.data import PAIR_SIDE_PX
from glaciolake.models.pieces import own_lake
from glaciolake.models.skill.scores import LISTED, listed
from glaciolake.models.track.record import CHANNELS, UNKNOWN, Record, channels_of, forget_place
from glaciolake.models.track.registry import elsewhere, moved, registry_frames
from tests.models.scenes import SPEC, sample

ROLPA = load_lakes()["tsho-rolpa"]
ROW = {name: number for number, name in enumerate(CHANNELS)}


def write_chip(folder: Path, centre: tuple[float, float], side_px: int = 90) -> None:
    """A chip of 20 m pixels around a place in UTM zone 45 N, metres."""
    folder.mkdir(parents=True)
    transform = Affine(20, 0, centre[0] - 10 * side_px, 0, -20, centre[1] + 10 * side_px)
    name = "S1A_IW_20210104T001130_DVP_RTC20_G_gpuned_ABCD_VV.tif"
    with rasterio.open(
        folder / name, "w", driver="GTiff", width=side_px, height=side_px, count=1, dtype="float32",
        crs="EPSG:32645", transform=transform,
    ) as file:  # fmt: skip
        file.write(np.ones((1, side_px, side_px), np.float32))


def utm(longitude: float, latitude: float) -> tuple[float, float]:
    (x,), (y,) = rasterio.warp.transform("EPSG:4326", "EPSG:32645", [longitude], [latitude])
    return x, y


def test_a_lake_is_drawn_where_it_lies_and_a_chip_without_one_has_no_frame(tmp_path: Path) -> None:
    write_chip(tmp_path / "rolpa", utm(*ROLPA.outline.centroid.coords[0]), side_px=160)
    write_chip(tmp_path / "nowhere", utm(87.9, 27.1))

    found = registry_frames(tmp_path)

    assert set(found) == {"rolpa"}
    frame = found["rolpa"]
    assert frame.shape == (PAIR_SIDE_PX, PAIR_SIDE_PX)
    assert frame.sum() * 400 / 1e6 == pytest.approx(ROLPA.area_km2, rel=0.02)
    rows, columns = np.nonzero(frame)
    assert abs(rows.mean() - 127.5) < 3 and abs(columns.mean() - 127.5) < 3


def test_of_two_lakes_in_a_chip_the_one_in_its_middle_is_meant(tmp_path: Path) -> None:
    longitude, latitude = ROLPA.outline.centroid.coords[0]
    write_chip(tmp_path / "rolpa", utm(longitude, latitude))
    beside = replace(
        ROLPA, id="beside", outline=box(longitude, latitude + 0.004, longitude + 0.002, latitude + 0.006)
    )

    both = registry_frames(tmp_path, {"beside": beside, "tsho-rolpa": ROLPA})

    np.testing.assert_array_equal(both["rolpa"], registry_frames(tmp_path, {"tsho-rolpa": ROLPA})["rolpa"])


def test_a_moved_outline_is_near_and_is_not_the_same() -> None:
    frame = np.zeros((60, 80), np.float32)
    frame[20:40, 25:55] = 1
    random = np.random.default_rng(1)

    found = [moved(frame, random) for _ in range(40)]

    sizes = np.array([one.sum() for one in found]) / frame.sum()
    overlaps = [np.minimum(one, frame).sum() / np.maximum(one, frame).sum() for one in found]
    assert 0.8 < np.median(sizes) < 1.25 and sizes.std() > 0.1
    assert 0.5 < np.median(overlaps) < 0.95 and max(overlaps) < 1
    assert all(one.min() >= 0 and one.max() <= 1 for one in found)
    assert not moved(np.zeros_like(frame), random).any()


def test_an_outline_elsewhere_stays_off_the_lake_or_is_not_made() -> None:
    water = np.zeros((60, 80), bool)
    water[22:38, 28:52] = True
    random = np.random.default_rng(2)

    found = [elsewhere(water.astype(np.float32), water, random) for _ in range(30)]

    made = [one for one in found if one is not None]
    assert len(made) > 10
    assert not any((one[water] > 0).any() for one in made)
    assert all(one.sum() >= 0.7 * water.sum() for one in made)
    assert elsewhere(np.ones((8, 8), np.float32), np.ones((8, 8), bool), random) is None


def test_a_network_is_told_the_registry_only_where_no_label_is_known() -> None:
    frame = np.zeros((PAIR_SIDE_PX, PAIR_SIDE_PX), bool)
    frame[100:150, 110:140] = True
    labels = [sample(cycle=cycle) for cycle in range(1, 4)]
    listing = {sample().lake: frame}

    told = channels_of(sample(), Record({}, registry=listing), SPEC)
    known = channels_of(sample(), Record({}, labels=labels, registry=listing), SPEC)
    unlisted = channels_of(sample(), Record({}, registry={"another": frame}), SPEC)

    assert set(np.unique(told[ROW["outline"]])) == {0.0, 1.0}
    assert (told[ROW["season_outline"]] == UNKNOWN).all()
    np.testing.assert_array_equal(known, channels_of(sample(), Record({}, labels=labels), SPEC))
    assert (unlisted[ROW["outline"]] == UNKNOWN).all()
    np.testing.assert_array_equal(
        forget_place(known, told[ROW["outline"]])[ROW["outline"]], told[ROW["outline"]]
    )


def test_the_registry_is_a_constant_to_beat() -> None:
    frame = np.ones((PAIR_SIDE_PX, PAIR_SIDE_PX), bool)
    test = [sample(), sample(cycle=1)]

    assert listed({"another": frame}, test) == {}
    assert [mask.all() for mask in listed({test[0].lake: frame}, test)[LISTED]] == [True, True]


def test_water_of_another_lake_is_taken_out_and_nothing_else() -> None:
    probability = np.zeros((20, 30), np.float32)
    probability[2:8, 2:8] = 0.9  # reaches the outline with a corner
    probability[12:18, 20:28] = 0.8  # does not
    probability[0, 29] = np.nan
    probability[14, 2] = 0.4  # is no water
    outline = np.zeros((20, 30), bool)
    outline[7:11, 7:11] = True

    found = own_lake(probability, outline)

    expected = probability.copy()
    expected[12:18, 20:28] = 0
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(own_lake(probability, np.zeros_like(outline)), probability)
    assert found.dtype == np.float32
