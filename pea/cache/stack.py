"""The four tiers as one: a value found below fills the tiers above it, and one invalidation reaches them all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from pea.cache.ceiling import Ceiling
from pea.cache.entry import Entry, early_s, make
from pea.cache.flights import Flight, Flights
from pea.cache.index import INDEX_BYTES, Index
from pea.cache.ordered import ENTRY_BYTES as L1_BYTES
from pea.cache.ordered import NEAR_BYTES, Ordered
from pea.cache.outer import Outer, Reading, Record
from pea.cache.rules import Rules
from pea.cache.two_queues import ENTRY_BYTES as L2_BYTES
from pea.cache.two_queues import TwoQueues
from pea.cache.values import Uncacheable
from pea.cache.wire import Garbage, Unportable
from pea.telemetry import Tracer, names

if TYPE_CHECKING:
    from pea.cache.namespace import Namespace

MOST_BEHIND = 1_000  # writes to the outer tiers that may be under way; what would be one more is not written
_TIER_BYTES = INDEX_BYTES + max(L1_BYTES + NEAR_BYTES, L2_BYTES)  # of an entry in a memory tier, at most
FIRST_LOOK_S, LONGEST_LOOK_S = 0.01, 0.25  # how often a value is looked for that another process computes


class Invalidation(msgspec.Struct, frozen=True, kw_only=True):
    """What an event dropped: its patterns with their dependents, how many entries left memory.

    ``acknowledged``: every tier and every other process has confirmed; none serves an older value from then on.
    """

    event: str
    patterns: tuple[str, ...]
    removed: int
    acknowledged: bool


class Stack:
    """L1 of each agent, L2, and the outer tiers from the nearest to the farthest."""

    def __init__(
        self,
        tracer: Tracer,
        rules: Rules,
        outers: Sequence[Outer],
        ceiling: Ceiling,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.tracer = tracer
        self.rules = rules
        self.l1s: list[Ordered[str, Entry]] = []
        self.l2: TwoQueues[str, Entry] | None = None
        self.ceiling = ceiling
        self.outers = list(outers)
        self.index = Index()
        self.flights = Flights()
        self.not_written = 0
        self.fenced = False  # cut off from the processes that would tell of invalidations: nothing is kept in memory
        self._clock = clock
        self._wall = wall
        self._behind: set[asyncio.Task[Any]] = set()

    def due(self, entry: Entry) -> bool:
        """Whether it is time to compute the value anew."""
        return self._clock() >= entry.refresh_at

    def memory(self, key: str, space: Namespace[Any]) -> Entry | None:
        """L2's entry, which the namespace's L1 then holds until it is due."""
        space.missed(key)
        entry = None if self.l2 is None else self.l2.get(key)
        if entry is not None:
            left = entry.refresh_at - self._clock()
            if left > 0:
                space.hold(key, entry, entry.size_bytes + INDEX_BYTES, left)
                self.ceiling.grown(entry.size_bytes + _TIER_BYTES)
        return entry

    def entry(
        self,
        space: Namespace[Any],
        value: Any,
        groups: tuple[str, ...],
        ttl_s: float | None,
        cost_s: float,
        error: Exception | None = None,
    ) -> Entry:
        """An entry on the namespace's terms. Raises Uncacheable."""
        terms = space.terms
        ttl = terms.ttl_s if ttl_s is None else ttl_s
        if value is None:
            ttl = min(ttl, terms.negative_ttl_s)
        return make(
            value,
            groups,
            now=self._clock(),
            ttl_s=ttl,
            stale_s=terms.stale_s,
            cost_s=cost_s,
            early=early_s(cost_s, terms.beta),
            error=error,
        )

    def place(self, key: str, entry: Entry, space: Namespace[Any]) -> bool:
        """Put an entry into the memory tiers; False when none has taken it."""
        if self.fenced:
            return False
        now = self._clock()
        size = entry.size_bytes + INDEX_BYTES
        self.index.add(key, entry.groups)
        kept = self.l2 is not None and self.l2.put(key, entry, size, entry.expires - now)
        kept = space.hold(key, entry, size, entry.refresh_at - now) or kept
        self.ceiling.grown(2 * (entry.size_bytes + _TIER_BYTES))
        if not kept:
            self.left(key)
        return kept

    def left(self, key: str) -> None:
        """A memory tier has let a key go: the index forgets it unless another holds it."""
        if (self.l2 is None or key not in self.l2) and not any(key in l1 for l1 in self.l1s):
            self.index.discard(key)

    def drop(self, patterns: Sequence[str]) -> int:
        """Take what matches out of the memory tiers, and doom what is being computed; how many entries left."""
        removed = 0
        for pattern in patterns:
            self.flights.doom(pattern)
            for key in self.index.matching(pattern):
                removed += 1
                self.index.discard(key)
                if self.l2 is not None:
                    self.l2.pop(key)
                for l1 in self.l1s:
                    l1.pop(key)
        return removed

    def drop_all(self) -> int:
        """Empty the memory tiers."""
        self.flights.doom("*")
        return self.drop(["*"])

    async def invalidate(self, patterns: Sequence[str], event: str = "") -> Invalidation:
        """Drop patterns and their dependents from every tier, memory first, before anything is waited for."""
        every = tuple(dict.fromkeys(found for pattern in patterns for found in self.rules.dependents(pattern)))
        attributes: dict[str, Any] = {names.PEA_CACHE_EVENT: event or "invalidate", names.PEA_CACHE_REMOVED: 0}
        with self.tracer.span(f"{names.SPAN_CACHE_INVALIDATE} {attributes[names.PEA_CACHE_EVENT]}", attributes) as span:
            removed = self.drop(every)
            span.set_attribute(names.PEA_CACHE_REMOVED, removed)
            # The farthest first: a tier that has been emptied is not filled again from one that has not.
            sure = True
            if every:
                for outer in reversed(self.outers):
                    sure = await outer.invalidate(every) and sure
            return Invalidation(event=event, patterns=every, removed=removed, acknowledged=sure)

    async def heard(self, patterns: Sequence[str]) -> None:
        """Another process has invalidated: drop here what it has dropped there."""
        self.drop(patterns)
        await self._invalidate_own(patterns)

    async def missed(self) -> None:
        """An invalidation may have been missed: nothing that is held here can be trusted."""
        self.drop_all()
        await self._invalidate_own(["*"])

    def cut_off(self, *, alone: bool) -> None:
        """Invalidations cannot be heard: hold nothing, unless there was no other process to hear."""
        if not alone:
            self.fenced = True
            self.drop_all()

    def back(self) -> None:
        """Invalidations are heard again."""
        self.fenced = False

    async def _invalidate_own(self, patterns: Sequence[str]) -> None:
        for outer in self.outers:
            if outer.tier != "l3":
                await outer.invalidate(patterns)

    async def fly(
        self,
        flight: Flight,
        space: Namespace[Any],
        compute: Callable[[], Awaitable[Any]],
        ttl_s: float | None,
        *,
        anew: bool,
    ) -> Entry:
        """One flight: look outside, compute, fill. What has been doomed meanwhile is returned but not kept."""
        stamps: list[tuple[Outer, object]] = []
        if self.outers and space.terms.portable:
            entry = await self._outside(flight, space, stamps, anew=anew)
            if entry is not None:
                if not flight.doomed:
                    self.place(flight.key, entry, space)
                return entry
        began = self._clock()
        try:
            value = await compute()
        except BaseException as error:  # cancellation too: a lease that nobody holds must not wait to run out
            for outer, stamp in stamps:
                self._later(outer.release(flight.key, stamp))
            if isinstance(error, space.terms.negative_errors) and isinstance(error, Exception):
                return self._remember(flight, space, error)
            space.counts.failed += 1
            raise
        cost = self._clock() - began
        space.counts.computed += 1
        space.counts.compute_s += cost
        try:
            entry = self.entry(space, value, flight.groups, ttl_s, cost)
        except Uncacheable:
            space.counts.uncacheable += 1
            return _unheld(value)
        if not flight.doomed:
            self.place(flight.key, entry, space)
        self._write(flight, space, value, entry, stamps)
        return entry

    async def aclose(self) -> None:
        """Cancel computations, finish what is being written, close the tiers."""
        await self.flights.aclose()
        await self.settle()
        for outer in self.outers:
            await outer.aclose()

    async def settle(self) -> None:
        """Wait for the writes behind."""
        while self._behind:
            await asyncio.wait(list(self._behind))

    async def _outside(
        self, flight: Flight, space: Namespace[Any], stamps: list[tuple[Outer, object]], *, anew: bool
    ) -> Entry | None:
        """Ask the outer tiers in turn, under a span; a stamp for each that has not got the value."""
        with self.tracer.span(space.span_name, space.attributes["none"]) as span:
            for outer in self.outers:
                reading = await self._read(outer, flight, anew=anew)
                tier = outer.tier
                about: dict[str, Any] = {names.PEA_CACHE_TIER: tier, names.PEA_CACHE_HIT: reading.record is not None}
                if reading.fault is not None:
                    about[names.ERROR_TYPE] = reading.fault[:100]
                span.add_event(names.SPAN_CACHE_LOOKUP, about)
                entry = None if reading.record is None else self._unpack(flight, space, reading.record)
                if entry is not None and reading.record is not None:
                    span.set_attributes(space.attributes[tier])
                    setattr(space.counts, tier, getattr(space.counts, tier) + 1)
                    for above, stamp in stamps:
                        self._later(above.write(flight.key, reading.record, stamp))
                    return entry
                if reading.record is not None:  # of another type or time: to be replaced
                    reading = await outer.read(flight.key, flight.groups, anew=True)
                if reading.stamp is not None:
                    stamps.append((outer, reading.stamp))
            space.counts.none += 1
        return None

    async def _read(self, outer: Outer, flight: Flight, *, anew: bool) -> Reading:
        """One tier's answer; while another process computes the value, that is waited for.

        Also by a flight that is doomed: an invalidation has voided that process's lease too, so the wait is short, and
        a process that drops everything as it joins the fleet must not compute what the fleet is computing.
        """
        pause = FIRST_LOOK_S
        while True:
            reading = await outer.read(flight.key, flight.groups, anew=anew)
            if not reading.busy or anew:
                return reading
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_LOOK_S)

    def _unpack(self, flight: Flight, space: Namespace[Any], record: Record) -> Entry | None:
        age = max(self._wall() - record.made, 0.0)
        left = record.ttl_s - age
        if left + record.stale_s <= 0:
            return None
        try:
            mark, value = record.data[:12], space.codec.unpack(record.data[12:])
            if mark != space.codec.fingerprint.encode():
                return None
            return make(
                value,
                flight.groups,
                now=self._clock(),
                ttl_s=max(left, 0.0),
                stale_s=record.stale_s if left > 0 else record.stale_s + left,
                cost_s=record.cost_s,
                early=early_s(record.cost_s, space.terms.beta),
            )
        except (Garbage, Uncacheable):
            return None

    def _write(
        self, flight: Flight, space: Namespace[Any], value: Any, entry: Entry, stamps: list[tuple[Outer, object]]
    ) -> None:
        if not stamps:
            return
        try:
            data = space.codec.fingerprint.encode() + space.codec.pack(value, space.compress_above)
        except Unportable:
            space.counts.unportable += 1
            for outer, stamp in stamps:
                self._later(outer.release(flight.key, stamp))
            return
        ttl, stale = entry.expires - entry.made - space.terms.stale_s, space.terms.stale_s
        record = Record(data, self._wall(), ttl, stale, entry.cost_s)
        for outer, stamp in stamps:
            self._later(outer.write(flight.key, record, stamp))

    def _remember(self, flight: Flight, space: Namespace[Any], error: Exception) -> Entry:
        """Keep an error in memory, for as long as the namespace says."""
        space.counts.failed += 1
        ttl = min(space.terms.negative_ttl_s, space.terms.ttl_s)
        entry = self.entry(space, None, flight.groups, ttl, 0.0, error.with_traceback(None))
        if not flight.doomed:
            self.place(flight.key, entry, space)
        return entry

    def _later(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it behind the caller's back, within bounds."""
        if len(self._behind) >= MOST_BEHIND:
            self.not_written += 1
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)


def _unheld(value: Any) -> Entry:
    """A value that is handed over but not kept; all that waited for this computation share it."""
    entry = Entry()
    entry.payload, entry.open, entry.error, entry.plain = value, None, None, True
    return entry
