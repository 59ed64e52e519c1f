"""A loopback server that answers byte ranges, as an object store does, and counts what it hands out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

PIECE_BYTES = 16_384


@dataclass
class Served:
    """What was asked for and handed out."""

    url: str = ""
    n_bytes: int = 0
    requests: list[tuple[str, str]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)  # statuses to answer first
    silent_from: int | None = None  # what is asked from this byte on hangs
    closing: threading.Event = field(default_factory=threading.Event)


class RangeHandler(BaseHTTPRequestHandler):
    """Serve one file, in pieces, so that a client that hangs up is noticed."""

    protocol_version = "HTTP/1.1"
    content: ClassVar[bytes]
    served: ClassVar[Served]

    def do_GET(self) -> None:
        self.served.requests.append(("GET", self.path))
        if self.served.failures:
            self.send_response(self.served.failures.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        wanted = self.headers.get("Range")
        first, last = (int(end) for end in wanted[6:].split("-")) if wanted else (0, len(self.content) - 1)
        if self.served.silent_from is not None and first >= self.served.silent_from:
            self.served.closing.wait(60)
            return
        part = self.content[first : last + 1]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(part)))
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(self.content)}")
        self.end_headers()
        with suppress(ConnectionError):
            for start in range(0, len(part), PIECE_BYTES):
                self.wfile.write(part[start : start + PIECE_BYTES])
                self.wfile.flush()
                self.served.n_bytes += len(part[start : start + PIECE_BYTES])
                time.sleep(0.002)

    def do_HEAD(self) -> None:
        self.served.requests.append(("HEAD", self.path))
        self.send_error(403)  # as a signed address does

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def serving(content: bytes) -> Iterator[Served]:
    """Serve `content` under any path of ``served.url`` while the block runs."""
    served = Served()
    handler = type("Handler", (RangeHandler,), {"content": content, "served": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        served.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
