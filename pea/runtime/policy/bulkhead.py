"""A bulkhead: so many calls at once, the others wait in line, so many and so long."""

from __future__ import annotations

import asyncio
from collections import deque

from pea.config.policies import BulkheadPolicy
from pea.errors import Overloaded


class Bulkhead:
    """Places for calls to one capability; first come, first served."""

    __slots__ = ("_line", "inside", "name", "policy", "refused")

    def __init__(self, name: str, policy: BulkheadPolicy) -> None:
        self.name = name
        self.policy = policy
        self.inside = 0
        self.refused = 0
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many calls stand in line."""
        return len(self._line)

    async def enter(self) -> None:
        """Take a place; Overloaded when the line is full or none became free in time."""
        if self.inside < self.policy.concurrent and not self._line:
            self.inside += 1
            return
        if not self.policy.wait or len(self._line) >= self.policy.waiting:
            raise self._refusal()
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._line.append(turn)
        timer = loop.call_later(float(self.policy.wait), _give_up, turn)
        try:
            await turn
        except TimeoutError:
            self._step_out(turn)
            raise self._refusal() from None
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:  # a place was handed over as the caller left
                self.leave()
            else:
                self._step_out(turn)
            raise
        finally:
            timer.cancel()

    def leave(self) -> None:
        """Give the place back, to the first in line if there is one."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)  # the place goes over: `inside` stays
                return
        self.inside -= 1

    def _step_out(self, turn: asyncio.Future[None]) -> None:
        if turn in self._line:  # else `leave` has passed it over already, in the same turn of the loop
            self._line.remove(turn)

    def _refusal(self) -> Overloaded:
        self.refused += 1
        return Overloaded(
            f"{self.inside} calls are running and {len(self._line)} wait",
            retry_after_s=max(float(self.policy.wait), 0.1),
            where=self.name,
            fix="raise bulkhead.concurrent or bulkhead.wait in its policy",
        )


def _give_up(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(TimeoutError())
