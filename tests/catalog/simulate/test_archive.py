from __future__ import annotations

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer

from glaciolake.catalog.errors import CatalogError, UnknownLake
from glaciolake.catalog.folder import FolderSource
from glaciolake.catalog.lakes import load_lakes
from glaciolake.catalog.names import parse_name
from glaciolake.catalog.simulate.archive import Archive, write_archive
from glaciolake.catalog.simulate.bursts import TRACKS
from glaciolake.catalog.simulate.imaging import OLD_CALIBRATION_DB, sites_in
from glaciolake.catalog.simulate.order import find_site, make_order, read_recipe
from glaciolake.catalog.simulate.radar import frame_of
from glaciolake.catalog.simulate.truth import read_truth
from glaciolake.catalog.static_catalog import EVERYTHING
from tests.catalog.simulate.conftest import LAKES, SUMMER, one_by_one

JULY = (date(2023, 7, 1), date(2023, 7, 20))


def files_of(archive: Archive, burst: str, band: str) -> list[Path]:
    return sorted((archive.folder / "scenes" / burst).glob(f"*_{band}.tif"))


def square(path: Path, lake: str, half_m: float) -> NDArray[Any]:
    """Pixels around a lake's centre."""
    site = find_site(lake)
    with rasterio.open(path) as file:
        to_grid = Transformer.from_crs(4326, file.crs, always_xy=True)
        x, y = to_grid.transform(site.longitude_deg, site.latitude_deg)
        window = rasterio.windows.from_bounds(x - half_m, y - half_m, x + half_m, y + half_m, file.transform)
        values: NDArray[Any] = file.read(1, window=window)
        return values


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_every_granule_has_a_real_name_and_three_layers(summer: Archive) -> None:
    files = {path.name for path in (summer.folder / "scenes").rglob("*.tif")}
    assert files == {f"{name}_{band}.tif" for name in summer.granules for band in ("VV", "VH", "mask")}
    for name in summer.granules:
        parsed = parse_name(name)
        assert (parsed.family, parsed.sensor, parsed.spacing_m) == ("opera", "S1A", 30)
        assert parsed.created is not None and parsed.created > parsed.sensing_start


def test_files_are_cloud_optimised_and_of_the_product_s_types(summer: Archive) -> None:
    for band, dtype in (("VV", "float32"), ("VH", "float32"), ("mask", "uint8")):
        with rasterio.open(files_of(summer, "T085-180586-IW3", band)[0]) as file:
            assert file.dtypes == (dtype,)
            assert file.block_shapes == [(512, 512)]
            assert file.compression.name == "deflate"
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert file.nodata == 255 if band == "mask" else np.isnan(file.nodata)
            assert file.tags()["BURST_ID"] == "t085_180586_iw3"
            assert file.tags()["INSTITUTION"] == "glaciolake (simulated)"


def test_tags_are_those_of_a_real_granule(summer: Archive, shared_data: Path) -> None:
    with rasterio.open(shared_data / "opera_rtc_full_tags" / "test_VV.tif") as real:
        known = set(real.tags())
    with rasterio.open(files_of(summer, "T085-180586-IW3", "VV")[0]) as file:
        assert set(file.tags()) == known


def test_a_burst_has_one_grid_on_the_common_lattice(summer: Archive) -> None:
    for burst in sites_in(make_order(LAKES, SUMMER)):
        grids = set()
        for band in ("VV", "VH", "mask"):
            for path in files_of(summer, burst.id, band):
                with rasterio.open(path) as file:
                    grids.add((file.crs.to_epsg(), file.transform, file.shape))
        ((epsg, transform, _),) = grids
        assert epsg == burst.track.epsg
        assert (transform.a, transform.e) == (30, -30)
        assert transform.c % 30 == 0 and transform.f % 30 == 0
    assert {TRACKS[number].epsg for number in find_site("tilicho").tracks} == {32644, 32645}


def test_shadow_has_no_backscatter_and_layover_keeps_it(summer: Archive) -> None:
    codes: set[int] = set()
    for mask_path in sorted((summer.folder / "scenes").rglob("*_mask.tif")):
        with rasterio.open(mask_path) as mask, rasterio.open(str(mask_path).replace("mask", "VV")) as vv:
            values, power = mask.read(1), vv.read(1)
        codes |= set(np.unique(values).tolist())
        assert np.array_equal(np.isnan(power), np.isin(values, (1, 3, 255)))
        assert np.nanmin(power) >= 0
    assert codes == {0, 1, 2, 3, 255}


def test_static_layers_agree_with_the_geometry(summer: Archive) -> None:
    folder = summer.folder / "static" / "T121-258662-IW2"
    layers = {}
    for path in folder.glob("*.tif"):
        assert parse_name(path.name).family == "opera-static"
        with rasterio.open(path) as file:
            layers[path.stem.split("_30_v1.0_")[1]] = file.read(1)
    names = (
        "local_incidence_angle",
        "number_of_looks",
        "rtc_anf_gamma0_to_beta0",
        "rtc_anf_gamma0_to_sigma0",
    )
    assert set(layers) == {"mask", "incidence_angle", *names}
    site = find_site("tsho-rolpa")
    frame = frame_of(site, 32645)
    with rasterio.open(folder / f"{path.stem.split('_30_v1.0_')[0]}_30_v1.0_mask.tif") as file:
        row, column = file.index(frame.left_m + 30 * frame.size_px / 2, frame.top_m - 30 * frame.size_px / 2)
    at = (slice(row - 2, row + 3), slice(column - 2, column + 3))  # the lake's middle: level water
    angle = layers["incidence_angle"][at]
    assert 36 < angle.mean() < 42
    np.testing.assert_allclose(layers["local_incidence_angle"][at], angle, atol=0.1)
    np.testing.assert_allclose(
        layers["rtc_anf_gamma0_to_beta0"][at], 1 / np.tan(np.radians(angle)), rtol=0.03
    )
    np.testing.assert_allclose(layers["rtc_anf_gamma0_to_sigma0"][at], np.cos(np.radians(angle)), rtol=0.01)
    assert 10 < layers["number_of_looks"][at].mean() < 25
    with rasterio.open(files_of(summer, "T121-258662-IW2", "mask")[0]) as file:
        dated = file.read(1)
    assert np.array_equal(layers["mask"][dated != 255], dated[dated != 255])


def test_dark_pixels_near_the_shore_add_up_to_the_area_that_the_truth_says(summer: Archive) -> None:
    truth = read_truth(summer.folder)
    frame = frame_of(find_site("tsho-rolpa"), 32645)
    edges = (frame.left_m, frame.top_m - 30 * frame.size_px, frame.left_m + 30 * frame.size_px, frame.top_m)
    rows = truth.passes[(truth.passes.lake == "tsho-rolpa") & (truth.passes.granules != "")]
    assert set(rows.track) == {"T085", "T121"}
    for row in rows.to_dict("records"):
        path = next((summer.folder / "scenes").rglob(f"{row['granules']}_VH.tif"))
        with rasterio.open(path) as vh, rasterio.open(str(path).replace("_VH", "_mask")) as mask:
            window = rasterio.windows.from_bounds(*edges, vh.transform)
            power, codes = vh.read(1, window=window), mask.read(1, window=window)
            shore = truth.outlines[row["lake"], row["outline_id"]]
            to_grid = Transformer.from_crs(4326, vh.crs, always_xy=True)
        clear = codes == 0
        around = np.lib.stride_tricks.sliding_window_view(np.pad(np.where(clear, power, np.nan), 1), (3, 3))
        middle = np.nanmedian(np.where(clear[..., None, None], around, 1.0), axis=(2, 3))
        near = _within(shore, to_grid, (power.shape[0], frame.left_m, frame.top_m), 60)
        dark = (middle < 10**-2.1) & near & clear
        assert dark.sum() * 900 == pytest.approx(row["visible_area_m2"], rel=0.08)


def _within(
    shore: Any, to_grid: Transformer, grid: tuple[int, float, float], margin_m: float
) -> NDArray[Any]:
    """Pixels within a margin of a shore."""
    import shapely

    size_px, left_m, top_m = grid
    local = shapely.transform(shore, lambda at: np.column_stack(to_grid.transform(at[:, 0], at[:, 1])))
    at_m = (np.arange(size_px) + 0.5) * 30
    x, y = np.meshgrid(left_m + at_m, top_m - at_m)
    return np.asarray(shapely.contains_xy(local.buffer(margin_m), x, y))


def test_a_lake_on_the_seam_needs_both_bursts_and_they_overlap(summer: Archive) -> None:
    north, south = (
        square(files_of(summer, burst, "mask")[0], "tilicho", 2400) != 255
        for burst in ("T019-039568-IW3", "T019-039569-IW3")
    )
    assert not north.all() and not south.all()
    assert (north & south).mean() > 0.3
    assert (north | south).mean() > 0.97


def test_the_older_processing_is_there_and_says_other_numbers(summer: Archive) -> None:
    assert len(summer.superseded) >= 5  # the first pass of each burst, at least
    for old in summer.superseded[:3]:
        (new,) = (name for name in summer.granules if name[:50] == old[:50] and name != old)
        made, remade = parse_name(old).created, parse_name(new).created
        assert made is not None and remade is not None and (remade - made).days >= 30
        burst = parse_name(old).burst or ""
        means = []
        for name in (old, new):
            with rasterio.open(summer.folder / "scenes" / burst / f"{name}_VV.tif") as file:
                means.append(np.nanmedian(file.read(1)))
        assert 10 * np.log10(means[0] / means[1]) == pytest.approx(OLD_CALIBRATION_DB, abs=0.01)


def test_the_same_order_writes_the_same_bytes_whoever_works_and_another_seed_does_not(tmp_path: Path) -> None:
    order = make_order(["chamlang", "thame"], JULY, seed=3)
    first = digests(write_archive(tmp_path / "a", order, one_by_one).folder)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        again = digests(
            write_archive(tmp_path / "b", order, lambda f, tasks: list(pool.map(f, tasks))).folder
        )
    assert first == again
    other = digests(write_archive(tmp_path / "c", make_order(["chamlang"], JULY, seed=4), one_by_one).folder)
    images = {name for name in first if "/T012" in name and name.endswith(("VV.tif", "VH.tif"))}
    assert images and not {first[name] for name in images} & set(other.values())


def test_damage_is_as_asked_for_and_told(tmp_path: Path) -> None:
    shares = {"truncated": 0.25, "crs": 0.25, "nan": 0.25, "html": 0.25}
    archive = write_archive(
        tmp_path / "a", make_order(["chamlang"], (JULY[0], date(2023, 9, 20)), damage=shares)
    )
    assert set(archive.damaged) == set(archive.granules) - set(archive.superseded)
    assert set(archive.damaged.values()) == set(shares)
    told = read_truth(archive.folder).granules.set_index("granule").damage
    assert {name: kind for name, kind in told.items() if kind} == archive.damaged
    refused = " ".join(one.name for one in FolderSource(archive.folder / "scenes").find(EVERYTHING).refused)
    for name, kind in archive.damaged.items():
        path = archive.folder / "scenes" / (parse_name(name).burst or "") / f"{name}_VV.tif"
        assert (name in refused) == (kind != "nan"), (name, kind)
        if kind == "nan":
            with rasterio.open(path) as file:
                assert np.isnan(file.read(1)).all()
        if kind == "truncated":
            with rasterio.open(path) as file, pytest.raises(rasterio.errors.RasterioError):
                file.read(1)


def test_the_archive_s_own_registry_and_catalogue_can_be_read(summer: Archive) -> None:
    lakes = load_lakes(summer.registry)
    assert set(lakes) == set(LAKES)
    assert lakes["tilicho"].tracks == (19, 92, 158)
    assert summer.catalog.is_file()
    found = FolderSource(summer.folder).find(EVERYTHING)  # static layers lie beside, and do not disturb
    assert len(found.items) + len(found.superseded) == len(summer.granules) and not found.refused


def test_the_ground_lies_beside_the_truth(summer: Archive) -> None:
    found = sorted(path.name for path in (summer.folder / "truth" / "elevation").iterdir())
    assert "tilicho_EPSG32644.gtiff" in found and "tilicho_EPSG32645.gtiff" in found and len(found) == 4
    with rasterio.open(summer.folder / "truth" / "elevation" / "tsho-rolpa_EPSG32645.gtiff") as file:
        height_m = file.read(1)
        site = find_site("tsho-rolpa")
        x, y = Transformer.from_crs(4326, file.crs, always_xy=True).transform(
            site.longitude_deg, site.latitude_deg
        )
        assert height_m[file.index(x, y)] == site.basins[0].level_m
    assert 500 < height_m.max() - height_m.min() < 4000


def test_an_archive_tells_what_it_was_made_of(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    assert read_recipe(folder) is None
    order = make_order(["chamlang"], JULY, seed=7)
    write_archive(folder, order)
    assert read_recipe(folder) == (order, True)
    told = json.loads((folder / "archive.json").read_text())
    assert (told["seed"], told["lakes"], told["profile"]) == (7, ["chamlang"], "himalaya")
    (folder / "archive.json").write_text("{")
    with pytest.raises(CatalogError, match=r"archive.json' cannot be read .*; delete the folder"):
        read_recipe(folder)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    order = make_order(["chamlang"], JULY)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(CatalogError, match=r"full' is not empty; give a folder that is empty"):
        write_archive(tmp_path / "full", order)
    with pytest.raises(CatalogError, match=r"mine.txt' is a file; give a folder"):
        write_archive(tmp_path / "full" / "mine.txt", order)
    with pytest.raises(CatalogError, match=r"cannot write the archive in '.*mine.txt/a'"):
        write_archive(tmp_path / "full" / "mine.txt" / "a", order)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]

    def broken(work: Any, tasks: Any) -> list[Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_archive(tmp_path / "begun", order, broken)
    with pytest.raises(CatalogError, match="an archive was begun there and not finished; give a folder"):
        write_archive(tmp_path / "begun", order)


def test_what_cannot_be_simulated_is_refused_by_name() -> None:
    span = (date(2023, 1, 1), date(2024, 1, 1))
    with pytest.raises(UnknownLake, match=r"has no site 'imjaa'; it has tsho-rolpa, .* and sim-01 to sim-48"):
        make_order(["imjaa"], span)
    with pytest.raises(CatalogError, match="0 sites cannot be simulated; give 1 to"):
        make_order(0, span)
    with pytest.raises(CatalogError, match=r"end 2023-01-01 is not after start 2024-01-01; swap them"):
        make_order(1, span[::-1])
    with pytest.raises(CatalogError, match="is not within 2016-01-01 to 2040-01-01"):
        make_order(1, (date(2012, 1, 1), date(2014, 1, 1)))
    with pytest.raises(CatalogError, match="seed -1 is negative"):
        make_order(1, span, seed=-1)
    with pytest.raises(CatalogError, match="profile 'andes' is unknown; give one of himalaya"):
        make_order(1, span, profile="andes")
    with pytest.raises(CatalogError, match="damage html=2: give one of truncated, crs, nan, html"):
        make_order(1, span, damage={"html": 2})
    with pytest.raises(CatalogError, match=r"damage shares add up to 1.2"):
        make_order(1, span, damage={"html": 0.6, "nan": 0.6})
