"""Which eviction policy suits the requests: each is run on the same sample of the keys, in small, and its hits counted.

A cache of a 2⁻ʳ-th of the size, asked only for a 2⁻ʳ-th of the keys (by hash), hits about as often as the whole
(Waldspurger et al., "Cache Modeling and Optimization using Miniature Simulations", USENIX ATC 2017). While the policy
that is followed stays ahead, the miniatures sleep between two rounds, the longer the longer it has been so.
"""

from __future__ import annotations

import math

from pea.cache.miniature import UNLIMITED, Clock, TinyLfu
from pea.cache.two_queues import POLICIES, Policy

_DENSITY = 4.0  # a cache of n entries is sampled to between this times √n and twice as many
_WARMING = 1  # asks per entry of a miniature that do not count, after a sleep
_ROUND = 4  # asks per entry of a miniature between two verdicts
_FADE = 0.95  # what a former round counts for
_LEAD = 0.003  # of all asks: by less than this no policy is left for another
_CALM_AFTER = 2  # rounds without a change before the first sleep
_LONGEST = 8  # times a round is slept at most
_LENGTHEN = 1  # times a round that the next sleep is longer


class Duel:
    """A judge for `pea.cache.two_queues.TwoQueues`."""

    __slots__ = (
        "_asks", "_calm", "_held", "_limit", "_minis", "_score", "_sleep", "_ticks", "_total", "_warm", "asked", "mask",
    )  # fmt: skip

    def __init__(self) -> None:
        self._held = 0
        self._limit = 0  # entries of a miniature; 0 until the cache has been full
        self.mask = 0
        self.asked: list[int] = []
        self._minis = (Clock(), TinyLfu("tinylfu"), TinyLfu("tinylfu-wide"))
        self._score = dict.fromkeys(POLICIES, 0.0)
        self._asks = 0
        self._total = 0.0
        self._calm = 0  # rounds since the policy changed
        self._ticks = 0  # verdicts asked for in this round
        self._sleep = 0  # verdicts to sleep through
        self._warm = True

    def verdict(self, policy: Policy, held: int, *, full: bool) -> Policy:
        """The policy that hits clearly more often than ``policy``, else that, for a cache of ``held`` entries."""
        if self._sleep:
            self._sleep -= 1
            self.asked.clear()
            return policy
        self._put()
        if not self._held * 0.8 <= held <= self._held * 1.25 or (full and not self._limit):
            self._fit(held, full=full or bool(self._limit))
        self._ticks += 1
        if not self._limit or not self._awake() or self._asks < _ROUND * self._limit:
            return policy
        best = self._best(policy)
        self._calm = 0 if best != policy else self._calm + 1
        if self._calm > _CALM_AFTER:
            self._sleep = int(self._ticks * min((self._calm - _CALM_AFTER) * _LENGTHEN, _LONGEST))
            self._warm = not self._sleep
        self._ticks = 0
        return best

    def _awake(self) -> bool:
        """Whether what was asked counts; after a sleep the miniatures hold what was asked for before it."""
        if not self._warm and self._asks >= _WARMING * self._limit:
            self._warm = True
            self._asks = 0
            for mini in self._minis:
                mini.hits = 0
        return self._warm

    def _best(self, policy: Policy) -> Policy:
        """Close a round: the policy with most hits, a former round's counting less, if it leads clearly."""
        self._total = self._total * _FADE + self._asks
        self._asks = 0
        for mini in self._minis:
            self._score[mini.policy] = self._score[mini.policy] * _FADE + mini.hits
            mini.hits = 0
        best = max(POLICIES, key=self._score.__getitem__)
        return best if self._score[best] - self._score[policy] > _LEAD * self._total else policy

    def _put(self) -> None:
        """Put what was asked since the last verdict to every miniature."""
        asked = self.asked
        for mini in self._minis:
            mini.run(asked)
        self._asks += len(asked)
        self.asked.clear()

    def _fit(self, held: int, *, full: bool) -> None:
        """The cache has grown or shrunk: sample as densely as suits it, keep what the miniatures hold of that."""
        self._held = held
        rank = int(math.sqrt(held) / _DENSITY).bit_length()
        self.mask = (1 << rank) - 1
        self._limit = max(held >> rank, 8) if full else 0
        for mini in self._minis:
            mini.thin(lambda mark: not mark & self.mask)
            mini.resize(self._limit or UNLIMITED)
