"""Which eviction policy suits the requests: each is run on the same sample of the keys, in small, and its hits counted.

A cache of a 2⁻ʳ-th of the size, asked only for a 2⁻ʳ-th of the keys (by hash), hits about as often as the whole
(Waldspurger et al., "Cache Modeling and Optimization using Miniature Simulations", USENIX ATC 2017).
"""

from __future__ import annotations

import math

from pea.cache.miniature import UNLIMITED, Clock, S3Fifo, TinyLfu
from pea.cache.two_queues import POLICIES, SPREAD, Policy

_DENSITY = 4.0  # a cache of n entries is sampled to between this times √n and twice as many
_ROUND = 2  # asks per entry of a miniature between two verdicts
_FADE = 0.95  # what a former round counts for
_LEAD = 0.004  # of all asks: by less than this no policy is left for another
_CALM_AFTER = 24  # rounds of a dense sample
_CALM_RANKS = 1  # half of it is enough then
_CALM_LEAD = 0.012


class Duel:
    """A judge for `pea.cache.two_queues.TwoQueues`."""

    __slots__ = ("_asks", "_calm", "_held", "_limit", "_minis", "_rounds", "_score", "_total", "asked", "mask")

    def __init__(self) -> None:
        self._held = 0
        self._limit = 0  # entries of a miniature; 0 until the cache has been full
        self.mask = 0
        self.asked: list[int] = []
        self._minis = (Clock(), S3Fifo(), TinyLfu())
        self._score = dict.fromkeys(POLICIES, 0.0)
        self._asks = 0
        self._total = 0.0
        self._calm = False  # the sample is thin
        self._rounds = 0  # since the sample was last made thin or dense

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
        changed = lead > (_CALM_LEAD if self._calm else _LEAD) * self._total
        self._rounds += 1
        if changed and self._calm:
            self._settle(held, calm=False)
        elif not self._calm and self._rounds >= _CALM_AFTER:
            self._settle(held, calm=True)
        return best if changed else policy

    def _put(self) -> None:
        """Put what was asked since the last verdict to every miniature."""
        asked = self.asked
        for mini in self._minis:
            mini.run(asked)
        self._asks += len(asked)
        self.asked.clear()

    def _settle(self, held: int, *, calm: bool) -> None:
        """Sample densely for a while, then thinly until a thin sample shows a clear lead."""
        self._rounds = 0
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
            mini.thin(lambda mark: not mark % SPREAD & self.mask)
            mini.resize(self._limit or UNLIMITED)
