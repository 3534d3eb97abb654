"""Every refusal as an RFC 9457 problem: what is wrong, where, what to do about it, and the trace that shows it."""

from __future__ import annotations

import inspect
import math
from http import HTTPStatus

import msgspec
from aiohttp import web
from opentelemetry.trace import format_trace_id, get_current_span

from pea import errors
from pea.service import refusals

MEDIA = "application/problem+json"
RETRY_SOON_S = 5  # a service that is stopping is usually back, elsewhere or restarted, within seconds

_ENCODER = msgspec.json.Encoder()


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details (RFC 9457, section 3). ``reasons`` are the parts of a problem that has several."""

    type: str  # a relative URI; it answers with what this kind of problem means
    title: str
    status: int
    detail: str
    instance: str = ""
    where: str | None = None
    fix: str | None = None
    trace_id: str | None = None
    reasons: tuple[str, ...] = ()


class ProblemAnswer(web.Response):
    """A problem on its way to the client; ``code`` becomes the server span's ``error.type``."""

    __slots__ = ("code",)

    code: str


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of problem, as `/problems/{code}` describes it."""

    code: str
    status: int
    title: str
    meaning: str
    retryable: bool


_STATUS: tuple[tuple[type[errors.PeaError], int, str], ...] = (
    (errors.InputError, 400, "The input does not fit"),
    (errors.UnknownCapability, 404, "No such capability"),
    (errors.UnknownAgent, 404, "No such agent"),
    (errors.UnknownTask, 404, "No such task"),
    (errors.TaskForgotten, 410, "The task's result is no longer kept"),
    (errors.AgentUnavailable, 503, "The agent is not in service"),
    (errors.DeadlineExceeded, 504, "The deadline has passed"),
    (errors.Overloaded, 429, "Too much work is waiting"),
    (errors.CircuitOpen, 503, "The capability keeps failing and is left alone"),
    (errors.WorkerFailed, 500, "A job in a worker process was ended"),
    (errors.Disagreement, 502, "Those who were asked do not agree"),
    (errors.ShuttingDown, 503, "The service is shutting down"),
    (errors.JournalUnavailable, 503, "Nothing can be promised now"),
    (errors.Conflict, 409, "That contradicts how things stand"),
    (errors.IdempotencyKeyReused, 422, "The idempotency key was used for something else"),
    (refusals.MalformedRequest, 400, "The request is not HTTP"),
    (refusals.MalformedJson, 400, "The body is not JSON"),
    (refusals.BadParameter, 400, "A parameter has a wrong value"),
    (refusals.Unauthorised, 401, "A token is needed"),
    (refusals.Forbidden, 403, "The token does not reach this far"),
    (refusals.CrossOrigin, 403, "Another site's page asks"),
    (refusals.NoSuchRoute, 404, "Nothing is here"),
    (refusals.UnknownAlert, 404, "No such alert"),
    (refusals.UnknownTrace, 404, "No such trace"),
    (refusals.MethodNotAllowed, 405, "The method is not supported here"),
    (refusals.NotAcceptable, 406, "No acceptable representation"),
    (refusals.BodyTooSlow, 408, "The body did not arrive in time"),
    (refusals.BodyTooLarge, 413, "The body is too large"),
    (refusals.UnsupportedMedia, 415, "The body is of a type that is not read here"),
    (refusals.Misdirected, 421, "The request is for another host"),
    (refusals.AuditUnavailable, 503, "Nothing may be changed now"),
    (refusals.NotReady, 503, "The service is not ready"),
)

INTERNAL = Kind(
    code=errors.PeaError.code,
    status=500,
    title="PEA could not answer",
    meaning="A fault in PEA. Its log has the reason under the problem's trace_id.",
    retryable=False,
)

KINDS: dict[str, Kind] = {
    error.code: Kind(
        code=error.code, status=status, title=title, meaning=inspect.getdoc(error) or "", retryable=error.retryable
    )
    for error, status, title in _STATUS
} | {INTERNAL.code: INTERNAL}


def describe(error: errors.PeaError, instance: str = "", *, reasons: tuple[str, ...] = ()) -> Problem:
    """The problem that an error is; one without a kind of its own tells a stranger nothing but that it happened."""
    kind = KINDS.get(error.code, INTERNAL)
    told = kind is not INTERNAL
    return Problem(
        type=f"/problems/{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=error.what if told else kind.meaning,
        instance=instance,
        where=error.where if told else None,
        fix=error.fix if told else None,
        trace_id=_trace_id(),
        reasons=reasons,
    )


def answer(error: errors.PeaError, instance: str = "", *, reasons: tuple[str, ...] = ()) -> ProblemAnswer:
    """The answer that tells the client of an error; its status is the error's kind's."""
    problem = describe(error, instance, reasons=reasons)
    headers = dict(error.headers) if isinstance(error, refusals.Refusal) else {}
    if isinstance(error, errors.Overloaded | errors.CircuitOpen):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    elif isinstance(error, errors.ShuttingDown | errors.JournalUnavailable):
        headers["Retry-After"] = str(RETRY_SOON_S)
    return _respond(problem, error.code if error.code in KINDS else INTERNAL.code, headers)


def answer_status(error: web.HTTPException, instance: str = "") -> ProblemAnswer:
    """The problem for an HTTP error that aiohttp raised itself."""
    if error.status == 404:
        fix = "GET /openapi.json lists the routes"
        return answer(refusals.NoSuchRoute("nothing is served under this path", where=instance, fix=fix), instance)
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        what = f"{error.method} is not supported here"
        refusal = refusals.MethodNotAllowed(what, where=instance, fix=f"use {allowed}", headers={"Allow": allowed})
        return answer(refusal, instance)
    known = error.status in HTTPStatus.__members__.values()
    title = HTTPStatus(error.status).phrase if known else "The request was refused"
    problem = Problem(
        type="about:blank",  # RFC 9457, section 4.2.1: the status says it all
        title=title,
        status=error.status,
        detail=HTTPStatus(error.status).description or title if known else title,
        instance=instance,
        trace_id=_trace_id(),
    )
    return _respond(problem, refusals.HttpError.code, {})


def _respond(problem: Problem, code: str, headers: dict[str, str]) -> ProblemAnswer:
    headers["Content-Type"] = MEDIA
    response = ProblemAnswer(status=problem.status, body=_ENCODER.encode(problem), headers=headers)
    response.code = code
    return response


def _trace_id() -> str | None:
    context = get_current_span().get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else None
