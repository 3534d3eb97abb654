"""A task posted with a traceparent arrives in a real OTLP receiver as one tree under the caller's trace."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pea import Agent, Context, Runtime, Settings, capability
from pea.config import ServiceSettings
from pea.service import Service
from pea.telemetry import Telemetry

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Receiver:
    """An OTLP/HTTP receiver that keeps the spans it is sent."""

    def __init__(self) -> None:
        self.spans = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await request.read())
        self.spans += [span for group in sent.resource_spans for scope in group.scope_spans for span in scope.spans]
        return web.Response(body=b"", content_type="application/x-protobuf")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A running receiver."""
    found = Receiver()
    app = web.Application()
    app.router.add_post("/v1/traces", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


async def test_one_tree_arrives(receiver):
    """Server span, task, queue wait, agent calls, and another library's spans within them, nest rightly."""
    environ = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.url}/v1/traces"}
    telemetry = Telemetry(Settings(), environ)
    foreign = telemetry.provider.get_tracer("another.library")

    class Desk(Agent):
        name = "desk"

        @capability("desk.ask")
        async def ask(self, ctx: Context) -> str:
            """Ask the library."""
            first, _ = await asyncio.gather(ctx.call("desk.read"), ctx.call("desk.read"))
            return str(first)

        @capability("desk.read")
        async def read(self, ctx: Context) -> str:
            """Read, by means of a library that traces by itself."""
            with foreign.start_as_current_span("chat model", kind=trace.SpanKind.CLIENT):
                return "read"

    runtime = Runtime(Settings(service=ServiceSettings(port=0)), agents=[Desk()], telemetry=telemetry)
    async with Service(runtime) as service, aiohttp.ClientSession(service.url) as client:
        await service.ready()
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "Prefer": "wait=10"}
        async with client.post("/v1/tasks", json={"capability": "desk.ask"}, headers=headers) as response:
            assert (await response.json())["result"] == "read"
    await telemetry.aclose()

    spans = [span for span in receiver.spans if span.trace_id.hex() == TRACE]
    by_id = {span.span_id: span for span in spans}

    def path(span) -> str:
        above = by_id.get(span.parent_span_id)
        return f"{path(above)} > {span.name}" if above else span.name

    (root,) = [span for span in spans if span.parent_span_id not in by_id]
    assert (root.name, root.parent_span_id.hex()) == ("POST /v1/tasks", PARENT)
    task = "POST /v1/tasks > task desk.ask"
    call = f"{task} > invoke_agent desk"
    assert sorted(path(span) for span in spans) == sorted(
        [
            "POST /v1/tasks",
            task,
            f"{task} > queue.wait",
            call,
            *2 * [f"{call} > invoke_agent desk", f"{call} > invoke_agent desk > chat model"],
        ]
    )
