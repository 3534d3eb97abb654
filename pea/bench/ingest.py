"""Spans coming in by OTLP from another process, as fast as they are taken, and what that does to the event loop."""

from __future__ import annotations

import asyncio
import gzip
import random
import sys
import tempfile
import time
import urllib.error
import urllib.request

import psutil
from aiohttp import web

from pea.bench.figure import Figure
from pea.bench.measure import quantile
from pea.bench.otlp import attribute, messages
from pea.bench.store import make_trace
from pea.config import Settings
from pea.service.chronicle import HOLDER, Holder
from pea.service.otlp_in import INGEST, ROUTES, Ingest
from pea.telemetry import Telemetry

SECONDS = 12.0
TRACES_PER_REQUEST = 50  # of ten spans each: about the SDK's batch of 512
PROBE_S = 0.002
LAG_LIMIT_MS = 20.0


def ingest() -> list[Figure]:
    """A sender in another process, the service's routes in this one."""
    return asyncio.run(_run())


async def _run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as state:
        telemetry = Telemetry(environ={})
        telemetry.start()
        app = web.Application()
        app[HOLDER], settings = Holder(), Settings(state=state)
        app[HOLDER].open(settings, telemetry)
        app[INGEST] = Ingest(settings.store)
        for operation in ROUTES:
            app.router.add_route(operation.method, operation.path, operation.handler)
        runner = web.AppRunner(app, access_log=None, auto_decompress=False)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
        lags: list[float] = []
        probe = asyncio.create_task(_probe(lags))
        process = psutil.Process()
        before, cpu = process.memory_info().rss, time.process_time()
        sender = await asyncio.create_subprocess_exec(sys.executable, "-m", "pea.bench.ingest", url, str(SECONDS))
        await asyncio.sleep(SECONDS / 2)
        middle = process.memory_info().rss
        await sender.wait()
        cpu = time.process_time() - cpu
        probe.cancel()
        chronicle = app[HOLDER].chronicle
        assert chronicle is not None
        await asyncio.to_thread(chronicle.flush, 30.0)
        taken, status = app[INGEST].status, chronicle.status()
        after = process.memory_info().rss
        await runner.cleanup()
        await app[HOLDER].close()
        await telemetry.aclose()
    return [
        Figure(
            "spans taken by OTLP", taken.spans / SECONDS, "spans/s", taken.requests, note="one sender, gzip, protobuf"
        ),
        Figure("  CPU of taking and storing one", 1e6 * cpu / max(taken.spans, 1), "µs", taken.spans),
        Figure(
            "  event loop's lag meanwhile, p99",
            1e3 * quantile(lags, 0.99),
            "ms",
            len(lags),
            LAG_LIMIT_MS,
        ),
        Figure("  the worst", 1e3 * max(lags), "ms", len(lags)),
        Figure("  lost", float(status.spans.dropped + taken.rejected), "spans", taken.spans, 0.0),
        Figure("  requests asked to come again (429)", float(taken.pushed_back), "requests", taken.requests),
        Figure(
            "  memory, second half", (after - middle) / 1e6, "MB", note=f"{(middle - before) / 1e6:.0f} MB in the first"
        ),
    ]


async def _probe(lags: list[float]) -> None:
    while True:
        due = time.perf_counter() + PROBE_S
        await asyncio.sleep(PROBE_S)
        lags.append(time.perf_counter() - due)


def send(url: str, seconds: float) -> None:
    """Post batches until the time is over; after a 429 wait a little and go on."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

    resource = Resource(attributes=[attribute("service.name", "bench")])
    dice, bodies = random.Random(1), []
    for start in range(0, 20 * TRACES_PER_REQUEST, TRACES_PER_REQUEST):
        numbers = range(start, start + TRACES_PER_REQUEST)
        spans = messages(record for number in numbers for record in make_trace(number, dice))
        group = ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=spans)])
        bodies.append(gzip.compress(ExportTraceServiceRequest(resource_spans=[group]).SerializeToString(), 1))
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        request = urllib.request.Request(url, bodies[count % len(bodies)], headers)  # noqa: S310  our own address
        count += 1
        try:
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
        except urllib.error.HTTPError as error:
            if error.code != 429:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    send(sys.argv[1], float(sys.argv[2]))
