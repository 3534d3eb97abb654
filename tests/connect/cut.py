"""A TCP relay before a server, which passes requests on and, from a given one on, keeps the answers to itself."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self


class Cut:
    """While ``mute`` is set, a connection that sent those bytes gets no further answers; ``muted`` tells of one."""

    def __init__(self, port: int) -> None:
        self._to, self.port = port, 0
        self.mute, self.muted = b"", asyncio.Event()
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for relay in self._relays:
            relay.cancel()
        if self._relays:
            await asyncio.wait(self._relays)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent = asyncio.Event()
        relay = asyncio.current_task()
        assert relay is not None
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)
        with suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            try:
                await asyncio.gather(self._forth(reader, back, silent), self._back(there, writer, silent))
            finally:
                writer.close()
                back.close()

    async def _forth(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, silent: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                if self.mute and self.mute in data:
                    silent.set()
                to.write(data)
                await to.drain()
                if silent.is_set():
                    self.muted.set()
            to.close()

    async def _back(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, silent: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await there.read(1 << 16):
                if not silent.is_set():
                    writer.write(data)
                    await writer.drain()
            writer.close()
