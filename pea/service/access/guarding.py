"""Puts the gate before every handler and the audit log behind those that change something."""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web
from opentelemetry.trace import format_trace_id, get_current_span

from pea.errors import PeaError
from pea.service.access.audit import Entry, cut
from pea.service.access.auditor import Auditor
from pea.service.access.gate import NOBODY, SAFE, Gate, caller_of
from pea.service.access.origin import check_origin
from pea.service.access.scopes import Scope
from pea.service.operation import EVENT_STREAM, Handler, Operation
from pea.service.problems import INTERNAL, KINDS

GONE = 499  # the client went before it was answered, as proxies write it


def scope_of(operation: Operation) -> Scope:
    """What an operation takes; one that nobody has decided on takes all there is."""
    return Scope.ADMIN if operation.scope is None else operation.scope


def guarded(operation: Operation, handler: Handler, gate: Gate, auditor: Auditor) -> Handler:
    """The handler, for callers whose scopes reach."""
    if operation.method not in SAFE:
        return _changing(operation, handler, gate, auditor)
    wanted = scope_of(operation)
    if operation.media == EVENT_STREAM:
        return _streaming(wanted, handler, gate)

    async def reading(request: web.Request) -> web.StreamResponse:
        gate.admit(request, wanted)
        return await handler(request)

    return reading


def _streaming(wanted: Scope, handler: Handler, gate: Gate) -> Handler:
    async def streaming(request: web.Request) -> web.StreamResponse:
        caller = gate.admit(request, wanted)
        followed = gate.follow(request, caller)
        try:
            return await handler(request)
        finally:
            gate.unfollow(followed)

    return streaming


def _changing(operation: Operation, handler: Handler, gate: Gate, auditor: Auditor) -> Handler:
    wanted = scope_of(operation)

    async def changing(request: web.Request) -> web.StreamResponse:
        admitted = False
        try:
            check_origin(request)
            gate.admit(request, wanted)
            auditor.require()
            admitted = True
            response = await handler(request)
        except (asyncio.CancelledError, ConnectionError):
            entry = _entry(request, operation, GONE, "", auditor.now())  # nobody waits for the answer
            auditor.note(entry, often=_often(request, wanted))
            raise
        except Exception as error:
            entry = _entry(request, operation, _status(error), "", auditor.now())
            await auditor.record(entry, often=not admitted or _often(request, wanted))
            raise
        made = response.headers.get(hdrs.LOCATION, "")
        entry = _entry(request, operation, response.status, made, auditor.now())
        await auditor.record(entry, often=_often(request, wanted))
        return response

    return changing


def _often(request: web.Request, wanted: Scope) -> bool:
    """Whether such requests may come in any number: telemetry, and attempts to log in with what is no token."""
    return wanted is Scope.INGEST or caller_of(request) is NOBODY


def _status(error: Exception) -> int:
    """The status that an error is answered with."""
    if isinstance(error, web.HTTPException):
        return error.status
    return KINDS.get(error.code, INTERNAL).status if isinstance(error, PeaError) else INTERNAL.status


def _entry(request: web.Request, operation: Operation, status: int, subject: str, at: str) -> Entry:
    caller = caller_of(request)
    context = get_current_span().get_span_context()
    return Entry(
        event="request",
        at=at,
        operation=operation.name,
        method=cut(request.method),
        path=cut(request.rel_url.raw_path),
        status=status,
        token="" if caller.token is None else caller.token.id,
        name=caller.name,
        remote=request.remote or "",
        subject=cut(subject),
        trace_id=format_trace_id(context.trace_id) if context.is_valid else "",
    )
