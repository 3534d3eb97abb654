"""What the scheduler holds of a task only until it ends."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context as OtelContext
from opentelemetry.trace import Status, StatusCode

from pea.runtime.journal.steps import Log
from pea.runtime.policy.admission import Place
from pea.runtime.task import Task, TaskState
from pea.telemetry import ActiveSpan, UnrecordedSpan, names


class Active:
    """A task's span, deadline, runner and those who wait for it. ``deadline`` is of the loop's clock, in seconds.

    ``span_id`` is the task's first span's. The rest is for tasks with a journal: ``span`` is None while nothing of one
    runs; ``steps`` are those of the present run; ``restored`` says that an earlier process accepted it; ``ending`` that
    how its run ended is being written, ``deciding`` that a decision is; ``put_back`` that its runner is cancelled to be
    begun again at the next start; ``left`` that it stays in the journal and ends here no more.
    """

    __slots__ = (
        "arguments",
        "base",
        "began",
        "cancelled",
        "context",
        "created_ns",
        "deadline",
        "deciding",
        "done",
        "ending",
        "left",
        "listeners",
        "place",
        "put_back",
        "restored",
        "runner",
        "span",
        "span_id",
        "steps",
        "timer",
        "value",
    )

    def __init__(
        self,
        arguments: Mapping[str, Any],
        span: ActiveSpan | UnrecordedSpan | None,
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
        self.span_id = 0 if span is None else span.get_span_context().span_id
        self.runner: asyncio.Task[Any] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.place: Place | None = None  # in the queue, while it is there
        self.began = 0.0  # of the loop's clock
        self.listeners: list[asyncio.Queue[Task]] = []
        self.value: Any = None
        self.cancelled: str | None = None
        self.steps: Log | None = None
        self.restored = self.ending = self.deciding = self.put_back = self.left = False

    def leave(self, task: Task) -> None:
        """Tell those who wait that nothing more will happen here."""
        self.left = True
        self.pause_span(task.state)
        if self.timer is not None:
            self.timer.cancel()
        for listener in self.listeners:
            listener.put_nowait(task)
        if not self.done.done():
            self.done.set_result(None)

    def pause_span(self, state: TaskState) -> None:
        """End the span of a run after which the task goes on, if it does, under another."""
        if self.span is not None:
            self.span.set_attribute(names.PEA_TASK_STATUS, state.value)
            self.span.end()
            self.span = None

    def end_span(self, task: Task, ended_ns: int) -> None:
        """End the task's span with how the task ended."""
        assert self.span is not None
        self.span.set_attribute(names.PEA_TASK_STATUS, task.state.value)
        if task.error is not None:
            self.span.set_attribute(names.ERROR_TYPE, task.error.code)
            if task.state is not TaskState.CANCELLED:
                self.span.set_status(Status(StatusCode.ERROR, task.error.message))
        self.span.end(ended_ns)
