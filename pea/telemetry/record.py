"""The one span record that keepers, stores and windows read, whether a span ended here or came in by OTLP.

A native span converts lazily: its record borrows the span's own attributes, events and leaves, copies nothing, and
leaves turn into records of their own only when somebody asks (`with_leaves`). So the drain pays about a microsecond a
span, and whoever decodes OTLP fills the same struct at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from opentelemetry.sdk.resources import Resource

from pea.telemetry import names
from pea.telemetry.extra import EventRecord
from pea.telemetry.leaf import Leaf, leaf_id
from pea.telemetry.recent import EventView, LinkView, SpanView
from pea.telemetry.span import UNSET, Span
from pea.telemetry.tracer import Tracer

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")  # by OTLP's number
STATUSES = ("unset", "ok", "error")  # by OTLP's number
UNSET_STATUS, OK, ERROR = range(3)
INTERNAL = 1
UNKNOWN_SERVICE = "unknown_service"
MAX_TIME_NS = (1 << 63) - 1
_MAX_ORIGINS = 4_096


class Origin(msgspec.Struct, frozen=True):
    """What a span's process and library said of themselves; shared by all their spans."""

    service: str
    resource: Mapping[str, Any] = {}
    scope: str = ""
    scope_version: str = ""


class LinkTo(msgspec.Struct, frozen=True, array_like=True):
    """A span of this or another trace that a span refers to."""

    trace_id: int
    span_id: int
    attributes: Mapping[str, Any] = {}


class SpanRecord(msgspec.Struct, gc=False, kw_only=True):
    """A finished span; ids are integers, times ns since 1970, kind and status OTLP's numbers.

    ``parent_id`` is 0 at a root. ``entry`` is set where the trace enters a process: at a root, or when the parent is
    remote. ``leaves`` are children still in their short form.
    """

    trace_id: int
    span_id: int
    parent_id: int = 0
    name: str
    kind: int = INTERNAL
    start_ns: int
    end_ns: int
    status: int = UNSET_STATUS
    message: str = ""
    attributes: Mapping[str, Any] = {}
    events: Sequence[EventRecord] = ()
    links: Sequence[LinkTo] = ()
    leaves: Sequence[Leaf] = ()
    origin: Origin
    entry: bool = False

    @property
    def duration_ns(self) -> int:
        """How long the span took; never negative, whatever its clocks said."""
        return max(self.end_ns - self.start_ns, 0)


class RecordConsumer(Protocol):
    """Whatever wants every finished span of every program: the keeper, the store's rates, windows."""

    def take(self, records: Sequence[SpanRecord]) -> None:
        """Take some finished spans; called on the drain, so be quick and never block."""


class Inlet:
    """The span consumer behind which all records flow: native spans are converted once, for all that listen."""

    def __init__(self, consumers: Iterable[RecordConsumer] = ()) -> None:
        self.consumers = list(consumers)
        self._origins: dict[Tracer, Origin] = {}

    def consume(self, batch: Sequence[Span]) -> None:
        """Take native spans from the drain."""
        self.put([self.record(span) for span in batch])

    def put(self, records: Sequence[SpanRecord]) -> None:
        """Take records, as OTLP's decoder makes them."""
        for consumer in self.consumers:
            consumer.take(records)

    def settle(self) -> None:
        """Tell those that gather that the drain has given out all there is for now."""
        for consumer in self.consumers:
            settle = getattr(consumer, "settle", None)
            if settle is not None:
                settle()

    def record(self, span: Span) -> SpanRecord:
        """A native span's record; it shares the span's dictionaries and lists."""
        extra, status, start = span.extra, span._status, span.start_time
        parent_id = span.parent_id
        remote = extra is not None and extra.parent is not None and extra.parent.is_remote
        made = SpanRecord(
            trace_id=span.trace.trace_id,
            span_id=span.span_id,
            parent_id=parent_id,
            name=span.name,
            kind=span.kind.value + 1,
            start_ns=start,
            end_ns=span.end_time or start,
            attributes=span._attributes,
            origin=self._origins.get(span.tracer) or self._origin(span.tracer),
            entry=remote or not parent_id,
        )
        if status is not UNSET:
            made.status, made.message = status.status_code.value, status.description or ""
        if span.leaves:
            made.leaves = span.leaves
        if extra is not None:
            made.events = tuple(extra.events)
            made.links = tuple(LinkTo(context.trace_id, context.span_id, about) for context, about, _ in extra.links)
        return made

    def _origin(self, tracer: Tracer) -> Origin:
        if len(self._origins) >= _MAX_ORIGINS:
            self._origins.clear()
        scope = tracer.scope
        origin = origin_of(tracer.resource, scope.name, scope.version or "")
        self._origins[tracer] = origin
        return origin


def origin_of(resource: Resource, scope: str = "", version: str = "") -> Origin:
    """An SDK resource as an origin."""
    attributes = dict(resource.attributes)
    return Origin(str(attributes.get(names.SERVICE_NAME) or UNKNOWN_SERVICE), attributes, scope, version)


def with_leaves(records: Iterable[SpanRecord]) -> Iterator[SpanRecord]:
    """Records, each followed by its leaves as records of their own."""
    for record in records:
        yield record
        for index, (name, start_ns, end_ns, attributes) in enumerate(record.leaves):
            yield SpanRecord(
                trace_id=record.trace_id,
                span_id=leaf_id(record.span_id, index),
                parent_id=record.span_id,
                name=name,
                start_ns=start_ns,
                end_ns=end_ns,
                attributes=attributes or {},
                origin=record.origin,
            )


def view_of(record: SpanRecord) -> SpanView:
    """A record as the view that pages and the terminal draw."""
    return SpanView(
        trace_id=f"{record.trace_id:032x}",
        span_id=f"{record.span_id:016x}",
        parent_id=f"{record.parent_id:016x}" if record.parent_id else "",
        name=record.name,
        kind=KINDS[record.kind] if 0 <= record.kind < len(KINDS) else KINDS[0],
        start_ns=record.start_ns,
        end_ns=record.end_ns,
        attributes=dict(record.attributes),
        status=STATUSES[record.status] if 0 <= record.status < len(STATUSES) else STATUSES[0],
        status_description=record.message,
        events=tuple(EventView(name, time_ns, dict(about)) for name, time_ns, about, *_ in record.events),
        links=tuple(
            LinkView(f"{link.trace_id:032x}", f"{link.span_id:016x}", dict(link.attributes)) for link in record.links
        ),
        scope=record.origin.scope,
    )
