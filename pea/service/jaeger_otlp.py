"""Traces in OTLP's JSON, as Jaeger's newer interface (``/api/v3``) gives them: ids in hex, 64-bit numbers as text."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pea.store import TraceRow
from pea.telemetry import names
from pea.telemetry.record import UNKNOWN_SERVICE, Origin, SpanRecord


def otlp_traces(traces: Iterable[Sequence[SpanRecord]]) -> dict[str, Any]:
    """A TracesData message: resources, in them scopes, in them spans."""
    resources = []
    for spans in traces:
        by_resource: dict[str, tuple[Origin, dict[tuple[str, str], list[SpanRecord]]]] = {}
        for span in spans:
            origin = span.origin
            _, scopes = by_resource.setdefault(repr((origin.service, origin.resource)), (origin, {}))
            scopes.setdefault((origin.scope, origin.scope_version), []).append(span)
        for origin, scopes in by_resource.values():
            scope_spans = [
                {"scope": _without_empty(name=name, version=version), "spans": list(map(_span, inside))}
                for (name, version), inside in scopes.items()
            ]
            resources.append({"resource": _resource(origin), "scopeSpans": scope_spans})
    return {"resourceSpans": resources}


def orphan_count(spans: Sequence[SpanRecord]) -> int:
    """Spans whose parent is not in the trace: it is incomplete, or part of it is somewhere else."""
    here = {span.span_id for span in spans}
    return sum(bool(span.parent_id) and span.parent_id not in here for span in spans)


def summary(row: TraceRow, orphans: int = 0) -> dict[str, Any]:
    """A trace in ``/api/v3/trace-summaries``; proto3's JSON leaves out what is zero."""
    return _without_empty(
        traceId=f"{row.trace_id:032x}",
        rootServiceName=row.root_service,
        rootOperationName=row.root_name,
        minStartTimeUnixNano=str(row.start_ns),
        maxEndTimeUnixNano=str(row.end_ns),
        spanCount=row.spans,
        errorSpanCount=row.errors,
        orphanSpanCount=orphans,
        services=[
            _without_empty(name=name, spanCount=spans, errorSpanCount=errors)
            for name, (spans, errors) in sorted(row.services.items())
        ],
    )


def _resource(origin: Origin) -> dict[str, Any]:
    known = dict(origin.resource)
    if origin.service != UNKNOWN_SERVICE:
        known.setdefault(names.SERVICE_NAME, origin.service)
    return _without_empty(attributes=_attributes(known))


def _span(span: SpanRecord) -> dict[str, Any]:
    return _without_empty(
        traceId=f"{span.trace_id:032x}",
        spanId=f"{span.span_id:016x}",
        parentSpanId=f"{span.parent_id:016x}" if span.parent_id else "",
        name=span.name,
        kind=span.kind,
        startTimeUnixNano=str(span.start_ns),
        endTimeUnixNano=str(span.end_ns),
        attributes=_attributes(span.attributes),
        events=[
            _without_empty(timeUnixNano=str(time_ns), name=name, attributes=_attributes(about))
            for name, time_ns, about, *_ in span.events
        ],
        links=[
            _without_empty(
                traceId=f"{link.trace_id:032x}", spanId=f"{link.span_id:016x}", attributes=_attributes(link.attributes)
            )
            for link in span.links
        ],
    ) | {"status": _without_empty(code=span.status, message=span.message)}


def _attributes(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if math.isfinite(value) else str(value).replace("inf", "Infinity").title()}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _attributes(value)}}
    if isinstance(value, Sequence):
        return {"arrayValue": {"values": list(map(_value, value))}}
    return {}


def _without_empty(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value not in ("", 0, None, [], {})}
