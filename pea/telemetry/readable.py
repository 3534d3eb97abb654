"""Spans as the SDK's ReadableSpan, made only for those who ask: span processors and the official exporters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Link, SpanContext, SpanKind

from pea.telemetry.extra import counted, sdk_event, sdk_link
from pea.telemetry.leaf import leaf_id
from pea.telemetry.limits import bounded

if TYPE_CHECKING:
    from pea.telemetry.span import Span


def snapshot(span: Span) -> ReadableSpan:
    """The span without its leaves, as it is now."""
    extra = span.extra
    events: BoundedList[Event] = BoundedList(None)
    links: BoundedList[Link] = BoundedList(None)
    attributes = span._attributes.copy()
    if extra is not None:
        events.extend(tuple(map(sdk_event, extra.events.copy())))
        links.extend(tuple(map(sdk_link, extra.links.copy())))
        events.dropped, links.dropped = extra.dropped_events, extra.dropped_links
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=attributes if not span.dropped_attributes else counted(attributes, span.dropped_attributes),
        events=events,
        links=links,
        kind=span.kind,
        status=span._status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_info=span.instrumentation_info,
        instrumentation_scope=span.instrumentation_scope,
    )


def readable(span: Span) -> list[ReadableSpan]:
    """The span and then its leaves, each as a span of its own."""
    spans = [snapshot(span)]
    trace, limits = span.trace, span.tracer.limits
    for index, (name, start, end, given) in enumerate(span.leaves or ()):
        attributes, dropped = bounded(given, limits.attributes, limits.attribute_length)
        spans.append(
            ReadableSpan(
                name=name,
                context=SpanContext(trace.trace_id, leaf_id(span.span_id, index), False, trace.flags, trace.state),
                parent=span.get_span_context(),
                resource=span.resource,
                attributes=counted(attributes, dropped) if dropped else attributes,
                kind=SpanKind.INTERNAL,
                start_time=start,
                end_time=end,
                instrumentation_info=span.instrumentation_info,
                instrumentation_scope=span.instrumentation_scope,
            )
        )
    return spans
