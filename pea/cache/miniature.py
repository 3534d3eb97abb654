"""An eviction policy in small: the queues of `pea.cache.two_queues` with entries of one size and without values.

Requests are put to it in batches: a loop over local names costs a third of a call for each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

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
        """Hold at most ``limit`` keys; what is too much leaves at the next miss."""
        self.limit = limit
        self._small_most = max(1, int(limit * SMALL[self.policy]))
        self._age_at = self.asks + AGE_EVERY * limit

    def thin(self, keeps: Callable[[int], bool]) -> None:
        """Forget the keys that ``keeps`` refuses."""
        self.held = {key: node for key, node in self.held.items() if keeps(key)}
        self._small = deque(key for key in self._small if key in self.held)
        self._main = deque(key for key in self._main if key in self.held)

    def run(self, keys: Sequence[int]) -> None:
        """Requests for these keys, in this order."""
        held, ghosts = self.held, self._ghosts
        main, small = self._main.append, self._small.append
        find, recall, evict, limit = held.get, ghosts.recall, self._evict, self.limit
        clock, straight = self.policy == "clock", self.policy == "s3-fifo"
        hits = 0
        for key in keys:
            node = find(key)
            if node is not None:
                node[0] += 1
                hits += 1
                continue
            if clock:  # it has no ghosts
                held[key] = [1, 1]
                main(key)
            else:
                ghost = recall(key)
                count = 1 if ghost is None else ghost + 1
                held[key] = [count, count]
                if ghost is not None and straight:
                    main(key)
                else:
                    small(key)
            if len(held) > limit:
                evict()
        self.hits += hits
        self.asks += len(keys)
        if self.asks >= self._age_at:
            self._age()

    def _evict(self) -> None:
        """Let keys go until the limit holds."""
        small, main, held = self._small, self._main, self.held
        while len(held) > self.limit:
            if not small or (main and len(small) <= self._small_most):
                self._lose(self._hand(), newcomer=False)
                continue
            key = small.popleft()
            node = held[key]
            count = node[0]
            if self.policy == "s3-fifo":
                if count > node[1]:
                    node[1] = count
                    main.append(key)
                else:
                    self._lose(key, newcomer=True)
            elif len(main) < self.limit - self._small_most:
                main.append(key)
            else:
                victim = self._hand()
                most = held[victim][0]
                if count > (most if most < MOST_COUNT else MOST_COUNT):
                    self._lose(victim, newcomer=False)
                    node[1] = count
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
