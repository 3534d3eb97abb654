"""The routes of tasks: submit, list, show, cancel."""

from __future__ import annotations

import re
from itertools import islice

import msgspec
from aiohttp import web

from pea.errors import InputError
from pea.runtime.scheduler import Scheduler
from pea.runtime.task import Decision, Priority
from pea.service.access.scopes import Scope
from pea.service.body import read_struct
from pea.service.json_answer import json_answer
from pea.service.negotiate import preferred_wait_s
from pea.service.operation import Answer, Header, Operation
from pea.service.query import read_query
from pea.service.refusals import BadParameter
from pea.service.state import STATE
from pea.service.task_json import (
    DecisionJson,
    Submission,
    TaskJson,
    TaskPage,
    TaskQuery,
    cursor_of,
    position_of,
    priority,
    task_json,
)

CANCEL_WAIT_S = 1.0  # how long DELETE waits for agents to let go before it answers 202

_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?", re.ASCII)


async def submit(request: web.Request) -> web.Response:
    """Accept a task; with ``Prefer: wait`` answer with its end, if it ends in time."""
    key = _idempotency_key(request)
    submission = await read_struct(request, Submission)
    if submission.deadline_ms is not None and submission.deadline_ms <= 0:
        raise InputError("the deadline has already passed", where="deadline_ms", fix="give more than 0")
    state = request.app[STATE]
    scheduler = state.scheduler()
    task = await scheduler.accept(
        submission.capability,
        submission.input,
        priority=_priority(submission, scheduler),
        deadline_s=None if submission.deadline_ms is None else submission.deadline_ms / 1e3,
        idempotency_key=key,
    )
    headers = {"Location": f"/v1/tasks/{task.id}"}
    wait_s = preferred_wait_s(request.headers.getall("Prefer", ()))
    if wait_s is not None:
        wait_s = min(wait_s, int(state.runtime.settings.service.max_wait))
        headers["Preference-Applied"] = f"wait={wait_s}"
        task = await scheduler.wait(task.id, wait_s)
    return json_answer(task_json(task), 200 if task.final else 202, headers)


async def listing(request: web.Request) -> web.Response:
    """A page of the tasks there are and were, newest first."""
    query = read_query(request, TaskQuery)
    scheduler = request.app[STATE].scheduler()
    position = position_of(query.cursor) if isinstance(query.cursor, str) else None
    if query.all:
        found = await scheduler.recall_page(position, query.limit + 1, query.wanted())
    else:
        scheduler.history.evict()
        found = list(islice(scheduler.history.registry.before(position, **query.wanted()), query.limit + 1))
    page = found[: query.limit]
    more = cursor_of(page[-1]) if len(found) > query.limit else None
    return json_answer(TaskPage([task_json(task, result=False) for task in page], more))


async def show(request: web.Request) -> web.Response:
    """One task, with its result."""
    return json_answer(task_json(await request.app[STATE].scheduler().recall(request.match_info["id"])))


async def cancel(request: web.Request) -> web.Response:
    """Take a task back: 200 when that has ended it, 202 when its agents have yet to let go."""
    scheduler = request.app[STATE].scheduler()
    task = scheduler.cancel(request.match_info["id"])
    if not task.final:
        task = await scheduler.wait(task.id, CANCEL_WAIT_S)
    return json_answer(task_json(task), 200 if task.final else 202)


async def approve(request: web.Request) -> web.Response:
    """Say that a task may do what it asked for."""
    return await _decide(request, Decision.APPROVED)


async def reject(request: web.Request) -> web.Response:
    """Say that a task may not do what it asked for."""
    return await _decide(request, Decision.REJECTED)


async def _decide(request: web.Request, decision: Decision) -> web.Response:
    told = await read_struct(request, DecisionJson) if request.body_exists else DecisionJson()
    scheduler = request.app[STATE].scheduler()
    task = await scheduler.decide(request.match_info["id"], decision, told.approval, told.by, told.reason)
    return json_answer(task_json(task), 200 if task.final else 202)


def _priority(submission: Submission, scheduler: Scheduler) -> Priority:
    """The priority that was asked for, else the capability's own."""
    if submission.priority is not msgspec.UNSET:
        return priority(submission.priority)
    found = scheduler.find(submission.capability)
    return priority((found.declared.priority if found is not None else None) or "normal")


def _idempotency_key(request: web.Request) -> str | None:
    keys = request.headers.getall("Idempotency-Key", ())
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise BadParameter(
            "is not one key of 1 to 255 printable ASCII characters", where="Idempotency-Key", fix="send a UUID"
        )
    return keys[0]


TASK_ID = {"id": Header("id", "The task's id.", {"type": "string", "pattern": "^[0-9a-f]{24}$"})}
_LOCATION = Header("Location", "Where the task is.", {"type": "string", "format": "uri-reference"})
_FOLLOW = ("getTask", "cancelTask", "streamTaskEvents")
_APPLIED = Header("Preference-Applied", "The wait that was honoured.", {"type": "string", "pattern": "^wait=[0-9]+$"})

ROUTES = (
    Operation(
        method="POST",
        path="/v1/tasks",
        handler=submit,
        name="submitTask",
        tag="tasks",
        scope=Scope.SUBMIT,
        summary="Submit a task",
        description=(
            "Its trace continues the request's `traceparent`. The answer is 202 with the task as it stands, or 200 "
            "with the ended task: when `Prefer: wait` was given and it ended in time, or when `Idempotency-Key` "
            "names a task that has ended."
        ),
        headers=(
            Header(
                "Prefer",
                "`wait=5`: answer when the task has ended, or after five seconds (RFC 7240).",
                {"type": "string", "examples": ["wait=5"]},
            ),
            Header(
                "Idempotency-Key",
                "Submitting again with the same key and input gives the same task.",
                {"type": "string", "minLength": 1, "maxLength": 255, "pattern": f"^{_KEY.pattern}$"},
            ),
        ),
        body=Submission,
        answers={
            200: Answer("The task has ended.", TaskJson, headers=(_LOCATION, _APPLIED), links=_FOLLOW),
            202: Answer("The task is accepted.", TaskJson, headers=(_LOCATION, _APPLIED), links=_FOLLOW),
        },
        problems=(404, 408, 413, 415, 422, 429, 503),
    ),
    Operation(
        method="GET",
        path="/v1/tasks",
        handler=listing,
        name="listTasks",
        tag="tasks",
        scope=Scope.READ,
        summary="List tasks, newest first",
        query=TaskQuery,
        answers={200: Answer("A page of tasks.", TaskPage)},
    ),
    Operation(
        method="GET",
        path="/v1/tasks/{id}",
        handler=show,
        name="getTask",
        tag="tasks",
        scope=Scope.READ,
        summary="Show a task with its result",
        parameters=TASK_ID,
        answers={200: Answer("The task.", TaskJson)},
        problems=(404, 410),
    ),
    Operation(
        method="DELETE",
        path="/v1/tasks/{id}",
        handler=cancel,
        name="cancelTask",
        tag="tasks",
        scope=Scope.SUBMIT,
        summary="Cancel a task",
        parameters=TASK_ID,
        answers={
            200: Answer("The task has ended.", TaskJson),
            202: Answer("The task is being cancelled; its agents have yet to let go.", TaskJson),
        },
        problems=(404, 409, 410),
    ),
    Operation(
        method="POST",
        path="/v1/tasks/{id}/approve",
        handler=approve,
        name="approveTask",
        tag="tasks",
        scope=Scope.ADMIN,
        summary="Approve what a task asks for",
        description="Of a task that is `waiting_for_approval`. Saying the same again changes nothing.",
        parameters=TASK_ID,
        body=DecisionJson,
        needs_body=False,
        answers={
            200: Answer("It had been decided so, and the task has ended.", TaskJson),
            202: Answer("It is decided; the task goes on.", TaskJson),
        },
        problems=(404, 408, 409, 410, 413, 415, 503),
    ),
    Operation(
        method="POST",
        path="/v1/tasks/{id}/reject",
        handler=reject,
        name="rejectTask",
        tag="tasks",
        scope=Scope.ADMIN,
        summary="Reject what a task asks for",
        description="Of a task that is `waiting_for_approval`. Saying the same again changes nothing.",
        parameters=TASK_ID,
        body=DecisionJson,
        needs_body=False,
        answers={
            200: Answer("It had been decided so, and the task has ended.", TaskJson),
            202: Answer("It is decided; the task goes on.", TaskJson),
        },
        problems=(404, 408, 409, 410, 413, 415, 503),
    ),
)
