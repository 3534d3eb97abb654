"""Spans and metrics arrive in real OTLP receivers, and receivers that misbehave cost nothing but their own data."""

import asyncio
import socket

import pytest
from opentelemetry.trace import SpanKind

from pea.telemetry import names


def work(telemetry, count=3):
    """Some tasks with an agent call and a leaf each."""
    for _ in range(count):
        attributes = {names.PEA_CAPABILITY: "calendar.agenda", names.PEA_TASK_STATUS: "succeeded"}
        with telemetry.tracer.span("task calendar.agenda", attributes) as span:
            span.leaf(names.SPAN_QUEUE_WAIT, span.start_time, span.start_time + 1000, {})
            own = {names.GEN_AI_AGENT_NAME: "calendar", names.PEA_CAPABILITY: "calendar.agenda"}
            with telemetry.tracer.span("invoke_agent calendar", own):
                pass


async def test_traces_and_metrics_arrive_over_http(receiver, make_telemetry):
    """One tree per task with its leaf, and the metrics folded from it, under the service's resource."""
    telemetry = make_telemetry({"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}, service_name="tested")
    work(telemetry)
    assert await telemetry.flush()
    assert len(receiver.spans) == 9
    roots = {s.span_id: s for s in receiver.spans if not s.parent_span_id}
    assert {s.name for s in roots.values()} == {"task calendar.agenda"}
    assert all(s.parent_span_id in roots and s.trace_id == roots[s.parent_span_id].trace_id
               for s in receiver.spans if s.parent_span_id)  # fmt: skip
    resource = {a.key: a.value.string_value for a in receiver.traces[0].resource_spans[0].resource.attributes}
    assert resource["service.name"] == "tested"
    point = receiver.metric(names.METRIC_AGENT_CALL_DURATION).exponential_histogram.data_points[0]
    assert point.count == 3
    assert sum(point.positive.bucket_counts) + point.zero_count == 3
    assert {e.trace_id for e in point.exemplars} <= {s.trace_id for s in roots.values()}
    assert receiver.metric(names.METRIC_PROCESS_MEMORY_USAGE).sum.data_points[0].as_int > 1 << 20
    outcomes = {
        p.attributes[0].value.string_value: p.as_int
        for p in receiver.metric(names.METRIC_TELEMETRY_SPANS).sum.data_points
    }
    assert outcomes["finished"] == 6
    assert telemetry.status().exports[0].exported == 9


async def test_json_when_the_protocol_says_so(receiver, make_telemetry):
    """http/json sends what protobuf would: ids in hexadecimal, enums as numbers, 64-bit integers as text."""
    telemetry = make_telemetry({
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    })  # fmt: skip
    work(telemetry)
    assert await telemetry.flush()
    assert {headers["Content-Type"] for _, headers, _ in receiver.requests} == {"application/json"}
    assert {span.trace_id.hex() for span in receiver.spans} == {trace.trace_id for trace in telemetry.recent.list()}
    assert {span.kind for span in receiver.spans} == {1}
    assert receiver.metric(names.METRIC_AGENT_CALL_DURATION).exponential_histogram.data_points[0].count == 3


async def test_grpc_when_the_protocol_says_so(grpc_receiver, make_telemetry):
    """OTEL_EXPORTER_OTLP_PROTOCOL=grpc sends both signals by gRPC, with the headers."""
    telemetry = make_telemetry({
        "OTEL_EXPORTER_OTLP_ENDPOINT": grpc_receiver.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=one",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    })  # fmt: skip
    work(telemetry)
    assert await telemetry.flush()
    assert len(grpc_receiver.spans) == 9
    assert grpc_receiver.metadata[0]["x-tenant"] == "one"
    assert len(grpc_receiver.metrics) == 1
    assert next(e.exported for e in telemetry.status().exports) == 9


async def test_grpc_refusals_are_counted(grpc_receiver, make_telemetry):
    """A receiver that refuses for good loses its batch; the next one goes through."""
    import grpc

    telemetry = make_telemetry({
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": grpc_receiver.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    })  # fmt: skip
    grpc_receiver.refusals = [grpc.StatusCode.INVALID_ARGUMENT]
    work(telemetry, 1)
    await telemetry.flush()
    work(telemetry, 1)
    await telemetry.flush()
    account = telemetry.status().exports[0]
    assert (account.exported, account.failed) == (3, 3)
    assert account.last_error


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
async def test_headers_and_compression(receiver, make_telemetry, compression):
    """Headers of the signal go before the general ones, and bodies are compressed as asked."""
    telemetry = make_telemetry({
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.endpoint}/own/v1/traces",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=general",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-tenant=own,authorization=Bearer%20abc",
        "OTEL_EXPORTER_OTLP_COMPRESSION": compression,
    })  # fmt: skip
    work(telemetry, 1)
    await telemetry.flush()
    path, headers, _ = receiver.requests[0]
    assert path == "/own/v1/traces"
    assert headers["x-tenant"] == "own"
    assert headers["authorization"] == "Bearer abc"
    assert headers["Content-Type"] == "application/x-protobuf"
    assert headers.get("Content-Encoding", "none") == compression
    assert not receiver.metrics


async def test_a_receiver_that_is_busy_gets_it_again(receiver, make_telemetry):
    """503 with Retry-After, then 200: nothing is lost and nothing sent twice."""
    telemetry = make_telemetry({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.endpoint}/v1/traces"})
    receiver.answers = [(503, {"Retry-After": "0"})]
    work(telemetry, 2)
    assert await telemetry.flush()
    assert len(receiver.requests) == 2
    assert len(receiver.spans) == 6
    assert telemetry.status().exports[0].failed == 0


async def test_a_receiver_that_refuses_is_reported(receiver, make_telemetry):
    """400 is final: the batch is counted as failed with its reason, and the next one is sent."""
    telemetry = make_telemetry({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.endpoint}/v1/traces"})
    receiver.answers = [(400, {})]
    work(telemetry, 1)
    await telemetry.flush()
    work(telemetry, 1)
    await telemetry.flush()
    account = telemetry.status().exports[0]
    assert (account.exported, account.failed, len(receiver.spans)) == (3, 3, 3)
    assert account.last_error.startswith("HTTP 400")
    assert account.last_error_ns > 0


async def test_a_receiver_that_is_down_costs_no_task(make_telemetry):
    """With nobody listening work goes on at once; what could not be sent is counted."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    telemetry = make_telemetry(
        {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{port}/v1/traces",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2",
        },
        flush_timeout=1.0,
    )
    telemetry.start()
    work(telemetry, 1)
    await telemetry.flush()
    account = telemetry.status().exports[0]
    assert account.failed == 3
    assert "Connection" in account.last_error or "refused" in account.last_error


async def test_a_receiver_that_hangs_blocks_nothing(receiver, make_telemetry):
    """While a request hangs spans are taken up to the queue's bound, drops are counted, and closing ends in time."""
    telemetry = make_telemetry(
        {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.endpoint}/v1/traces",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "30",
            "OTEL_BSP_MAX_QUEUE_SIZE": "90",
        },
        flush_timeout=0.2,
    )
    receiver.hang = True
    telemetry.start()
    work(telemetry, 100)
    assert not await telemetry.flush()
    account = telemetry.status().exports[0]
    assert account.dropped > 0
    assert account.queued <= 90
    assert account.dropped + account.queued == 300
    outcomes = {next(iter(labels.values())): count for labels, count in telemetry._outcomes()}
    assert outcomes["export_dropped"] == account.dropped
    async with asyncio.timeout(60):  # a close that waits for the receiver would never end
        await telemetry.aclose()
    assert telemetry.status().exports[0].exported == 0
    with telemetry.tracer.span("task after.close"):
        pass
    assert telemetry.status().spans_dropped == 1


async def test_delta_metrics(receiver, make_telemetry):
    """With delta preferred each export holds what happened since the last, histograms and counters alike."""
    telemetry = make_telemetry({
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
    })  # fmt: skip
    counts, finished, spans = [], [], []
    for tasks in (3, 2):
        work(telemetry, tasks)
        await telemetry.flush()
        data = receiver.metric(names.METRIC_TASK_DURATION).exponential_histogram
        counts.append((data.aggregation_temporality, data.data_points[0].count))
        spans.append((data.data_points[0].start_time_unix_nano, data.data_points[0].time_unix_nano))
        total = receiver.metric(names.METRIC_TELEMETRY_SPANS).sum
        finished.append((total.aggregation_temporality, total.data_points[0].as_int))
    assert counts == [(1, 3), (1, 2)]
    assert finished == [(1, 6), (1, 4)]
    assert spans[0][1] <= spans[1][0] <= spans[1][1]
    assert b"pea_task_duration_seconds_count" in telemetry.exposition()[0]
    assert telemetry.figures("calendar")[0].count == 5


async def test_cumulative_metrics(receiver, make_telemetry):
    """By default each export holds everything since the start."""
    telemetry = make_telemetry({"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint})
    for tasks in (3, 2):
        work(telemetry, tasks)
        await telemetry.flush()
    data = receiver.metric(names.METRIC_TASK_DURATION).exponential_histogram
    assert (data.aggregation_temporality, data.data_points[0].count) == (2, 5)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
        {"OTEL_SDK_DISABLED": "true"},
    ],
)
async def test_nothing_is_sent_unless_asked(receiver, make_telemetry, environ):
    """No endpoint, exporter none, or a disabled SDK: there is no line out."""
    if environ:
        environ = {**environ, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}
    telemetry = make_telemetry(environ)
    work(telemetry)
    assert await telemetry.flush()
    assert telemetry.status().exports == ()
    assert not receiver.requests


async def test_large_batches_are_split(receiver, make_telemetry):
    """A flood of spans goes out in requests of the batch size."""
    telemetry = make_telemetry({
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.endpoint}/v1/traces",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100",
    })  # fmt: skip
    work(telemetry, 400)
    assert await telemetry.flush()
    assert len(receiver.spans) == 1200
    assert 12 <= len(receiver.traces) <= 13
    assert len({s.span_id for s in receiver.spans}) == 1200


async def test_the_started_drain_sends_by_itself(receiver, make_telemetry):
    """After start spans and metrics leave without anybody calling flush."""
    telemetry = make_telemetry(
        {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "1"},
        drain_interval=0.01,
        metric_interval=0.02,
    )
    telemetry.start()
    with telemetry.tracer.span("GET /v1/agents", {names.HTTP_REQUEST_METHOD: "GET"}, kind=SpanKind.SERVER):
        pass
    async with asyncio.timeout(30):
        while names.METRIC_HTTP_SERVER_REQUEST_DURATION not in receiver.metric_names or not receiver.spans:
            receiver.arrived.clear()
            await receiver.arrived.wait()
    assert receiver.spans[0].kind == 2
