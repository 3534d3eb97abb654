"""Which eviction policy suits the requests: each is run on the same sample of the keys, in small, and its hits counted.

A cache of a 2⁻ʳ-th of the size, asked only for a 2⁻ʳ-th of the keys (by hash), hits about as often as the whole
(Waldspurger et al., "Cache Modeling and Optimization using Miniature Simulations", USENIX ATC 2017).
"""

from __future__ import annotations

import math

from pea.cache.miniature import UNLIMITED, Miniature
from pea.cache.two_queues import POLICIES, SPREAD, Policy

_DENSITY = 8.0  # a cache of n entries is sampled to between this times √n and twice as many
_ROUND = 2  # asks per entry of a miniature between two verdicts
_FADE = 0.9  # what a former round counts for
_LEAD = 0.004  # of all asks: by less than this no policy is left for another
_CALM_AFTER = 12  # rounds without a change
_CALM_RANKS = 2  # a quarter of the sample is enough then
_CALM_LEAD = 0.012


class Duel:
    """A judge for `pea.cache.two_queues.TwoQueues`."""

    __slots__ = ("_asks", "_calm", "_held", "_limit", "_minis", "_rounds", "_score", "_total", "asked", "mask")

    def __init__(self) -> None:
        self._held = 0
        self._limit = 0  # entries of a miniature; 0 until the cache has been full
        self.mask = 0
        self.asked: list[int] = []
        self._minis = [Miniature(policy) for policy in POLICIES]
        self._score = dict.fromkeys(POLICIES, 0.0)
        self._asks = 0
        self._total = 0.0
        self._calm = False  # no verdict has changed anything for a while
        self._rounds = 0  # since the last that has

    def verdict(self, policy: Policy, held: int, *, full: bool) -> Policy:
        """The policy that hits clearly more often than ``policy``, else that, for a cache of ``held`` entries."""
        self._put()
        if not self._held * 0.8 <= held <= self._held * 1.25 or (full and not self._limit):
            self._fit(held, full=full or bool(self._limit))
        if not self._limit or self._asks < _ROUND * self._limit:
            return policy
        self._total = self._total * _FADE + self._asks
        for mini in self._minis:
            self._score[mini.policy] = self._score[mini.policy] * _FADE + mini.hits
            mini.hits = 0
        self._asks = 0
        best = max(self._score, key=self._score.__getitem__)
        lead = self._score[best] - self._score[policy]
        if lead > (_CALM_LEAD if self._calm else _LEAD) * self._total:
            if self._calm or self._rounds:
                self._settle(held, calm=False)
            return best
        self._rounds += 1
        if not self._calm and self._rounds >= _CALM_AFTER:
            self._settle(held, calm=True)
        return policy

    def _put(self) -> None:
        """Put what was asked since the last verdict to every miniature."""
        mask, asked = self.mask, self.asked
        if mask:  # some of the entries that tell may have been sampled more densely
            asked = [mark for mark in asked if not (mark * SPREAD >> 40) & mask]
        for mini in self._minis:
            mini.run(asked)
        self._asks += len(asked)
        self.asked.clear()

    def _settle(self, held: int, *, calm: bool) -> None:
        """Sample more thinly where nothing changes, densely again where something does."""
        self._rounds = 0
        if calm != self._calm:
            self._calm = calm
            self._fit(held, full=True)
            self._score = dict.fromkeys(POLICIES, 0.0)
            self._total = 0.0

    def _fit(self, held: int, *, full: bool) -> None:
        """The cache has grown or shrunk: sample as densely as suits it, keep what the miniatures hold of that."""
        self._held = held
        rank = int(math.sqrt(held) / _DENSITY).bit_length() + (_CALM_RANKS if self._calm else 0)
        self.mask = (1 << rank) - 1
        self._limit = max(held >> rank, 8) if full else 0
        for mini in self._minis:
            mini.thin(lambda mark: not (mark * SPREAD >> 40) & self.mask)
            mini.resize(self._limit or UNLIMITED)
