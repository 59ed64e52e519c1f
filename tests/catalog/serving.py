"""A folder that can be served, small and quick to write, and ways to talk to the server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import requests
from affine import Affine
from numpy.typing import NDArray

from glaciolake.catalog.folder import FolderSource
from glaciolake.catalog.granule import Band
from glaciolake.catalog.request import Request
from glaciolake.catalog.simulate.serve.hosts import DATA_HOST
from glaciolake.catalog.simulate.serve.server import Served
from glaciolake.catalog.static_catalog import build
from tests.pipeline.scenes import granule, power, write_cog, write_granule

FIRST = {
    "T121-258662-IW2": datetime(2024, 6, 4, 0, 11, 30, tzinfo=UTC),
    "T012-023789-IW1": datetime(2024, 6, 8, 12, 13, 58, tzinfo=UTC),
}
PASSES = 5
SHAPE = (60, 80)
STATIC = "OPERA_L2_RTC-S1-STATIC_T121-258662-IW2_20140403_S1A_30_v1.0"
EVERYTHING = Request(None, datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))


def write_folder(folder: Path, *, catalogued: bool = False) -> Path:
    """Write two bursts of five passes each, of VV, VH and mask, and static layers, as archives lay them."""
    for burst, first in FIRST.items():
        place = folder / "scenes" / burst
        place.mkdir(parents=True)
        for number in range(PASSES):
            pixels: dict[Band, NDArray[Any]] = {
                "vv": power(SHAPE, number),
                "vh": power(SHAPE, number + 50),
                "mask": np.zeros(SHAPE, np.uint8),
            }
            start = first + timedelta(days=12 * number)
            write_granule(place, start, pixels, burst=burst, relative_orbit=int(burst[1:4]))
    place = folder / "static" / "T121-258662-IW2"
    place.mkdir(parents=True)
    lattice = granule(FIRST["T121-258662-IW2"]).transform
    for layer in ("local_incidence_angle", "number_of_looks"):
        write_cog(place / f"{STATIC}_{layer}.tif", power(SHAPE, 1), Affine(*lattice))
    if catalogued:
        build(FolderSource(folder), folder / "catalog")
    return folder


def session(archive: Served, *, token: str | None = None) -> requests.Session:
    """Session that goes through the archive's proxy and trusts its certificates, and nothing else."""
    made = requests.Session()
    made.trust_env = False
    made.proxies = {"https": f"http://127.0.0.1:{archive.proxy_port}"}
    made.verify = str(archive.ca_file)
    if token:
        made.headers["Authorization"] = f"Bearer {token}"
    return made


def address(archive: Served, band: str = "VV", number: int = 0) -> str:
    """Address of a band at the archive, of its newest granule or one `number` places older."""
    product = [one for one in archive.holdings.products if one.name.family == "opera"][number]
    file = f"{product.name.granule}_{band}.tif"
    return f"https://{DATA_HOST}/OPERA/OPERA_L2_RTC-S1/{product.name.granule}/{file}"
