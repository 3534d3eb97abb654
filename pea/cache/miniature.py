"""Eviction policies in small: the queues of `pea.cache.two_queues` with keys of one size and without values.

Requests are put to them in batches, and each policy is one loop over local names: a call for each would cost more than
the work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence

from pea.cache.ghosts import Ghosts
from pea.cache.two_queues import AGE_EVERY, MOST_COUNT, MOST_VISITS, SMALL, Policy

UNLIMITED = 1 << 60
_SHIFT = 10  # the last bits of all keys of a sample are the same


class Miniature(ABC):
    """Holds at most so many keys (given as mixed hashes) and counts hits; what it says of a policy, it says by them."""

    __slots__ = ("hits", "policy")

    def __init__(self, policy: Policy) -> None:
        self.policy: Policy = policy
        self.hits = 0

    @abstractmethod
    def resize(self, limit: int) -> None:
        """Hold at most ``limit`` keys; what is too much leaves at the next miss."""

    @abstractmethod
    def thin(self, keeps: Callable[[int], bool]) -> None:
        """Forget the keys that ``keeps`` refuses."""

    @abstractmethod
    def run(self, keys: Sequence[int]) -> None:
        """Requests for these keys, in this order."""


class Clock(Miniature):
    """Of a key it is known whether it was asked for since the hand came by."""

    __slots__ = ("_held", "_limit", "_ring")

    def __init__(self) -> None:
        super().__init__("clock")
        self._held: dict[int, bool] = {}
        self._ring: deque[int] = deque()
        self._limit = UNLIMITED

    def resize(self, limit: int) -> None:
        """See `Miniature`."""
        self._limit = limit

    def thin(self, keeps: Callable[[int], bool]) -> None:
        """See `Miniature`."""
        self._held = {key: asked for key, asked in self._held.items() if keeps(key)}
        self._ring = deque(key for key in self._ring if key in self._held)

    def run(self, keys: Sequence[int]) -> None:
        """A key asked for since the hand came by is passed over once."""
        held, ring, limit = self._held, self._ring, self._limit
        over = len(held) - limit
        hits = 0
        for key in keys:
            if key in held:
                held[key] = True
                hits += 1
                continue
            held[key] = False
            ring.append(key)
            over += 1
            while over > 0:
                victim = ring.popleft()
                if held[victim]:
                    held[victim] = False
                    ring.append(victim)
                else:
                    del held[victim]
                    over -= 1
        self.hits += hits


class TinyLfu(Miniature):
    """Of a key are kept, in a list: requests counted, the count at which the hand will pass it by, and the key."""

    __slots__ = ("_age_at", "_asks", "_ghosts", "_held", "_limit", "_main", "_small", "_small_most")

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._held: dict[int, list[int]] = {}
        self._small: deque[list[int]] = deque()
        self._main: deque[list[int]] = deque()
        self._ghosts = Ghosts()
        self._asks = 0
        self.resize(UNLIMITED)

    def resize(self, limit: int) -> None:
        """See `Miniature`."""
        self._limit = limit
        self._small_most = max(1, int(limit * SMALL[self.policy]))
        self._age_at = self._asks + AGE_EVERY[self.policy] * limit
        if limit < UNLIMITED:
            self._ghosts.fit(limit, limit << 10)

    def thin(self, keeps: Callable[[int], bool]) -> None:
        """See `Miniature`."""
        self._held = {key: node for key, node in self._held.items() if keeps(key)}
        self._small = deque(node for node in self._small if node[2] in self._held)
        self._main = deque(node for node in self._main if node[2] in self._held)

    def run(self, keys: Sequence[int]) -> None:  # noqa: PLR0915  one loop, no calls: that is its point
        """What was asked for no more often than the main queue's next victim leaves in its place."""
        held, small, main, limit = self._held, self._small, self._main, self._limit
        small_most, main_most, visits_most = self._small_most, limit - self._small_most, MOST_VISITS[self.policy]
        find, counts, mask = held.get, self._ghosts.counts, self._ghosts.mask
        over = len(held) - limit
        hits = 0
        for key in keys:
            node = find(key)
            if node is not None:
                node[0] += 1
                hits += 1
                continue
            count = counts[key >> _SHIFT & mask] + 1
            held[key] = node = [count, count, key]
            small.append(node)
            over += 1
            while over > 0:
                newcomer = None
                if len(small) > small_most or not main:
                    newcomer = small.popleft()
                    if len(main) < main_most or not main:
                        newcomer[1] = newcomer[0]
                        main.append(newcomer)
                        continue
                victim = main[0]
                while (visits := victim[0] - victim[1]) > 0:
                    victim[1] = victim[0] - (visits if visits < visits_most else visits_most) + 1
                    main.rotate(-1)
                    victim = main[0]
                if newcomer is None:
                    main.popleft()
                elif newcomer[0] > victim[0] or newcomer[0] > MOST_COUNT:
                    newcomer[1] = newcomer[0]
                    main.popleft()
                    main.append(newcomer)
                else:
                    if victim[0] > 1:
                        main.rotate(-1)
                    victim = newcomer
                count, _, key = victim  # noqa: PLW2901  done with the one that was asked for
                counts[key >> _SHIFT & mask] = count if count < 255 else 255
                del held[key]
                over -= 1
        self.hits += hits
        self._asks += len(keys)
        if self._asks >= self._age_at:
            self._age_at = self._asks + AGE_EVERY[self.policy] * limit
            self._ghosts.halve()
            for node in held.values():
                shed = node[0] >> 1
                node[0] -= shed
                node[1] -= shed
