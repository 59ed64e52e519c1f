"""The host names that a served archive plays, and the addresses of its files there."""

from __future__ import annotations

from glaciolake.catalog.credentials import LOGIN_HOST as LOGIN_HOST
from glaciolake.catalog.names import RtcName

SEARCH_HOST = "cmr.earthdata.nasa.gov"
DATA_HOST = "cumulus.asf.earthdatacloud.nasa.gov"
SIGNED_HOST = "dsimulated0opera.cloudfront.net"
"""Where signed addresses lead. The real one has a number that changes; it is no host of NASA's either."""
AUTH_HOST = "cumulus.asf.alaska.edu"
"""Where asf_search has its cookie made, after the login host has asked for the password."""
HOSTS = (SEARCH_HOST, DATA_HOST, SIGNED_HOST, LOGIN_HOST, AUTH_HOST)
BUCKET = "asf-cumulus-prod-opera-products"


def data_path(name: RtcName, file: str) -> str:
    """Path of a file, the same at `DATA_HOST` and, behind ``OPERA/``, in the bucket."""
    product = "OPERA_L2_RTC-S1_STATIC" if name.family == "opera-static" else "OPERA_L2_RTC-S1"
    return f"{product}/{name.granule}/{file}"


def data_url(name: RtcName, file: str) -> str:
    """Address of a file at the archive."""
    return f"https://{DATA_HOST}/OPERA/{data_path(name, file)}"


def s3_url(name: RtcName, file: str) -> str:
    """Address of a file in the archive's bucket; read inside one cloud region only, and never here."""
    return f"s3://{BUCKET}/{data_path(name, file)}"
