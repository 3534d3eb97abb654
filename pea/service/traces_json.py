"""A trace as the page and the command line show it: rows to draw, the critical path, and who called whom."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pea.store import TraceRow
from pea.store.tree import Place, places
from pea.telemetry import SpanView, names

Microseconds = float  # from the trace's start where it is a moment
TraceId = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
Stretches = list[tuple[Microseconds, Microseconds]]


class ServiceJson(msgspec.Struct, frozen=True):
    """How many spans of a trace are of one service, and how many of them failed."""

    name: str
    spans: int
    errors: int


class TraceSummaryJson(msgspec.Struct, frozen=True, kw_only=True):
    """A trace in a list; ``start_ms`` is Unix time."""

    trace_id: TraceId
    service: str
    name: str
    capability: str  # what was asked for, where the trace is of a task and short enough to be looked into
    start_ms: float
    duration_ms: float
    spans: int
    errors: int
    services: list[ServiceJson]


class TraceList(msgspec.Struct, frozen=True):
    """What a search found; not ``complete`` when it stopped at its time's end before the limit."""

    traces: list[TraceSummaryJson]
    complete: bool
    took_ms: float


class EventJson(msgspec.Struct, frozen=True):
    """Something that happened within a span."""

    name: str
    at_us: Microseconds
    attributes: dict[str, Any]


class LinkJson(msgspec.Struct, frozen=True):
    """Another span that this one refers to."""

    trace_id: str
    span_id: str
    attributes: dict[str, Any]


class TickJson(msgspec.Struct, frozen=True):
    """A cache lookup within a span; ``tier`` is the one that answered, or none."""

    cache: str
    tier: str
    at_us: Microseconds
    duration_us: Microseconds


class SpanJson(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row of the waterfall; the ``inside`` rows that follow are below it. Cache lookups are ticks, not rows.

    ``agent`` is whose work the span is: its own, or that of the nearest span above it that has one.
    """

    id: str
    name: str
    depth: int
    inside: int
    at_us: Microseconds
    duration_us: Microseconds
    self_us: Microseconds
    parent: str = ""
    service: str = ""
    agent: str = ""
    kind: str = "internal"
    status: str = "unset"
    message: str = ""
    critical: Stretches = []
    attributes: dict[str, Any] = {}
    events: list[EventJson] = []
    links: list[LinkJson] = []
    ticks: list[TickJson] = []
    scope: str = ""


class NodeJson(msgspec.Struct, frozen=True):
    """An agent, or a service that is none, in the call graph; times are sums over its spans."""

    name: str
    agent: bool
    spans: int
    errors: int
    self_us: Microseconds
    critical_us: Microseconds


class EdgeJson(msgspec.Struct, frozen=True):
    """Calls from one node to another."""

    source: str
    target: str
    calls: int
    errors: int


class TraceJson(msgspec.Struct, frozen=True, kw_only=True):
    """One trace. ``linked`` are traces joined to it by links, nearest first."""

    trace_id: TraceId
    service: str
    name: str
    capability: str
    start_ms: float
    duration_us: Microseconds
    spans: int
    errors: int
    services: list[str]
    rows: list[SpanJson]
    nodes: list[NodeJson]
    edges: list[EdgeJson]
    linked: list[TraceId]


def summary_json(row: TraceRow, capability: str = "") -> TraceSummaryJson:
    """A trace of the store in a list."""
    return TraceSummaryJson(
        trace_id=f"{row.trace_id:032x}",
        service=row.root_service,
        name=row.root_name,
        capability=capability,
        start_ms=row.start_ns / 1e6,
        duration_ms=max(row.end_ns - row.start_ns, 0) / 1e6,
        spans=row.spans,
        errors=row.errors,
        services=[ServiceJson(name, spans, errors) for name, (spans, errors) in sorted(row.services.items())],
    )


def trace_json(spans: Sequence[SpanView], services: Mapping[str, str], linked: Sequence[int] = ()) -> TraceJson:
    """The trace of these spans, at least one; ``services`` has the service of each span by its id."""
    origin = min(span.start_ns for span in spans)
    drawn, ticks = _ticks(spans, origin)
    found = places(drawn)
    agents = _owners(found)
    rows = [_row(place, services.get(place.span.span_id, ""), agents, ticks, origin) for place in found]
    nodes, edges = _graph(rows)
    return TraceJson(
        trace_id=spans[0].trace_id,
        service=rows[0].service,
        name=rows[0].name,
        capability=capability_of(span.attributes for span in drawn),
        start_ms=origin / 1e6,
        duration_us=(max(span.end_ns for span in spans) - origin) / 1e3,
        spans=len(spans),
        errors=sum(span.status == "error" for span in spans),
        services=sorted(set(services.values())),
        rows=rows,
        nodes=nodes,
        edges=edges,
        linked=[f"{other:032x}" for other in linked],
    )


def _ticks(spans: Sequence[SpanView], origin: int) -> tuple[list[SpanView], dict[str, list[TickJson]]]:
    """The spans that are rows, and cache lookups by the row that they happened in."""
    known = {span.span_id for span in spans}
    above = {span.parent_id for span in spans}
    drawn: list[SpanView] = []
    ticks: dict[str, list[TickJson]] = {}
    for span in spans:
        about = span.attributes
        small = span.span_id not in above and span.parent_id in known and span.status != "error"
        if not (small and span.name.startswith(names.SPAN_CACHE_LOOKUP) and names.PEA_CACHE_TIER in about):
            drawn.append(span)
            continue
        cache = str(about.get(names.PEA_CACHE_NAME) or span.name.removeprefix(names.SPAN_CACHE_LOOKUP).strip())
        at_us, took_us = (span.start_ns - origin) / 1e3, max(span.end_ns - span.start_ns, 0) / 1e3
        ticks.setdefault(span.parent_id, []).append(TickJson(cache, str(about[names.PEA_CACHE_TIER]), at_us, took_us))
    return drawn, ticks


def capability_of(spans: Iterable[Mapping[str, Any]]) -> str:
    """What a trace's first task was asked for, by the attributes of its spans."""
    for attributes in spans:
        said = attributes.get(names.PEA_CAPABILITY)
        if isinstance(said, str):
            return said
    return ""


def _owners(found: Sequence[Place[SpanView]]) -> dict[str, str]:
    """Whose work each span is, by its id; empty where it is no agent's."""
    owners: dict[str, str] = {}
    for place in found:  # parents come first
        said = place.span.attributes.get(names.GEN_AI_AGENT_NAME)
        owners[place.span.span_id] = said if isinstance(said, str) else owners.get(place.span.parent_id, "")
    return owners


def _row(
    place: Place[SpanView],
    service: str,
    agents: Mapping[str, str],
    ticks: Mapping[str, list[TickJson]],
    origin: int,
) -> SpanJson:
    span = place.span
    return SpanJson(
        id=span.span_id,
        parent=span.parent_id,
        name=span.name,
        service=service,
        agent=agents[span.span_id],
        kind=span.kind,
        depth=place.depth,
        inside=place.inside,
        at_us=(span.start_ns - origin) / 1e3,
        duration_us=max(span.end_ns - span.start_ns, 0) / 1e3,
        self_us=place.self_ns / 1e3,
        critical=[((start - origin) / 1e3, (end - origin) / 1e3) for start, end in place.critical],
        status=span.status,
        message=span.status_description,
        attributes=dict(span.attributes),
        events=[EventJson(event.name, (event.time_ns - origin) / 1e3, dict(event.attributes)) for event in span.events],
        links=[LinkJson(link.trace_id, link.span_id, dict(link.attributes)) for link in span.links],
        ticks=ticks.get(span.span_id, []),
        scope=span.scope,
    )


def _graph(rows: Sequence[SpanJson]) -> tuple[list[NodeJson], list[EdgeJson]]:
    """Who called whom: a span belongs to its agent, else to its service."""
    owner: dict[str, str] = {}
    agents: dict[str, bool] = {}
    spans: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    self_us: defaultdict[str, float] = defaultdict(float)
    critical_us: defaultdict[str, float] = defaultdict(float)
    calls: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    for row in rows:  # parents come first
        above = owner.get(row.parent)
        name = owner[row.id] = row.agent or row.service or "unknown"
        agents[name] = agents.get(name, False) or bool(row.agent)
        spans[name] += 1
        errors[name] += row.status == "error"
        self_us[name] += row.self_us
        critical_us[name] += sum(end - start for start, end in row.critical)
        if above is not None and (above != name or (row.agent and row.name.startswith(names.SPAN_INVOKE_AGENT))):
            calls[above, name] += 1
            failed[above, name] += row.status == "error"
    return (
        [NodeJson(name, agents[name], spans[name], errors[name], self_us[name], critical_us[name]) for name in agents],
        [EdgeJson(source, target, count, failed[source, target]) for (source, target), count in calls.items()],
    )
