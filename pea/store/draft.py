"""A trace on its way to the store: spans already packed, and beside them what the indexes need to know."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from pea.store.codec import pack
from pea.store.marks import MAX_MARKS, mark_of
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

    def add(self, record: SpanRecord) -> None:
        """Pack a span and note it in the indexes, its leaves too."""
        origin = record.origin
        place = self._places.get(id(origin))
        if place is None:
            place = self._places[id(origin)] = len(self.origins)
            self.origins.append(origin)
            self._mark(origin.resource)
        data = pack(record, place)
        self.packed.append(data)
        self.size_bytes += len(data) + 40
        start, end = min(max(record.start_ns, 0), MAX_TIME_NS), min(max(record.end_ns, 0), MAX_TIME_NS)
        self.start_ns = min(self.start_ns, start)
        self.end_ns = max(self.end_ns, end)
        failed = record.status == ERROR
        service = origin.service
        self._note(service, record.name, max(end - start, 0) // 1_000, record.kind, failed=failed)
        self._note_tags(record.attributes)
        for event in record.events:
            self._mark(event[2])
        for name, leaf_start, leaf_end, about in record.leaves:
            self._note(service, name, max(leaf_end - leaf_start, 0) // 1_000, 1, failed=False)
            if about:
                self._note_tags(about)
        for link in record.links:
            if link.trace_id != self.trace_id and len(self.links) < MAX_LINKS:
                self.links.add(link.trace_id)
        if not record.parent_id:
            self.root = (service[:MAX_NAME], record.name[:MAX_NAME])

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

    def _mark(self, attributes: Mapping[str, Any]) -> None:
        add = self.marks.add
        for key, value in attributes.items():
            add(mark_of(key, attribute_text(value)))
        if len(self.marks) > 2 * MAX_MARKS:
            self.marks = set(range(MAX_MARKS + 1))  # too many to be worth a sketch

    def _note_tags(self, attributes: Mapping[str, Any]) -> None:
        self._mark(attributes)
        for key in self._indexed.intersection(attributes):
            self.tags.add(tag_hash(key, attribute_text(attributes[key])))


def attribute_text(value: Any) -> str:
    """A value as searches write it: as Jaeger shows it, so true is ``true`` and a list is JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | dict):
        try:
            return msgspec.json.encode(value, enc_hook=str).decode()
        except (ValueError, TypeError, OverflowError, RecursionError):  # half a surrogate pair, a number beyond 64 bits
            return repr(value)
    if isinstance(value, bytes):
        return value.hex()
    return "" if value is None else str(value)


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
