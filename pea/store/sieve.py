"""Which stretches of time cannot have an attribute: one Bloom filter over the marks of some thousands of traces.

A chunk's own sketch (`pea.store.marks`) spares opening the chunk; a sieve spares looking at thousands of sketches. So
a search for what nobody has reads some dozens of filters, however much is stored. A stretch that is still growing, or
whose writer was killed, has no filter: it is always looked through, and is never larger than the others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise, takewhile

import msgspec

from pea.store.marks import MAX_MARKS
from pea.store.pairs import Common, Pairs, common_of, may_be_together

FULL_MARKS = 16_384  # a stretch ends with so many different marks,
FULL_CHUNKS = 4_096  # or with so many chunks,
FIRST_CHUNKS = 512  # fewer while it is not known which marks are common
MAX_TIMES = 64  # of a stretch: senders' clocks differ, and old traces grow
MAX_ASKED = 256  # of a search
PROBES = 7
BITS_EACH = 12  # a filter lets 0.3 % of what it does not have pass
_MIN_BITS = 1_024
_SPREAD, _STIR, _MASK = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, (1 << 64) - 1  # of splitmix64

TABLE = """
CREATE TABLE sieve (
    id INTEGER PRIMARY KEY AUTOINCREMENT, high INTEGER NOT NULL, times BLOB NOT NULL, bits BLOB, pairs BLOB
);
"""
# What a file without sieves has is one stretch of all times, in msgpack, that is always looked through.
ALL_TIMES = """
INSERT INTO sieve (high, times) SELECT max(id), x'9192cf0000000000000000cf7fffffffffffffff' FROM trace HAVING max(id);
"""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[int, int]]).decode

Times = tuple[int, int]  # first and last start of traces, µs


class _Stretch(msgspec.Struct):
    """One that is still growing; ``starts`` are those of the present transaction."""

    pairs: Pairs
    most_chunks: int
    number: int | None = None
    high: int = 0
    chunks: int = 0
    starts: list[int] = []
    times: list[Times] = []
    marks: set[int] = set()
    anything: bool = False


class Stretches:
    """The writer's side: notes what its transactions write, and turns what is full into a filter.

    Made anew after a rollback: the stretch that was begun stays without a filter.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._common: list[int] = []
        self._learning = Common()
        last = db.execute("SELECT pairs FROM sieve WHERE pairs IS NOT NULL ORDER BY id DESC LIMIT 1").fetchone()
        if last is not None:
            self._common = common_of(last[0])
        self._open = self._begin()

    def add(self, trace: int, start_us: int, marks: Collection[int], together: Collection[Collection[int]]) -> None:
        """Note a chunk of the trace with this row id and start: all its marks, and those of each span."""
        one = self._open
        one.pairs.add(together)
        self._learning.look(trace, together)
        one.high = max(one.high, trace)
        one.chunks += 1
        one.starts.append(start_us)
        if len(marks) > MAX_MARKS:
            one.anything = True
        else:
            one.marks.update(marks)

    def finish(self, *, closing: bool = False) -> None:
        """Write what the stretch covers; to be called at the end of each transaction, within it."""
        one = self._open
        if not one.starts and not (closing and one.chunks):
            return
        full = closing or len(one.marks) >= FULL_MARKS or one.chunks >= one.most_chunks
        one.times = joined(sorted([*one.times, *((start, start) for start in one.starts)]), MAX_TIMES)
        one.starts.clear()
        bits = sieve(one.marks) if full and not one.anything else None
        (one.number,) = self._db.execute(
            "INSERT INTO sieve (id, high, times, bits, pairs) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " high = excluded.high, times = excluded.times, bits = excluded.bits, pairs = excluded.pairs RETURNING id",
            (one.number, one.high, _encode(one.times), bits, one.pairs.packed()),
        ).fetchone()
        if full:
            self._open = self._begin()

    def _begin(self) -> _Stretch:
        if self._learning.enough:
            self._common, self._learning = self._learning.marks(), Common()
        return _Stretch(Pairs(self._common), FULL_CHUNKS if self._common else min(FIRST_CHUNKS, FULL_CHUNKS))


def forget_stretches(db: sqlite3.Connection, pinned: Collection[bytes] = ()) -> None:
    """Delete the filters of traces that are all gone; inside the caller's transaction.

    Of what came before the first trace that is not ``pinned``, only filters in whose times a pinned one started stay.
    """
    oldest = db.execute("SELECT id, trace_id, start_us FROM trace ORDER BY id LIMIT ?", (len(pinned) + 1,)).fetchall()
    left = list(takewhile(lambda row: row[1] in pinned, oldest))
    if len(left) == len(oldest):
        return
    first, starts = oldest[len(left)][0], [row[2] for row in left]
    for number, times in db.execute("SELECT id, times FROM sieve WHERE high < ?", (first,)).fetchall():
        if not any(begin <= start <= end for begin, end in _decode(times) for start in starts):
            db.execute("DELETE FROM sieve WHERE id = ?", (number,))


def times_with(
    db: sqlite3.Connection, marks: Sequence[int], first_us: int, last_us: int, together: Sequence[int] = ()
) -> list[Times]:
    """The spans of time, newest first, in which a trace may have started that fits.

    It has all the ``marks`` in one chunk, and one of its spans has all those of ``together``.
    """
    found = [
        (max(first, first_us), min(last, last_us))
        for times, bits, pairs in db.execute("SELECT times, bits, pairs FROM sieve")
        if (bits is None or passes(bits, marks)) and may_be_together(pairs, together)
        for first, last in _decode(times)
        if first <= last_us and last >= first_us
    ]
    return joined(sorted(found), MAX_ASKED)[::-1]


def joined(times: Sequence[Times], at_most: int) -> list[Times]:
    """Sorted spans of time as at most so many that do not overlap; the narrowest gaps between them are closed."""
    apart: list[Times] = []
    for first, last in times:
        if apart and first <= apart[-1][1] + 1:
            apart[-1] = (apart[-1][0], max(apart[-1][1], last))
        else:
            apart.append((first, last))
    if len(apart) <= at_most:
        return apart
    gaps = sorted(range(1, len(apart)), key=lambda place: apart[place - 1][1] - apart[place][0])  # widest first
    cuts = [0, *sorted(gaps[: at_most - 1]), len(apart)]
    return [(apart[start][0], apart[end - 1][1]) for start, end in pairwise(cuts)]


def sieve(marks: Collection[int]) -> bytes:
    """A Bloom filter over marks of 32 bits, its probes by double hashing (Kirsch and Mitzenmacher, 2006)."""
    import numpy as np  # late: it takes longer to import than a service to start

    size = (max(BITS_EACH * len(marks), _MIN_BITS) + 7) // 8 * 8
    mixed = np.fromiter(marks, np.uint64, len(marks)) * np.uint64(_SPREAD)
    mixed = (mixed ^ mixed >> np.uint64(31)) * np.uint64(_STIR)
    place, step = mixed >> np.uint64(32), mixed & np.uint64(0xFFFFFFFF) | np.uint64(1)
    bits = np.zeros(size, np.bool_)
    for probe in range(PROBES):
        bits[(place + np.uint64(probe) * step) % np.uint64(size)] = True
    return np.packbits(bits, bitorder="little").tobytes()


def passes(bits: bytes, marks: Iterable[int]) -> bool:
    """Whether all marks may be in a filter; False is certain."""
    size = 8 * len(bits)
    for mark in marks:
        mixed = mark * _SPREAD & _MASK
        mixed = (mixed ^ mixed >> 31) * _STIR & _MASK
        first, step = mixed >> 32, mixed & 0xFFFFFFFF | 1
        for probe in range(PROBES):
            place = (first + probe * step) % size
            if not bits[place >> 3] >> (place & 7) & 1:
                return False
    return True
