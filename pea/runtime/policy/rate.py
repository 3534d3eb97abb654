"""A rate limit: a token bucket kept as one number, the time at which it will be full again."""

from __future__ import annotations

from pea.config.policies import RatePolicy
from pea.errors import Overloaded


class RateLimit:
    """The generic cell rate algorithm (ITU-T I.371, virtual scheduling); ``now`` is a monotonic clock's, in seconds."""

    __slots__ = ("_full_at", "_interval_s", "_slack_s", "name", "refused")

    def __init__(self, name: str, policy: RatePolicy) -> None:
        self.name = name
        self.refused = 0
        self._interval_s = 1.0 / policy.per_second
        self._slack_s = self._interval_s * (policy.burst - 1) + 1e-9
        self._full_at = 0.0

    def take(self, now: float) -> None:
        """Take a token, or raise Overloaded with when there will be one."""
        full_at = self._full_at if self._full_at > now else now
        wait_s = full_at - now - self._slack_s
        if wait_s > 0:
            self.refused += 1
            raise Overloaded(
                "its rate limit is reached",
                retry_after_s=wait_s,
                where=self.name,
                fix=f"try again in {wait_s:.2g} s, or raise rate.per_second or rate.burst in its policy",
            )
        self._full_at = full_at + self._interval_s
