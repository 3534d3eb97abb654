"""Scopes of the deadline table, on a loop whose clock the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pea.runtime.deadline import NEVER, DeadlineTable, Expired


class Clock:
    """Stands in for an event loop's clock and timers; everything else is the running loop's."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Clock.Timer:
        self.timers.append((when, callback))
        return Clock.Timer(self, (when, callback))

    def advance(self, seconds: float) -> None:
        """Move to a later time, calling what comes due in order."""
        until = self.now + seconds
        while due := [timer for timer in self.timers if timer[0] <= until]:
            timer = min(due, key=lambda pair: pair[0])
            self.timers.remove(timer)
            self.now = max(self.now, timer[0])
            timer[1]()
        self.now = until

    class Timer:
        def __init__(self, clock: Clock, entry: tuple[float, Callable[[], None]]) -> None:
            self.clock, self.entry = clock, entry

        def cancel(self) -> None:
            if self.entry in self.clock.timers:
                self.clock.timers.remove(self.entry)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(clock: Clock) -> DeadlineTable:
    return DeadlineTable(clock)  # type: ignore[arg-type]


async def blocked(table: DeadlineTable, *deadlines: float) -> str:
    """Wait for ever inside nested scopes, outermost first; say which of them expired."""
    if not deadlines:
        await asyncio.Event().wait()
    try:
        with table.scope(deadlines[0]):
            return await blocked(table, *deadlines[1:])
    except Expired:
        return f"{len(deadlines)} from the inside"


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


async def test_body_that_ends_in_time_leaves_nothing_behind(table: DeadlineTable, clock: Clock) -> None:
    """No error, no entry, no expiry later."""
    with table.scope(clock.now + 1):
        await asyncio.sleep(0)
        assert len(table) == 1
    assert len(table) == 0
    clock.advance(5)
    assert not asyncio.current_task().cancelling()  # type: ignore[union-attr]


@pytest.mark.parametrize("ahead_s", [0.001, 0.05, 0.6, 2.0, 60.0, 86_400.0])
async def test_expires_at_its_deadline_or_a_little_later(table: DeadlineTable, clock: Clock, ahead_s: float) -> None:
    """Never early; late by at most 5 ms or 1.6 % of what remained."""
    waiting = asyncio.create_task(blocked(table, clock.now + ahead_s))
    await settle()
    clock.advance(ahead_s * 0.999)
    await settle()
    assert not waiting.done()
    clock.advance(ahead_s * 0.001 + max(0.0051, ahead_s * 0.016))
    assert await waiting == "1 from the inside"


async def test_inner_scope_expires_alone(table: DeadlineTable, clock: Clock) -> None:
    """The outer body goes on after an inner deadline."""
    waiting = asyncio.create_task(blocked(table, clock.now + 10, clock.now + 1))
    await settle()
    clock.advance(2)
    assert await waiting == "1 from the inside"


async def test_scopes_that_expire_together_end_the_outermost(table: DeadlineTable, clock: Clock) -> None:
    """When both are over, the inner one is only cancelled: its caller has no time left to handle it."""
    waiting = asyncio.create_task(blocked(table, clock.now + 1, clock.now + 1))
    await settle()
    clock.advance(2)
    assert await waiting == "2 from the inside"


async def test_cancellation_from_elsewhere_stays_one(table: DeadlineTable, clock: Clock) -> None:
    """A scope that has not expired does not turn a cancellation into a timeout."""
    waiting = asyncio.create_task(blocked(table, clock.now + 1))
    await settle()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(table) == 0


async def test_cancelled_and_expired_at_once_stays_cancelled(table: DeadlineTable, clock: Clock) -> None:
    """Who cancelled the task must see it cancelled, even if its deadline passed in the same moment."""
    waiting = asyncio.create_task(blocked(table, clock.now + 1))
    await settle()
    waiting.cancel()
    clock.advance(2)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_error_of_the_body_wins(table: DeadlineTable, clock: Clock) -> None:
    """An exception raised at the moment of expiry is not replaced, and the task is not left cancelled."""

    async def body() -> None:
        with table.scope(clock.now + 1):
            clock.advance(2)
            raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        await asyncio.create_task(body())


async def test_no_deadline_costs_no_entry(table: DeadlineTable) -> None:
    """`NEVER` arms nothing."""
    with table.scope(NEVER):
        assert len(table) == 0


async def test_table_stays_small(table: DeadlineTable, clock: Clock) -> None:
    """However many scopes with far deadlines come and go, the buckets stay a bounded number."""
    for number in range(20_000):
        with table.scope(clock.now + (3600 if number % 2 else 86_400)):
            pass
        clock.advance(0.01)
    assert len(table._slots) < 600
    assert len(table._heap) == len(table._slots)
