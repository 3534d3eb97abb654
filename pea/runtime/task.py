"""A task: what was asked, its state, and how it ended; a value that each transition replaces."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Any, Self

import msgspec

from pea.errors import Conflict, PeaError, said

MAX_ERROR = 10_000  # characters of each text of an error that are kept


class TaskState(enum.StrEnum):
    """Where a task is in its life."""

    QUEUED = "queued"  # accepted, waiting for its turn
    RUNNING = "running"  # an agent works on it
    SUCCEEDED = "succeeded"  # ended with a result
    FAILED = "failed"  # ended with an error
    TIMED_OUT = "timed_out"  # its deadline, or its capability's timeout, passed first
    CANCELLED = "cancelled"  # taken back by the caller, or handed back at shutdown
    WAITING_FOR_APPROVAL = "waiting_for_approval"  # a person has to say whether it may go on; nothing of it runs


_STOPPED = {TaskState.TIMED_OUT, TaskState.CANCELLED}
_TRANSITIONS = {
    TaskState.QUEUED: {TaskState.RUNNING, *_STOPPED},
    # Back to the queue: only a journaled task, whose process was killed or shut down.
    TaskState.RUNNING: {
        TaskState.SUCCEEDED, TaskState.FAILED, *_STOPPED, TaskState.WAITING_FOR_APPROVAL, TaskState.QUEUED,
    },
    TaskState.WAITING_FOR_APPROVAL: {TaskState.QUEUED, *_STOPPED},
}  # fmt: skip


class Priority(enum.IntEnum):
    """Which of the waiting tasks goes first; crises are critical."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    CRITICAL = 3


class TaskError(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a task did not succeed: ``code`` is one of pea.errors' codes or an exception's type name."""

    code: str
    message: str
    where: str | None = None
    fix: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """What is told of an exception, whatever it says: bounded, and such that JSON can carry it."""
        kind = type(error).__name__
        if not isinstance(error, PeaError):
            return cls(kind, _kept(said(error)) or kind)
        where, fix = (None if text is None else _kept(text) for text in (error.where, error.fix))
        return cls(error.code, _kept(error.what) or kind, where, fix)


def _kept(text: str) -> str:
    return text if len(text) <= MAX_ERROR else text[: MAX_ERROR - 1] + "…"


class Decision(enum.StrEnum):
    """What a person said to an action that needs approval."""

    APPROVED = "approved"
    REJECTED = "rejected"


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """An action that a task may take only once a person has approved it.

    ``key`` is 32 hexadecimal digits, the same however often the task is begun again: it serves as the idempotency key
    of the action. ``details`` is JSON; times are Unix seconds.
    """

    key: str
    summary: str
    details: msgspec.Raw
    asked: float
    decision: Decision | None = None
    decided: float | None = None
    by: str | None = None
    reason: str | None = None


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work. Times are Unix seconds; ``result`` and ``input`` are JSON.

    ``trace_id`` is 32 hexadecimal digits, the trace that shows how the task went. ``life`` has every state after the
    first and when it was entered; ``started`` is when the task last began to run. ``crashes`` counts the processes
    that were killed while it ran.
    """

    id: str
    capability: str
    agent: str
    input: msgspec.Raw
    priority: Priority = Priority.NORMAL
    state: TaskState = TaskState.QUEUED
    created: float
    deadline: float | None = None
    started: float | None = None
    ended: float | None = None
    trace_id: str | None = None
    result: msgspec.Raw | None = None
    error: TaskError | None = None
    idempotency_key: str | None = None
    journaled: bool = False
    crashes: int = 0
    approvals: tuple[Approval, ...] = ()
    life: tuple[tuple[TaskState, float], ...] = ()

    @property
    def runs(self) -> int:
        """How often the task was begun."""
        return sum(state is TaskState.RUNNING for state, _ in self.life)

    @property
    def pending(self) -> tuple[Approval, ...]:
        """The approvals that nobody has decided yet."""
        return tuple(one for one in self.approvals if one.decision is None)

    @property
    def final(self) -> bool:
        """Whether the task has ended."""
        return self.state not in _TRANSITIONS

    @property
    def size_bytes(self) -> int:
        """What the task holds in the history: its JSON and a fixed share for the record."""
        return 1_000 + len(bytes(self.input)) + (len(bytes(self.result)) if self.result is not None else 0)

    def to(self, state: TaskState, at: float, **changes: Any) -> Task:
        """This task in its next state, entered ``at``; Conflict when the transition is not one of the life cycle."""
        if state not in _TRANSITIONS.get(self.state, ()):
            raise Conflict(f"a task that is {self.state} cannot become {state}", where=f"task {self.id}")
        if state is TaskState.RUNNING:
            changes["started"] = at
        elif state not in _TRANSITIONS:
            changes["ended"] = at
        return msgspec.structs.replace(self, state=state, life=(*self.life, (state, at)), **changes)


class TaskEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One change in a task's life; ``number`` counts from 1 within the task."""

    number: int
    task: str
    state: TaskState
    at: str  # RFC 3339, UTC
    error: TaskError | None = None


def timestamp(seconds: float) -> str:
    """Unix seconds as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def life_of(task: Task) -> list[TaskEvent]:
    """The events of a task's life so far."""
    return [
        TaskEvent(
            number=number,
            task=task.id,
            state=state,
            at=timestamp(at),
            error=task.error if state is task.state else None,
        )
        for number, (state, at) in enumerate(((TaskState.QUEUED, task.created), *task.life), 1)
    ]
