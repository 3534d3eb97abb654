"""A real OTLP receiver on loopback that keeps what it is sent."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Receiver:
    """Spans by id and names of metrics, as they arrived over HTTP."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: dict[bytes, Span] = {}
        self.metrics: set[str] = set()

    async def _traces(self, request: web.Request) -> web.Response:
        message = ExportTraceServiceRequest.FromString(await _body(request))
        for resource in message.resource_spans:
            for scope in resource.scope_spans:
                self.spans.update((span.span_id, span) for span in scope.spans)
        return web.Response(content_type="application/x-protobuf")

    async def _metrics(self, request: web.Request) -> web.Response:
        message = ExportMetricsServiceRequest.FromString(await _body(request))
        for resource in message.resource_metrics:
            for scope in resource.scope_metrics:
                self.metrics.update(metric.name for metric in scope.metrics)
        return web.Response(content_type="application/x-protobuf")

    def path(self, span: Span) -> list[str]:
        """The names from the root that arrived down to ``span``."""
        found = [span.name]
        while span.parent_span_id in self.spans:
            span = self.spans[span.parent_span_id]
            found.append(span.name)
        return found[::-1]


async def _body(request: web.Request) -> bytes:
    data = await request.read()
    # aiohttp has inflated it already when it could.
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Start a receiver on a free port."""
    made = Receiver()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/traces", made._traces)
    app.router.add_post("/v1/metrics", made._metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
