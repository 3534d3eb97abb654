"""Tasks from admission to history: a bounded queue by priority, a bounded number running, a bounded memory of the rest.

A task's span begins when it is accepted, so that its duration is what the caller waits for; the wait for a free place
is a leaf under it.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import os
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from opentelemetry import context as otel_context
from opentelemetry.context import Context as OtelContext
from opentelemetry.trace import Status, StatusCode, format_trace_id, set_span_in_context

from pea.config import RuntimeSettings
from pea.errors import (
    Conflict,
    DeadlineExceeded,
    IdempotencyKeyReused,
    InputError,
    OutputError,
    PeaError,
    ShuttingDown,
)
from pea.runtime.deadline import NEVER
from pea.runtime.directory import Directory
from pea.runtime.dispatch import Dispatcher
from pea.runtime.history import History
from pea.runtime.policy.admission import Admission, Place
from pea.runtime.task import Priority, Task, TaskError, TaskEvent, TaskState, life_of
from pea.telemetry import ActiveSpan, Tracer, UnrecordedSpan, names

_SPAN_TASK = names.SPAN_TASK + " "
_NS = 1_000_000_000


class _Active:
    """What a task needs only until it ends."""

    __slots__ = (
        "arguments",
        "base",
        "began",
        "context",
        "created_ns",
        "deadline",
        "done",
        "listeners",
        "place",
        "runner",
        "span",
        "timer",
        "value",
    )

    def __init__(
        self,
        arguments: Mapping[str, Any],
        span: ActiveSpan | UnrecordedSpan,
        base: OtelContext,
        deadline: float,
        done: asyncio.Future[None],
        created_ns: int,
    ) -> None:
        self.created_ns = created_ns
        self.arguments = arguments
        self.span = span
        self.base = base
        self.deadline = deadline
        self.done = done
        self.context = contextvars.copy_context()
        self.runner: asyncio.Task[Any] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.place: Place | None = None
        self.began = 0.0  # of the loop's clock
        self.listeners: list[asyncio.Queue[Task]] = []
        self.value: Any = None


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
        self._active: dict[str, _Active] = {}
        self.admission = Admission(settings)
        self._queue: list[tuple[Place, str]] = []  # a heap of places with task ids
        self._closing = False

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
        encoded = _encode(arguments)
        if idempotency_key is not None:
            earlier = self.history.by_key(idempotency_key)
            if earlier is not None:
                if (earlier.capability, bytes(earlier.input)) != (capability, encoded):
                    raise IdempotencyKeyReused("was used for other input", where=f"Idempotency-Key {idempotency_key!r}")
                return earlier
        if self._closing:
            raise ShuttingDown("PEA is shutting down and takes no new tasks", fix="try again when it is back")
        if deadline_s is not None and not deadline_s > 0:
            raise InputError("the deadline has already passed", where="deadline_ms", fix="give more than 0")
        found = self._directory.capability(capability)
        found.bind(arguments)
        self.admission.check(found.name, priority, deadline_s)
        return self._admit(found.name, found.agent, encoded, arguments, priority, deadline_s, idempotency_key)

    def _admit(
        self,
        capability: str,
        agent: str,
        encoded: bytes,
        arguments: Mapping[str, Any],
        priority: Priority,
        deadline_s: float | None,
        key: str | None,
    ) -> Task:
        created_ns = time.time_ns()
        identity = os.urandom(12).hex()
        base = otel_context.get_current()
        span = self._tracer.span(
            _SPAN_TASK + capability,
            {
                names.PEA_CAPABILITY: capability,
                names.PEA_TASK_ID: identity,
                names.PEA_TASK_PRIORITY: priority.name.lower(),
            },
            parent=base,
            start_time=created_ns,
        )
        task = Task(
            id=identity,
            capability=capability,
            agent=agent,
            input=msgspec.Raw(encoded),
            priority=priority,
            created=created_ns / _NS,
            deadline=None if deadline_s is None else created_ns / _NS + deadline_s,
            trace_id=format_trace_id(span.get_span_context().trace_id),
            idempotency_key=key,
        )
        limit = NEVER if deadline_s is None else self._loop.time() + deadline_s
        active = self._active[identity] = _Active(arguments, span, base, limit, self._loop.create_future(), created_ns)
        self.history.add(task)
        if self.admission.goes_at_once(priority):
            self._start(task, active)
        else:
            active.place = self.admission.enqueue(capability, capability, priority)
            heapq.heappush(self._queue, (active.place, identity))
            if deadline_s is not None:
                active.timer = self._loop.call_later(deadline_s, self._expire, identity)
        return self.history.require(identity)

    async def wait(self, identity: str, timeout_s: float | None = None) -> Task:
        """The task when it has ended, or as it stands after ``timeout_s`` seconds. Raises as `get` does."""
        active = self._active.get(identity)
        if active is not None:
            await asyncio.wait([active.done], timeout=timeout_s)
        return self.history.require(identity)

    async def run(self, capability: str, arguments: Mapping[str, Any], **options: Any) -> tuple[Task, Any]:
        """Submit a task, wait for its end, and return it with its result as the Python value it was."""
        task = self.submit(capability, arguments, **options)
        active = self._active.get(task.id)
        if active is None:
            return task, None
        try:
            await asyncio.wait([active.done])
        except asyncio.CancelledError:
            self.cancel(task.id)
            raise
        return self.history.require(task.id), active.value

    def cancel(self, identity: str, reason: str = "cancelled by the caller") -> Task:
        """End a task that has not ended: at once when it waits, as soon as its agents let go when it runs.

        Raises UnknownTask, TaskForgotten, or Conflict when it has ended.
        """
        task = self.history.require(identity)
        active = self._active.get(identity)
        if task.final or active is None:
            raise Conflict(f"has ended already: {task.state}", where=f"task {identity}")
        if active.runner is not None:
            active.runner.cancel(reason)
            return task
        self._leave_queue(active)
        return self._end(task, active, TaskState.CANCELLED, TaskError("cancelled", reason))

    async def events(self, identity: str, after: int = 0) -> AsyncIterator[TaskEvent]:
        """The task's events from number ``after`` + 1 on, past ones first, until it has ended."""
        task = self.history.require(identity)
        active = self._active.get(identity)
        changes: asyncio.Queue[Task] = asyncio.Queue()
        if active is not None:
            active.listeners.append(changes)
        try:
            while True:
                for event in life_of(task):
                    if event.number > after:
                        after = event.number
                        yield event
                if task.final or active is None:
                    return
                task = await changes.get()
        finally:
            if active is not None:
                active.listeners.remove(changes)

    async def close(self, grace_s: float) -> None:
        """Take no more tasks, hand back the waiting, give the running ``grace_s`` seconds, cancel the rest."""
        self._closing = True
        for _, identity in sorted(self._queue):
            task = self.history.get(identity)
            if task is not None and task.state is TaskState.QUEUED:
                self._leave_queue(self._active[identity])
                error = TaskError(ShuttingDown.code, "PEA shut down before its turn", fix="submit it again")
                self._end(task, self._active[identity], TaskState.CANCELLED, error)
        self._queue.clear()
        runners = [active.runner for active in self._active.values() if active.runner is not None]
        if runners:
            _, late = await asyncio.wait(runners, timeout=grace_s)
            for runner in late:
                runner.cancel("PEA shut down before it ended")
            if late:
                await asyncio.wait(late, timeout=1.0)
        for identity, active in list(self._active.items()):  # what does not let go is reported, not awaited for ever
            error = TaskError(ShuttingDown.code, "PEA shut down and its agent did not let go")
            self._end(self.history.require(identity), active, TaskState.CANCELLED, error)

    def _start(self, task: Task, active: _Active) -> None:
        started_ns = time.time_ns()
        active.began = self._loop.time()
        if active.timer is not None:
            active.timer.cancel()
        active.span.leaf(names.SPAN_QUEUE_WAIT, active.created_ns, started_ns, {})
        task = task.to(TaskState.RUNNING, started_ns / _NS)
        self._record(task, active)
        self.admission.started()
        runner = self._loop.create_task(self._work(task, active), name=f"task {task.id}", context=active.context)
        active.runner = runner
        runner.add_done_callback(lambda ended: self._ended(task, active, ended))

    async def _work(self, task: Task, active: _Active) -> Any:
        otel_context.attach(set_span_in_context(active.span, active.base))
        return await self._dispatcher.call(task.capability, active.arguments, deadline=active.deadline, task_id=task.id)

    def _ended(self, task: Task, active: _Active, runner: asyncio.Task[Any]) -> None:
        """Turn how the runner ended into the task's final state; a runner cancelled before its first step too."""
        if task.id in self._active:
            self._end(task, active, *self._verdict(active, runner))
        succeeded = not runner.cancelled() and runner.exception() is None
        self.admission.ended(task.capability, self._loop.time() - active.began, succeeded=succeeded)
        self._next()

    def _verdict(self, active: _Active, runner: asyncio.Task[Any]) -> tuple[TaskState, TaskError | None, bytes | None]:
        if runner.cancelled():
            return TaskState.CANCELLED, TaskError("cancelled", _cancel_reason(runner)), None
        error = runner.exception()
        if error is None:
            active.value = runner.result()
            try:
                return TaskState.SUCCEEDED, None, _encode(active.value)
            except InputError as unfit:
                error = OutputError(f"its result is not JSON: {unfit.what}", where=unfit.where)
        active.span.record_exception(error)
        state = TaskState.TIMED_OUT if isinstance(error, DeadlineExceeded) else TaskState.FAILED
        if isinstance(error, PeaError):
            return state, TaskError(error.code, error.what, error.where, error.fix), None
        return state, TaskError(type(error).__name__, str(error) or type(error).__name__), None

    def _end(
        self,
        task: Task,
        active: _Active,
        state: TaskState,
        error: TaskError | None = None,
        result: bytes | None = None,
    ) -> Task:
        ended_ns = time.time_ns()
        if active.timer is not None:
            active.timer.cancel()
        raw = None if result is None else msgspec.Raw(result)
        task = task.to(state, ended_ns / _NS, error=error, result=raw)
        span = active.span
        span.set_attribute(names.PEA_TASK_STATUS, state.value)
        if error is not None:
            span.set_attribute(names.ERROR_TYPE, error.code)
            if state is not TaskState.CANCELLED:
                span.set_status(Status(StatusCode.ERROR, error.message))
        span.end(ended_ns)
        self._record(task, active)
        self._active.pop(task.id, None)
        if not active.done.done():
            active.done.set_result(None)
        return task

    def _next(self) -> None:
        while self._queue and self.admission.may_start(Priority(-self._queue[0][0].behind)):
            place, identity = heapq.heappop(self._queue)
            task = self.history.get(identity)
            if task is not None and task.state is TaskState.QUEUED:  # else it was cancelled or expired meanwhile
                self.admission.dequeue(place, starts=True)
                self._start(task, self._active[identity])

    def _expire(self, identity: str) -> None:
        task = self.history.get(identity)
        if task is not None and task.state is TaskState.QUEUED:
            self._leave_queue(self._active[identity])
            error = TaskError(DeadlineExceeded.code, "its deadline passed while it waited for its turn")
            self._end(task, self._active[identity], TaskState.TIMED_OUT, error)

    def _leave_queue(self, active: _Active) -> None:
        """A waiting task has ended; its place in the heap is cleared when such places outnumber the living."""
        if active.place is not None:
            self.admission.dequeue(active.place, starts=False)
        if len(self._queue) > 2 * self.admission.waiting + 64:
            self._queue = [place for place in self._queue if place[1] in self._active]
            heapq.heapify(self._queue)

    def _record(self, task: Task, active: _Active) -> None:
        self.history.replace(task)
        for listener in active.listeners:
            listener.put_nowait(task)


def _encode(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"cannot be written as JSON: {error}", where="input") from error


def _cancel_reason(runner: asyncio.Task[Any]) -> str:
    try:
        runner.result()
    except asyncio.CancelledError as error:
        return str(error.args[0]) if error.args and error.args[0] else "cancelled"
    return "cancelled"
