"""A server span around each request, as OpenTelemetry's HTTP conventions have it, continuing the caller's trace.

What machines poll (probes, metrics, the page's files) is not traced: it would only push work out of the recent traces.
A client that polls, as the page does, says so by itself: a `traceparent` whose sampled flag is 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware
from multidict import CIMultiDictProxy, istr
from opentelemetry import context as otel_context
from opentelemetry import propagate
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import SpanKind, StatusCode

from pea.service.operation import Handler
from pea.service.problems import ProblemAnswer
from pea.telemetry import Tracer, names

OTHER_METHOD = "_OTHER"

_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
_MAX_NAMES = 1_024
MAX_PORT_DIGITS = 5

_HOST, _USER_AGENT = istr("Host"), istr("User-Agent")  # istr: looked up without folding case again


class _Headers(Getter[CIMultiDictProxy[str]]):
    """Reads a request's headers for the propagators."""

    def get(self, carrier: CIMultiDictProxy[str], key: str) -> list[str] | None:
        return carrier.getall(key, None)

    def keys(self, carrier: CIMultiDictProxy[str]) -> list[str]:
        return list(carrier.keys())


_GETTER = _Headers()


def tracing(tracer: Tracer, untraced: Iterable[str]) -> Middleware:
    """The middleware that traces every route but those of the ``untraced`` paths."""
    quiet = frozenset(untraced)
    carried = tuple(istr(field) for field in propagate.get_global_textmap().fields)
    span_names: dict[tuple[str, str | None], str] = {}

    @web.middleware
    async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        route = None if resource is None else resource.canonical
        if route in quiet:
            return await handler(request)
        name = span_names.get((request.method, route))
        if name is None:
            name = _span_name(request.method, route)
            if len(span_names) < _MAX_NAMES:
                span_names[request.method, route] = name
        headers = request.headers
        for field in carried:
            if field in headers:
                return await _continued(tracer, name, route, request, handler)
        return await _traced(tracer, name, route, request, handler)

    return traced


async def _continued(
    tracer: Tracer, name: str, route: str | None, request: web.Request, handler: Handler
) -> web.StreamResponse:
    token = otel_context.attach(propagate.extract(request.headers, getter=_GETTER))
    try:
        return await _traced(tracer, name, route, request, handler)
    finally:
        otel_context.detach(token)


async def _traced(
    tracer: Tracer, name: str, route: str | None, request: web.Request, handler: Handler
) -> web.StreamResponse:
    with tracer.span(name, _attributes(request, route), kind=SpanKind.SERVER) as span:
        response = await handler(request)
        status = response.status
        span.set_attribute(names.HTTP_RESPONSE_STATUS_CODE, status)
        if status >= 500:
            span.set_attribute(names.ERROR_TYPE, response.code if isinstance(response, ProblemAnswer) else str(status))
            span.set_status(StatusCode.ERROR)
        return response


def _attributes(request: web.Request, route: str | None) -> dict[str, Any]:
    method = request.method
    version = request.version
    found: dict[str, Any] = {
        names.HTTP_REQUEST_METHOD: method if method in _METHODS else OTHER_METHOD,
        names.URL_PATH: request.rel_url.raw_path,
        names.URL_SCHEME: request.scheme,
        names.NETWORK_PROTOCOL_VERSION: "1.1" if version.minor else "1.0",
    }
    if method not in _METHODS:
        found[names.HTTP_REQUEST_METHOD_ORIGINAL] = _text(method)
    if route is not None:
        found[names.HTTP_ROUTE] = route
    headers = request.headers
    host = headers.get(_HOST)
    if host is not None:
        found.update(_server(host))
    remote = request.remote
    if remote:
        found[names.CLIENT_ADDRESS] = remote
    agent = headers.get(_USER_AGENT)
    if agent:
        found[names.USER_AGENT_ORIGINAL] = _text(agent)
    return found


@lru_cache(maxsize=64)
def _server(host: str) -> dict[str, Any]:
    """The attributes that a Host header gives."""
    name, _, port = host.rpartition(":")
    if name and port.isascii() and port.isdigit() and len(port) <= MAX_PORT_DIGITS:
        return {names.SERVER_ADDRESS: _text(name), names.SERVER_PORT: int(port)}
    return {names.SERVER_ADDRESS: _text(host)} if host else {}


def _text(value: str) -> str:
    """A header's value without the halves of surrogate pairs that stand for bytes that are not UTF-8."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _span_name(method: str, route: str | None) -> str:
    method = method if method in _METHODS else "HTTP"
    return method if route is None else f"{method} {route}"
