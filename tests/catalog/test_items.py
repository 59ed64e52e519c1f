"""Items: complete, valid, and read back without loss."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pystac
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from shapely.geometry import box, shape

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.granule import Band, Granule
from glaciolake.catalog.items import BandFile, Lattice, granule_of, item_id, make_item, multihash
from glaciolake.catalog.names import parse_name
from glaciolake.catalog.orbits import Orbit

OPERA = parse_name("OPERA_L2_RTC-S1_T121-258662-IW2_20240916T001153Z_20240916T121530Z_S1A_30_v1.0")
HYP3 = parse_name("S1A_IW_20150721T121336_SVP_RTC20_G_gpufed_F168")
LATTICE = Lattice("EPSG:32645", (30.0, 0.0, 440010.0, 0.0, -30.0, 3090000.0), (200, 300))
FILES: dict[Band, BandFile] = {
    "vv": BandFile("/data/a_VV.tif", multihash("md5", "0f" * 16), 7_150_000),
    "vh": BandFile("/data/a_VH.tif"),
    "mask": BandFile("/data/a_mask.tif"),
}


def test_item_carries_every_property_that_archives_leave_out() -> None:
    item = make_item(OPERA, LATTICE, FILES)
    assert item.id == OPERA.granule
    assert item.datetime == OPERA.sensing_start
    assert item.properties["created"] == "2024-09-16T12:15:30Z"
    expected = {
        "platform": "sentinel-1a",
        "gsd": 30,
        "sat:relative_orbit": 121,
        "sat:orbit_state": "descending",
        "sar:instrument_mode": "IW",
        "sar:frequency_band": "C",
        "sar:product_type": "RTC",
        "sar:polarizations": ["VH", "VV"],
        "processing:version": "v1.0",
        "proj:code": "EPSG:32645",
        "proj:shape": [200, 300],
        "proj:transform": [30.0, 0.0, 440010.0, 0.0, -30.0, 3090000.0],
        "proj:bbox": [440010.0, 3084000.0, 449010.0, 3090000.0],
        "glaciolake:burst": "T121-258662-IW2",
        "glaciolake:filtered": False,
    }
    assert {key: item.properties[key] for key in expected} == expected


def test_assets_say_what_their_values_are() -> None:
    assets = make_item(OPERA, LATTICE, FILES).assets
    assert list(assets) == ["mask", "vh", "vv"]
    assert assets["vv"].media_type == pystac.MediaType.COG
    assert assets["vv"].extra_fields["file:checksum"] == "d510" + "0f" * 16
    assert assets["vv"].extra_fields["file:size"] == 7_150_000
    assert "file:checksum" not in assets["vh"].extra_fields
    assert (assets["vv"].extra_fields["nodata"], assets["mask"].extra_fields["nodata"]) == ("nan", 255)
    assert make_item(HYP3, LATTICE, {"vv": BandFile("a")}).assets["vv"].extra_fields["nodata"] == 0
    assert assets["mask"].roles == ["data-mask"]


def test_item_is_valid_against_the_core_schema() -> None:
    item = make_item(OPERA, LATTICE, FILES)
    JsonSchemaSTACValidator().validate_core(item.to_dict(), pystac.STACObjectType.ITEM, "1.1.0")


def test_footprint_lies_where_the_lattice_lies() -> None:
    outline = LATTICE.footprint()
    assert isinstance(outline.bounds, tuple)
    west, south, east, north = outline.bounds
    # 500 km easting is the zone's central meridian, 87 E; 440 km is 60 km west of it.
    assert 86.38 < west < 86.40 and 86.47 < east < 86.49
    assert 27.87 < south < 27.89 and 27.92 < north < 27.94
    item = make_item(OPERA, LATTICE, FILES)
    assert item.bbox == list(outline.bounds)
    assert shape(item.geometry or {}).exterior.is_ccw  # type: ignore[attr-defined]


def test_footprint_across_the_antimeridian_stays_small() -> None:
    lattice = Lattice("EPSG:32601", (30.0, 0.0, 270000.0, 0.0, -30.0, 5800000.0), (1000, 2000))
    outline = lattice.footprint()
    assert outline.geom_type == "MultiPolygon"
    assert outline.area < 1
    west, _, east, _ = make_item(OPERA, lattice, FILES).bbox or [0.0] * 4
    assert 179 < west < 180 and -180 < east < -179


def test_true_outline_of_the_data_may_be_given() -> None:
    item = make_item(OPERA, LATTICE, FILES, footprint=box(86.40, 27.88, 86.45, 27.90))
    assert item.bbox == [86.40, 27.88, 86.45, 27.90]


def test_crops_of_one_scene_get_ids_of_their_own() -> None:
    other = Lattice(LATTICE.crs, LATTICE.transform, (201, 300))
    assert item_id(HYP3, LATTICE) != item_id(HYP3, other)
    assert item_id(HYP3, LATTICE).startswith(HYP3.granule + "_")
    assert item_id(OPERA, LATTICE) == OPERA.granule


def test_mask_alone_is_no_acquisition() -> None:
    with pytest.raises(CatalogError, match="no polarisation"):
        make_item(OPERA, LATTICE, {"mask": BandFile("a")})


def test_given_orbit_wins_over_the_derived_one() -> None:
    item = make_item(HYP3, LATTICE, {"vv": BandFile("a")}, orbit=Orbit(48, "descending"))
    assert (granule_of(item).relative_orbit, granule_of(item).orbit_state) == (48, "descending")


@pytest.mark.parametrize(
    "key",
    [
        "proj:code",
        "proj:shape",
        "proj:transform",
        "sat:orbit_state",
        "sat:relative_orbit",
        "processing:version",
        "platform",
        "glaciolake:filtered",
    ],
)
def test_missing_property_is_named(key: str) -> None:
    item = make_item(OPERA, LATTICE, FILES)
    del item.properties[key]
    with pytest.raises(CatalogError, match=f"has no {key}"):
        granule_of(item)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sat:orbit_state", "geostationary", "expected ascending or descending"),
        ("platform", "landsat-8", "expected sentinel-1a"),
    ],
)
def test_unusable_property_is_named(key: str, value: str, message: str) -> None:
    item = make_item(OPERA, LATTICE, FILES)
    item.properties[key] = value
    with pytest.raises(CatalogError, match=message):
        granule_of(item)


def test_item_without_a_band_is_refused() -> None:
    item = make_item(OPERA, LATTICE, FILES)
    item.assets.clear()
    with pytest.raises(CatalogError, match="no asset among vv"):
        granule_of(item)


def test_multihash_names_its_algorithm() -> None:
    assert multihash("sha256", hashlib.sha256(b"").hexdigest().upper()).startswith("1220e3b0c442")
    with pytest.raises(CatalogError, match="no multihash prefix for 'crc32'"):
        multihash("crc32", "00")


seconds = st.datetimes(datetime(2014, 10, 3), datetime(2025, 12, 31)).map(
    lambda time: time.replace(microsecond=0, tzinfo=UTC)
)


@given(
    start=seconds,
    delay=st.integers(0, 10**8),
    east_m=st.floats(100_000, 900_000),
    north_m=st.floats(0, 8_000_000),
    shape_px=st.tuples(st.integers(1, 3000), st.integers(1, 4000)),
    bands=st.sets(st.sampled_from(["vv", "vh", "hh", "hv", "mask"])).filter(lambda found: found - {"mask"}),
)
def test_item_round_trip_loses_nothing(
    start: datetime,
    delay: int,
    east_m: float,
    north_m: float,
    shape_px: tuple[int, int],
    bands: set[Band],
) -> None:
    created = start + timedelta(seconds=delay)
    lattice = Lattice("EPSG:32645", (30.0, 0.0, east_m, 0.0, -30.0, north_m), shape_px)
    item = make_item(
        replace(OPERA, sensing_start=start, created=created),
        lattice,
        {band: BandFile(f"/data/{band}.tif") for band in bands},
    )
    again = pystac.Item.from_dict(item.to_dict())
    assert granule_of(again) == Granule(
        sensing_start=start,
        name=OPERA.granule,
        sensor="S1A",
        relative_orbit=121,
        orbit_state="descending",
        burst="T121-258662-IW2",
        created=created,
        version="v1.0",
        filtered=False,
        crs="EPSG:32645",
        transform=lattice.transform,
        shape=shape_px,
        hrefs=tuple((band, f"/data/{band}.tif") for band in sorted(bands)),
    )
