"""A process that asks one route for as long as it is told, over connections that each wait for their answer.

``python -m pea.bench.load PORT SECONDS CONNECTIONS`` prints a `Round` as JSON.
"""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec

from pea.bench.measure import quantile

_REQUEST = b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pea-bench\r\n\r\n"


class Round(msgspec.Struct, frozen=True):
    """Answers in ``seconds``, and quantiles of how long each took, in milliseconds."""

    answers: int
    seconds: float
    p50_ms: float
    p99_ms: float


class _Client(asyncio.Protocol):
    """Asks, and asks again at each answer; answers fit into one segment."""

    def __init__(self, took: list[float]) -> None:
        self._took = took
        self._transport: asyncio.Transport | None = None
        self._asked = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._ask()

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"not an answer: {data[:80]!r}")
        self._took.append(time.perf_counter() - self._asked)
        self._ask()

    def _ask(self) -> None:
        if self._transport is not None:
            self._asked = time.perf_counter()
            self._transport.write(_REQUEST)


async def ask(port: int, seconds: float, connections: int) -> Round:
    """Keep ``connections`` busy for ``seconds``."""
    loop = asyncio.get_running_loop()
    took: list[float] = []
    made = [await loop.create_connection(lambda: _Client(took), "127.0.0.1", port) for _ in range(connections)]
    took.clear()
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    passed = time.perf_counter() - began
    for transport, _ in made:
        transport.abort()
    return Round(len(took), passed, 1e3 * quantile(took, 0.5), 1e3 * quantile(took, 0.99))


if __name__ == "__main__":
    found = asyncio.run(ask(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
    sys.stdout.write(msgspec.json.encode(found).decode())
