"""One server in a thread of its own: the STAC API on plain HTTP, the archive's hosts behind a proxy.

Programs under test run unchanged: they ask the archive's own names by https, and the variables of
`Served.environment` lead them here. Every other host is refused, by http too; a program that ignores proxy
variables can still reach it, since nothing here closes the network.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import trustme
import uvicorn
from starlette.types import ASGIApp

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.simulate.serve.applications import hosts_application, plain_application
from glaciolake.catalog.simulate.serve.faults import Faults, Faulty
from glaciolake.catalog.simulate.serve.files import FileHosts
from glaciolake.catalog.simulate.serve.holdings import Holdings
from glaciolake.catalog.simulate.serve.hosts import HOSTS
from glaciolake.catalog.simulate.serve.load import load_folder
from glaciolake.catalog.simulate.serve.options import Options
from glaciolake.catalog.simulate.serve.proxy import Proxy
from glaciolake.catalog.simulate.serve.watched import Watched

_START_S = 30.0
_GRACE_S = 1


class Served:
    """An archive that is being served.

    Attributes
    ----------
    holdings
        What it holds.
    options
        As given.
    faults
        What goes wrong; ``shares`` and ``broken`` may be set at any time.
    requests
        Kind of request -> how many came: ``search``, ``stac``, ``data``, ``signed``, ``login``, ``files``.
    ca_file
        Certificate that a client must trust; it exists as long as the server runs.
    crashes
        Answers 5xx that are no fault that was asked for, but an error in this server; the log tells each.
    port, proxy_port
        Of the STAC API and of the proxy.
    """

    def __init__(self, holdings: Holdings, options: Options, ca_file: Path) -> None:
        self.holdings, self.options, self.ca_file = holdings, options, ca_file
        self.faults = Faults(options)
        self.requests: Counter[str] = Counter()
        self.crashes = 0
        self.port = self.proxy_port = 0
        self.files = FileHosts(holdings, options)
        self.proxy = Proxy()

    @property
    def stac_url(self) -> str:
        """Landing page of the STAC API; its items lie at the archive's own host."""
        return f"http://127.0.0.1:{self.port}/stac/"

    @property
    def mirror_url(self) -> str:
        """Landing page of a STAC API whose items lie on the plain port, open to all."""
        return f"http://127.0.0.1:{self.port}/mirror/"

    @property
    def refused(self) -> list[str]:
        """Hosts that were asked for and are not the archive's."""
        return self.proxy.refused

    @property
    def leaked(self) -> list[str]:
        """Paths of the signed host at which a login arrived that it should never see."""
        return self.files.leaked

    @property
    def now(self) -> datetime | None:
        """Moment after which nothing was made yet; may be set."""
        return self.holdings.now

    @now.setter
    def now(self, moment: datetime | None) -> None:
        self.holdings.now = moment

    @property
    def environment(self) -> dict[str, str]:
        """Variables under which a program finds this archive, and a login to it."""
        names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GDAL_CURL_CA_BUNDLE", "SSL_CERT_FILE")
        proxy, near = f"http://127.0.0.1:{self.proxy_port}", "127.0.0.1,localhost"
        proxies = {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "ALL_PROXY": proxy, "NO_PROXY": near}
        return {
            **proxies,
            **{name.lower(): value for name, value in proxies.items()},
            **dict.fromkeys(names, str(self.ca_file)),
            "EARTHDATA_TOKEN": self.options.token,
            # grids of bursts, which are cropped here, must not be remembered as those of the real archive
            "GLACIOLAKE_CACHE": str(self.ca_file.parent / "cache"),
            "SIMULATED_STAC": self.stac_url,
            "SIMULATED_MIRROR": self.mirror_url,
        }


@contextmanager
def served(folder: Path, options: Options | None = None) -> Iterator[Served]:
    """Serve the archive in a folder for as long as the context lasts.

    Parameters
    ----------
    folder
        See `load.load_folder`.
    options
        None serves without a fault on a free port.

    Raises
    ------
    CatalogError
        Where the folder is no archive, or the port is taken.
    """
    options = options or Options()
    holdings = load_folder(folder, options.now)
    with tempfile.TemporaryDirectory(prefix="glaciolake-serve-") as own, _bound(options.port) as plain:
        archive = Served(holdings, options, Path(own, "ca.pem"))
        thread = _Thread(archive, plain)
        thread.start()
        try:
            thread.wait_until_ready()
            yield archive
        finally:
            thread.stop()


@contextmanager
def _bound(port: int) -> Iterator[socket.socket]:
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            plain.bind(("127.0.0.1", port))
            plain.listen(128)
        except OSError as error:
            raise CatalogError(
                f"port {port} cannot be used ({error.strerror}); give another one, or 0 for any that is free"
            ) from error
        yield plain


class _Server(uvicorn.Server):
    """A server whose lifetime is that of its thread: it has no business with the process's signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


class _Thread(threading.Thread):
    """Runs the event loop in which everything is answered."""

    def __init__(self, archive: Served, plain: socket.socket) -> None:
        super().__init__(name="simulated-archive", daemon=True)
        self._archive, self._plain = archive, plain
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # told in the thread that waits
            self._error = error
        finally:
            self._ready.set()

    def wait_until_ready(self) -> None:
        """Return when requests are answered; raise what kept it from that."""
        if not self._ready.wait(_START_S):
            raise CatalogError(f"the server did not start in {_START_S:g} s; is the machine overloaded?")
        if isinstance(self._error, SystemExit):  # uvicorn's way to say that it cannot start
            raise CatalogError("the server gave up before it answered a request") from self._error
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the loop and wait for it."""
        if self._loop is not None and self._end is not None and self.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
        self.join()

    async def _serve(self) -> None:
        archive = self._archive
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        archive.faults.closing = self._end
        with socket.socket() as inner:
            inner.bind(("127.0.0.1", 0))
            inner.listen(128)
            plain = _server(plain_application(archive), archive)
            hosts = _server(hosts_application(archive), archive, _certificates(archive.ca_file))
            archive.port = self._plain.getsockname()[1]
            running = [
                asyncio.ensure_future(plain.serve([self._plain])),
                asyncio.ensure_future(hosts.serve([inner])),
            ]
            proxy = await archive.proxy.start(inner.getsockname()[1])
            archive.proxy_port = proxy.sockets[0].getsockname()[1]
            try:
                while not (plain.started and hosts.started):
                    _check_alive(running)
                    await asyncio.sleep(0.005)
                self._ready.set()
                await self._end.wait()
            finally:
                proxy.close()
                await archive.proxy.close()
            plain.should_exit = hosts.should_exit = True
            await asyncio.gather(*running)


def _check_alive(running: Sequence[asyncio.Future[None]]) -> None:
    """Raise what ended a server before it answered a request."""
    for one in running:
        if one.done():
            one.result()
            raise CatalogError("the server ended before it answered a request")


def _server(application: ASGIApp, archive: Served, tls: ssl.SSLContext | None = None) -> uvicorn.Server:
    """Set up a server that tells of its own errors only; faults stand in front of the application."""

    def count() -> None:
        archive.crashes += 1

    config = uvicorn.Config(
        Faulty(Watched(application, count), archive.faults),
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_context_factory=None if tls is None else lambda config, default: tls,
    )
    return _Server(config)


def _certificates(ca_file: Path) -> ssl.SSLContext:
    """Make an authority, write down how to trust it, and let it certify every host that is played."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*HOSTS).configure_cert(tls)
    return tls
