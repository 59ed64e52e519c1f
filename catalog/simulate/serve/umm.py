"""A product in the words of UMM-G, as the Common Metadata Repository tells of OPERA's: names, lists, order.

Shaped after recorded replies, with which tests compare it key by key. What a real record has beside it:

* addresses of files that the simulated archive does not have: HDF5, ISO XML, browse images, and their
  checksums;
* `InputGranules`, and the identifiers of ISCE3, s1-reader and the processor: nothing of the kind made these
  files;
* more than one revision;
* addresses at ``datapool.asf.alaska.edu``, where recorded granules sensed until July 2025 lie; how that host
  answers was not recorded, so all files are at ``cumulus.asf.earthdatacloud.nasa.gov``, as those of August
  2025 are;
* two polygons where an outline crosses the date line, which no Himalayan burst does.

The address of S3 credentials is there as in every record; the host answers that there is no bucket.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import shapely.geometry.polygon
from shapely.geometry import Polygon

from glaciolake.catalog.names import Family, cmr_burst
from glaciolake.catalog.simulate.serve.holdings import Holdings, Product
from glaciolake.catalog.simulate.serve.hosts import AUTH_HOST, data_url, s3_url

SHORT_NAMES: dict[Family, str] = {"opera": "OPERA_L2_RTC-S1_V1", "opera-static": "OPERA_L2_RTC-S1-STATIC_V1"}
COLLECTION_IDS: dict[Family, str] = {"opera": "C2777436413-ASF", "opera-static": "C2795135174-ASF"}
PROVIDER = "ASF"
INSTRUMENT = "C-SAR"
_KNOWN_ORBIT = (51478, datetime(2023, 12, 2, 16, 28, 56, tzinfo=UTC))
_MD5_MULTIHASH = "d510"
_STATIC_ANGLE = "_local_incidence_angle.tif"


def umm_item(product: Product, holdings: Holdings) -> dict[str, Any]:
    """One entry of a search's ``items``: the granule and what the repository knows of the record."""
    listed = _time(revised(product))
    meta = {
        "concept-type": "granule",
        "concept-id": concept_id(product),
        "revision-id": 1,
        "native-id": product.name.granule,
        "collection-concept-id": COLLECTION_IDS[product.name.family],
        "provider-id": PROVIDER,
        "format": "application/vnd.nasa.cmr.umm+json",
        "revision-date": listed.replace("Z", ".000Z"),
    }
    return {"meta": meta, "umm": umm(product, holdings)}


def concept_id(product: Product) -> str:
    """Id of the record; the same in every run."""
    return f"G{int(hashlib.sha256(product.name.granule.encode()).hexdigest()[:8], 16)}-{PROVIDER}"


def revised(product: Product) -> datetime:
    """Moment at which the repository took the record in."""
    return (product.name.created or product.name.sensing_start) + timedelta(minutes=40)


def platform(product: Product) -> str:
    """``Sentinel-1A`` and the like."""
    return f"Sentinel-1{product.name.sensor[-1]}"


def umm(product: Product, holdings: Holdings) -> dict[str, Any]:
    """Tell of one granule."""
    name, item = product.name, product.item() if product.item else {}
    listed = _time(revised(product))
    attributes = {key: value(product) for key, value in sorted(ATTRIBUTES.items())}
    return {
        "TemporalExtent": _extent(product),
        "OrbitCalculatedSpatialDomains": [{"OrbitNumber": orbit(product)}],
        "GranuleUR": name.granule,
        "AdditionalAttributes": [{"Name": key, "Values": told} for key, told in attributes.items() if told],
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
                "ShortName": platform(product),
                "Instruments": [
                    {
                        "ShortName": INSTRUMENT,
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
    return {
        "RangeDateTime": {"BeginningDateTime": _time(start), "EndingDateTime": _time(product.sensing_end)}
    }


def _told(image: str, static: str | None = None) -> Callable[[Product], list[str]]:
    """Attribute that is the same for all images, and for all static layers where they have it."""
    known = {"opera": [image], "opera-static": [] if static is None else [static]}
    return lambda product: known[product.name.family]


_cmr_burst = functools.cache(cmr_burst)
ATTRIBUTES: dict[str, Callable[[Product], list[str]]] = {
    "ASCENDING_DESCENDING": lambda product: [product.orbit_state.upper()],
    "BEAM_MODE": _told("IW", "IW"),
    "BISTATIC_DELAY_CORRECTION": _told("TRUE", "FALSE"),
    "GROUP_ID": lambda product: [
        f"{product.name.sensor}_IWDV_0000_0007_{orbit(product):06d}_{product.burst[1:4]}"
    ],
    "LOOK_DIRECTION": _told("RIGHT", "RIGHT"),
    "NOISE_CORRECTION": _told("TRUE"),
    "OPERA_BURST_ID": lambda product: [_cmr_burst(product.burst)],
    "PATH_NUMBER": lambda product: [str(int(product.burst[1:4]))],
    "POLARIZATION": lambda product: ["VV"] if _is_static(product) else product.polarizations,
    "POST_PROCESSING_FILTER": _told("FALSE"),
    "PROCESSING_TYPE": _told("RTC", "RTC-STATIC"),
    "PRODUCT_VERSION": lambda product: [product.name.version.removeprefix("v")],
    "RADIOMETRIC_TERRAIN_CORRECTION": _told("TRUE"),
    "STATIC_TROPO_CORRECTION": _told("TRUE", "FALSE"),
    "SUBSWATH_NAME": lambda product: [product.burst[-3:]],
    "VALIDITY_START_DATE": lambda product: (
        [f"{product.name.sensing_start:%Y-%m-%d}"] if _is_static(product) else []
    ),
    "WET_TROPO_CORRECTION": _told("FALSE", "FALSE"),
}
"""Additional attribute -> its values in a product's record; none where such records lack it."""


def orbit(product: Product) -> int:
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
    yield {
        "URL": f"https://{AUTH_HOST}/s3credentials",
        "Type": "VIEW RELATED INFORMATION",
        "Description": "S3 Credentials Endpoint",
    }


def _url(url: str, kind: str, form: str) -> dict[str, str]:
    how = "This link provides direct download access via S3 to" if url.startswith("s3:") else "Download"
    return {"URL": url, "Type": kind, "Description": f"{how} {url.rpartition('/')[2]}", "Format": form}


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
