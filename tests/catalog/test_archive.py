from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from shapely.geometry import box

from glaciolake.catalog.archive import Listed, band_files, completed, is_asked
from glaciolake.catalog.burst_grids import BurstGrids
from glaciolake.catalog.errors import SearchFailed
from glaciolake.catalog.granule import Band
from glaciolake.catalog.items import BandFile, granule_of
from glaciolake.catalog.names import parse_name
from glaciolake.catalog.request import Request
from tests.catalog.loopback import geotiff
from tests.catalog.replies import GRID, granule, seed_grids

NAME = parse_name(granule("20240310T001134Z"))
OTHER = granule("20240322T001134Z")
BURSTS = ["T012-023790-IW1", "T085-180586-IW3", "T121-258662-IW2"]
ALL_TIME = Request(None, datetime(2015, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))


def test_of_all_addresses_only_the_granules_own_rasters_count_and_https_wins() -> None:
    folder = f"s3://bucket/{NAME.granule}"
    hrefs = [
        f"{folder}/{NAME.granule}_VV.tif",
        f"https://host/{NAME.granule}_VV.tif?signature=x",
        f"https://host/{NAME.granule}_VV.tif.md5",
        f"{folder}/{NAME.granule}_VH.tif",
        f"https://host/{NAME.granule}.h5",
        f"https://host/{NAME.granule}_BROWSE.png",
        f"https://host/{OTHER}_mask.tif",
        "https://host/thumbnail.tif",
    ]
    for order in (hrefs, hrefs[::-1]):
        files = band_files(NAME, map(BandFile, order))
        assert {band: file.href for band, file in files.items()} == {"vh": hrefs[3], "vv": hrefs[1]}
        assert list(files) == ["vh", "vv"]


def test_bursts_that_are_not_known_are_fetched_and_remembered(tmp_path: Path) -> None:
    listed = []
    for number, burst in enumerate(BURSTS, start=4):
        path = tmp_path / f"{burst}.tif"
        path.write_bytes(geotiff(shape=(number, number)))
        names = [parse_name(granule(f"2024031{day}T001134Z", burst=burst)) for day in (0, 1)]
        listed += [Listed(name, {"vv": BandFile(str(path))}, None) for name in names]
    grids = BurstGrids(tmp_path, shared=lambda href: True)
    items, refused = completed(listed, grids)
    assert not refused and len(items) == 6
    shapes = {granule_of(item).burst: granule_of(item).shape for item in items}
    assert shapes == dict(zip(BURSTS, [(4, 4), (5, 5), (6, 6)], strict=True))
    for path in tmp_path.glob("*.tif"):
        path.unlink()
    again, _ = completed(listed, BurstGrids(tmp_path, shared=lambda href: True))
    assert [item.to_dict() for item in again] == [item.to_dict() for item in items]


def test_one_burst_that_cannot_be_read_fails_the_whole(tmp_path: Path) -> None:
    seed_grids(tmp_path, BURSTS[:2])
    listed = [
        Listed(parse_name(granule("20240310T001134Z", burst=burst)), {"vv": BandFile("/gone.tif")}, None)
        for burst in BURSTS
    ]
    with pytest.raises(SearchFailed, match=rf"{BURSTS[2]}.*gone\.tif"):
        completed(listed, BurstGrids(tmp_path, shared=lambda href: True))


def test_a_footprint_drawn_around_the_earth_is_not_believed(tmp_path: Path) -> None:
    files: dict[Band, BandFile] = {"vv": BandFile("/x_VV.tif")}
    around, narrow = (Listed(NAME, files, box(west, 27, 179.9, 28)) for west in (-179.9, 170))
    assert around.outline is None and narrow.outline is not None
    here = Request(box(86, 27, 87, 28), ALL_TIME.start, ALL_TIME.end)
    assert is_asked(around, here) and not is_asked(narrow, here)
    (item,), _ = completed([around], BurstGrids(seed_grids(tmp_path), shared=lambda href: True))
    assert item.bbox is not None and item.bbox[2] - item.bbox[0] < 2
    assert item.properties["proj:shape"] == list(GRID.shape)
