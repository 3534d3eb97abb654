"""An eviction policy in small: the queues of `pea.cache.two_queues` with entries of one size and without values."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pea.cache.ghosts import Ghosts
from pea.cache.two_queues import AGE_EVERY, GHOSTS_PER_ENTRY, MOST_COUNT, MOST_VISITS, SMALL, Policy

UNLIMITED = 1 << 60


class Miniature:
    """Holds at most ``limit`` keys (given as hashes) and counts hits; what it says of a policy, it says by them."""

    __slots__ = (
        "_age_at",
        "_ghosts",
        "_main",
        "_most",
        "_small",
        "_small_most",
        "asks",
        "held",
        "hits",
        "limit",
        "policy",
    )

    def __init__(self, policy: Policy, limit: int = UNLIMITED) -> None:
        self.policy = policy
        self.hits = 0
        self.held: dict[int, list[int]] = {}  # count, and the count at which the hand will pass the key by
        self._small: deque[int] = deque()
        self._main: deque[int] = deque()
        self._most = MOST_VISITS[policy]
        self._ghosts = Ghosts()
        self.asks = 0
        self.resize(limit)

    def resize(self, limit: int) -> None:
        """Hold at most ``limit`` keys; what is too much leaves at the next requests."""
        self.limit = limit
        self._small_most = max(1, int(limit * SMALL[self.policy]))
        self._age_at = self.asks + AGE_EVERY * limit

    def thin(self, keeps: Callable[[int], bool]) -> None:
        """Forget the keys that ``keeps`` refuses."""
        self.held = {key: node for key, node in self.held.items() if keeps(key)}
        self._small = deque(key for key in self._small if key in self.held)
        self._main = deque(key for key in self._main if key in self.held)

    def miss(self, key: int) -> None:
        """A request for a key that is not held; one that is, the caller counts itself, in ``held`` and ``hits``."""
        ghost = self._ghosts.recall(key)
        count = 1 if ghost is None else ghost + 1
        self.held[key] = [count, count]
        if self.policy == "clock" or (ghost is not None and self.policy == "s3-fifo"):
            self._main.append(key)
        else:
            self._small.append(key)
        while len(self.held) > self.limit:
            self._evict()
        if self.asks >= self._age_at:
            self._age()

    def _evict(self) -> None:
        small, main, held = self._small, self._main, self.held
        if not small or (main and len(small) <= self._small_most):
            self._lose(self._hand(), newcomer=False)
            return
        key = small.popleft()
        count, base = held[key]
        if self.policy == "s3-fifo":
            if count > base:
                held[key][1] = count
                main.append(key)
            else:
                self._lose(key, newcomer=True)
            return
        if len(main) < self.limit - self._small_most:
            main.append(key)
            return
        victim = self._hand()
        if count > min(held[victim][0], MOST_COUNT):
            self._lose(victim, newcomer=False)
            held[key][1] = count
            main.append(key)
        else:
            main.appendleft(victim)
            self._lose(key, newcomer=True)

    def _hand(self) -> int:
        main, held, most = self._main, self.held, self._most
        while True:
            key = main.popleft()
            node = held[key]
            visits = node[0] - node[1]
            if visits <= 0:
                return key
            node[1] = node[0] - (visits if visits < most else most) + 1
            main.append(key)

    def _lose(self, key: int, *, newcomer: bool) -> None:
        count = self.held.pop(key)[0]
        if newcomer or self.policy == "tinylfu":
            self._ghosts.remember(key, count, GHOSTS_PER_ENTRY[self.policy] * self.limit)

    def _age(self) -> None:
        self._age_at = self.asks + AGE_EVERY * self.limit
        self._ghosts.halve()
        for node in self.held.values():
            shed = node[0] >> 1
            node[0] -= shed
            node[1] -= shed
