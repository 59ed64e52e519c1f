from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from glaciolake.catalog.asf import AsfSource
from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.folder import FolderSource
from glaciolake.catalog.sources import open_source
from glaciolake.catalog.stac import CMR_STAC, StacSource


@pytest.fixture(autouse=True)
def nobodys_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    for name in ("EARTHDATA_TOKEN", "EARTHDATA_USERNAME", "EARTHDATA_PASSWORD", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GLACIOLAKE_CACHE", str(home / "cache"))
    return home


def test_each_form_opens_its_source(tmp_path: Path, nobodys_home: Path) -> None:
    (tmp_path / "catalog.json").write_text("{}")
    assert open_source(str(tmp_path)) == FolderSource(tmp_path)
    for where in (
        str(tmp_path / "catalog.json"),
        "https://example.org/stac/v1",
        "http://example.org/collection.json",
    ):
        opened = open_source(where)
        assert isinstance(opened, StacSource) and opened.url == where
    archive = open_source("cmr-stac")
    assert isinstance(archive, StacSource) and archive.url == CMR_STAC
    asf = open_source("asf")
    assert isinstance(asf, AsfSource) and asf.grids.path == nobodys_home / "cache" / "burst_grids.json"
    assert not (nobodys_home / "cache").exists()


@pytest.mark.parametrize(
    "where", ["", "nowhere", "absent/catalog.json", "s3://bucket/prefix", "ftp://x/catalog.js"]
)
def test_anything_else_is_refused_with_the_forms_that_are_not(where: str) -> None:
    with pytest.raises(CatalogError, match=r"folder of RTC GeoTIFFs.*catalog\.json.*'asf'.*'cmr-stac'"):
        open_source(where)


def test_a_login_is_found_in_the_environment_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", "s3cr3t-Zx9")
    for where in ("asf", "cmr-stac"):
        assert "s3cr3t" not in repr(open_source(where))


def test_importing_sources_imports_no_network_library() -> None:
    slow = ("asf_search", "pystac_client", "rasterio", "shapely.ops")
    probe = f"import sys, glaciolake.catalog.sources; print([name for name in {slow} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
