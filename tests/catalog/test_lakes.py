from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import Geod, Transformer
from shapely.geometry import Point, Polygon, shape

from glaciolake.catalog.errors import LakeInvalid, UnknownLake
from glaciolake.catalog.lake import Lake
from glaciolake.catalog.lake_checks import AREA_TOLERANCE, MARGIN_M, geodesic_area_km2
from glaciolake.catalog.lakes import find_lakes, load_lakes

ASKED_FOR = {
    "tsho-rolpa", "chamlang", "tilicho", "gokyo", "imja", "lower-barun", "thulagi", "lumding", "hongu-2",
    "south-lhonak", "thame", "purepu", "ngozumpa-pond",
}  # fmt: skip
SQUARE = [[86.0, 28.0], [86.01, 28.0], [86.01, 28.01], [86.0, 28.01], [86.0, 28.0]]
UNVERIFIED = {"south-lhonak", "thame", "purepu"}


@pytest.fixture(scope="module")
def registry() -> dict[str, Lake]:
    return load_lakes()


def feature(ring: Any = SQUARE, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def written(folder: Path, *features: Any) -> Path:
    path = folder / "lakes.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


def test_the_shipped_registry_loads_and_holds_the_lakes_asked_for(registry: dict[str, Lake]) -> None:
    assert set(registry) >= ASKED_FOR
    assert all(lake.id == key and lake.area_source and lake.outline_source for key, lake in registry.items())


def test_every_shipped_lake_keeps_its_distance_area_and_point(registry: dict[str, Lake]) -> None:
    for lake in registry.values():
        assert abs(geodesic_area_km2(lake.outline) / lake.area_km2 - 1) < AREA_TOLERANCE, lake.id
        assert lake.outline.contains(Point(lake.longitude_deg, lake.latitude_deg)), lake.id
        assert shortest_margin_m(lake) >= MARGIN_M, lake.id
        assert {int(burst[1:4]) for burst in lake.bursts} <= set(lake.tracks), lake.id


def shortest_margin_m(lake: Lake) -> float:
    """Margin along the four compass directions, by geodesics and not by the code's own way."""
    geod = Geod(ellps="WGS84")
    west, south, east, north = lake.outline.bounds
    aoi_west, aoi_south, aoi_east, aoi_north = lake.aoi.bounds
    gaps = [((aoi_west, south), (west, south)), ((east, north), (aoi_east, north))]
    gaps += [((west, aoi_south), (west, south)), ((west, north), (west, aoi_north))]
    return float(min(geod.inv(*a, *b)[2] for a, b in gaps))


def test_a_stored_outline_is_the_figure_its_numbers_say() -> None:
    path = Path(__file__).parents[2] / "catalog" / "lakes.geojson"
    for entry in json.loads(path.read_text(encoding="utf-8"))["features"]:
        properties, stored = entry["properties"], shape(entry["geometry"])
        drawn = figure(properties["shape"], properties["area_km2"])
        assert drawn.symmetric_difference(stored).area < 0.005 * stored.area, properties["id"]


def figure(numbers: dict[str, float], area_km2: float) -> Polygon:
    """Outline from the numbers, as the file's own text says; lon/lat degrees."""
    lon_deg, lat_deg = numbers["longitude_deg"], numbers["latitude_deg"]
    zone = f"EPSG:{32601 + int((lon_deg + 180) // 6)}"
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    u, v = np.cos(turn), np.sin(turn)
    along = numbers["axis_ratio"] * u
    across = v * (1 + numbers["taper"] * u + numbers["waist"] * (u**2 - 0.5))
    across += numbers["bend"] * (u**2 - 0.25) + numbers["s_bend"] * u * (u**2 - 0.5)
    azimuth = math.radians(numbers["azimuth_deg"])
    east = along * math.sin(azimuth) + across * math.cos(azimuth)
    north = along * math.cos(azimuth) - across * math.sin(azimuth)
    centre = np.array(Transformer.from_crs("EPSG:4326", zone, always_xy=True).transform(lon_deg, lat_deg))
    to_degrees = Transformer.from_crs(zone, "EPSG:4326", always_xy=True)

    def placed(scale_m: float) -> Polygon:
        corners = centre + scale_m * np.column_stack([east, north])
        return Polygon(np.column_stack(to_degrees.transform(corners[:, 0], corners[:, 1])))

    return placed(100 * math.sqrt(area_km2 / geodesic_area_km2(placed(100))))


def test_chamlang_is_not_seen_by_track_85_and_the_pond_is_not_imja(registry: dict[str, Lake]) -> None:
    assert registry["chamlang"].tracks == (12, 121)
    pond, imja = registry["ngozumpa-pond"], registry["imja"]
    assert "not Imja" in pond.notes and pond.outline.distance(imja.outline) > 0.1
    assert "pixels" in pond.notes


def test_outlines_that_no_inventory_backs_say_so(registry: dict[str, Lake]) -> None:
    assert {lake.id for lake in registry.values() if "Unverified" in lake.outline_source} == UNVERIFIED


def test_lakes_are_found_by_id_name_and_inventory_id_once_and_in_order(registry: dict[str, Lake]) -> None:
    found = find_lakes("Lower Barun, tsho_rolpa,,GL086925E27898N,tshoRolpa", registry)
    assert [lake.id for lake in found] == ["lower-barun", "tsho-rolpa", "imja"]
    assert find_lakes("all", registry) == list(registry.values())


def test_an_unknown_lake_is_refused_with_the_nearest_names(registry: dict[str, Lake]) -> None:
    with pytest.raises(UnknownLake, match=r"'tsho rlpa'.*nearest: tsho-rolpa"):
        find_lakes("imja, tsho rlpa", registry)
    with pytest.raises(UnknownLake, match=r"known: tsho-rolpa, chamlang"):
        find_lakes("xyzzyxyzzy", registry)
    with pytest.raises(UnknownLake, match="no lake is named"):
        find_lakes(" , ", registry)


def test_a_users_polygon_with_nothing_but_a_name_is_enough(tmp_path: Path) -> None:
    lakes = load_lakes(written(tmp_path, feature(name="My Lake")))
    lake = lakes["my-lake"]
    assert lake.name == "My Lake" and lake.icimod_id is None and math.isnan(lake.elevation_m)
    assert lake.area_km2 == pytest.approx(0.984 * 1.108, rel=0.01)  # 0.01 x 0.01 degrees at 28 N
    assert (lake.tracks, lake.bursts, lake.area_source) == ((), (), "its outline")
    assert shortest_margin_m(lake) >= MARGIN_M
    assert lake.outline.contains(Point(lake.longitude_deg, lake.latitude_deg))


def test_a_bare_feature_with_heights_and_a_bent_lake_is_accepted(tmp_path: Path) -> None:
    bent = [[0, 0], [3, 0], [3, 1], [1, 1], [1, 2], [3, 2], [3, 3], [0, 3], [0, 0]]
    ring = [[10 + x / 100, -45 + y / 100, 1234.0] for x, y in bent]
    path = tmp_path / "one.geojson"
    path.write_text(json.dumps(feature(ring, id="Bent")))
    lake = load_lakes(path)["bent"]
    assert not lake.outline.has_z
    assert lake.outline.contains(Point(lake.longitude_deg, lake.latitude_deg))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"longitude_deg": 86.5}, r"86\.50000 E.*outside its outline"),
        ({"icimod_id": "GL086505E28005N"}, r"GL086505E28005N says 86\.505.*49\.\d km"),
        ({"icimod_id": "GL86505E28005N"}, "not like GL086476E27861N"),
        ({"aoi": [85.995, 27.98, 86.02, 28.02]}, r"leaves 49\d m.*1000 m"),
        ({"aoi": [86.02, 28.02, 86.03, 28.03]}, "leaves 0 m"),
        ({"aoi": [86.02, 28.02, 85.0, 28.03]}, r"\[west, south, east, north\]"),
        ({"area_km2": 1.2}, r"covers 1\.09\d* km2 and its area_km2 is 1\.2"),
        ({"area_km2": -1}, "not above 0"),
        ({"elevation_m": 14944}, "14944.*give metres"),
        ({"tracks": [176]}, "track 176"),
        ({"tracks": [12], "bursts": ["T121-258662-IW2"]}, r"T121-258662-IW2.*\[12\]"),
        ({"tracks": [85], "hidden_tracks": [12]}, r"hidden track 12.*\[85\]"),
        ({"bursts": ["T121-258662-IW9"]}, "not like T121-258662-IW2"),
        ({"tracks": ["descending"]}, "descending"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(LakeInvalid, match=rf"a-lake\b.*{says}"):
        load_lakes(written(tmp_path, feature(id="a-lake", **changes)))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (feature(), "neither id nor name"),
        (feature([[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]], id="x"), "not valid.*Self-intersection"),
        (
            feature([[460000, 3080000], [460000, 3090000], [470000, 3090000], [460000, 3080000]], id="x"),
            "beyond lon",
        ),
        (feature([[0, 0], [1, 1]], id="x"), "cannot be read"),
        ({"type": "Feature", "properties": {"id": "x"}, "geometry": None}, "cannot be read"),
        (
            {
                "type": "Feature",
                "properties": {"id": "x"},
                "geometry": {"type": "Point", "coordinates": [1, 2]},
            },
            "Point",
        ),
        ("x", "neither id nor name"),
    ],
)
def test_a_feature_that_is_no_lake_is_refused(tmp_path: Path, entry: Any, says: str) -> None:
    with pytest.raises(LakeInvalid, match=says):
        load_lakes(written(tmp_path, entry))


def test_two_lakes_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeInvalid, match="'a-lake' is given to two lakes"):
        load_lakes(written(tmp_path, feature(id="a-lake"), feature(name="A lake")))


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "not JSON"), ("[]", "type None"), ('{"type": "Topology"}', "Topology"),
     ('{"type": "FeatureCollection", "features": []}', "holds no lake")],
)  # fmt: skip
def test_a_file_that_is_no_feature_collection_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "wrong.geojson"
    path.write_text(text)
    with pytest.raises(LakeInvalid, match=says):
        load_lakes(path)


def test_a_registry_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LakeInvalid, match=r"absent\.geojson"):
        load_lakes(tmp_path / "absent.geojson")


def test_ids_areas_and_elevations_are_those_of_the_inventory(
    shared_data: Path, registry: dict[str, Lake]
) -> None:
    known = inventory(shared_data)
    for lake in registry.values():
        if lake.icimod_id is None:
            assert lake.id in UNVERIFIED
            continue
        facts, polygon = known[lake.icimod_id]
        assert lake.elevation_m == facts["Elevation"]
        assert lake.area_km2 == pytest.approx(facts["Area"], rel=0.01)
        assert polygon.contains(Point(lake.longitude_deg, lake.latitude_deg)), lake.id
        assert lake.aoi.contains(polygon), lake.id
        overlap = polygon.intersection(lake.outline).area / polygon.union(lake.outline).area
        said = float(lake.outline_source.split("over union ")[1][:4])
        assert overlap == pytest.approx(said, abs=0.011), lake.id


def inventory(shared_data: Path) -> dict[str, tuple[dict[str, Any], Polygon]]:
    """Inventory's facts and polygons by id; the TopoJSON holds one ring a lake."""
    topology = json.loads((shared_data / "vectors" / "icimod_glacial_lakes_2015.topojson").read_text())
    scale, origin = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    arcs = [np.cumsum(arc, axis=0) * scale + origin for arc in topology["arcs"]]
    (layer,) = topology["objects"].values()
    return {
        entry["properties"]["GL_ID"]: (entry["properties"], Polygon(arcs[entry["arcs"][0][0]]))
        for entry in layer["geometries"]
        if entry.get("type") == "Polygon" and len(entry["arcs"][0]) == 1 and entry["arcs"][0][0] >= 0
    }


def test_every_burst_of_a_lake_is_in_the_burst_table_and_over_it(
    shared_data: Path, registry: dict[str, Lake]
) -> None:
    known = json.loads((shared_data / "reference" / "himalaya_bursts.geojson").read_text())["features"]
    footprints = {entry["properties"]["jpl_burst_id"]: shape(entry["geometry"]) for entry in known}
    for lake in registry.values():
        seen = {burst for burst in lake.bursts if footprints[burst].contains(lake.outline)}
        partly = set(lake.bursts) - seen
        assert partly <= {"T019-039569-IW3"}, lake.id  # Tilicho lies across two bursts of one pass
        assert {int(burst[1:4]) for burst in seen} == set(lake.tracks) - {85 if "pond" in lake.id else 0}, (
            lake.id
        )


def test_a_track_whose_view_is_blocked_covers_the_lake_and_does_not_see_it() -> None:
    rolpa = load_lakes()["tsho-rolpa"]
    assert rolpa.tracks == (12, 85, 121)
    assert rolpa.seeing_tracks == (85, 121)
    assert load_lakes()["chamlang"].seeing_tracks == (12, 121)
