"""A span: slots that are written while work runs and read once by the drain, under the whole OpenTelemetry API."""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections.abc import Mapping, Sequence
from time import time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Self

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationInfo, InstrumentationScope
from opentelemetry.semconv.attributes.exception_attributes import (
    EXCEPTION_ESCAPED,
    EXCEPTION_MESSAGE,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
)
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace import Span as ApiSpan
from opentelemetry.util.types import AnyValue, Attributes

from pea.errors import said
from pea.telemetry.context import SPAN_KEY, Context
from pea.telemetry.extra import Extra, Trace, sdk_event, sdk_link, worth_linking
from pea.telemetry.leaf import Leaf
from pea.telemetry.limits import bounded, plain_value

if TYPE_CHECKING:
    from pea.telemetry.tracer import Tracer

_log = logging.getLogger(__name__)

UNSET = Status()

# Guards what happens at most once per span, and evictions: a span's usual way never takes it.
_rare = threading.RLock()


def _renew_lock() -> None:
    global _rare  # noqa: PLW0603  the parent's lock may be held by a thread that the child does not have
    _rare = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)


class Span(ApiSpan, ReadableSpan):
    """A span of the API, made by `Tracer.start_span`; it does not become current by itself.

    The slots are there for the drain to read: ``name``, ``kind``, ``trace`` (shared by the trace's spans), ``span_id``,
    ``parent_id`` (0 at a root), ``start_time`` and ``end_time`` (ns since the epoch; end None while it runs),
    ``_attributes`` (a dict of clean values), ``_status``, ``leaves`` (None or a list of `Leaf`), ``extra`` (None or an
    `Extra`). It is a ReadableSpan too: code written for the SDK's spans reads it through the usual properties.
    """

    __slots__ = (
        "_attributes",
        "_context",
        "_on_exception",
        "_status",
        "end_time",
        "extra",
        "kind",
        "leaves",
        "name",
        "parent_id",
        "span_id",
        "start_time",
        "trace",
        "tracer",
    )

    tracer: Tracer
    trace: Trace
    name: str
    kind: SpanKind
    span_id: int
    parent_id: int
    start_time: int
    end_time: int | None
    leaves: list[Leaf] | None
    extra: Extra | None
    _attributes: dict[str, AnyValue]
    _status: Status
    _context: SpanContext | None
    _on_exception: tuple[bool, ...]  # when a with-block fails: record the exception, set the status

    def __init__(self) -> None:
        """A `Tracer` fills the slots itself: a constructor call would cost as much again."""
        raise TypeError("Span must be instantiated via a tracer.")

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name="{self.name}", context={self.get_span_context()})'

    # A writer makes its calls first: between its look at `end_time` and its write no other thread gets a turn, so
    # nothing is written into a span that has just been ended elsewhere and may be read by the drain.

    def is_recording(self) -> bool:
        """Whether the span has not ended."""
        return self.end_time is None

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Set one attribute; the last value given for a key counts."""
        limits, own = self.tracer.limits, self._attributes
        room = limits.attributes is None or len(own) < limits.attributes
        if not (room and type(key) is str and key and plain_value(value, limits.attribute_length)):
            self._set_carefully(key, value)
        elif self.end_time is not None:
            _log.warning("Setting attribute on ended span.")
        else:
            if key in own:
                del own[key]  # a key set again moves to the end, as in the SDK
            own[key] = value

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Set attributes; beyond the limit the oldest make room and are counted as dropped."""
        limits = self.tracer.limits
        if self.end_time is not None:
            _log.warning("Setting attribute on ended span.")
        elif limits.attributes == 0:
            self._count_dropped(len(attributes))
        else:
            self._merge(*bounded(attributes, None, limits.attribute_length))

    def _set_carefully(self, key: str, value: AnyValue) -> None:
        limits = self.tracer.limits
        if self.end_time is not None:
            _log.warning("Setting attribute on ended span.")
        elif limits.attributes == 0:
            self._count_dropped(1)
        else:
            cleaned = BoundedAttributes(immutable=False, max_value_len=limits.attribute_length)
            cleaned[key] = value
            self._merge(dict(cleaned), cleaned.dropped)

    def _merge(self, attributes: dict[str, AnyValue], dropped: int) -> None:
        most, own = self.tracer.limits.attributes, self._attributes
        with _rare:
            for key, value in attributes.items():
                own.pop(key, None)
                if most is not None and len(own) >= most:
                    _log.warning(
                        "Attributes dict is full. Dropping the oldest key-value pair from attributes to make space "
                        "for the new key-value pair."
                    )
                    own.pop(next(iter(own)), None)
                    dropped += 1
                own[key] = value
        if dropped:
            self._count_dropped(dropped)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Record that something happened at ``timestamp`` (ns since the epoch), now if not given."""
        limits = self.tracer.limits
        cleaned, dropped = bounded(attributes, limits.event_attributes, limits.event_and_link_attribute_length)
        event = (name, time_ns() if timestamp is None else timestamp, cleaned, dropped)
        extra = self.extra or self.more()
        if self.end_time is None:
            extra.add_event(event)
        else:
            _log.warning("Tried calling %s on an ended span.", "_add_event")

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Link to a span of this or another trace; an invalid context counts only with attributes or a state."""
        if not worth_linking(context, attributes):
            return
        limits = self.tracer.limits
        link = (context, *bounded(attributes, limits.link_attributes, limits.event_and_link_attribute_length))
        extra = self.extra or self.more()
        if self.end_time is None:
            extra.add_link(link)
        else:
            _log.warning("Tried calling %s on an ended span.", "_add_link")

    def update_name(self, name: str) -> None:
        """Rename the span."""
        if self.end_time is None:
            self.name = name
        else:
            _log.warning("Tried calling %s on an ended span.", "update_name")

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status: OK is final, UNSET is ignored, a description belongs to ERROR only."""
        if self.end_time is not None:
            _log.warning("Tried calling %s on an ended span.", "set_status")
            return
        code: object = status.status_code if isinstance(status, Status) else status
        if not isinstance(code, StatusCode) or code is StatusCode.UNSET or self._status.status_code is StatusCode.OK:
            return
        if not isinstance(status, Status):
            status = Status(status, description)
        elif description is not None:
            _log.warning("Description %s ignored. Use either `Status` or `(StatusCode, Description)`", description)
        if self.end_time is None:
            self._status = status

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002  the API's signature
    ) -> None:
        """Record an exception as an event with its type, message and stack trace."""
        about: dict[str, AnyValue] = {
            EXCEPTION_TYPE: type_name(exception),
            EXCEPTION_MESSAGE: said(exception),
            EXCEPTION_STACKTRACE: "".join(traceback.format_exception(exception)),
            EXCEPTION_ESCAPED: str(escaped),
        }
        if attributes:
            about.update(attributes)
        self.add_event("exception", about, timestamp)

    def leaf(self, name: str, start_ns: int, end_ns: int, attributes: Mapping[str, AnyValue] | None = None) -> None:
        """Record a child without children: times in ns since the epoch; ``attributes`` are kept, so do not change them.

        ``limits.leaves`` bounds them; what is beyond is counted in `dropped_leaves`. On a span that has ended, or when
        a span processor wants to see every span, a real child is made at once.
        """
        leaves = self.leaves
        if leaves is None:
            leaves = self._first_leaf()
        tracer = self.tracer
        if self.end_time is not None or tracer.span_processor._span_processors:
            beneath = Context({SPAN_KEY: self})
            tracer.start_span(name, beneath, attributes=attributes, start_time=start_ns).end(end_ns)
        elif len(leaves) < tracer.limits.leaves:
            leaves.append((name, start_ns, end_ns, attributes))
        else:
            self.more().dropped_leaves += 1

    def end(self, end_time: int | None = None) -> None:
        """End the span at ``end_time`` (ns since the epoch), now if not given, and hand it to the buffer."""
        if end_time is None:
            end_time = time_ns()
            if end_time < self.start_time:  # noqa: PLR1730  the clock was set back; max() costs a call
                end_time = self.start_time
        if self.end_time is not None:
            _log.warning("Calling end() on an ended span.")
            return
        self.end_time = end_time
        tracer = self.tracer
        buffer = tracer.buffer
        items = buffer.items
        if len(items) < buffer.half:
            items.append(self)
        else:
            buffer.crowded(self)
        if tracer.span_processor._span_processors:
            tracer.show(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        if exc_val is not None and self.end_time is None:
            record, mark = self._on_exception[:2]
            if record:
                self.record_exception(exc_val, escaped=True)
            if mark:
                self.set_status(Status(StatusCode.ERROR, f"{type(exc_val).__name__}: {exc_val}"))
        self.end()

    def more(self) -> Extra:
        """The place for events, links and counts, made when first needed."""
        with _rare:
            if self.extra is None:
                self.extra = Extra(self.tracer.limits)
            return self.extra

    def _first_leaf(self) -> list[Leaf]:
        with _rare:
            if self.leaves is None:
                self.leaves = []
            return self.leaves

    def _count_dropped(self, count: int) -> None:
        self.more().dropped_attributes += count

    @property
    def trace_id(self) -> int:
        """The trace's id, 128 bits."""
        return self.trace.trace_id

    @property
    def sampled(self) -> bool:
        """Whether the span is to be exported (a sampler may say: record it, but keep it here)."""
        return self.trace.sampled

    @property
    def failed(self) -> bool:
        """Whether the status is ERROR."""
        return self._status.status_code is StatusCode.ERROR

    def get_span_context(self) -> SpanContext:
        """What goes to children and to other processes."""
        context = self._context
        if context is None:
            trace = self.trace
            context = self._context = SpanContext(trace.trace_id, self.span_id, False, trace.flags, trace.state)
        return context

    @property
    def context(self) -> SpanContext:
        """The span's context, under the SDK's name."""
        return self.get_span_context()

    @property
    def parent(self) -> SpanContext | None:
        """The parent's context; None at a root."""
        if self.extra is not None and self.extra.parent is not None:
            return self.extra.parent
        trace = self.trace
        return SpanContext(trace.trace_id, self.parent_id, False, trace.flags, trace.state) if self.parent_id else None

    @property
    def scope(self) -> InstrumentationScope:
        """The library that made the span."""
        return self.tracer.scope

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        """The library that made the span, under the SDK's name."""
        return self.tracer.scope

    @property
    def instrumentation_info(self) -> InstrumentationInfo:
        """The same in the SDK's older form."""
        return self.tracer.instrumentation_info

    @property
    def resource(self) -> Resource:
        """What the process is."""
        return self.tracer.resource

    @property
    def events(self) -> Sequence[Event]:
        """The events in the SDK's type."""
        return () if self.extra is None else tuple(map(sdk_event, self.extra.events.copy()))

    @property
    def links(self) -> Sequence[Link]:
        """The links in the API's type."""
        return () if self.extra is None else tuple(map(sdk_link, self.extra.links.copy()))

    @property
    def dropped_attributes(self) -> int:
        """Attributes that were invalid or made room for later ones."""
        return 0 if self.extra is None else self.extra.dropped_attributes

    @property
    def dropped_events(self) -> int:
        """Events that made room for later ones."""
        return 0 if self.extra is None else self.extra.dropped_events

    @property
    def dropped_links(self) -> int:
        """Links that made room for later ones."""
        return 0 if self.extra is None else self.extra.dropped_links

    @property
    def dropped_leaves(self) -> int:
        """Leaves beyond the limit."""
        return 0 if self.extra is None else self.extra.dropped_leaves

    def to_json(self, indent: int | None = 4) -> str:
        """The span as the SDK's JSON."""
        from pea.telemetry.readable import snapshot

        return str(snapshot(self).to_json(indent))


def type_name(exception: BaseException) -> str:
    """The qualified name of an exception's type, without ``builtins``."""
    kind = type(exception)
    module = kind.__module__
    return f"{module}.{kind.__qualname__}" if module and module != "builtins" else kind.__qualname__
