"""A product in the words of UMM-G, as the Common Metadata Repository tells of OPERA's: names, lists, order.

Shaped after recorded replies. What the simulated archive has no file of (HDF5, ISO XML, browse images) is not
listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import shapely.geometry.polygon
from shapely.geometry import Polygon

from glaciolake.catalog.names import cmr_burst
from glaciolake.catalog.simulate.serve.holdings import Holdings, Product
from glaciolake.catalog.simulate.serve.hosts import data_url, s3_url

SHORT_NAMES = {"opera": "OPERA_L2_RTC-S1_V1", "opera-static": "OPERA_L2_RTC-S1-STATIC_V1"}
_BURST_S = 3
_KNOWN_ORBIT = (51478, datetime(2023, 12, 2, 16, 28, 56, tzinfo=UTC))
_MD5_MULTIHASH = "d510"
_STATIC_ANGLE = "_local_incidence_angle.tif"


def umm_item(product: Product, holdings: Holdings) -> dict[str, Any]:
    """One entry of a search's ``items``: the granule and what the repository knows of the record."""
    made = product.name.created or product.name.sensing_start
    listed = _time(made + timedelta(minutes=40))
    meta = {
        "concept-type": "granule",
        "concept-id": concept_id(product),
        "revision-id": 1,
        "native-id": product.name.granule,
        "collection-concept-id": "C2795135174-ASF" if _is_static(product) else "C2777436413-ASF",
        "provider-id": "ASF",
        "format": "application/vnd.nasa.cmr.umm+json",
        "revision-date": listed.replace("Z", ".000Z"),
    }
    return {"meta": meta, "umm": _umm(product, holdings, listed)}


def concept_id(product: Product) -> str:
    """Id of the record; the same in every run."""
    return f"G{int(hashlib.sha256(product.name.granule.encode()).hexdigest()[:8], 16)}-ASF"


def _umm(product: Product, holdings: Holdings, listed: str) -> dict[str, Any]:
    name, item = product.name, product.item() if product.item else {}
    return {
        "TemporalExtent": _extent(product),
        "OrbitCalculatedSpatialDomains": [{"OrbitNumber": _orbit(product)}],
        "GranuleUR": name.granule,
        "AdditionalAttributes": [{"Name": key, "Values": told} for key, told in _attributes(product).items()],
        "SpatialExtent": {
            "HorizontalSpatialDomain": {"Geometry": {"GPolygons": [{"Boundary": {"Points": _ring(product)}}]}}
        },
        "ProviderDates": [{"Type": "Insert", "Date": listed}, {"Type": "Update", "Date": listed}],
        "CollectionReference": {"ShortName": SHORT_NAMES[name.family], "Version": "1"},
        "PGEVersionClass": {"PGEName": "RTC_S1_PGE", "PGEVersion": "2.1.0"},
        "RelatedUrls": list(_urls(product, holdings)),
        "Projects": [{"ShortName": one} for one in _projects(item)],
        "DataGranule": _granule(product, item),
        "Platforms": [
            {
                "ShortName": f"Sentinel-1{name.sensor[-1]}",
                "Instruments": [
                    {
                        "ShortName": "C-SAR",
                        "Characteristics": [{"Name": "LookDirection", "Value": "RIGHT"}],
                        "OperationalModes": ["IW"],
                    }
                ],
            }
        ],
        "MetadataSpecification": {
            "Name": "UMM-G",
            "URL": "https://cdn.earthdata.nasa.gov/umm/granule/v1.6.5",
            "Version": "1.6.5",
        },
    }


def _is_static(product: Product) -> bool:
    return product.name.family == "opera-static"


def _extent(product: Product) -> dict[str, Any]:
    start = product.name.sensing_start
    if _is_static(product):
        return {"SingleDateTime": _time(start)}
    end = start + timedelta(seconds=_BURST_S)
    return {"RangeDateTime": {"BeginningDateTime": _time(start), "EndingDateTime": _time(end)}}


def _attributes(product: Product) -> dict[str, list[str]]:
    static = _is_static(product)
    told = {
        "ASCENDING_DESCENDING": [product.orbit_state.upper()],
        "BEAM_MODE": ["IW"],
        "BISTATIC_DELAY_CORRECTION": ["FALSE" if static else "TRUE"],
        "GROUP_ID": [f"{product.name.sensor}_IWDV_0000_0007_{_orbit(product):06d}_{product.burst[1:4]}"],
        "LOOK_DIRECTION": ["RIGHT"],
        "OPERA_BURST_ID": [cmr_burst(product.burst)],
        "PATH_NUMBER": [str(int(product.burst[1:4]))],
        "POLARIZATION": ["VV"] if static else product.polarizations,
        "PROCESSING_TYPE": ["RTC-STATIC" if static else "RTC"],
        "PRODUCT_VERSION": [product.name.version.removeprefix("v")],
        "STATIC_TROPO_CORRECTION": ["FALSE" if static else "TRUE"],
        "SUBSWATH_NAME": [product.burst[-3:]],
        "WET_TROPO_CORRECTION": ["FALSE"],
    }
    if static:
        day = f"{product.name.sensing_start:%Y-%m-%d}"
        return dict(sorted((told | {"VALIDITY_START_DATE": [day]}).items()))
    more = {
        "NOISE_CORRECTION": ["TRUE"],
        "POST_PROCESSING_FILTER": ["FALSE"],
        "RADIOMETRIC_TERRAIN_CORRECTION": ["TRUE"],
    }
    return dict(sorted((told | more).items()))


def _orbit(product: Product) -> int:
    """Absolute orbit: 175 are flown in 12 days, and number 51478 of Sentinel-1A was on track 131."""
    track = int(product.burst[1:4])
    days = (product.name.sensing_start - _KNOWN_ORBIT[1]) / timedelta(days=12)
    since = track - 131 + 175 * round(days - (track - 131) / 175)
    return max(1, _KNOWN_ORBIT[0] + since)


def _ring(product: Product) -> list[dict[str, float]]:
    """Corners, closed, as the repository wants them: counter-clockwise."""
    outline = product.outline
    whole = outline if isinstance(outline, Polygon) else outline.convex_hull
    assert isinstance(whole, Polygon)
    points = list(shapely.geometry.polygon.orient(whole).exterior.coords)
    return [{"Latitude": round(y, 5), "Longitude": round(x, 5)} for x, y, *_ in points]


def _urls(product: Product, holdings: Holdings) -> Iterator[dict[str, str]]:
    """Addresses of all files, images first; those of an image name the angle of its static layers."""
    for file in product.files:
        yield _url(data_url(product.name, file), "GET DATA", "GeoTIFF")
        yield _url(s3_url(product.name, file), "GET DATA VIA DIRECT ACCESS", "GeoTIFF")
    static = None if _is_static(product) else holdings.static_of(product.burst)
    for file in static.files if static else ():
        if static and file.endswith(_STATIC_ANGLE):
            yield _url(data_url(static.name, file), "GET DATA", "GeoTIFF")
    for file in product.files:
        yield _url(data_url(product.name, f"{file}.md5"), "EXTENDED METADATA", "Text File")
        yield _url(s3_url(product.name, f"{file}.md5"), "EXTENDED METADATA", "Text File")


def _url(url: str, kind: str, form: str) -> dict[str, str]:
    return {
        "URL": url,
        "Type": kind,
        "Description": f"Download {url.rpartition('/')[2]}",
        "Format": form,
    }


def _projects(item: dict[str, Any]) -> list[str]:
    """Real name of the project, and the word by which a reader sees that nothing here was seen."""
    simulated = item.get("properties", {}).get("glaciolake:simulated", False)
    return ["SNWG/OPERA", "SIMULATED"] if simulated else ["SNWG/OPERA"]


def _granule(product: Product, item: dict[str, Any]) -> dict[str, Any]:
    known = {str(one["href"]).rpartition("/")[2]: one for one in item.get("assets", {}).values()}
    made = product.name.created or product.name.sensing_start
    return {
        "ArchiveAndDistributionInformation": [
            _file(file, path, known.get(file, {})) for file, path in product.files.items()
        ],
        "DayNightFlag": "Unspecified",
        "Identifiers": [{"Identifier": product.name.granule, "IdentifierType": "ProducerGranuleId"}],
        "ProductionDateTime": _time(made),
    }


def _file(file: str, path: Path, known: dict[str, Any]) -> dict[str, Any]:
    """Length and checksum, where the archive lays one beside the file or its catalogue has it."""
    size = known.get("file:size") or _size(path)
    told: dict[str, Any] = {"Name": file, "SizeInBytes": size, "Format": "GeoTIFF"}
    checksum = str(known.get("file:checksum", ""))
    if checksum.startswith(_MD5_MULTIHASH):
        told["Checksum"] = {"Value": checksum.removeprefix(_MD5_MULTIHASH), "Algorithm": "MD5"}
    return told


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # listed and lost: that is told where the file is asked for


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
