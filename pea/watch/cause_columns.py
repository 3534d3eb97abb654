"""Finished spans as columns: plain arrays in which two windows of traces can be compared quickly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from pea.telemetry import names
from pea.telemetry.record import ERROR, KINDS, SpanRecord, with_leaves

MAX_SPANS = 50_000  # of one window: more say little more; times MAX_DURATION_NS it fits into 63 bits
MAX_DURATION_NS = 86_400 * 10**9
MAX_PLACES = 2_000
MAX_ERROR_TYPES = 200
MAX_WORD = 160
OTHER = "(other)"
_MAX_TIME_NS = (1 << 62) - 1
_OUTBOUND = frozenset((KINDS.index("client"), KINDS.index("producer")))

#: Who is to blame: a service and, within it, an agent ("" for the service itself).
Owner: TypeAlias = tuple[str, str]
Ints: TypeAlias = npt.NDArray[np.int64]


class Place(msgspec.Struct, frozen=True, order=True):
    """Where time is spent or errors arise: an operation of an agent, or of a service that has none.

    The operation is a capability, a step, a cache with its tier, a worker's function or a call to a downstream.
    """

    service: str
    agent: str
    operation: str

    @property
    def owner(self) -> Owner:
        """The service and agent."""
        return self.service, self.agent

    @property
    def who(self) -> str:
        """The agent, or else the service."""
        return self.agent or self.service


class TraceColumns(msgspec.Struct, frozen=True):
    """Whole traces of one window; row i of each array is one span.

    ``parent`` is the parent's row or -1, ``trace`` an index into ``trace_ids``, ``place`` into ``places``, ``error``
    into ``error_types`` (0: it did not fail). ``start`` and ``duration`` are nanoseconds. ``process`` numbers the
    processes: a child of another process was reached over a network. ``attributes`` has a mapping per span, or is
    empty. ``left_out`` counts spans beyond `MAX_SPANS`.
    """

    trace: Ints
    parent: Ints
    place: Ints
    process: Ints
    start: Ints
    duration: Ints
    error: Ints
    trace_ids: tuple[int | str, ...]
    places: tuple[Place, ...]
    error_types: tuple[str, ...] = ("",)
    attributes: Sequence[Mapping[str, Any]] = ()
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.trace)


def columns(traces: Iterable[Iterable[SpanRecord]]) -> TraceColumns:
    """Records, a sequence for each trace, as columns; leaves become rows of their own.

    A trace counts whole or not at all: one that would exceed `MAX_SPANS` is left out and counted. Whatever ids and
    times say, the result is sound: a repeated span id is dropped, a missing parent makes a root, a clock that went
    backwards gives a duration of 0, names are cut at `MAX_WORD` characters.
    """
    table = _Table()
    for trace in traces:
        table.add(list(with_leaves(trace)))
    return table.done()


class _Table:
    """Columns in the making."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, int, int, int, int]] = []
        self.attributes: list[Mapping[str, Any]] = []
        self.trace_ids: dict[int | str, int] = {}
        self.places: dict[tuple[str, str, str], int] = {}
        self.processes: dict[str, int] = {}
        self.errors: dict[str, int] = {"": 0}
        self.left_out = 0

    def add(self, spans: list[SpanRecord]) -> None:
        own = list({(span.trace_id, span.span_id): span for span in reversed(spans)}.values())[::-1]
        if len(self.rows) + len(own) > MAX_SPANS:
            self.left_out += len(own)
            return
        first = len(self.rows)
        at = {(span.trace_id, span.span_id): row for row, span in enumerate(own, first)}
        parents = [_parent(span, at) for span in own]
        agents = _agents(own, parents, first)
        for span, parent, agent in zip(own, parents, agents, strict=True):
            start = min(max(span.start_ns, 0), _MAX_TIME_NS)
            service = span.origin.service[:MAX_WORD]
            self.rows.append(
                (
                    self.trace_ids.setdefault(span.trace_id, len(self.trace_ids)),
                    parent,
                    self._place(service, agent, operation(span)),
                    self.processes.setdefault(service, len(self.processes)),
                    start,
                    min(max(span.end_ns - span.start_ns, 0), MAX_DURATION_NS),
                    self._error(span) if span.status == ERROR else 0,
                )
            )
            self.attributes.append(span.attributes)

    def done(self) -> TraceColumns:
        trace, parent, place, process, start, duration, error = np.array(self.rows, np.int64).reshape(-1, 7).T.copy()
        return TraceColumns(
            trace=trace,
            parent=parent,
            place=place,
            process=process,
            start=start,
            duration=duration,
            error=error,
            trace_ids=tuple(self.trace_ids),
            places=tuple(Place(*key) for key in self.places),
            error_types=tuple(self.errors),
            attributes=self.attributes,
            left_out=self.left_out,
        )

    def _place(self, service: str, agent: str, operation: str) -> int:
        key = (service, agent, operation)
        found = self.places.get(key)
        if found is not None:
            return found
        if len(self.places) >= MAX_PLACES:
            key = (service, agent, OTHER) if len(self.places) < 2 * MAX_PLACES else (OTHER, "", OTHER)
        return self.places.setdefault(key, len(self.places))

    def _error(self, span: SpanRecord) -> int:
        word = _word(span, names.ERROR_TYPE) or "error"
        if word not in self.errors and len(self.errors) >= MAX_ERROR_TYPES:
            word = OTHER
        return self.errors.setdefault(word, len(self.errors))


def _parent(span: SpanRecord, at: Mapping[tuple[int, int], int]) -> int:
    if span.parent_id in {0, span.span_id}:
        return -1
    return at.get((span.trace_id, span.parent_id), -1)


def _agents(spans: Sequence[SpanRecord], parents: Sequence[int], first: int) -> list[str]:
    """Each span's agent: its own, else that of the nearest span above within its service; "" when there is none."""
    agents: list[str | None] = [None] * len(spans)
    for row in range(len(spans)):
        path, at, found = [], row, ""
        while True:
            known = agents[at]
            if known is not None:
                found = known
                break
            path.append(at)
            agents[at] = ""  # so that a circle of parents ends
            found = _word(spans[at], names.GEN_AI_AGENT_NAME)
            if found:
                break
            above = parents[at] - first
            if above < 0 or spans[above].origin.service != spans[at].origin.service:
                break
            at = above
        for passed in path:
            agents[passed] = found
    return [agent or "" for agent in agents]


def operation(span: SpanRecord) -> str:
    """What a span does, fine enough to blame: the capability, the cache with its tier, the call with its address."""
    name = span.name[:MAX_WORD]
    if name.startswith(names.SPAN_INVOKE_AGENT):
        return _word(span, names.PEA_CAPABILITY) or name
    if name.startswith(names.SPAN_CACHE_LOOKUP):
        return f"{name} {_word(span, names.PEA_CACHE_TIER)}".rstrip()
    if span.kind in _OUTBOUND:
        return f"{name} {_word(span, names.SERVER_ADDRESS)}".rstrip()
    return name


def _word(span: SpanRecord, key: str) -> str:
    given = span.attributes.get(key)
    return given[:MAX_WORD] if isinstance(given, str) else ""
