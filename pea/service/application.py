"""The aiohttp application: every route behind the same few checks, every error a problem, every request a span."""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from pea.errors import PeaError
from pea.runtime import Runtime
from pea.service import (
    activity,
    agents,
    alerts,
    alerts_sla,
    caches,
    dashboard,
    feedback,
    jaeger,
    mcp,
    otlp_in,
    probes,
    problems,
    schedules,
    stream,
    task_events,
    tasks,
    traces,
)
from pea.service.access import Scope, login
from pea.service.access.auditor import Auditor
from pea.service.access.gate import Gate
from pea.service.access.guarding import guarded
from pea.service.access.state import AUDITOR, GATE
from pea.service.alerts_detector import DETECTOR, Detector
from pea.service.chronicle import HOLDER, Holder
from pea.service.dashboard_board import Board
from pea.service.guard import Hosts, add_headers, check_host, is_loopback, known_hosts
from pea.service.json_answer import json_answer
from pea.service.negotiate import accepts
from pea.service.openapi import document
from pea.service.operation import EVENT_STREAM, Answer, Handler, Operation
from pea.service.page import page_routes
from pea.service.query import NoQuery, read_query
from pea.service.refusals import NotAcceptable
from pea.service.state import STATE, State
from pea.service.stream import Hub
from pea.service.tracing import tracing
from pea.telemetry import get_logger

ROUTES = (
    *dashboard.ROUTES,
    *traces.ROUTES,
    *tasks.ROUTES,
    *feedback.ROUTES,
    *task_events.ROUTES,
    *agents.ROUTES,
    *alerts.ROUTES,
    *alerts_sla.ROUTES,
    *caches.ROUTES,
    *activity.ROUTES,
    *schedules.ROUTES,
    *probes.ROUTES,
    *login.ROUTES,
)
# Interfaces that are described by those who made them, and a stream without an end, which clients cannot be made for.
OTHERS = (*jaeger.ROUTES, *otlp_in.ROUTES, *stream.ROUTES)

log = get_logger("pea.service")


def create_app(runtime: Runtime) -> web.Application:
    """The application that serves a runtime, which may still be starting."""
    settings = runtime.settings.service
    gate, auditor = Gate(runtime.settings, required=not is_loopback(settings.host)), Auditor(runtime.settings)
    spoken = mcp.routes() if runtime.settings.mcp.on else ()
    operations = (*ROUTES, *OTHERS, *spoken, *page_routes(), _openapi(runtime, gate))
    untraced = [operation.path for operation in operations if not operation.traced]
    hosts = known_hosts(settings.host, runtime.settings.access.hosts)
    app = web.Application(
        client_max_size=int(settings.max_body),
        middlewares=[tracing(runtime.telemetry.tracer, untraced), _answering(hosts)],
    )
    app[STATE] = State(runtime)
    app[GATE], app[AUDITOR] = gate, auditor
    app[HOLDER] = Holder()
    mcp.open_gate(app)
    board = app[dashboard.BOARD] = Board(runtime)
    runtime.insights["dashboard"] = board.collect
    app[DETECTOR] = Detector(runtime.settings)
    alerts_sla.watch_objectives(app, runtime)
    app[stream.HUB] = Hub(app[dashboard.BOARD])
    app[otlp_in.INGEST] = otlp_in.Ingest(runtime.settings.store)
    app.on_response_prepare.append(add_headers)
    for operation in operations:
        _add(app.router, operation, guarded(operation, _checked(operation), gate, auditor))
    return app


def _add(router: web.UrlDispatcher, operation: Operation, handler: Handler) -> None:
    resource = router.add_resource(operation.path)
    resource.add_route(operation.method, handler, expect_handler=_expect)
    # A stream has no length to tell and no end to wait for, so it cannot be asked for its head.
    if operation.method == hdrs.METH_GET and operation.media != EVENT_STREAM:
        resource.add_route(hdrs.METH_HEAD, handler, expect_handler=_expect)


def _checked(operation: Operation) -> Handler:
    """The handler, once the request accepts what it answers with and asks for no more than there is."""
    media, handler = operation.media, operation.handler
    if media is None:
        return handler

    async def checked(request: web.Request) -> web.StreamResponse:
        if not accepts(request.headers.get(hdrs.ACCEPT), media):
            raise NotAcceptable(f"the answer is {media}", where="Accept", fix=f"accept {media}")
        if operation.query is NoQuery and request.query_string:
            read_query(request, NoQuery)
        return await handler(request)

    return checked


def _answering(hosts: Hosts) -> Middleware:
    """The middleware that keeps strangers out and turns every error into a problem."""

    @web.middleware
    async def answering(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            check_host(request, hosts)
            response: web.StreamResponse = await handler(request)
        except PeaError as error:
            response = problems.answer(error, request.rel_url.raw_path)
            if response.status >= 500 and not error.retryable:
                log.error("a request failed", method=request.method, path=request.rel_url.raw_path, reason=str(error))
        except web.HTTPException as error:
            response = problems.answer_status(error, request.rel_url.raw_path)
        except ConnectionError:
            raise  # the client is gone: nobody is left to be answered
        except Exception:  # what nobody foresaw is a 500 that says nothing, and a log line that says all
            log.exception("a request failed", method=request.method, path=request.rel_url.raw_path)
            response = problems.answer(PeaError("internal"), request.rel_url.raw_path)
        if request.app[STATE].stopping:
            response.force_close()
        return response

    return answering


async def _expect(request: web.Request) -> None:
    """RFC 9110, section 10.1.1: say that the body may come; other expectations may be ignored."""
    too_large = (request.content_length or 0) > request.client_max_size  # its refusal is the better answer
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and not too_large:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun


def _openapi(runtime: Runtime, gate: Gate) -> Operation:
    async def openapi(request: web.Request) -> web.Response:
        """This interface, as the agents that are installed make it."""
        del request
        offered = dict(runtime.directory.capabilities)
        return json_answer(await asyncio.to_thread(document, (*ROUTES, own), offered, locked=gate.locked))

    own = Operation(
        method="GET",
        path="/openapi.json",
        handler=openapi,
        name="openapi",
        tag="operation",
        summary="This interface as OpenAPI 3.1",
        answers={200: Answer("The document.", dict)},
        traced=False,
        scope=Scope.READ,
    )
    return own
