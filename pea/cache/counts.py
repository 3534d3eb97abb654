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
