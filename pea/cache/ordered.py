"""A bounded mapping whose entries leave in an order: least recently used, first in, or next to expire.

Bounded by bytes, by entries and by age at once. It serves as L1, and as the structure behind every bounded history.
"""

from __future__ import annotations

import heapq
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, Literal, TypeVar

from pea.cache.counts import TierStats

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: Bytes that an entry costs beside its value: slot and links of the ordered dict, tuple, floats, the key's block.
ENTRY_BYTES = 320

Policy = Literal["lru", "fifo", "ttl"]


class Ordered(Generic[K, V]):
    """Of the entries beyond a bound the first in order leave: ``lru``, ``fifo``, or ``ttl`` (soonest to expire).

    ``left`` is called with each key that leaves by itself (bounds or age), not for `pop` and `clear`.
    """

    __slots__ = (
        "_age_s", "_clock", "_find", "_heap", "_held", "_left", "_move", "_moves", "_serial", "dropped", "evicted_age",
        "evicted_size", "hits", "limit_bytes", "limit_entries", "misses", "policy", "refused", "size_bytes",
    )  # fmt: skip

    def __init__(
        self,
        limit_bytes: int,
        limit_entries: int,
        age_s: float,
        *,
        policy: Policy = "lru",
        clock: Callable[[], float] = time.monotonic,
        left: Callable[[K], object] | None = None,
    ) -> None:
        self.limit_bytes = limit_bytes
        self.limit_entries = limit_entries
        self.policy = policy
        self.hits = self.misses = self.size_bytes = 0
        self.evicted_size = self.evicted_age = self.dropped = self.refused = 0
        self._age_s = age_s
        self._clock = clock
        self._left = left
        # Value, when it leaves at the latest (of the clock, in seconds), bytes, when it came.
        self._held: OrderedDict[K, tuple[V, float, int, float]] = OrderedDict()
        self._find = self._held.get
        self._move = self._held.move_to_end
        self._moves = policy == "lru"
        self._heap: list[tuple[float, int, K]] = []
        self._serial = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: K) -> bool:
        """Whether an entry is held, without counting a lookup; it may have expired."""
        return key in self._held

    def __iter__(self) -> Iterator[K]:
        """The keys, next to leave first (for ``ttl``: in the order they came)."""
        return iter(list(self._held))

    def get(self, key: K) -> V | None:
        """The value, or None when there is none or its time has passed."""
        held = self._find(key)
        if held is None:
            self.misses += 1
            return None
        if self._clock() >= held[1]:
            self._expire(key)
            self.misses += 1
            return None
        if self._moves:
            self._move(key)
        self.hits += 1
        return held[0]

    def miss(self, key: K) -> None:
        """What `get` does when it finds nothing that counts."""
        if key in self._held:
            self._expire(key)
        self.misses += 1

    def hot(
        self,
    ) -> tuple[Callable[[K], tuple[V, float, int, float] | None], Callable[[K], object], bool, Callable[[], float]]:
        """For the one caller to whom a call more is too much: find, move, whether to move on a hit, the clock."""
        return self._find, self._move, self._moves, self._clock

    def put(self, key: K, value: V, size_bytes: int, ttl_s: float | None = None) -> bool:
        """Hold ``value``, at most ``ttl_s`` seconds and never beyond the tier's age; False when it is too large.

        Whatever was held under the key is gone in either case.
        """
        self._take(key)
        size = size_bytes + ENTRY_BYTES
        now = self._clock()
        age = self._age_s if ttl_s is None or ttl_s > self._age_s else ttl_s
        if size > self.limit_bytes or not self.limit_entries or age <= 0:
            self.refused += 1
            return False
        self._held[key] = (value, now + age, size, now)
        self.size_bytes += size
        if self.policy == "ttl":
            self._note(key, now + age)
        while self.size_bytes > self.limit_bytes or len(self._held) > self.limit_entries:
            self._evict(now)
        return True

    def pop(self, key: K) -> V | None:
        """Take an entry out; counted as dropped."""
        held = self._take(key)
        if held is None:
            return None
        self.dropped += 1
        return held[0]

    def clear(self) -> None:
        """Take everything out."""
        self.dropped += len(self._held)
        self._held.clear()
        self._heap.clear()
        self.size_bytes = 0

    def sweep(self, most: int = 1000) -> int:
        """Let entries go whose time has passed, looking at the ``most`` next to leave; how many went."""
        now, gone = self._clock(), 0
        for key, (_, until, _, _) in [pair for pair, _ in zip(self._held.items(), range(most), strict=False)]:
            if now >= until:
                self._expire(key)
                gone += 1
        return gone

    def stats(self, tier: str = "l1", owner: str = "") -> TierStats:
        """What has been counted."""
        first = next(iter(self._held.values()), None)
        return TierStats(
            tier=tier,
            owner=owner,
            policy=self.policy,
            hits=self.hits,
            misses=self.misses,
            entries=len(self._held),
            size_bytes=self.size_bytes,
            limit_bytes=self.limit_bytes,
            limit_entries=self.limit_entries,
            evicted_size=self.evicted_size,
            evicted_age=self.evicted_age,
            dropped=self.dropped,
            refused=self.refused,
            oldest_s=None if first is None else self._clock() - first[3],
        )

    def _take(self, key: K) -> tuple[V, float, int, float] | None:
        held = self._held.pop(key, None)
        if held is not None:
            self.size_bytes -= held[2]
        return held

    def _expire(self, key: K) -> None:
        self._take(key)
        self.evicted_age += 1
        if self._left is not None:
            self._left(key)

    def _evict(self, now: float) -> None:
        key = self._soonest() if self.policy == "ttl" else next(iter(self._held))
        held = self._take(key)
        if held is not None and now >= held[1]:
            self.evicted_age += 1
        else:
            self.evicted_size += 1
        if self._left is not None:
            self._left(key)

    def _note(self, key: K, until: float) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (until, self._serial, key))
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._held):  # mostly entries that have gone
            self._heap = [(held[1], serial, key) for serial, (key, held) in enumerate(self._held.items())]
            heapq.heapify(self._heap)
            self._serial = len(self._heap)

    def _soonest(self) -> K:
        while True:
            until, _, key = heapq.heappop(self._heap)
            held = self._held.get(key)
            if held is not None and held[1] == until:
                return key
