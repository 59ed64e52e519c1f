"""Names of OPERA RTC-S1 and HyP3 RTC products, read into one value.

OPERA names follow the product specification (granule, one file a layer, static layers); HyP3 names follow the
grammar printed in every product's own README: ``S1A_IW_<start>_<polarisations><orbit file>_RTC<spacing>_G_``
``<radiometry><scale><masked><filtered><extent><matched>_<id>``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import unquote, urlsplit

from glaciolake.catalog.errors import UnknownName
from glaciolake.catalog.granule import Band

Family = Literal["opera", "opera-static", "hyp3"]

TRACKS = 175
"""Orbits in one 12-day repeat cycle of Sentinel-1, so relative orbits run from 1 to 175."""

_BURST = re.compile(r"T(?P<track>\d{3})[-_](?P<number>\d{6})[-_](?P<swath>IW[123])", re.IGNORECASE)
_OPERA = re.compile(
    r"(?P<granule>OPERA_L2_RTC-S1_(?P<burst>T\d{3}-\d{6}-IW[123])_(?P<start>\d{8}T\d{6}Z)"
    r"_(?P<created>\d{8}T\d{6}Z)_(?P<sensor>S1[A-D])_(?P<spacing>30)_(?P<version>v\d+\.\d+))"
    r"(?:_(?P<layer>VV|VH|HH|HV|mask|BROWSE(?:_low-res|_thumbnail)?))?"
    r"(?:\.(?P<extension>tif|h5|png|iso\.xml))?(?P<md5>\.md5)?"
)
_STATIC = re.compile(
    r"(?P<granule>OPERA_L2_RTC-S1-STATIC_(?P<burst>T\d{3}-\d{6}-IW[123])_(?P<start>\d{8})"
    r"_(?P<sensor>S1[A-D])_(?P<spacing>30)_(?P<version>v\d+\.\d+))"
    r"(?:_(?P<layer>incidence_angle|local_incidence_angle|mask|number_of_looks|rtc_anf_gamma0_to_beta0"
    r"|rtc_anf_gamma0_to_sigma0|BROWSE(?:_low-res|_thumbnail)?))?"
    r"(?:\.(?P<extension>tif|h5|png|iso\.xml))?(?P<md5>\.md5)?"
)
_HYP3 = re.compile(
    r"(?P<granule>(?P<sensor>S1[A-D])_IW_(?P<start>\d{8}T\d{6})_(?P<channels>[SD][VH])(?P<orbit>[PRO])"
    r"_RTC(?P<spacing>10|20|30)_G_(?P<flags>[gs][pda][uw][nf][ec][dm])_(?P<id>[0-9A-F]{4}))"
    r"(?:_(?P<layer>VV|VH|HH|HV|ls_map|dem|inc_map|area|rgb))?"
    r"(?:\.(?P<extension>tif|png|kmz|zip|log|README\.md\.txt|(?:tif|png)(?:\.aux)?\.xml))?"
)
_EXPECTED = (
    "expected OPERA_L2_RTC-S1_<burst>_<sensing start>_<created>_<S1A-S1D>_30_<vX.Y>"
    "[_VV|_VH|_HH|_HV|_mask][.tif], "
    "OPERA_L2_RTC-S1-STATIC_<burst>_<date>_<S1A-S1D>_30_<vX.Y>[_layer][.tif] or "
    "S1A_IW_<sensing start>_DVP_RTC20_G_gpuned_<4 hex>[_VV|_VH][.tif]"
)
_BANDS: dict[str, Band] = {"VV": "vv", "VH": "vh", "HH": "hh", "HV": "hv", "mask": "mask"}
_HYP3_BANDS: dict[str, tuple[Band, ...]] = {
    "SV": ("vv",),
    "SH": ("hh",),
    "DV": ("vh", "vv"),
    "DH": ("hh", "hv"),
}


@dataclass(frozen=True, order=True)
class RtcName:
    """What the name of an RTC granule, or of one of its files, says.

    Attributes
    ----------
    family
        ``opera``, ``opera-static`` (layers that do not change with time) or ``hyp3``.
    granule
        The part that all files of the granule share.
    sensor
        ``S1A`` to ``S1D``.
    sensing_start
        First line's time, UTC, timezone-aware; of a static product the first day it is valid.
    created
        Processing time, UTC; None where the name does not say (HyP3, static).
    burst
        Canonical burst id, None for a HyP3 scene.
    spacing_m
        Pixel spacing, metres.
    version
        ``v1.0``, or the HyP3 flag group ``gpufed``.
    filtered
        True where the producer has filtered speckle.
    polarizations
        Bands that the name promises; empty for OPERA, whose granule name does not say.
    layer
        ``VV``, ``mask``, ``BROWSE``, ``ls_map``, ...; None for the granule itself and for metadata files.
    extension
        ``tif``, ``h5``, ``iso.xml``, ...; empty for the granule itself.
    checksum
        True for an ``.md5`` file beside the file named.
    """

    family: Family
    granule: str
    sensor: str
    sensing_start: datetime
    created: datetime | None
    burst: str | None
    spacing_m: int
    version: str
    filtered: bool
    polarizations: tuple[Band, ...] = ()
    layer: str | None = None
    extension: str = ""
    checksum: bool = False

    @property
    def relative_orbit(self) -> int | None:
        """Relative orbit, 1 to 175; None for a HyP3 scene, whose name carries none."""
        return None if self.burst is None else int(self.burst[1:4])

    @property
    def band(self) -> Band | None:
        """Band of a time-dependent raster file; None for whatever is no image of the acquisition."""
        if self.family == "opera-static" or self.checksum or self.extension not in ("", "tif"):
            return None
        return _BANDS.get(self.layer or "")

    @property
    def file_name(self) -> str:
        """The name that was read, put together again."""
        layer = f"_{self.layer}" if self.layer else ""
        extension = f".{self.extension}" if self.extension else ""
        return f"{self.granule}{layer}{extension}{'.md5' if self.checksum else ''}"


def parse_name(name: str) -> RtcName:
    """Read the name of a granule or of one of its files, without folders.

    Raises
    ------
    UnknownName
        Where the name fits no grammar, names a day that does not exist, or names a product whose values
        are not the gamma nought power that everything downstream counts on.
    """
    try:
        if match := _OPERA.fullmatch(name):
            return _from_opera(match)
        if match := _STATIC.fullmatch(name):
            return _from_static(match)
        if match := _HYP3.fullmatch(name):
            return _from_hyp3(match)
    except ValueError as error:
        raise UnknownName(f"{name!r} holds a time that does not exist ({error}); {_EXPECTED}") from error
    raise UnknownName(f"{name!r} is no RTC name we know; {_EXPECTED}")


def parse_url(url: str) -> RtcName:
    """Read the name out of an address: https of either generation, s3, ``/vsicurl/`` or a path.

    Where the address also holds the granule's own folder, as the newer generation does, both must agree.
    """
    parts = [unquote(part) for part in urlsplit(url.removeprefix("/vsicurl/")).path.split("/") if part]
    if not parts:
        raise UnknownName(f"{url!r} ends in no file name; {_EXPECTED}")
    name = parse_name(parts[-1])
    folder = parts[-2] if len(parts) > 1 else ""
    if folder.startswith("OPERA_L2_RTC-S1") and "_T" in folder and folder != name.granule:
        raise UnknownName(f"{url!r}: folder {folder!r} and file {parts[-1]!r} are of different granules")
    return name


def canonical_burst(text: str) -> str:
    """Canonical spelling ``T012-023790-IW1`` of a burst id in any of the three spellings in use."""
    match = _BURST.fullmatch(text)
    if match is None or not 1 <= int(match["track"]) <= TRACKS:
        raise UnknownName(
            f"{text!r} is no burst id; expected T012-023790-IW1, T012_023790_IW1 or t012_023790_iw1 "
            f"with a track from 001 to {TRACKS}"
        )
    return f"T{match['track']}-{match['number']}-{match['swath'].upper()}"


def cmr_burst(text: str) -> str:
    """Spelling ``T012_023790_IW1`` that CMR and asf_search want."""
    return canonical_burst(text).replace("-", "_")


def opera_utils_burst(text: str) -> str:
    """Spelling ``t012_023790_iw1`` of the burst database and of the tags in OPERA files."""
    return cmr_burst(text).lower()


def _utc(text: str, pattern: str) -> datetime:
    """Parse a time that is in UTC by convention of the grammar."""
    return datetime.strptime(text, pattern).replace(tzinfo=UTC)


def _from_opera(match: re.Match[str]) -> RtcName:
    """Value of a granule or file name of the time-dependent product."""
    return RtcName(
        family="opera",
        granule=match["granule"],
        sensor=match["sensor"],
        sensing_start=_utc(match["start"], "%Y%m%dT%H%M%SZ"),
        created=_utc(match["created"], "%Y%m%dT%H%M%SZ"),
        burst=canonical_burst(match["burst"]),
        spacing_m=int(match["spacing"]),
        version=match["version"],
        filtered=False,  # the producer's post-processing filter is off in every release so far
        layer=match["layer"],
        extension=match["extension"] or "",
        checksum=match["md5"] is not None,
    )


def _from_static(match: re.Match[str]) -> RtcName:
    """Value of a static layer's name; its sensor need not be the one of any acquisition."""
    return RtcName(
        family="opera-static",
        granule=match["granule"],
        sensor=match["sensor"],
        sensing_start=_utc(match["start"], "%Y%m%d"),
        created=None,
        burst=canonical_burst(match["burst"]),
        spacing_m=int(match["spacing"]),
        version=match["version"],
        filtered=False,
        layer=match["layer"],
        extension=match["extension"] or "",
        checksum=match["md5"] is not None,
    )


def _from_hyp3(match: re.Match[str]) -> RtcName:
    """Value of a HyP3 name, refused where the flags say that the pixels mean something else."""
    _check_hyp3_flags(match["granule"], match["flags"])
    return RtcName(
        family="hyp3",
        granule=match["granule"],
        sensor=match["sensor"],
        sensing_start=_utc(match["start"], "%Y%m%dT%H%M%S"),
        created=None,
        burst=None,
        spacing_m=int(match["spacing"]),
        version=match["flags"],
        filtered=match["flags"][3] == "f",
        polarizations=_HYP3_BANDS[match["channels"]],
        layer=match["layer"],
        extension=match["extension"] or "",
    )


def _check_hyp3_flags(granule: str, flags: str) -> None:
    """Refuse sigma nought, decibels, amplitude and water-masked products."""
    if flags[0] != "g":
        raise UnknownName(f"{granule}: sigma0 (flag 's' in {flags!r}); order it with radiometry=gamma0")
    if flags[1] != "p":
        scale = {"d": "decibel", "a": "amplitude"}[flags[1]]
        raise UnknownName(
            f"{granule}: {scale} scale (flag {flags[1]!r} in {flags!r}); order it with scale=power"
        )
    if flags[2] != "u":
        raise UnknownName(
            f"{granule}: water is masked out (flag 'w' in {flags!r}), and the lakes with it; "
            "order it without the water mask"
        )
