"""Bytes in and out over the service's own connections, as the kernel counts them: nothing is done per request."""

from __future__ import annotations

import contextlib
import socket
import struct
from asyncio import BaseTransport
from collections.abc import Iterable

_BYTES = struct.Struct("@QQ")  # tcpi_bytes_acked and tcpi_bytes_received of Linux's struct tcp_info, since 4.1
_AT = 120


class Traffic:
    """The sum over connections that have closed; those still open are asked when the total is wanted."""

    def __init__(self) -> None:
        self._closed = 0
        self.counted = False  # whether any connection could be asked: only Linux tells

    def close(self, transport: BaseTransport | None) -> None:
        """Add a connection that is about to close."""
        self._closed += self._count(transport)

    def total(self, transports: Iterable[BaseTransport | None]) -> int | None:
        """Bytes since the start, with those of the connections that are open; None where the system does not tell."""
        total = self._closed + sum(map(self._count, transports))
        return total if self.counted else None

    def _count(self, transport: BaseTransport | None) -> int:
        own = transport.get_extra_info("socket") if transport is not None else None
        if own is None:
            return 0
        with contextlib.suppress(OSError, AttributeError, struct.error):  # closed, not TCP, or not Linux
            said = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _AT + _BYTES.size)
            count = sum(_BYTES.unpack_from(said, _AT))
            self.counted = True
            return int(count)
        return 0
