"""Jaeger's query API: the shapes that Jaeger's interface and Grafana read, so that they do not drift."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pea.config import Seconds, Settings, StoreSettings
from pea.service import jaeger
from pea.service.chronicle import HOLDER, Holder
from pea.service.jaeger_params import BadJaegerParameter, Parameters, trace_id_of
from pea.store import Chronicle, Found, SpanStore
from pea.telemetry.record import ERROR, LinkTo, Origin, SpanRecord

T0 = 1_700_000_000_000_000_000
MINUTE_MS = T0 // 10**6
TRACE = 0x0123456789ABCDEF0123456789ABCDEF
OTHER = 0xABC
SHOP = Origin("shop", {"service.name": "shop", "host.name": "one"}, "lib", "1.2")
BANK = Origin("bank", {"service.name": "bank"})

SPANS = [
    SpanRecord(
        trace_id=TRACE, span_id=1, name="GET /", kind=2, start_ns=T0, end_ns=T0 + 50_000_000, origin=SHOP, entry=True,
        attributes={"text": "a", "whole": 5, "huge": 2**60, "part": 0.5, "yes": True, "raw": b"\x01", "list": ["x", 1]},
        events=[("gone wrong", T0 + 1_000, {"why": "w"}, 0)], links=[LinkTo(OTHER, 9)],
    ),
    SpanRecord(
        trace_id=TRACE, span_id=2, parent_id=1, name="pay", kind=3, start_ns=T0 + 1_000_000, end_ns=T0 + 2_000_000,
        status=ERROR, message="no money", origin=BANK,
    ),
    SpanRecord(trace_id=OTHER, span_id=9, name="earlier", start_ns=T0 - 10**9, end_ns=T0, origin=SHOP, entry=True),
]  # fmt: skip


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[TestClient]:
    chronicle = Chronicle(tmp_path, Settings(store=StoreSettings(age=Seconds(1e10))))
    chronicle.inlet.put(SPANS)
    await asyncio.to_thread(chronicle.flush)
    app = web.Application()
    app[HOLDER] = Holder()
    app[HOLDER].chronicle = chronicle
    for operation in jaeger.ROUTES:
        app.router.add_route(operation.method, operation.path, operation.handler)
    async with TestClient(TestServer(app)) as client:
        yield client
    await asyncio.to_thread(chronicle.close)


async def get(client: TestClient, path: str, status: int = 200, **query: Any) -> Any:
    response = await client.get(path, params={key.replace("__", "."): value for key, value in query.items()})
    assert response.status == status, await response.text()
    assert response.content_type == "application/json"
    return await response.json()


async def test_services_and_operations(client: TestClient):
    """Grafana and older interfaces list services and operations in an envelope."""
    envelope = {"limit": 0, "offset": 0, "errors": None}
    assert await get(client, "/api/services") == envelope | {"data": ["bank", "shop"], "total": 2}
    assert await get(client, "/api/services/shop/operations") == envelope | {"data": ["GET /", "earlier"], "total": 2}
    assert await get(client, "/api/operations", service="shop", spanKind="server") == envelope | {
        "data": [{"name": "GET /", "spanKind": "server"}],
        "total": 1,
    }


async def test_a_trace_in_jaegers_shape(client: TestClient):
    """Every field of a span, typed as Jaeger types it."""
    answer = await get(client, f"/api/traces/{TRACE:032x}")
    (trace,) = answer.pop("data")
    assert answer == {"total": 0, "limit": 0, "offset": 0, "errors": None}
    assert trace["traceID"] == f"{TRACE:032x}"
    assert trace["warnings"] is None
    assert trace["processes"] == {
        "p1": {"serviceName": "shop", "tags": [{"key": "host.name", "type": "string", "value": "one"}]},
        "p2": {"serviceName": "bank", "tags": []},
    }
    root, child = trace["spans"]
    assert root == {
        "traceID": f"{TRACE:032x}",
        "spanID": "0000000000000001",
        "operationName": "GET /",
        "references": [{"refType": "FOLLOWS_FROM", "traceID": "0000000000000abc", "spanID": "0000000000000009"}],
        "startTime": T0 // 1_000,
        "duration": 50_000,
        "tags": [
            {"key": "text", "type": "string", "value": "a"},
            {"key": "whole", "type": "int64", "value": 5},
            {"key": "huge", "type": "int64", "value": str(2**60)},
            {"key": "part", "type": "float64", "value": 0.5},
            {"key": "yes", "type": "bool", "value": True},
            {"key": "raw", "type": "binary", "value": "AQ=="},
            {"key": "list", "type": "string", "value": '["x",1]'},
            {"key": "otel.scope.name", "type": "string", "value": "lib"},
            {"key": "otel.scope.version", "type": "string", "value": "1.2"},
            {"key": "span.kind", "type": "string", "value": "server"},
        ],
        "logs": [
            {
                "timestamp": (T0 + 1_000) // 1_000,
                "fields": [
                    {"key": "event", "type": "string", "value": "gone wrong"},
                    {"key": "why", "type": "string", "value": "w"},
                ],
            }
        ],
        "processID": "p1",
        "warnings": None,
    }
    assert child["references"] == [{"refType": "CHILD_OF", "traceID": f"{TRACE:032x}", "spanID": "0000000000000001"}]
    assert child["tags"] == [
        {"key": "span.kind", "type": "string", "value": "client"},
        {"key": "otel.status_code", "type": "string", "value": "ERROR"},
        {"key": "error", "type": "bool", "value": True},
        {"key": "otel.status_description", "type": "string", "value": "no money"},
    ]


async def test_a_trace_that_is_not_here(client: TestClient):
    """404 in the envelope, with the words that the interface shows."""
    answer = await get(client, "/api/traces/77", 404)
    assert answer == {
        "data": None,
        "total": 0,
        "limit": 0,
        "offset": 0,
        "errors": [{"code": 404, "msg": "trace not found"}],
    }
    assert (await get(client, "/api/v3/traces/77", 404)) == {"error": {"httpCode": 404, "message": "No traces found"}}


WIDE = {"start": "0", "end": str(T0)}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"service": "shop"}, [TRACE, OTHER]),
        ({"service": "shop", "operation": "GET /"}, [TRACE]),
        ({"service": "shop", "operation": "all"}, []),
        ({"service": "shop", "limit": "1"}, [TRACE]),
        ({"service": "shop", "minDuration": "100ms"}, [OTHER]),
        ({"service": "shop", "minDuration": "49.9ms", "maxDuration": "0.051s"}, [TRACE]),
        ({"service": "shop", "maxDuration": "60ms"}, [TRACE]),
        ({"service": "shop", "tags": '{"text":"a","yes":"true"}'}, [TRACE]),
        ({"service": "shop", "tag": "host.name:one"}, [TRACE, OTHER]),
        ({"service": "bank", "tags": '{"error":"true"}'}, [TRACE]),
        ({"service": "shop", "tags": '{"error":"true"}'}, []),
        ({"service": "shop", "end": str(T0 // 1_000 - 1)}, [OTHER]),
        ({"service": "shop", "start": str(T0 // 1_000)}, [TRACE]),
        ({}, [TRACE, OTHER]),
    ],
)
async def test_search_parameters(client: TestClient, query: dict[str, str], found: list[int]):
    """All parameters of /api/traces narrow the search as Jaeger's do."""
    answer = await get(client, "/api/traces", **(WIDE | query))
    assert [int(trace["traceID"], 16) for trace in answer["data"]] == found


async def test_several_traces_by_id(client: TestClient):
    """Comparing traces asks for several ids at once; one that is not here is an error beside the others."""
    response = await client.get(f"/api/traces?traceID={TRACE:x}&traceID=abc&traceID=77")
    answer = await response.json()
    assert [int(trace["traceID"], 16) for trace in answer["data"]] == [TRACE, OTHER]
    assert answer["errors"] == [{"msg": "trace not found", "traceID": "0000000000000077"}]


async def test_dependencies(client: TestClient):
    """Calls between services within the look-back."""
    answer = await get(client, "/api/dependencies", endTs=MINUTE_MS + 1_000, lookback=3_600_000)
    assert answer["data"] == [{"parent": "shop", "child": "bank", "callCount": 1}]
    assert (await get(client, "/api/dependencies", endTs=1_000, lookback=1_000))["data"] == []


@pytest.mark.parametrize(
    ("which", "name", "value", "about"),
    [
        ("calls", "service_call_rate", 1 / 600, "calls/sec, grouped by service"),
        (
            "errors",
            "service_error_rate",
            0.0,
            "error rate, computed as a fraction of errors/sec over calls/sec, grouped by service",
        ),
        ("latencies", "service_latencies", 50.0, "0.95th quantile latency, grouped by service"),
    ],
)
async def test_the_monitor_tab(client: TestClient, which: str, name: str, value: float, about: str):
    """Metric families in proto3's JSON, by service and by operation; latencies in milliseconds."""
    query = {"service": "shop", "endTs": MINUTE_MS + 60_000, "lookback": 120_000, "step": 60_000, "ratePer": 600_000}
    if which == "latencies":
        query["quantile"] = 0.95
    answer = await get(client, f"/api/metrics/{which}", **query)
    (metric,) = answer.pop("metrics")
    assert answer == {"name": name, "type": "GAUGE", "help": about}
    assert metric["labels"] == [{"name": "service_name", "value": "shop"}]
    point = metric["metricPoints"][-1]
    assert point["gaugeValue"]["doubleValue"] == pytest.approx(value, rel=0.011)
    assert point["timestamp"].endswith("Z")
    answer = await get(client, f"/api/metrics/{which}", **query, groupByOperation="true")
    assert answer["name"] == name.replace("service", "service_operation")
    assert answer["metrics"][0]["labels"] == [
        {"name": "operation", "value": "GET /"},
        {"name": "service_name", "value": "shop"},
    ]


@pytest.mark.parametrize("rate_per", [10**18, 60_000, 120_000])
async def test_whatever_a_rate_is_over_it_costs_no_more_and_counts_each_minute_once(client: TestClient, rate_per: int):
    """A window of ages ends at once, in the year 9999 too; as it moves on, what it leaves is counted no more."""
    query = {"service": "shop", "step": 60_000, "lookback": 300_000, "ratePer": rate_per}
    answer = await get(client, "/api/metrics/calls", **query, endTs=MINUTE_MS + 240_000)
    (metric,) = answer["metrics"]
    assert len(metric["metricPoints"]) == min(rate_per // 60_000, 5)
    for point in metric["metricPoints"]:
        assert point["gaugeValue"]["doubleValue"] == pytest.approx(1_000 / rate_per)
    answer = await get(client, "/api/metrics/latencies", **query, quantile="0.5", endTs=9 * 10**18)
    assert [one["metricPoints"][-1]["timestamp"] for one in answer["metrics"]] == ["9999-12-31T23:59:59.999Z"] * (
        rate_per == 10**18
    )


async def test_min_step(client: TestClient):
    """The interface asks how fine metrics may be."""
    assert (await get(client, "/api/metrics/minstep"))["data"] == 60_000


V3 = {"query__startTimeMin": "2023-11-14T00:00:00Z", "query__startTimeMax": "2023-11-15T23:59:59.999Z"}


async def test_the_newer_interface(client: TestClient):
    """/api/v3: services, operations, summaries and traces in OTLP's JSON."""
    assert await get(client, "/api/v3/services") == {"services": ["bank", "shop"]}
    assert await get(client, "/api/v3/operations", service="bank") == {
        "operations": [{"name": "pay", "spanKind": "client"}]
    }
    answer = await get(client, "/api/v3/trace-summaries", **V3, query__serviceName="shop", query__searchDepth="1")
    assert answer == {
        "summaries": [
            {
                "traceId": f"{TRACE:032x}",
                "rootServiceName": "shop",
                "rootOperationName": "GET /",
                "minStartTimeUnixNano": str(T0),
                "maxEndTimeUnixNano": str(T0 + 50_000_000),
                "spanCount": 2,
                "errorSpanCount": 1,
                "services": [
                    {"name": "bank", "spanCount": 1, "errorSpanCount": 1},
                    {"name": "shop", "spanCount": 1},
                ],
            }
        ]
    }
    answer = await get(client, "/api/v3/traces", **V3, query__attributes='{"text":"a"}')
    first, second = answer["result"]["resourceSpans"]
    assert first["resource"]["attributes"][0] == {"key": "service.name", "value": {"stringValue": "shop"}}
    assert first["scopeSpans"][0]["scope"] == {"name": "lib", "version": "1.2"}
    span = first["scopeSpans"][0]["spans"][0]
    assert span["attributes"][1] == {"key": "whole", "value": {"intValue": "5"}}
    assert span["kind"] == 2
    assert span["status"] == {}
    assert second["scopeSpans"][0]["spans"] == [
        {
            "traceId": f"{TRACE:032x}",
            "spanId": "0000000000000002",
            "parentSpanId": "0000000000000001",
            "name": "pay",
            "kind": 3,
            "startTimeUnixNano": str(T0 + 1_000_000),
            "endTimeUnixNano": str(T0 + 2_000_000),
            "status": {"code": 2, "message": "no money"},
        }
    ]


async def test_otlp_of_the_newer_interface_is_otlp(client: TestClient):
    """The official protobuf classes read what /api/v3 answers."""
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    answer = await get(client, f"/api/v3/traces/{TRACE:032x}")
    data = ParseDict(_ids_in_base64(answer["result"]), TracesData())
    assert sum(len(scope.spans) for resource in data.resource_spans for scope in resource.scope_spans) == 2


def _ids_in_base64(value: Any) -> Any:
    """OTLP's JSON has ids in hex where protobuf's own JSON has base64."""
    import base64

    if isinstance(value, list):
        return [_ids_in_base64(item) for item in value]
    if isinstance(value, dict):
        ids = {"traceId", "spanId", "parentSpanId"}
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode() if key in ids else _ids_in_base64(item)
            for key, item in value.items()
        }
    return value


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/traces", {"start": "yesterday"}),
        ("/api/traces", {"minDuration": "1 second"}),
        ("/api/traces", {"minDuration": "2s", "maxDuration": "1s"}),
        ("/api/traces", {"tags": "{"}),
        ("/api/traces", {"tags": '{"a":1}'}),
        ("/api/traces", {"tag": "a"}),
        ("/api/traces", {"traceID": "xyz!"}),
        ("/api/traces", {"limit": "9" * 30}),
        ("/api/traces/nonsense!", {}),
        ("/api/operations", {"service": "shop", "spanKind": "strange"}),
        ("/api/operations", {}),
        ("/api/metrics/calls", {}),
        ("/api/metrics/latencies", {"service": "shop", "quantile": "lots"}),
        ("/api/metrics/calls", {"service": "shop", "groupByOperation": "perhaps"}),
        ("/api/v3/traces", {}),
        ("/api/v3/traces", {"query__startTimeMin": "2023", "query__startTimeMax": "2024"}),
        ("/api/v3/traces", V3 | {"query__attributes": "[]"}),
    ],
)
async def test_a_bad_parameter_is_named(client: TestClient, path: str, query: dict[str, str]):
    """400 in the shape of the interface's version; the message names the parameter."""
    answer = await get(client, path, 400, **query)
    said = json.dumps(answer)
    assert "httpCode" in said if "/v3/" in path else answer["errors"][0]["code"] == 400
    assert "unable to parse param" in said


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([one.path for one in jaeger.ROUTES]),
    part=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    names=st.lists(
        st.sampled_from(
            [
                "service",
                "operation",
                "tags",
                "tag",
                "start",
                "end",
                "limit",
                "lookback",
                "minDuration",
                "maxDuration",
                "traceID",
                "endTs",
                "step",
                "ratePer",
                "quantile",
                "spanKind",
                "groupByOperation",
                "query.startTimeMin",
                "query.startTimeMax",
                "query.attributes",
                "query.durationMin",
            ]
        ),
        max_size=5,
    ),
    values=st.lists(
        st.sampled_from(
            ["shop", "-1", "0.5", "1e999", "99999999999999999999", "1h", "{}", "0001-01-01T00:00:00Z", "nan"]
        )
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
        min_size=5,
        max_size=5,
    ),
)
async def test_no_request_breaks_it(client: TestClient, path: str, part: str, names: list[str], values: list[str]):
    """Whatever is asked, the answer is JSON with 200, 400 or 404."""
    path = path.replace("{service}", quote(part, safe="")).replace("{id}", quote(part, safe=""))
    response = await client.get(path, params=list(zip(names, values, strict=False)))
    assert response.status in {200, 400, 404}
    if response.content_type == "application/json":
        await response.json()


@pytest.mark.parametrize(
    ("text", "ns"), [("1.2s", 1_200_000_000), ("100ms", 10**8), ("1h3m", 3_780 * 10**9), ("5us", 5_000), ("2µs", 2_000)]
)
def test_gos_durations(text: str, ns: int):
    """Durations are written as Go writes them."""
    assert Parameters([("d", text)]).duration_ns("d") == ns


def test_trace_ids_in_every_form():
    """Hex of any length up to 32 digits, or base64 in either alphabet."""
    assert trace_id_of("abc") == 0xABC
    assert trace_id_of("ASNFZ4mrze8BI0VniavN7w==") == TRACE
    assert trace_id_of("ASNFZ4mrze8BI0VniavN7w") == TRACE
    with pytest.raises(BadJaegerParameter):
        trace_id_of("0" * 33)


async def test_a_summary_says_what_is_missing(client: TestClient):
    """A span whose parent is not in the trace makes it one with orphans; a whole trace has none."""
    chronicle = client.server.app[HOLDER].chronicle
    chronicle.inlet.put([msgspec.structs.replace(SPANS[1], trace_id=0xDEF, parent_id=77)])
    await asyncio.to_thread(chronicle.flush)
    query = {"query__startTimeMin": "2023-11-14T00:00:00Z", "query__startTimeMax": "2023-11-16T00:00:00Z"}
    answer = await get(client, "/api/v3/trace-summaries", **query)
    orphans = {summary["traceId"]: summary.get("orphanSpanCount", 0) for summary in answer["summaries"]}
    assert orphans == {f"{0xDEF:032x}": 1, f"{TRACE:032x}": 0, f"{OTHER:032x}": 0}


@pytest.mark.parametrize("path", ["traces", "trace-summaries"])
async def test_a_search_that_stopped_early_says_so(client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str):
    """What was found is answered as always, and a header says that there may be more."""
    query = {"query.startTimeMin": "2023-11-14T00:00:00Z", "query.startTimeMax": "2023-11-16T00:00:00Z"}
    whole = await client.get(f"/api/v3/{path}", params=query)
    assert jaeger.WARNING not in whole.headers
    look = SpanStore.search
    monkeypatch.setattr(SpanStore, "search", lambda store, query: Found(look(store, query).traces, complete=False))
    part = await client.get(f"/api/v3/{path}", params=query)
    assert part.headers[jaeger.WARNING] == jaeger.STOPPED_EARLY
    assert await part.json() == await whole.json()
    monkeypatch.setattr(SpanStore, "search", lambda *_: Found((), complete=False))
    nothing = await client.get("/api/v3/traces", params=query)
    assert nothing.status == 404
    assert (await nothing.json())["error"]["message"] == jaeger.STOPPED_EARLY
