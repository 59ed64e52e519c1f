"""A proxy on loopback that tunnels to the hosts that are played, and to no other."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from glaciolake.catalog.simulate.serve.hosts import HOSTS

_CHUNK = 65_536


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
        host, _, port = target.partition(":")
        if method != "CONNECT" or host not in HOSTS or port != "443":
            self.refused.append(host if method == "CONNECT" else target)
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_relay(reader, far_writer), _relay(far_reader, writer))
        finally:
            await _close(far_writer)


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
