from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from scipy.ndimage import uniform_filter

from glaciolake.catalog.errors import CatalogError, UnknownLake
from glaciolake.catalog.names import parse_name
from glaciolake.catalog.simulate import archive as simulated
from glaciolake.catalog.simulate.archive import Archive, read_seed, write_archive
from glaciolake.catalog.simulate.backscatter import LOOKS, speckle
from glaciolake.catalog.simulate.calendar import acquisitions, season_of
from glaciolake.catalog.simulate.radar import LAYOVER, MARGIN_PX, SHADOW, view_scene
from glaciolake.catalog.simulate.sites import BURSTS, SITES, TRACKS
from glaciolake.catalog.simulate.terrain import build_scene

SUMMER = (date(2023, 6, 9), date(2023, 8, 5))


@pytest.fixture(scope="module")
def summer(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return write_archive(tmp_path_factory.mktemp("archive"), start=SUMMER[0], end=SUMMER[1])


def rows_of(archive: Archive) -> list[dict[str, str]]:
    with archive.truth.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def layer(archive: Archive, burst: str, band: str) -> Iterator[Path]:
    return iter(sorted(archive.folder.glob(f"*_{burst}_*_{band}.tif")))


def lake_pixels(path: Path, lake: str, half_m: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Square of pixels around a lake's centre."""
    with rasterio.open(path) as file:
        to_grid = Transformer.from_crs(4326, file.crs, always_xy=True)
        x, y = to_grid.transform(SITES[lake].longitude_deg, SITES[lake].latitude_deg)
        window = rasterio.windows.from_bounds(x - half_m, y - half_m, x + half_m, y + half_m, file.transform)
        values: np.ndarray[tuple[int, int], np.dtype[np.float32]] = file.read(1, window=window)
        return values


def test_every_granule_has_a_real_name_and_three_layers(summer: Archive) -> None:
    files = {path.name for path in summer.folder.glob("*.tif")}
    assert files == {f"{name}_{band}.tif" for name in summer.granules for band in ("VV", "VH", "mask")}
    for name in summer.granules:
        parsed = parse_name(name)
        assert (parsed.family, parsed.sensor, parsed.spacing_m) == ("opera", "S1A", 30)
        assert parsed.created is not None and parsed.created > parsed.sensing_start
        assert parsed.burst in {burst.id for burst in BURSTS}


def test_passes_come_on_the_satellite_s_own_days() -> None:
    days = acquisitions(TRACKS[121], date(2022, 10, 1), date(2024, 10, 1))
    assert {(day - date(2020, 1, 1)).days % 24 for day in days} == {3}
    assert 30 <= len(days) <= 31
    assert acquisitions(TRACKS[121], days[4], days[9]) == days[4:9]


def test_files_are_cloud_optimised_and_of_the_product_s_types(summer: Archive) -> None:
    for band, dtype in (("VV", "float32"), ("VH", "float32"), ("mask", "uint8")):
        with rasterio.open(next(layer(summer, "T085-180586-IW3", band))) as file:
            assert file.dtypes == (dtype,)
            assert file.block_shapes == [(512, 512)]
            assert file.compression.name == "deflate"
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert file.nodata == 255 if band == "mask" else np.isnan(file.nodata)
            assert file.tags()["BURST_ID"] == "t085_180586_iw3"


def test_a_burst_has_one_grid_on_the_common_lattice(summer: Archive) -> None:
    for burst in BURSTS:
        grids = set()
        for band in ("VV", "VH", "mask"):
            for path in layer(summer, burst.id, band):
                with rasterio.open(path) as file:
                    grids.add((file.crs.to_epsg(), file.transform, file.shape))
        assert len(grids) == 1
        epsg, transform, _ = grids.pop()
        assert epsg == burst.epsg
        assert (transform.a, transform.e) == (30, -30)
        assert transform.c % 30 == 0 and transform.f % 30 == 0


def test_shadow_has_no_backscatter_and_layover_keeps_it(summer: Archive) -> None:
    codes: Counter[int] = Counter()
    for mask_path in sorted(summer.folder.glob("*_mask.tif")):
        with rasterio.open(mask_path) as mask, rasterio.open(str(mask_path).replace("mask", "VV")) as vv:
            mask_values, power = mask.read(1), vv.read(1)
        codes.update({int(code): int((mask_values == code).sum()) for code in np.unique(mask_values)})
        assert np.array_equal(np.isnan(power), np.isin(mask_values, (1, 3, 255)))
        assert np.nanmin(power) >= 0
    assert set(codes) == {0, 1, 2, 3, 255}


def test_water_is_dark_and_land_is_not(summer: Archive) -> None:
    for path in layer(summer, "T121-258662-IW2", "VV"):
        water_db = 10 * np.log10(lake_pixels(path, "tsho-rolpa", 150).mean())
        land_db = 10 * np.log10(np.nanmedian(lake_pixels(path, "tsho-rolpa", 3000)))
        assert -21 < water_db < -16
        assert -12 < land_db < -7
        cross = Path(str(path).replace("_VV", "_VH"))
        assert 10 * np.log10(lake_pixels(cross, "tsho-rolpa", 150).mean()) < water_db - 4


def test_each_look_direction_hides_its_own_share_of_the_lake(summer: Archive) -> None:
    share: dict[tuple[str, str], float] = {}
    for row in rows_of(summer):
        share[row["lake"], row["track"]] = float(row["seen_area_m2"]) / float(row["lake_area_m2"])
    assert 0.7 < share["tsho-rolpa", "T085"] < 0.8
    assert 0.7 < share["chamlang", "T012"] < 0.8
    assert share["tsho-rolpa", "T121"] > 0.95
    assert share["chamlang", "T121"] > 0.95


def test_dark_pixels_near_the_shore_add_up_to_the_area_that_the_truth_says(summer: Archive) -> None:
    scene = build_scene(SITES["tsho-rolpa"], 32645, simulated.SIZE_PX + 2 * MARGIN_PX, seed=0)
    rows = {row["pass_id"]: row for row in rows_of(summer) if row["lake"] == "tsho-rolpa"}
    for path in [*layer(summer, "T121-258662-IW2", "VV"), *layer(summer, "T085-180586-IW3", "VV")]:
        with rasterio.open(path) as vv, rasterio.open(str(path).replace("_VV", "_mask")) as mask:
            row, column = vv.index(scene.left_m + 15, scene.top_m - 15)
            inner = scene.offshore_m[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
            window = rasterio.windows.Window(column + MARGIN_PX, row + MARGIN_PX, *inner.shape)
            power, codes = vv.read(1, window=window), mask.read(1, window=window)
        clear = codes == 0
        smooth = uniform_filter(np.where(clear, power, 0), 3) / uniform_filter(clear + 1e-6, 3)
        dark = (smooth < 10**-1.2) & (inner < 60) & clear
        start = parse_name(path.name).sensing_start
        truth_m2 = float(rows[f"{path.name[16:20]}_S1A_{start:%Y%m%d}"]["seen_area_m2"])
        assert dark.sum() * 900 == pytest.approx(truth_m2, rel=0.08)


def test_a_lake_on_the_seam_needs_both_bursts_and_they_overlap(summer: Archive) -> None:
    north, south = (
        ~np.isnan(lake_pixels(next(layer(summer, burst, "VV")), "tilicho", 2400))
        for burst in ("T019-039568-IW3", "T019-039569-IW3")
    )
    assert not north.all() and not south.all()
    assert (north & south).mean() > 0.3
    assert (north | south).mean() > 0.98


def test_the_older_processing_is_there_and_says_other_numbers(summer: Archive) -> None:
    (old,) = summer.superseded
    (new,) = (name for name in summer.granules if name[:50] == old[:50] and name != old)
    assert parse_name(new).sensing_start == parse_name(old).sensing_start
    made, remade = parse_name(old).created, parse_name(new).created
    assert made is not None and remade is not None and remade > made
    with (
        rasterio.open(summer.folder / f"{old}_VV.tif") as file,
        rasterio.open(summer.folder / f"{new}_VV.tif") as other,
    ):
        ratio_db = 10 * np.log10(np.nanmedian(file.read(1)) / np.nanmedian(other.read(1)))
    assert ratio_db == pytest.approx(simulated.OLD_CALIBRATION_DB, abs=0.01)


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    def digests(folder: str, seed: int) -> dict[str, str]:
        written = write_archive(
            tmp_path / folder, lakes=["chamlang"], start=date(2023, 7, 1), end=date(2023, 8, 1), seed=seed
        )
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in written.folder.iterdir()}

    first = digests("a", 0)
    assert first == digests("b", 0)
    other = digests("c", 1)
    assert not set(first.values()) & set(other.values())


def test_winter_freezes_the_lake_and_brightens_it(tmp_path: Path) -> None:
    archive = write_archive(tmp_path, lakes=["chamlang"], start=date(2023, 3, 1), end=date(2023, 4, 1))
    assert {row["state"] for row in rows_of(archive)} == {"frozen"}
    frozen_db = 10 * np.log10(
        lake_pixels(next(layer(archive, "T121-258662-IW2", "VV")), "chamlang", 150).mean()
    )
    assert -16 < frozen_db < -12


def test_the_calendar_of_ice_turns_over_once_a_year() -> None:
    lake, first = SITES["tsho-rolpa"], date(2022, 10, 1)
    states = [season_of(lake, date.fromordinal(first.toordinal() + n), first).state for n in range(0, 365, 5)]
    changes = [state for state, before in zip(states, ["", *states], strict=False) if state != before]
    assert changes == ["open", "mixed", "frozen", "mixed", "open"]
    assert season_of(lake, date(2023, 8, 15), first).state == "open"
    assert season_of(lake, date(2023, 2, 15), first).state == "frozen"


def test_the_lake_grows_towards_the_glacier_only() -> None:
    lake = SITES["tsho-rolpa"]
    early, late = (season_of(lake, date(year, 8, 1), date(2022, 8, 1)) for year in (2022, 2032))
    assert early.shore_m == pytest.approx(late.shore_m, abs=0.2)
    assert late.front_m == pytest.approx(10 * lake.growth_m_per_year, rel=0.01)


def test_speckle_has_the_looks_and_the_mean_that_are_stated() -> None:
    field = speckle((600, 600), np.random.default_rng(1))
    assert field.mean() == pytest.approx(1.0, abs=0.005)
    assert field.mean() ** 2 / field.var() == pytest.approx(LOOKS, rel=0.05)
    assert np.corrcoef(field[:, 1:].ravel(), field[:, :-1].ravel())[0, 1] == pytest.approx(0.39, abs=0.02)


def test_flat_ground_comes_back_as_it_was_and_unmasked() -> None:
    scene = build_scene(SITES["chamlang"], 32645, 64 + 2 * MARGIN_PX, seed=0)
    flat = type(scene)(
        scene.site,
        scene.left_m,
        scene.top_m,
        np.full_like(scene.height_m, scene.site.level_m),
        scene.offshore_m,
        scene.front,
        scene.texture,
    )
    view = view_scene(flat, 80.0, 34.0)
    ramp = np.tile(np.linspace(1, 2, flat.height_m.shape[1], dtype=np.float32), (flat.height_m.shape[0], 1))
    image = view.image(view.at_facets(ramp))
    assert not view.mask.any()
    np.testing.assert_allclose(image, ramp[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX], atol=2e-3)


def test_a_wall_hides_ground_behind_it_and_lays_over_ground_before_it() -> None:
    scene = build_scene(SITES["chamlang"], 32645, 64 + 2 * MARGIN_PX, seed=0)
    height_m = np.full_like(scene.height_m, scene.site.level_m)
    edge = height_m.shape[1] // 2
    height_m[:, edge : edge + 4] += 200.0
    wall = type(scene)(
        scene.site, scene.left_m, scene.top_m, height_m, scene.offshore_m, scene.front, scene.texture
    )
    mask = view_scene(wall, 90.0, 40.0).mask[32]
    top_px = 32
    before = 200 / np.tan(np.radians(40)) / 30
    behind = 200 * np.tan(np.radians(40)) / 30
    assert int((mask[:top_px] & LAYOVER > 0).sum()) == pytest.approx(before, abs=1.5)
    assert int((mask[top_px + 4 :] & SHADOW > 0).sum()) == pytest.approx(behind, abs=1.5)


def test_what_cannot_be_simulated_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownLake, match="no lake 'imja'; it has tsho-rolpa, chamlang, tilicho"):
        write_archive(tmp_path, lakes=["imja"])
    with pytest.raises(CatalogError, match="end 2023-01-01 is not after start 2024-01-01; swap"):
        write_archive(tmp_path, start=date(2024, 1, 1), end=date(2023, 1, 1))


def test_an_archive_tells_its_seed(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    assert read_seed(folder) is None
    write_archive(folder, lakes=["chamlang"], start=date(2023, 7, 1), end=date(2023, 7, 14), seed=7)
    assert read_seed(folder) == 7
    recipe = json.loads((folder / "archive.json").read_text())
    assert recipe == {"seed": 7, "lakes": ["chamlang"], "start": "2023-07-01", "end": "2023-07-14"}
    (folder / "archive.json").write_text("{")
    with pytest.raises(CatalogError, match=r"archive.json' cannot be read .*; delete the folder"):
        read_seed(folder)


def test_a_folder_that_cannot_be_made_is_named_with_the_fix(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert read_seed(file) is None
    for out in (file, file / "archive"):
        with pytest.raises(CatalogError, match=r"cannot write the archive in '.*file.*; give a folder on a"):
            write_archive(out)
