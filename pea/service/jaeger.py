"""Jaeger's query API over the span store, so that Jaeger's interface and Grafana's Jaeger data source can read PEA."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from pea.service.access.scopes import Scope
from pea.service.chronicle import chronicle_of
from pea.service.jaeger_metrics import CALLS, ERRORS, MIN_STEP_MS, Family, latencies, metric_family, window_of
from pea.service.jaeger_otlp import orphan_count, otlp_traces, summary
from pea.service.jaeger_params import (
    MAX_TRACE_IDS,
    BadJaegerParameter,
    Parameters,
    classic_query,
    modern_query,
    trace_id_of,
)
from pea.service.jaeger_shapes import Envelope, Fault, jaeger_trace, trace_text
from pea.service.operation import JSON, Answer, Handler, Header, Operation
from pea.store import SpanStore

WARNING = "Pea-Warning"  # the newer interface has no field for it, so it is said in a header
STOPPED_EARLY = "the search stopped early: narrow it by time or service"
_DAY_MS = 86_400_000
_SUMMED, _SUMMED_SPANS = 100, 500  # summaries of a list, and spans of a trace, that are looked into for orphans
_encode = msgspec.json.Encoder().encode

Read = Callable[[SpanStore], Any]


class Partial(msgspec.Struct, frozen=True):
    """What was found by a search that stopped before it had looked at everything."""

    body: Any


class _NotFound(Exception):
    """Nothing has this id, or nothing fits; said in the shape of the interface's version."""


def classic(make: Callable[[web.Request, Parameters], Read]) -> Handler:
    """A handler of the older interface: the answer in an envelope, errors too."""

    async def handler(request: web.Request) -> web.Response:
        try:
            read = make(request, Parameters(request.query.items()))
            body = await chronicle_of(request).ask(lambda store: _encode(read(store)))
        except BadJaegerParameter as error:
            return _answer(_encode(Envelope(None, errors=[Fault(code=400, msg=error.what)])), 400)
        except _NotFound as error:
            return _answer(_encode(Envelope(None, errors=[Fault(code=404, msg=str(error))])), 404)
        return _answer(body)

    return handler


def modern(make: Callable[[web.Request, Parameters], Read]) -> Handler:
    """A handler of ``/api/v3``: errors as its gateway gives them."""

    async def handler(request: web.Request) -> web.Response:
        try:
            read = make(request, Parameters(request.query.items()))
            body, partial = await chronicle_of(request).ask(lambda store: _modern_body(read(store)))
        except (BadJaegerParameter, _NotFound) as error:
            status = 404 if isinstance(error, _NotFound) else 400
            return _answer(_encode({"error": {"httpCode": status, "message": str(error)}}), status)
        answer = _answer(body)
        if partial:
            answer.headers[WARNING] = STOPPED_EARLY
        return answer

    return handler


def _modern_body(found: Any) -> tuple[bytes, bool]:
    partial = isinstance(found, Partial)
    return _encode(found.body if partial else found), partial


def _services(request: web.Request, given: Parameters) -> Read:
    del request, given

    def read(store: SpanStore) -> Envelope:
        names = store.services()
        return Envelope(names, total=len(names))

    return read


def _operation_names(request: web.Request, given: Parameters) -> Read:
    del given
    service = request.match_info["service"].encode("utf-8", "replace").decode("utf-8")

    def read(store: SpanStore) -> Envelope:
        names = sorted({operation.name for operation in store.operations(service)})
        return Envelope(names, total=len(names))

    return read


def _operations(request: web.Request, given: Parameters) -> Read:
    del request
    service, kind = given.text("service"), given.kind("spanKind")
    if not service:
        raise BadJaegerParameter("service", "parameter 'service' is required")

    def read(store: SpanStore) -> Envelope:
        found = [{"name": one.name, "spanKind": one.kind} for one in store.operations(service, kind)]
        return Envelope(found, total=len(found))

    return read


def _traces(request: web.Request, given: Parameters) -> Read:
    del request
    ids = [trace_id_of(text) for text in given.all("traceID")[:MAX_TRACE_IDS] if text]
    if ids:
        return lambda store: _named_traces(store, ids)
    query = classic_query(given, time.time_ns())

    def read(store: SpanStore) -> Envelope:
        found = store.search(query)
        traces = store.get_many(row.trace_id for row in found.traces)
        complete = found.complete and len(traces) == len(found.traces)
        faults = None if complete else [Fault(msg=STOPPED_EARLY)]
        return Envelope(list(map(jaeger_trace, traces)), errors=faults)

    return read


def _named_traces(store: SpanStore, ids: list[int]) -> Envelope:
    traces = store.get_many(ids)
    here = {spans[0].trace_id for spans in traces}
    faults = [Fault(msg="trace not found", trace_id=trace_text(one)) for one in ids if one not in here]
    return Envelope(list(map(jaeger_trace, traces)), errors=faults or None)


def _trace(request: web.Request, given: Parameters) -> Read:
    trace_id = trace_id_of(request.match_info["id"])
    given.truth("raw")

    def read(store: SpanStore) -> Envelope:
        spans = store.get(trace_id)
        if not spans:
            raise _NotFound("trace not found")
        return Envelope([jaeger_trace(spans)])

    return read


def _dependencies(request: web.Request, given: Parameters) -> Read:
    del request
    end_ms = given.whole("endTs", time.time_ns() // 10**6)
    start_ms = end_ms - given.whole("lookback", _DAY_MS)
    service = given.text("service")

    def read(store: SpanStore) -> Envelope:
        links = store.dependencies(max(start_ms, 0) * 10**6, max(end_ms, 0) * 10**6)
        if service:
            links = [link for link in links if service in {link.parent, link.child}]
        return Envelope([{"parent": one.parent, "child": one.child, "callCount": one.calls} for one in links])

    return read


def _metrics(choose: Callable[[Parameters], Family]) -> Callable[[web.Request, Parameters], Read]:
    def make(request: web.Request, given: Parameters) -> Read:
        del request
        family, window = choose(given), window_of(given, time.time_ns() // 10**6)
        return lambda store: metric_family(store, family, window)

    return make


def _min_step(request: web.Request, given: Parameters) -> Read:
    del request, given
    return lambda _: Envelope(MIN_STEP_MS)


def _v3_services(request: web.Request, given: Parameters) -> Read:
    del request, given
    return lambda store: {"services": store.services()}


def _v3_operations(request: web.Request, given: Parameters) -> Read:
    del request
    service, kind = given.text("service"), given.kind("spanKind", "span_kind")
    return lambda store: {
        "operations": [{"name": one.name, "spanKind": one.kind} for one in store.operations(service, kind)]
    }


def _v3_traces(request: web.Request, given: Parameters) -> Read:
    del request
    query = modern_query(given)

    def read(store: SpanStore) -> dict[str, Any] | Partial:
        found = store.search(query)
        traces = store.get_many(row.trace_id for row in found.traces)
        complete = found.complete and len(traces) == len(found.traces)
        if not traces:
            raise _NotFound("No traces found" if complete else STOPPED_EARLY)
        body = {"result": otlp_traces(traces)}
        return body if complete else Partial(body)

    return read


def _v3_trace(request: web.Request, given: Parameters) -> Read:
    trace_id = trace_id_of(request.match_info["id"], "trace_id")
    given.time_ns("startTime", "start_time")
    given.time_ns("endTime", "end_time")

    def read(store: SpanStore) -> dict[str, Any]:
        spans = store.get(trace_id)
        if not spans:
            raise _NotFound("No traces found")
        return {"result": otlp_traces([spans])}

    return read


def _v3_summaries(request: web.Request, given: Parameters) -> Read:
    del request
    query = modern_query(given)

    def read(store: SpanStore) -> dict[str, Any] | Partial:
        found = store.search(query)
        looked_into = [row.trace_id for row in found.traces[:_SUMMED] if row.spans <= _SUMMED_SPANS]
        orphans = {spans[0].trace_id: orphan_count(spans) for spans in store.get_many(looked_into)}
        body = {"summaries": [summary(row, orphans.get(row.trace_id, 0)) for row in found.traces]}
        return body if found.complete else Partial(body)

    return read


def _answer(body: bytes, status: int = 200) -> web.Response:
    return web.Response(status=status, body=body, content_type=JSON)


def _get(path: str, handler: Handler, name: str, summary: str, *problems: int, **parameters: str) -> Operation:
    return Operation(
        method="GET",
        path=path,
        handler=handler,
        name=name,
        tag="jaeger",
        scope=Scope.READ,
        summary=summary,
        description="In the shape of Jaeger's query API, errors too; its parameters are read as Jaeger reads them."
        f" Where its shape cannot say that a search stopped early, the header {WARNING} does.",
        parameters={key: Header(key, what, {"type": "string"}) for key, what in parameters.items()},
        answers={200: Answer("In Jaeger's shape.", dict)},
        problems=problems,
        traced=False,
        media=None,
    )


_ID = "The trace's id, in hex or base64."
ROUTES = (
    _get("/api/services", classic(_services), "jaegerServices", "Services that have spans"),
    _get(
        "/api/services/{service}/operations",
        classic(_operation_names),
        "jaegerServiceOperations",
        "Names of a service's operations",
        service="The service's name.",
    ),
    _get("/api/operations", classic(_operations), "jaegerOperations", "A service's operations with their kinds", 400),
    _get("/api/traces", classic(_traces), "jaegerTraces", "Search for traces, or get several by id", 400),
    _get("/api/traces/{id}", classic(_trace), "jaegerTrace", "One trace", 400, 404, id=_ID),
    _get("/api/dependencies", classic(_dependencies), "jaegerDependencies", "Who calls whom", 400),
    _get(
        "/api/metrics/latencies",
        classic(_metrics(lambda given: latencies(given.number("quantile")))),
        "jaegerLatencies",
        "A quantile of latencies over time",
        400,
    ),
    _get("/api/metrics/calls", classic(_metrics(lambda _: CALLS)), "jaegerCalls", "Call rates over time", 400),
    _get("/api/metrics/errors", classic(_metrics(lambda _: ERRORS)), "jaegerErrors", "Error rates over time", 400),
    _get("/api/metrics/minstep", classic(_min_step), "jaegerMinStep", "The finest step of metrics, in ms"),
    _get("/api/v3/services", modern(_v3_services), "jaegerV3Services", "Services that have spans"),
    _get("/api/v3/operations", modern(_v3_operations), "jaegerV3Operations", "A service's operations", 400),
    _get("/api/v3/traces", modern(_v3_traces), "jaegerV3Traces", "Search for traces, as OTLP", 400, 404),
    _get("/api/v3/traces/{id}", modern(_v3_trace), "jaegerV3Trace", "One trace, as OTLP", 400, 404, id=_ID),
    _get("/api/v3/trace-summaries", modern(_v3_summaries), "jaegerV3Summaries", "Search for traces' summaries", 400),
)
