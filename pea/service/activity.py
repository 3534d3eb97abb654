"""The route of the activity log: what agents wrote down, the latest first, and how it is being kept."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from pea.cache import Activity, ActivityStats
from pea.service.access.scopes import Scope
from pea.service.json_answer import json_answer
from pea.service.operation import Answer, Operation
from pea.service.query import read_query
from pea.service.state import STATE

Word = Annotated[str, Meta(min_length=1, max_length=200)]


class ActivityQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which activities to show."""

    agent: Word | None = None
    kind: Word | None = None
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class ActivitiesJson(msgspec.Struct, frozen=True, kw_only=True):
    """The latest activities first; ``stats`` says how many are hot, warm and cold, and how they were written."""

    activities: list[Activity]
    stats: ActivityStats


async def show(request: web.Request) -> web.Response:
    """What agents wrote down with ``ctx.store``."""
    asked = read_query(request, ActivityQuery)
    request.app[STATE].scheduler()  # 503 while the agents start
    log = request.app[STATE].runtime.dispatcher.caches.activity
    found = await log.recent(asked.limit, agent=asked.agent or "", kind=asked.kind or "")
    return json_answer(ActivitiesJson(activities=found, stats=log.stats()))


ROUTES = (
    Operation(
        method="GET",
        path="/v1/activity",
        handler=show,
        name="getActivity",
        tag="activity",
        scope=Scope.READ,
        summary="Show what agents wrote down, the latest first",
        query=ActivityQuery,
        answers={200: Answer("The activities.", ActivitiesJson)},
    ),
)
