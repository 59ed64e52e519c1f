"""Names: every spelling that archives use, and a reason for each that is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glaciolake.catalog.errors import UnknownName
from glaciolake.catalog.names import (
    RtcName,
    canonical_burst,
    cmr_burst,
    opera_utils_burst,
    parse_name,
    parse_url,
)

GRANULE = "OPERA_L2_RTC-S1_T012-023790-IW1_20240916T121405Z_20240916T201530Z_S1A_30_v1.0"
STATIC = "OPERA_L2_RTC-S1-STATIC_T161-344054-IW2_20140403_S1B_30_v1.0"
HYP3 = "S1A_IW_20150721T121336_SVP_RTC20_G_gpufed_F168"


def test_granule_name_gives_every_field() -> None:
    assert parse_name(GRANULE) == RtcName(
        family="opera",
        granule=GRANULE,
        sensor="S1A",
        sensing_start=datetime(2024, 9, 16, 12, 14, 5, tzinfo=UTC),
        created=datetime(2024, 9, 16, 20, 15, 30, tzinfo=UTC),
        burst="T012-023790-IW1",
        spacing_m=30,
        version="v1.0",
        filtered=False,
    )
    assert parse_name(GRANULE).relative_orbit == 12


@pytest.mark.parametrize(
    ("suffix", "layer", "band"),
    [
        ("_VV.tif", "VV", "vv"),
        ("_VH.tif", "VH", "vh"),
        ("_HH.tif", "HH", "hh"),
        ("_HV.tif", "HV", "hv"),
        ("_mask.tif", "mask", "mask"),
        (".h5", None, None),
        (".iso.xml", None, None),
        ("_BROWSE.png", "BROWSE", None),
        ("_BROWSE_low-res.png", "BROWSE_low-res", None),
        ("_BROWSE_thumbnail.png", "BROWSE_thumbnail", None),
        ("_VV.tif.md5", "VV", None),
        (".iso.xml.md5", None, None),
    ],
)
def test_each_file_of_a_granule_is_known_and_only_rasters_are_bands(
    suffix: str, layer: str | None, band: str | None
) -> None:
    name = parse_name(GRANULE + suffix)
    assert (name.granule, name.layer, name.band) == (GRANULE, layer, band)
    assert name.checksum == suffix.endswith(".md5")
    assert name.file_name == GRANULE + suffix


@pytest.mark.parametrize("layer", ["incidence_angle", "local_incidence_angle", "mask", "number_of_looks"])
def test_static_layers_are_known_and_are_no_acquisition(layer: str) -> None:
    name = parse_name(f"{STATIC}_{layer}.tif")
    assert (name.family, name.granule, name.layer, name.created) == ("opera-static", STATIC, layer, None)
    assert name.band is None  # the static mask is not the mask of a date
    assert name.sensing_start == datetime(2014, 4, 3, tzinfo=UTC)


def test_hyp3_name_gives_every_field() -> None:
    assert parse_name(f"{HYP3}_VV.tif") == RtcName(
        family="hyp3",
        granule=HYP3,
        sensor="S1A",
        sensing_start=datetime(2015, 7, 21, 12, 13, 36, tzinfo=UTC),
        created=None,
        burst=None,
        spacing_m=20,
        version="gpufed",
        filtered=True,
        polarizations=("vv",),
        layer="VV",
        extension="tif",
    )


def test_hyp3_flags_tell_filtered_from_unfiltered_and_dual_from_single() -> None:
    name = parse_name("S1B_IW_20210721T121336_DHR_RTC30_G_gpuncm_00FF_HV.tif")
    assert (name.filtered, name.polarizations, name.version, name.spacing_m) == (
        False,
        ("hh", "hv"),
        "gpuncm",
        30,
    )
    assert name.relative_orbit is None


@pytest.mark.parametrize("layer", ["ls_map", "dem", "inc_map", "area", "rgb"])
def test_layers_that_hyp3_adds_are_known_and_are_no_band(layer: str) -> None:
    assert parse_name(f"{HYP3}_{layer}.tif").band is None


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ("gdufed", "decibel scale.*scale=power"),
        ("gaufed", "amplitude scale.*scale=power"),
        ("spufed", "sigma0.*radiometry=gamma0"),
        ("gpwfed", "water is masked out.*lakes with it"),
    ],
)
def test_hyp3_products_whose_values_mean_something_else_are_refused(flags: str, reason: str) -> None:
    with pytest.raises(UnknownName, match=reason):
        parse_name(HYP3.replace("gpufed", flags) + "_VV.tif")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "lake.tif",
        GRANULE.lower(),
        GRANULE + "_VX.tif",
        GRANULE + "_VV.tif\n",
        GRANULE.replace("S1A", "S1E"),
        GRANULE.replace("T012-", "T176-"),
        GRANULE.replace("T012-", "T000-"),
        STATIC.replace("20140403", "20140403T000000Z"),
        HYP3.replace("_IW_", "_EW_"),
        "OPERA_L2_CSLC-S1_T012-023790-IW1_20240916T121405Z_20240916T201530Z_S1A_VV_v1.0",
    ],
)
def test_unknown_names_are_refused_with_the_expected_form(name: str) -> None:
    with pytest.raises(UnknownName, match=r"expected .*T012|expected OPERA_L2_RTC-S1_<burst>"):
        parse_name(name)


def test_a_day_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownName, match="time that does not exist"):
        parse_name(GRANULE.replace("20240916T121405Z", "20240931T121405Z"))


@pytest.mark.parametrize("text", ["T012-023790-IW1", "T012_023790_IW1", "t012_023790_iw1"])
def test_three_spellings_of_a_burst_are_one(text: str) -> None:
    assert canonical_burst(text) == "T012-023790-IW1"
    assert cmr_burst(text) == "T012_023790_IW1"
    assert opera_utils_burst(text) == "t012_023790_iw1"


@given(
    start=st.datetimes(datetime(2014, 4, 3), datetime(2099, 1, 1)),
    created=st.datetimes(datetime(2014, 4, 3), datetime(2099, 1, 1)),
    burst=st.from_regex(r"T(00[1-9]|0[1-9][0-9]|1[0-6][0-9]|17[0-5])-[0-9]{6}-IW[123]", fullmatch=True),
    sensor=st.sampled_from(["S1A", "S1B", "S1C", "S1D"]),
    layer=st.sampled_from(["", "_VV.tif", "_VH.tif", "_mask.tif", ".h5", ".iso.xml.md5"]),
)
def test_every_name_that_is_built_is_read_back(
    start: datetime, created: datetime, burst: str, sensor: str, layer: str
) -> None:
    text = f"OPERA_L2_RTC-S1_{burst}_{start:%Y%m%dT%H%M%S}Z_{created:%Y%m%dT%H%M%S}Z_{sensor}_30_v1.0{layer}"
    name = parse_name(text)
    assert (name.file_name, name.burst, name.sensor) == (text, burst, sensor)
    assert name.sensing_start == start.replace(microsecond=0, tzinfo=UTC)
    assert name.created == created.replace(microsecond=0, tzinfo=UTC)


@given(st.integers(1, 175), st.integers(1, 375887), st.integers(1, 3))
def test_burst_spellings_round_trip(track: int, number: int, swath: int) -> None:
    burst = f"T{track:03d}-{number:06d}-IW{swath}"
    assert canonical_burst(cmr_burst(burst)) == canonical_burst(opera_utils_burst(burst)) == burst


@pytest.mark.parametrize(
    "text", ["", "T12-23790-IW1", "T176-000001-IW1", "T012-023790-IW4", "T012-023790-IW1x"]
)
def test_what_is_no_burst_is_refused(text: str) -> None:
    with pytest.raises(UnknownName, match="no burst id; expected T012-023790-IW1"):
        canonical_burst(text)


@pytest.mark.parametrize(
    "url",
    [
        f"https://datapool.asf.alaska.edu/RTC/OPERA-S1/{GRANULE}_VV.tif",
        f"https://cumulus.asf.earthdatacloud.nasa.gov/OPERA/OPERA_L2_RTC-S1/{GRANULE}/{GRANULE}_VV.tif",
        f"s3://asf-cumulus-prod-opera-products/OPERA_L2_RTC-S1/{GRANULE}/{GRANULE}_VV.tif",
        f"/vsicurl/https://datapool.asf.alaska.edu/RTC/OPERA-S1/{GRANULE}_VV.tif",
        f"https://host.example/{GRANULE}_VV.tif?A-userid=someone&Signature=x%2Fy",
        f"/data/rtc/{GRANULE}_VV.tif",
    ],
)
def test_addresses_of_every_generation_give_the_same_name(url: str) -> None:
    assert parse_url(url) == parse_name(f"{GRANULE}_VV.tif")


def test_folder_and_file_of_different_granules_are_refused() -> None:
    other = GRANULE.replace("023790", "023789")
    with pytest.raises(UnknownName, match="different granules"):
        parse_url(f"s3://asf-cumulus-prod-opera-products/OPERA_L2_RTC-S1/{other}/{GRANULE}_VV.tif")


def test_address_without_a_file_is_refused() -> None:
    with pytest.raises(UnknownName, match="no file name"):
        parse_url("https://datapool.asf.alaska.edu/")


def test_every_recorded_granule_is_read_as_its_table_says(shared_data: Path) -> None:
    tables = sorted((shared_data / "api" / "opera_granule_tables").glob("*.parquet"))
    table = pd.concat([pd.read_parquet(path) for path in tables]).drop_duplicates("opera_id")
    assert len(table) > 5000
    for row in table.itertuples():
        name = parse_name(str(row.opera_id))
        assert (name.burst, name.relative_orbit) == (row.jpl_burst_id, row.track_number)
        assert name.sensing_start == row.acq_dt
        assert (
            parse_url(str(row.url_copol)).granule == name.granule == parse_url(str(row.url_crosspol)).granule
        )


def test_every_real_file_name_is_read_and_put_together_again(shared_data: Path) -> None:
    paths = [*shared_data.glob("himalaya_hyp3_rtc20/*/*.tif"), *shared_data.glob("opera_rtc_t137/*.tif")]
    assert len(paths) == 299 + 930
    for path in paths:
        name = parse_name(path.name)
        assert name.file_name == path.name
        assert name.band in ("vv", "vh")
        assert name.filtered == (name.family == "hyp3")
