"""A proxy on loopback that tunnels to the hosts that are played, and to no other."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

from glaciolake.catalog.simulate.serve.hosts import HOSTS

_CHUNK = 65_536
_LEAVE_S = 1.0


class Proxy:
    """Relays ``CONNECT host:443`` of a played host byte for byte to one local port; remembers all others.

    Attributes
    ----------
    refused
        Hosts that were asked for and are not the archive's.
    """

    def __init__(self) -> None:
        self.refused: list[str] = []
        self._tunnels: set[asyncio.Task[None]] = set()
        self._port = 0

    async def start(self, tls_port: int) -> asyncio.Server:
        """Listen on a free port of loopback."""
        self._port = tls_port
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self) -> None:
        """Cut every tunnel."""
        for tunnel in list(self._tunnels):
            tunnel.cancel()
        await asyncio.gather(*self._tunnels, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tunnels.add(task)
        try:
            with suppress(
                OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError
            ):
                await self._tunnel(reader, writer)
        finally:
            self._tunnels.discard(task)
            await _close(writer)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = (*head.split(" ", 2), "", "")[:3]
        host, port = _place(target if "://" in target else f"//{target}")
        if method != "CONNECT" or host not in HOSTS or port != 443:
            self.refused.append(host)
            await _refuse(reader, writer, host)
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_relay(reader, far_writer), _relay(far_reader, writer))
        finally:
            await _close(far_writer)


def _place(address: str) -> tuple[str, int | None]:
    """Host and port of an address, without the login that it may hold."""
    try:
        parts = urlsplit(address)
        return parts.hostname or "(no host)", parts.port
    except ValueError:
        return "(no host)", None


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    """Say why, and let the other side read it: closing on a body that is still coming would cut it off."""
    body = (
        f"the simulated archive plays {', '.join(HOSTS)} by https on port 443; it refuses {host}\n".encode()
    )
    head = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    await writer.drain()
    writer.write_eof()
    with suppress(TimeoutError):
        await asyncio.wait_for(reader.read(_CHUNK), _LEAVE_S)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until one side ends; the other is then told so."""
    with suppress(OSError):
        while part := await reader.read(_CHUNK):
            writer.write(part)
            await writer.drain()
    with suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()
