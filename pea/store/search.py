"""Finds traces: indexes give candidates, newest first; where they cannot tell, the spans themselves are looked at."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from pea.store.codec import split, unpack_origin
from pea.store.draft import FAILED, tag_hash
from pea.store.insert import decode_about
from pea.store.marks import (
    FAILED_MARK,
    attribute_text,
    mark_of,
    may_have,
    may_have_sql,
    name_mark,
    summary,
)
from pea.store.search_names import names_of
from pea.store.sieve import times_with
from pea.telemetry.record import ERROR, KINDS, STATUSES, Origin, SpanRecord, with_leaves

MAX_LIMIT = 5_000
MAX_ORIGINS = 4_096
MAX_ASKED = 8  # attributes that are asked of the sketches; the spans answer for the rest
COUNTED = 2_000  # traces with an indexed attribute: beyond them it is common
BUDGET_S = 1.0  # how long spans are looked at before the answer is what has been found so far
_FAR_US = (1 << 63) - 1
_PROGRESS_STEPS = 50_000  # of SQLite's machine between two looks at the clock: about a millisecond


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A search for traces with one span that fits all of it; durations and times in ns, 0 or empty for any.

    ``attributes`` are compared as text with a span's, its resource's and its events' attributes, and with ``error``,
    ``span.kind`` and the other names under which Jaeger shows a span's own fields.
    """

    service: str = ""
    operation: str = ""
    kind: int = 0
    attributes: Mapping[str, str] = {}
    shortest_ns: int = 0
    longest_ns: int = 0
    start_ns: int = 0
    end_ns: int = 0
    error: bool | None = None
    limit: int = 20


class TraceRow(msgspec.Struct, frozen=True):
    """A trace in a list; ``services`` has spans and failed spans by name."""

    trace_id: int
    start_ns: int
    end_ns: int
    spans: int
    errors: int
    root_service: str
    root_name: str
    services: Mapping[str, tuple[int, int]]


class Found(msgspec.Struct, frozen=True):
    """What a search found, newest first; not ``complete`` when it stopped at its time's end before the limit."""

    traces: tuple[TraceRow, ...]
    complete: bool = True


class Origins(dict[int, Origin]):
    """Origins by row id, read when first needed; held by each reading connection, and begun anew when too many."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__()
        self._db = db

    def __missing__(self, number: int) -> Origin:
        row = self._db.execute("SELECT data FROM origin WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise KeyError(number)
        if len(self) >= MAX_ORIGINS:
            self.clear()
        origin = self[number] = unpack_origin(row[0])
        return origin


def search(
    db: sqlite3.Connection,
    origins: Origins,
    query: Query,
    indexed: frozenset[str],
    *,
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """The newest traces that fit."""
    limit = min(max(query.limit, 0), MAX_LIMIT)
    names = names_of(db, query.service, query.operation, query.kind)
    if not names.ids or not limit:
        return Found(())
    query = _plain(query)
    look = not names.exact or _needs_spans(query)
    marks = [mark_of(attribute, value) for attribute, value in query.attributes.items() if attribute not in _OWN]
    until = clock() + budget_s
    found: list[TraceRow] = []
    db.set_progress_handler(lambda: clock() > until, _PROGRESS_STEPS)
    try:
        for number, key in _candidates(db, query, names.ids, indexed, None if look else limit, marks):
            if clock() > until:
                return Found(tuple(found), complete=False)
            if look and not any(_fits(one, query) for one in with_leaves(_likely(db, origins, number, key, marks))):
                continue
            row = _row(db, number)
            if row is not None:
                found.append(row)
            if len(found) >= limit:
                break
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_INTERRUPT:
            raise
        return Found(tuple(found), complete=False)
    finally:
        db.set_progress_handler(None, 0)
    return Found(tuple(found))


def read_trace(db: sqlite3.Connection, origins: Origins, trace_id: int) -> list[SpanRecord]:
    """All spans of a trace by start time, leaves among them; empty when it is not here."""
    key = trace_id.to_bytes(16)
    row = db.execute("SELECT id FROM trace WHERE trace_id = ?", (key,)).fetchone()
    if row is None:
        return []
    seen: dict[int, SpanRecord] = {}
    for record in with_leaves(_spans(db, origins, row[0], key)):
        seen.setdefault(record.span_id, record)  # a span that was sent twice is one span
    return sorted(seen.values(), key=lambda record: (record.start_ns, -record.end_ns))


def linked(db: sqlite3.Connection, trace_id: int, at_most: int = 200) -> list[int]:
    """Traces joined to this one by links, in either direction and over several steps, those nearest first."""
    first = trace_id.to_bytes(16)
    seen, ring = {first: None}, [first]
    while ring and len(seen) <= at_most:
        ring = [
            other
            for key in ring
            for (other,) in db.execute("SELECT other FROM link WHERE trace_id = ? LIMIT ?", (key, at_most))
            if other not in seen and seen.setdefault(other) is None
        ]
    return [int.from_bytes(key) for key in list(seen)[1 : at_most + 1]]


def _plain(query: Query) -> Query:
    """``error=true`` among the attributes is what the error flag says."""
    if query.error is None and query.attributes.get("error") == "true":
        rest = {key: value for key, value in query.attributes.items() if key != "error"}
        return msgspec.structs.replace(query, error=True, attributes=rest)
    return query


def _needs_spans(query: Query) -> bool:
    """Whether entries, which sum up several spans, cannot tell: one span must fit all that is asked for."""
    asked = bool(query.shortest_ns) + bool(query.longest_ns) + (query.error is not None)
    return bool(query.attributes) or bool(query.kind) or asked > 1 or query.error is False


def _candidates(
    db: sqlite3.Connection,
    query: Query,
    names: Sequence[int],
    indexed: frozenset[str],
    limit: int | None,
    marks: Sequence[int],
) -> Iterator[tuple[int, bytes]]:
    """Traces that may fit, newest first: row id and trace id. SQLite merges the names' entries as it walks them."""
    tags = _rarest_first(db, query, indexed)
    joins = "".join(
        f" JOIN tag t{n} ON t{n}.hash = ? AND t{n}.start_us = e.start_us AND t{n}.trace = e.trace"
        for n in range(1, len(tags))
    )
    lead = "tag t0 CROSS JOIN entry e ON e.name = ? AND e.start_us = t0.start_us AND e.trace = t0.trace"
    source = f"{lead}{joins} WHERE t0.hash = ? AND t0" if tags else "entry e WHERE e.name = ? AND e"
    shortest_us, longest_us = _us(query.shortest_ns), _us(query.longest_ns) if query.longest_ns else _FAR_US
    conditions = ["e.longest_us >= ?", "e.shortest_us <= ?"] + ["e.flags & 1"] * bool(query.error)
    assert FAILED == 1
    bits = summary(marks)
    conditions.append("e.flags & ? = ?")
    if marks and not tags:
        likely = may_have_sql("c.marks", marks[:MAX_ASKED])
        conditions.append(f"EXISTS (SELECT 1 FROM chunk c WHERE c.trace = e.trace AND {likely})")  # noqa: S608  numbers only
    first = "t0" if tags else "e"
    where = f"{source}.start_us BETWEEN ? AND ? AND {' AND '.join(conditions)}"
    one_name = f"SELECT {first}.start_us, {first}.trace FROM {where}"  # noqa: S608  no input
    order = f"{first}.start_us DESC, {first}.trace DESC" if len(names) == 1 else "1 DESC, 2 DESC"
    sql = f"{' UNION '.join([one_name] * len(names))} ORDER BY {order} LIMIT ?"
    times = [(_us(query.start_ns), _us(query.end_ns) or _FAR_US)]
    if marks and not tags:
        times = times_with(db, marks, *times[0], _together(query, marks))
    for first_us, last_us in times:
        about = (first_us, last_us, shortest_us, longest_us, bits, bits)
        values = [value for name in names for value in (name, *tags[1:], *tags[:1], *about)]
        for _, number in db.execute(sql, (*values, -1 if limit is None else limit)):
            key = db.execute("SELECT trace_id FROM trace WHERE id = ?", (number,)).fetchone()
            if key is not None:
                yield number, key[0]


def _together(query: Query, marks: Sequence[int]) -> list[int]:
    """The marks that one span must have: of its attributes, its name and its error."""
    about = [name_mark(query.operation)] if query.operation else []
    return [*marks, *about, *([FAILED_MARK] if query.error else ())]


def _rarest_first(db: sqlite3.Connection, query: Query, indexed: frozenset[str]) -> list[int]:
    """Tags of the indexed attributes: what few traces have is walked through, what many have is looked up for those.

    None when something else is asked for and even the rarest is common: the entries, and the sketches for those that
    fit, tell more with fewer looks.
    """
    tags = [tag_hash(key, value) for key, value in query.attributes.items() if key in indexed]
    if not tags or len(query.attributes) + bool(query.operation) + bool(query.error) < 2:
        return tags
    count = "SELECT count(*) FROM (SELECT 1 FROM tag WHERE hash = ? LIMIT ?)"
    counts = {tag: int(db.execute(count, (tag, COUNTED)).fetchone()[0]) for tag in tags}
    return [] if min(counts.values()) >= COUNTED else sorted(tags, key=counts.__getitem__)


def _us(time_ns: int) -> int:
    return min(max(time_ns // 1_000, 0), _FAR_US)


def _row(db: sqlite3.Connection, number: int) -> TraceRow | None:
    row = db.execute(
        "SELECT trace_id, first_ns, last_ns, spans, errors, about FROM trace WHERE id = ?", (number,)
    ).fetchone()
    if row is None:
        return None
    key, first_ns, last_ns, spans, errors, packed = row
    about = decode_about(packed)
    return TraceRow(
        trace_id=int.from_bytes(key),
        start_ns=first_ns,
        end_ns=last_ns,
        spans=spans,
        errors=errors,
        root_service=about.root_service,
        root_name=about.root_name,
        services=about.services,
    )


def _spans(db: sqlite3.Connection, origins: Origins, number: int, key: bytes) -> Iterable[SpanRecord]:
    trace_id = int.from_bytes(key)
    for (data,) in db.execute("SELECT data FROM chunk WHERE trace = ? ORDER BY id", (number,)):
        yield from split(data, trace_id, origins)


def _likely(
    db: sqlite3.Connection, origins: Origins, number: int, key: bytes, marks: Sequence[int]
) -> Iterable[SpanRecord]:
    """The spans of those chunks of a trace that may have all the attributes: one span's are all in one chunk."""
    if not marks:
        yield from _spans(db, origins, number, key)
        return
    for chunk, bits in db.execute("SELECT id, marks FROM chunk WHERE trace = ? ORDER BY id", (number,)).fetchall():
        if may_have(bits, marks):
            (data,) = db.execute("SELECT data FROM chunk WHERE id = ?", (chunk,)).fetchone()
            yield from split(data, int.from_bytes(key), origins)


def _fits(record: SpanRecord, query: Query) -> bool:
    duration = record.duration_ns
    return (
        (not query.service or record.origin.service == query.service)
        and (not query.operation or record.name == query.operation)
        and (not query.kind or record.kind == query.kind)
        and duration >= query.shortest_ns
        and (not query.longest_ns or duration <= query.longest_ns)
        and (query.error is None or (record.status == ERROR) is query.error)
        and all(_has(record, key, value) for key, value in query.attributes.items())
    )


def _has(record: SpanRecord, key: str, value: str) -> bool:
    for attributes in (record.attributes, record.origin.resource):
        if key in attributes:
            return attribute_text(attributes[key]) == value
    own = _OWN.get(key)
    if own is not None and own(record) == value:
        return True
    return any(key in event[2] and attribute_text(event[2][key]) == value for event in record.events)


_OWN: dict[str, Callable[[SpanRecord], str]] = {
    "error": lambda record: "true" if record.status == ERROR else "false",
    "span.kind": lambda record: KINDS[record.kind] if 0 <= record.kind < len(KINDS) else "",
    "otel.status_code": lambda record: STATUSES[record.status].upper() if 0 <= record.status < 3 else "",
    "otel.status_description": lambda record: record.message,
    "otel.scope.name": lambda record: record.origin.scope,
    "otel.scope.version": lambda record: record.origin.scope_version,
}
