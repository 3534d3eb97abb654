"""How late an event loop becomes by what telemetry does on it: spans recorded only, beside spans drained and exported.

Another process sends the time 1,000 times a second; the loop takes each stamp, notes how late it is and records five
spans, so the load does not give way when the loop is late. Rounds with and without the drain take turns, so that what
else the machine does falls on both; the lag caused is the difference between them.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pea.bench.figure import Figure
from pea.bench.measure import Line, quantile
from pea.bench.pings import PER_SECOND, STAMP
from pea.bench.sink import sink
from pea.bench.spans import ATTRIBUTES, BATCH
from pea.telemetry import Telemetry, TracerProvider
from pea.telemetry.pauses import shorten_pauses

ROUNDS = 40
ROUND_S = 0.5
SETTLE_S = 0.1  # after a change of sides: what the other side left behind is not this one's
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


def lag(rounds: int | None = None) -> list[Line | Figure]:
    """The lag's p99 and maximum caused by draining, folding, keeping, encoding and sending 5,000 spans a second."""
    shorten_pauses()
    count = ROUNDS if rounds is None else rounds
    with sink() as endpoint, _collections() as took_s:
        on, off = asyncio.run(_measure({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, count))
    what = f"lag caused at {PER_SECOND * SPANS_PER_PING:,} spans/s"
    p99_on, p99_off = _quiet(on, 0.99), _quiet(off, 0.99)
    max_on, max_off = _quiet(on, 1.0), _quiet(off, 1.0)
    note = f"{{:.2f}} with, {{:.2f}} without; the quieter quarter of {count} rounds"
    middle = _quantiles(on, 0.5), _quantiles(off, 0.5)
    return [
        Figure(f"{what}, p50", statistics.median(middle[0]) - statistics.median(middle[1]), "ms", count),
        Figure(f"{what}, p99", p99_on - p99_off, "ms", count, P99_BUDGET_MS, note.format(p99_on, p99_off)),
        Figure("  the longest of a round", max_on - max_off, "ms", count, MAX_BUDGET_MS, note.format(max_on, max_off)),
        Figure(
            "  the longest garbage collection, CPU", 1e3 * max(took_s, default=0.0), "ms", len(took_s), MAX_BUDGET_MS
        ),
    ]


@contextmanager
def _collections() -> Iterator[list[float]]:
    """CPU seconds of each garbage collection: rare ones are in no quiet round's p99, and must not be long either."""
    took_s: list[float] = []
    began = [0.0]

    def note(phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            began[0] = time.thread_time()
        else:
            took_s.append(time.thread_time() - began[0])

    gc.callbacks.append(note)
    try:
        yield took_s
    finally:
        gc.callbacks.remove(note)


async def _measure(environ: Mapping[str, str], count: int) -> tuple[list[list[float]], list[list[float]]]:
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
        for _ in range(count):
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


def _quantiles(rounds: list[list[float]], q: float) -> list[float]:
    return [quantile(late, q) for late in rounds]


def _quiet(rounds: list[list[float]], q: float) -> float:
    """The lower quartile of the rounds' quantiles: what else runs on the machine only ever adds to a lag."""
    return statistics.quantiles(_quantiles(rounds, q), n=4)[0]
