"""Notices on their way: a queue for each receiver, retried with growing pauses, kept over a restart.

A dead receiver holds up nobody else and loses nothing: its notices wait in order. When too many wait, those about the
same group are put together, so that what is told in the end is how things stand.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from pea.watch.notify.notice import Notice

MAX_WAITING = 200  # for one receiver
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
SEND_TIMEOUT_S = 15.0

_log = logging.getLogger(__name__)

Send = Callable[[Notice], Awaitable[None]]


class OutboxState(msgspec.Struct):
    """What is still to be sent."""

    waiting: list[Notice] = []


class Delivery(msgspec.Struct, frozen=True):
    """How a receiver does: notices sent, failed attempts in all and in a row, what waits, and the last failure."""

    sent: int
    failures: int
    failing: int
    waiting: int
    reason: str


class _Queue:
    def __init__(self) -> None:
        self.waiting: list[Notice] = []
        self.due_s = 0.0
        self.sent = self.failures = self.failing = 0
        self.reason = ""

    def put(self, notice: Notice) -> None:
        self.waiting.append(notice)
        if len(self.waiting) > MAX_WAITING:
            newest = {tuple(one.group.items()): _together(self.waiting, one) for one in self.waiting}
            self.waiting = list(newest.values())[-MAX_WAITING:]

    def failed(self, error: BaseException, now_s: float, jitter: float) -> None:
        self.failures += 1
        self.failing += 1
        self.reason = f"{type(error).__name__}: {error}"[:300]
        pause = min(FIRST_PAUSE_S * 2 ** min(self.failing - 1, 20), LONGEST_PAUSE_S)
        self.due_s = now_s + pause * (0.5 + jitter / 2)


def _together(waiting: Iterable[Notice], last: Notice) -> Notice:
    """All that a receiver has not heard of a group, each alert as it stood last."""
    alerts = {alert.id: alert for one in waiting if one.group == last.group for alert in one.alerts}
    return msgspec.structs.replace(last, alerts=tuple(alerts.values()))


class Outbox:
    """Queues by receiver. `deliver` sends what is due, one notice at a time for each receiver."""

    def __init__(
        self,
        state: OutboxState | None = None,
        *,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._queues: dict[str, _Queue] = {}
        self.put(state.waiting if state else ())

    def put(self, notices: Iterable[Notice]) -> None:
        """Queue notices."""
        for notice in notices:
            self._queues.setdefault(notice.receiver, _Queue()).put(notice)

    def state(self) -> OutboxState:
        """What is to be remembered."""
        return OutboxState([notice for queue in self._queues.values() for notice in queue.waiting])

    def status(self) -> dict[str, Delivery]:
        """The account of each receiver."""
        return {
            name: Delivery(queue.sent, queue.failures, queue.failing, len(queue.waiting), queue.reason)
            for name, queue in self._queues.items()
        }

    async def deliver(self, senders: Mapping[str, Send]) -> bool:
        """Send to every receiver what is due, side by side; whether anything was sent."""
        for name in [name for name in self._queues if name not in senders]:
            lost = self._queues.pop(name)
            if lost.waiting:
                _log.warning("receiver %s is no more: %d notices are given up", name, len(lost.waiting))
        found = await asyncio.gather(*(self._deliver(queue, senders[name]) for name, queue in self._queues.items()))
        return any(found)

    async def _deliver(self, queue: _Queue, send: Send) -> bool:
        sent = False
        while queue.waiting and self._clock() >= queue.due_s:
            notice = queue.waiting[0]
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await send(notice)
            except Exception as error:  # noqa: BLE001 - whatever a receiver does, its notice waits for the next try
                queue.failed(error, self._clock(), self._jitter())
                _log.warning("%s could not be told (%d times): %s", notice.receiver, queue.failing, queue.reason)
                return sent
            queue.failing, queue.reason, sent = 0, "", True
            queue.sent += 1
            if queue.waiting and queue.waiting[0] is notice:
                queue.waiting.pop(0)
        return sent
