"""One bound over all memory tiers: each has its own, and together they stay below a ceiling.

Fifteen L1s of 50 MB and an L2 of 200 MB are 950 MB if all of them fill. Below the ceiling each tier has its own bound;
at it, those above their fair share give way, in proportion to their bounds, and grow again when others have shrunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Bounded(Protocol):
    """A tier whose bytes can be bounded anew."""

    size_bytes: int

    def limit(self, size_bytes: int) -> None:
        """Hold at most so many bytes from now on; what is too much leaves at once."""


class Ceiling:
    """``grown`` is told of every entry that is put; only when the room may be used up are the tiers looked at."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._tiers: list[Bounded] = []
        self._own: list[int] = []
        self._room = 0  # bytes that may be put before the tiers are looked at again

    def add(self, tier: Bounded, limit_bytes: int) -> None:
        """A tier with its own bound."""
        self._tiers.append(tier)
        self._own.append(limit_bytes)
        self._room = 0

    def lower(self, most_bytes: int) -> None:
        """Hold at most so many bytes together from now on, fewer or again more; what is too much leaves at once."""
        self.most_bytes = most_bytes
        self._look()

    @property
    def used_bytes(self) -> int:
        """What all tiers hold together."""
        return sum(tier.size_bytes for tier in self._tiers)

    def grown(self, size_bytes: int) -> None:
        """So many bytes, at most, have been put into the tiers."""
        self._room -= size_bytes
        if self._room < 0:
            self._look()

    def _look(self) -> None:
        sizes = [tier.size_bytes for tier in self._tiers]
        limits = fair(sizes, self._own, self.most_bytes)
        for tier, limit in zip(self._tiers, limits, strict=True):
            tier.limit(limit)
        # A hundredth at least, so that a full system does not look at every entry: that much it may be over.
        self._room = max(self.most_bytes - self.used_bytes, self.most_bytes // 100)


def fair(sizes: Sequence[int], limits: Sequence[int], most: int) -> list[int]:
    """What each tier may hold, of those that hold ``sizes`` and may hold ``limits`` at most, ``most`` together.

    While there is room each may grow by it. Beyond it the largest shares of their limits are cut to one share.
    """
    room = most - sum(sizes)
    if room >= 0:
        return [min(limit, size + room) for size, limit in zip(sizes, limits, strict=True)]
    shares = sorted(size / limit for size, limit in zip(sizes, limits, strict=True) if limit)
    for number, share in enumerate(shares):
        kept = sum(size for size, limit in zip(sizes, limits, strict=True) if limit and size / limit < share)
        rest = sum(limit for size, limit in zip(sizes, limits, strict=True) if limit and size / limit >= share)
        level = max(most - kept, 0) / rest
        if level < share or number == len(shares) - 1:
            return [min(size, int(limit * level)) for size, limit in zip(sizes, limits, strict=True)]
    return list(sizes)
