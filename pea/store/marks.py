"""A small sketch of all attributes in a chunk, so that a search for any of them need not open every chunk.

A Bloom filter (B. H. Bloom, CACM 13(7), 1970) of about ten bits an attribute and three probes each, derived from one
32-bit hash by double hashing: some 2 % of the chunks without an attribute pass, and none that has it is missed.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

PROBES = 3
BITS_EACH = 10
MIN_BITS, MAX_BITS = 64, 1 << 17
SUMMARY_BITS = 62
MAX_MARKS = 10_000  # of a chunk; one with more says that it may have anything
_SPREAD = 0x9E3779B1  # 2^32 over the golden ratio
_MASK = 0xFFFFFFFF
_MAX_KNOWN = 4_096  # most are ids that never come again: remembering more of them is memory for nothing

_WITH_BIT = [bytes(byte for byte in range(256) if byte >> bit & 1).hex() for bit in range(8)]

FAILED_MARK = zlib.crc32(b"\0failed")  # of a span with an error

_known: dict[tuple[str, str], int] = {}  # bounded


def mark_of(key: str, value: str) -> int:
    """32 bits that stand for an attribute; the same in every process."""
    mark = _known.get((key, value))
    if mark is None:
        mark = zlib.crc32(f"{key}\0{value}".encode("utf-8", "replace"))
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        _known[key, value] = mark
    return mark


def name_mark(name: str) -> int:
    """32 bits that stand for a span's name."""
    return _known.get(("", name)) or mark_of("", name)


def marks_of(attributes: Mapping[str, Any]) -> list[int]:
    """The mark of each attribute."""
    known = _known.get
    marks = []
    for key, value in attributes.items():
        text = value if type(value) is str else attribute_text(value)
        mark = known((key, text))
        marks.append(mark_of(key, text) if mark is None else mark)
    return marks


def attribute_text(value: Any) -> str:
    """A value as searches write it: as Jaeger shows it, so true is ``true`` and a list is JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple | dict):
        try:
            return msgspec.json.encode(value, enc_hook=str).decode()
        except (ValueError, TypeError, OverflowError, RecursionError):  # half a surrogate pair, a number beyond 64 bits
            return repr(value)
    if isinstance(value, bytes):
        return value.hex()
    return "" if value is None else str(value)


def sketch(marks: Collection[int]) -> bytes:
    """The filter's bytes; empty when there are too many marks to tell anything."""
    if len(marks) > MAX_MARKS:
        return b""
    size = MIN_BITS
    while size < BITS_EACH * len(marks) and size < MAX_BITS:
        size *= 2
    bits = bytearray(size // 8)
    last = size - 1
    for mark in marks:  # `_places`, without a call for each: this runs for every trace
        step = (mark * _SPREAD & _MASK) >> 14 | 1
        for place in range(mark, mark + PROBES * step, step):
            bits[(place & last) >> 3] |= 1 << (place & 7)
    return bytes(bits)


def may_have(bits: bytes, marks: Iterable[int]) -> bool:
    """Whether all marks may be in a sketch; False is certain."""
    if not bits:
        return True
    size = len(bits) * 8
    return all(bits[place >> 3] >> (place & 7) & 1 for mark in marks for place in _places(mark, size))


def summary(marks: Iterable[int]) -> int:
    """62 bits over all marks, above the lowest bit: a first look that SQLite takes by itself, in the index."""
    bits = 0
    for mark in marks:
        bits |= 2 << (mark >> 7) % SUMMARY_BITS | 2 << (mark >> 19) % SUMMARY_BITS
    return bits


def may_have_sql(column: str, marks: Iterable[int]) -> str:
    """`may_have` as an SQL expression over a column, so that SQLite needs no turn of the interpreter for each row.

    A bit is tested by looking its byte up among the 128 bytes that have it set.
    """
    given = list(marks)
    cases = []
    size = MIN_BITS
    while size <= MAX_BITS:
        places = sorted({place for mark in given for place in _places(mark, size)})
        tests = [f"instr(x'{_WITH_BIT[place & 7]}', substr({column}, {(place >> 3) + 1}, 1))" for place in places]
        cases.append(f"WHEN {size // 8} THEN {' AND '.join(tests) or '1'}")
        size *= 2
    return f"CASE length({column}) {' '.join(cases)} ELSE 1 END"


def _places(mark: int, size: int) -> Iterable[int]:
    step = (mark * _SPREAD & _MASK) >> 14 | 1  # from the high bits: the low ones have chosen the first place
    return [(mark + probe * step) % size for probe in range(PROBES)]
