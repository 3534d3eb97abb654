"""A task's life as server-sent events (WHATWG HTML, section 9.2), resumable by Last-Event-ID."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
from aiohttp import web

from pea.errors import Overloaded
from pea.runtime import TaskEvent
from pea.service.access.scopes import Scope
from pea.service.operation import EVENT_STREAM, Answer, Header, Operation
from pea.service.refusals import BadParameter
from pea.service.state import MAX_STREAMS, STATE, State
from pea.service.task_json import TaskEventJson, event_json
from pea.service.tasks import TASK_ID
from pea.telemetry import get_logger

RETRY_MS = 1_000
MAX_EVENT_DIGITS = 9

_ENCODER = msgspec.json.Encoder()

log = get_logger("pea.service")


async def stream(request: web.Request) -> web.StreamResponse:
    """The task's events from the one after Last-Event-ID on; ends with the task.

    A client that has seen the last event gets 204: to an EventSource that means not to connect again.
    """
    after = _last_event_id(request)
    state = request.app[STATE]
    scheduler = state.scheduler()
    task = await scheduler.recall(request.match_info["id"])
    events = scheduler.events(task.id, after)
    if task.final and (first := await anext(events, None)) is not None:
        events = _again(first, events)
    elif task.final:
        return web.Response(status=204)
    if state.streams >= MAX_STREAMS:
        raise Overloaded(f"{MAX_STREAMS} event streams are open", retry_after_s=1.0, fix="poll the task instead")
    response = web.StreamResponse(headers={"Content-Type": EVENT_STREAM, "X-Accel-Buffering": "no"})
    state.streams += 1
    try:
        await response.prepare(request)
        await response.write(b"retry: %d\n\n" % RETRY_MS)
        await _send(response, events, state)
        await response.write_eof()
    except ConnectionError:
        log.debug("the reader of a task's events went away", task=task.id)
    except Exception:  # the answer has begun: there is no status left to tell it by
        log.exception("a stream of events broke off", task=task.id)
    finally:
        state.streams -= 1
    return response


async def _send(response: web.StreamResponse, events: AsyncIterator[TaskEvent], state: State) -> None:
    coming: asyncio.Task[TaskEvent | None] = asyncio.ensure_future(_next(events))
    try:
        while True:
            await asyncio.wait([coming], timeout=state.heartbeat_s)
            if not coming.done():
                await response.write(b": still here\n\n")
                continue
            event = coming.result()
            if event is None:
                return
            await response.write(_frame(event))
            coming = asyncio.ensure_future(_next(events))
    finally:
        coming.cancel()
        await asyncio.wait([coming])


async def _next(events: AsyncIterator[TaskEvent]) -> TaskEvent | None:
    return await anext(events, None)


async def _again(first: TaskEvent, rest: AsyncIterator[TaskEvent]) -> AsyncIterator[TaskEvent]:
    yield first
    async for event in rest:
        yield event


def _frame(event: TaskEvent) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.number, event.state.encode(), _ENCODER.encode(event_json(event)))


def _last_event_id(request: web.Request) -> int:
    given = request.headers.get("Last-Event-ID", "")
    if not given:
        return 0
    if not (given.isascii() and given.isdigit() and len(given) <= MAX_EVENT_DIGITS):
        raise BadParameter("is not an event's number", where="Last-Event-ID", fix="send back an `id` of this stream")
    return int(given)


ROUTES = (
    Operation(
        method="GET",
        path="/v1/tasks/{id}/events",
        handler=stream,
        name="streamTaskEvents",
        tag="tasks",
        scope=Scope.READ,
        summary="Follow a task",
        description="Server-sent events: `event` is the task's new status, `data` a TaskEventJson, `id` counts from 1.",
        parameters=TASK_ID,
        headers=(
            Header(
                "Last-Event-ID",
                "Send only events after this one.",
                {"type": "string", "pattern": f"^[0-9]{{0,{MAX_EVENT_DIGITS}}}$"},
            ),
        ),
        answers={
            200: Answer("The events, until the task has ended.", TaskEventJson, media=EVENT_STREAM),
            204: Answer("The task has ended and its last event was seen.", media=None),
        },
        problems=(404, 410, 429),
        media=EVENT_STREAM,
    ),
)
