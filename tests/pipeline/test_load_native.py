"""Broken and mistaken files: the reader names the file and the reason, and never guesses."""

from __future__ import annotations

import os
import pickle
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from pytest_httpserver import HTTPServer
from rasterio.errors import RasterioError
from shapely.geometry import Polygon

from glaciolake.catalog import read_again
from glaciolake.catalog.addresses import without_secrets
from glaciolake.catalog.granule import Granule
from glaciolake.pipeline.errors import PipelineError, UnreadableGranule
from glaciolake.pipeline.grid import native_grid
from glaciolake.pipeline.load import Backend, open_cube
from glaciolake.pipeline.passes import group_passes
from tests.pipeline.range_server import serving
from tests.pipeline.scenes import CRS, ORIGIN_M, ROLWALING_DEG, granule, power, write_cog, write_granule

START = datetime(2024, 1, 4, 0, 11, 30, tzinfo=UTC)
EVERYWHERE = Polygon([(80, 20), (95, 20), (95, 35), (80, 35)])
LATTICE = Affine(30, 0, ORIGIN_M[0], 0, -30, ORIGIN_M[1])


def missing(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def truncated(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def login_page(file: Path) -> None:
    file.write_text("\n<!DOCTYPE html><html><title>Earthdata Login</title></html>")


def noise(file: Path) -> None:
    file.write_bytes(np.random.default_rng(1).bytes(5000))


def wrong_crs(file: Path) -> None:
    write_cog(file, power((200, 300), 1), LATTICE, crs="EPSG:32644")


def no_crs(file: Path) -> None:
    write_cog(file, power((200, 300), 1), LATTICE, crs=None)


def wrong_shape(file: Path) -> None:
    write_cog(file, power((200, 299), 1), LATTICE)


def shifted(file: Path) -> None:
    write_cog(file, power((200, 300), 1), LATTICE * Affine.translation(1, 0))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (missing, "no such file"),
        (empty, "the file is empty"),
        (truncated, "damaged or cut short"),
        (login_page, "HTML"),
        (noise, "not a GeoTIFF"),
        (wrong_crs, "CRS of the file is EPSG:32644, of the catalogue EPSG:32645"),
        (no_crs, "CRS of the file is None"),
        (wrong_shape, r"shape of the file is \(200, 299\), of the catalogue \(200, 300\)"),
        (shifted, "transform of the file is"),
    ],
)
def test_a_bad_file_is_named_with_the_reason(
    tmp_path: Path, harm: Callable[[Path], None], reason: str
) -> None:
    scene = write_granule(tmp_path, START, {"vv": power((200, 300), 1)})
    file = Path(scene.hrefs[0][1])
    harm(file)
    cube = open_cube(group_passes([scene], ROLWALING_DEG), native_grid([scene], EVERYWHERE))
    with pytest.raises(UnreadableGranule, match=reason) as caught:
        cube.compute(scheduler="synchronous")
    assert caught.value.granule == scene.name
    assert caught.value.href == str(file)
    assert scene.name in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_proxy")
def test_a_server_that_stumbles_once_is_asked_again(tmp_path: Path) -> None:
    content = Path(write_granule(tmp_path, START, {"vv": power((200, 300), 1)}).hrefs[0][1]).read_bytes()
    with serving(content) as served:
        served.failures = [404]
        scene = granule(START, hrefs={"vv": f"{served.url}/stumbles_VV.tif"})
        cube = open_cube(group_passes([scene], ROLWALING_DEG), native_grid([scene], EVERYWHERE))
        np.testing.assert_array_equal(cube["vv"][0].values, power((200, 300), 1))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try everything twice, and remember nothing of other tests."""
    for waits in ("READ_WAITS_S", "REFUSED_WAITS_S", "BUSY_WAITS_S"):
        monkeypatch.setattr(read_again, waits, (0.0,))
    monkeypatch.setattr(read_again, "REFUSALS", read_again.Refusals())


@pytest.mark.usefixtures("no_proxy", "impatient")
@pytest.mark.parametrize(
    ("status", "reason"), [(404, "no such file there"), (403, "login was refused"), (500, "the server fails")]
)
def test_an_outage_is_named_and_then_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, reason: str
) -> None:
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")  # what the environment sets wins
    content = Path(write_granule(tmp_path, START, {"vv": power((200, 300), 1)}).hrefs[0][1]).read_bytes()
    with serving(content) as served:
        served.failures = [status] * 2
        scene = granule(START, hrefs={"vv": f"{served.url}/outage_VV.tif?signature=secret"})
        cube = open_cube(group_passes([scene], ROLWALING_DEG), native_grid([scene], EVERYWHERE))
        with pytest.raises(UnreadableGranule, match=f"{reason}.*HTTP {status}") as caught:
            cube.compute()
        assert "secret" not in str(caught.value)
        np.testing.assert_array_equal(cube["vv"][0].values, power((200, 300), 1))


@pytest.mark.usefixtures("no_proxy")
def test_a_file_that_opens_and_then_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GDAL_HTTP_LOW_SPEED_TIME", "1")  # of 15 s; so a fifteenth of the rest
    monkeypatch.setattr(read_again, "READ_BUDGET_S", read_again.READ_BUDGET_S / 15)
    content = Path(write_granule(tmp_path, START, {"vv": power((600, 700), 1)}).hrefs[0][1]).read_bytes()
    with serving(content) as served:
        served.silent_from = 32_768
        scene = granule(START, shape=(600, 700), hrefs={"vv": f"{served.url}/hangs_VV.tif"})
        cube = open_cube(group_passes([scene], ROLWALING_DEG), native_grid([scene], EVERYWHERE))
        begun_s = time.monotonic()
        with pytest.raises(UnreadableGranule, match="damaged or cut short"):
            cube.compute(scheduler="synchronous")
        assert 2.0 < time.monotonic() - begun_s < 100 / 15 + 1
        assert len(served.requests) <= 20


@pytest.mark.usefixtures("no_proxy", "impatient")
def test_a_host_that_refuses_is_known_by_its_name_and_a_missing_file_soon(tmp_path: Path) -> None:
    content = Path(write_granule(tmp_path, START, {"vv": power((200, 300), 1)}).hrefs[0][1]).read_bytes()

    def requests_of(name: str, status: int) -> int:
        before = len(served.requests)
        served.failures = [status] * 100
        scene = granule(START, hrefs={"vv": f"{served.url}/{name}_VV.tif"})
        with pytest.raises(UnreadableGranule):
            open_cube(group_passes([scene], ROLWALING_DEG), native_grid([scene], EVERYWHERE)).compute()
        return len(served.requests) - before

    with serving(content) as served:
        assert requests_of("missing", 404) <= 4
        for number in range(read_again.CONVINCED):
            assert not read_again.REFUSALS.convinced("127.0.0.1")
            requests_of(f"refused-{number}", 403)
    assert read_again.REFUSALS.convinced("127.0.0.1") and not read_again.REFUSALS.convinced("")


@pytest.mark.usefixtures("no_proxy", "impatient")
@pytest.mark.parametrize("backend", ["native", "odc"])
def test_a_login_page_for_a_scene_tells_neither_login_nor_signature(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, backend: Backend
) -> None:
    httpserver.expect_request("/page_VV.tif").respond_with_data(
        "<html><body>please log in</body></html>" * 100, content_type="text/html"
    )
    href = httpserver.url_for("/page_VV.tif?sig=hunter2").replace("//", "//bob:hunter3@")
    scene = granule(START, hrefs={"vv": href})
    cube = open_cube(group_passes([scene], ROLWALING_DEG), native_grid([scene], EVERYWHERE), backend=backend)
    with pytest.raises((UnreadableGranule, RasterioError, RuntimeError)) as caught:
        cube.compute(scheduler="synchronous")
    said = str(caught.value) if backend == "native" else without_secrets(str(caught.value))
    assert httpserver.url_for("/page_VV.tif") in said  # the libraries repeat the address, and we keep it
    heard = [record.getMessage() for record in caplog.records if not record.name.startswith("werkzeug")]
    assert not re.search("hunter|bob|sig=", "\n".join([said, *heard]))
    assert isinstance(caught.value, UnreadableGranule) == (backend == "native")


def test_a_damaged_file_spoils_no_other_slice(tmp_path: Path) -> None:
    good, bad = [
        write_granule(tmp_path, START.replace(day=day), {"vv": power((200, 300), day)}) for day in (4, 16)
    ]
    truncated(Path(bad.hrefs[0][1]))
    cube = open_cube(
        group_passes([good, bad], ROLWALING_DEG), native_grid([good], EVERYWHERE), slices_per_chunk=1
    )
    np.testing.assert_array_equal(cube["vv"][0].values, power((200, 300), 4))
    with pytest.raises(UnreadableGranule, match=bad.name):
        cube["vv"][1].compute()


def test_the_error_survives_the_way_between_processes_and_hides_signatures() -> None:
    href = "https://bob:secret@host/file.tif?token=a secret"
    error = UnreadableGranule("OPERA_L2", href, f"'/vsicurl/{href}' is cut short")
    again = pickle.loads(pickle.dumps(error))
    reason = "'/vsicurl/https://host/file.tif' is cut short"
    assert (again.granule, again.href, again.reason) == ("OPERA_L2", "https://host/file.tif", reason)
    assert str(again) == f"OPERA_L2: https://host/file.tif: {reason}"
    assert "secret" not in repr(error)
    assert isinstance(again, PipelineError)


def test_a_burst_that_is_covered_is_not_read_at_all(tmp_path: Path) -> None:
    """The first burst fills the plane, so the second, whose file is gone, is never opened."""
    pixels = power((200, 300), 1)
    first = write_granule(tmp_path, START, {"vv": pixels}, burst="T121-000001-IW1")
    second = write_granule(tmp_path, START, {"vv": pixels}, burst="T121-000002-IW1")
    Path(second.hrefs[0][1]).unlink()
    granules: list[Granule] = [first, replace(second)]
    cube = open_cube(group_passes(granules, ROLWALING_DEG), native_grid(granules, EVERYWHERE))
    np.testing.assert_array_equal(cube["vv"][0].values, pixels)


def test_a_file_may_be_given_as_a_uri(tmp_path: Path) -> None:
    scene = write_granule(tmp_path, START, {"vv": power((200, 300), 1)})
    file = Path(scene.hrefs[0][1])
    uri = replace(scene, hrefs=(("vv", file.as_uri()),))
    cube = open_cube(group_passes([uri], ROLWALING_DEG), native_grid([uri], EVERYWHERE))
    assert cube["vv"].notnull().all()
    file.unlink()
    with pytest.raises(UnreadableGranule, match="no such file; it was moved"):
        cube.compute()


def test_the_catalogue_may_spell_the_same_system_otherwise(tmp_path: Path) -> None:
    scene = replace(write_granule(tmp_path, START, {"vv": power((200, 300), 1)}), crs=CRS.lower())
    cube = open_cube(group_passes([scene], ROLWALING_DEG), native_grid([scene], EVERYWHERE))
    assert cube["vv"].notnull().all()
