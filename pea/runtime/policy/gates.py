"""What a call passes before its work begins: the rate limit, then the bulkhead."""

from __future__ import annotations

from pea.runtime.policy.bulkhead import Bulkhead
from pea.runtime.policy.rate import RateLimit


class Gates:
    """The gates of one capability, shared by its replicas; either may be missing."""

    __slots__ = ("bulkhead", "rate")

    def __init__(self, rate: RateLimit | None, bulkhead: Bulkhead | None) -> None:
        self.rate = rate
        self.bulkhead = bulkhead

    async def enter(self, now: float) -> None:
        """Raise Overloaded, or be inside until `leave`."""
        if self.rate is not None:
            self.rate.take(now)
        if self.bulkhead is not None:
            await self.bulkhead.enter()

    def leave(self) -> None:
        """The work has ended."""
        if self.bulkhead is not None:
            self.bulkhead.leave()
