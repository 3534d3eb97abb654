"""The route of the schedules: what is to be done when, by the user's clock, and what became of the last times."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, tzinfo
from itertools import islice
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web
from msgspec import Meta

from pea.config import Settings
from pea.runtime.schedule import Entry, Firing, Outcome, Shelf
from pea.service.access.scopes import Scope
from pea.service.json_answer import json_answer
from pea.service.operation import Answer, Operation
from pea.service.query import read_query
from pea.service.state import STATE


class SchedulesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many of each schedule's next times, and how many of the last times of all, to show."""

    count: Annotated[int, Meta(ge=1, le=100)] = 5
    limit: Annotated[int, Meta(ge=0, le=1_000)] = 20


class ScheduleJson(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule. ``cron`` is meant in ``zone``; ``next`` are the same moments by the user's clock.

    ``next`` is empty when it is never due again, or, with a ``problem``, when that cannot be reckoned.
    """

    name: str
    cron: str
    zone: str
    capability: str
    input: msgspec.Raw
    grace_s: float
    created: datetime
    next: list[datetime]
    problem: str | None


class FiringJson(msgspec.Struct, frozen=True, kw_only=True):
    """One time that a schedule was due, by the user's clock, and what became of it."""

    schedule: str
    due: datetime
    at: datetime
    outcome: Outcome
    task: str
    note: str


class SchedulesJson(msgspec.Struct, frozen=True, kw_only=True):
    """Every schedule by name, and the last times of all, the latest first; ``zone`` is the user's."""

    zone: str
    schedules: list[ScheduleJson]
    firings: list[FiringJson]


async def show(request: web.Request) -> web.Response:
    """The schedules of this state folder."""
    asked = read_query(request, SchedulesQuery)
    settings = request.app[STATE].runtime.settings
    return json_answer(await asyncio.to_thread(_found, settings, asked))


def _found(settings: Settings, asked: SchedulesQuery) -> SchedulesJson:
    shelf, zone = Shelf(Path(settings.state)), settings.zone
    entries, firings = (shelf.entries(), shelf.firings(asked.limit)) if settings.state else ([], [])
    return SchedulesJson(
        zone=str(zone),
        schedules=[_schedule(entry, settings.now(), zone, asked.count) for entry in entries],
        firings=[_firing(one, zone) for one in firings],
    )


def _schedule(entry: Entry, now: datetime, zone: tzinfo, count: int) -> ScheduleJson:
    coming, problem = list[datetime](), None
    try:
        ZoneInfo(entry.cron.zone)
        coming = [due.astimezone(zone) for due in islice(entry.cron.times(now), count)]
    except (KeyError, ValueError, OSError):  # as after an upgrade of the machine
        problem = f"no time zone is called {entry.cron.zone!r} on this machine"
    return ScheduleJson(
        name=entry.name,
        cron=entry.cron.expression,
        zone=entry.cron.zone,
        capability=entry.capability,
        input=entry.input,
        grace_s=entry.grace_s,
        created=datetime.fromtimestamp(entry.created, UTC).astimezone(zone),
        next=coming,
        problem=problem,
    )


def _firing(one: Firing, zone: tzinfo) -> FiringJson:
    due, at = (datetime.fromtimestamp(seconds, UTC).astimezone(zone) for seconds in (one.due, one.at))
    return FiringJson(schedule=one.schedule, due=due, at=at, outcome=one.outcome, task=one.task, note=one.note)


ROUTES = (
    Operation(
        method="GET",
        path="/v1/schedules",
        handler=show,
        name="getSchedules",
        tag="schedules",
        scope=Scope.READ,
        summary="Show what is to be done when, next by the user's clock",
        description="Schedules are made with `pea schedule add`. Times have the offset of the user's zone then.",
        query=SchedulesQuery,
        answers={200: Answer("The schedules.", SchedulesJson)},
    ),
)
