"""The journal's promise as the scheduler keeps it: a machine submits, decides, cancels, lets expire, stops, crashes.

All of it while the disk is slow, or full, and while agents hold back. When all is well again, each task that was
accepted has ended or waits for a person; nothing was done twice; who waited was told; what was told once stays so.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import threading
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pea import Agent, Context, Runtime, capability
from pea.config import load
from pea.errors import Conflict, JournalUnavailable, PeaError, TaskForgotten, UnknownTask
from pea.runtime import Task, TaskState
from pea.runtime.journal.tables import Tables
from pea.runtime.task import Decision
from tests.runtime.journal.fleet import crash

PATIENCE_S = 10.0  # of a test that is about to fail
WAITING = TaskState.WAITING_FOR_APPROVAL
numbers = st.integers(0, 7)


class Hand(Agent):
    """Does what must not be done twice, and counts it while its process lives."""

    name = "hand"

    def __init__(self, done: Counter[int]) -> None:
        self.done = done
        self.dead = False
        self.gate = asyncio.Event()
        self.gate.set()

    @capability("hand.pay", timeout="60s")
    async def pay(self, ctx: Context, number: int) -> int:
        """Not idempotent."""
        if not self.dead:
            self.done[number] += 1
        await self.gate.wait()
        return number

    @capability("hand.look", idempotent=True, retries=0, timeout="60s")
    async def look(self, ctx: Context, number: int) -> int:
        """Idempotent, and begun before that is on the disk."""
        await self.gate.wait()
        return number

    @capability("hand.move", resumable=True, timeout="60s")
    async def move(self, ctx: Context, number: int) -> int:
        """Looks, asks, then pays."""
        await ctx.call("hand.look", number=number)
        await ctx.approve(f"Pay {number}?")
        return int(await ctx.call("hand.pay", number=number))

    @capability("hand.both", idempotent=True, retries=0, timeout="60s")
    async def both(self, ctx: Context, number: int) -> int:
        """Asks two things at once; pays when both are approved."""
        parts = await ctx.gather(a=ctx.approve("a"), b=ctx.approve("b"))
        if any(part.error is not None for part in parts.values()):
            return -1
        return int(await ctx.call("hand.pay", number=number))


class Disk:
    """Stands before `Tables.apply`: lets through, holds back, or is full."""

    def __init__(self) -> None:
        self.full = False
        self.clear = threading.Event()
        self.clear.set()
        self.at_rest = threading.Lock()
        self._apply = Tables.apply

        def apply(tables: Tables, entries: list[Any]) -> None:
            self.apply(tables, entries)

        Tables.apply = apply  # type: ignore[method-assign, assignment]

    def apply(self, tables: Tables, entries: list[Any]) -> None:
        self.clear.wait(PATIENCE_S)
        if self.full and entries:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        with self.at_rest:
            self._apply(tables, entries)

    @property
    def lets_through(self) -> bool:
        """Whether what waits to be written will be."""
        return self.clear.is_set() and not self.full

    def remove(self) -> None:
        self.well()
        Tables.apply = self._apply  # type: ignore[method-assign]

    def well(self) -> None:
        self.full = False
        self.clear.set()


class Promise:
    """A task that somebody submitted: what it was told and what it has asked for since."""

    def __init__(self, kind: str, number: int, accepting: asyncio.Task[Task]) -> None:
        self.kind, self.number, self.accepting = kind, number, accepting
        self.waiter: asyncio.Task[Task] | None = None
        self.cancelled = False
        self.rejected = False
        self.end: tuple[object, ...] | None = None

    @property
    def id(self) -> str | None:
        """Of the task, once it is accepted."""
        one = self.accepting
        return one.result().id if one.done() and not one.cancelled() and one.exception() is None else None


class Lives(RuleBasedStateMachine):
    """One journal, many processes one after the other."""

    @initialize()
    def begin(self) -> None:
        memory = Path("/dev/shm")  # what is tested is the order of things, not the disk
        self.folder = Path(tempfile.mkdtemp(prefix="pea-lives-", dir=memory if memory.is_dir() else None))
        self.life = self.submitted = 0
        self.done: Counter[int] = Counter()
        self.promises: list[Promise] = []
        self.told: list[asyncio.Task[Any]] = []
        self.disk = Disk()
        self.loop = asyncio.new_event_loop()
        self.start()

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(what, PATIENCE_S))

    @property
    def state(self) -> Path:
        return self.folder / str(self.life)

    def start(self) -> None:
        """A process begins, and is ready when it has read the journal."""
        own = load(environ={}, overrides={"state": str(self.state), "service.grace": 0.01})
        self.hand = Hand(self.done)

        async def begin() -> None:
            self.runtime = Runtime(own, agents=[self.hand])
            self.runtime.keep_journal(self.state)
            await self.runtime.start()

        self.run(begin())
        self.scheduler = self.runtime.scheduler
        for one in self.promises:
            if one.id is not None:
                one.waiter = self.loop.create_task(self.wait(one.id))

    async def wait(self, identity: str) -> Task:
        await self.scheduler.wait(identity)
        return await self.scheduler.recall(identity)

    def stop(self) -> None:
        self.run(self.runtime.close())
        self.run(self.ticks())
        assert all(one.waiter is None or one.waiter.done() for one in self.promises)
        for one in self.promises:
            one.cancelled = False  # one that was cancelled while it ran may have been put back

    async def ticks(self, number: int = 10) -> None:
        for _ in range(number):
            await asyncio.sleep(0)

    def accepted(self) -> list[Promise]:
        return [one for one in self.promises if one.id is not None]

    def pick(self, number: int) -> Promise | None:
        known = self.accepted()
        return known[number % len(known)] if known else None

    @rule(kind=st.sampled_from(["pay", "look", "move", "both"]), late=st.booleans())
    def submit(self, kind: str, late: bool) -> None:
        number = self.submitted = self.submitted + 1

        async def accept() -> Task:
            return await self.scheduler.accept(
                f"hand.{kind}", {"number": number}, deadline_s=3600.0 if late else None, idempotency_key=str(number)
            )

        promise = Promise(kind, number, self.loop.create_task(accept()))
        promise.accepting.add_done_callback(lambda _: self.watch(promise))
        self.promises.append(promise)
        self.run(self.ticks())

    def watch(self, promise: Promise) -> None:
        if promise.id is not None:
            promise.waiter = self.loop.create_task(self.wait(promise.id))

    @rule(number=numbers)
    def cancel(self, number: int) -> None:
        one = self.pick(number)
        if one is None or one.id is None:
            return

        async def cancel(identity: str) -> None:
            try:
                self.scheduler.cancel(identity)
            except (Conflict, UnknownTask, TaskForgotten):
                return
            one.cancelled = True

        self.run(cancel(one.id))
        self.run(self.ticks())

    @rule(
        number=numbers, approve=st.booleans(), key=st.integers(0, 1), meanwhile=st.sampled_from(["", "cancel", "late"])
    )
    def decide(self, number: int, approve: bool, key: int, meanwhile: str) -> None:
        """Somebody decides; while that is being written another cancels, or it is too late."""
        one = self.pick(number)
        task = self.scheduler.history.get(one.id) if one is not None and one.id is not None else None
        if one is None or task is None or not task.approvals:
            return
        asked = task.approvals[key % len(task.approvals)].key
        decision = Decision.APPROVED if approve else Decision.REJECTED

        async def decide(identity: str) -> None:
            try:
                await self.scheduler.decide(identity, decision, asked)
            except (Conflict, JournalUnavailable):
                return
            one.rejected |= not approve

        held = not self.disk.clear.is_set()
        self.disk.clear.clear()
        self.told.append(self.loop.create_task(decide(task.id)))
        self.run(self.ticks())
        if meanwhile == "cancel":
            self.cancel(number)
        elif meanwhile == "late":
            self.pass_deadline(number)
        if not held:
            self.disk.clear.set()
        self.run(self.ticks())

    @rule(number=numbers)
    def pass_deadline(self, number: int) -> None:
        one = self.pick(number)
        active = self.scheduler.active.get(one.id) if one is not None and one.id is not None else None
        if one is None or active is None or active.timer is None:
            return

        async def expire(identity: str) -> None:
            active.deadline = self.loop.time()
            self.scheduler._expire(identity)

        self.run(expire(one.id or ""))
        self.run(self.ticks())

    @rule(full=st.booleans())
    def disk_fails(self, full: bool) -> None:
        """It is full, or it takes its time."""
        self.disk.full = full
        if full:
            self.disk.clear.set()
        else:
            self.disk.clear.clear()

    @rule()
    def disk_is_well(self) -> None:
        self.disk.well()
        self.run(self.ticks())

    @rule(shut=st.booleans())
    def agent_holds_back(self, shut: bool) -> None:
        if shut:
            self.hand.gate.clear()
        else:
            self.hand.gate.set()
        self.run(self.ticks())

    @rule()
    def time_passes(self) -> None:
        """What can go on goes on as far as the disk and the agent let it."""
        self.run(self.going_on())

    async def going_on(self) -> None:
        journal = self.runtime.journal
        assert journal is not None
        for _ in range(10 * self.disk.lets_through):
            await journal.append()  # when it is written, so is what was before
            await self.ticks()

    @rule()
    def stop_in_order(self) -> None:
        self.disk.well()
        self.stop()
        self.start()

    @rule()
    def die(self) -> None:
        """What is on the disk now is all that the next process has."""
        old = self.state
        self.hand.dead = True
        with self.disk.at_rest:
            crash(old, self.folder / str(self.life + 1))
        unknown = [one for one in self.promises if not one.accepting.done()]
        self.disk.well()
        self.stop()
        self.promises = [one for one in self.accepted() if one not in unknown]  # whoever was not told may not be there
        self.life += 1
        self.start()

    @rule()
    def all_is_well(self) -> None:
        """Everything ends that can."""
        self.disk.well()
        self.hand.gate.set()
        self.run(self.at_rest())
        self.run(self.check())

    async def at_rest(self) -> None:
        durable, scheduler = self.runtime.scheduler.durable, self.scheduler
        assert durable is not None
        if going_on := [*(one.accepting for one in self.promises), *self.told]:
            await asyncio.wait(going_on)
        while (
            durable._writing
            or durable.journal.pending_bytes
            or not all(scheduler.history.require(one).state is WAITING for one in scheduler.active)
        ):
            await durable.journal.append()
            await self.ticks()

    async def check(self) -> None:
        for told in self.told:
            told.result()  # nothing but what it may raise
        self.told.clear()
        scheduler = self.scheduler
        assert (scheduler.running, scheduler.queued) == (0, 0)
        for one in self.promises:
            if one.id is None:
                assert isinstance(one.accepting.exception(), PeaError)
                assert self.done[one.number] == 0
                continue
            await self.check_one(one, await scheduler.recall(one.id))

    async def check_one(self, one: Promise, task: Task) -> None:
        durable = self.scheduler.durable
        assert durable is not None
        on_disk = await durable.journal.find(task.id)
        assert on_disk is not None
        assert (on_disk.state, on_disk.life, on_disk.approvals) == (task.state, task.life, task.approvals)
        assert task.final or (task.state is WAITING and task.pending)
        assert self.done[one.number] <= 1
        paid = task.state is TaskState.SUCCEEDED and one.kind != "look" and task.result is not None
        if paid and msgspec.json.decode(bytes(task.result or b"")) != -1:
            assert self.done[one.number] == 1
        if one.rejected:
            assert self.done[one.number] == 0
        if task.final:
            assert one.waiter is not None
            assert (await one.waiter).state is task.state
            end = (task.state, task.result and bytes(task.result), task.error, task.ended)
            assert one.end in (None, end)
            one.end = end
        else:
            assert not one.cancelled

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            self.all_is_well()
            self.stop()
        finally:
            self.disk.remove()
            self.loop.close()
            shutil.rmtree(self.folder, ignore_errors=True)


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
