"""The exported catalogue: valid, complete, every address leads somewhere, every slice to its granules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio
import xarray as xr
from pystac.extensions.classification import ClassificationExtension
from pystac.extensions.datacube import DatacubeExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import RasterExtension
from pystac.extensions.sat import OrbitState, SatExtension
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from shapely.geometry import Polygon, box, shape

from glaciolake.catalog.store import Store
from glaciolake.catalog.variables import BY_NAME, PIXEL
from glaciolake.models.weights import DEFAULT_MODEL, card, digest, shipped
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.export.choice import Choice
from glaciolake.pipeline.export.formats import FORMATS, export
from glaciolake.pipeline.export.stac_items import granule_address
from tests.pipeline.drawn_store import UNSEEN, fill_store, small_series

KINDS = {
    "Catalog": pystac.STACObjectType.CATALOG,
    "Collection": pystac.STACObjectType.COLLECTION,
    "Feature": pystac.STACObjectType.ITEM,
}


SCHEMAS = Path(__file__).parent / "schemas"
EXTENSIONS = "https://stac-extensions.github.io/"
NOT_TO_BE_HAD = f"{EXTENSIONS}raster/v2.0.0/schema.json"
"""In no package; what we say by it is compared with the files."""


@pytest.fixture(scope="module")
def validator() -> JsonSchemaSTACValidator:
    """One that knows the schemas of the extensions; what it does not know it would have to fetch."""
    found = JsonSchemaSTACValidator()
    for path in SCHEMAS.glob("*.json"):
        schema = json.loads(path.read_text())
        found.schema_cache[schema["$id"].removesuffix("#")] = schema
    newer = found.schema_cache[f"{EXTENSIONS}classification/v2.0.0/schema.json"]
    found.schema_cache[f"{EXTENSIONS}classification/v1.1.0/schema.json"] = newer  # see schemas/README.md
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    url = tmp_path_factory.mktemp("drawn") / "lakes.icechunk"
    return fill_store(str(url), [small_series("T121")])


@pytest.fixture(scope="module")
def series(store: Store) -> xr.Dataset:
    return store.read("tsho-rolpa", "T121").load()


@pytest.fixture(scope="module")
def out(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    list(export(store.url, str(folder), ["all"]))
    return folder


@pytest.fixture(scope="module")
def collection(out: Path) -> pystac.Collection:
    return pystac.Collection.from_file(str(out / "tsho-rolpa_T121.stac" / "collection.json"))


@pytest.fixture(scope="module")
def items(collection: pystac.Collection) -> list[pystac.Item]:
    return list(collection.get_items())


def texts(out: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(out.rglob("*.json")):
        told = json.loads(path.read_text())
        if "stac_version" in told:
            yield told


def test_every_file_is_valid_against_the_core_schemas(out: Path, series: xr.Dataset) -> None:
    told = list(texts(out))
    assert len(told) == 2 + series.sizes["time"] + 1  # catalogue and collection, its items, the network
    for text in told:
        JsonSchemaSTACValidator().validate_core(text, KINDS[str(text["type"])], "1.1.0")


def test_every_file_is_valid_against_the_schemas_of_its_extensions(
    out: Path, validator: JsonSchemaSTACValidator
) -> None:
    seen = set()
    networks = shipped()[DEFAULT_MODEL].parent.glob("*.stac.json")
    for text in [*texts(out), *(json.loads(path.read_text()) for path in networks)]:
        for extension in set(text.get("stac_extensions", ())) - {NOT_TO_BE_HAD}:
            validator.validate_extension(text, KINDS[str(text["type"])], "1.1.0", extension)
            seen.add(extension.removeprefix(EXTENSIONS).partition("/")[0])
    assert seen == {"classification", "datacube", "file", "mlm", "projection", "sat"}


@pytest.mark.parametrize(
    ("extension", "path", "wrong"),
    [
        ("datacube/v2.2.0", ("cube:variables", "area_m2", "dimensions"), "time"),
        ("projection/v2.0.0", ("properties", "proj:transform"), [1.0, 2.0]),
        ("sat/v1.0.0", ("properties", "sat:orbit_state"), "sideways"),
        ("classification/v2.0.0", ("item_assets", "surface", "classification:classes"), [{"value": "two"}]),
        ("file/v2.1.0", ("assets", "model", "file:checksum"), "none"),
        ("mlm/v1.4.0", ("properties", "mlm:output"), [{"classification:classes": [{"value": "two"}]}]),
    ],
)
def test_the_schemas_refuse_what_is_wrong(
    out: Path, validator: JsonSchemaSTACValidator, extension: str, path: tuple[str, ...], wrong: Any
) -> None:
    address = f"{EXTENSIONS}{extension}/schema.json"
    text = next(one for one in texts(out) if address in one.get("stac_extensions", ()) and path[0] in one)
    *way, last = path
    inner = text
    for name in way:
        inner = inner[name]
    assert last in inner
    inner[last] = wrong
    with pytest.raises(pystac.STACValidationError):
        validator.validate_extension(text, KINDS[str(text["type"])], "1.1.0", address)


def test_there_is_an_item_a_slice_with_its_time_place_and_orbit(
    items: list[pystac.Item], series: xr.Dataset
) -> None:
    assert [item.properties["glaciolake:pass_id"] for item in items] == list(series["pass_id"].values)
    for item, time in zip(items, series["time"].values, strict=True):
        assert item.datetime is not None
        assert pd.Timestamp(item.datetime.astimezone(UTC)).tz_localize(None) == pd.Timestamp(time)
        assert item.properties["platform"] == "sentinel-1a"
        sat = SatExtension.ext(item)
        assert (sat.relative_orbit, sat.orbit_state) == (121, OrbitState.DESCENDING)
        projection = ProjectionExtension.ext(item)
        assert (projection.code, projection.shape) == ("EPSG:32645", [130, 150])
        outline = shape(item.geometry or {})
        assert isinstance(outline, Polygon) and outline.exterior.is_ccw
        assert item.bbox == list(outline.bounds)
        assert box(86.46, 27.83, 86.53, 27.88).contains(outline)


def test_numbers_are_those_of_the_store_and_what_was_not_measured_is_absent(
    items: list[pystac.Item], series: xr.Dataset
) -> None:
    for index, item in enumerate(items):
        told = item.properties
        assert "track" not in told["glaciolake:flags"]
        if index == UNSEEN:
            assert "glaciolake:area_m2" not in told
        else:
            assert told["glaciolake:area_m2"] == pytest.approx(series["area_m2"].item(index), abs=0.1)
        assert told["glaciolake:version"] == series["version"].values[index]
        assert told["glaciolake:simulated"] is False


def test_every_item_names_the_granules_it_was_made_of(items: list[pystac.Item], series: xr.Dataset) -> None:
    for item, granules in zip(items, series["granules"].values, strict=True):
        sources = item.get_links("derived_from")
        assert [link.title for link in sources] == str(granules).split()
        for link in sources:
            assert urlsplit(str(link.href)).hostname == "cmr.earthdata.nasa.gov"
            assert str(link.href).endswith(str(link.title))


def test_a_granule_that_no_server_has_is_named_not_addressed() -> None:
    opera = "OPERA_L2_RTC-S1_T063-133417-IW3_20240701T001410Z_20240701T044329Z_S1A_30_v1.0"
    recorded = json.loads((Path(__file__).parents[1] / "catalog/data/cmr_stac_item.json").read_text())
    assert granule_address(opera, simulated=False) == recorded["links"][0]["href"]
    assert granule_address(opera, simulated=True) == f"urn:glaciolake:granule:{opera}"
    assert granule_address("S1A_IW_x_0123", simulated=False).startswith("urn:")


def test_pictures_of_an_item_lie_where_it_says(items: list[pystac.Item], series: xr.Dataset) -> None:
    for item in items:
        assert set(item.assets) == {"water_probability", "surface", "gamma0_vv_db"}
        for name, asset in item.assets.items():
            href = asset.get_absolute_href()
            assert href is not None
            with rasterio.open(href) as file:
                projection = ProjectionExtension.ext(item)
                assert list(file.transform)[:6] == projection.transform and file.nodata == BY_NAME[name].fill
                assert file.tags()["PASS_ID"] == item.properties["glaciolake:pass_id"]
                assert file.dtypes[0] == asset.extra_fields["data_type"]
                assert file.nodata == asset.extra_fields["nodata"]
                assert file.scales[0] == asset.extra_fields.get("raster:scale", 1.0)
    assert RasterExtension.has_extension(items[0])
    classes = ClassificationExtension.ext(items[0].assets["surface"]).classes
    assert classes is not None
    assert {one.value: one.name for one in classes}[2] == "lake"


def test_the_collection_describes_the_cube(collection: pystac.Collection, series: xr.Dataset) -> None:
    cube = DatacubeExtension.ext(collection)
    assert set(cube.dimensions) == {"time", "y", "x"} and cube.variables is not None
    assert set(cube.variables) == set(series.data_vars)
    for name, one in cube.variables.items():
        assert list(one.dimensions) == [str(dim) for dim in series[name].dims]
        assert one.properties.get("unit", "") == BY_NAME[name].units
    for axis in ("x", "y"):
        told = cube.dimensions[axis].to_dict()
        assert told["type"] == "spatial" and told["axis"] == axis and told["reference_system"] == 32645
        assert told["extent"] == [series[axis].values.min(), series[axis].values.max()]
        assert told["step"] == 30.0
    time = cube.dimensions["time"].to_dict()
    assert time["type"] == "temporal" and len(time["values"]) == series.sizes["time"]
    assert time["extent"] == [time["values"][0], time["values"][-1]]
    assert all("axis" not in one.to_dict() for name, one in cube.dimensions.items() if name == "time")


def test_the_collection_spans_its_items_and_summarises_them(
    collection: pystac.Collection, items: list[pystac.Item]
) -> None:
    (interval,) = collection.extent.temporal.intervals
    assert [items[0].datetime, items[-1].datetime] == interval
    assert collection.extent.spatial.bboxes == [items[0].bbox]
    assert collection.summaries.to_dict()["sat:relative_orbit"] == [121]
    assert collection.item_assets["surface"].properties["nodata"] == 255


def test_files_of_the_collection_open(collection: pystac.Collection, series: xr.Dataset) -> None:
    assert set(collection.assets) == set(FORMATS) - {"cog", "stac"}
    href = collection.assets["zarr"].get_absolute_href()
    assert href is not None
    assert np.array_equal(xr.open_zarr(href)["time"], series["time"])
    assert all(Path(str(asset.get_absolute_href())).exists() for asset in collection.assets.values())


def test_the_network_is_there_with_its_item(collection: pystac.Collection, items: list[pystac.Item]) -> None:
    for owner in (collection, *items):
        (link,) = owner.get_links("related")
        href = link.get_absolute_href()
        assert href is not None
        network = pystac.Item.from_file(href)
        assert network.id == DEFAULT_MODEL and network.properties["mlm:name"] == DEFAULT_MODEL
    weights = network.assets["model"].get_absolute_href()
    assert weights is not None
    assert digest(Path(weights)) == card(DEFAULT_MODEL)["sha256"]
    assert items[0].properties["glaciolake:model_sha256"] == card(DEFAULT_MODEL)["sha256"]


def test_the_catalogue_lists_every_series_and_network_of_the_place(
    store: Store, out: Path, tmp_path: Path
) -> None:
    catalog = pystac.Catalog.from_file(str(out / "catalog.json"))
    assert [one.id for one in catalog.get_children()] == ["tsho-rolpa_T121"]
    assert [one.id for one in catalog.get_items()] == [DEFAULT_MODEL]
    assert len(list(catalog.get_items(recursive=True))) == 1 + 5
    (tmp_path / "catalog.json").write_text('{"id": "mine"}')
    with pytest.raises(PipelineError, match="is another catalogue, and nothing was written"):
        list(export(store.url, str(tmp_path), ["stac"]))
    assert len(list(tmp_path.iterdir())) == 1


def test_folder_can_be_moved(out: Path, tmp_path: Path) -> None:
    said = "".join(path.read_text() for path in out.rglob("*.json") if "zarr" not in path.name)
    assert str(out) not in said


def test_it_lists_only_what_is_written_with_it(store: Store, tmp_path: Path) -> None:
    list(export(store.url, str(tmp_path), ["cog"], Choice(end=date(2023, 7, 5))))  # of other days
    list(export(store.url, str(tmp_path), ["csv", "stac"], Choice(track="T121")))
    collection = pystac.Collection.from_file(str(tmp_path / "tsho-rolpa_T121.stac" / "collection.json"))
    assert set(collection.assets) == {"csv"}
    assert all(not item.assets for item in collection.get_items())
    for text in texts(tmp_path / "tsho-rolpa_T121.stac"):
        JsonSchemaSTACValidator().validate_core(text, KINDS[str(text["type"])], "1.1.0")


def test_picture_variables_are_all_those_of_the_table(items: list[pystac.Item]) -> None:
    assert set(items[0].assets) == {one.name for one in BY_NAME.values() if one.dims == PIXEL}
