"""Submits what is due, once each: the task's idempotency key is made of the schedule and the time it was due.

A task is on the disk before its time is noted as dealt with. A process that dies in between submits it again after the
restart, with the same key, and gets the same task.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from pea.errors import JournalUnavailable, Overloaded, PeaError, ShuttingDown
from pea.runtime.schedule.entries import Entry, Firing, Outcome
from pea.runtime.schedule.shelf import Shelf
from pea.telemetry import Tracer, get_logger, names

LOOK_EVERY_S = 1.0  # the clock may be set, the machine may have slept, and other processes add schedules
PUNCTUAL_S = 60.0
MOST_NOTED = 20  # missed times that are noted one by one; of a schedule that was due a thousand times while down

log = get_logger("pea.runtime")


class Submit(Protocol):
    """Accepts a task under an idempotency key and returns its id."""

    def __call__(self, capability: str, given: bytes, key: str, /) -> Awaitable[str]:
        """Raises what `Scheduler.accept` does."""


class Clockwork:
    """Fires the schedules of a shelf until `close`. ``wall`` tells Unix seconds."""

    def __init__(self, shelf: Shelf, submit: Submit, tracer: Tracer, *, wall: Callable[[], float] = time.time) -> None:
        self._shelf, self._submit, self._tracer, self._wall = shelf, submit, tracer, wall
        self._task: asyncio.Task[None] | None = None
        self._next: dict[tuple[str, float], float] = {}  # when an entry, settled until then, is due

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="pea-schedule")

    async def close(self) -> None:
        """Stop looking; what is being submitted is submitted."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                await asyncio.shield(asyncio.create_task(self.look()))
            except JournalUnavailable as error:  # as long as the disk is full, nothing counts as dealt with
                log.error("schedules cannot be looked at", reason=str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> list[Firing]:
        """Deal with all that is due by now; what became of it."""
        loop = asyncio.get_running_loop()
        entries = await loop.run_in_executor(None, self._shelf.entries)
        firings: list[Firing] = []
        coming: dict[tuple[str, float], float] = {}
        for entry in entries:
            now, known = self._wall(), (entry.identity, entry.settled)
            try:
                coming[known] = self._next[known] if known in self._next else next_due(entry)
                if coming[known] <= now:
                    firings += await self._deal(entry, dues(entry, now), now)
            except JournalUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - one that cannot be reckoned, or fired, holds up no other
                log.error("a schedule cannot be dealt with", schedule=entry.name, reason=f"{error!r}")
        self._next = coming
        return firings

    async def _deal(self, entry: Entry, due: list[float], now: float) -> list[Firing]:
        """Fire the last time that was due, if it is not too long ago; the ones before are missed."""
        if not due:
            return []
        *passed, last = due
        missed = [
            Firing(schedule=entry.name, due=one, at=now, outcome=Outcome.MISSED, note="a later time was due as well")
            for one in passed[-MOST_NOTED:]
        ]
        if now - last > entry.grace_s:
            note = f"it was {now - last:,.0f} s ago, more than the grace of {entry.grace_s:,.0f} s"
            firing = Firing(schedule=entry.name, due=last, at=now, outcome=Outcome.MISSED, note=note)
        else:
            fired = await self._fire(entry, last, now)
            if fired is None:
                return []  # there is no room now: it is looked at again, until the grace has passed
            firing = fired
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._shelf.settle, entry, last, [*missed, firing])
        told = log.info if firing.outcome is Outcome.FIRED else log.warning
        told(
            "a schedule was due", schedule=entry.name, outcome=firing.outcome.value, task=firing.task,
            late_s=round(now - last, 1), missed=len(passed), note=firing.note,
        )  # fmt: skip
        return [*missed, firing]

    async def _fire(self, entry: Entry, due: float, now: float) -> Firing | None:
        key = f"schedule:{entry.identity}:{due:.0f}"
        attributes: dict[str, str | float] = {names.PEA_SCHEDULE_NAME: entry.name, names.PEA_SCHEDULE_LATE: now - due}
        with self._tracer.span(f"{names.SPAN_SCHEDULE_FIRE} {entry.name}", attributes) as span:
            try:
                task = await self._submit(entry.capability, bytes(entry.input), key)
            except (Overloaded, JournalUnavailable, ShuttingDown) as error:
                span.record_exception(error)
                return None
            except PeaError as error:
                span.record_exception(error)
                return Firing(schedule=entry.name, due=due, at=now, outcome=Outcome.REFUSED, note=str(error)[:500])
        outcome = Outcome.FIRED if now - due <= PUNCTUAL_S else Outcome.LATE
        return Firing(schedule=entry.name, due=due, at=now, outcome=outcome, task=task)


def next_due(entry: Entry) -> float:
    """When an entry is due next after what is dealt with (Unix seconds); infinite when never."""
    coming = entry.cron.after(datetime.fromtimestamp(entry.settled, UTC))
    return float("inf") if coming is None else coming.timestamp()


def dues(entry: Entry, now: float) -> list[float]:
    """The times (Unix seconds) that are due by now and not dealt with, in order; the last thousand at most."""
    found: list[float] = []
    if now <= entry.settled:
        return found
    # Of a long time down only the end matters: what is older than the grace is missed whatever it was.
    start = max(entry.settled, now - max(entry.grace_s, 86_400.0) - 31 * 86_400.0)
    for one in entry.cron.times(datetime.fromtimestamp(start, UTC)):
        moment = one.timestamp()
        if moment > now:
            break
        found.append(moment)
        if len(found) > 2_000:
            del found[:1_000]
    return found


def arguments(given: bytes) -> dict[str, object]:
    """The input of a schedule's task."""
    return msgspec.json.decode(given, type=dict[str, object])
