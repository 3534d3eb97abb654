"""One window of traces in counts: how long each place takes by itself, and in which order it calls what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import add
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec
import numpy as np

from pea.watch.cause_columns import Ints, Owner, Place, TraceColumns
from pea.watch.cause_path import Flags, on_path

FLOOR_NS = 300_000  # added to every self time: a change of microseconds is no cause
POWER = 0.25  # between the geometric mean (0), blind to tails, and the mean (1), made of nothing else


class Edge(NamedTuple):
    """A place, and for a call over the network the place that answers.

    What such a call takes by itself is the network and the queues at both its ends.
    """

    place: Place
    callee: Place | None = None

    @property
    def blamed(self) -> Owner:
        """Who answers for it: the callee of a call, else the place's owner."""
        return (self.callee or self.place).owner


class Timing(NamedTuple):
    """Sums over an edge's spans: how many, (self + floor)^`POWER`, its square; self time in ns on critical paths."""

    spans: float
    power: float
    square: float
    critical_ns: float


class Visits(NamedTuple):
    """Spans of a place: how many, how many without a child, how many that failed though none of their children did."""

    spans: float
    childless: float
    failed: float


class Calls(NamedTuple):
    """Children of one kind below one place: how many, and how many were the last of their siblings."""

    spans: float
    last: float


Step: TypeAlias = tuple[Place, Edge]  # a parent's place and a child's edge


class Profile(msgspec.Struct, frozen=True):
    """What one window, or several pooled, look like. Every mapping is bounded by the window's places."""

    traces: float
    timings: Mapping[Edge, Timing]
    visits: Mapping[Place, Visits]
    failures: Mapping[Edge, Visits]
    steps: Mapping[Step, Calls]


class Measured(msgspec.Struct, frozen=True):
    """A window with its profile, and for each span a row.

    ``edge`` is an index into ``edges``; ``first_failed`` is 1 where a span failed though none of its children did.
    """

    columns: TraceColumns
    profile: Profile
    edges: tuple[Edge, ...]
    edge: Ints
    self_ns: Ints
    first_failed: Ints


def self_times(columns: TraceColumns) -> Ints:
    """Each span's duration less the union of its children's times within it, in ns; never negative.

    Children are swept by start with a running maximum of their ends, for all parents at once.
    """
    child = np.flatnonzero(columns.parent >= 0)
    above = columns.parent[child]
    begin = np.maximum(columns.start[child] - columns.start[above], 0)
    end = columns.start[child] + columns.duration[child] - columns.start[above]
    end = np.minimum(end, columns.duration[above])
    inside = end > begin
    above, begin, end = above[inside], begin[inside], end[inside]
    order = np.lexsort((begin, above))
    above, begin, end = above[order], begin[order], end[order]
    new = np.ones(len(above), bool)
    new[1:] = above[1:] != above[:-1]
    # An offset per parent, larger than any end, keeps one running maximum from crossing over to the next parent.
    offset = (np.cumsum(new) - 1) * (int(end.max(initial=0)) + 1)
    reached = np.maximum.accumulate(end + offset) - offset
    before = np.zeros_like(reached)
    before[1:] = reached[:-1]
    before[new] = 0
    added = np.maximum(end - np.maximum(begin, before), 0)
    covered = np.zeros(len(columns), np.int64)
    np.add.at(covered, above, added)
    own: Ints = np.maximum(columns.duration - covered, 0)
    return own


def measure(columns: TraceColumns) -> Measured:
    """A window's self times and profile."""
    self_ns = self_times(columns)
    children = np.bincount(columns.parent[columns.parent >= 0], minlength=len(columns))
    failed = _first_failed(columns)
    edges, edge = _edges(columns, children)
    profile = Profile(
        traces=len(columns.trace_ids),
        timings=dict(zip(edges, _timings(edge, self_ns, on_path(columns), len(edges)), strict=True)),
        visits=dict(zip(columns.places, _visits(columns.place, children, failed, len(columns.places)), strict=True)),
        failures=dict(zip(edges, _visits(edge, children, failed, len(edges)), strict=True)),
        steps=_steps(columns, edges, edge),
    )
    return Measured(columns, profile, edges, edge, self_ns, failed)


def pooled(profiles: Iterable[Profile]) -> Profile:
    """Several windows as one."""
    every = list(profiles)
    return Profile(
        traces=sum(one.traces for one in every),
        timings=_added((one.timings for one in every), Timing),
        visits=_added((one.visits for one in every), Visits),
        failures=_added((one.failures for one in every), Visits),
        steps=_added((one.steps for one in every), Calls),
    )


K = TypeVar("K")
T = TypeVar("T", Timing, Visits, Calls)


def _added(mappings: Iterable[Mapping[K, T]], kind: type[T]) -> dict[K, T]:
    total: dict[K, T] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            known = total.get(key)
            total[key] = value if known is None else kind(*map(add, known, value))
    return total


def _edges(columns: TraceColumns, children: Ints) -> tuple[tuple[Edge, ...], Ints]:
    """Each span's edge. A call over the network is a span all of whose children are one other process's.

    Where a process keeps its spans to itself, or lost them, a childless call is taken to reach what the calls of the
    same place always reach.
    """
    child = np.flatnonzero(columns.parent >= 0)
    above = columns.parent[child]
    rows = len(columns)
    lowest, highest = np.full(rows, np.iinfo(np.int64).max), np.full(rows, -1)
    np.minimum.at(lowest, above, columns.process[child])
    np.maximum.at(highest, above, columns.process[child])
    crossing = (children > 0) & (lowest == highest) & (highest != columns.process)
    first = np.full(rows, -1)
    first[above[::-1]] = child[::-1]
    callee = np.where(crossing, columns.place[first], -1)

    places = len(columns.places)
    usual_low, usual_high = np.full(places, places), np.full(places, -1)
    np.minimum.at(usual_low, columns.place[crossing], callee[crossing])
    np.maximum.at(usual_high, columns.place[crossing], callee[crossing])
    usual = np.where(usual_low == usual_high, usual_high, -1)
    callee = np.where((children == 0) & (callee < 0), usual[columns.place], callee)

    key, edge = np.unique((callee + 1) * places + columns.place, return_inverse=True)
    edges = tuple(
        Edge(columns.places[one % places], columns.places[one // places - 1] if one >= places else None)
        for one in key.tolist()
    )
    return edges, edge.astype(np.int64)


def _timings(edge: Ints, self_ns: Ints, path: Flags, count: int) -> list[Timing]:
    power = (self_ns + FLOOR_NS).astype(np.float64) ** POWER
    sums = [
        np.bincount(edge, minlength=count),
        np.bincount(edge, weights=power, minlength=count),
        np.bincount(edge, weights=power * power, minlength=count),
        np.bincount(edge, weights=self_ns * path, minlength=count),
    ]
    return [Timing(*row) for row in zip(*(one.tolist() for one in sums), strict=True)]


def _visits(group: Ints, children: Ints, failed: Ints, count: int) -> list[Visits]:
    sums = [
        np.bincount(group, minlength=count),
        np.bincount(group, weights=children == 0, minlength=count),
        np.bincount(group, weights=failed, minlength=count),
    ]
    return [Visits(*row) for row in zip(*(one.tolist() for one in sums), strict=True)]


def _first_failed(columns: TraceColumns) -> Ints:
    failed = columns.error > 0
    below = np.zeros(len(columns), np.int64)
    inner = failed & (columns.parent >= 0)
    np.add.at(below, columns.parent[inner], 1)
    first: Ints = (failed & (below == 0)).astype(np.int64)
    return first


def _steps(columns: TraceColumns, edges: tuple[Edge, ...], edge: Ints) -> dict[Step, Calls]:
    child = np.flatnonzero(columns.parent >= 0)
    above = columns.parent[child]
    order = np.lexsort((columns.start[child], above))
    child, above = child[order], above[order]
    last = np.ones(len(above), bool)
    last[:-1] = above[1:] != above[:-1]
    width = max(len(edges), 1)
    key, at = np.unique(columns.place[above] * width + edge[child], return_inverse=True)
    counts, lasts = np.bincount(at), np.bincount(at, weights=last)
    return {
        (columns.places[one // width], edges[one % width]): Calls(count, ended)
        for one, count, ended in zip(key.tolist(), counts.tolist(), lasts.tolist(), strict=True)
    }
