"""A folder as a source: every granule once, every damage named, nothing written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import box

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.folder import FolderSource, matches
from glaciolake.catalog.granule import OrbitState
from glaciolake.catalog.items import granule_of
from glaciolake.catalog.request import Found, Request
from tests.catalog.rasters import (
    BURST,
    HYP3,
    OPERA,
    OPERA_AGAIN,
    OPERA_ASCENDING,
    OPERA_LATER,
    write_hyp3,
    write_opera,
    write_rtc,
)

ALL = Request(None, datetime(2014, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))


def find(folder: Path, request: Request = ALL) -> Found:
    return FolderSource(folder).find(request)


def ids(found: Found) -> list[str]:
    return [item.id for item in found.items]


def reason(found: Found) -> str:
    assert len(found.refused) == 1, found.refused
    return found.refused[0].reason


def test_files_of_a_granule_become_one_complete_item(tmp_path: Path) -> None:
    paths = write_opera(tmp_path / "deep" / "deeper")
    found = find(tmp_path)
    assert (ids(found), found.superseded, found.refused) == ([OPERA], (), ())
    granule = granule_of(found.items[0])
    assert granule.bands == ("mask", "vh", "vv")
    assert [href for _, href in granule.hrefs] == [str(path) for path in reversed(paths)]
    assert (granule.burst, granule.relative_orbit, granule.orbit_state) == (BURST, 121, "descending")
    assert (granule.crs, granule.shape, granule.spacing_m) == ("EPSG:32645", (40, 50), 30.0)
    with rasterio.open(paths[0]) as file:
        assert granule.transform == tuple(file.transform)[:6]
    assert found.items[0].assets["vv"].extra_fields["file:size"] == paths[0].stat().st_size


def test_published_checksum_beside_a_file_is_taken_along(tmp_path: Path) -> None:
    path = write_opera(tmp_path)[0]
    path.with_name(path.name + ".md5").write_text(f"{'0F' * 16}  {path.name}\n")
    assets = find(tmp_path).items[0].assets
    assert assets["vv"].extra_fields["file:checksum"] == "d510" + "0f" * 16
    assert "file:checksum" not in assets["vh"].extra_fields


def test_hyp3_scene_takes_track_from_place_and_time_and_creation_from_its_tag(tmp_path: Path) -> None:
    write_hyp3(tmp_path)
    granule = granule_of(find(tmp_path).items[0])
    assert (granule.relative_orbit, granule.orbit_state, granule.burst) == (12, "ascending", None)
    assert granule.created == datetime(2025, 9, 29, 6, 9, 5, tzinfo=UTC)
    assert granule.filtered and granule.version == "gpufed"


def test_hyp3_scene_without_a_usable_tag_has_no_creation_time(tmp_path: Path) -> None:
    write_hyp3(tmp_path, processed="yesterday")
    assert granule_of(find(tmp_path).items[0]).created is None


def test_one_scene_cropped_around_two_lakes_gives_two_items(tmp_path: Path) -> None:
    write_hyp3(tmp_path / "tsho-rolpa")
    write_rtc(tmp_path / "elsewhere" / f"{HYP3}_VV.tif", spacing_m=20.0, west_m=470_000.0)
    found = find(tmp_path)
    assert len(set(ids(found))) == 2 and found.superseded == () and found.refused == ()


def test_one_burst_cropped_around_two_lakes_gives_two_items(tmp_path: Path) -> None:
    write_opera(tmp_path / "a")
    write_opera(tmp_path / "b", west_m=470_010.0)
    found = find(tmp_path)
    assert len(set(ids(found))) == 2 and all(name.startswith(OPERA) for name in ids(found))


def test_copy_of_a_file_in_another_folder_is_refused_by_name(tmp_path: Path) -> None:
    write_opera(tmp_path / "a")
    write_opera(tmp_path / "b")
    found = find(tmp_path)
    assert ids(found) == [OPERA]
    assert found.refused[0].name.startswith("b/") and "same granule on the same grid" in reason(found)


def test_newer_processing_supersedes_and_the_older_stays_known(tmp_path: Path) -> None:
    write_opera(tmp_path)
    write_opera(tmp_path, OPERA_AGAIN)
    found = find(tmp_path)
    assert (ids(found), [item.id for item in found.superseded]) == ([OPERA_AGAIN], [OPERA])


def test_answer_is_sorted_and_the_same_whatever_the_order_on_disk(tmp_path: Path) -> None:
    for name in (OPERA_LATER, OPERA, OPERA_ASCENDING):
        write_opera(tmp_path / "one" / name, name)
    for name in (OPERA_ASCENDING, OPERA, OPERA_LATER):
        write_opera(tmp_path / "two", name)
    assert ids(find(tmp_path / "one")) == ids(find(tmp_path / "two")) == [OPERA, OPERA_ASCENDING, OPERA_LATER]


def ask(
    *,
    days: tuple[int, int] = (1, 30),
    aoi: tuple[float, float, float, float] | None = None,
    bursts: tuple[str, ...] = (),
    tracks: tuple[int, ...] = (),
    state: OrbitState | None = None,
) -> Request:
    start, end = (datetime(2024, 9, day, tzinfo=UTC) for day in days)
    return Request(None if aoi is None else box(*aoi), start, end, bursts, tracks, state)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (ask(), [OPERA, OPERA_ASCENDING, OPERA_LATER]),
        (ask(days=(16, 28)), [OPERA, OPERA_ASCENDING]),
        (ask(days=(17, 30)), [OPERA_ASCENDING, OPERA_LATER]),
        (ask(bursts=(BURST,)), [OPERA, OPERA_LATER]),
        (ask(tracks=(12, 85)), [OPERA_ASCENDING]),
        (ask(state="ascending"), [OPERA_ASCENDING]),
        (ask(aoi=(86.475, 27.86, 86.48, 27.87)), [OPERA, OPERA_ASCENDING, OPERA_LATER]),
        (ask(aoi=(86.9, 27.86, 87.0, 27.9)), []),
    ],
)
def test_request_narrows_the_answer(tmp_path: Path, request_: Request, expected: list[str]) -> None:
    for name in (OPERA, OPERA_LATER, OPERA_ASCENDING):
        write_opera(tmp_path, name)
    found = find(tmp_path, request_)
    assert ids(found) == expected
    assert all(matches(item, request_) for item in found.items)


def test_hyp3_scene_is_filtered_by_the_track_that_its_name_lacks(tmp_path: Path) -> None:
    write_hyp3(tmp_path)
    on_121 = Request(None, ALL.start, ALL.end, tracks=(121,))
    assert ids(find(tmp_path, on_121)) == []
    assert not any(matches(item, on_121) for item in find(tmp_path).items)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3000])


def cut_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), r"empty \(0 bytes\); fetch"),
    "login page": (lambda path: path.write_text("\n<!DOCTYPE html><html>"), "web page.*log in to Earthdata"),
    "text": (lambda path: path.write_text("not found"), "no TIFF.*b'not '"),
    "cut header": (cut_header, "header cannot be read"),
    "cut off": (cut_off, "cut off.*bytes are missing"),
    "no projection": (lambda path: write_rtc(path, crs=None), "no coordinate reference system"),
    "degrees": (lambda path: write_rtc(path, crs="EPSG:4326"), "no EPSG map projection"),
    "wrong zone": (
        lambda path: write_rtc(path, crs="EPSG:32643"),
        f"km from burst {BURST}.*projection or its name",
    ),
    "wrong hemisphere": (lambda path: write_rtc(path, crs="EPSG:32745"), f"km from burst {BURST}"),
    "resampled": (lambda path: write_rtc(path, spacing_m=10.0), r"pixels \(10, 0, 0, -10\) are not 30 m"),
    "picture": (lambda path: write_rtc(path, dtype="uint8"), "values are uint8, power has float32"),
    "other grid": (lambda path: write_rtc(path, shape=(41, 50)), "is not that of its other files"),
    "moved grid": (lambda path: write_rtc(path, west_m=448_050.0), "is not that of its other files"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_file_is_named_with_its_reason_and_the_others_go_on(tmp_path: Path, kind: str) -> None:
    damage, expected = DAMAGE[kind]
    damaged = write_opera(tmp_path / "a")[0]
    write_opera(tmp_path, OPERA_LATER)
    damage(damaged)
    found = find(tmp_path)
    assert ids(found) == [OPERA_LATER]
    assert found.refused[0].name == f"a/{OPERA}_VV.tif"
    assert "3 files are left out" in reason(found)
    assert re.search(expected, reason(found)), reason(found)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=8))
def test_no_garbled_header_stops_the_batch(tmp_path: Path, garbled: list[tuple[int, int]]) -> None:
    path = write_rtc(tmp_path / f"{OPERA}_VV.tif")
    write_opera(tmp_path, OPERA_LATER)
    content = bytearray(path.read_bytes())
    for offset, value in garbled:
        content[offset] = value
    path.write_bytes(content)
    found = find(tmp_path)
    assert len(found.items) + len(found.refused) == 2 and OPERA_LATER in ids(found)


def test_damaged_mask_leaves_its_granule_out_rather_than_unmasked(tmp_path: Path) -> None:
    write_opera(tmp_path)[2].write_bytes(b"")
    found = find(tmp_path)
    assert found.items == ()
    assert found.refused[0].name == f"{OPERA}_mask.tif"


def test_mask_of_another_type_is_refused(tmp_path: Path) -> None:
    write_rtc(write_opera(tmp_path)[2])
    assert "values are float32, a mask has uint8" in reason(find(tmp_path))


def test_composite_under_the_name_of_a_measurement_is_refused(tmp_path: Path) -> None:
    path = write_opera(tmp_path)[0]
    with rasterio.open(path) as file:
        profile, values = file.profile, file.read(1)
    with rasterio.open(path, "w", **{**profile, "count": 3}) as file:
        file.write(np.stack([values] * 3))
    assert "has 3 bands where a layer has one" in reason(find(tmp_path))


def test_link_to_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    path = write_opera(tmp_path)[0]
    path.unlink()
    path.symlink_to(tmp_path / "gone.tif")
    assert "cannot be read (No such file or directory)" in reason(find(tmp_path))


def test_place_that_no_satellite_saw_at_that_time_is_refused(tmp_path: Path) -> None:
    write_hyp3(tmp_path, HYP3.replace("T121336", "T151336"))
    assert "no Sentinel-1 track shows 27.86" in reason(find(tmp_path))


def test_foreign_names_are_refused_one_by_one(tmp_path: Path) -> None:
    write_opera(tmp_path)
    write_rtc(tmp_path / "mosaic.tif")
    write_rtc(tmp_path / f"{HYP3.replace('gpufed', 'gdufed')}_VV.tif")
    found = find(tmp_path)
    assert ids(found) == [OPERA]
    assert [one.name for one in found.refused] == [f"{HYP3.replace('gpufed', 'gdufed')}_VV.tif", "mosaic.tif"]
    assert "decibel" in found.refused[0].reason and "expected OPERA" in found.refused[1].reason


def test_layers_that_are_no_acquisition_are_passed_over(tmp_path: Path) -> None:
    write_opera(tmp_path)
    write_rtc(tmp_path / f"OPERA_L2_RTC-S1-STATIC_{BURST}_20140403_S1A_30_v1.0_mask.tif", dtype="uint8")
    write_rtc(tmp_path / f"{HYP3}_ls_map.tif", spacing_m=20.0, dtype="uint8")
    (tmp_path / f"{OPERA}_BROWSE.png").touch()
    found = find(tmp_path)
    assert (ids(found), found.refused) == ([OPERA], ())


def test_folder_of_damaged_files_is_an_answer_and_one_without_any_is_an_error(tmp_path: Path) -> None:
    for path in write_opera(tmp_path / "damaged"):
        path.write_bytes(b"")
    assert find(tmp_path / "damaged").items == ()
    write_rtc(tmp_path / "other" / "mosaic.tif")
    with pytest.raises(CatalogError, match=r"holds 1 \.tif files of other names; expected OPERA RTC-S1"):
        find(tmp_path / "other")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CatalogError, match=r"holds no image in \.tif; expected OPERA RTC-S1"):
        find(tmp_path / "empty")
    with pytest.raises(CatalogError, match="nowhere' is no folder; give one that holds OPERA"):
        find(tmp_path / "nowhere")


def test_folder_that_cannot_be_listed_is_reported_not_taken_for_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_opera(tmp_path)
    write_opera(tmp_path / "locked", OPERA_LATER)
    scandir = os.scandir

    def locked(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    found = find(tmp_path)
    assert (ids(found), found.refused[0].name) == ([OPERA], "locked")
    assert reason(found) == "it cannot be listed (Permission denied); check permissions"


def test_link_that_leads_back_is_followed_once(tmp_path: Path) -> None:
    write_opera(tmp_path / "data")
    (tmp_path / "data" / "loop").symlink_to(tmp_path)
    (tmp_path / "other-name").symlink_to(tmp_path / "data")
    found = find(tmp_path)
    assert (ids(found), found.refused) == ([OPERA], ())


def test_scan_leaves_nothing_behind_and_believes_no_sidecar(tmp_path: Path) -> None:
    path = write_opera(tmp_path)[0]
    sidecar = path.with_name(path.name + ".aux.xml")
    sidecar.write_text("<PAMDataset><SRS>EPSG:32643</SRS></PAMDataset>")
    before = sorted(tmp_path.rglob("*"))
    assert granule_of(find(tmp_path).items[0]).crs == "EPSG:32645"
    assert sorted(tmp_path.rglob("*")) == before


def test_addresses_are_absolute_even_for_a_relative_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_opera(tmp_path / "rtc")
    monkeypatch.chdir(tmp_path)
    hrefs = granule_of(find(Path("rtc")).items[0]).hrefs
    assert all(os.path.isabs(href) and Path(href).is_file() for _, href in hrefs)  # noqa: PTH117


def test_real_scenes_of_five_lakes_come_out_whole(shared_data: Path) -> None:
    found = find(shared_data / "himalaya_hyp3_rtc20")
    assert (len(found.items), len(found.superseded), found.refused) == (298, 1, ())
    granules = [granule_of(item) for item in found.items]
    assert len({granule.name for granule in granules}) == 298
    assert {granule.relative_orbit for granule in granules} == {12, 19, 85, 92, 121, 158}
    assert {granule.crs for granule in granules} == {"EPSG:32644", "EPSG:32645"}
    assert all(granule.filtered and granule.created is not None for granule in granules)


def test_tilicho_pass_that_was_processed_twice_is_kept_once(shared_data: Path) -> None:
    day = Request(None, datetime(2021, 3, 28, tzinfo=UTC), datetime(2021, 3, 29, tzinfo=UTC))
    found = find(shared_data / "himalaya_hyp3_rtc20" / "tilichoTsho", day)
    assert [item.properties["glaciolake:granule"][-4:] for item in found.items] == ["831F"]
    assert [item.properties["glaciolake:granule"][-4:] for item in found.superseded] == ["9EE4"]


def test_real_bursts_pair_their_polarisations(shared_data: Path) -> None:
    found = find(shared_data / "opera_rtc_t137")
    assert (len(found.items), found.superseded, found.refused) == (15 * 31, (), ())
    granules = [granule_of(item) for item in found.items]
    assert {granule.bands for granule in granules} == {("vh", "vv")}
    assert len({granule.burst for granule in granules}) == 15
    assert len({(granule.burst, granule.transform) for granule in granules}) == 15
    assert {(granule.relative_orbit, granule.orbit_state) for granule in granules} == {(137, "ascending")}
