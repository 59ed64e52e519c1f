"""The static catalogue: valid, complete, movable, the same every time, and never in anyone's way."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pystac
import pytest
from pystac.errors import DeprecatedWarning
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from shapely.geometry import box

from glaciolake.catalog.burst_grids import BurstGrids
from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.folder import FolderSource
from glaciolake.catalog.granule import Granule
from glaciolake.catalog.items import granule_of
from glaciolake.catalog.request import Request
from glaciolake.catalog.stac import StacSource
from glaciolake.catalog.static_catalog import EVERYTHING, VERSION_EXTENSION, build
from tests.catalog.rasters import HYP3, OPERA, OPERA_AGAIN, OPERA_LATER, write_hyp3, write_opera, write_rtc

KINDS = {
    "Catalog": pystac.STACObjectType.CATALOG,
    "Collection": pystac.STACObjectType.COLLECTION,
    "Feature": pystac.STACObjectType.ITEM,
}
REQUIRED = {
    "projection": ["proj:code"],
    "sar": ["sar:instrument_mode", "sar:frequency_band", "sar:polarizations", "sar:product_type"],
    "sat": ["sat:orbit_state", "sat:relative_orbit"],
    "processing": ["processing:version"],
    "file": [],
    "version": [],
}
"""Fields that the extensions' schemas demand; the schemas themselves are not shipped with pystac."""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder of three OPERA granules, one of them processed twice, and one HyP3 scene."""
    folder = tmp_path / "archive" / "rtc"
    for name in (OPERA, OPERA_AGAIN, OPERA_LATER):
        write_opera(folder / "opera", name)
    write_hyp3(folder)
    return folder


def texts(out: Path) -> dict[str, dict[str, object]]:
    return {
        path.relative_to(out).as_posix(): json.loads(path.read_text()) for path in sorted(out.rglob("*.json"))
    }


def read(catalog: Path) -> list[Granule]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecatedWarning)
        items = list(pystac.Catalog.from_file(str(catalog)).get_items(recursive=True))
    return sorted(granule_of(item) for item in items)


def test_every_file_is_valid_against_the_core_schemas(archive: Path) -> None:
    out = archive / "stac"
    built = build(FolderSource(archive), out)
    assert (built.path, built.items, built.superseded, built.refused) == (out / "catalog.json", 3, 1, ())
    written = texts(out)
    assert len(written) == 1 + 2 + 4
    for text in written.values():
        JsonSchemaSTACValidator().validate_core(text, KINDS[str(text["type"])], "1.1.0")


def test_every_item_has_what_its_extensions_demand(archive: Path) -> None:
    out = archive / "stac"
    build(FolderSource(archive), out)
    items = [text for text in texts(out).values() if text["type"] == "Feature"]
    assert len(items) == 4
    for item in items:
        extensions, properties = item["stac_extensions"], item["properties"]
        assert isinstance(extensions, list) and isinstance(properties, dict)
        for uri in extensions:
            name = str(uri).split("/")[3]
            assert all(field in properties for field in REQUIRED[name]), name
        prefixes = {key.split(":")[0] for key in properties if ":" in key} - {"glaciolake"}
        assert prefixes == {"proj", "sar", "sat", "processing"}


def test_catalogue_gives_back_the_granules_of_the_folder(archive: Path) -> None:
    found = FolderSource(archive).find(EVERYTHING)
    out = archive / "stac"
    built = build(FolderSource(archive), out)
    assert read(built.path) == sorted(granule_of(item) for item in (*found.items, *found.superseded))


def test_search_of_the_catalogue_answers_as_the_folder_does(archive: Path, tmp_path: Path) -> None:
    built = build(FolderSource(archive), archive / "stac")
    source = StacSource(str(built.path), grids=BurstGrids(tmp_path / "grids.json"))
    for request in (
        EVERYTHING,
        replace(EVERYTHING, tracks=(12,)),
        replace(EVERYTHING, aoi=box(85, 27, 87, 28)),
    ):
        folder, catalogue = FolderSource(archive).find(request), source.find(request)
        assert [granule_of(item) for item in catalogue.items] == [granule_of(item) for item in folder.items]
        assert [item.id for item in catalogue.superseded] == [item.id for item in folder.superseded]
        assert catalogue.refused == ()


def test_images_and_catalogue_can_be_moved_together(archive: Path) -> None:
    out = archive / "stac"
    build(FolderSource(archive), out)
    moved = archive.parent.rename(archive.parent.with_name("elsewhere")) / "rtc"
    granules = read(moved / "stac" / "catalog.json")
    assert all(Path(href).is_file() for granule in granules for _, href in granule.hrefs)
    assert str(archive) not in "".join(path.read_text() for path in (moved / "stac").rglob("*.json"))


def test_replaced_item_is_marked_and_points_to_the_newer_one(archive: Path) -> None:
    out = archive / "stac"
    build(FolderSource(archive), out)
    items = out / "opera" / "items"
    old, new, other = (
        json.loads((items / f"{name}.json").read_text()) for name in (OPERA, OPERA_AGAIN, OPERA_LATER)
    )
    assert old["properties"]["deprecated"] is True
    assert {
        "rel": "successor-version",
        "href": f"./{OPERA_AGAIN}.json",
        "type": "application/geo+json",
    } in old["links"]
    assert "deprecated" not in new["properties"]
    assert {"rel": "predecessor-version", "href": f"./{OPERA}.json", "type": "application/geo+json"} in new[
        "links"
    ]
    assert [VERSION_EXTENSION in item["stac_extensions"] for item in (old, new, other)] == [True, True, False]


def test_collections_summarise_their_items(archive: Path) -> None:
    out = archive / "stac"
    build(FolderSource(archive), out)
    opera = json.loads((out / "opera" / "collection.json").read_text())
    assert opera["extent"]["temporal"] == {"interval": [["2024-09-16T00:11:53Z", "2024-09-28T00:11:53Z"]]}
    west, south, east, north = opera["extent"]["spatial"]["bbox"][0]
    assert 86.4 < west < east < 86.5 and 27.8 < south < north < 27.9
    assert opera["summaries"]["sat:relative_orbit"] == [121]
    assert opera["summaries"]["sar:polarizations"] == ["VH", "VV"]
    assert opera["summaries"]["glaciolake:filtered"] == [False]
    assert set(opera["item_assets"]) == {"vv", "vh", "mask"}
    assert "href" not in opera["item_assets"]["vv"] and "file:size" not in opera["item_assets"]["vv"]
    hyp3 = json.loads((out / "hyp3" / "collection.json").read_text())
    assert hyp3["summaries"]["glaciolake:filtered"] == [True]


def test_same_folder_gives_the_same_bytes(archive: Path) -> None:
    build(FolderSource(archive), archive / "one")
    build(FolderSource(archive), archive / "two")
    one, two = (sorted((archive / name).rglob("*.json")) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_catalogue_is_replaced_whole_and_forgets_what_is_gone(archive: Path) -> None:
    out = archive / "stac"
    build(FolderSource(archive), out)
    (archive / f"{HYP3}_VV.tif").unlink()
    build(FolderSource(archive), out)
    assert not (out / "hyp3").exists()
    assert sorted(path.name for path in archive.iterdir()) == ["opera", "stac"]


def test_folder_that_holds_something_else_is_left_alone(archive: Path) -> None:
    with pytest.raises(CatalogError, match=r"holds '.*\.tif', not a catalogue that was written here"):
        build(FolderSource(archive), archive)
    foreign = archive / "theirs"
    foreign.mkdir()
    (foreign / "catalog.json").write_text('{"id": "someone-elses", "type": "Catalog"}')
    with pytest.raises(CatalogError, match=r"holds 'catalog.json', not a catalogue"):
        build(FolderSource(archive), foreign)
    (foreign / "catalog.json").write_text("[1")
    with pytest.raises(CatalogError, match=r"holds 'catalog.json', not a catalogue"):
        build(FolderSource(archive), foreign)
    file = archive / "notes.txt"
    file.write_text("keep")
    with pytest.raises(CatalogError, match="is a file; give a folder"):
        build(FolderSource(archive), file)
    assert file.read_text() == "keep" and (foreign / "catalog.json").read_text() == "[1"


def test_empty_folder_may_be_filled(archive: Path) -> None:
    (archive / "stac").mkdir()
    assert build(FolderSource(archive), archive / "stac").items == 3


def test_full_disk_leaves_the_former_catalogue_as_it_was(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = archive / "stac"
    build(FolderSource(archive), out)
    before = {path: path.read_bytes() for path in out.rglob("*.json")}
    write_text, left = Path.write_text, [3]

    def fill(self: Path, data: str, encoding: str | None = None) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return write_text(self, data, encoding=encoding)

    monkeypatch.setattr(Path, "write_text", fill)
    with pytest.raises(CatalogError, match=r"cannot write .*stac' \(No space left on device\).*unchanged"):
        build(FolderSource(archive), out)
    assert {path: path.read_bytes() for path in out.rglob("*.json")} == before
    assert not list(archive.glob(".stac*"))


def test_nothing_to_describe_is_an_error_that_says_why(archive: Path, tmp_path: Path) -> None:
    none = Request(None, EVERYTHING.start, EVERYTHING.end, tracks=(48,))
    with pytest.raises(CatalogError, match="no file fits the request"):
        build(FolderSource(archive), archive / "stac", none)
    write_rtc(tmp_path / "bad" / f"{OPERA}_VV.tif", crs=None)
    with pytest.raises(CatalogError, match=r"1 files were refused, first '.*VV\.tif': it has no coordinate"):
        build(FolderSource(tmp_path / "bad"), archive / "stac")
    assert not (archive / "stac").exists()


def test_damaged_files_are_reported_and_the_rest_is_described(archive: Path) -> None:
    next((archive / "opera").glob(f"{OPERA_LATER}_VV.tif")).write_bytes(b"")
    built = build(FolderSource(archive), archive / "stac")
    assert (built.items, [one.name for one in built.refused]) == (2, [f"opera/{OPERA_LATER}_VV.tif"])


def test_real_folders_become_catalogues_that_give_every_granule_back(
    shared_data: Path, tmp_path: Path
) -> None:
    for name, total in (("himalaya_hyp3_rtc20", 299), ("opera_rtc_t137", 465)):
        built = build(FolderSource(shared_data / name), tmp_path / name)
        granules = read(built.path)
        assert len(granules) == total == built.items + built.superseded
        assert all(Path(href).is_file() for granule in granules for _, href in granule.hrefs)
    shutil.rmtree(tmp_path / "opera_rtc_t137")
