"""Records of a served archive beside recorded ones of the real archive, key by key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from glaciolake.catalog.simulate.serve.bare import bare_item
from glaciolake.catalog.simulate.serve.holdings import Holdings, Product
from glaciolake.catalog.simulate.serve.load import load_folder
from glaciolake.catalog.simulate.serve.server import served
from glaciolake.catalog.simulate.serve.umm import umm_item
from tests.catalog.serving import session, write_folder

NO_SUCH_FILE = (".h5", ".iso.xml", ".png")
OLD_HOST = "https://datapool.asf.alaska.edu/"
NEW_HOST = "https://cumulus.asf.earthdatacloud.nasa.gov/OPERA/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def holdings(folder: Path) -> Holdings:
    return load_folder(folder)


def product(holdings: Holdings, family: str) -> Product:
    """Newest product over the burst that has static layers."""
    found = (one for one in holdings.products if one.name.family == family)
    return next(one for one in found if one.burst == "T121-258662-IW2")


def recorded(shared_data: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_data / "reference" / name).read_text())
    return found


def keys(told: Any, path: str = "") -> Iterator[str]:
    """Paths of all keys of a JSON object; entries of a list share theirs."""
    if isinstance(told, dict):
        for key, value in told.items():
            yield f"{path}.{key}"
            yield from keys(value, f"{path}.{key}")
    elif isinstance(told, list):
        for value in told:
            yield from keys(value, f"{path}[]")


def anonymous(told: Any, granule: str) -> str:
    """Text of a part of a record, without its granule's name and the generation of its host."""
    text = json.dumps(told, sort_keys=True).replace(granule, "<name>")
    for product in ("RTC-STATIC", "RTC"):
        text = text.replace(f"{OLD_HOST}{product}/OPERA-S1/", "<host>/")
    for product in ("OPERA_L2_RTC-S1_STATIC", "OPERA_L2_RTC-S1"):
        text = text.replace(f"{NEW_HOST}{product}/<name>/", "<host>/")
    return text


def is_kept(url: str) -> bool:
    return not url.removesuffix(".md5").endswith(NO_SUCH_FILE)


@pytest.mark.parametrize(("family", "name"), [("opera", "RTC"), ("opera-static", "RTC-STATIC")])
def test_a_record_has_the_keys_of_a_recorded_one(
    holdings: Holdings, shared_data: Path, family: str, name: str
) -> None:
    real = recorded(shared_data, f"asf_search_{name}.recorded.json")
    ours = umm_item(product(holdings, family), holdings)
    theirs = {part: set(keys(real[part])) for part in ("meta", "umm")}
    assert set(keys(ours["meta"])) - theirs["meta"] == {".collection-concept-id"}  # newer than the recording
    assert theirs["meta"] <= set(keys(ours["meta"]))
    checksums = {
        f".DataGranule.ArchiveAndDistributionInformation[].Checksum{one}"
        for one in ("", ".Value", ".Algorithm")
    }
    missing = (
        theirs["umm"] - set(keys(ours["umm"])) - checksums
    )  # these come of a catalogue, and here is none
    assert missing == {".InputGranules", ".DataGranule.Identifiers[].IdentifierName"}
    assert set(keys(ours["umm"])) <= theirs["umm"]
    values = [{one["Name"] for one in umm["AdditionalAttributes"]} for umm in (ours["umm"], real["umm"])]
    assert values[0] == values[1]


@pytest.mark.parametrize(("family", "name"), [("opera", "RTC"), ("opera-static", "RTC-STATIC")])
def test_the_addresses_of_a_record_are_those_of_a_recorded_one(
    holdings: Holdings, shared_data: Path, family: str, name: str
) -> None:
    real = recorded(shared_data, f"asf_search_{name}.recorded.json")["umm"]
    one = product(holdings, family)
    ours = umm_item(one, holdings)["umm"]
    there = [url for url in real["RelatedUrls"] if is_kept(url["URL"])]
    wanted = {anonymous(url, real["GranuleUR"]) for url in there}
    found = [anonymous(url, one.name.granule) for url in ours["RelatedUrls"]]
    layers = [file.removeprefix(one.name.granule) for file in one.files]
    if family == "opera":
        (angle,) = (url for url in found if "local_incidence_angle" in url)  # as in newer records
        assert set(found) - {angle} == wanted and 'GET DATA"' in angle
    else:
        held = {url for url in wanted if any(layer in url for layer in layers) or "s3credentials" in url}
        held -= {url for url in held if "_incidence_angle" in url and "local" not in url}
        assert set(found) == held
    assert len(found) == len(set(found))


def test_a_bare_item_has_the_assets_and_links_of_a_recorded_one(
    holdings: Holdings, shared_data: Path
) -> None:
    real = recorded(shared_data, "cmr_stac_OPERA_RTC_item.json")
    one = product(holdings, "opera")
    ours = bare_item(one)
    kept = {key: asset for key, asset in real["assets"].items() if is_kept(asset["href"])}
    assert set(real["assets"]) - set(kept) == {
        *("0", "s3_0", "browse"),
        *(f"thumbnail_{number}" for number in range(6)),
    }
    assert set(ours["assets"]) == set(kept)
    for key, asset in kept.items():
        if key != "metadata":  # its address holds the number of the record
            assert anonymous(ours["assets"][key], one.name.granule) == anonymous(asset, real["id"])
    assert set(ours) == set(real) and set(ours["properties"]) == set(real["properties"])
    assert set(ours["assets"]["metadata"]) == set(kept["metadata"])


def test_a_bare_item_links_where_a_recorded_one_does(folder: Path, shared_data: Path) -> None:
    real = recorded(shared_data, "cmr_stac_OPERA_RTC_item.json")
    with served(folder) as archive:
        client = session(archive)
        said = client.get("https://cmr.earthdata.nasa.gov/stac/ASF/search?limit=1", timeout=10)
        (item,) = said.json()["features"]
        assert sorted(link["rel"] for link in item["links"]) == sorted(link["rel"] for link in real["links"])
        record = read_record(client, item)
        assert record["GranuleUR"] == item["id"]
        for link in item["links"]:
            status = client.get(link["href"], timeout=10).status_code
            assert status == (404 if link["href"].endswith("-ASF.json") else 200)
        nothing = client.get("https://cmr.earthdata.nasa.gov/search/concepts/G1-ASF.umm_json", timeout=10)
        assert nothing.status_code == 404 and "could not be found" in nothing.text


def read_record(client: requests.Session, item: dict[str, Any]) -> dict[str, Any]:
    (href,) = (link["href"] for link in item["links"] if link["href"].endswith(".umm_json"))
    found: dict[str, Any] = client.get(href, timeout=10).json()
    return found
