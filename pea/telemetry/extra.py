"""What a trace's spans share, and what only few spans have."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event
from opentelemetry.trace import Link, SpanContext, TraceFlags, TraceState
from opentelemetry.util.types import AnyValue, Attributes

from pea.telemetry.limits import Limits

#: Name, time (ns), clean attributes, attributes dropped.
EventRecord: TypeAlias = tuple[str, int, dict[str, AnyValue], int]
#: Span context linked to, clean attributes, attributes dropped.
LinkRecord: TypeAlias = tuple[SpanContext, dict[str, AnyValue], int]


class Trace:
    """What a trace's spans in this process share: its id, and what their contexts carry beside it.

    This one is a trace that began here, sampled, with a random id and no trace state, as nearly all do.
    """

    __slots__ = ("trace_id",)

    trace_id: int
    flags: TraceFlags = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)
    sampled: bool = True
    state: TraceState | None = None


class CarriedTrace(Trace):
    """A trace with flags and a state of its own: from another process, or as a sampler decided."""

    __slots__ = ("flags", "sampled", "state")

    def __init__(self, trace_id: int, flags: TraceFlags, state: TraceState | None) -> None:
        self.trace_id = trace_id
        self.flags = flags
        self.sampled = flags.sampled
        self.state = state


class Extra:
    """A span's events, links, its parent if from elsewhere, and counts of what was dropped."""

    __slots__ = ("_events_added", "_links_added", "dropped_attributes", "dropped_leaves", "events", "links", "parent")

    def __init__(self, limits: Limits) -> None:
        self.parent: SpanContext | None = None  # set where trace and parent_id do not tell all: remote, other flags
        self.events: deque[EventRecord] = deque(maxlen=limits.events)
        self.links: deque[LinkRecord] = deque(maxlen=limits.links)
        self.dropped_attributes = 0
        self.dropped_leaves = 0
        self._events_added = 0
        self._links_added = 0

    def add_event(self, event: EventRecord) -> None:
        """Keep an event; beyond the limit the oldest makes room."""
        self.events.append(event)
        self._events_added += 1

    def add_link(self, link: LinkRecord) -> None:
        """Keep a link; beyond the limit the oldest makes room."""
        self.links.append(link)
        self._links_added += 1

    @property
    def dropped_events(self) -> int:
        """Events that made room for later ones."""
        return self._events_added - len(self.events)

    @property
    def dropped_links(self) -> int:
        """Links that made room for later ones."""
        return self._links_added - len(self.links)


def worth_linking(context: SpanContext | None, attributes: Attributes) -> bool:
    """Whether a link counts: its context is valid, or it says something by attributes or trace state."""
    return bool(context and (context.is_valid or attributes or context.trace_state))


def counted(attributes: dict[str, AnyValue], dropped: int) -> BoundedAttributes:
    """Clean attributes in the SDK's type, which carries the count of dropped ones."""
    bounded = BoundedAttributes(attributes=attributes)
    bounded.dropped = dropped
    return bounded


def sdk_event(event: EventRecord) -> Event:
    """An event in the SDK's type."""
    name, time, attributes, dropped = event
    return Event(name, counted(attributes, dropped), time)


def sdk_link(link: LinkRecord) -> Link:
    """A link in the API's type."""
    context, attributes, dropped = link
    return Link(context, counted(attributes, dropped))
