from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from glaciolake.catalog import read_again
from glaciolake.catalog.burst_grids import BurstGrids, cache_folder, is_archive, read_lattice
from glaciolake.catalog.errors import CredentialsMissing, SearchFailed
from glaciolake.catalog.items import Lattice
from tests.catalog.loopback import geotiff, serve

BURST = "T121-258662-IW2"
OTHER = "T012-023790-IW1"
GRID = Lattice("EPSG:32645", (30.0, 0.0, 450000.0, 0.0, -30.0, 3090000.0), (3, 4))


def everything(href: str) -> bool:
    return True


def test_a_header_is_read_once_and_then_remembered_across_processes(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    seen = serve(httpserver, "/x_VV.tif", geotiff())
    href = httpserver.url_for("/x_VV.tif")
    assert BurstGrids(tmp_path / "new" / "cache", shared=everything).lattice(BURST, [href]) == GRID
    asked = len(seen)
    assert asked > 0
    again = BurstGrids(tmp_path / "new" / "cache", shared=everything)
    assert again.lattice(BURST, [href]) == GRID and len(seen) == asked
    assert json.loads(again.path.read_text())["bursts"][BURST]["shape"] == [3, 4]


def test_a_large_file_gives_its_grid_for_its_first_bytes(httpserver: HTTPServer) -> None:
    content = geotiff(shape=(600, 700)) + bytes(3_000_000)
    seen = serve(httpserver, "/large_VV.tif", content)
    assert read_lattice(httpserver.url_for("/large_VV.tif")).shape == (600, 700)
    # Where HEAD is not allowed, GDAL learns the size by a GET that it breaks off; the rest is ranged.
    size, *ranged = [request.headers.get("Range") for request in seen]
    assert size is None and ranged == ["bytes=0-32767"]


def test_a_cropped_copy_elsewhere_never_enters_the_cache(tmp_path: Path) -> None:
    crop = tmp_path / "crop.tif"
    crop.write_bytes(geotiff())
    grids = BurstGrids(tmp_path)
    assert not is_archive(str(crop)) and is_archive("https://datapool.asf.alaska.edu/RTC/x.tif")
    assert grids.lattice(BURST, [str(crop)]) == GRID and not grids.path.exists()
    crop.write_bytes(geotiff(shape=(5, 6)))
    assert grids.lattice(BURST, [str(crop)]).shape == (5, 6)


def test_the_next_file_of_a_burst_helps_out_and_three_are_enough(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = tmp_path / "good.tif"
    good.write_bytes(geotiff())
    gone = [str(tmp_path / f"gone{number}.tif") for number in range(4)]
    assert BurstGrids(tmp_path).lattice(BURST, [gone[0], str(good)]) == GRID
    assert "gone0.tif" in caplog.text
    with pytest.raises(SearchFailed, match=rf"{BURST}.*3 files tried.*gone2\.tif"):
        BurstGrids(tmp_path).lattice(BURST, gone)
    with pytest.raises(SearchFailed, match="no file is known"):
        BurstGrids(tmp_path).lattice(BURST, [])


def test_the_archive_without_a_login_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CredentialsMissing, match=r"datapool.*EARTHDATA_TOKEN"):
        BurstGrids(tmp_path).lattice(BURST, ["https://datapool.asf.alaska.edu/RTC/OPERA-S1/x_VV.tif"])


def test_a_host_that_refuses_is_known_by_its_name(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_again, "REFUSALS", read_again.Refusals())
    monkeypatch.setattr(read_again, "REFUSED_WAITS_S", (0.0,))
    for number in range(read_again.CONVINCED):
        path = f"/refused-{number}_VV.tif"  # GDAL remembers what other tests had at the address of a file
        httpserver.expect_request(path).respond_with_data("who are you?", 403)
        assert not read_again.REFUSALS.convinced(httpserver.host)
        with pytest.raises(SearchFailed, match="403"):
            read_lattice(httpserver.url_for(path))
    assert read_again.REFUSALS.convinced(httpserver.host)


def test_a_page_in_place_of_a_raster_is_no_grid(tmp_path: Path) -> None:
    page = tmp_path / "x_VV.tif"
    page.write_text("<!DOCTYPE html><html>Earthdata Login</html>")
    with pytest.raises(SearchFailed, match=r"cannot read the header of .*x_VV\.tif"):
        read_lattice(str(page))


@pytest.mark.parametrize(
    ("raster", "says"),
    [
        ({"transform": (20.0, 0.0, 450000.0, 0.0, -20.0, 3090000.0)}, "20 x 20 m"),
        ({"transform": (30.0, 1.0, 450000.0, 1.0, -30.0, 3090000.0)}, "turned by"),
        ({"transform": (30.0, 0.0, 450010.0, 0.0, -30.0, 3090000.0)}, "450010"),
        ({"crs": "+proj=laea +lon_0=87 +lat_0=28"}, "no EPSG code"),
    ],
)
def test_a_grid_that_is_not_operas_is_refused(tmp_path: Path, raster: dict[str, Any], says: str) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(geotiff(**raster))
    with pytest.raises(SearchFailed, match=says):
        read_lattice(str(path))


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        '{"format": 2, "bursts": {}}',
        '{"format": 1, "bursts": 3}',
        json.dumps({"format": 1, "bursts": {BURST: {"crs": "EPSG:32645"}}}),
        json.dumps(
            {"format": 1, "bursts": {BURST: {"crs": "x", "transform": GRID.transform, "shape": [3, 4]}}}
        ),
        json.dumps(
            {
                "format": 1,
                "bursts": {BURST: {"crs": GRID.crs, "transform": [30, 0, 7, 0, -30, 0], "shape": [3, 4]}},
            }
        ),
        json.dumps(
            {"format": 1, "bursts": {BURST: {"crs": GRID.crs, "transform": GRID.transform, "shape": [0, 4]}}}
        ),
    ],
)
def test_a_damaged_cache_is_rebuilt_with_a_warning(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    raster = tmp_path / "x.tif"
    raster.write_bytes(geotiff())
    grids = BurstGrids(tmp_path, shared=everything)
    grids.path.write_text(damage)
    with caplog.at_level(logging.WARNING):
        assert grids.lattice(BURST, [str(raster)]) == GRID
    assert "damaged" in caplog.text and str(grids.path) in caplog.text
    raster.unlink()
    assert BurstGrids(tmp_path, shared=everything).lattice(BURST, [str(raster)]) == GRID


def test_what_another_process_learnt_is_kept(tmp_path: Path) -> None:
    raster = tmp_path / "x.tif"
    raster.write_bytes(geotiff())
    one, two = (BurstGrids(tmp_path, shared=everything) for _ in range(2))
    threads = [
        threading.Thread(target=grids.lattice, args=(burst, [str(raster)]))
        for grids, burst in ((one, BURST), (two, OTHER))
    ]
    one.lattice("T085-180586-IW3", [str(raster)])  # both now hold an older view of the file
    two.lattice("T085-180585-IW3", [str(raster)])
    for thread in threads:
        thread.start()
        thread.join()
    stored = json.loads(one.path.read_text())["bursts"]
    assert set(stored) == {BURST, OTHER, "T085-180586-IW3", "T085-180585-IW3"}
    assert [path.name for path in tmp_path.glob("burst_grids*")] == ["burst_grids.json"]


def test_a_cache_that_cannot_be_written_does_not_stop_the_search(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    raster = tmp_path / "x.tif"
    raster.write_bytes(geotiff())
    grids = BurstGrids(tmp_path / "file" / "cache", shared=everything)
    assert grids.lattice(BURST, [str(raster)]) == GRID
    raster.unlink()
    assert grids.lattice(BURST, [str(raster)]) == GRID  # from memory
    assert "cannot be written" in caplog.text


def test_the_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder({"GLACIOLAKE_CACHE": "/data/cache", "XDG_CACHE_HOME": "/x"}, tmp_path) == Path(
        "/data/cache"
    )
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder({"XDG_CACHE_HOME": "/x"}, tmp_path) == Path("/x/glaciolake")
    assert cache_folder({}, tmp_path) == tmp_path / ".cache" / "glaciolake"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder({}, tmp_path) == tmp_path / "Library" / "Caches" / "glaciolake"
    monkeypatch.setenv("GLACIOLAKE_CACHE", str(tmp_path))
    assert BurstGrids().path == tmp_path / "burst_grids.json"


def test_a_real_granule_gives_its_grid(shared_data: Path) -> None:
    (path,) = sorted((shared_data / "opera_rtc_full_tags").glob("*_VV.tif"))[:1]
    grid = read_lattice(str(path))
    assert grid.crs.startswith("EPSG:326") and grid.transform[0] == 30
