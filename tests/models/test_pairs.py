"""Folders of labelled pairs: with their chips, with some of them, with none; and folders that are none."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from glaciolake.models.data import PAIR_SIDE_PX, Float32
from glaciolake.models.errors import ModelError
from glaciolake.models.pairs import TYPICAL_DB, read_pairs
from glaciolake.models.track.record import UNKNOWN, Page
from tests.models.scenes import sample, write, write_data_set

CLIP_DB = (-28.0, 2.0)
DATES = [sample(cycle=cycle, right_px=cycle % 3) for cycle in range(5)]


def page(mean: float) -> Page:
    frame = np.full((PAIR_SIDE_PX, PAIR_SIDE_PX), mean, np.float32)
    unknown = np.full_like(frame, UNKNOWN)
    return Page(unknown, np.repeat(unknown[None], 12, 0), frame, frame, frame, (86.7, 27.9))


def db(power: Float32) -> Float32:
    return np.asarray(10 * np.log10(power), np.float32)


def test_power_is_that_of_the_chip_where_there_is_one(tmp_path: Path) -> None:
    samples, images = read_pairs(*write_data_set(tmp_path, DATES, lost_chips=2), {}, CLIP_DB)
    assert [one.start for one in samples] == [one.start for one in DATES]
    for one, drawn in zip(samples, DATES, strict=True):
        np.testing.assert_array_equal(one.water, drawn.water)
    np.testing.assert_allclose(samples[0].power, DATES[0].power)
    assert [one.rebuilt for one in samples] == [False, False, False, True, True]
    assert [start for start, _ in images["upper", "T121"]] == [one.start for one in DATES]
    error = db(samples[4].power)[DATES[4].valid] - db(DATES[4].power)[DATES[4].valid]
    assert np.median(np.abs(error)) < 0.5, "rank and the quantiles of other dates give power back"


def test_pairs_alone_are_read_in_the_brightness_that_the_network_remembers(tmp_path: Path) -> None:
    pairs, _ = write_data_set(tmp_path, DATES)
    samples, images = read_pairs(pairs, None, {("upper", "T121"): page(0.5)}, CLIP_DB)
    assert all(one.rebuilt for one in samples) and len(images["upper", "T121"]) == len(DATES)
    np.testing.assert_allclose(db(samples[0].power[samples[0].valid]), -13, atol=0.01)


def test_an_unknown_lake_gets_the_brightness_of_others(tmp_path: Path) -> None:
    samples, _ = read_pairs(write_data_set(tmp_path, DATES)[0], None, {}, CLIP_DB)
    found = db(samples[0].power[samples[0].valid])
    assert np.median(found) == pytest.approx(TYPICAL_DB[len(TYPICAL_DB) // 2], abs=0.3)
    inside = db(samples[0].power)[samples[0].water]
    assert np.nanmedian(inside) < np.median(found) - 3, "dark stays dark"


def test_without_chips_a_picture_tells_itself_where_it_lies(tmp_path: Path) -> None:
    name = "tilichoTsho_20220413T123037_0543.tif"
    frame = np.zeros((PAIR_SIDE_PX, PAIR_SIDE_PX), np.uint8)
    frame[80:180, 80:180] = np.random.default_rng(0).integers(1, 256, (100, 100))
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        write(tmp_path / kind / name, frame)
    with pytest.raises(ModelError, match=r"no Sentinel-1 track shows 27\.9.* 86\.7"):
        read_pairs(tmp_path, None, {}, CLIP_DB)
    with rasterio.open(tmp_path / "images" / name, "r+") as file:
        file.crs, file.transform = "EPSG:32644", rasterio.Affine(20, 0, 776240, 0, -20, 3179000)
    with pytest.raises(ModelError, match=r"the mask tilicho.* is in EPSG:32645, its image in EPSG:32644"):
        read_pairs(tmp_path, None, {}, CLIP_DB)
    with rasterio.open(tmp_path / "masks" / name, "r+") as file:
        file.crs = "EPSG:32644"
    (one,), _ = read_pairs(tmp_path, None, {}, CLIP_DB)
    assert (one.track, one.direction) == ("T158", "ascending")


def test_masks_without_an_image_do_not_count(tmp_path: Path) -> None:
    pairs, chips = write_data_set(tmp_path, DATES)
    first = min((pairs / "images").iterdir())
    first.unlink()
    assert len(read_pairs(pairs, chips, {}, CLIP_DB)[0]) == len(DATES) - 1


@pytest.mark.parametrize("spoil", ["empty", "name", "time", "mask", "size", "torn", "levels"])
def test_what_is_no_folder_of_pairs_is_refused(tmp_path: Path, spoil: str) -> None:
    pairs, chips = write_data_set(tmp_path, DATES)
    first = min((pairs / "images").iterdir())
    said = "no labelled image"
    if spoil == "empty":
        shutil.rmtree(pairs / "images")
    elif spoil == "name":
        first.rename(first.with_name("scene 1.tif"))
        said = r"not named <lake>_<start>_<id>\.tif, first scene 1"
    elif spoil == "time":
        first.rename(first.with_name("upper_20209999T001130_0000.tif"))
        said = r"not named <lake>_<start>_<id>\.tif, first upper_20209999"
    elif spoil == "torn":
        (pairs / "masks" / first.name).write_bytes(b"half a file")
        said = "cannot read .*masks.*remove the pair"
    elif spoil == "levels":
        write(first, np.ones((256, 256), np.float32))
        said = "holds float32; pictures are uint8 grey levels"
    elif spoil == "mask":
        (pairs / "masks" / first.name).unlink()
        said = "1 images have no mask"
    else:
        write(first, np.ones((128, 128), np.uint8))
        said = "is 128 x 128 px; pairs are 256 x 256 px"
    with pytest.raises(ModelError, match=said):
        read_pairs(pairs, chips, {}, CLIP_DB)


@pytest.mark.parametrize("spoil", ["smaller", "larger", "crs", "torn"])
def test_a_chip_that_is_not_the_pictures_is_refused(tmp_path: Path, spoil: str) -> None:
    pairs, chips = write_data_set(tmp_path, DATES)
    first = min((chips / "upper").iterdir())
    said = r"not cut as the picture, which holds data on 40 x 51 px"
    if spoil == "smaller":
        write(first, np.ones((30, 40), np.float32))
    elif spoil == "larger":
        write(first, np.ones((300, 310), np.float32))
    elif spoil == "crs":
        settings = {"driver": "GTiff", "height": 40, "width": 52, "count": 1, "dtype": "float32"}
        settings["transform"] = rasterio.Affine(20, 0, 470000, 0, -20, 3090000)
        with rasterio.open(first, "w", **settings) as file:
            file.write(np.ones((40, 52), np.float32), 1)
        said = r"_VV\.tif does not say where it lies \(no CRS\)"
    else:
        first.write_bytes(b"half a file")
        said = r"cannot read the chip .*_VV\.tif"
    with pytest.raises(ModelError, match=said):
        read_pairs(pairs, chips, {}, CLIP_DB)


def test_a_black_picture_is_a_scene_without_data(tmp_path: Path) -> None:
    pairs, chips = write_data_set(tmp_path, DATES, lost_chips=1)
    write(max((pairs / "images").iterdir()), np.zeros((PAIR_SIDE_PX, PAIR_SIDE_PX), np.uint8))
    for known in (chips, None):
        last = read_pairs(pairs, known, {}, CLIP_DB)[0][-1]
        assert last.rebuilt and not last.valid.any() and not last.water.any()
