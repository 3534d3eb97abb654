"""Hedged requests: a second, equal call beside one that is later than most, the first answer counts.

J. Dean and L. A. Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013: sending again after the 95th
percentile of the expected latency costs a few per cent more load and cuts the tail.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from opentelemetry.trace import Link

from pea.config.policies import HedgePolicy
from pea.runtime.policy.budget import Budget
from pea.runtime.policy.layers import Attempt

RECENT = 128
EVERY = 16  # calls between two looks at the quantile
BURST = 10  # hedges that may come at once


class Lateness:
    """When a call is late: the ``quantile`` of the last calls' durations, once there are enough of them."""

    __slots__ = ("_due", "_floor_s", "_quantile", "_recent", "after_s", "count")

    def __init__(self, policy: HedgePolicy) -> None:
        self._quantile = policy.quantile
        self._floor_s = float(policy.at_least)
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._due = EVERY
        self.count = 0  # of calls that have succeeded
        self.after_s: float | None = None  # None: too few calls to tell

    def add(self, seconds: float) -> None:
        """A call took so long."""
        self._recent.append(seconds)
        self.count += 1
        self._due -= 1
        if self._due <= 0:
            self._due = EVERY
            ordered = sorted(self._recent)
            self.after_s = max(self._floor_s, ordered[int(self._quantile * (len(ordered) - 1))])


def hedged(inner: Attempt, policy: HedgePolicy, clock: Callable[[], float]) -> Attempt:
    """``inner``, sent a second time when it is late; the slower of the two is cancelled and waited for."""
    late, budget = Lateness(policy), Budget(policy.share, BURST)

    async def call(
        arguments: Mapping[str, Any],
        deadline: float,
        task_id: str | None,
        number: int = 1,
        links: Sequence[Link] = (),
        hedge: bool = False,  # noqa: FBT001, FBT002 - the layers' common signature
    ) -> Any:
        began = clock()
        begun = list(links)
        first = asyncio.ensure_future(inner(arguments, deadline, task_id, number, begun, hedge))
        running: set[asyncio.Future[Any]] = {first}
        try:
            if late.after_s is not None:
                await asyncio.wait(running, timeout=late.after_s)
                if not first.done() and clock() < deadline and budget.withdraw(late.count):
                    running.add(asyncio.ensure_future(inner(arguments, deadline, task_id, number, begun, True)))
            answer = await _first_good(running)
        finally:
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            if isinstance(links, list):
                links[:] = begun
        late.add(clock() - began)
        return answer

    return call


async def _first_good(running: Iterable[asyncio.Future[Any]]) -> Any:
    """The first answer; when all failed, what the last of them raised."""
    pending = set(running)
    while True:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        good = [one for one in done if not one.cancelled() and one.exception() is None]
        if good or not pending:
            return (good or list(done))[0].result()
