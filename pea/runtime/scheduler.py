"""Tasks from admission to history: a bounded queue by priority, a bounded number running, a bounded memory of the rest.

A task's span begins when it is accepted, so that its duration is what the caller waits for; the wait for a free place
is a leaf under it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec
from opentelemetry import context as otel_context
from opentelemetry.context import Context as OtelContext
from opentelemetry.trace import Link, format_trace_id, set_span_in_context

from pea.config import RuntimeSettings
from pea.errors import (
    Conflict,
    DeadlineExceeded,
    IdempotencyKeyReused,
    InputError,
    Overloaded,
    ShuttingDown,
    TaskForgotten,
    UnknownTask,
)
from pea.runtime.active import Active
from pea.runtime.agreement.stakes import STAKES
from pea.runtime.contract import Capability
from pea.runtime.deadline import NEVER
from pea.runtime.directory import Directory
from pea.runtime.dispatch import Dispatcher
from pea.runtime.durable import Durable
from pea.runtime.history import History
from pea.runtime.journal import SCOPE, Journal
from pea.runtime.line import Line
from pea.runtime.policy.admission import Admission
from pea.runtime.task import Decision, Priority, Task, TaskError, TaskEvent, TaskState, life_of
from pea.runtime.verdict import encode, verdict
from pea.telemetry import ActiveSpan, Tracer, UnrecordedSpan, names

_SPAN_TASK = names.SPAN_TASK + " "
_NS = 1_000_000_000
LAST_WRITES_S = 5.0  # at the end, for a disk that takes its time


class Scheduler:
    """Owns the tasks of one runtime."""

    def __init__(self, settings: RuntimeSettings, directory: Directory, dispatcher: Dispatcher, tracer: Tracer) -> None:
        self.history = History(
            settings.history, float(settings.history_age), settings.history_size, float(settings.history_keep)
        )
        self._settings = settings
        self._directory = directory
        self._dispatcher = dispatcher
        self._tracer = tracer
        self._loop = asyncio.get_running_loop()
        self.active: dict[str, Active] = {}  # tasks that have not ended
        self.admission = Admission(settings)
        self.line = Line()
        self._closing = self._closed = False
        self.durable: Durable | None = None

    def keep(self, journal: Journal) -> Durable:
        """Have `accept` write tasks into a journal from now on."""
        self.durable = Durable(self, journal)
        return self.durable

    @property
    def queued(self) -> int:
        """How many tasks wait."""
        return self.admission.waiting

    @property
    def running(self) -> int:
        """How many tasks are being worked on."""
        return self.admission.running

    def submit(
        self,
        capability: str,
        arguments: Mapping[str, Any],
        *,
        priority: Priority = Priority.NORMAL,
        deadline_s: float | None = None,
        idempotency_key: str | None = None,
    ) -> Task:
        """Accept a task, as a child of the current span, and return it queued or running.

        ``deadline_s`` counts from now. With an ``idempotency_key`` seen before, the earlier task is returned. Raises
        UnknownCapability, AgentUnavailable, InputError, IdempotencyKeyReused, Overloaded or ShuttingDown; then there
        is no task.
        """
        encoded = encode(arguments)
        if idempotency_key is not None:
            earlier = self.earlier(idempotency_key, capability, encoded, self.history.by_key(idempotency_key))
            if earlier is not None:
                return earlier
        task, active = self.prepare(capability, arguments, encoded, priority, deadline_s, idempotency_key)
        self.admit(task, active)
        return self.history.require(task.id)

    async def accept(
        self,
        capability: str,
        arguments: Mapping[str, Any],
        *,
        priority: Priority = Priority.NORMAL,
        deadline_s: float | None = None,
        idempotency_key: str | None = None,
    ) -> Task:
        """`submit`, and where there is a journal the task is on the disk when this returns.

        It is accepted even if who waits for this goes away. Raises JournalUnavailable besides.
        """
        options = {"priority": priority, "deadline_s": deadline_s, "idempotency_key": idempotency_key}
        if self.durable is None:
            return self.submit(capability, arguments, **options)  # type: ignore[arg-type]
        accepting = self.durable.accept(capability, arguments, encode(arguments), **options)  # type: ignore[arg-type]
        return await asyncio.shield(self._loop.create_task(accepting))

    def earlier(self, key: str, capability: str, encoded: bytes, known: Task | None) -> Task | None:
        """The task that was ``known`` under this idempotency key; IdempotencyKeyReused when it was another request."""
        if known is not None and (known.capability, bytes(known.input)) != (capability, encoded):
            raise IdempotencyKeyReused("was used for other input", where=f"Idempotency-Key {key!r}")
        return known

    def prepare(
        self,
        capability: str,
        arguments: Mapping[str, Any],
        encoded: bytes,
        priority: Priority,
        deadline_s: float | None,
        key: str | None,
        *,
        journaled: bool = False,
    ) -> tuple[Task, Active]:
        """A task that may be admitted, with its span begun; raises as `submit` does."""
        if self._closing:
            raise ShuttingDown("PEA is shutting down and takes no new tasks", fix="try again when it is back")
        if deadline_s is not None and not deadline_s > 0:
            raise InputError("the deadline has already passed", where="deadline_ms", fix="give more than 0")
        found = self._directory.capability(capability)
        found.bind(arguments)
        self.admission.check(found.name, priority, deadline_s)
        if self.durable is not None and self.durable.entering >= self._settings.queue:
            raise Overloaded(f"{self.durable.entering} tasks are being accepted", retry_after_s=1.0, fix="try again")
        created_ns = time.time_ns()
        base = otel_context.get_current()
        task = Task(
            id=os.urandom(12).hex(),
            capability=found.name,
            agent=found.agent,
            input=msgspec.Raw(encoded),
            priority=priority,
            created=created_ns / _NS,
            deadline=None if deadline_s is None else created_ns / _NS + deadline_s,
            idempotency_key=key,
            journaled=journaled,
        )
        span = self.new_span(task, base, start_ns=created_ns)
        task = msgspec.structs.replace(task, trace_id=format_trace_id(span.get_span_context().trace_id))
        limit = NEVER if deadline_s is None else self._loop.time() + deadline_s
        return task, Active(arguments, span, base, limit, self._loop.create_future(), created_ns)

    def new_span(
        self,
        task: Task,
        base: OtelContext,
        links: Sequence[Link] = (),
        more: Mapping[str, Any] | None = None,
        start_ns: int | None = None,
    ) -> ActiveSpan | UnrecordedSpan:
        """A span for a run of the task."""
        attributes = {names.PEA_CAPABILITY: task.capability, names.PEA_TASK_ID: task.id, **(more or {})}
        attributes[names.PEA_TASK_PRIORITY] = task.priority.name.lower()
        return self._tracer.span(
            _SPAN_TASK + task.capability, attributes, parent=base, links=links, start_time=start_ns
        )

    def admit(self, task: Task, active: Active) -> None:
        """Take in a task that is queued; it starts when its turn comes."""
        self.hold(task, active)
        self._enqueue(task, active)

    def hold(self, task: Task, active: Active) -> None:
        """Take in a task that does not run before it is `released` or `decided`."""
        self.active[task.id] = active
        self.history.add(task)
        self._arm(task, active)
        if self._closed:  # it was being written when all others were left
            self.leave(task.id)

    def release(self, identity: str) -> None:
        """Let a task that was held have its turn."""
        active = self.active.get(identity)
        if active is not None and not active.ending:
            self._enqueue(self.history.require(identity), active)

    def decided(self, task: Task, revive: Callable[[Active], None]) -> None:
        """Show what was decided; a task that waits for nothing more is revived and has its turn."""
        active = self.active.get(task.id)
        if active is None:
            return  # PEA shut down while the decision was being written
        self._record(task, active)
        if active.cancelled is not None:  # while the decision was being written
            self._end(task, active, TaskState.CANCELLED, TaskError("cancelled", active.cancelled))
            return
        if task.state is TaskState.QUEUED:
            revive(active)
            self._enqueue(task, active)
        if active.runner is None:
            self._arm(task, active)

    def find(self, capability: str) -> Capability | None:
        """What is known of a capability, whether or not its agent is in service."""
        return self._directory.capabilities.get(capability)

    def resumable(self, capability: str) -> bool:
        """Whether a task for this capability may be begun again; one that nobody offers any more fails by itself."""
        found = self.find(capability)
        return found is None or found.declared.idempotent or found.declared.resumable

    def _enqueue(self, task: Task, active: Active) -> None:
        if self._closing:
            return  # it is in the journal, and has its turn after the next start
        if self.admission.goes_at_once(task.priority):
            self._start(task, active)
            return
        active.place = self.admission.enqueue(task.capability, task.capability, task.priority)
        self.line.join(active.place, task.id)

    def _arm(self, task: Task, active: Active) -> None:
        """Have the task expire while it waits."""
        if active.deadline is not NEVER and active.timer is None:
            active.timer = self._loop.call_at(active.deadline, self._expire, task.id)

    async def wait(self, identity: str, timeout_s: float | None = None) -> Task:
        """The task when it has ended, or as it stands after ``timeout_s`` seconds. Raises as `get` does."""
        active = self.active.get(identity)
        if active is not None:
            await asyncio.wait([active.done], timeout=timeout_s)
        return self.history.require(identity)

    async def run(self, capability: str, arguments: Mapping[str, Any], **options: Any) -> tuple[Task, Any]:
        """Submit a task, wait for its end, and return it with its result as the Python value it was."""
        task = self.submit(capability, arguments, **options)
        active = self.active.get(task.id)
        if active is None:
            return task, None
        try:
            await asyncio.wait([active.done])
        except asyncio.CancelledError:
            if not active.done.done():
                self.cancel(task.id)
            raise
        return self.history.require(task.id), active.value

    def cancel(self, identity: str, reason: str = "cancelled by the caller") -> Task:
        """End a task that has not ended: at once when it waits, as soon as its agents let go when it runs.

        Raises UnknownTask, TaskForgotten, or Conflict when it has ended.
        """
        task = self.history.require(identity)
        active = self.active.get(identity)
        if task.final or active is None:
            raise Conflict(f"has ended already: {task.state}", where=f"task {identity}")
        if task.state is TaskState.RUNNING or active.ending or active.deciding:  # it ends when that has been written
            active.cancelled = reason
            if active.runner is not None and not active.ending:
                active.runner.cancel(reason)
            return task
        self._leave_line(active)
        return self._end(task, active, TaskState.CANCELLED, TaskError("cancelled", reason))

    async def decide(
        self,
        identity: str,
        decision: Decision,
        approval: str | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> Task:
        """Say to a task what a person decided; it goes on, or learns that it was rejected, once nothing is undecided.

        ``approval`` is the key of what is decided, needed when several are asked. Raises UnknownTask, TaskForgotten,
        JournalUnavailable, or Conflict when it waits for no approval or the other was decided. What is being written
        counts even if who decided goes away.
        """
        task = await self.recall(identity)
        if self.durable is None:
            raise Conflict("waits for no approval", where=f"task {identity}")
        deciding = self.durable.decide(task, decision, approval, by, reason)
        return await asyncio.shield(self._loop.create_task(deciding))

    async def recall(self, identity: str) -> Task:
        """The task, from memory or else from the journal. Raises UnknownTask or TaskForgotten."""
        try:
            return self.history.require(identity)
        except (UnknownTask, TaskForgotten):
            found = await self.durable.journal.find(identity) if self.durable is not None else None
            if found is None:
                raise
            return found

    async def recall_page(self, before: tuple[float, str] | None, most: int, wanted: Mapping[str, Any]) -> list[Task]:
        """Tasks, newest first, also those that only the journal has; see `Tables.page`."""
        if self.durable is not None:
            return await self.durable.journal.page(before, most, dict(wanted))
        return list(islice(self.history.registry.before(before, **wanted), most))

    async def events(self, identity: str, after: int = 0) -> AsyncIterator[TaskEvent]:
        """The task's events from number ``after`` + 1 on, past ones first, until it has ended."""
        task = await self.recall(identity)
        active = self.active.get(identity)
        changes: asyncio.Queue[Task] = asyncio.Queue()
        if active is not None:
            active.listeners.append(changes)
        try:
            while True:
                for event in life_of(task):
                    if event.number > after:
                        after = event.number
                        yield event
                if task.final or active is None or active.left:
                    return
                task = await changes.get()
        finally:
            if active is not None:
                active.listeners.remove(changes)

    async def close(self, grace_s: float) -> None:
        """Take no more tasks, give the running ones ``grace_s`` seconds, then end them.

        Tasks in a journal stay there and go on at the next start, those that were running too if they may be begun
        again; others are handed back as cancelled.
        """
        self._closing = True
        for identity, active in list(self.active.items()):
            task = self.history.require(identity)
            self._leave_line(active)
            if task.state is not TaskState.RUNNING and not active.ending and not task.journaled:
                error = TaskError(ShuttingDown.code, "PEA shut down before its turn", fix="submit it again")
                self._end(task, active, TaskState.CANCELLED, error)
        runners = [active.runner for active in self.active.values() if active.runner is not None]
        if runners:
            _, late = await asyncio.wait(runners, timeout=grace_s)
            for identity, active in self.active.items():
                if active.runner in late:
                    active.put_back = active.steps is not None and self.resumable(
                        self.history.require(identity).capability
                    )
            for runner in late:
                runner.cancel("PEA shut down before it ended")
            if late:
                await asyncio.wait(late, timeout=1.0)
        if self.durable is not None:
            await self.durable.written(LAST_WRITES_S)
        for identity, active in list(self.active.items()):  # what does not let go is reported, not awaited for ever
            task = self.history.require(identity)
            if task.journaled:
                self.leave(identity)
                continue
            error = TaskError(ShuttingDown.code, "PEA shut down and its agent did not let go")
            self._end(task, active, TaskState.CANCELLED, error)
        self._closed = True

    def _start(self, task: Task, active: Active) -> None:
        started_ns = time.time_ns()
        active.began = self._loop.time()
        if active.timer is not None:
            active.timer.cancel()
            active.timer = None
        if active.span is not None:
            active.span.leaf(names.SPAN_QUEUE_WAIT, active.created_ns, started_ns, {})
        task = task.to(TaskState.RUNNING, started_ns / _NS)
        self._record(task, active)
        self.admission.started()
        if task.journaled and self.durable is not None:
            self.durable.begun(task, active, lambda: self._launch(task, active))
        else:
            self._launch(task, active)

    def _launch(self, task: Task, active: Active) -> None:
        if self._closing and self.durable is not None and task.journaled:  # since it was written that it begins
            self.durable.take_back(task, active, lambda taken: self._taken_back(taken, active))
            return
        runner = self._loop.create_task(self._work(task, active), name=f"task {task.id}", context=active.context.copy())
        active.runner = runner
        runner.add_done_callback(lambda ended: self._ended(task, active, ended))
        if active.cancelled is not None:
            runner.cancel(active.cancelled)

    async def _work(self, task: Task, active: Active) -> Any:
        if active.span is not None:
            otel_context.attach(set_span_in_context(active.span, active.base))
        if active.steps is not None:
            SCOPE.set(active.steps.root())
        panels = self._dispatcher.panels
        if panels.on:
            STAKES.set(panels.stakes(task.capability, critical=task.priority is Priority.CRITICAL))
        return await self._dispatcher.call(task.capability, active.arguments, deadline=active.deadline, task_id=task.id)

    def _ended(self, task: Task, active: Active, runner: asyncio.Task[Any]) -> None:
        """Turn how the runner ended into the task's final state; a runner cancelled before its first step too."""
        succeeded = not runner.cancelled() and runner.exception() is None
        try:
            if task.id not in self.active or active.left:
                return
            if self.durable is not None and task.journaled and runner.cancelled() and self.durable.wants_back(active):
                self.durable.take_back(task, active, lambda taken: self._taken_back(taken, active))
            else:
                self._end(task, active, *verdict(active, runner))
        finally:  # whatever came of that, its place is free
            self.admission.ended(task.capability, self._loop.time() - active.began, succeeded=succeeded)
            self._next()

    def _taken_back(self, task: Task, active: Active) -> None:
        """It is on the disk that a task waits for an answer or for the next start: show it."""
        active.ending, active.runner = False, None
        active.pause_span(task.state)
        self._record(task, active)
        if active.cancelled is not None:  # while that was being written
            self._end(task, active, TaskState.CANCELLED, TaskError("cancelled", active.cancelled))
        else:
            self._arm(task, active)

    def leave(self, identity: str) -> None:
        """Have a task stay in the journal, to go on after the next start; who waits for it is told that it does."""
        active = self.active.pop(identity, None)
        if active is not None:
            active.leave(self.history.require(identity))

    def _end(
        self,
        task: Task,
        active: Active,
        state: TaskState,
        error: TaskError | None = None,
        result: bytes | None = None,
    ) -> Task:
        ended_ns = time.time_ns()
        if active.timer is not None:
            active.timer.cancel()
            active.timer = None
        raw = None if result is None else msgspec.Raw(result)
        ended = task.to(state, ended_ns / _NS, error=error, result=raw)
        if not task.journaled or self.durable is None:
            self._settle(ended, active, ended_ns)
            return ended
        self.durable.ensure_span(task, active)
        self.durable.ended(ended, active, lambda: self._settle(ended, active, time.time_ns()))
        return task

    def _settle(self, task: Task, active: Active, ended_ns: int) -> None:
        """The task has ended: say so to all who wait for it."""
        active.end_span(task, ended_ns)
        self._record(task, active)
        self.active.pop(task.id, None)
        if not active.done.done():
            active.done.set_result(None)

    def _next(self) -> None:
        while (first := self.line.first()) is not None and self.admission.may_start(Priority(-first[0].behind)):
            identity = first[1]
            active = self.active[identity]
            self._leave_line(active, starts=True)
            self._start(self.history.require(identity), active)

    def _expire(self, identity: str) -> None:
        task, active = self.history.get(identity), self.active.get(identity)
        if task is None or active is None or active.ending or task.state is TaskState.RUNNING:
            return
        if active.deciding:  # it is armed again when the decision is written
            active.timer = None
            return
        self._leave_line(active)
        what = "it waited for approval" if task.state is TaskState.WAITING_FOR_APPROVAL else "it waited for its turn"
        error = TaskError(DeadlineExceeded.code, f"its deadline passed while {what}")
        self._end(task, active, TaskState.TIMED_OUT, error)

    def _leave_line(self, active: Active, *, starts: bool = False) -> None:
        if active.place is not None:
            self.line.leave(active.place)
            self.admission.dequeue(active.place, starts=starts)
            active.place = None

    def _record(self, task: Task, active: Active) -> None:
        self.history.replace(task)
        for listener in active.listeners:
            listener.put_nowait(task)
