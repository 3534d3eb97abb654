"""A bounded mapping whose entries leave in an order: least recently used, first in, or next to expire.

Bounded by bytes, by entries and by age at once. It serves as L1, and as the structure behind every bounded history.
"""

from __future__ import annotations

import heapq
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, Literal, TypeVar

from pea.cache.counts import Counted, TierStats

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: Bytes that an entry costs beside its value: slot and links of the ordered dict, `Held`, floats, the key's block.
ENTRY_BYTES = 320
#: Bytes of a second name of an entry: its slot in a dict, and its text.
NEAR_BYTES = 180

Policy = Literal["lru", "fifo", "ttl"]


class Held(Generic[K, V]):
    """A value as it is held. Times are of the clock, in seconds.

    ``near`` is a dict of a caller's own in which the entry stands too, under ``alias``, for as long as it is held;
    ``moved`` is that caller's note of when it last said that the entry was used.
    """

    __slots__ = ("alias", "came", "key", "moved", "near", "size", "until", "value")

    def __init__(self, key: K, value: V, until: float, size: int, came: float) -> None:
        self.key = key
        self.value = value
        self.until = until
        self.size = size
        self.came = came
        self.near: dict[str, Held[K, V]] | None = None
        self.alias = ""
        self.moved = 0


class Ordered(Counted, Generic[K, V]):
    """Of the entries beyond a bound the first in order leave: ``lru``, ``fifo``, or ``ttl`` (soonest to expire).

    ``left`` is called with each key that leaves by itself (bounds or age), not for `pop` and `clear`.
    """

    __slots__ = ("_age_s", "_clock", "_heap", "_held", "_left", "_moves", "_serial", "policy", "used")

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
        super().__init__(limit_bytes, limit_entries)
        self.policy = policy
        self._age_s = age_s
        self._clock = clock
        self._left = left
        self._held: OrderedDict[K, Held[K, V]] = OrderedDict()
        self.used = self._held.move_to_end  # for who has found an entry by its second name, under ``lru``
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
        try:
            held = self._held[key]
        except KeyError:
            self.misses += 1
            return None
        if self._clock() >= held.until:
            self._expire(key)
            self.misses += 1
            return None
        if self._moves:
            self.used(key)
        self.hits += 1
        return held.value

    def miss(self, key: K) -> None:
        """What `get` does when it finds nothing that counts."""
        if key in self._held:
            self._expire(key)
        self.misses += 1

    def put(
        self,
        key: K,
        value: V,
        size_bytes: int,
        ttl_s: float | None = None,
        near: tuple[dict[str, Held[K, V]], str] | None = None,
    ) -> bool:
        """Hold ``value``, at most ``ttl_s`` seconds and never beyond the tier's age; False when it is too large.

        Whatever was held under the key is gone in either case. ``near`` is a dict to enter it into as well, and under
        which name there; its entries are for reading only.
        """
        self._take(key)
        size = size_bytes + (ENTRY_BYTES if near is None else ENTRY_BYTES + NEAR_BYTES)
        now = self._clock()
        age = self._age_s if ttl_s is None or ttl_s > self._age_s else ttl_s
        if size > self.limit_bytes or not self.limit_entries or age <= 0:
            self.refused += 1
            return False
        self._held[key] = held = Held(key, value, now + age, size, now)
        if near is not None:
            held.near, held.alias = near
            held.near[held.alias] = held
        self.size_bytes += size
        if self.policy == "ttl":
            self._note(key, now + age)
        while self.size_bytes > self.limit_bytes or len(self._held) > self.limit_entries:
            self._evict(now)
        return True

    def limit(self, size_bytes: int) -> None:
        """Hold at most so many bytes from now on; what is too much leaves at once."""
        self.limit_bytes = size_bytes
        now = self._clock()
        while self.size_bytes > size_bytes:
            self._evict(now)

    def pop(self, key: K) -> V | None:
        """Take an entry out; counted as dropped."""
        held = self._take(key)
        if held is None:
            return None
        self.dropped += 1
        return held.value

    def clear(self) -> None:
        """Take everything out."""
        self.dropped += len(self._held)
        for key in list(self._held):
            self._take(key)
        self._heap.clear()

    def stats(self, tier: str = "l1", owner: str = "") -> TierStats:
        """What has been counted."""
        first = next(iter(self._held.values()), None)
        oldest_s = None if first is None else self._clock() - first.came
        return self.counted(tier, owner, policy=self.policy, entries=len(self._held), oldest_s=oldest_s)

    def _take(self, key: K) -> Held[K, V] | None:
        held = self._held.pop(key, None)
        if held is not None:
            self.size_bytes -= held.size
            if held.near is not None:
                del held.near[held.alias]
        return held

    def _expire(self, key: K) -> None:
        self._take(key)
        self.evicted_age += 1
        if self._left is not None:
            self._left(key)

    def _evict(self, now: float) -> None:
        key = self._soonest() if self.policy == "ttl" else next(iter(self._held))
        held = self._take(key)
        if held is not None and now >= held.until:
            self.evicted_age += 1
        else:
            self.evicted_size += 1
        if self._left is not None:
            self._left(key)

    def _note(self, key: K, until: float) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (until, self._serial, key))
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._held):  # mostly entries that have gone
            self._heap = [(held.until, serial, key) for serial, (key, held) in enumerate(self._held.items())]
            heapq.heapify(self._heap)
            self._serial = len(self._heap)

    def _soonest(self) -> K:
        while True:
            until, _, key = heapq.heappop(self._heap)
            held = self._held.get(key)
            if held is not None and held.until == until:
                return key
