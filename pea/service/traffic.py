"""Bytes in and out over the service's own connections, as the kernel counts them: nothing is done per request."""

from __future__ import annotations

from asyncio import BaseTransport
from collections.abc import Iterable

from pea.telemetry.tcp_bytes import tcp_bytes


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
        count = tcp_bytes(own)
        self.counted |= count is not None
        return count or 0
