"""L2: a bounded mapping under one of three eviction policies, which may be changed at any time.

All three work on the same two queues, a small one for newcomers and a main one that a clock hand goes round:

- ``clock``: everything enters main (an LRU that needs no moving; best where the working set drifts);
- ``s3-fifo``: newcomers pass through a small queue, and come back by a ghost list (Yang et al., SOSP 2023);
- ``tinylfu``: out of a smaller queue only what was asked for more often than main's next victim is admitted (Einziger
  et al., 2017; best against loops and scans). Counts are exact, kept on the entries and the ghosts, and halved by age.

A judge (`pea.cache.duel`) may say which policy to follow. A hit costs one increment, whatever the policy.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, Literal, Protocol, TypeVar

from pea.cache.counts import Counted, TierStats
from pea.cache.ghosts import GHOST_BYTES, Ghosts

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Policy = Literal["clock", "s3-fifo", "tinylfu"]
POLICIES: tuple[Policy, ...] = ("clock", "s3-fifo", "tinylfu")

ENTRY_BYTES = 480
SMALL = {"clock": 0.0, "s3-fifo": 0.1, "tinylfu": 0.01}
MOST_VISITS = {"clock": 1, "s3-fifo": 3, "tinylfu": 3}
MOST_COUNT = 15  # as in the sketches of TinyLFU: a former favourite can be overtaken
GHOSTS_PER_ENTRY = {"clock": 0.5, "s3-fifo": 0.5, "tinylfu": 4.0}  # of each of the two generations
_GHOST_SHARE = 1 / 16  # of the bytes, at most
AGE_EVERY = 6  # requests per entry between two halvings of the counts
SPREAD = 0x9E3779B97F4A7C15  # 2⁶⁴ over the golden ratio: small integers and multiples of 2 are spread too
_TICK_EVERY = 32  # insertions
_MOST_ASKED = 4_096  # told to the judge between two of them
_AGE_SLICE = 512  # entries halved per tick: no pause, whatever the size


class Judge(Protocol):
    """Says which policy to follow, from what it is told of some of the requests.

    A key is told of, by appending its hash to ``asked``, if its spread hash has none of the bits of ``mask``. No call
    for each: a judge works through them when it is asked for its verdict.
    """

    mask: int
    asked: list[int]

    def verdict(self, policy: Policy, held: int, *, full: bool) -> Policy:
        """Which policy to follow, with ``held`` entries; ``full`` says that one had to make room."""


class _Node(Generic[K, V]):
    """An entry: ``count`` requests, ``base`` the count at which the clock hand will pass it by.

    One that was taken out of the middle of its queue is ``gone``, and is stepped over when it comes to the front.
    """

    __slots__ = ("base", "came", "count", "gone", "key", "main", "sampled", "size", "until", "value")

    key: K
    value: V | None
    until: float
    came: float
    size: int
    count: int
    base: int
    gone: bool
    main: bool
    sampled: bool


class TwoQueues(Counted, Generic[K, V]):
    """Bounded by bytes (ghosts included), entries and age; ``policy`` is followed until ``judge`` prefers another.

    ``left`` is called with each key that leaves by itself (bounds or age), not for `pop` and `clear`.
    """

    __slots__ = (
        "_age_at", "_age_s", "_ageing", "_clock", "_full", "_ghosts", "_ghosts_each", "_gone", "_judge",
        "_left", "_main", "_most_ghosts", "_nodes", "_policy", "_small", "_small_bytes", "_small_held",
        "_small_most", "_small_most_bytes", "_to_tick",
    )  # fmt: skip

    def __init__(
        self,
        limit_bytes: int,
        limit_entries: int,
        age_s: float,
        *,
        policy: Policy = "tinylfu",
        judge: Judge | None = None,
        clock: Callable[[], float] = time.monotonic,
        left: Callable[[K], object] | None = None,
    ) -> None:
        super().__init__(limit_bytes, limit_entries)
        self._age_s = age_s
        self._clock = clock
        self._left = left
        self._nodes: dict[K, _Node[K, V]] = {}
        self._small: deque[_Node[K, V]] = deque()
        self._main: deque[_Node[K, V]] = deque()
        self._small_held = self._small_bytes = 0
        self._gone = 0  # nodes in either queue that are
        self._ghosts = Ghosts()
        self._judge = judge
        self._age_at = 0
        self._to_tick = _TICK_EVERY
        self._full = False
        self.policy = policy
        self._ageing: list[_Node[K, V]] = []

    @property
    def policy(self) -> Policy:
        """What decides who leaves."""
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._policy: Policy = policy
        self._small_most_bytes = int(SMALL[policy] * self.limit_bytes)
        self._most_ghosts = self.limit_bytes * _GHOST_SHARE / (2 * GHOST_BYTES)
        self._small_most = max(1, int(SMALL[policy] * self.limit_entries))
        self._ghosts_each = GHOSTS_PER_ENTRY[policy]

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, key: K) -> bool:
        """Whether an entry is held, without counting a lookup; it may have expired."""
        return key in self._nodes

    def __iter__(self) -> Iterator[K]:
        """The keys, in no order that means anything."""
        return iter(list(self._nodes))

    def get(self, key: K) -> V | None:
        """The value, or None when there is none or its time has passed."""
        node = self._nodes.get(key)
        if node is None:
            self.misses += 1
            return None
        if self._clock() >= node.until:
            self._remove(node)
            self.evicted_age += 1
            self.misses += 1
            if self._left is not None:
                self._left(key)
            return None
        node.count += 1
        if node.sampled and self._judge is not None:
            asked = self._judge.asked
            if len(asked) < _MOST_ASKED:
                asked.append(hash(key))
        self.hits += 1
        return node.value

    def put(self, key: K, value: V, size_bytes: int, ttl_s: float | None = None) -> bool:
        """Hold ``value``, at most ``ttl_s`` seconds and never beyond the tier's age; False when it was not taken.

        Whatever was held under the key is gone in either case.
        """
        size = size_bytes + ENTRY_BYTES
        now = self._clock()
        age = self._age_s if ttl_s is None or ttl_s > self._age_s else ttl_s
        nodes = self._nodes
        old = nodes.get(key)
        if old is not None:
            self._remove(old)
        if size > self.limit_bytes or not self.limit_entries or age <= 0:
            self.refused += 1
            return False
        mark = hash(key)
        ghosts, judge = self._ghosts, self._judge
        ghost = ghosts.recall(mark)
        node: _Node[K, V] = _Node()
        node.key, node.value, node.size, node.until, node.came = key, value, size, now + age, now
        policy = self._policy
        if old is not None:
            node.count = node.base = old.count + 1
            node.main = old.main or policy == "clock"
        elif ghost is not None:
            node.count = node.base = ghost + 1
            node.main = policy != "tinylfu"
        else:
            node.count = node.base = 1
            node.main = policy == "clock"
        node.gone = node.sampled = False
        if judge is not None and not (mark * SPREAD >> 40) & judge.mask:
            node.sampled = True
            judge.asked.append(mark)
        nodes[key] = node
        self.size_bytes += size
        if node.main:
            self._main.append(node)
        else:
            self._small.append(node)
            self._small_held += 1
            self._small_bytes += size
        room = self.limit_bytes - (len(ghosts.new) + len(ghosts.old)) * GHOST_BYTES
        if self.size_bytes > room or len(nodes) > self.limit_entries:
            self._full = True
            while self.size_bytes > room or len(nodes) > self.limit_entries:
                self._evict(now)
        self._to_tick -= 1
        if self._to_tick <= 0:
            self._tick()
        return nodes.get(key) is node

    def limit(self, size_bytes: int) -> None:
        """Hold at most so many bytes from now on; what is too much leaves at once."""
        self.limit_bytes = size_bytes
        self.policy = self._policy  # the queues' shares
        now = self._clock()
        while self._nodes and self.size_bytes > size_bytes - len(self._ghosts) * GHOST_BYTES:
            self._evict(now)

    def pop(self, key: K) -> V | None:
        """Take an entry out; counted as dropped."""
        node = self._nodes.get(key)
        if node is None:
            return None
        value = node.value
        self._remove(node)
        self.dropped += 1
        return value

    def clear(self) -> None:
        """Take everything out; what has been learnt of the requests is forgotten too."""
        self.dropped += len(self._nodes)
        for held in (self._nodes, self._small, self._main):
            held.clear()
        self._ageing.clear()
        self._ghosts.clear()
        self.size_bytes = self._small_bytes = self._small_held = self._gone = 0

    def stats(self, tier: str = "l2", owner: str = "") -> TierStats:
        """What has been counted."""
        first = next((node for queue in (self._small, self._main) for node in queue if not node.gone), None)
        oldest_s = None if first is None else self._clock() - first.came
        held, ghosts = len(self._nodes), len(self._ghosts) * GHOST_BYTES
        return self.counted(tier, owner, policy=self.policy, entries=held, oldest_s=oldest_s, more_bytes=ghosts)

    def _remove(self, node: _Node[K, V]) -> None:
        """Take a node out, wherever in its queue it is."""
        del self._nodes[node.key]
        self.size_bytes -= node.size
        if not node.main:
            self._small_held -= 1
            self._small_bytes -= node.size
        node.gone, node.value = True, None
        self._gone += 1
        if self._gone > 64 and self._gone > len(self._nodes):  # what is gone must not fill the memory
            self._small = deque(node for node in self._small if not node.gone)
            self._main = deque(node for node in self._main if not node.gone)
            self._gone = 0

    def _evict(self, now: float) -> None:
        """Let one entry go, or move one from small to main."""
        small, held = self._small, self._small_held
        mains = len(self._nodes) - held
        if not held or (mains and self._small_bytes <= self._small_most_bytes and held <= self._small_most):
            self._lose(self._hand(), now)
            return
        node = small[0]
        while node.gone:
            small.popleft()
            self._gone -= 1
            node = small[0]
        if self._policy == "s3-fifo":
            if node.count <= node.base:
                self._lose(node, now)
                return
        elif self._policy == "tinylfu" and (
            mains >= self.limit_entries - self._small_most
            or self.size_bytes - self._small_bytes >= self.limit_bytes - self._small_most_bytes
        ):
            victim = self._hand()
            count = victim.count
            if node.count <= (count if count < MOST_COUNT else MOST_COUNT):
                self._lose(node, now)
                return
            self._lose(victim, now)
        small.popleft()
        self._small_held -= 1
        self._small_bytes -= node.size
        node.main = True
        node.base = node.count
        self._main.append(node)

    def _hand(self) -> _Node[K, V]:
        """Go round main to the first entry that was not asked for since the hand passed it; at most three rounds."""
        main, most = self._main, MOST_VISITS[self._policy]
        while True:
            node = main[0]
            visits = node.count - node.base
            if node.gone:
                main.popleft()
                self._gone -= 1
            elif visits <= 0:
                return node
            else:
                node.base = node.count - (visits if visits < most else most) + 1
                main.rotate(-1)

    def _lose(self, node: _Node[K, V], now: float) -> None:
        """Let go the node at the front of its queue."""
        key = node.key
        nodes = self._nodes
        del nodes[key]
        self.size_bytes -= node.size
        if node.main:
            self._main.popleft()
        else:
            self._small.popleft()
            self._small_held -= 1
            self._small_bytes -= node.size
        if not node.main or self._policy == "tinylfu":  # to S3-FIFO, what main lets go is no newcomer judged too early
            most = self._ghosts_each * len(nodes)
            self._ghosts.remember(hash(key), node.count, most if most < self._most_ghosts else self._most_ghosts)
        if now >= node.until:
            self.evicted_age += 1
        else:
            self.evicted_size += 1
        if self._left is not None:
            self._left(key)

    def _tick(self) -> None:
        """Now and then after an insertion: hear the judge, halve some counts if it is their time."""
        self._to_tick = _TICK_EVERY
        if self._judge is not None:
            policy = self._judge.verdict(self._policy, len(self._nodes), full=self._full)
            if policy != self._policy:
                self.policy = policy
        if self._ageing:
            for node in self._ageing[-_AGE_SLICE:]:
                shed = node.count >> 1
                node.count -= shed
                node.base -= shed
            del self._ageing[-_AGE_SLICE:]
        elif self.hits + self.misses >= self._age_at:
            self._age_at = self.hits + self.misses + AGE_EVERY * max(len(self._nodes), 16)
            self._ghosts.halve()
            self._ageing = list(self._nodes.values())
