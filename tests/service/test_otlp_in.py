"""OTLP in: spans and metrics of any OpenTelemetry program are taken, and nothing that is sent breaks the service."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from pea.config import Bytes, Seconds, Settings, StoreSettings
from pea.service import otlp_in
from pea.service.chronicle import HOLDER, Holder
from pea.service.otlp_in import INGEST, Ingest
from pea.store import Chronicle, Query
from pea.telemetry import Telemetry, names

T0 = 1_700_000_000_000_000_000
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
STORE = StoreSettings(
    age=Seconds(1e10), ingest_body=Bytes(200_000), ingest_inflated=Bytes(1_000_000), ingest_spans=1_000
)


class Desk:
    """A service with the OTLP routes only."""

    def __init__(self, client: TestClient, chronicle: Chronicle, telemetry: Telemetry, ingest: Ingest) -> None:
        self.client, self.chronicle, self.telemetry, self.ingest = client, chronicle, telemetry, ingest

    async def post(
        self, data: bytes, headers: dict[str, str] = PROTOBUF, path: str = "/v1/traces"
    ) -> tuple[int, bytes]:
        response = await self.client.post(path, data=data, headers=headers)
        return response.status, await response.read()

    async def found(self, trace_id: int) -> list[Any]:
        await asyncio.to_thread(self.chronicle.flush)
        return await self.chronicle.ask(lambda spans: spans.get(trace_id))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    telemetry = Telemetry(environ={})
    chronicle = Chronicle(tmp_path, Settings(store=STORE))
    chronicle.attach(telemetry)
    app = web.Application()
    app[HOLDER] = Holder()
    app[HOLDER].chronicle = chronicle
    app[INGEST] = Ingest(STORE)
    for operation in otlp_in.ROUTES:
        app.router.add_route(operation.method, operation.path, operation.handler)
    server = TestServer(app)
    await server.start_server(auto_decompress=False)  # as the service's own runner has it
    async with TestClient(server) as client:
        yield Desk(client, chronicle, telemetry, app[INGEST])
    await asyncio.to_thread(chronicle.close)
    await telemetry.aclose()


def attribute(key: str, value: Any) -> KeyValue:
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    field = {str: "string_value", int: "int_value", float: "double_value", bytes: "bytes_value"}[type(value)]
    return KeyValue(key=key, value=AnyValue(**{field: value}))


def request(*spans: Span, **resource: Any) -> ExportTraceServiceRequest:
    about = Resource(
        attributes=[attribute(k.replace("__", "."), v) for k, v in ({"service__name": "theirs"} | resource).items()]
    )
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=about, scope_spans=[ScopeSpans(spans=spans)])]
    )


def span(trace: int = 5, number: int = 1, parent: int = 0, name: str = "work", **fields: Any) -> Span:
    attributes = [attribute(key, value) for key, value in fields.pop("attributes", {}).items()]
    return Span(
        trace_id=trace.to_bytes(16),
        span_id=number.to_bytes(8),
        parent_span_id=parent.to_bytes(8) if parent else b"",
        name=name,
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=T0,
        end_time_unix_nano=T0 + 50_000_000,
        attributes=attributes,
        **fields,
    )


RICH = span(
    attributes={"text": "a", "whole": -5, "part": 0.5, "yes": True, "raw": b"\x01"},
    status=Status(code=Status.STATUS_CODE_ERROR, message="no"),
    events=[Span.Event(time_unix_nano=T0, name="gone", attributes=[attribute("why", "w")])],
    links=[Span.Link(trace_id=(9).to_bytes(16), span_id=(8).to_bytes(8))],
)
RICH.attributes.append(
    KeyValue(
        key="list",
        value=AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="x"), AnyValue()])),
    )
)
RICH.attributes.append(KeyValue(key="map", value=AnyValue(kvlist_value=KeyValueList(values=[attribute("inner", 2)]))))
RICH_ATTRIBUTES = {
    "text": "a",
    "whole": -5,
    "part": 0.5,
    "yes": True,
    "raw": b"\x01",
    "list": [1, "x", None],
    "map": {"inner": 2},
}


def as_json(message: ExportTraceServiceRequest) -> bytes:
    """OTLP's JSON: proto3's, but ids in hex and enums as numbers."""
    import base64

    from google.protobuf.json_format import MessageToDict

    def ids(value: Any) -> Any:
        if isinstance(value, list):
            return [ids(one) for one in value]
        if isinstance(value, dict):
            keys = {"traceId", "spanId", "parentSpanId"}
            return {k: base64.b64decode(v).hex() if k in keys else ids(v) for k, v in value.items()}
        return value

    return json.dumps(ids(MessageToDict(message, use_integers_for_enums=True))).encode()


@pytest.mark.parametrize("form", ["protobuf", "json"])
@pytest.mark.parametrize("encoding", ["", "gzip", "deflate", "zstd"])
async def test_spans_come_in_whole(desk: Desk, form: str, encoding: str):
    """In both encodings, however compressed, every field of a span arrives."""
    message = request(RICH, host__name="h")
    body = message.SerializeToString() if form == "protobuf" else as_json(message)
    squeeze = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress}[encoding]
    headers = (PROTOBUF if form == "protobuf" else JSON) | ({"Content-Encoding": encoding} if encoding else {})
    status, answer = await desk.post(squeeze(body), headers)
    assert (status, answer) == (200, b"{}" if form == "json" else b"")
    (found,) = await desk.found(5)
    assert dict(found.attributes) == RICH_ATTRIBUTES
    assert (found.name, found.kind, found.status, found.message, found.entry) == ("work", 2, 2, "no", True)
    assert (found.start_ns, found.end_ns) == (T0, T0 + 50_000_000)
    assert [event[:3] for event in found.events] == [("gone", T0, {"why": "w"})]
    assert [(link.trace_id, link.span_id) for link in found.links] == [(9, 8)]
    assert found.origin.service == "theirs"
    assert found.origin.resource["host.name"] == "h"


async def test_the_official_exporter_can_send_here(desk: Desk):
    """A raw OpenTelemetry SDK program that only knows the endpoint appears with its spans."""
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource as SdkResource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    url = str(desk.client.make_url("/v1/traces"))

    def program() -> int:
        provider = TracerProvider(resource=SdkResource({"service.name": "raw"}), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url, compression=Compression.Gzip)))
        tracer = provider.get_tracer("program")
        with tracer.start_as_current_span("outer") as outer, tracer.start_as_current_span("inner"):
            pass
        provider.shutdown()
        return outer.get_span_context().trace_id

    found = await desk.found(await asyncio.to_thread(program))
    assert [one.name for one in found] == ["outer", "inner"]
    assert found[1].parent_id == found[0].span_id
    assert {one.origin.service for one in found} == {"raw"}


async def test_what_cannot_be_read_is_counted_and_the_rest_taken(desk: Desk):
    """Spans without valid ids are rejected in a partial success."""
    bad = [Span(name="no ids"), Span(trace_id=b"\x01" * 16, span_id=b"\x01\x02"), span(trace=0)]
    status, answer = await desk.post(request(span(), *bad).SerializeToString())
    partial = ExportTraceServiceResponse.FromString(answer).partial_success
    assert (status, partial.rejected_spans) == (200, 3)
    assert "id" in partial.error_message
    assert len(await desk.found(5)) == 1
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz"}, {"name": 5}, "what"]}]}]}
    status, answer = await desk.post(json.dumps(document).encode(), JSON)
    assert status == 200
    assert json.loads(answer)["partialSuccess"]["rejectedSpans"] == "3"


async def test_beyond_the_number_of_spans_the_rest_is_rejected(desk: Desk):
    """A request may hold so many spans; those after them are counted as rejected."""
    body = request(*(span(number=number) for number in range(1, 1_200))).SerializeToString()
    status, answer = await desk.post(gzip.compress(body), PROTOBUF | {"Content-Encoding": "gzip"})
    assert status == 200
    assert ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans == 199


async def test_attributes_are_brought_within_bounds(desk: Desk):
    """Long texts are cut, too many and too deep values left out."""
    deep = AnyValue(string_value="bottom")
    for _ in range(30):
        deep = AnyValue(array_value=ArrayValue(values=[deep]))
    wide = AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=n) for n in range(5_000)]))
    record = span(attributes={"long": "x" * 50_000} | {f"k{n}": n for n in range(400)})
    record.attributes.insert(0, KeyValue(key="deep", value=deep))
    record.attributes.insert(0, KeyValue(key="wide", value=wide))
    assert (await desk.post(request(record).SerializeToString()))[0] == 200
    (found,) = await desk.found(5)
    assert len(found.attributes) == 256
    assert len(found.attributes["long"]) == 32_768
    assert len(found.attributes["wide"]) == 1_024
    assert "bottom" not in str(found.attributes["deep"])


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\xff\xff\xff", PROTOBUF, 400),
        (b"\x0a\x7f", PROTOBUF, 400),
        (b"{", JSON, 400),
        (b'{"resourceSpans": 5}', JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b"", {"Content-Type": "text/plain"}, 415),
        (b"x", PROTOBUF | {"Content-Encoding": "br"}, 415),
        (b"x" * 300_000, PROTOBUF, 413),
        (gzip.compress(bytes(50_000_000)), PROTOBUF | {"Content-Encoding": "gzip"}, 413),
        (zstd.compress(bytes(50_000_000)), PROTOBUF | {"Content-Encoding": "zstd"}, 413),
        (gzip.compress(b"x" * 1_000, mtime=0)[:-20], PROTOBUF | {"Content-Encoding": "gzip"}, 400),
        (b"", PROTOBUF, 200),
        (b"{}", JSON, 200),
    ],
)
async def test_what_is_not_a_request_is_refused(tmp_path: Path, body: bytes, headers: dict[str, str], status: int):
    """A clear status for each kind of mistake, said in a google.rpc.Status; a bomb is stopped at the bound."""
    app = web.Application()
    chronicle = Chronicle(tmp_path, Settings(store=STORE))
    app[HOLDER] = Holder()
    app[HOLDER].chronicle = chronicle
    app[INGEST] = Ingest(STORE)
    for operation in otlp_in.ROUTES:
        app.router.add_route(operation.method, operation.path, operation.handler)
    server = TestServer(app)
    await server.start_server(auto_decompress=False)  # as the service's own runner has it
    async with TestClient(server) as client:
        response = await client.post("/v1/traces", data=body, headers=headers, skip_auto_headers=["Content-Type"])
        assert response.status == status, await response.text()
        answer = await response.read()
        if status >= 400 and headers is JSON:
            assert json.loads(answer)["message"]
    assert app[INGEST].status.waiting_bytes == 0
    await asyncio.to_thread(chronicle.close)


async def test_under_pressure_the_sender_is_asked_to_come_again(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """When the writer does not keep up the answer is 429 with Retry-After, and nothing is taken."""
    monkeypatch.setattr(type(desk.chronicle.spans.writer), "pressed", True)
    response = await desk.client.post("/v1/traces", data=request(span()).SerializeToString(), headers=PROTOBUF)
    assert response.status == 429
    assert response.headers["Retry-After"] == "1"
    monkeypatch.undo()
    monkeypatch.setattr(desk.ingest, "settings", StoreSettings(ingest_waiting=Bytes(10)))
    assert (await desk.post(request(span()).SerializeToString()))[0] == 429
    assert desk.ingest.status.pushed_back == 2
    assert desk.ingest.status.waiting_bytes == 0
    assert await desk.found(5) == []


async def test_metrics_become_series(desk: Desk):
    """Gauges, sums and histograms of other programs can be drawn, in both encodings."""
    labels = [{"key": "a", "value": {"stringValue": "b"}}]
    document = {
        "resourceMetrics": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "theirs"}}]},
                "scopeMetrics": [
                    {
                        "metrics": [
                            {"name": "g", "gauge": {"dataPoints": [{"asDouble": 1.5}]}},
                            {"name": "s", "sum": {"dataPoints": [{"asInt": "7", "attributes": labels}]}},
                            {"name": "h", "histogram": {"dataPoints": [{"count": "3", "sum": 4.5}]}},
                        ]
                    }
                ],
            }
        ]
    }  # fmt: skip
    assert (await desk.post(json.dumps(document).encode(), JSON, "/v1/metrics"))[0] == 200
    assert {"theirs:g", "theirs:s{a=b}", "theirs:h:count", "theirs:h:sum"} <= set(desk.chronicle.series.names())
    assert (await desk.post(b"\xff", PROTOBUF, "/v1/metrics"))[0] == 400


async def test_agents_of_other_programs_count_as_ours(desk: Desk):
    """p95, error rate and tokens per agent exist for spans that came in."""
    chat = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 2,
    }
    agent = {
        "agent_name": "planner",
        "openinference.span.kind": "AGENT",
        "gen_ai.aggregated_usage.input_tokens": 10,
    }
    spans = [
        span(number=3, parent=2, name="chat m", attributes=chat),
        span(number=2, parent=1, name="agent run", attributes=agent),
        span(number=1, name="POST /"),
    ]
    body = request(*spans).SerializeToString()
    assert (await desk.post(body))[0] == 200
    (figures,) = [one for one in desk.telemetry.figures() if one.capability == ""]
    assert (figures.agent, figures.count, figures.errors) == ("planner", 1, 0)
    assert figures.p95_s == pytest.approx(0.05, rel=0.01)
    ((key, use),) = desk.chronicle.tokens.use().items()
    assert key == ("theirs", "planner", "m")
    assert (use.calls, use.input_tokens, use.output_tokens) == (1, 10, 2)
    await desk.found(5)
    query = Query(attributes={names.GEN_AI_AGENT_NAME: "planner"})
    assert len((await desk.chronicle.ask(lambda spans: spans.search(query))).traces) == 1


async def test_a_pydantic_ai_agent_appears_with_its_agent_and_tokens(desk: Desk):
    """A real pydantic-ai run, exported by the official SDK: agent, tool and model, tokens counted once."""
    pydantic_ai = pytest.importorskip("pydantic_ai")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource as SdkResource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from pydantic_ai.capabilities import Instrumentation
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.models.test import TestModel

    provider = TracerProvider(resource=SdkResource({"service.name": "weather"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(str(desk.client.make_url("/v1/traces")))))
    seen = Instrumentation(settings=InstrumentationSettings(tracer_provider=provider))
    agent = pydantic_ai.Agent(TestModel(), name="forecaster", capabilities=[seen])

    @agent.tool_plain
    def look_outside(town: str) -> str:
        return f"sunny in {town}"

    result = await agent.run("What is the weather?")
    await asyncio.to_thread(provider.shutdown)
    used = result.usage
    counted = desk.chronicle.tokens.use()
    assert {key[1] for key in counted} == {"forecaster"}
    assert sum(use.input_tokens for use in counted.values()) == used.input_tokens
    assert sum(use.output_tokens for use in counted.values()) == used.output_tokens
    assert {one.agent for one in desk.telemetry.figures()} == {"forecaster"}
    await asyncio.to_thread(desk.chronicle.flush)
    query = Query(attributes={"gen_ai.tool.name": "look_outside"})
    assert len((await desk.chronicle.ask(lambda spans: spans.search(query))).traces) == 1


VALID = request(RICH, span(number=2, parent=1)).SerializeToString()
VALID_JSON = as_json(request(RICH, span(number=2, parent=1)))


@st.composite
def broken(draw: st.DrawFn) -> tuple[bytes, bool]:
    """A request with bytes changed, removed or doubled; or anything at all."""
    is_json = draw(st.booleans())
    if draw(st.integers(0, 3)) == 0:
        return draw(st.binary(max_size=200)), is_json
    data = bytearray(VALID_JSON if is_json else VALID)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 1))
        action = draw(st.sampled_from(["set", "cut", "double"]))
        if action == "set":
            data[at] = draw(st.integers(0, 255))
        elif action == "cut" and len(data) > 20:
            del data[at : at + draw(st.integers(1, 10))]
        else:
            data[at:at] = data[at : at + draw(st.integers(1, 40))]
    return bytes(data), is_json


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=broken(), encoding=st.sampled_from(["", "", "gzip", "zstd", "lie"]), metrics=st.booleans())
async def test_nothing_that_is_sent_breaks_it(desk: Desk, case: tuple[bytes, bool], encoding: str, metrics: bool):
    """Whatever bytes arrive, the answer is 200 or 4xx, nothing stays in hand, and the writer never fails."""
    body, is_json = case
    headers = dict(JSON if is_json else PROTOBUF)
    if encoding == "lie":
        headers["Content-Encoding"] = "zstd"
    elif encoding:
        body = gzip.compress(body) if encoding == "gzip" else zstd.compress(body)
        headers["Content-Encoding"] = encoding
    status, _ = await desk.post(body, headers, "/v1/metrics" if metrics else "/v1/traces")
    assert status == 200 or 400 <= status < 500
    assert desk.ingest.status.waiting_bytes == 0
    await asyncio.to_thread(desk.chronicle.flush)
    assert desk.chronicle.status().spans.failures == 0, desk.chronicle.status().spans.last_error
