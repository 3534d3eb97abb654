"""Deadlines without a timer per call: one table of open scopes, swept by one timer.

`asyncio.timeout` costs about 3 µs because each use arms and cancels a timer of the loop. Nearly no deadline is ever
reached, so a scope here only enters a bucket of its expiry time and leaves it again (about 0.3 µs); one timer sweeps
the buckets that have come due. A scope therefore expires at its deadline or a little later: by at most 5 ms for
deadlines within 640 ms, by at most 1.6 % of the time that remained for those further off. That rounding also bounds the
table: 128 buckets for each doubling of the time ahead, however many scopes came and went.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable
from types import TracebackType
from typing import Self

RESOLUTION_S = 0.005
NEVER = math.inf
FAR_S = 1e9  # a clock that reaches this has run for thirty years


class Expired(TimeoutError):
    """A scope's deadline passed while its body ran."""


class Scope:
    """The body of a ``with`` is cancelled at the deadline and the cancellation becomes `Expired`.

    The bookkeeping of cancellations is that of `asyncio.Timeout`: a cancellation from elsewhere, or from an outer scope
    that expired in the same sweep, stays a cancellation.
    """

    __slots__ = ("_cancelling", "_deadline", "_slot", "_table", "_task", "expired")

    def __init__(self, table: DeadlineTable, deadline: float) -> None:
        self._table = table
        self._deadline = deadline
        self.expired = False

    def __enter__(self) -> Self:
        if self._deadline > FAR_S:
            self._slot = None
            return self
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline needs a running asyncio task")
        self._task = task
        self._cancelling = task.cancelling()
        self._slot = self._table.enter(self, self._deadline)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._slot is not None:
            self._slot.discard(self)
        if self.expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise Expired from error

    def expire(self) -> None:
        """Called by the sweep."""
        self.expired = True
        self._task.cancel()


class DeadlineTable:
    """The open scopes of one event loop, by expiry time; ``clock`` must be the loop's (`loop.time`)."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.clock: Callable[[], float] = loop.time
        self._slots: dict[int, set[Scope]] = {}
        self._heap: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_slot = 0

    def __len__(self) -> int:
        """How many scopes are open."""
        return sum(map(len, self._slots.values()))

    def scope(self, deadline: float) -> Scope:
        """A scope that ends at ``deadline``, a time of the loop's clock in seconds; `NEVER` costs nothing."""
        return Scope(self, deadline)

    def enter(self, scope: Scope, deadline: float) -> set[Scope]:
        """Put a scope into the bucket of its expiry time and return the bucket."""
        number = int(deadline / RESOLUTION_S) + 1
        ahead = number - int(self.clock() / RESOLUTION_S)
        if ahead > 128:
            coarse = 1 << (ahead >> 7).bit_length() - 1
            number = -(-number // coarse) * coarse
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = set()
            heapq.heappush(self._heap, number)
            if self._timer is None or number < self._timer_slot:
                self._arm(number)
        slot.add(scope)
        return slot

    def close(self) -> None:
        """Disarm the timer; open scopes no longer expire."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, number: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_slot = number
        self._timer = self._loop.call_at(number * RESOLUTION_S, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        due = int(self.clock() / RESOLUTION_S)
        # The loop may call a timer a clock tick early; its own bucket is due all the same.
        due = max(due, self._timer_slot)
        while self._heap and self._heap[0] <= due:
            for scope in self._slots.pop(heapq.heappop(self._heap)):
                scope.expire()
        if self._heap:
            self._arm(self._heap[0])
