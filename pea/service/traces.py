"""The routes of traces: search, one trace with its critical path, and the same as OTLP."""

from __future__ import annotations

import re
import time
from typing import Any

import msgspec
from aiohttp import web

from pea.service.access.scopes import Scope
from pea.service.chronicle import chronicle_of
from pea.service.jaeger_otlp import otlp_traces
from pea.service.json_answer import json_answer
from pea.service.operation import JSON, Answer, Header, Operation
from pea.service.query import read_query
from pea.service.refusals import UnknownTrace
from pea.service.state import STATE
from pea.service.traces_json import TraceJson, TraceList, capability_of, summary_json, trace_json
from pea.service.traces_query import TraceQuery
from pea.store import Query, SpanStore, Traces
from pea.telemetry import names
from pea.telemetry.record import view_of

TRACE_ID = {"trace_id": Header("trace_id", "The trace's id, 32 hex digits.", {"type": "string", "minLength": 1})}

LOOKED_INTO, LOOKED_INTO_SPANS = 100, 200  # of a list: what they were asked for is in their spans

_HEX = re.compile("[0-9a-fA-F]{1,32}", re.ASCII)
_encode = msgspec.json.Encoder().encode


async def listing(request: web.Request) -> web.Response:
    """The newest traces that fit."""
    wanted = read_query(request, TraceQuery).wanted(time.time_ns())
    return json_answer(await chronicle_of(request).ask(lambda store: trace_list(store, wanted)))


async def show(request: web.Request) -> web.Response:
    """One trace, from the store, or while it is not written yet from memory."""
    trace_id = _trace_id(request)
    body = await chronicle_of(request).ask(lambda store: _stored_body(store, trace_id))
    if body is None:
        body = _recent(request, trace_id)
    return web.Response(body=body, content_type=JSON)


async def otlp(request: web.Request) -> web.Response:
    """One trace as an OTLP/JSON message, which any OpenTelemetry program reads."""
    trace_id = _trace_id(request)

    def read(store: SpanStore) -> bytes | None:
        spans = store.get(trace_id)
        return _encode(otlp_traces([spans])) if spans else None

    body = await chronicle_of(request).ask(read)
    if body is None:
        raise _unknown(trace_id)
    headers = {"Content-Disposition": f'attachment; filename="{trace_id:032x}.otlp.json"'}
    return web.Response(body=body, content_type=JSON, headers=headers)


def trace_list(store: Traces, wanted: Query) -> TraceList:
    """The newest traces that fit, and what the first of them were asked for."""
    began = time.perf_counter()
    found = store.search(wanted)
    short = [row.trace_id for row in found.traces[:LOOKED_INTO] if 1 < row.spans <= LOOKED_INTO_SPANS]
    asked = {spans[0].trace_id: capability_of(span.attributes for span in spans) for spans in store.get_many(short)}
    shown = [summary_json(row, asked.get(row.trace_id, "")) for row in found.traces]
    return TraceList(shown, found.complete, round(1e3 * (time.perf_counter() - began), 3))


def stored_trace(store: Traces, trace_id: int) -> TraceJson | None:
    """A trace of the store; None when it is not there."""
    records = store.get(trace_id)
    if not records:
        return None
    services = {f"{record.span_id:016x}": record.origin.service for record in records}
    return trace_json([view_of(record) for record in records], services, store.linked(trace_id))


def parse_trace_id(text: str) -> int:
    """A trace's id from its hex digits; UnknownTrace when it is none."""
    if not _HEX.fullmatch(text):
        raise UnknownTrace("is not a trace id", where="trace_id", fix="give up to 32 hex digits")
    return int(text, 16)


def _stored_body(store: SpanStore, trace_id: int) -> bytes | None:
    found = stored_trace(store, trace_id)
    return None if found is None else _encode(found)


def _recent(request: web.Request, trace_id: int) -> bytes:
    telemetry = request.app[STATE].runtime.telemetry
    spans = telemetry.recent.get(trace_id)
    if not spans:
        raise _unknown(trace_id)
    service = str(telemetry.provider.resource.attributes.get(names.SERVICE_NAME, ""))
    return _encode(trace_json(spans, {span.span_id: service for span in spans}))


def _trace_id(request: web.Request) -> int:
    return parse_trace_id(request.match_info["trace_id"])


def _unknown(trace_id: int) -> UnknownTrace:
    return UnknownTrace(
        "no such trace is stored", where=f"trace {trace_id:032x}", fix="GET /v1/traces/search lists them"
    )


ROUTES = (
    Operation(
        method="GET",
        path="/v1/traces/search",
        handler=listing,
        name="searchTraces",
        tag="traces",
        scope=Scope.READ,
        summary="Search for traces, newest first",
        answers={200: Answer("What was found.", TraceList)},
        query=TraceQuery,
        traced=False,
    ),
    Operation(
        method="GET",
        path="/v1/traces/{trace_id}",
        handler=show,
        name="getTrace",
        tag="traces",
        scope=Scope.READ,
        summary="Show a trace: tree, self times, critical path, call graph",
        parameters=TRACE_ID,
        answers={200: Answer("The trace.", TraceJson)},
        problems=(404,),
        traced=False,
    ),
    Operation(
        method="GET",
        path="/v1/traces/{trace_id}/otlp",
        handler=otlp,
        name="getTraceOtlp",
        tag="traces",
        scope=Scope.READ,
        summary="A trace as OTLP/JSON",
        parameters=TRACE_ID,
        answers={200: Answer("A TracesData message.", dict[str, Any])},
        problems=(404,),
        traced=False,
    ),
)
