"""Finished spans as an OTLP ExportTraceServiceRequest, written byte by byte as the official encoder would.

Field numbers are those of opentelemetry/proto/trace/v1/trace.proto. The order is the official encoder's too: scopes in
the order in which they first appear; a span's leaves come right behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, Status
from opentelemetry.util.types import AnyValue

from pea.telemetry.extra import EventRecord, Extra, LinkRecord, Trace
from pea.telemetry.leaf import Leaf, leaf_id
from pea.telemetry.limits import Limits, bounded
from pea.telemetry.span import UNSET, Span
from pea.telemetry.tracer import Tracer
from pea.telemetry.wire import attributes, remembered_attributes, sized, text, varint

_MAX_TITLES = 1_024

_times = struct.Struct("<BQBQ").pack  # start (field 7) and end (field 8), each a tag and a fixed64
_ids = struct.Struct(">QHQ").pack  # span id, the next field's tag and length, the parent's span id
_PARENT = 0x2208
_STATUS_UNSET = b"\x7a\x00"
_LOCAL = b"\x85\x01\x00\x01\x00\x00"  # flags (field 16): it is known whether the parent is remote, and it is not
_REMOTE = b"\x85\x01\x00\x03\x00\x00"
_USUAL_END = _STATUS_UNSET + _LOCAL
_UINT64 = (1 << 64) - 1
_UINT128 = (1 << 128) - 1

_INTERNAL = SpanKind.INTERNAL
_internal: dict[str, bytes] = {}  # name (field 5) and kind (field 6) of internal spans, bounded


class Encoder:
    """Takes spans one at a time, so that an event loop gets its turn in between; `finish` gives the request.

    ``count`` spans, leaves included, and ``size`` bytes have been taken so far.
    """

    __slots__ = ("_by_scope", "_by_tracer", "_head", "_resource", "_state", "_trace", "count", "size")

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._by_scope: dict[InstrumentationScope, list[bytes]] = {}
        self._by_tracer: dict[Tracer, list[bytes]] = {}
        self._trace: Trace | None = None
        self._head = self._state = b""
        self.count = 0
        self.size = 0

    def add(self, span: Span) -> None:
        """Encode a span and its leaves."""
        trace = span.trace
        if trace is not self._trace:  # spans of one trace mostly come together
            self._trace = trace
            self._head = b"\x0a\x10" + (trace.trace_id & _UINT128).to_bytes(16) + b"\x12\x08"
            self._state = _state(trace)
        spans = self._by_tracer.get(span.tracer) or self._spans_of(span.tracer)

        span_id, parent_id, state = span.span_id, span.parent_id, self._state
        if parent_id and not state:
            ids = _ids(span_id, _PARENT, parent_id)
        else:
            ids = span_id.to_bytes(8) + state + (b"\x22\x08" + parent_id.to_bytes(8) if parent_id else b"")
        extra, status = span.extra, span._status
        data = b"".join(
            (
                self._head,
                ids,
                (_internal.get(span.name) if span.kind is _INTERNAL else None) or _title(span.name, span.kind),
                _span_times(span.start_time, span.end_time),
                attributes(b"\x4a", span._attributes),
                b"" if extra is None else _extra(extra),
                _STATUS_UNSET if status is UNSET else _status(status),
                _LOCAL if extra is None or extra.parent is None or not extra.parent.is_remote else _REMOTE,
            )
        )
        data = sized(data)
        spans.append(data)
        self.count += 1
        self.size += len(data)
        if span.leaves is not None:
            self._add_leaves(span, span.leaves, spans)

    def _add_leaves(self, span: Span, leaves: list[Leaf], spans: list[bytes]) -> None:
        head, state, parent_id, limits = self._head, self._state, span.span_id, span.tracer.limits
        size = 0
        last: Mapping[str, AnyValue] | None = None
        about = b""
        for index, (name, start, end, given) in enumerate(leaves):
            ids = _ids(leaf_id(parent_id, index), _PARENT, parent_id)
            if given is not last:  # leaves often share one dictionary
                last = given
                about = _leaf_attributes(given, limits) if given else b""
            data = b"".join(
                (
                    head,
                    ids[:8] + state + ids[8:] if state else ids,
                    _internal.get(name) or _title(name, _INTERNAL),
                    _span_times(start, end),
                    about,
                    _USUAL_END,
                )
            )
            data = sized(data)
            spans.append(data)
            size += len(data)
        self.count += len(leaves)
        self.size += size

    def _spans_of(self, tracer: Tracer) -> list[bytes]:
        spans = self._by_tracer[tracer] = self._by_scope.setdefault(tracer.scope, [])
        return spans

    def finish(self) -> bytes:
        """The request; empty when no span was added."""
        if not self._by_scope:
            return b""
        resource = b"\x0a" + sized(attributes(b"\x0a", self._resource.attributes))
        scopes = [b"\x12" + sized(_scope(scope, spans)) for scope, spans in self._by_scope.items()]
        schema = _text_field(b"\x1a", self._resource.schema_url)
        return b"\x0a" + sized(b"".join((resource, *scopes, schema)))


def encode_spans(spans: Iterable[Span], resource: Resource) -> bytes:
    """Spans and their leaves as one request."""
    encoder = Encoder(resource)
    for span in spans:
        encoder.add(span)
    return encoder.finish()


def _text_field(tag: bytes, value: object) -> bytes:
    return tag + sized(text(value)) if value else b""


def _count_field(tag: bytes, count: int) -> bytes:
    return tag + varint(count) if count else b""


def _fixed64_field(tag: int, time: object) -> bytes:
    """A time that may be missing, zero, or out of range: as near as the format comes to it."""
    clamped = min(max(int(time), 0), _UINT64) if isinstance(time, int | float) else 0
    return struct.pack("<BQ", tag, clamped) if clamped else b""


def _span_times(start: int, end: int | None) -> bytes:
    try:
        if start and end:
            return _times(0x39, start, 0x41, end)
    except struct.error:
        pass
    return _fixed64_field(0x39, start) + _fixed64_field(0x41, end)


def _title(name: str, kind: SpanKind) -> bytes:
    number = getattr(kind, "value", 0) + 1
    title = _text_field(b"\x2a", name) + b"\x30" + varint(number)
    if kind is _INTERNAL and len(_internal) < _MAX_TITLES and len(title) < 256:
        _internal[name] = title
    return title


def _state(trace: Trace) -> bytes:
    return (
        _text_field(b"\x1a", ",".join([f"{key}={value}" for key, value in trace.state.items()])) if trace.state else b""
    )


def _leaf_attributes(given: Mapping[str, AnyValue], limits: Limits) -> bytes:
    if limits.attribute_length is None and (limits.attributes is None or len(given) <= limits.attributes):
        known = remembered_attributes(b"\x4a", given)
        if known is not None:
            return known
    cleaned, dropped = bounded(given, limits.attributes, limits.attribute_length)
    return attributes(b"\x4a", cleaned) + _count_field(b"\x50", dropped)


def _extra(extra: Extra) -> bytes:
    return b"".join(
        (
            _count_field(b"\x50", extra.dropped_attributes),
            *[b"\x5a" + sized(_event(event)) for event in extra.events.copy()],
            _count_field(b"\x60", extra.dropped_events),
            *[b"\x6a" + sized(_link(link)) for link in extra.links.copy()],
            _count_field(b"\x70", extra.dropped_links),
        )
    )


def _event(event: EventRecord) -> bytes:
    name, time, given, dropped = event
    return b"".join(
        (
            _fixed64_field(0x09, time),
            _text_field(b"\x12", name),
            attributes(b"\x1a", given),
            _count_field(b"\x20", dropped),
        )
    )


def _link(link: LinkRecord) -> bytes:
    context, given, dropped = link
    return b"".join(
        (
            b"\x0a\x10" + (context.trace_id & _UINT128).to_bytes(16),
            b"\x12\x08" + (context.span_id & _UINT64).to_bytes(8),
            attributes(b"\x22", given),
            _count_field(b"\x28", dropped),
            b"\x35\x00\x03\x00\x00" if context.is_remote else b"\x35\x00\x01\x00\x00",
        )
    )


def _status(status: Status) -> bytes:
    message = _text_field(b"\x12", status.description)
    return b"\x7a" + sized(message + _count_field(b"\x18", status.status_code.value))


def _scope(scope: InstrumentationScope, spans: list[bytes]) -> bytes:
    about = b"".join(
        (
            _text_field(b"\x0a", scope.name),
            _text_field(b"\x12", scope.version),
            attributes(b"\x1a", scope.attributes or {}),
        )
    )
    return b"".join((b"\x0a", sized(about), b"\x12", b"\x12".join(spans), _text_field(b"\x1a", scope.schema_url)))
