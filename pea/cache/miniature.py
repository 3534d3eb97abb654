"""Eviction policies in small: the queues of `pea.cache.two_queues` with keys of one size and without values.

Requests are put to them in batches, and each policy is one loop over local names: a call for each would cost more than
the work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from pea.cache.ghosts import Ghosts
from pea.cache.two_queues import AGE_EVERY, GHOSTS_PER_ENTRY, MOST_COUNT, MOST_VISITS, SMALL, Policy

UNLIMITED = 1 << 60


class Miniature(ABC):
    """Holds at most so many keys (given as hashes) and counts hits; what it says of a policy, it says by them."""

    policy: ClassVar[Policy]

    __slots__ = ("_age_at", "_asks", "_ghosts", "_held", "_limit", "_main", "_small", "_small_most", "hits")

    def __init__(self) -> None:
        self.hits = 0
        self._asks = 0
        self._held: dict[int, Any] = {}  # by key what its policy counts
        self._small: deque[int] = deque()
        self._main: deque[int] = deque()
        self._ghosts = Ghosts()
        self.resize(UNLIMITED)

    def resize(self, limit: int) -> None:
        """Hold at most ``limit`` keys; what is too much leaves at the next miss."""
        self._limit = limit
        self._small_most = max(1, int(limit * SMALL[self.policy]))
        self._age_at = self._asks + AGE_EVERY * limit

    def thin(self, keeps: Callable[[int], bool]) -> None:
        """Forget the keys that ``keeps`` refuses."""
        self._held = {key: count for key, count in self._held.items() if keeps(key)}
        self._small = deque(key for key in self._small if key in self._held)
        self._main = deque(key for key in self._main if key in self._held)

    @abstractmethod
    def run(self, keys: Sequence[int]) -> None:
        """Requests for these keys, in this order."""


class Clock(Miniature):
    """``clock``: of a key it is known whether it was asked for since the hand came by."""

    policy = "clock"
    __slots__ = ()

    def run(self, keys: Sequence[int]) -> None:
        """A key asked for since the hand came by is passed over once."""
        held, ring, limit = self._held, self._main, self._limit
        hits = 0
        for key in keys:
            if key in held:
                held[key] = True
                hits += 1
                continue
            held[key] = False
            ring.append(key)
            while len(held) > limit:
                victim = ring.popleft()
                if held[victim]:
                    held[victim] = False
                    ring.append(victim)
                else:
                    del held[victim]
        self.hits += hits


class S3Fifo(Miniature):
    """``s3-fifo``: of a key its visits are counted, less those that the hand took."""

    policy = "s3-fifo"
    __slots__ = ()

    def run(self, keys: Sequence[int]) -> None:
        """What nobody asks for again while it is in the small queue leaves."""
        held, small, main, ghosts, limit = self._held, self._small, self._main, self._ghosts, self._limit
        small_most, most, most_ghosts = self._small_most, MOST_VISITS["s3-fifo"], GHOSTS_PER_ENTRY["s3-fifo"] * limit
        find, new, old = held.get, ghosts.new, ghosts.old
        hits = 0
        for key in keys:
            visits = find(key)
            if visits is not None:
                if visits < most:
                    held[key] = visits + 1
                hits += 1
                continue
            held[key] = 0
            if new.pop(key, None) is None and old.pop(key, None) is None:
                small.append(key)
            else:
                main.append(key)
            while len(held) > limit:
                if small and (len(small) > small_most or not main):
                    victim = small.popleft()
                    if held[victim]:
                        held[victim] = 0
                        main.append(victim)
                        continue
                    if len(new) > most_ghosts:
                        ghosts.turn()
                        new, old = ghosts.new, ghosts.old
                    new[victim] = 1
                else:
                    victim = main.popleft()
                    visits = held[victim]
                    if visits:
                        held[victim] = visits - 1
                        main.append(victim)
                        continue
                del held[victim]
        self.hits += hits


class TinyLfu(Miniature):
    """``tinylfu``: of a key all requests are counted, and the count is kept at which the hand will pass it by."""

    policy = "tinylfu"
    __slots__ = ()

    def run(self, keys: Sequence[int]) -> None:  # noqa: C901, PLR0915  one loop, no calls: that is its point
        """What was asked for no more often than the main queue's next victim leaves in its place."""
        held, small, main, ghosts, limit = self._held, self._small, self._main, self._ghosts, self._limit
        small_most, main_most, most = self._small_most, limit - self._small_most, MOST_VISITS["tinylfu"]
        find, new, old, most_ghosts = held.get, ghosts.new, ghosts.old, GHOSTS_PER_ENTRY["tinylfu"] * limit
        hits, age = 0, ghosts.age
        for key in keys:
            node = find(key)
            if node is not None:
                node[0] += 1
                hits += 1
                continue
            kept = new.pop(key, None)
            if kept is None:
                kept = old.pop(key, age)
            count = (kept >> 8 + (age - kept & 255)) + 1
            held[key] = [count, count]
            small.append(key)
            while len(held) > limit:
                newcomer = None
                if small and (len(small) > small_most or not main):
                    newcomer = small[0]
                    if len(main) < main_most:
                        main.append(small.popleft())
                        continue
                victim = main[0]
                rival = held[victim]
                while rival[0] > rival[1]:
                    rival[1] = max(rival[1], rival[0] - most) + 1
                    main.rotate(-1)
                    victim = main[0]
                    rival = held[victim]
                if newcomer is not None:
                    node = held[newcomer]
                    if node[0] > (rival[0] if rival[0] < MOST_COUNT else MOST_COUNT):
                        main.append(small.popleft())
                        node[1] = node[0]
                    else:
                        victim, rival = newcomer, node
                if victim == newcomer:
                    small.popleft()
                else:
                    main.popleft()
                if len(new) > most_ghosts:
                    ghosts.turn()
                    new, old = ghosts.new, ghosts.old
                new[victim] = rival[0] << 8 | age
                del held[victim]
        self.hits += hits
        self._asks += len(keys)
        if self._asks >= self._age_at:
            self._age()

    def _age(self) -> None:
        self._age_at = self._asks + AGE_EVERY * self._limit
        self._ghosts.halve()
        for node in self._held.values():
            shed = node[0] >> 1
            node[0] -= shed
            node[1] -= shed
