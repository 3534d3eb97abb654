"""A retry budget: calls that succeed pay for retries, so that a failing callee is not buried under them.

Finagle's RetryBudget without its clock: deposits are worked out from the count of successes when a retry asks, so a
call that needs none pays nothing.
"""

from __future__ import annotations

from pea.config.policies import RetryBudgetPolicy


class Budget:
    """Tokens: ``ratio`` for each success, at most ``burst``; begins full."""

    __slots__ = ("_burst", "_ratio", "_seen", "_tokens", "refused")

    def __init__(self, ratio: float, burst: float) -> None:
        self._ratio = ratio
        self._burst = float(burst)
        self._tokens = self._burst
        self._seen = 0
        self.refused = 0

    @classmethod
    def of(cls, policy: RetryBudgetPolicy) -> Budget:
        """The budget that a policy describes."""
        return cls(policy.ratio, policy.burst)

    def withdraw(self, successes: int) -> bool:
        """Whether one more is paid for; ``successes`` is how many calls have succeeded so far, ever."""
        self._tokens = min(self._burst, self._tokens + (successes - self._seen) * self._ratio)
        self._seen = successes
        if self._tokens < 1.0 - 1e-9:
            self.refused += 1
            return False
        self._tokens -= 1.0
        return True
