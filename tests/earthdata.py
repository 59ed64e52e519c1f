"""NASA's archive, played on this machine: its host names, its certificate checks, its replies, its login.

A proxy on loopback answers for the archive's hosts, so that a program under test runs unchanged: it asks
`SEARCH_HOST` and reads from `DATA_HOST` by https. No byte leaves the
machine: every other host is refused, and remembered.
"""

from __future__ import annotations

import json
import re
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme
from shapely.geometry import Polygon, box

from glaciolake.catalog.names import RtcName, cmr_burst, parse_name
from glaciolake.catalog.simulate.sites import BURSTS, TRACKS

SEARCH_HOST = "cmr.earthdata.nasa.gov"
DATA_HOST = "cumulus.asf.earthdatacloud.nasa.gov"
TOKEN = "a-token-that-nobody-else-has"
FOOTPRINTS = {burst.id: burst.corners_deg for burst in BURSTS}


class Earthdata(ThreadingHTTPServer):
    """The archive, holding the OPERA granules of a folder.

    Attributes
    ----------
    ca_file
        Certificate that a client must trust.
    refused
        Hosts that were asked for and are not the archive's.
    searches, reads
        Number of searches answered and of ranges sent.
    """

    daemon_threads = True

    def __init__(self, folder: Path, ca_file: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.ca_file = folder, ca_file
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(ca_file))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(SEARCH_HOST, DATA_HOST).configure_cert(self.tls)
        self.refused: list[str] = []
        self.searches = self.reads = 0

    @property
    def environment(self) -> dict[str, str]:
        """Variables under which a program finds this archive, and a login to it."""
        names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GDAL_CURL_CA_BUNDLE", "SSL_CERT_FILE")
        trust = dict.fromkeys(names, str(self.ca_file))
        proxy = f"http://127.0.0.1:{self.server_address[1]}"
        return trust | {"HTTPS_PROXY": proxy, "https_proxy": proxy, "NO_PROXY": "", "EARTHDATA_TOKEN": TOKEN}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let clients hang up when they have read enough, as GDAL does; other errors are the test's."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def granules(self) -> list[RtcName]:
        """Granules of the folder, by their VV files."""
        return [parse_name(path.name) for path in sorted(self.folder.glob("OPERA_L2_RTC-S1_*_VV.tif"))]


class _Handler(BaseHTTPRequestHandler):
    server: Earthdata
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        """Play the host that the client wants a tunnel to."""
        host = self.path.partition(":")[0]
        if host not in (SEARCH_HOST, DATA_HOST):
            self.server.refused.append(host)
            self.send_error(502)
            return
        self.send_response(200)
        self.end_headers()
        self.rfile.close()
        self.wfile.close()
        self.request = self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.setup()
        self.close_connection = False

    def finish(self) -> None:
        """Close the tunnel too, which the server does not know of."""
        try:
            super().finish()
        finally:
            self.connection.close()

    def do_POST(self) -> None:
        """Answer a search as the Common Metadata Repository does."""
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.searches += 1
        items = [_umm(name, self.server.folder) for name in self.server.granules() if _is_asked(name, asked)]
        page = int(asked.get("page_size", ["2000"])[0])
        assert len(items) <= page, "this archive has one page"
        answer = {"hits": len(items), "took": 1, "items": items}
        self._send(200, json.dumps(answer).encode(), {"CMR-Hits": str(len(items))})

    def do_GET(self) -> None:
        """Send the range of a file, to whoever has logged in."""
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._send(401, b"<html>please log in</html>", {})
            return
        path = self.server.folder / Path(urlsplit(self.path).path).name
        if not path.is_file():
            self._send(404, b"", {})
            return
        content = path.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "bytes=0-"))
        assert wanted is not None
        first = int(wanted[1])
        last = min(int(wanted[2] or len(content)), len(content) - 1)
        self.server.reads += 1
        status = 206 if "Range" in self.headers else 200
        self._send(
            status, content[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        )

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _is_asked(name: RtcName, asked: dict[str, list[str]]) -> bool:
    assert name.burst is not None
    wanted = asked.get("attribute[]", [])
    paths = [text.split(",")[-1] for text in wanted if ",PATH_NUMBER," in text]
    if paths and str(int(name.burst[1:4])) not in paths:
        return False
    for span in asked.get("temporal", []):
        first, last = (text[:19] for text in span.split(",")[:2])
        if not first <= name.sensing_start.strftime("%Y-%m-%dT%H:%M:%S") <= last:
            return False
    for edges in asked.get("bounding_box", []):
        west, south, east, north = map(float, edges.split(","))
        if not box(west, south, east, north).intersects(Polygon(FOOTPRINTS[name.burst])):
            return False
    return True


def _umm(name: RtcName, folder: Path) -> dict[str, Any]:
    """One granule in the words of UMM-G."""
    assert name.burst is not None and name.created is not None
    granule, start = name.granule, name.sensing_start.strftime("%Y-%m-%dT%H:%M:%SZ")
    files = [path for path in sorted(folder.glob(f"{granule}_*.tif"))]
    corners = FOOTPRINTS[name.burst]
    points = [{"Longitude": lon, "Latitude": lat} for lon, lat in (*corners, corners[0])]
    track = int(name.burst[1:4])
    told = {
        "ASCENDING_DESCENDING": [TRACKS[track].orbit_state.upper()],
        "BEAM_MODE": ["IW"],
        "OPERA_BURST_ID": [cmr_burst(name.burst)],
        "PATH_NUMBER": [str(track)],
        "POLARIZATION": ["VV", "VH"],
        "PROCESSING_TYPE": ["RTC"],
        "PRODUCT_VERSION": ["1.0"],
        "SUBSWATH_NAME": [name.burst[-3:]],
    }
    address = f"https://{DATA_HOST}/OPERA/OPERA_L2_RTC-S1/{granule}"
    umm = {
        "GranuleUR": granule,
        "TemporalExtent": {"RangeDateTime": {"BeginningDateTime": start, "EndingDateTime": start}},
        "OrbitCalculatedSpatialDomains": [{"OrbitNumber": 1}],
        "AdditionalAttributes": [{"Name": key, "Values": values} for key, values in told.items()],
        "SpatialExtent": {
            "HorizontalSpatialDomain": {"Geometry": {"GPolygons": [{"Boundary": {"Points": points}}]}}
        },
        "ProviderDates": [{"Type": "Insert", "Date": start}, {"Type": "Update", "Date": start}],
        "CollectionReference": {"ShortName": "OPERA_L2_RTC-S1_V1", "Version": "1"},
        "PGEVersionClass": {"PGEName": "RTC_S1_PGE", "PGEVersion": "2.1.0"},
        "RelatedUrls": [
            {"URL": f"{address}/{path.name}", "Type": "GET DATA", "Format": "GeoTIFF"} for path in files
        ],
        "DataGranule": {
            "ProductionDateTime": name.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "ArchiveAndDistributionInformation": [
                {"Name": path.name, "SizeInBytes": path.stat().st_size, "Format": "GeoTIFF"} for path in files
            ],
        },
        "Platforms": [{"ShortName": "Sentinel-1A", "Instruments": [{"ShortName": "C-SAR"}]}],
    }
    return {"meta": {"concept-id": f"G{abs(hash(granule))}-ASF", "provider-id": "ASF"}, "umm": umm}


@contextmanager
def earthdata(folder: Path, ca_file: Path) -> Iterator[Earthdata]:
    """Play the archive with the granules of a folder for as long as the context lasts."""
    with Earthdata(folder, ca_file) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
