"""Traces in the JSON of Jaeger's interface (``/api/traces``): tags with types, references, processes, microseconds.

Shapes after Jaeger's internal/uimodel; which of a span's own fields become tags after the OpenTelemetry Collector's
translation to Jaeger.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from pea.store.marks import attribute_text
from pea.telemetry import names
from pea.telemetry.record import ERROR, KINDS, OK, Origin, SpanRecord

_SAFE_INTEGER = (1 << 53) - 1  # beyond this JavaScript loses digits, so Jaeger writes text


class KeyValue(msgspec.Struct):
    """A tag or a log's field."""

    key: str
    type: str
    value: Any


class Reference(msgspec.Struct, rename={"ref_type": "refType", "trace_id": "traceID", "span_id": "spanID"}):
    """The parent, or a span linked to."""

    ref_type: str
    trace_id: str
    span_id: str


class Log(msgspec.Struct):
    """An event."""

    timestamp: int
    fields: list[KeyValue]


class Process(msgspec.Struct, rename="camel"):
    """What made spans."""

    service_name: str
    tags: list[KeyValue]


class Span(
    msgspec.Struct,
    rename={
        "trace_id": "traceID",
        "span_id": "spanID",
        "operation_name": "operationName",
        "start_time": "startTime",
        "process_id": "processID",
    },
):
    """A span; times in microseconds."""

    trace_id: str
    span_id: str
    operation_name: str
    references: list[Reference]
    start_time: int
    duration: int
    tags: list[KeyValue]
    logs: list[Log]
    process_id: str
    warnings: list[str] | None = None


class Trace(msgspec.Struct, rename={"trace_id": "traceID"}):
    """A trace with its processes by key."""

    trace_id: str
    spans: list[Span]
    processes: dict[str, Process]
    warnings: list[str] | None = None


class Fault(msgspec.Struct, rename={"trace_id": "traceID"}, omit_defaults=True, kw_only=True):
    """An error in an answer."""

    code: int = 0
    msg: str
    trace_id: str = ""


class Envelope(msgspec.Struct):
    """What every answer of the classic interface is wrapped in."""

    data: Any
    total: int = 0
    limit: int = 0
    offset: int = 0
    errors: list[Fault] | None = None


def trace_text(trace_id: int) -> str:
    """A trace id as Jaeger prints it: 16 hex digits when the upper half is zero, else 32."""
    return f"{trace_id:032x}" if trace_id >> 64 else f"{trace_id:016x}"


def jaeger_trace(spans: Sequence[SpanRecord]) -> Trace:
    """The spans of one trace, leaves already spans of their own; there is at least one."""
    processes: dict[str, Process] = {}
    keys: dict[int, str] = {}
    by_content: dict[tuple[str, str], str] = {}
    ids = {span.span_id for span in spans}
    shaped = []
    for span in spans:
        key = keys.get(id(span.origin))
        if key is None:
            content = (span.origin.service, repr(span.origin.resource))
            key = by_content.setdefault(content, f"p{len(by_content) + 1}")
            keys[id(span.origin)] = key
            if key not in processes:
                processes[key] = _process(span.origin)
        lost = span.parent_id and span.parent_id not in ids and not span.entry
        warning = [f"the parent span {span.parent_id:016x} is not in the trace"] if lost else None
        shaped.append(_span(span, key, warning))
    return Trace(trace_text(spans[0].trace_id), shaped, processes)


def _span(span: SpanRecord, process: str, warnings: list[str] | None) -> Span:
    trace_id = trace_text(span.trace_id)
    references = [Reference("CHILD_OF", trace_id, f"{span.parent_id:016x}")] if span.parent_id else []
    references += [Reference("FOLLOWS_FROM", trace_text(link.trace_id), f"{link.span_id:016x}") for link in span.links]
    return Span(
        trace_id=trace_id,
        span_id=f"{span.span_id:016x}",
        operation_name=span.name,
        references=references,
        start_time=span.start_ns // 1_000,
        duration=span.duration_ns // 1_000,
        tags=[*_tags(span.attributes), *_own_tags(span)],
        logs=[
            Log(time_ns // 1_000, [KeyValue("event", "string", name), *_tags(about)])
            for name, time_ns, about, *_ in span.events
        ],
        process_id=process,
        warnings=warnings,
    )


def _process(origin: Origin) -> Process:
    return Process(origin.service, list(_tags({k: v for k, v in origin.resource.items() if k != names.SERVICE_NAME})))


def _own_tags(span: SpanRecord) -> Iterable[KeyValue]:
    """The span's own fields, which Jaeger has as tags."""
    if span.origin.scope:
        yield KeyValue("otel.scope.name", "string", span.origin.scope)
    if span.origin.scope_version:
        yield KeyValue("otel.scope.version", "string", span.origin.scope_version)
    if 0 < span.kind < len(KINDS):
        yield KeyValue("span.kind", "string", KINDS[span.kind])
    if span.status == ERROR:
        yield KeyValue("otel.status_code", "string", "ERROR")
        yield KeyValue("error", "bool", value=True)
    elif span.status == OK:
        yield KeyValue("otel.status_code", "string", "OK")
    if span.message:
        yield KeyValue("otel.status_description", "string", span.message)


def _tags(attributes: Mapping[str, Any]) -> Iterable[KeyValue]:
    for key, value in attributes.items():
        yield _tag(key, value)


def _tag(key: str, value: Any) -> KeyValue:
    if isinstance(value, str):
        return KeyValue(key, "string", value)
    if isinstance(value, bool):
        return KeyValue(key, "bool", value)
    if isinstance(value, int):
        return KeyValue(key, "int64", value if -_SAFE_INTEGER <= value <= _SAFE_INTEGER else str(value))
    if isinstance(value, float):
        return KeyValue(key, "float64", value)
    if isinstance(value, bytes):
        return KeyValue(key, "binary", base64.b64encode(value).decode())
    return KeyValue(key, "string", attribute_text(value))
