"""The last traces of this process, whole and in memory, so that a page or a terminal can draw them.

Bounded three ways: traces, spans per trace, bytes in all. The trace whose last span came longest ago goes first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from opentelemetry.trace import StatusCode

from pea.telemetry.leaf import leaf_id
from pea.telemetry.span import Span

MAX_SPANS_PER_TRACE = 2_000
MAX_BYTES = 32 << 20
_SIZED = frozenset({str, bytes, tuple})  # values are plain by now: looking at the type is enough
_SPAN_BYTES, _ATTRIBUTE_BYTES, _LEAF_BYTES, _EVENT_BYTES = 500, 100, 250, 400  # rough, measured with tracemalloc


class EventView(msgspec.Struct, frozen=True):
    """Something that happened within a span, at ``time_ns`` since 1970."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any]


class LinkView(msgspec.Struct, frozen=True):
    """Another span that this one refers to."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]


class SpanView(msgspec.Struct, frozen=True):
    """A finished span as data; ids in hex, ``parent_id`` empty at a root, times in nanoseconds since 1970."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str  # internal, server, client, producer, consumer
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    status: str  # unset, ok, error
    status_description: str = ""
    events: tuple[EventView, ...] = ()
    links: tuple[LinkView, ...] = ()
    scope: str = ""


class TraceSummary(msgspec.Struct, frozen=True):
    """One trace in a list: its root (or the earliest span that is here), extent, spans, errors, spans left out."""

    trace_id: str
    name: str
    start_ns: int
    end_ns: int
    spans: int
    errors: int
    left_out: int


class _Trace:
    __slots__ = ("left_out", "size", "spans")

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.size = 0
        self.left_out = 0


class Recent:
    """A span consumer that keeps the last ``limit`` traces; spans become views only when somebody looks."""

    def __init__(self, limit: int, *, max_spans: int = MAX_SPANS_PER_TRACE, max_bytes: int = MAX_BYTES) -> None:
        self._limit = limit
        self._max_spans = max_spans
        self._max_bytes = self._all_bytes = max_bytes
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self._lock = threading.Lock()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._traces)

    def squeeze(self, share: float) -> None:
        """Keep at most this share of the bytes; 1 gives it back."""
        with self._lock:
            self._max_bytes = int(share * self._all_bytes)
            self._let_go()

    def consume(self, batch: Sequence[Span]) -> None:
        """Keep sampled spans, and let the traces that were quiet longest go."""
        if self._limit:
            with self._lock:
                key, trace = -1, None
                for span in batch:
                    of = span.trace
                    if of.flags & 1:
                        if trace is None or of.trace_id != key:  # spans of one trace mostly end one after another
                            key = of.trace_id
                            trace = self._newest(key)
                        self._keep(trace, span)
                self._let_go()

    def get(self, trace_id: str | int) -> list[SpanView]:
        """The spans of a trace by start time, leaves among them; empty when it is not (or no longer) here."""
        try:
            key = int(trace_id, 16) if isinstance(trace_id, str) else trace_id
        except ValueError:
            return []
        with self._lock:
            trace = self._traces.get(key)
            spans = list(trace.spans) if trace else []
        return sorted((view for span in spans for view in views(span)), key=lambda v: (v.start_ns, -v.end_ns))

    def list(self, limit: int = 50) -> list[TraceSummary]:
        """Summaries of the traces that had a span finish last, newest first."""
        with self._lock:
            newest = [(key, list(t.spans), t.left_out) for key, t in reversed(self._traces.items())][: max(limit, 0)]
        return [_summary(key, spans, left_out) for key, spans, left_out in newest]

    def _let_go(self) -> None:
        while self._traces and (len(self._traces) > self._limit or self.size_bytes > self._max_bytes):
            _, gone = self._traces.popitem(last=False)
            self.size_bytes -= gone.size

    def _newest(self, key: int) -> _Trace:
        """The trace, which is the one that a span came to last."""
        trace = self._traces.get(key)
        if trace is None:
            trace = self._traces[key] = _Trace()
        else:
            self._traces.move_to_end(key)
        return trace

    def _keep(self, trace: _Trace, span: Span) -> None:
        size = _size(span)
        # A trace may take a quarter of all bytes: one runaway trace must not push every other out.
        if len(trace.spans) >= self._max_spans or trace.size + size > self._max_bytes // 4:
            trace.left_out += 1
            return
        trace.spans.append(span)
        trace.size += size
        self.size_bytes += size


def views(span: Span) -> Iterator[SpanView]:
    """A span as data, then its leaves as spans of their own."""
    trace_id, own_id = f"{span.trace.trace_id:032x}", f"{span.span_id:016x}"
    scope = span.tracer.scope.name
    extra = span.extra
    yield SpanView(
        trace_id=trace_id,
        span_id=own_id,
        parent_id=f"{span.parent_id:016x}" if span.parent_id else "",
        name=span.name,
        kind=span.kind.name.lower(),
        start_ns=span.start_time,
        end_ns=span.end_time or span.start_time,
        attributes=dict(span._attributes),
        status=span._status.status_code.name.lower(),
        status_description=span._status.description or "",
        events=tuple(EventView(e[0], e[1], dict(e[2])) for e in extra.events) if extra else (),
        links=tuple(LinkView(f"{c.trace_id:032x}", f"{c.span_id:016x}", dict(a)) for c, a, _ in extra.links)
        if extra
        else (),
        scope=scope,
    )
    for index, (name, start_ns, end_ns, attributes) in enumerate(span.leaves or ()):
        yield SpanView(
            trace_id=trace_id,
            span_id=f"{leaf_id(span.span_id, index):016x}",
            parent_id=own_id,
            name=name,
            kind="internal",
            start_ns=start_ns,
            end_ns=end_ns,
            attributes=dict(attributes or {}),
            status="unset",
            scope=scope,
        )


def _summary(key: int, spans: Sequence[Span], left_out: int) -> TraceSummary:
    known = {span.span_id for span in spans}
    tops = [span for span in spans if span.parent_id not in known] or list(spans)
    top = min(tops, key=lambda span: span.start_time)
    return TraceSummary(
        trace_id=f"{key:032x}",
        name=top.name,
        start_ns=min(span.start_time for span in spans),
        end_ns=max(span.end_time or span.start_time for span in spans),
        spans=sum(1 + len(span.leaves or ()) for span in spans),
        errors=sum(span._status.status_code is StatusCode.ERROR for span in spans),
        left_out=left_out,
    )


def _size(span: Span) -> int:
    """Bytes that a span holds, roughly: short values are counted flat, long texts by length."""
    attributes = span._attributes
    size = _SPAN_BYTES + _ATTRIBUTE_BYTES * len(attributes)
    if span.leaves:
        size += _LEAF_BYTES * len(span.leaves)
    for value in attributes.values():
        if type(value) in _SIZED and len(value) > 64:  # type: ignore[arg-type]  # those in _SIZED have a length
            size += len(value) * (_ATTRIBUTE_BYTES if type(value) is tuple else 1)  # type: ignore[arg-type]
    if span.extra:
        size += sum(_EVENT_BYTES + sum(len(v) for v in e[2].values() if isinstance(v, str)) for e in span.extra.events)
        size += _EVENT_BYTES * len(span.extra.links)
    return size
