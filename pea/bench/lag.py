"""How late an event loop becomes by what telemetry does on it: spans recorded only, beside spans drained and exported.

Another process sends the time 1,000 times a second; the loop takes each stamp, notes how late it is and records five
spans, so the load does not give way when the loop is late. Rounds with and without the drain take turns, so that what
else the machine does falls on both; the lag caused is the difference of their medians.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Mapping

from pea.bench.figure import Figure
from pea.bench.measure import Line
from pea.bench.pings import PER_SECOND, STAMP
from pea.bench.sink import sink
from pea.bench.spans import ATTRIBUTES, BATCH
from pea.telemetry import Telemetry, TracerProvider
from pea.telemetry.pauses import shorten_pauses

ROUNDS = 15
ROUND_S = 1.0
SETTLE_S = 0.3  # after a change of sides: what the other side left behind is not this one's
SPANS_PER_PING = 5
WARM_S = 3.0  # numpy is imported two seconds after the start

P99_BUDGET_MS = 0.5
MAX_BUDGET_MS = 5.0


class Lags(asyncio.Protocol):
    """Takes stamps: how late each came, in milliseconds, goes to ``late``; then spans are recorded.

    On the ``floor`` they are recorded by a provider without a drain, and let go.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self.late: list[float] = []
        self.floor = False
        self._tracer = telemetry.tracer
        self._let_go = TracerProvider(shutdown_on_exit=False).get_tracer(self._tracer.scope.name)
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Stamps that come together are all late; each is one request."""
        now = time.perf_counter_ns()
        data = self._rest + data
        span = (self._let_go if self.floor else self._tracer).span
        whole = len(data) - len(data) % STAMP.size
        self._rest = data[whole:]
        for (sent,) in STAMP.iter_unpack(data[:whole]):
            self.late.append((now - sent) / 1e6)
            with span("task calendar.agenda", ATTRIBUTES):
                for _ in range(SPANS_PER_PING - 1):
                    with span("invoke_agent calendar", ATTRIBUTES):
                        pass
        if len(self._let_go.buffer) > BATCH:
            self._let_go.buffer.take()


def lag() -> list[Line | Figure]:
    """The lag's p99 and maximum caused by draining, folding, keeping, encoding and sending 5,000 spans a second."""
    shorten_pauses()
    with sink() as endpoint:
        on, off = asyncio.run(_measure({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}))
    rate = PER_SECOND * SPANS_PER_PING
    p99_on, p99_off = _middle(on, 0.99), _middle(off, 0.99)
    max_on, max_off = _middle(on, 1.0), _middle(off, 1.0)
    note = f"{{:.2f}} with, {{:.2f}} without; {ROUND_S:g} s a round"
    return [
        Figure(f"lag caused at {rate:,} spans/s, p50", _middle(on, 0.5) - _middle(off, 0.5), "ms", ROUNDS),
        Figure(
            f"lag caused at {rate:,} spans/s, p99",
            p99_on - p99_off,
            "ms",
            ROUNDS,
            P99_BUDGET_MS,
            note.format(p99_on, p99_off),
        ),
        Figure(
            "lag caused, longest of a round",
            max_on - max_off,
            "ms",
            ROUNDS,
            MAX_BUDGET_MS,
            note.format(max_on, max_off),
        ),
    ]


async def _measure(environ: Mapping[str, str]) -> tuple[list[list[float]], list[list[float]]]:
    """The lags of each round with the drain and of each without it."""
    telemetry = Telemetry(environ=environ)
    telemetry.start()
    lags = Lags(telemetry)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: lags, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pings = await asyncio.create_subprocess_exec(sys.executable, "-m", "pea.bench.pings", str(port))
    on: list[list[float]] = []
    off: list[list[float]] = []
    try:
        await asyncio.sleep(WARM_S)
        for _ in range(ROUNDS):
            for lags.floor, rounds in ((False, on), (True, off)):
                rounds.append(await _round(lags))
    finally:
        pings.terminate()
        await pings.wait()
        server.close()
        await telemetry.aclose()
    return on, off


async def _round(lags: Lags) -> list[float]:
    await asyncio.sleep(SETTLE_S)
    lags.late = []
    await asyncio.sleep(ROUND_S)
    return lags.late


def _middle(rounds: list[list[float]], q: float) -> float:
    """The median of the rounds' quantiles."""
    return statistics.median(sorted(late)[min(int(q * len(late)), len(late) - 1)] for late in rounds)
