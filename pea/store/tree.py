"""A trace as a tree: parents before children, with depth, self time, and the path that its duration hangs on."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

Stretch = tuple[int, int]  # from, to, in ns since 1970


class Timed(Protocol):
    """What the tree needs of a span: ids of any kind, and times in ns since 1970."""

    @property
    def span_id(self) -> Hashable:
        """The span's id."""

    @property
    def parent_id(self) -> Hashable:
        """Its parent's; at a root one that no span has."""

    @property
    def start_ns(self) -> int:
        """When it began."""

    @property
    def end_ns(self) -> int:
        """When it ended."""


S = TypeVar("S", bound=Timed)


class Place(msgspec.Struct, Generic[S], frozen=True, gc=False):
    """One span at its place; ``inside`` counts the rows below it, ``last`` says that no sibling follows.

    ``self_ns`` is the span's duration less the union of its children's times within it; ``critical`` are the stretches
    in which the trace waited for this span itself.
    """

    span: S
    depth: int
    last: bool
    inside: int
    self_ns: int
    critical: tuple[Stretch, ...]


def places(spans: Sequence[S]) -> list[Place[S]]:
    """The spans of one trace, depth first, siblings by start time.

    A span whose parent is not among them is a root; where parents go round in a circle, the earliest span of it is.
    """
    children = _children(spans)
    rows = list(_walk(children))
    critical = _critical(rows[0][0], children, _reach(rows)) if rows else {}
    inside = _inside([depth for _, depth, _ in rows])
    return [
        Place(
            span,
            depth,
            last,
            inside[at],
            self_time(span, children.get(span.span_id, ())),
            tuple(reversed(critical.get(span.span_id, ()))),
        )
        for at, (span, depth, last) in enumerate(rows)
    ]


def self_time(span: Timed, inner: Iterable[Timed]) -> int:
    """Nanoseconds of a span in which none of its children, given by start time, was at work."""
    covered, until = 0, span.start_ns
    for child in inner:
        start, end = max(child.start_ns, until), min(child.end_ns, span.end_ns)
        if end > start:
            covered += end - start
            until = end
    return max(span.end_ns - span.start_ns - covered, 0)


def _children(spans: Sequence[S]) -> dict[Hashable, list[S]]:
    """Children by parent's id, by start time; roots under None, that of the trace's own start first."""
    known = {span.span_id: span for span in spans}
    settled: set[Hashable] = set()
    children: dict[Hashable, list[S]] = {}
    for span in sorted(known.values(), key=lambda one: (one.start_ns, -one.end_ns, str(one.span_id))):
        parent = span.parent_id if span.parent_id in known and not _circular(span, known, settled) else None
        children.setdefault(parent, []).append(span)
    return children


def _circular(span: S, known: Mapping[Hashable, S], settled: set[Hashable]) -> bool:
    """Whether the way up from a span comes back to it before it meets a span of which the way up is known to end."""
    way: set[Hashable] = set()
    at: S | None = span
    while at is not None and at.span_id not in settled:
        if at.span_id in way:
            settled.add(span.span_id)  # it becomes a root here: whoever hangs below it hangs rightly
            return True
        way.add(at.span_id)
        at = known.get(at.parent_id)
    settled |= way
    return False


def _walk(children: Mapping[Hashable, list[S]]) -> Iterator[tuple[S, int, bool]]:
    """Depth first with an explicit stack: a trace can be deeper than Python's."""
    roots = children.get(None, [])
    stack = [(span, 0, at == len(roots) - 1) for at, span in enumerate(roots)][::-1]
    while stack:
        span, depth, last = stack.pop()
        yield span, depth, last
        mine = children.get(span.span_id, ())
        stack += [(child, depth + 1, at == len(mine) - 1) for at, child in enumerate(mine)][::-1]


def _inside(depths: Sequence[int]) -> list[int]:
    """How many rows after each one are deeper, up to the next that is not."""
    counts = [0] * len(depths)
    open_rows: list[int] = []
    for at, depth in enumerate(depths):
        while open_rows and depths[open_rows[-1]] >= depth:
            row = open_rows.pop()
            counts[row] = at - row - 1
        open_rows.append(at)
    for row in open_rows:
        counts[row] = len(depths) - row - 1
    return counts


def _reach(rows: Sequence[tuple[S, int, bool]]) -> dict[Hashable, int]:
    """When a span and all that it began have ended: a task outlives the request that submitted it."""
    reach: dict[Hashable, int] = {}
    for span, _, _ in reversed(rows):  # children before parents
        own = reach[span.span_id] = max(reach.get(span.span_id, 0), span.end_ns)
        reach[span.parent_id] = max(reach.get(span.parent_id, 0), own)
    return reach


def _critical(
    root: S, children: Mapping[Hashable, list[S]], reach: Mapping[Hashable, int]
) -> dict[Hashable, list[Stretch]]:
    """The stretches that the trace's end waited for, by span, latest first.

    From the end backwards: what a span waited for last is the child that ended last before that moment; where no child
    was at work, the span itself is on the path. Where none ended before, it is the child that was at work already. So
    the stretches do not overlap, and parallel work that ended earlier is not on it (Zhang et al., "CRISP: Critical
    Path Analysis of Large-Scale Microservice Architectures", 2022).
    """
    found: dict[Hashable, list[Stretch]] = {}
    stack = [_Frame(root, reach[root.span_id], children, reach)]
    while stack:
        frame = stack[-1]
        step = frame.next_child()
        end = frame.span.start_ns if step is None else step[1]
        own = (max(end, frame.span.start_ns), min(frame.until, frame.span.end_ns))
        if own[1] > own[0]:
            found.setdefault(frame.span.span_id, []).append(own)
        if step is None:
            stack.pop()
            continue
        child, ended = step
        frame.until = max(child.start_ns, frame.span.start_ns)
        stack.append(_Frame(child, ended, children, reach))
    return found


class _Frame(Generic[S]):
    """A span on the path, looked at from ``until`` backwards."""

    __slots__ = ("beside", "ends", "span", "taken", "until")

    def __init__(
        self, span: S, until: int, children: Mapping[Hashable, list[S]], reach: Mapping[Hashable, int]
    ) -> None:
        self.span = span
        self.until = until
        mine = children.get(span.span_id, ())
        # A child that goes on in the background may still have been waited for until its own end.
        ends = {(time, at) for at, child in enumerate(mine) for time in (child.end_ns, reach[child.span_id])}
        self.ends = [(time, mine[at]) for time, at in sorted(ends)]
        self.taken: set[Hashable] = set()
        self.beside: S | None = None

    def next_child(self) -> tuple[S, int] | None:
        """The child that was waited for next, going back, and until when; None when the rest is the span's own."""
        while self.ends:
            time, child = self.ends.pop()
            if child.span_id in self.taken or child.start_ns >= self.until:
                continue
            if time <= self.until:
                self.taken.add(child.span_id)
                if time > self.span.start_ns:
                    return child, time
            elif time <= self.span.end_ns and (self.beside is None or child.start_ns < self.beside.start_ns):
                self.beside = child
        beside, self.beside = self.beside, None
        if beside is None or beside.start_ns >= self.until or beside.span_id in self.taken:
            return None
        self.taken.add(beside.span_id)
        return beside, self.until
