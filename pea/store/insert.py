"""Writes drafts into the tables, and keeps the short lists of names and origins that rows refer to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple, TypeVar

import msgspec

from pea.store.codec import join, pack_origin
from pea.store.database import ANY, OVERFLOW
from pea.store.draft import FAILED, MAX_NAME, Entry, TraceDraft
from pea.store.marks import sketch, summary
from pea.store.sieve import Stretches
from pea.telemetry.record import Origin

MAX_OPERATIONS = 2_000  # names of operations per service; what is beyond is indexed as one
MAX_NAMES = 20_000
MAX_TRACE_SPANS = 100_000  # what one trace may grow to in the store
MAX_TAGS = 500  # indexed attribute values per trace
_SEEN_EVERY_US = 60_000_000
_MAX_ORIGINS = 4_096
_IN_USE_FOR = 1_000  # traces, so that it need not be noted for each

_encode = msgspec.msgpack.Encoder().encode


class About(msgspec.Struct, array_like=True):
    """What a trace's row says beside its numbers; ``names`` and ``tags`` are the keys of its rows in the indexes."""

    root_service: str
    root_name: str
    services: dict[str, tuple[int, int]]  # spans and errors
    names: list[int]
    tags: list[int]
    rooted: bool = False


K = TypeVar("K")


class _Known(NamedTuple):
    """An origin that is in the file, held so that its identity stays its own, and in use up to a trace's id."""

    origin: Origin
    number: int
    high: int


decode_about = msgspec.msgpack.Decoder(About).decode


class Inserter:
    """Knows the names and origins that are in the file; used by the writer's thread within its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self.stretches = Stretches(connection)
        self._names: dict[tuple[str, str], int] = {}
        self._kinds: dict[int, int] = {}
        self._seen: dict[int, int] = {}
        self._operations: dict[str, int] = {}
        self._origins: dict[int, _Known] = {}  # by identity of the origin
        for number, service, operation, kinds in connection.execute("SELECT id, service, operation, kinds FROM name"):
            self._names[service, operation] = number
            self._kinds[number] = kinds
            self._operations[service] = self._operations.get(service, 0) + 1

    def insert(self, draft: TraceDraft) -> int:
        """Write a draft: a new trace, or more of one that is here. The number of spans written, 0 beyond the bound."""
        key = draft.trace_id.to_bytes(16)
        found = self._db.execute(
            "SELECT id, start_us, first_ns, last_ns, spans, errors, about FROM trace WHERE trace_id = ?", (key,)
        ).fetchone()
        services = _services(draft)
        folded = self._entries(draft, services)
        flags = summary(draft.marks)
        tags = list(draft.tags)[:MAX_TAGS]
        if found is None:
            start_us = draft.start_ns // 1_000
            trace = self._new(draft, key, start_us, _counted(services, {}), list(folded), tags)
        elif found[4] + draft.spans > MAX_TRACE_SPANS:
            return 0
        else:
            trace, start_us = found[0], found[1]
            self._grow(draft, found, services, folded, tags)
        self.stretches.add(trace, start_us, draft.marks, draft.marks_together())
        execute = self._db.executemany
        self._db.execute(
            "INSERT INTO chunk (trace, marks, data) VALUES (?, ?, ?)",
            (trace, sketch(draft.marks), join([self._origin(origin, trace) for origin in draft.origins], draft.packed)),
        )
        execute(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " shortest_us = min(shortest_us, excluded.shortest_us), longest_us = max(longest_us, excluded.longest_us),"
            " flags = flags | excluded.flags",
            [
                (name, start_us, trace, e.shortest_us, e.longest_us, flags | FAILED if e.errors else flags)
                for name, e in folded.items()
            ],
        )
        if tags:
            execute("INSERT OR IGNORE INTO tag VALUES (?, ?, ?)", [(tag, start_us, trace) for tag in tags])
        if draft.links:
            pairs = [(key, other.to_bytes(16)) for other in draft.links]
            execute("INSERT OR IGNORE INTO link VALUES (?, ?)", [*pairs, *((b, a) for a, b in pairs)])
        return draft.spans

    def name(self, service: str, operation: str, kinds: int, now_us: int) -> int:
        """The id of a service's operation ('' for the service itself); the overflow's when there are too many."""
        key = (service[:MAX_NAME], operation[:MAX_NAME])
        number = self._names.get(key)
        if number is None:
            crowded = len(self._names) >= MAX_NAMES or self._operations.get(key[0], 0) >= MAX_OPERATIONS
            if crowded and operation != OVERFLOW:
                return self.name("" if len(self._names) >= MAX_NAMES else service, OVERFLOW, kinds, now_us)
            number = self._db.execute(
                "INSERT INTO name (service, operation, kinds, seen_us) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET kinds = kinds | excluded.kinds RETURNING id",  # another process has it
                (_clean(key[0]), _clean(key[1]), kinds, now_us),
            ).fetchone()[0]
            self._names[key] = number
            self._kinds[number] = kinds
            self._operations[key[0]] = self._operations.get(key[0], 0) + 1
            self._seen[number] = now_us
        elif self._kinds[number] | kinds != self._kinds[number] or now_us - self._seen.get(number, 0) > _SEEN_EVERY_US:
            self._kinds[number] |= kinds
            self._seen[number] = now_us
            self._db.execute(
                "UPDATE name SET kinds = ?, seen_us = max(seen_us, ?) WHERE id = ?",
                (self._kinds[number], now_us, number),
            )
        return number

    def forget_names(self, numbers: Iterable[int]) -> None:
        """Names that have been deleted from the file."""
        gone = set(numbers)
        for key in [key for key, number in self._names.items() if number in gone]:
            del self._names[key]
            self._operations[key[0]] -= 1

    def forget_origins(self, numbers: Iterable[int]) -> None:
        """Origins that have been deleted from the file."""
        gone = set(numbers)
        for key in [key for key, known in self._origins.items() if known.number in gone]:
            del self._origins[key]

    def _entries(self, draft: TraceDraft, services: Mapping[str, Entry]) -> dict[int, Entry]:
        """The draft's entries by name, with those of each service and of the whole trace."""
        now_us = draft.end_ns // 1_000
        folded: dict[int, Entry] = {}
        for service, entry in services.items():
            _fold(folded, ANY, entry)
            _fold(folded, self.name(service, "", entry.kinds, now_us), entry)
        for (service, operation), entry in draft.entries.items():
            _fold(folded, self.name(service, operation or "(unnamed)", entry.kinds, now_us), entry)
        return folded

    def _new(
        self,
        draft: TraceDraft,
        key: bytes,
        start_us: int,
        services: dict[str, tuple[int, int]],
        names: list[int],
        tags: list[int],
    ) -> int:
        first = next(iter(draft.entries), ("", ""))
        root = draft.root or (first[0][:MAX_NAME], first[1][:MAX_NAME])
        about = About(_clean(root[0]), _clean(root[1]), services, names, tags, rooted=draft.root is not None)
        row = (key, start_us, draft.start_ns, draft.end_ns, draft.spans, draft.errors, _encode(about))
        number: int = self._db.execute(
            "INSERT INTO trace (trace_id, start_us, first_ns, last_ns, spans, errors, about)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            row,
        ).fetchone()[0]
        return number

    def _grow(
        self,
        draft: TraceDraft,
        found: tuple[int, ...],
        services: Mapping[str, Entry],
        folded: Iterable[int],
        tags: list[int],
    ) -> None:
        number, _, first_ns, last_ns, spans, errors, packed = found
        about = decode_about(packed)  # type: ignore[arg-type]  # the row's last column is a blob
        _counted(services, about.services)
        if draft.root is not None and not about.rooted:
            about.root_service, about.root_name, about.rooted = _clean(draft.root[0]), _clean(draft.root[1]), True
        about.names = list({*about.names, *folded})
        if len(about.tags) >= MAX_TAGS:
            tags.clear()
        about.tags = list({*about.tags, *tags})
        row = (
            min(first_ns, draft.start_ns),
            max(last_ns, draft.end_ns),
            spans + draft.spans,
            errors + draft.errors,
            _encode(about),
            number,
        )
        self._db.execute(
            "UPDATE trace SET first_ns = ?, last_ns = ?, spans = ?, errors = ?, about = ? WHERE id = ?", row
        )

    def _origin(self, origin: Origin, trace: int) -> int:
        """The id of an origin that a trace refers to; noted as in use for some traces to come."""
        known = self._origins.get(id(origin))
        if known is not None and trace <= known.high:
            return known.number
        data = pack_origin(origin)
        digest = blake2b(data, digest_size=16).digest()
        number: int
        found = self._db.execute("SELECT id, high FROM origin WHERE digest = ?", (digest,)).fetchone()
        if found is not None and trace <= found[1]:
            number, high = found
        else:
            high = trace + _IN_USE_FOR
            (number,) = self._db.execute(
                "INSERT INTO origin (high, digest, data) VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET high = excluded.high RETURNING id",
                (high, digest, data),
            ).fetchone()
        if len(self._origins) >= _MAX_ORIGINS:
            self._origins.clear()
        self._origins[id(origin)] = _Known(origin, number, high)
        return number


def _services(draft: TraceDraft) -> dict[str, Entry]:
    services: dict[str, Entry] = {}
    for (service, _), entry in draft.entries.items():
        _fold(services, service, entry)
    return services


def _fold(into: dict[K, Entry], key: K, entry: Entry) -> None:
    known = into.get(key)
    if known is None:
        into[key] = Entry(entry.spans, entry.errors, entry.shortest_us, entry.longest_us, entry.kinds)
        return
    known.spans += entry.spans
    known.errors += entry.errors
    known.kinds |= entry.kinds
    known.shortest_us = min(known.shortest_us, entry.shortest_us)
    known.longest_us = max(known.longest_us, entry.longest_us)


def _counted(services: Mapping[str, Entry], had: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Spans and failed spans of each service, beside those it had."""
    for service, entry in services.items():
        name = _clean(service[:MAX_NAME])
        spans, errors = had.get(name, (0, 0))
        had[name] = (spans + entry.spans, errors + entry.errors)
    return had


def _clean(text: str) -> str:
    """Text that SQLite and msgpack take: half a surrogate pair becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
