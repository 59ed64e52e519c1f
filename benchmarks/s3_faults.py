"""A real S3 server on this machine, SeaweedFS, and a proxy before it that fails as networks and clouds do."""

from __future__ import annotations

import contextlib
import http.client
import random
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import ClassVar

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
BROKEN = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
DROPPED = ("connection", "host", "transfer-encoding", "content-length")
STALL_S = 2.0


def free_port() -> int:
    """Give a port that nobody listens on, and whose neighbour 10,000 above, for gRPC, exists."""
    while True:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = int(listener.getsockname()[1])
        if port < 50_000:
            return port


@contextmanager
def weed(folder: Path) -> Iterator[int]:
    """Run SeaweedFS with its S3 gate on 127.0.0.1, and give the port."""
    program = shutil.which("weed", path=str(Path(sys.executable).parent)) or "weed"
    master, volume, filer, s3 = (free_port() for _ in range(4))
    words = [program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-filer"]
    words += [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}"]
    words += ["-master.volumeSizeLimitMB=256", "-volume.max=50", "-master.telemetry=false"]
    with (folder / "weed.log").open("w") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        until_s = time.monotonic() + 120
        while time.monotonic() < until_s:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", s3, timeout=5)
                connection.request("PUT", "/lakes")
                if connection.getresponse().status in (200, 409):
                    break
            except OSError:
                time.sleep(0.5)
        yield s3
    finally:
        process.kill()
        process.wait()


class Faulty(BaseHTTPRequestHandler):
    """Hand requests on, and fail a share of them: before they reach the server, or after."""

    protocol_version = "HTTP/1.1"
    port: ClassVar[int] = 0
    share: ClassVar[float] = 0.0
    sent: ClassVar[Counter[str]] = Counter()
    rng: ClassVar[random.Random] = random.Random(0)
    lock: ClassVar[Lock] = Lock()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Let clients hang up: killed ones do."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def _fault(self) -> str:
        with self.lock:
            kinds = ("500 before", "500 after", "503 slow down", "stall", "cut off", "slow")
            kind = self.rng.choice(kinds) if self.rng.random() < self.share else "none"
            self.sent[kind] += 1
        return kind

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self._fault()
        if kind == "500 before":
            return self._answer(500, {}, BROKEN)
        if kind == "503 slow down":
            return self._answer(503, {}, SLOW_DOWN)
        if kind == "cut off":
            self.close_connection = True
            return None
        if kind in ("stall", "slow"):
            time.sleep(STALL_S if kind == "stall" else 0.2)
            if kind == "stall":
                self.close_connection = True
                return None
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in DROPPED}
        headers["Host"] = self.headers["Host"]  # what the signature was made of
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        kept = {key: value for key, value in answer.getheaders() if key.lower() not in DROPPED}
        if self.command == "HEAD" and answer.getheader("Content-Length"):
            kept["Content-Length"] = str(answer.getheader("Content-Length"))
        connection.close()
        if kind == "500 after":  # done, and nobody is told
            return self._answer(500, {}, BROKEN)
        return self._answer(answer.status, kept, content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any  # noqa: N815  # the names that http.server calls


@contextmanager
def faulty_s3(folder: Path, share: float) -> Iterator[tuple[str, Counter[str]]]:
    """Run server and proxy; give the proxy's address and what it did to requests, by kind."""
    with weed(folder) as port:
        Faulty.port, Faulty.share, Faulty.sent = port, share, Counter()
        proxy = ThreadingHTTPServer(("127.0.0.1", 0), Faulty)
        proxy.daemon_threads = True
        thread = Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_port}", Faulty.sent
        finally:
            proxy.shutdown()
            proxy.server_close()


def as_environment(endpoint: str) -> dict[str, str]:
    """Give the environment in which ``s3://`` means that endpoint."""
    return {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
    }
