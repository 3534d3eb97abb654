"""Which ended traces are worth keeping: errors, the slow for their kind, and a steady random share of the rest.

A policy sees a whole trace once and answers with a reason, or with None when nothing speaks for keeping it.
"""

from __future__ import annotations

import random
import time
from bisect import bisect_left, insort
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from pea.config import KeeperSettings

MIN_SAMPLES = 20  # below this many roots of a name nothing can be said of its slowest
RECENT_ROOTS = 128
MAX_ROOT_NAMES = 512
_SMOOTHING = 0.3  # weight of the last second in the estimated rate


class Ended(msgspec.Struct, frozen=True):
    """What a policy may know of a trace: its root's name, how long it took, and whether anything in it failed."""

    name: str
    duration_ns: int
    failed: bool


class Policy(Protocol):
    """Decides over whole traces; stateful, and called once for each."""

    def __call__(self, trace: Ended) -> str | None:
        """Why the trace is kept, in a word; None to pass it by."""


def keep_all(trace: Ended) -> str | None:  # noqa: ARG001  every policy is asked the same way
    """Keep everything: right for one machine."""
    return "all"


class KeepErrors:
    """Keeps traces in which anything failed."""

    def __call__(self, trace: Ended) -> str | None:
        """See `Policy`."""
        return "error" if trace.failed else None


class SlowerThan:
    """Keeps traces that took longer than a fixed bound (seconds)."""

    def __init__(self, bound_s: float) -> None:
        self._bound_ns = bound_s * 1e9

    def __call__(self, trace: Ended) -> str | None:
        """See `Policy`."""
        return "slow" if trace.duration_ns > self._bound_ns else None


class SlowForItsRoot:
    """Keeps traces slower than a quantile of the last 128 with the same root; root names are bounded, LRU."""

    def __init__(self, quantile: float) -> None:
        self._quantile = quantile
        self._roots: OrderedDict[str, tuple[deque[int], list[int]]] = OrderedDict()

    def __call__(self, trace: Ended) -> str | None:
        """See `Policy`; the trace is compared with those before it and then counts itself."""
        known = self._roots.get(trace.name)
        if known is None:
            known = self._roots[trace.name] = (deque(), [])
            if len(self._roots) > MAX_ROOT_NAMES:
                self._roots.popitem(last=False)
        else:
            self._roots.move_to_end(trace.name)
        order, ranked = known
        slow = len(ranked) >= MIN_SAMPLES and trace.duration_ns > ranked[int(self._quantile * (len(ranked) - 1))]
        if len(order) >= RECENT_ROOTS:
            del ranked[bisect_left(ranked, order.popleft())]
        order.append(trace.duration_ns)
        insort(ranked, trace.duration_ns)
        return "slow for its root" if slow else None


class SteadyShare:
    """Keeps about ``per_second`` traces a second, each with the same chance, whatever the rate.

    The chance follows the rate of the seconds before, smoothed, so that a burst is thinned evenly: a token bucket would
    keep the first of each second and nothing of what comes after.
    """

    def __init__(
        self,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._per_second = per_second
        self._clock = clock
        self._chance = chance
        self._second = -1
        self._seen = 0
        self._rate = 0.0

    def __call__(self, trace: Ended) -> str | None:  # noqa: ARG002
        """See `Policy`."""
        second = int(self._clock())
        if second != self._second:
            quiet = max(second - self._second - 1, 0) if self._second >= 0 else 0
            self._rate += _SMOOTHING * (self._seen - self._rate) if self._second >= 0 else 0.0
            self._rate *= (1 - _SMOOTHING) ** min(quiet, 100)
            self._second, self._seen = second, 0
        self._seen += 1
        expected = max(self._rate, self._seen)  # a burst after a quiet time must not pass whole
        return "share" if self._per_second > self._chance() * expected else None


class FirstReason:
    """Keeps what any of several policies keeps; each sees every trace, for some learn from all of them."""

    def __init__(self, *policies: Policy) -> None:
        self._policies = policies

    def __call__(self, trace: Ended) -> str | None:
        """See `Policy`."""
        reasons = [policy(trace) for policy in self._policies]
        return next((reason for reason in reasons if reason), None)


def policy_of(settings: KeeperSettings, clock: Callable[[], float] = time.monotonic) -> Policy:
    """The policy that the settings describe."""
    if settings.policy == "all":
        return keep_all
    policies: list[Policy] = []
    if settings.errors:
        policies.append(KeepErrors())
    if settings.slower_than:
        policies.append(SlowerThan(settings.slower_than))
    if settings.slow_quantile:
        policies.append(SlowForItsRoot(settings.slow_quantile))
    if settings.per_second:
        policies.append(SteadyShare(settings.per_second, clock))
    return FirstReason(*policies)
