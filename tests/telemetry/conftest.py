"""Real receivers on loopback: OTLP over HTTP (aiohttp, official protobuf) and over gRPC."""

import asyncio
import base64
import gzip
import re
import zlib
from concurrent import futures

import pytest
from aiohttp import web
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from pea.config import Settings, TelemetrySettings
from pea.telemetry import Telemetry


class Receiver:
    """What arrived; ``answers`` are given in turn (then 200), ``hang`` makes every request wait until released."""

    def __init__(self):
        self.traces = []
        self.metrics = []
        self.requests = []
        self.answers = []
        self.hang = False
        self.released = asyncio.Event()
        self.arrived = asyncio.Event()  # set whenever something has
        self.endpoint = ""

    @property
    def spans(self):
        return [s for t in self.traces for r in t.resource_spans for scope in r.scope_spans for s in scope.spans]

    @property
    def metric_names(self):
        return {m.name for d in self.metrics for r in d.resource_metrics for s in r.scope_metrics for m in s.metrics}

    def metric(self, name):
        """The last export of a metric."""
        found = [m for d in self.metrics for r in d.resource_metrics for s in r.scope_metrics for m in s.metrics]
        return [m for m in found if m.name == name][-1]

    async def handle(self, request):
        body = await request.read()
        self.requests.append((request.path, request.headers.copy(), body))
        if self.hang:
            await self.released.wait()
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        if status == 200:
            self._take(request, body)
            self.arrived.set()
        return web.Response(status=status, headers=headers)

    def _take(self, request, body):
        packing = request.headers.get("Content-Encoding")
        if packing == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        elif packing == "deflate" and body[:1] == b"\x78":
            body = zlib.decompress(body)
        traces = request.path.endswith("/v1/traces")
        kind = (
            trace_service_pb2.ExportTraceServiceRequest if traces else metrics_service_pb2.ExportMetricsServiceRequest
        )
        if request.headers["Content-Type"] == "application/json":
            ids = re.compile(rb'"(traceId|spanId|parentSpanId)":"([0-9a-f]*)"')
            body = ids.sub(lambda m: b'"%b":"%b"' % (m[1], base64.b64encode(bytes.fromhex(m[2].decode()))), body)
            taken = json_format.Parse(body, kind())
        else:
            taken = kind.FromString(body)
        (self.traces if traces else self.metrics).append(taken)


@pytest.fixture
async def receiver():
    """An OTLP/HTTP receiver."""
    made = Receiver()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.endpoint = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    yield made
    made.released.set()
    await runner.cleanup()


class GrpcReceiver:
    """What arrived by gRPC; ``refusals`` are status codes given in turn before requests are taken."""

    def __init__(self):
        self.traces = []
        self.metrics = []
        self.metadata = []
        self.refusals = []
        self.endpoint = ""

    @property
    def spans(self):
        return [s for t in self.traces for r in t.resource_spans for scope in r.scope_spans for s in scope.spans]

    def take(self, request, context, kept, response):
        self.metadata.append(dict(context.invocation_metadata()))
        if self.refusals:
            context.abort(self.refusals.pop(0), "not now")
        kept.append(request)
        return response


@pytest.fixture
def grpc_receiver():
    """An OTLP/gRPC receiver."""
    import grpc

    made = GrpcReceiver()

    class Traces(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request, context):
            return made.take(request, context, made.traces, trace_service_pb2.ExportTraceServiceResponse())

    class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
        def Export(self, request, context):
            return made.take(request, context, made.metrics, metrics_service_pb2.ExportMetricsServiceResponse())

    server = grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(), server)
    made.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield made
    server.stop(None).wait()


@pytest.fixture
async def make_telemetry():
    """Builds a Telemetry from settings of its section and an environment, and closes it."""
    made = []

    def make(environ=None, **settings):
        telemetry = Telemetry(Settings(telemetry=TelemetrySettings(**settings)), environ or {})
        made.append(telemetry)
        return telemetry

    yield make
    for telemetry in made:
        await telemetry.aclose()
