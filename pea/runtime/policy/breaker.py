"""A circuit breaker: what keeps failing is left alone for a while, then tried by a few probes.

Closed, it only counts. What a quiet call pays is two comparisons and one addition, done by the caller in place:

    if now >= breaker.turn: breaker.roll(now)
    if breaker.state is CLOSED: breaker.ok += 1
    else: breaker.succeeded(generation, now)

The counts grow for ever; the window is kept as what they were at the start of each of its ten slices.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from pea.config.policies import BreakerPolicy
from pea.errors import CircuitOpen

SLICES = 10


class BreakerState(enum.StrEnum):
    """Whether calls are let through."""

    CLOSED = "closed"  # all of them
    HALF_OPEN = "half_open"  # a few probes
    OPEN = "open"  # none


class Change(enum.StrEnum):
    """What moves a breaker from one state to another."""

    TRIPPED = "tripped"  # too many calls of the window failed, or were slow
    COOLED = "cooled"  # the pause is over
    PASSED = "passed"  # all probes went well
    RELAPSED = "relapsed"  # a probe failed


CLOSED, HALF_OPEN, OPEN = BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN

_NEXT = {
    (CLOSED, Change.TRIPPED): OPEN,
    (OPEN, Change.COOLED): HALF_OPEN,
    (HALF_OPEN, Change.PASSED): CLOSED,
    (HALF_OPEN, Change.RELAPSED): OPEN,
}


class Slice(NamedTuple):
    """What the counts were when a slice of the window began."""

    number: int
    ok: int
    failed: int
    slow: int


class BreakerView(msgspec.Struct, frozen=True, kw_only=True):
    """A breaker as people see it; ``retry_in_s`` is what is left of an open one's pause."""

    capability: str
    replica: int | None
    state: BreakerState
    calls: int  # in its window
    failure_rate: float
    refused: int  # since the start
    retry_in_s: float


class Breaker:
    """One breaker. ``now`` is a monotonic clock's, in seconds; ``on_change`` is told each transition."""

    __slots__ = (
        "_inside",
        "_on_change",
        "_passed",
        "_pause_s",
        "_slices",
        "_width_s",
        "failed_calls",
        "generation",
        "name",
        "ok",
        "policy",
        "refused",
        "slow_calls",
        "state",
        "turn",
        "until",
    )

    def __init__(
        self,
        name: str,
        policy: BreakerPolicy,
        on_change: Callable[[Breaker, BreakerState, Change], None] | None = None,
    ) -> None:
        self.name = name
        self.policy = policy
        self.state = CLOSED
        self.ok = 0
        self.failed_calls = 0
        self.slow_calls = 0
        self.refused = 0
        self.turn = -math.inf  # when the current slice ends
        self.until = 0.0  # when the pause ends
        self.generation = 0  # counts transitions: the outcome of a call from before the last one says nothing
        self._on_change = on_change
        self._width_s = max(float(policy.window) / SLICES, 1e-3)
        self._slices: deque[Slice] = deque(maxlen=SLICES + 1)
        self._pause_s = float(policy.open_for)
        self._passed = 0
        self._inside = 0  # probes on their way

    def admit(self, now: float) -> None:
        """Let a call through that is not closed's, or raise CircuitOpen; the call must report how it ended."""
        if self.state is OPEN:
            if now < self.until:
                self._refuse(self.until - now)
            self._change(Change.COOLED, now)
        if self.state is HALF_OPEN:
            if self._inside + self._passed >= self.policy.probes:
                self._refuse(self._width_s)
            self._inside += 1

    def roll(self, now: float) -> None:
        """Begin the slice that ``now`` is in."""
        number = int(now / self._width_s)
        slices = self._slices
        slices.append(Slice(number, self.ok, self.failed_calls, self.slow_calls))
        while slices[0].number <= number - SLICES:  # all that began before the window
            slices.popleft()
        self.turn = (number + 1) * self._width_s

    def succeeded(self, generation: int, now: float) -> None:
        """A call let through at this ``generation`` went well."""
        self._keep_time(now)
        self.ok += 1
        if self.state is HALF_OPEN and generation == self.generation:
            self._inside -= 1
            self._passed += 1
            if self._passed >= self.policy.probes:
                self._change(Change.PASSED, now)

    def slow(self, generation: int, now: float) -> None:
        """A call went well and took longer than ``slow_after``."""
        self._keep_time(now)
        self.slow_calls += 1
        if generation == self.generation and self.state is HALF_OPEN:
            self._change(Change.RELAPSED, now)
            return
        self.ok += 1
        self._judge(generation, now)

    def failed(self, generation: int, now: float) -> None:
        """A call failed by the fault of whoever was called."""
        self._keep_time(now)
        self.failed_calls += 1
        if self.state is HALF_OPEN and generation == self.generation:
            self._change(Change.RELAPSED, now)
        else:
            self._judge(generation, now)

    def ignored(self, generation: int) -> None:
        """A call ended in a way that says nothing: cancelled, or refused for its input."""
        if self.state is HALF_OPEN and generation == self.generation:
            self._inside -= 1

    def rates(self, now: float) -> tuple[int, float, float]:
        """Calls in the window, the share that failed, the share that was slow."""
        self._keep_time(now)
        first = self._slices[0]
        failed = self.failed_calls - first.failed
        calls = self.ok - first.ok + failed
        return calls, failed / calls if calls else 0.0, (self.slow_calls - first.slow) / calls if calls else 0.0

    def _keep_time(self, now: float) -> None:
        """Before anything is counted: what a slice's start says must not hold what came after it."""
        if now >= self.turn:
            self.roll(now)

    def _judge(self, generation: int, now: float) -> None:
        policy = self.policy
        if not policy.on or self.state is not CLOSED or generation != self.generation:
            return
        calls, failing, slow = self.rates(now)
        if calls >= policy.min_calls and (failing >= policy.failure_rate or slow >= policy.slow_rate):
            self._change(Change.TRIPPED, now)

    def _change(self, change: Change, now: float) -> None:
        before = self.state
        self.state = _NEXT[before, change]
        self.generation += 1
        self._passed = self._inside = 0
        if change is Change.RELAPSED:
            self._pause_s = min(self._pause_s * 2, float(self.policy.open_at_most))
        elif change is not Change.COOLED:
            self._pause_s = float(self.policy.open_for)
        if self.state is OPEN:
            self.until = now + self._pause_s
        elif self.state is CLOSED:
            self._slices.clear()
            self.roll(now)  # what failed before it opened is forgiven
        if self._on_change is not None:
            self._on_change(self, before, change)

    def _refuse(self, wait_s: float) -> None:
        self.refused += 1
        state = "open" if self.state is OPEN else "half open, and its probes are on their way"
        raise CircuitOpen(
            f"its circuit breaker is {state}",
            retry_after_s=wait_s,
            where=self.name,
            fix=f"it is tried again in {wait_s:.1f} s",
        )
