"""A task as the API shows it, what a client submits, and how lists of tasks are asked for and paged."""

from __future__ import annotations

import struct
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pea.runtime import Priority, Task, TaskError, TaskEvent, TaskState
from pea.runtime.agent import PriorityName
from pea.runtime.task import Approval, Decision, timestamp

MAX_DEADLINE_MS = 86_400_000
MAX_LIMIT = 200
CURSOR = "^4[0-6][0-9a-f]{38}$"  # a finite double and a task id, so that whatever matches is a place in the list

_PRIORITIES: dict[Priority, PriorityName] = {
    Priority.LOW: "low",
    Priority.NORMAL: "normal",
    Priority.HIGH: "high",
    Priority.CRITICAL: "critical",
}
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A task to do. ``deadline_ms`` counts from when it is accepted; waiting in the queue is part of it.

    Without a ``priority`` it has the capability's own, which is normal for most.
    """

    capability: Annotated[str, Meta(max_length=200)]
    input: dict[str, Any] = {}
    priority: PriorityName | UnsetType = UNSET
    deadline_ms: Annotated[float, Meta(le=MAX_DEADLINE_MS, extra_json_schema={"exclusiveMinimum": 0})] | None = None


class Links(msgspec.Struct, frozen=True):
    """Where more about a task is."""

    self: str
    events: str


class ApprovalJson(msgspec.Struct, frozen=True, kw_only=True):
    """An action of a task that needs a person's approval; ``decision`` is null until somebody has decided."""

    key: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    summary: str
    details: msgspec.Raw
    asked: Moment
    decision: Decision | None
    decided: Moment | None
    by: str | None
    reason: str | None


class DecisionJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person says to a task that waits for approval; ``approval`` is a key, needed when several are asked."""

    approval: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None
    by: Annotated[str, Meta(max_length=200)] | None = None
    reason: Annotated[str, Meta(max_length=2_000)] | None = None


class TaskJson(msgspec.Struct, frozen=True, kw_only=True):
    """One task. Times are RFC 3339 in UTC; ``duration_ms`` runs from its acceptance to its end.

    ``journaled`` tasks outlive the process; ``runs`` is how often one was begun, more than once after a crash, a
    shutdown or an approval.
    """

    id: Annotated[str, Meta(pattern="^[0-9a-f]{24}$")]
    capability: str
    agent: str
    status: TaskState
    priority: PriorityName
    created: Moment
    started: Moment | None
    ended: Moment | None
    deadline: Moment | None
    duration_ms: Annotated[float, Meta(ge=0)] | None
    trace_id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None
    error: TaskError | None
    journaled: bool
    runs: Annotated[int, Meta(ge=0)]
    approvals: list[ApprovalJson]
    links: Links
    result: msgspec.Raw | UnsetType = UNSET  # only of a task that succeeded, and not in lists


class TaskPage(msgspec.Struct, frozen=True):
    """Tasks, newest first, without their results; ``next`` is the cursor of the page after, null on the last."""

    tasks: list[TaskJson]
    next: str | None


class TaskQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which tasks to list."""

    status: Annotated[TaskState, Meta(description="Only tasks in this state.")] | UnsetType = UNSET
    priority: Annotated[PriorityName, Meta(description="Only tasks of this priority.")] | UnsetType = UNSET
    agent: Annotated[str, Meta(description="Only tasks that this agent answers for.")] | UnsetType = UNSET
    capability: Annotated[str, Meta(description="Only tasks of this capability.")] | UnsetType = UNSET
    all: Annotated[bool, Meta(description="Also those that have left the memory and are in the journal.")] = False
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="How many at most.")] = 50
    cursor: (
        Annotated[str, Meta(pattern=CURSOR, description="Where to go on: `next` of the page before.")] | UnsetType
    ) = UNSET

    def wanted(self) -> dict[str, Any]:
        """The index values asked for, under the registry's names."""
        given = {
            "state": self.status,
            "priority": UNSET if self.priority is UNSET else priority(self.priority),
            "agent": self.agent,
            "capability": self.capability,
        }
        return {name: value for name, value in given.items() if value is not UNSET}


class TaskEventJson(msgspec.Struct, frozen=True, kw_only=True):
    """One change in a task's life; ``number`` counts from 1 within the task."""

    number: Annotated[int, Meta(ge=1)]
    task: str
    status: TaskState
    at: Moment
    error: TaskError | None


def priority(name: PriorityName) -> Priority:
    """The priority of this name."""
    return Priority[name.upper()]


def task_json(task: Task, *, result: bool = True) -> TaskJson:
    """The task as the API shows it, with its result if it has one and it is wanted."""
    path = f"/v1/tasks/{task.id}"
    return TaskJson(
        id=task.id,
        capability=task.capability,
        agent=task.agent,
        status=task.state,
        priority=_PRIORITIES[task.priority],
        created=timestamp(task.created),
        started=_moment(task.started),
        ended=_moment(task.ended),
        deadline=_moment(task.deadline),
        duration_ms=None if task.ended is None else round(max(0.0, task.ended - task.created) * 1e3, 3),
        trace_id=task.trace_id,
        error=task.error,
        journaled=task.journaled,
        runs=task.runs,
        approvals=[_approval(one) for one in task.approvals],
        links=Links(path, f"{path}/events"),
        result=task.result if result and task.result is not None else UNSET,
    )


def _approval(one: Approval) -> ApprovalJson:
    return ApprovalJson(
        key=one.key,
        summary=one.summary,
        details=one.details,
        asked=timestamp(one.asked),
        decision=one.decision,
        decided=_moment(one.decided),
        by=one.by,
        reason=one.reason,
    )


def event_json(event: TaskEvent) -> TaskEventJson:
    """The event as the API shows it."""
    return TaskEventJson(number=event.number, task=event.task, status=event.state, at=event.at, error=event.error)


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)


def cursor_of(task: Task) -> str:
    """An opaque word for the place just below this task in the order of creation."""
    return struct.pack(">d", task.created).hex() + task.id


def position_of(cursor: str) -> tuple[float, str]:
    """The place that a cursor, of the right pattern, stands for."""
    (created,) = struct.unpack(">d", bytes.fromhex(cursor[:16]))
    return created, cursor[16:]
