"""What a tier has counted: plain integers, read by the statistics, never reset."""

from __future__ import annotations

import msgspec


class TierStats(msgspec.Struct, frozen=True, kw_only=True):
    """One tier as it stands; evictions by cause: ``size`` (bytes or entries), ``age``, ``dropped`` (invalidation).

    ``refused`` are values that the tier did not take: too large, or not worth another's place. ``faults`` are calls
    that failed or outlasted the tier's time budget, ``open`` says that its breaker is keeping it out.
    """

    tier: str
    owner: str = ""
    policy: str = ""
    hits: int = 0
    misses: int = 0
    entries: int = 0
    size_bytes: int = 0
    limit_bytes: int = 0
    limit_entries: int = 0
    evicted_size: int = 0
    evicted_age: int = 0
    dropped: int = 0
    refused: int = 0
    faults: int = 0
    open: bool = False
    oldest_s: float | None = None

    @property
    def hit_ratio(self) -> float | None:
        """Hits among lookups; None before the first."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


class Counted:
    """What a memory tier counts as it goes, beside its bounds: the same whoever leaves first."""

    __slots__ = (
        "dropped", "evicted_age", "evicted_size", "hits", "limit_bytes", "limit_entries", "misses", "refused",
        "size_bytes",
    )  # fmt: skip

    def __init__(self, limit_bytes: int, limit_entries: int) -> None:
        self.limit_bytes = limit_bytes
        self.limit_entries = limit_entries
        self.hits = self.misses = self.size_bytes = 0
        self.evicted_size = self.evicted_age = self.dropped = self.refused = 0

    def counted(
        self, tier: str, owner: str, *, policy: str, entries: int, oldest_s: float | None, more_bytes: int = 0
    ) -> TierStats:
        """The counts with what only the tier knows; ``more_bytes`` are held beside the entries."""
        return TierStats(
            tier=tier,
            owner=owner,
            policy=policy,
            hits=self.hits,
            misses=self.misses,
            entries=entries,
            size_bytes=self.size_bytes + more_bytes,
            limit_bytes=self.limit_bytes,
            limit_entries=self.limit_entries,
            evicted_size=self.evicted_size,
            evicted_age=self.evicted_age,
            dropped=self.dropped,
            refused=self.refused,
            oldest_s=oldest_s,
        )
