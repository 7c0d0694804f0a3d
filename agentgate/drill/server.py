"""The "command server": loopback ports that take whatever comes, and hand out one harmless program."""

from __future__ import annotations

import asyncio

__all__ = ["Server"]

_PROGRAM = b"#!/bin/sh\necho the fetched program runs\n"
_MOST = 1 << 20
_PATIENCE = 5.0  # seconds without a byte after which a visitor is let go


class Server:
    """``took`` has the bytes that came, by port: whoever is in it, was connected to and sent something."""

    def __init__(self) -> None:
        self.took: dict[int, bytes] = {}
        self._servers: list[asyncio.Server] = []

    async def port(self) -> int:
        """One more port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = int(writer.get_extra_info("sockname")[1])
        try:
            answered = False
            while len(self.took.get(port, b"")) < _MOST:
                data = await asyncio.wait_for(reader.read(65536), _PATIENCE)
                if not data:
                    break
                self.took[port] = self.took.get(port, b"") + data
                if not answered and b"\r\n\r\n" in self.took[port]:
                    answered = True
                    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(_PROGRAM)}\r\nConnection: close\r\n\r\n"
                    writer.write(head.encode() + _PROGRAM)
                    await writer.drain()
                    writer.write_eof()
        except (OSError, TimeoutError):
            pass
        finally:
            writer.close()

    async def close(self) -> None:
        for server in self._servers:
            server.close()
