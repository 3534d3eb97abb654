"""A trace on its way to the store: spans already packed, and beside them what the indexes need to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from pea.store.codec import pack
from pea.store.marks import FAILED_MARK, MAX_MARKS, attribute_text, marks_of, name_mark
from pea.telemetry.record import ERROR, MAX_TIME_NS, Origin, SpanRecord

MAX_NAME = 400  # characters of a service's or operation's name in the index; spans keep theirs whole
MAX_LINKS = 100  # other traces that one trace is shown joined to
FAILED = 1
_FIXED_BYTES = 600
_MAX_HASHES = 4_096  # most are ids that never come again: remembering more of them is memory for nothing

_hashes: dict[tuple[str, str], int] = {}  # bounded


class Entry(msgspec.Struct, gc=False):
    """All spans of a trace with one service and operation: how many, the shortest and longest (µs), bits of kinds."""

    spans: int
    errors: int
    shortest_us: int
    longest_us: int
    kinds: int


class TraceDraft:
    """Spans of one trace that are written together; a trace that goes on has several."""

    __slots__ = (
        "_indexed",
        "_places",
        "_span_marks",
        "_span_parts",
        "end_ns",
        "entries",
        "errors",
        "links",
        "marks",
        "origins",
        "packed",
        "root",
        "size_bytes",
        "spans",
        "start_ns",
        "tags",
        "trace_id",
    )

    def __init__(self, trace_id: int, indexed: frozenset[str] = frozenset()) -> None:
        self.trace_id = trace_id
        self.packed: list[bytes] = []
        self.origins: list[Origin] = []
        self.entries: dict[tuple[str, str], Entry] = {}
        self.tags: set[int] = set()
        self.links: set[int] = set()
        self.marks: set[int] = set()  # of every attribute, for `sketch`
        self.root: tuple[str, str] | None = None  # service and operation of the root, once it has come
        self.spans = self.errors = 0
        self.size_bytes = _FIXED_BYTES
        self.start_ns = MAX_TIME_NS
        self.end_ns = 0
        self._indexed = indexed
        self._places: dict[int, int] = {}
        self._span_marks: list[int] = []  # one span's own after the other's: a list for each costs three times as much
        self._span_parts: list[int] = []  # of each span the place of its origin, and where its marks end

    def add(self, record: SpanRecord) -> None:
        """Pack a span and note it in the indexes, its leaves too."""
        origin = record.origin
        place = self._places.get(id(origin))
        if place is None:
            place = self._places[id(origin)] = len(self.origins)
            self.origins.append(origin)
            self.marks.update(marks_of(origin.resource))
        data = pack(record, place)
        self.packed.append(data)
        self.size_bytes += len(data) + 40
        start, end = min(max(record.start_ns, 0), MAX_TIME_NS), min(max(record.end_ns, 0), MAX_TIME_NS)
        self.start_ns = min(self.start_ns, start)
        self.end_ns = max(self.end_ns, end)
        failed = record.status == ERROR
        service = origin.service
        self._note(service, record.name, max(end - start, 0) // 1_000, record.kind, failed=failed)
        if failed:
            self._span_marks.append(FAILED_MARK)
        self._note_attributes(place, record.name, record.attributes, record.events)
        for name, leaf_start, leaf_end, about in record.leaves:
            self._note(service, name, max(leaf_end - leaf_start, 0) // 1_000, 1, failed=False)
            self._note_attributes(place, name, about or {})
        for link in record.links:
            if link.trace_id != self.trace_id and len(self.links) < MAX_LINKS:
                self.links.add(link.trace_id)
        if not record.parent_id:
            self.root = (service[:MAX_NAME], record.name[:MAX_NAME])

    def marks_together(self) -> list[list[int]]:
        """The marks of each span: of its attributes, its resource, its events, its name and its error."""
        shared = [marks_of(origin.resource) for origin in self.origins]
        found, start = [], 0
        parts = iter(self._span_parts)
        for place, end in zip(parts, parts, strict=True):
            found.append(shared[place] + self._span_marks[start:end])
            start = end
        return found

    def _note(self, service: str, name: str, duration_us: int, kind: int, *, failed: bool) -> None:
        self.spans += 1
        self.errors += failed
        entry = self.entries.get((service, name))
        if entry is None:
            self.entries[service, name] = Entry(1, int(failed), duration_us, duration_us, 1 << (kind & 7))
            return
        entry.spans += 1
        entry.errors += failed
        entry.kinds |= 1 << (kind & 7)
        if duration_us < entry.shortest_us:
            entry.shortest_us = duration_us
        elif duration_us > entry.longest_us:
            entry.longest_us = duration_us

    def _note_attributes(
        self,
        place: int,
        name: str,
        attributes: Mapping[str, Any],
        events: Sequence[tuple[str, int, Mapping[str, Any], int]] = (),
    ) -> None:
        """Note one span's attributes, beside those that all spans of its origin, at this place, have."""
        marks = marks_of(attributes)
        for event in events:
            marks += marks_of(event[2])
        self.marks.update(marks)
        span_marks = self._span_marks
        span_marks += marks
        span_marks.append(name_mark(name))
        self._span_parts += place, len(span_marks)
        self.size_bytes += 8 * (len(marks) + 2)
        if len(self.marks) > 2 * MAX_MARKS:
            self.marks = set(range(MAX_MARKS + 1))  # too many to be worth a sketch
        for key in self._indexed.intersection(attributes):
            self.tags.add(tag_hash(key, attribute_text(attributes[key])))


def tag_hash(key: str, value: str) -> int:
    """63 bits that stand for an attribute in the index; a search looks at the spans again, so a clash costs nothing."""
    known = _hashes.get((key, value))
    if known is None:
        text = f"{key}\0{value}".encode("utf-8", "replace")
        known = int.from_bytes(blake2b(text, digest_size=8).digest()) >> 1
        if len(_hashes) >= _MAX_HASHES:
            _hashes.clear()
        _hashes[key, value] = known
    return known
