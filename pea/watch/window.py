"""One series over sliding time: ten-second slices of event time for minutes, five-minute counts for days.

A value costs an append when it comes and a share of a numpy call when its slice is folded. Everything is bounded: the
ring of slices, what waits in one, the buckets of a slice, the ring of counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from pea.watch.buckets import EMPTY, Buckets, Counts, count, merge

SLICE_S = 10
SLICES = 90  # a quarter of an hour
SHORT_S = SLICE_S * SLICES
COARSE_S = 300
FOLD_AT = 512
_SLICE_NS = SLICE_S * 1_000_000_000
_COARSE_NS = COARSE_S * 1_000_000_000

Exemplar = tuple[float, int, int]  # value, trace id, end in ns since 1970


class Figures(msgspec.Struct, frozen=True):
    """How many values, how many of them marked (failed, missed), their sum and their greatest."""

    count: int = 0
    marked: int = 0
    total: float = 0.0
    high: float = 0.0


class Slice:
    """Ten seconds of a series. ``worst`` is its slowest value, ``failed`` its last marked one, with their traces."""

    __slots__ = ("_above", "buckets", "failed", "folded", "high", "marked", "pending", "slot", "total", "worst")

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.folded = 0
        self.marked = 0
        self.total = 0.0
        self.high = -1.0
        self.pending: list[float] = []
        self.buckets: Buckets = EMPTY
        self.worst: Exemplar | None = None
        self.failed: Exemplar | None = None
        self._above: dict[float, int] = {}

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.folded + len(self.pending)

    def fold(self) -> Buckets:
        """Count what waits; all that has been counted."""
        if self.pending:
            self.buckets = count(self.pending, self.buckets)
            self.folded += len(self.pending)
            self.total += sum(self.pending)
            self.pending = []
            self._above = {}
        return self.buckets

    def above(self, threshold: float) -> int:
        """How many values are above; remembered until there are more."""
        if threshold >= self.high:
            return 0
        self.fold()
        found = self._above.get(threshold)
        if found is None:
            found = self._above[threshold] = self.buckets.above(threshold)
        return found


class Window:
    """The recent past of one series, and by the five minutes as much of the longer past as rules ask for.

    ``long_s`` is how far back counts reach; ``limits`` are the values above which they count each value as too slow.
    """

    __slots__ = (
        "_coarse",
        "_coarse_slot",
        "_current",
        "_from_ns",
        "_limits",
        "_reach",
        "_ring",
        "_until_ns",
        "last_s",
        "late",
    )

    def __init__(self, long_s: int = 0, limits: Sequence[float] = ()) -> None:
        self._ring: list[Slice | None] = [None] * SLICES
        self._current = Slice(-1)  # the newest
        self._from_ns = self._until_ns = 0
        self._limits = tuple(limits)
        # A row for the values, one for the marked, and one for each limit.
        self._reach = -(-long_s // COARSE_S)
        self._coarse: npt.NDArray[np.uint32] = np.zeros((2 + len(self._limits), self._reach), np.uint32)
        self._coarse_slot = 0
        self.last_s = 0.0  # event time of the newest value
        self.late = 0  # values that came after their slice had gone

    def add(self, end_ns: int, value: float, trace_id: int = 0, *, marked: bool = False) -> None:
        """Take one value of the moment ``end_ns``."""
        if self._from_ns <= end_ns < self._until_ns:  # a division of such numbers costs twice that
            held = self._current
        else:
            found = self._slice(end_ns // _SLICE_NS)
            if found is None:
                self.late += 1
                return
            held = found
        pending = held.pending
        pending.append(value)
        if value > held.high:
            held.high = value
            held.worst = (value, trace_id, end_ns)
        if marked:
            held.marked += 1
            held.failed = (value, trace_id, end_ns)
        if len(pending) >= FOLD_AT:
            held.fold()
        if self._reach:
            self._count_long(end_ns, value, marked=marked)

    def figures(self, start_s: float, end_s: float) -> Figures:
        """What the slices say that end after ``start_s`` and begin before ``end_s``, seconds since 1970."""
        counted = marked = 0
        total = high = 0.0
        for held in self.slices(start_s, end_s):
            if held.pending:
                held.fold()
            counted += held.folded
            marked += held.marked
            total += held.total
            high = max(high, held.high)
        return Figures(counted, marked, total, high)

    def above(self, start_s: float, end_s: float, threshold: float) -> int:
        """How many values of that time are above a threshold; those within its 1 % bucket are not."""
        return sum(held.above(threshold) for held in self.slices(start_s, end_s))

    def merged(self, start_s: float, end_s: float) -> Counts:
        """The values of that time by bucket."""
        return merge(held.fold() for held in self.slices(start_s, end_s))

    def slices(self, start_s: float, end_s: float) -> list[Slice]:
        """The slices of that time that hold something, oldest first."""
        first, last = int(start_s // SLICE_S) + 1, int(end_s // SLICE_S)
        last = min(last, self._current.slot)
        first = max(first, last - SLICES + 1)
        if last < first:
            return []
        # Cut from the ring in one piece or two: rules look at thousands of slices at every interval.
        begin, end = first % SLICES, last % SLICES + 1
        held = self._ring[begin:end] if begin < end else self._ring[begin:] + self._ring[:end]
        return [one for one in held if one is not None and first <= one.slot <= last]

    def long(self, start_s: float, end_s: float, limit: float | None = None) -> tuple[int, int]:
        """Values and bad ones among them (marked, or above ``limit``) since the five minutes that hold ``start_s``."""
        size = self._reach
        first, last = int(start_s // COARSE_S) + 1, int(end_s // COARSE_S)
        last = min(last, self._coarse_slot)
        first = max(first, self._coarse_slot - size + 1)
        if last < first or not size:
            return 0, 0
        places = np.arange(first, last + 1) % size
        row = 1 if limit is None else 2 + self._limits.index(limit)
        return int(self._coarse[0, places].sum()), int(self._coarse[row, places].sum())

    @property
    def size_bytes(self) -> int:
        """Memory of what is held, roughly."""
        held = [one for one in self._ring if one is not None]
        return self._coarse.nbytes + sum(160 + one.buckets.size_bytes + 32 * len(one.pending) for one in held)

    def _slice(self, slot: int) -> Slice | None:
        held = self._ring[slot % SLICES]
        if held is not None and held.slot >= slot:
            return held if held.slot == slot else None
        newest = self._current
        if slot > newest.slot:
            newest.fold()
            self._current = made = Slice(slot)
            self._from_ns, self._until_ns = slot * _SLICE_NS, (slot + 1) * _SLICE_NS
            self.last_s = (slot + 1) * float(SLICE_S)
        elif newest.slot - slot >= SLICES:
            return None
        else:
            made = Slice(slot)
        self._ring[slot % SLICES] = made
        return made

    def _count_long(self, end_ns: int, value: float, *, marked: bool) -> None:
        slot, size = end_ns // _COARSE_NS, self._reach
        if slot > self._coarse_slot:
            passed = min(slot - self._coarse_slot, size)
            self._coarse[:, np.arange(slot - passed + 1, slot + 1) % size] = 0
            self._coarse_slot = slot
        elif self._coarse_slot - slot >= size:
            return
        column = self._coarse[:, slot % size]
        column[0] += 1
        column[1] += marked
        for row, limit in enumerate(self._limits, 2):
            column[row] += value > limit
