"""L2: a bounded mapping under one of three eviction policies, which may be changed at any time.

All three work on the same two queues, a small one for newcomers and a main one that a clock hand goes round:

- ``clock``: everything enters main (an LRU that needs no moving; best where the working set drifts);
- ``tinylfu``: out of a small queue only what was asked for more often than main's next victim is admitted (Einziger
  et al., 2017; best against loops and scans);
- ``tinylfu-wide``: the same, with time in a quarter of the cache to be asked for again.

Counts are kept on the entries and, of those that left, in a table; they are halved by age. A judge (`pea.cache.duel`)
may say which policy to follow. A hit costs one increment, whatever the policy.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, Literal, Protocol, TypeVar

from pea.cache.counts import Counted, TierStats
from pea.cache.ghosts import Ghosts

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Policy = Literal["clock", "tinylfu", "tinylfu-wide"]
POLICIES: tuple[Policy, ...] = ("clock", "tinylfu", "tinylfu-wide")

ENTRY_BYTES = 480
SMALL = {"clock": 0.0, "tinylfu": 0.02, "tinylfu-wide": 0.25}
MOST_VISITS = {"clock": 1, "tinylfu": 2, "tinylfu-wide": 2}
MOST_COUNT = 15  # as in the sketches of TinyLFU: a former favourite can be overtaken
AGE_EVERY = {"clock": 12, "tinylfu": 12, "tinylfu-wide": 20}  # requests per entry between two halvings of the counts
MIX, MARKS = 99_338_871, (1 << 30) - 35  # a prime below 2³⁰: strides are spread, and CPython is fastest
_GHOST_SHARE = 1 / 16  # of the bytes, at most
_TICK_EVERY = 128  # insertions
_MOST_ASKED = 4_096  # told to the judge between two of them
_AGE_SLICE = 2_048  # entries halved per tick: no pause, whatever the size
_MOST_A_ROUND = 64  # entries that leave at once, when one has to


class Judge(Protocol):
    """Says which policy to follow, from what it is told of the requests for some of the keys.

    These are the keys whose mark, a mixed hash, has none of the bits of ``mask``: those are appended to ``asked``.
    No call for each: a judge works through them when it is asked for its verdict.
    """

    mask: int
    asked: list[int]

    def verdict(self, policy: Policy, held: int, *, full: bool) -> Policy:
        """Which policy to follow, with ``held`` entries; ``full`` says that one had to make room."""


class _Node(Generic[K, V]):
    """An entry: ``count`` requests, ``base`` the count at which the clock hand will pass it by.

    One that was taken out of the middle of its queue is ``gone``, and is stepped over when it comes to the front: its
    ``base`` lies below any count then, so that the clock hand needs no second look to notice.
    ``told`` says whether the judge is told of its requests, by the mask that held when this was last looked at.
    """

    __slots__ = ("base", "came", "count", "gone", "key", "main", "mark", "size", "told", "until", "value")

    key: K
    value: V | None
    until: float
    came: float
    size: int
    count: int
    base: int
    mark: int
    told: int
    gone: bool
    main: bool


class TwoQueues(Counted, Generic[K, V]):
    """Bounded by bytes (ghosts included), entries and age; ``policy`` is followed until ``judge`` prefers another.

    ``left`` is called with each key that leaves by itself (bounds or age), not for `pop` and `clear`.
    """

    __slots__ = (
        "_age_at", "_age_s", "_ageing", "_clock", "_fitted", "_full", "_ghosts", "_granted", "_judge", "_largest",
        "_left", "_main", "_main_gone", "_main_most", "_main_most_bytes", "_mask", "_most_visits", "_nodes",
        "_one_queue", "_policy", "_room", "_round", "_silent", "_small", "_small_bytes", "_small_gone", "_small_kept",
        "_small_kept_bytes", "_to_look", "_to_tick",
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
        self._small_bytes = 0
        self._small_gone = self._main_gone = 0  # nodes in the queues that are
        self._ghosts = Ghosts()
        self._judge = judge
        self._mask = -1 if judge is None else judge.mask
        self._silent = 0  # what the ``told`` of a node is that the judge is not told of; one more of one that it is
        self._age_at = 0
        self._ageing: list[_Node[K, V]] = []
        self._granted = self._to_look = 0  # insertions until bounds and tick must be looked at
        self._to_tick = _TICK_EVERY
        self._full = False  # an entry had to make room
        self._fitted = 0  # entries that the ghosts are meant for
        self.policy = policy

    @property
    def policy(self) -> Policy:
        """What decides who leaves."""
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._policy: Policy = policy
        self._most_visits = MOST_VISITS[policy]
        self._one_queue = policy == "clock"
        self._fit()

    def _fit(self) -> None:
        """What follows from the bounds, the policy, and how many entries there are to remember others beside."""
        held, limit = max(len(self._nodes), 1), self.limit_entries
        self._fitted = 1 << held.bit_length() if self._full else 0
        self._ghosts.fit(self._fitted, int(self.limit_bytes * _GHOST_SHARE))
        self._room = room = self.limit_bytes - len(self._ghosts)
        self._largest = self.limit_bytes if limit else -1
        self._round = max(min((held >> 7) + 4, held >> 3, _MOST_A_ROUND), 1)
        # What leaves beyond need comes out of the small queue, so that main stays as full as it may be.
        least = self._round / held
        share = 0.0 if self._one_queue else max(SMALL[self._policy], least)
        self._small_kept = max(int(share * limit) - self._round, 0)
        self._small_kept_bytes = int(max(share - least, 0.0) * room)
        self._main_most, self._main_most_bytes = limit - max(1, int(share * limit)), room - int(share * room)

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
        if node.told != self._silent:
            self._tell(node)
        self.hits += 1
        return node.value

    def put(self, key: K, value: V, size_bytes: int, ttl_s: float | None = None) -> bool:
        """Hold ``value``, at most ``ttl_s`` seconds and never beyond the tier's age; False when it was not taken.

        Whatever was held under the key is gone in either case.
        """
        size = size_bytes + ENTRY_BYTES
        now = self._clock()
        age = self._age_s
        if ttl_s is not None and ttl_s < age:
            age = ttl_s
        nodes = self._nodes
        old = None
        if key in nodes:
            old = nodes[key]
            self._remove(old)
        if size > self._largest or age <= 0:
            self.refused += 1
            return False
        node: _Node[K, V] = _Node()
        node.mark = mark = hash(key) * MIX % MARKS
        main = self._one_queue
        if old is None:
            ghosts = self._ghosts
            node.count = node.base = ghosts.counts[mark & ghosts.mask] + 1
        else:
            node.count = node.base = old.count + 1
            main = main or old.main
        node.key, node.value = key, value
        node.size, node.until, node.came = size, now + age, now
        node.gone = False
        node.told = self._silent
        if not mark & self._mask and self._judge is not None:
            node.told += 1
            self._judge.asked.append(mark)
        nodes[key] = node
        self.size_bytes = held_bytes = self.size_bytes + size
        node.main = main
        if main:
            self._main.append(node)
        else:
            self._small.append(node)
            self._small_bytes += size
        self._to_look = to_look = self._to_look - 1
        if to_look >= 0 and held_bytes <= self._room:
            return True
        self._look(now)
        return not node.gone

    def limit(self, size_bytes: int) -> None:
        """Hold at most so many bytes from now on; what is too much leaves at once."""
        self.limit_bytes = size_bytes
        self._fit()
        self._look(self._clock())

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
        self.size_bytes = self._small_bytes = self._small_gone = self._main_gone = 0
        self._full = False
        self._fit()

    def stats(self, tier: str = "l2", owner: str = "") -> TierStats:
        """What has been counted."""
        first = next((node for queue in (self._small, self._main) for node in queue if not node.gone), None)
        oldest_s = None if first is None else self._clock() - first.came
        held, ghosts = len(self._nodes), len(self._ghosts)
        return self.counted(tier, owner, policy=self.policy, entries=held, oldest_s=oldest_s, more_bytes=ghosts)

    def _tell(self, node: _Node[K, V]) -> None:
        """Tell the judge of a request for an entry, if it belongs to the sample."""
        if node.told != self._silent + 1:  # the mask is another than when this was last looked at
            node.told = self._silent + (not node.mark & self._mask)
            if node.told == self._silent:
                return
        if self._judge is not None and len(self._judge.asked) < _MOST_ASKED:
            self._judge.asked.append(node.mark)

    def _remove(self, node: _Node[K, V]) -> None:
        """Take a node out, wherever in its queue it is."""
        del self._nodes[node.key]
        self.size_bytes -= node.size
        node.gone, node.value, node.base = True, None, -1
        if node.main:
            self._main_gone += 1
        else:
            self._small_bytes -= node.size
            self._small_gone += 1
        gone = self._small_gone + self._main_gone
        if gone > 64 and gone > len(self._nodes):  # what is gone must not fill the memory
            self._small = deque(node for node in self._small if not node.gone)
            self._main = deque(node for node in self._main if not node.gone)
            self._small_gone = self._main_gone = 0

    def _look(self, now: float) -> None:
        """Tick when it is time, make room where a bound is passed, and say when this is to be looked at again."""
        to_tick = self._to_tick - self._granted + self._to_look
        if to_tick <= 0:
            self._tick()
            to_tick = _TICK_EVERY
        self._to_tick = to_tick
        limit, held = self.limit_entries, len(self._nodes)
        if held > limit or self.size_bytes > self._room:
            held = self._evict(now, held)
        free = limit - held
        self._granted = self._to_look = free if free < to_tick else to_tick

    def _evict(self, now: float, held: int) -> int:  # noqa: C901, PLR0912, PLR0915  one loop, no calls: see below
        """Let some of ``held`` entries go until the bounds hold, and a few more; returns how many stay.

        What a round costs by itself is shared by them; it is one loop over local names for the same reason.
        """
        if not self._full:
            self._full = True
            self._fit()
        nodes, small, main, room, size = self._nodes, self._small, self._main, self._room, self.size_bytes
        counts, mask, most, admits = self._ghosts.counts, self._ghosts.mask, self._most_visits, not self._one_queue
        small_bytes, small_kept, small_kept_bytes = self._small_bytes, self._small_kept, self._small_kept_bytes
        smalls = len(small) - self._small_gone
        limit, enough = self.limit_entries, held - self._round
        lost: list[K] = []
        aged = 0
        while held and (held > enough or size > room):
            newcomer = None
            if smalls and (smalls > small_kept or small_bytes > small_kept_bytes or smalls == held):
                newcomer = small.popleft()
                if newcomer.gone:
                    self._small_gone -= 1
                    continue
                smalls -= 1
                small_bytes -= newcomer.size
                mains = held - smalls - 1
                if (
                    not admits
                    or not mains
                    or (mains < self._main_most and size - small_bytes - newcomer.size < self._main_most_bytes)
                ):
                    newcomer.main, newcomer.base = True, newcomer.count
                    main.append(newcomer)
                    continue
            elif admits and held <= limit and size <= room:
                break
            node = main[0]
            while (visits := node.count - node.base) > 0:
                if node.gone:
                    main.popleft()
                    self._main_gone -= 1
                else:
                    node.base = node.count - (visits if visits < most else most) + 1
                    main.rotate(-1)
                node = main[0]
            count = node.count
            if newcomer is None:
                main.popleft()
            elif newcomer.count > count or newcomer.count > MOST_COUNT:
                main.popleft()
                newcomer.main, newcomer.base = True, newcomer.count
                main.append(newcomer)
            else:
                if count > 1:
                    main.rotate(-1)  # one that is liked must not turn all others away
                node, count = newcomer, newcomer.count
            counts[node.mark & mask] = count if count < 255 else 255
            held -= 1
            size -= node.size
            del nodes[node.key]
            node.gone = True
            lost.append(node.key)
            if now >= node.until:
                aged += 1
        self.size_bytes, self._small_bytes = size, small_bytes
        self.evicted_age += aged
        self.evicted_size += len(lost) - aged
        if self._left is not None:
            for key in lost:
                self._left(key)
        return held

    def _tick(self) -> None:
        """Now and then after an insertion: hear the judge, halve some counts if it is their time."""
        judge, held = self._judge, len(self._nodes)
        if self._full and not self._fitted >> 2 <= held <= self._fitted:
            self._fit()
        if judge is not None:
            policy = judge.verdict(self._policy, held, full=self._full)
            if policy != self._policy:
                self.policy = policy
            if judge.mask != self._mask:
                self._mask = judge.mask
                self._silent += 2
        if self._policy != "clock" and self._full:
            self._demote()
        if self._ageing:
            for node in self._ageing[-_AGE_SLICE:]:
                shed = node.count >> 1
                node.count -= shed
                node.base -= shed
            del self._ageing[-_AGE_SLICE:]
        elif not self._full:
            self._age_at = self.hits + self.misses + AGE_EVERY[self._policy] * held
        elif self.hits + self.misses >= self._age_at:
            self._age_at = self.hits + self.misses + AGE_EVERY[self._policy] * max(held, 16)
            self._ghosts.halve()
            self._ageing = list(self._nodes.values())

    def _demote(self) -> None:
        """What main holds beyond its share, as after ``clock``, has to prove itself in the small queue first.

        The last that was admitted may stand over the bound of bytes: for that none has to leave.
        """
        mains = len(self._nodes) - len(self._small) + self._small_gone
        main_bytes = self.size_bytes - self._small_bytes
        for _ in range(min(len(self._main), _AGE_SLICE)):
            node = self._main[0]
            if not node.gone and mains <= self._main_most and main_bytes - node.size < self._main_most_bytes:
                break
            self._main.popleft()
            if node.gone:
                self._main_gone -= 1
                continue
            node.main = False
            self._small.appendleft(node)
            self._small_bytes += node.size
            main_bytes -= node.size
            mains -= 1
