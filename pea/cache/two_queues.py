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
SMALL = {"clock": 0.0, "s3-fifo": 0.1, "tinylfu": 0.02}
MOST_VISITS = {"clock": 1, "s3-fifo": 3, "tinylfu": 3}
MOST_COUNT = 15  # as in the sketches of TinyLFU: a former favourite can be overtaken
GHOSTS_PER_ENTRY = {"clock": 0.5, "s3-fifo": 0.5, "tinylfu": 4.0}  # of each of the two generations
_GHOST_SHARE = 1 / 16  # of the bytes, at most
AGE_EVERY = 6  # requests per entry between two halvings of the counts
SPREAD = 8_191  # a prime: the remainders of multiples of 2 are spread too
_TICK_EVERY = 128  # insertions
_MOST_ASKED = 4_096  # told to the judge between two of them
_AGE_SLICE = 2_048  # entries halved per tick: no pause, whatever the size
_ROUND_SHIFT, _MOST_A_ROUND = 6, 64  # a 64th of the entries leave at once, when one has to


class Judge(Protocol):
    """Says which policy to follow, from what it is told of the requests for some of the keys.

    These are the keys whose hash's remainder by `SPREAD` has none of the bits of ``mask``: their hashes are appended to
    ``asked``. No call for each: a judge works through them when it is asked for its verdict.
    """

    mask: int
    asked: list[int]

    def verdict(self, policy: Policy, held: int, *, full: bool) -> Policy:
        """Which policy to follow, with ``held`` entries; ``full`` says that one had to make room."""


class _Node(Generic[K, V]):
    """An entry: ``count`` requests, ``base`` the count at which the clock hand will pass it by.

    One that was taken out of the middle of its queue is ``gone``, and is stepped over when it comes to the front.
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
        "_age_at", "_age_s", "_ageing", "_clock", "_full", "_ghosts", "_ghosts_each", "_granted", "_judge", "_left",
        "_main", "_main_gone", "_mask", "_most_ghosts", "_most_visits", "_nodes", "_policy", "_room", "_silent",
        "_small", "_small_bytes", "_small_gone", "_small_kept", "_small_kept_bytes", "_small_most",
        "_small_most_bytes", "_to_look", "_to_tick",
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
        self._mask = 0 if judge is None else judge.mask
        self._silent = 0  # what the ``told`` of a node is that the judge is not told of; one more of one that it is
        self._age_at = 0
        self._room = limit_bytes  # without the ghosts' share
        self._granted = self._to_look = 0  # insertions until bounds and tick must be looked at
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
        share, entries = SMALL[policy], self.limit_entries
        self._small_most = max(1, int(share * entries))
        self._small_most_bytes = int(share * self.limit_bytes)
        # What leaves beyond need comes out of the small queue, so that main stays as full as it may be.
        self._small_kept = max(self._small_most - min(entries >> _ROUND_SHIFT, _MOST_A_ROUND), 0)
        self._small_kept_bytes = int(max(share - 2.0**-_ROUND_SHIFT, 0.0) * self.limit_bytes)
        self._most_visits = MOST_VISITS[policy]
        self._ghosts_each = GHOSTS_PER_ENTRY[policy]
        self._most_ghosts = self.limit_bytes * _GHOST_SHARE / (2 * GHOST_BYTES)

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
        age = self._age_s if ttl_s is None or ttl_s > self._age_s else ttl_s
        nodes, policy = self._nodes, self._policy
        old = nodes.get(key)
        if old is not None:
            self._remove(old)
        if size > self.limit_bytes or not self.limit_entries or age <= 0:
            self.refused += 1
            return False
        mark = hash(key)
        if old is None:
            ghosts = self._ghosts
            kept = ghosts.new.pop(mark, None)
            if kept is None:
                kept = ghosts.old.pop(mark, None)
            if kept is None:
                count = 1
                main = policy == "clock"
            else:
                count = (kept >> 8 + (ghosts.age - kept & 255)) + 1
                main = policy != "tinylfu"
        else:
            count = old.count + 1
            main = old.main or policy == "clock"
        node: _Node[K, V] = _Node()
        node.key, node.mark, node.value = key, mark, value
        node.size, node.until, node.came = size, now + age, now
        node.count = node.base = count
        node.main, node.gone = main, False
        if self._judge is None or mark % SPREAD & self._mask:
            node.told = self._silent
        else:
            node.told = self._silent + 1
            self._judge.asked.append(mark)
        nodes[key] = node
        self.size_bytes += size
        if main:
            self._main.append(node)
        else:
            self._small.append(node)
            self._small_bytes += size
        self._to_look -= 1
        if self._to_look >= 0 and self.size_bytes <= self._room:
            return True
        self._look(now)
        return not node.gone

    def limit(self, size_bytes: int) -> None:
        """Hold at most so many bytes from now on; what is too much leaves at once."""
        self.limit_bytes = size_bytes
        self.policy = self._policy  # the queues' and the ghosts' shares
        while len(self._ghosts) > 2 * self._most_ghosts + 2:
            self._ghosts.turn()
        self._room = size_bytes - len(self._ghosts) * GHOST_BYTES
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
        self._room = self.limit_bytes

    def stats(self, tier: str = "l2", owner: str = "") -> TierStats:
        """What has been counted."""
        first = next((node for queue in (self._small, self._main) for node in queue if not node.gone), None)
        oldest_s = None if first is None else self._clock() - first.came
        held, ghosts = len(self._nodes), len(self._ghosts) * GHOST_BYTES
        return self.counted(tier, owner, policy=self.policy, entries=held, oldest_s=oldest_s, more_bytes=ghosts)

    def _tell(self, node: _Node[K, V]) -> None:
        """Tell the judge of a request for an entry, if it belongs to the sample."""
        if node.told != self._silent + 1:  # the mask is another than when this was last looked at
            node.told = self._silent + (not node.mark % SPREAD & self._mask)
            if node.told == self._silent:
                return
        if self._judge is not None and len(self._judge.asked) < _MOST_ASKED:
            self._judge.asked.append(node.mark)

    def _remove(self, node: _Node[K, V]) -> None:
        """Take a node out, wherever in its queue it is."""
        del self._nodes[node.key]
        self.size_bytes -= node.size
        node.gone, node.value = True, None
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
        """Make room where a bound is passed, tick when it is time, and say when this is to be looked at again."""
        if self.size_bytes > self._room or len(self._nodes) > self.limit_entries:
            self._evict(now)
        self._to_tick -= self._granted - self._to_look
        if self._to_tick <= 0:
            self._tick()
            self._to_tick = _TICK_EVERY
        free = self.limit_entries - len(self._nodes)
        self._granted = self._to_look = free if free < self._to_tick else self._to_tick

    def _evict(self, now: float) -> None:  # noqa: C901, PLR0912, PLR0915  one loop, no calls: see below
        """Let entries go until the bounds hold, and a few more: what a round costs by itself is shared by many.

        One loop over local names, for the same reason.
        """
        self._full = True
        nodes, small, main, policy, ghosts = self._nodes, self._small, self._main, self._policy, self._ghosts
        room, size, entries, new, age = self._room, self.size_bytes, self.limit_entries, ghosts.new, ghosts.age
        small_bytes, small_kept, small_kept_bytes = self._small_bytes, self._small_kept, self._small_kept_bytes
        main_most, main_most_bytes = entries - self._small_most, room - self._small_most_bytes
        held, smalls = len(nodes), len(small) - self._small_gone
        most_ghosts = min(self._ghosts_each * held, self._most_ghosts)
        spare = (held >> _ROUND_SHIFT) + 1
        enough = held - (spare if spare < _MOST_A_ROUND else _MOST_A_ROUND)
        lost: list[K] = []
        aged = 0
        while held and (held > enough or held > entries or size > room):
            if smalls and (smalls > small_kept or small_bytes > small_kept_bytes or smalls == held):
                victim = node = small[0]
                if node.gone:
                    small.popleft()
                    self._small_gone -= 1
                    continue
                count = node.count
                if policy == "s3-fifo":
                    rises = count > node.base
                elif (
                    policy == "tinylfu"
                    and held > smalls
                    and (held - smalls >= main_most or size - small_bytes >= main_most_bytes)
                ):
                    rival = main[0]
                    if rival.gone or rival.count > rival.base:
                        rival = self._hand()
                    most = rival.count
                    rises = count > (most if most < MOST_COUNT else MOST_COUNT)
                    if rises:
                        victim = rival
                else:
                    rises = True
                if rises:
                    small.popleft()
                    smalls -= 1
                    small_bytes -= node.size
                    node.main = True
                    node.base = count
                    main.append(node)
                    if victim is node:
                        continue
            else:
                victim = main[0]
                if victim.gone or victim.count > victim.base:
                    victim = self._hand()
            if victim.main:
                main.popleft()
                remembered = policy == "tinylfu"  # to S3-FIFO, what main lets go is no newcomer judged too early
            else:
                small.popleft()
                smalls -= 1
                small_bytes -= victim.size
                remembered = True
            held -= 1
            size -= victim.size
            del nodes[victim.key]
            victim.gone = True
            lost.append(victim.key)
            if now >= victim.until:
                aged += 1
            if remembered:
                new[victim.mark] = victim.count << 8 | age
                room -= GHOST_BYTES
                if len(new) > most_ghosts:
                    ghosts.turn()
                    new, room = ghosts.new, self.limit_bytes - len(ghosts) * GHOST_BYTES
        self._room, self.size_bytes, self._small_bytes = room, size, small_bytes
        self.evicted_age += aged
        self.evicted_size += len(lost) - aged
        if self._left is not None:
            for key in lost:
                self._left(key)

    def _hand(self) -> _Node[K, V]:
        """Go round main to the first entry that was not asked for since the hand passed it; at most three rounds."""
        main, most = self._main, self._most_visits
        while True:
            node = main[0]
            visits = node.count - node.base
            if node.gone:
                main.popleft()
                self._main_gone -= 1
            elif visits <= 0:
                return node
            else:
                node.base = node.count - (visits if visits < most else most) + 1
                main.rotate(-1)

    def _tick(self) -> None:
        """Now and then after an insertion: hear the judge, halve some counts if it is their time."""
        judge = self._judge
        self._room = self.limit_bytes - len(self._ghosts) * GHOST_BYTES
        if judge is not None:
            policy = judge.verdict(self._policy, len(self._nodes), full=self._full)
            if policy != self._policy:
                self.policy = policy
            if judge.mask != self._mask:
                self._mask = judge.mask
                self._silent += 2
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
