"""Spans that cross from a worker process into the trace of its parent, with the ids they were made with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from pea.telemetry.span import Span

MOST_SPANS = 1_000  # of one job; the rest is left out and counted


class ChildSpan(NamedTuple):
    """A finished span as plain values; times in ns since the epoch, kind and status OpenTelemetry's numbers."""

    name: str
    scope: tuple[str, str]
    kind: int
    trace_id: int
    span_id: int
    parent_id: int
    start_ns: int
    end_ns: int
    status: tuple[int, str | None]
    attributes: dict[str, Any]
    events: list[tuple[str, int, dict[str, Any]]]
    links: list[tuple[int, int, int, dict[str, Any]]]
    leaves: list[tuple[str, int, int, dict[str, Any] | None]]


GetTracer = Callable[[str, str], Any]


def pack(span: Span) -> ChildSpan:
    """A finished span's values."""
    extra, parent = span.extra, span.parent
    return ChildSpan(
        name=span.name,
        scope=(span.tracer.scope.name, span.tracer.scope.version or ""),
        kind=span.kind.value,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=parent.span_id if parent is not None else 0,
        start_ns=span.start_time,
        end_ns=span.end_time or span.start_time,
        status=(span._status.status_code.value, span._status.description),
        attributes=dict(span._attributes),
        events=[] if extra is None else [(name, at, dict(about)) for name, at, about, _ in extra.events],
        links=[]
        if extra is None
        else [
            (context.trace_id, context.span_id, int(context.trace_flags), dict(about))
            for context, about, _ in extra.links
        ],
        leaves=[
            (name, start, end, None if about is None else dict(about)) for name, start, end, about in span.leaves or ()
        ],
    )


def join(children: Iterable[ChildSpan], get_tracer: GetTracer, flags: TraceFlags) -> int:
    """Make the spans ended spans of this process; returns how many were left out, being too many."""
    left_out = 0
    for number, child in enumerate(children):
        if number >= MOST_SPANS:
            left_out += 1
            continue
        above = SpanContext(child.trace_id, child.parent_id or 1, is_remote=False, trace_flags=flags)
        span = get_tracer(*child.scope).span(
            child.name,
            child.attributes,
            set_span_in_context(NonRecordingSpan(above)),
            SpanKind(child.kind),
            [
                Link(SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(bits)), about)
                for trace_id, span_id, bits, about in child.links
            ],
            child.start_ns,
        )
        if not isinstance(span, Span):
            continue
        span.span_id, span.parent_id, span._context = child.span_id, child.parent_id, None
        if span.extra is not None and not child.parent_id:
            span.extra.parent = None
        for name, at, about in child.events:
            span.add_event(name, about, at)
        for leaf in child.leaves:
            span.leaf(*leaf)
        code, description = child.status
        if code:
            span.set_status(Status(StatusCode(code), description))
        span.end(child.end_ns)
    return left_out
