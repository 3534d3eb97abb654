"""What people say of tasks that have ended: written into the activity log, and told as user satisfaction."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from pea.errors import Conflict
from pea.service.access.scopes import Scope
from pea.service.body import read_struct
from pea.service.dashboard import BOARD
from pea.service.json_answer import json_answer
from pea.service.operation import Answer, Header, Operation
from pea.service.opinions import Opinion
from pea.service.state import STATE

Score = Annotated[int, Meta(ge=1, le=5, description="1: of no use, 5: just what was wanted.")]


class FeedbackJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody thinks of a task's result."""

    score: Score
    comment: Annotated[str, Meta(max_length=2_000)] = ""


class FeedbackAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was noted. ``satisfaction`` is the agent's (1: all fives, 0: all ones), of ``opinions`` tasks of 30 days."""

    task: str
    score: Score
    agent: str
    satisfaction: Annotated[float, Meta(ge=0, le=1)]
    opinions: Annotated[int, Meta(ge=1)]


async def give(request: web.Request) -> web.Response:
    """Note what somebody thinks of a task that has ended; a second opinion takes the first one's place."""
    told = await read_struct(request, FeedbackJson)
    task = await request.app[STATE].scheduler().recall(request.match_info["id"])
    if not task.final:
        raise Conflict(f"it is {task.state}", where=f"task {task.id}", fix="say what you think when it has ended")
    opinions = request.app[BOARD].opinions
    await opinions.load()
    opinion = Opinion(task=task.id, agent=task.agent, score=told.score, at=time.time())
    await opinions.note(opinion, task.capability, told.comment)
    satisfaction, count = opinions.of(task.agent)
    return json_answer(
        FeedbackAnswer(
            task=task.id, score=told.score, agent=task.agent, satisfaction=satisfaction or 0.0, opinions=max(1, count)
        )
    )


ROUTES = (
    Operation(
        method="POST",
        path="/v1/tasks/{id}/feedback",
        handler=give,
        name="giveFeedback",
        tag="tasks",
        scope=Scope.SUBMIT,
        summary="Say what you think of a task's result",
        description="Of a task that has ended. Saying it again replaces what was said before.",
        parameters={"id": Header("id", "The task's id.", {"type": "string", "pattern": "^[0-9a-f]{24}$"})},
        body=FeedbackJson,
        answers={200: Answer("It is noted.", FeedbackAnswer)},
        problems=(404, 408, 409, 410, 413, 415, 503),
    ),
)
