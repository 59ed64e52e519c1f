"""Files and servers for tests that read over HTTP from this machine."""

from __future__ import annotations

import numpy as np
import rasterio
from pytest_httpserver import HTTPServer
from rasterio.io import MemoryFile
from werkzeug import Request, Response


def geotiff(
    *,
    crs: str = "EPSG:32645",
    transform: tuple[float, float, float, float, float, float] = (30.0, 0.0, 450000.0, 0.0, -30.0, 3090000.0),
    shape: tuple[int, int] = (3, 4),
) -> bytes:
    """Bytes of a float32 GeoTIFF of 0.25 everywhere."""
    grid = {"driver": "GTiff", "height": shape[0], "width": shape[1], "count": 1, "dtype": "float32"}
    with MemoryFile() as memory:
        with memory.open(**grid, crs=crs, transform=rasterio.Affine(*transform)) as raster:
            raster.write(np.full((1, *shape), 0.25, "f4"))
        return bytes(memory.getbuffer())


def serve(httpserver: HTTPServer, path: str, content: bytes) -> list[Request]:
    """Serve a file with range requests; the list fills with the requests that came."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        response = Response(content, mimetype="image/tiff")
        return response.make_conditional(request, accept_ranges=True, complete_length=len(content))

    httpserver.expect_request(path).respond_with_handler(answer)
    return seen
